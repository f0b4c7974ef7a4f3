/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the connection and its congestion control (cc.h): what the algorithm is told, and what
 * becomes of its answers. The marks of segments lie in a row beside their records: who does not
 * measure rates does not touch them.
 */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

const struct tcp_cc_ops *tcp_congestion_ops(enum tcp_congestion congestion)
{
    ASSERT(congestion == TCP_CONGESTION_CUBIC || congestion == TCP_CONGESTION_BBR);
    return congestion == TCP_CONGESTION_BBR ? &tcp_bbr_ops : &tcp_cubic_ops;
}

struct tcp_cc_look tcp_congestion_look(const struct tcp_conn *c)
{
    ASSERT_HOT(c->tx != NULL);
    return (struct tcp_cc_look){
        .now_us = c->tcp->core->now_us,
        .mss = c->mss,
        .srtt_us = c->rtt.srtt_us,
        .pipe_bytes = tcp_pipe_bytes(c),
        .una = c->snd_una,
        .nxt = c->snd_nxt,
        .is_paced = c->tcp->config.is_paced,
        .has_sack = (c->flags & TCP_F_SACK) != 0,
        .in_recovery = (c->flags & TCP_F_RECOVERY) != 0,
        .in_loss = (c->flags & TCP_F_LOSS) != 0,
        .is_cwnd_limited = (c->flags & TCP_F_CWND_LIMITED) != 0,
    };
}

struct tcp_bw_mark *tcp_mark_of(const struct tcp_conn *c, const struct tcp_sent *s)
{
    return &c->tcp->marks[pool_index(&c->tcp->records, s)];
}

void tcp_congestion_on_sent(struct tcp_conn *c, const struct tcp_sent *s, bool was_resent)
{
    struct tcp_sender *x = c->tx;
    struct tcp_cc_look look = tcp_congestion_look(c);
    struct tcp_cc_pace pace =
        x->cc.ops->on_sent(&x->cc, &look, tcp_mark_of(c, s), s->bytes, was_resent);
    tcp_pace_on_sent(&x->pace, look.now_us, s->bytes, pace.bytes_per_s, pace.burst_bytes);
}

void tcp_congestion_on_output(struct tcp_conn *c)
{
    struct tcp_cc *cc = &c->tx->cc;
    bool has_more = seq_lt(c->snd_nxt, c->snd_end) || tcp_board_next_lost(&c->tx->board) != NULL;
    if (!cc->ops->has_marks || has_more)
        return;
    struct tcp_cc_look look = tcp_congestion_look(c);
    cc->ops->on_app_limited(cc, &look);
}

void tcp_congestion_on_delivery(struct tcp_conn *c, const struct tcp_delivery *d)
{
    struct tcp_cc *cc = &c->tx->cc;
    if (cc->ops->has_marks)
        cc->ops->on_delivered(cc, d->acked_bytes + d->sacked_bytes, d->now_us);
}

static void tell_lost(struct tcp_conn *c, const struct tcp_cc_look *look, const struct tcp_sent *s)
{
    struct tcp_cc *cc = &c->tx->cc;
    struct tcp_cc_lost lost = {tcp_mark_of(c, s), s->seq, tcp_sent_len(s)};
    cc->ops->on_lost(cc, look, &lost);
}

void tcp_congestion_on_lost(struct tcp_conn *c, uint32_t bytes)
{
    struct list_node *all = &c->tx->board.lost;
    if (!c->tx->cc.ops->has_marks)
        return;
    struct list_node *node = all; /* what was found last is at the end */
    for (uint32_t passed = 0; passed < bytes;) {
        node = node->prev;
        ASSERT_HOT(node != all);
        passed += tcp_sent_len(container_of(node, struct tcp_sent, by_place));
    }
    struct tcp_cc_look look = tcp_congestion_look(c);
    for (; node != all; node = node->next)
        tell_lost(c, &look, container_of(node, struct tcp_sent, by_place));
}

void tcp_congestion_on_timeout(struct tcp_conn *c, bool is_first)
{
    struct tcp_cc *cc = &c->tx->cc;
    struct tcp_cc_look look = tcp_congestion_look(c);
    cc->ops->on_timeout(cc, &look, is_first);
    if (!cc->ops->has_marks)
        return;
    LIST_EACH (node, &c->tx->board.in_flight)
        tell_lost(c, &look, container_of(node, struct tcp_sent, by_place));
}

static void count_news(struct tcp_conn *c, enum tcp_cc_news news)
{
    static const enum stat_id stats[] = {
        [TCP_CC_NEWS_HYSTART] = STAT_tcp_hystart_exits,
        [TCP_CC_NEWS_PIPE_FULL] = STAT_tcp_bbr_full_pipes,
        [TCP_CC_NEWS_PROBE_RTT] = STAT_tcp_bbr_probe_rtts,
    };
    if (news != TCP_CC_NEWS_NONE)
        stat_inc(c->tcp->core, stats[news]);
}

void tcp_congestion_on_ack(struct tcp_conn *c, const struct tcp_delivery *d, uint32_t lost,
                           bool is_dupack)
{
    struct tcp_cc *cc = &c->tx->cc;
    struct tcp_cc_look look = tcp_congestion_look(c);
    struct tcp_cc_ack ack = {
        .delivered_bytes = d->acked_bytes + d->sacked_bytes,
        .una_bytes = d->una_bytes,
        .lost_bytes = lost,
        .rtt_us = d->has_rtt && d->rtt_us < UINT32_MAX ? (uint32_t)d->rtt_us : 0,
        .is_dupack = is_dupack,
        .is_marked = d->is_marked,
    };
    if (d->has_newest)
        ack.newest = (struct tcp_bw_newest){tcp_mark_of(c, d->newest), d->newest_sent_us,
                                            d->newest_was_resent};
    count_news(c, cc->ops->on_ack(cc, &look, &ack));
}
