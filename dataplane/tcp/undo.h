/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Was a retransmission spurious? If so, what it cost is given back. Three witnesses, each enough:
 *
 *   Eifel (RFC 3522)   the first new acknowledgement after it echoes a timestamp from before it
 *   D-SACK (RFC 2883)  the peer has told of each retransmission that it was not needed
 *   F-RTO (RFC 5682)   after a timeout and two new segments, what was sent before is acknowledged
 *
 * An episode begins with a reduction of the window and ends with the next one. Pure: no clock, no
 * mbuf. Owner: the sender.
 */
#pragma once

#include "tcp/sack.h"

#include <stdbool.h>
#include <stdint.h>

/* How far F-RTO has come since the timeout (RFC 5682, 2.1 and 3.1). */
enum tcp_frto {
    TCP_FRTO_OFF,
    TCP_FRTO_RESENT, /* step 1: the first segment went again, nothing else */
    TCP_FRTO_NEW,    /* step 2b: two new segments instead of old ones */
};

struct tcp_undo {
    uint32_t resent_ms; /* our timestamp clock at its first retransmission */
    uint16_t resent;    /* retransmissions that no D-SACK told of */
    uint8_t frto;       /* enum tcp_frto */
    uint8_t frto_left;  /* new segments that step 2b may still send */
    bool is_armed;      /* an episode, and nothing has spoken against undoing it */
    bool has_resent;    /* resent_ms is valid */
    bool has_advanced;  /* SND.UNA has moved since: Eifel's moment is over */
};

/* The window is about to be reduced; what comes back then is the congestion control's to remember.
 * `wants_frto`: by the retransmission timer, and nothing better
 * than F-RTO will tell. */
void tcp_undo_begin(struct tcp_undo *u, bool wants_frto);

/* The timer expires again before anything was acknowledged: F-RTO begins anew (RFC 5682, 3.1). */
void tcp_undo_on_timeout_again(struct tcp_undo *u);

/* A segment was sent again. */
void tcp_undo_on_resent(struct tcp_undo *u, uint32_t now_ms);

/* Congestion is certain (ECN), or another episode makes this one unanswerable. */
void tcp_undo_disarm(struct tcp_undo *u);

/* An acknowledgement came: is the episode known to be spurious now? `is_dsack`: it tells of bytes
 * that came twice; `is_dupack`: a duplicate of a peer without SACK. */
bool tcp_undo_on_ack(struct tcp_undo *u, const struct tcp_delivery *d, bool is_dsack,
                     bool is_dupack);

/* Everything of the episode is acknowledged: only D-SACKs can tell now. */
void tcp_undo_on_recovered(struct tcp_undo *u);

/* The episode was taken back. */
void tcp_undo_end(struct tcp_undo *u);
