/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step five for synchronized states: one ACK is read once into a struct tcp_delivery, and that is
 * what RTT, RACK, recovery and congestion control see of it.
 */
#include "base/assert.h"
#include "net/net.h"
#include "tcp/tcp_priv.h"

#include <rte_mbuf.h>

/* RFC 9293, 3.10.7.4: a newer segment than the one that told the window last. WL2 need not be kept:
 * it is at or below SND.UNA, and so at or below any acknowledgement that comes here. */
static bool update_window(struct tcp_conn *c, const struct tcp_segment *seg)
{
    uint32_t window = (uint32_t)seg->window << c->snd_wscale;
    bool is_newer = seq_gt(seg->ack, c->snd_una) || seq_ge(seg->seq, c->snd_wl1);
    if (!is_newer)
        return false;
    bool has_changed = window != c->snd_wnd;
    c->snd_wl1 = seg->seq;
    c->snd_wnd = window;
    if (window > c->snd_wnd_max)
        c->snd_wnd_max = window;
    return has_changed;
}

/* The window opened over a byte that was sent to probe it: the peer threw that away for want of
 * room, not for congestion, so it is sent again without reducing anything. */
static void resend_probe(struct tcp_conn *c)
{
    struct tcp_sent *first = tcp_board_first(&c->tx->board);
    if ((c->flags & TCP_F_PROBE) == 0 || c->snd_wnd == 0)
        return;
    c->flags &= ~(uint32_t)TCP_F_PROBE;
    c->backoff = 0;
    if (first != NULL && first->place == TCP_SENT_IN_FLIGHT)
        tcp_board_lose(&c->tx->board, first);
}

/* Takes acknowledged records and bytes away. */
static void take_acknowledged(struct tcp_conn *c, seq_t ack, struct tcp_delivery *d)
{
    d->una_bytes = (uint32_t)seq_diff(ack, c->snd_una);
    if (d->una_bytes == 0)
        return;
    struct tcp_sent *s;
    while ((s = tcp_board_ack(&c->tx->board, ack, d)) != NULL)
        pool_put(&c->tcp->records, s);
    bool is_fin_acked = (c->flags & TCP_F_FIN_SENT) != 0 && seq_eq(ack, c->snd_nxt);
    tcp_sndq_drop(c, d->una_bytes - is_fin_acked);
    c->snd_una = ack;
    c->progress_ms = tcp_now_ms(c->tcp);
    net_confirm(c->tcp->net, &c->tuple.remote);
    if (c->backoff != 0)
        tcp_plpmtud_on_progress(c);
    c->backoff = 0;
    c->flags &= ~(uint32_t)TCP_F_PROBE;
    struct tcp_sent *first = tcp_board_first(&c->tx->board);
    if (first != NULL && first->bytes > 0) { /* if it was cut, its bytes begin the queue now */
        ASSERT_HOT(seq_eq(first->seq, ack) && c->sndq.head != NULL);
        first->data = c->sndq.head;
        first->offset = c->sndq.head->data_off;
    } else if (first != NULL) {
        first->data = NULL;
    }
}

/* Is the block about bytes that we have acknowledged in this very segment (RFC 2883)? */
static bool is_dsack(const struct tcp_segment *seg)
{
    const struct tcp_sack_block *b = seg->options.sack;
    if (seg->options.n_sack == 0)
        return false;
    if (seq_lt(b[0].start, seg->ack))
        return true;
    return seg->options.n_sack > 1 && seq_ge(b[0].start, b[1].start) && seq_le(b[0].end, b[1].end);
}

/* Marks what SACK blocks tell, the lowest first: else two blocks of one ACK would look like
 * reordering. Blocks outside of what is unacknowledged are nonsense or old. */
