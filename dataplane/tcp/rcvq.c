/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receive queue and the window. The window is the queue's room, counted twice: in bytes, and in
 * mbufs at what they really cost, so that a peer who sends a byte a segment fills its own window
 * and not our pool. Small segments are copied behind a last one that is small too.
 *
 *   told <= window: the right edge never moves left (RFC 9293, 3.8.6)
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/tcp_priv.h"

#include <rte_mbuf.h>

/* In order is taken, and the out-of-order queue cut for it, up to this multiple of the room. */
#define IN_ORDER_FACTOR 2u

/* The room by both counts. */
static uint32_t room_bytes(struct tcp_conn *c)
{
    struct tcp *t = c->tcp;
    uint32_t limit = t->config.rx_window_bytes;
    uint32_t by_bytes = c->rcvq.bytes < limit ? limit - c->rcvq.bytes : 0;
    uint32_t most = tcp_rcvq_mbufs_max(c);
    uint32_t left = c->rcvq.mbufs < most ? most - c->rcvq.mbufs : 0;
    return min32(by_bytes, tcp_window_of_mbufs(t, left));
}

uint32_t tcp_rcv_window(struct tcp_conn *c)
{
    struct tcp *t = c->tcp;
    uint32_t told = (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt);
    ASSERT_HOT(told <= TCP_WINDOW_BYTES_MAX);
    if (!tcp_mbufs_are_short(t, t->config.mbufs_low)) {
        c->flags &= ~(uint32_t)TCP_F_WINDOW_SHORT;
    } else if ((c->flags & TCP_F_WINDOW_SHORT) == 0) {
        stat_inc(t->core, STAT_tcp_window_short);
        c->flags |= TCP_F_WINDOW_SHORT;
    }
    uint32_t room = room_bytes(c);
    uint32_t limit = (uint32_t)UINT16_MAX << c->rcv_wscale;
    if (room > limit)
        room = limit;
    /* Silly window avoidance (3.8.6.2.2): it grows by a full segment or half of all, or not. */
    uint32_t half = t->config.rx_window_bytes / 2;
    uint32_t step = c->mss < half ? c->mss : half;
    return room >= told + step ? room : told;
}

void tcp_rcvq_on_consumed(struct tcp_conn *c)
{
    if (c->state < TCP_ESTABLISHED || (c->flags & TCP_F_FIN_RCVD) != 0)
        return;
    tcp_rcvq_earn(c);
    uint32_t told = (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt);
    uint32_t window = tcp_rcv_window(c);
    if (c->flags & TCP_F_WINDOW_SHORT)
        tcp_program_starved(c);
    uint32_t worth = min32(2u * c->mss, c->tcp->config.rx_window_bytes / 4);
    if (window > told && (window - told >= worth || told == 0))
        tcp_program_ack(c);
}

void tcp_rcvq_append(struct tcp_conn *c, struct rte_mbuf *m)
{
    struct core *core = c->tcp->core;
    uint32_t bytes = m->data_len;
    ASSERT_HOT(bytes > 0);
    c->rcv_nxt = seq_add(c->rcv_nxt, bytes);
    c->flags &= ~(uint32_t)TCP_F_RESTING;
    stat_add(core, STAT_tcp_rx_bytes, bytes);
    tcp_program_events(c, STREAM_READABLE);
    if (bytes <= TCP_COALESCE_BYTES_MAX && tcp_mbufq_has_small_tail(&c->rcvq)) {
        struct slice all = slice_of(rte_pktmbuf_mtod(m, const uint8_t *), bytes);
        uint32_t copied = tcp_mbufq_append_tail(&c->rcvq, all);
        stat_add(core, STAT_tcp_rx_copied_bytes, copied);
        if (copied == bytes) {
            stat_inc(core, STAT_tcp_rx_coalesced);
            rte_pktmbuf_free(m);
            return;
        }
        rte_pktmbuf_adj(m, (uint16_t)copied);
    }
    tcp_mbufq_push(&c->rcvq, m, tcp_held(c, STAT_tcp_rcvq_mbufs_now));
}

/* Room for one more mbuf in all, if need be by throwing away what waits out of order. What is in
 * order is what everything waits for, so it may take more. */
static bool make_place(struct tcp_conn *c, bool is_in_order)
{
    uint32_t most = tcp_rcvq_mbufs_max(c) * (is_in_order ? IN_ORDER_FACTOR : 1);
    while (!tcp_may_hold_more(c) || c->rcvq.mbufs + c->oooq.mbufs >= most) {
        if (is_in_order && tcp_reasm_prune(c))
            continue;
        stat_inc(c->tcp->core, tcp_may_hold_more(c) ? STAT_tcp_rx_no_room : STAT_tcp_rx_no_mbufs);
        return false;
    }
    return true;
}

