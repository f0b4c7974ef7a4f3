/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Explicit congestion notification (RFC 3168, 6.1): agreed upon in the SYNs; new data is sent as
 * ECN-capable; a mark that arrives is echoed until the sender says that it has slowed down; an echo
 * slows us down once a window, as a loss would, but nothing has to be sent again.
 *
 * Never ECN-capable: SYNs, acknowledgements without text, retransmissions, window probes (6.1.1,
 * 6.1.4 to 6.1.6).
 */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

void tcp_ecn_take_syn(struct tcp_conn *c, const struct tcp_segment *seg)
{
    uint8_t both = TCP_ECE | TCP_CWR;
    uint8_t wanted = (seg->flags & TCP_ACK) != 0 ? TCP_ECE : both; /* an answer has ECE alone */
    if (c->tcp->config.has_ecn && (seg->flags & both) == wanted)
        c->flags |= TCP_F_ECN;
}

uint8_t tcp_ecn_syn_flags(const struct tcp_conn *c)
{
    if (c->state == TCP_SYN_RCVD)
        return (c->flags & TCP_F_ECN) != 0 ? TCP_ECE : 0;
    /* 6.1.1.1: without the flags at the second try: something on the way may drop them. */
    return c->tcp->config.has_ecn && c->probes == 0 ? TCP_ECE | TCP_CWR : 0;
}

void tcp_ecn_input(struct tcp_conn *c, const struct tcp_segment *seg)
{
    if ((c->flags & TCP_F_ECN) == 0)
        return;
    if (seg->flags & TCP_CWR)
        c->flags &= ~(uint32_t)TCP_F_ECN_ECHO;
    if (seg->ecn != TCP_ECN_CE || seg->len == 0)
        return;
    stat_inc(c->tcp->core, STAT_tcp_rx_ce);
    c->flags |= TCP_F_ECN_ECHO;
    tcp_program_ack(c); /* the sooner it is told the better */
}

/* The window goes down as by a loss; the reduction is told with the next new data. */
static void slow_down(struct tcp_conn *c)
{
    struct tcp_sender *x = c->tx;
    stat_inc(c->tcp->core, STAT_tcp_ecn_reductions);
    tcp_undo_disarm(&x->undo); /* RFC 4015, 3.4: the congestion is certain */
    x->cwr_end = c->snd_nxt;
    c->flags |= TCP_F_CWR;
    if (x->cc.cwnd_bytes <= c->mss) { /* 6.1.2: it cannot be smaller, so it waits longer */
        tcp_pace_hold(&x->pace, c->tcp->core->now_us + c->rtt.rto_us);
        return;
    }
    struct tcp_cc_look look = tcp_congestion_look(c);
    x->cc.ops->on_mark(&x->cc, &look);
    ASSERT_HOT(x->cc.cwnd_bytes >= c->mss);
}

void tcp_ecn_on_mark(struct tcp_conn *c)
{
    ASSERT_HOT(c->flags & TCP_F_ECN);
    bool is_same_window = seq_le(c->snd_una, c->tx->cwr_end);
    if (!tcp_is_recovering(c) && !is_same_window)
        slow_down(c);
}

void tcp_ecn_on_reduced(struct tcp_conn *c)
{
    if ((c->flags & TCP_F_ECN) == 0)
        return;
    c->tx->cwr_end = c->snd_nxt;
    c->flags |= TCP_F_CWR;
}