static void take_sacked(struct tcp_conn *c, const struct tcp_segment *seg, struct tcp_delivery *d)
{
    struct tcp_sack_block sorted[TCP_SACK_BLOCKS_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < seg->options.n_sack; i++) {
        struct tcp_sack_block b = seg->options.sack[i];
        if (seq_le(b.end, c->snd_una) || seq_gt(b.end, c->snd_nxt))
            continue;
        unsigned at = n++;
        for (; at > 0 && seq_lt(b.start, sorted[at - 1].start); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = b;
    }
    ASSERT_HOT(n <= TCP_SACK_BLOCKS_MAX);
    for (unsigned i = 0; i < n; i++)
        tcp_board_sack(&c->tx->board, &sorted[i], d);
}

/* Reads the ACK into `d`, and into RTT and RACK. */
static void read_ack(struct tcp_conn *c, const struct tcp_segment *seg, seq_t ack,
                     struct tcp_delivery *d)
{
    uint64_t now_us = c->tcp->core->now_us;
    *d = (struct tcp_delivery){.now_us = now_us, .min_rtt_us = c->rtt.min_us};
    if ((c->flags & TCP_F_TIMESTAMPS) != 0 && seg->options.ts_echo != 0) {
        d->has_echo = true;
        d->echo_ms = seg->options.ts_echo - c->ts_offset;
    }
    take_acknowledged(c, ack, d);
    if (c->flags & TCP_F_SACK)
        take_sacked(c, seg, d);
    if (d->has_rtt) {
        tcp_rtt_sample(&c->rtt, d->rtt_us, now_us);
        c->tx->is_probed = false;
    }
    tcp_rack_on_delivery(&c->tx->rack, d);
    tcp_congestion_on_delivery(c, d);
}

/* An old acknowledgement still tells of blocks that came since, but moves nothing. False: it is out
 * of all reason (RFC 5961, section 5). */
static bool is_plausible(struct tcp_conn *c, const struct tcp_segment *seg)
{
    if (seq_le(seg->ack, c->snd_nxt) &&
        seq_diff(seg->ack, c->snd_una) >= -((int64_t)c->snd_wnd_max + 1))
        return true;
    stat_inc(c->tcp->core, STAT_tcp_drop_ack_invalid);
    if (c->tx != NULL)
        c->tx->is_overacked |= seq_gt(seg->ack, c->snd_nxt);
    tcp_challenge_ack(c);
    return false;
}

/* What the ACK tells about what was sent. */
static void learn(struct tcp_conn *c, const struct tcp_segment *seg, bool has_window_changed)
{
    bool was_outstanding = !seq_eq(c->snd_una, c->snd_nxt);
    bool is_same = seq_eq(seg->ack, c->snd_una);
    bool is_overtaken = seq_lt(seg->ack, c->snd_una);
    struct tcp_delivery d;
    seq_t ack = seq_max(seg->ack, c->snd_una);
    read_ack(c, seg, ack, &d);
    resend_probe(c);
    bool has_dsack = (c->flags & TCP_F_SACK) != 0 && !is_overtaken && is_dsack(seg);
    if (has_dsack) {
        tcp_rack_on_dsack(&c->tx->rack, c->snd_una, c->snd_nxt);
        c->flags &= ~(uint32_t)TCP_F_TLP_RESENT; /* RFC 8985, 7.4: the probe was not needed */
    }
    /* RFC 5681, 2; the answers to window probes look alike and tell of no loss. */
    bool is_dupack = was_outstanding && is_same && seg->len == 0 && !has_window_changed &&
                     (seg->flags & TCP_FIN) == 0 && c->snd_wnd != 0 &&
                     (c->flags & TCP_F_PROBE) == 0;
    d.is_marked = (c->flags & TCP_F_ECN) != 0 && (seg->flags & TCP_ECE) != 0;
    tcp_recovery_try_undo(c, &d, has_dsack, is_dupack);
    if (was_outstanding)
        tcp_recovery_on_ack(c, &d, is_dupack);
    if (d.is_marked)
        tcp_ecn_on_mark(c);
    tcp_sndq_earn(c, d.una_bytes);
}

bool tcp_ack_input(struct tcp_conn *c, const struct tcp_segment *seg)
{
    if (!is_plausible(c, seg))
        return false;
    /* One that a later one has overtaken still tells what is SACKed. */
    bool is_overtaken = seq_lt(seg->ack, c->snd_una);
    bool has_window_changed = !is_overtaken && update_window(c, seg);
    if (c->tx != NULL && (!is_overtaken || seg->options.n_sack > 0))
        learn(c, seg, has_window_changed);
    tcp_program_output(c);
    if (is_overtaken)
        return true;
    ASSERT_HOT(seq_eq(c->snd_una, seg->ack));
    if ((c->flags & TCP_F_FIN_SENT) != 0 && seq_eq(c->snd_una, c->snd_nxt))
        tcp_on_fin_acked(c);
    return true;
}