/* Cuts the segment to what is new and in the window. False: nothing is left. */
static bool trim(struct tcp_conn *c, struct tcp_segment *seg)
{
    struct core *core = c->tcp->core;
    int32_t old = seq_diff(c->rcv_nxt, seg->seq);
    if (old > 0) {
        uint32_t cut = (uint32_t)old < seg->len ? (uint32_t)old : seg->len;
        stat_add(core, STAT_tcp_rx_duplicate_bytes, cut);
        rte_pktmbuf_adj(seg->m, (uint16_t)cut);
        seg->again = (struct tcp_sack_block){seg->seq, seq_add(seg->seq, cut)};
        seg->is_ack_due = true;
        seg->seq = seg->again.end;
        seg->len -= cut;
    }
    int32_t beyond = seq_diff(seq_add(seg->seq, seg->len), c->rcv_adv);
    if (beyond > 0) {
        uint32_t cut = (uint32_t)beyond < seg->len ? (uint32_t)beyond : seg->len;
        stat_inc(core, STAT_tcp_rx_no_room);
        rte_pktmbuf_trim(seg->m, (uint16_t)cut);
        seg->len -= cut;
        tcp_program_ack(c);
    }
    return seg->len > 0;
}

/* Every second segment is acknowledged at once, one alone by the timer (RFC 9293, 3.8.6.3). What
 * is longer than the segments that we asked for was several of them. While the sender's window is
 * likely to be small - it has just begun, or has just lost something - every full segment is: a
 * window of one would wait for the timer each time (RFC 5681, 4.2 allows it). So is a full one that
 * is pushed, as Linux does: its sender's write or window ends there, and no second one follows. */
static void program_delayed_ack(struct tcp_conn *c, const struct tcp_segment *seg)
{
    bool is_full = seg->len >= c->mss;
    bool is_quick = is_full && c->quick_acks > 0;
    bool is_last = is_full && (seg->flags & TCP_PSH) != 0;
    c->quick_acks = (uint8_t)(c->quick_acks - is_quick);
    c->full_segments++;
    uint16_t segment = tcp_mss_of_mtu(c->path_mtu, ip_addr_is_v4(&c->tuple.remote));
    if (c->full_segments >= 2 || seg->len > segment || is_quick || is_last) {
        tcp_program_ack(c);
        return;
    }
    c->flags |= TCP_F_ACK_DELAYED;
    tcp_deadline_set(c, TCP_DEADLINE_DELACK, c->tcp->core->now_us + TCP_DELACK_US_MAX);
}

/* The text of one mbuf. */
static void take_text(struct tcp_conn *c, struct tcp_segment *seg)
{
    ASSERT_HOT(seg->m->next == NULL && seg->len == seg->m->data_len);
    if (!trim(c, seg))
        return;
    bool is_in_order = seq_eq(seg->seq, c->rcv_nxt);
    if (!make_place(c, is_in_order)) {
        tcp_program_ack(c);
        return;
    }
    struct rte_mbuf *m = seg->m;
    seg->m = NULL;
    if (!is_in_order) {
        c->quick_acks = c->tcp->config.quick_acks;
        if (!tcp_reasm_insert(c, m, seg->seq))
            seg->again = (struct tcp_sack_block){seg->seq, seq_add(seg->seq, seg->len)};
        seg->is_ack_due = true; /* each one: it tells of the gaps (RFC 5681, 4.2) */
        stat_inc(c->tcp->core, STAT_tcp_rx_out_of_order);
        return;
    }
    bool had_gap = c->oooq.head != NULL;
    tcp_rcvq_append(c, m);
    if (had_gap) {
        tcp_reasm_advance(c);
        tcp_program_ack(c);
    } else {
        program_delayed_ack(c, seg);
    }
    ASSERT_HOT(seq_le(c->rcv_nxt, c->rcv_adv));
}

/* Takes the first mbuf off the chain; what is left of it begins where this one ends. */
static struct rte_mbuf *take_first(struct tcp_segment *chain)
{
    struct rte_mbuf *m = chain->m;
    chain->m = m->next;
    chain->seq = seq_add(chain->seq, m->data_len);
    chain->len -= m->data_len;
    m->next = NULL;
    m->nb_segs = 1;
    m->pkt_len = m->data_len;
    return m;
}

/* Several segments merged into one, each in its mbuf (GRO), or as the device laid them (LRO), or a
 * packet that came in fragments. Each mbuf is taken as the segment that it may have been, so
 * acknowledgements are due as without merging: a peer without SACK counts those of a gap. */
static void take_chain(struct tcp_conn *c, struct tcp_segment *seg)
{
    struct tcp_segment rest = *seg;
    seg->m = NULL;
    while (rest.m != NULL) {
        if (seg->is_ack_due)
            tcp_acknowledge(c, seg);
        seg->seq = rest.seq;
        seg->len = rest.m->data_len;
        seg->m = take_first(&rest);
        if (seg->len > 0)
            take_text(c, seg);
        rte_pktmbuf_free(seg->m); /* NULL if it was taken */
        seg->m = NULL;
    }
    ASSERT_HOT(rest.len == 0);
}

void tcp_text_input(struct tcp_conn *c, struct tcp_segment *seg)
{
    ASSERT_HOT(seg->m != NULL && seg->len == seg->m->pkt_len);
    if (seg->m->next == NULL)
        take_text(c, seg);
    else
        take_chain(c, seg);
}
