/* SPDX-License-Identifier: Apache-2.0 */
/* The three witnesses. */
#include "tcp/undo.h"

#include "base/assert.h"

#define FRTO_NEW_SEGMENTS 2u /* RFC 5682, 2.1 step 2b */

void tcp_undo_begin(struct tcp_undo *u, bool wants_frto)
{
    *u = (struct tcp_undo){
        .frto = wants_frto ? TCP_FRTO_RESENT : TCP_FRTO_OFF,
        .is_armed = true,
    };
}

void tcp_undo_on_timeout_again(struct tcp_undo *u)
{
    if (u->frto != TCP_FRTO_OFF)
        u->frto = TCP_FRTO_RESENT;
}

void tcp_undo_on_recovered(struct tcp_undo *u)
{
    u->frto = TCP_FRTO_OFF;
    u->has_advanced = true;
}

void tcp_undo_on_resent(struct tcp_undo *u, uint32_t now_ms)
{
    if (!u->is_armed)
        return;
    if (!u->has_resent)
        u->resent_ms = now_ms;
    u->has_resent = true;
    if (u->resent == UINT16_MAX)
        tcp_undo_disarm(u); /* nobody counts so many D-SACKs */
    u->resent++;
}

void tcp_undo_disarm(struct tcp_undo *u)
{
    u->is_armed = false;
    u->frto = TCP_FRTO_OFF;
}

/* RFC 3522, 3.2: the echo is of the segment that filled the gap; sent before the retransmission, it
 * was the original. The first acknowledgement decides: later gaps are other losses. */
static bool eifel(struct tcp_undo *u, const struct tcp_delivery *d)
{
    if (!u->has_resent || u->has_advanced || d->una_bytes == 0)
        return false;
    u->has_advanced = true;
    return d->has_echo && (int32_t)(d->echo_ms - u->resent_ms) < 0;
}

/* Every retransmission arrived beside its original. */
static bool all_dsacked(struct tcp_undo *u, bool is_dsack)
{
    if (!is_dsack || u->resent == 0)
        return false;
    return --u->resent == 0;
}

/* RFC 5682, 3.1: steps 2 and 3 of the algorithm. */
static bool frto(struct tcp_undo *u, const struct tcp_delivery *d, bool is_dupack)
{
    bool is_new = d->una_bytes > 0;
    if (u->frto == TCP_FRTO_RESENT && is_new) {
        u->frto = TCP_FRTO_NEW;
        u->frto_left = FRTO_NEW_SEGMENTS;
        return false;
    }
    if (u->frto == TCP_FRTO_RESENT && is_dupack)
        u->frto = TCP_FRTO_OFF;
    if (u->frto != TCP_FRTO_NEW || (!is_new && d->sacked_bytes == 0 && !is_dupack))
        return false; /* with SACK, duplicates that tell nothing are waited out */
    u->frto = TCP_FRTO_OFF;
    return d->saw_original && !d->saw_later;
}

bool tcp_undo_on_ack(struct tcp_undo *u, const struct tcp_delivery *d, bool is_dsack,
                     bool is_dupack)
{
    if (!u->is_armed)
        return false;
    bool is_early = eifel(u, d);
    bool is_double = all_dsacked(u, is_dsack);
    bool is_original = frto(u, d, is_dupack);
    return is_early || is_double || is_original;
}

void tcp_undo_end(struct tcp_undo *u)
{
    ASSERT_HOT(u->is_armed);
    *u = (struct tcp_undo){0};
}
