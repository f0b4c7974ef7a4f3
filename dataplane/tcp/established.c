/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header prediction (Van Jacobson's idea): on an established connection nearly every segment is the
 * next data in order or an acknowledgement of what is in flight, with nothing special about it. For
 * those the steps one to four and six to eight say yes by one comparison.
 */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

/* Is there nothing about the segment or the connection that needs the numbered steps? */
static bool is_predicted(const struct tcp_conn *c, const struct tcp_segment *seg)
{
    if (c->state != TCP_ESTABLISHED || (seg->flags & ~TCP_PSH) != TCP_ACK)
        return false;
    if (!seq_eq(seg->seq, c->rcv_nxt) || c->oooq.head != NULL || seg->options.n_sack != 0)
        return false;
    if (seg->ecn == TCP_ECN_CE)
        return false;
    if (seg->len > (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt))
        return false;
    if (seq_lt(seg->ack, c->snd_una) || seq_gt(seg->ack, c->snd_nxt))
        return false;
    if ((c->flags & (TCP_F_OWNED | TCP_F_FIN_AHEAD)) != TCP_F_OWNED)
        return false;
    if (c->flags & TCP_F_TIMESTAMPS) {
        if (!seg->options.has_timestamps)
            return false;
        return (int32_t)(seg->options.ts_value - c->ts_recent) >= 0;
    }
    return true;
}

bool tcp_fast_path(struct tcp_conn *c, struct tcp_segment *seg)
{
    if (!is_predicted(c, seg))
        return false;
    struct core *core = c->tcp->core;
    c->last_rx_ms = tcp_now_ms(c->tcp);
    if ((c->flags & TCP_F_TIMESTAMPS) != 0 && seq_le(seg->seq, c->last_ack_sent)) {
        c->ts_recent = seg->options.ts_value;
        c->ts_recent_ms = c->last_rx_ms;
    }
    bool is_acked = tcp_ack_input(c, seg);
    ASSERT_HOT(is_acked); /* the numbers were looked at above */
    if (is_acked && seg->len > 0)
        tcp_text_input(c, seg);
    ASSERT_HOT(!seg->is_ack_due); /* neither old nor out of order */
    stat_inc(core, STAT_tcp_rx_fast);
    return true;
}
