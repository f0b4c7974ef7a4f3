/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection needs only while it sends: scoreboard, congestion control, loss detection. Most
 * connections of a balancer rest most of the time, so this lies apart, in a pool smaller than that
 * of the connections.
 *
 *   pool --something to send--> busy <--> resting (nothing unacknowledged, nothing may go)
 *   resting --another connection needs it--> that one's    (only the window's size is kept)
 *   any --the connection ends--> pool
 *
 * A resting one stays with its connection until it is needed: the longest resting is taken first,
 * and whoever lost it begins again with the restart window (RFC 5681, 4.1), as after any silence.
 * When all are busy a connection waits (tcp.waiting) until one rests or ends: with others waiting
 * nobody keeps a resting one.
 *
 *   conn->tx == NULL implies snd_una == snd_nxt or a state before ESTABLISHED
 */
#pragma once

#include "base/list.h"
#include "tcp/cc.h"
#include "tcp/pace.h"
#include "tcp/rack.h"
#include "tcp/sack.h"
#include "tcp/undo.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct tcp_conn;

struct tcp_sender {
    struct list_node resting; /* on tcp.resting while it rests */
    struct tcp_conn *conn;
    struct rte_mbuf *next_data; /* where the byte at snd_nxt lies or will; NULL: sndq is empty */
    uint16_t next_offset;       /* from next_data->buf_addr */
    uint8_t dupacks;            /* peers without SACK */
    bool is_overacked;          /* what was never sent was acknowledged, since drain_ms */
    bool is_probed;             /* a tail-loss probe went, and no RTT was measured since */
    uint64_t timeout_us;        /* when the retransmission timer expired last; 0: never */
    uint32_t earned_bytes; /* what the send queue may hold for what was acknowledged: see room.c */
    uint32_t drain_ms;     /* when drain_end was the end of the queue: how slowly it drains */
    seq_t drain_end;
    seq_t recovery_end; /* of the present or the last recovery: RFC 6582's recover, and one */
    seq_t tlp_end;
    seq_t cwr_end; /* ECN: echoes up to this are of a window that was reduced already */
    struct tcp_board board;
    struct tcp_cc cc;
    struct tcp_rack rack;
    struct tcp_undo undo;
    struct tcp_pace pace;
};

/* Sees to it that the connection, which is synchronized and has something to send, has a sender,
 * which does not rest until tcp_sender_settle(). False: all are busy; counted. */
bool tcp_sender_take(struct tcp_conn *c);

/* Likewise; if all are busy the connection is on tcp.waiting. */
bool tcp_sender_get(struct tcp_conn *c);

/* After output: it rests, or it is busy. Nothing if there is none. */
void tcp_sender_settle(struct tcp_conn *c);

/* The connection ends: records and sender go back. Nothing if there is none. */
void tcp_sender_put(struct tcp_conn *c);
