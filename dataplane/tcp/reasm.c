/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments ahead of a gap, as ranges: mbufs one behind the other whose bytes follow without a gap.
 * All lie on one queue in the order of their numbers. What is there already wins over what comes
 * later, unless that swallows a range whole.
 *
 *   oooq:  [first ... last] gap [first ... last] gap [first = last]
 *
 * The two ends of a range know each other, by a field of ours in the mbuf: so a segment at the end
 * of a range costs the same whatever lies there, and a search goes from range to range.
 *
 * Known ways: a list of segments, a tree (Linux, since CVE-2018-5390 showed what a list costs whom
 * a peer sends crumbs in any order), a bounded list of ranges. Chosen: the last; there are as many
 * ranges as losses in a window, and an honest peer loses few. One who has more than
 * TCP_OOO_RANGES_MAX sends the rest again. Bounded in mbufs by make_place() in rcvq.c.
 */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

/* In the first mbuf of a range all of it, in the last one other_end. */
struct range_end {
    struct rte_mbuf *other_end;
    uint32_t arrival; /* of its youngest part: the larger, the later */
    seq_t start;
    seq_t end;
};

int tcp_reasm_register(void)
{
    static const struct rte_mbuf_dynfield field = {.name = "sluice_tcp_range",
                                                   .size = sizeof(struct range_end),
                                                   .align = _Alignof(struct range_end)};
    return rte_mbuf_dynfield_register(&field);
}

static struct range_end *at(const struct tcp_conn *c, struct rte_mbuf *m)
{
    return RTE_MBUF_DYNFIELD(m, c->tcp->range_offset, struct range_end *);
}

/* The first mbuf of the range behind; NULL: there is none. */
static struct rte_mbuf *range_behind(const struct tcp_conn *c, struct rte_mbuf *first)
{
    return at(c, first)->other_end->next;
}

/* The range that begins last at or before `seq`; NULL: none. The last of all first: mostly it is
 * that. */
static struct rte_mbuf *range_before(const struct tcp_conn *c, seq_t seq)
{
    const struct tcp_mbufq *q = &c->oooq;
    if (q->tail == NULL)
        return NULL;
    struct rte_mbuf *last = at(c, q->tail)->other_end;
    if (seq_le(at(c, last)->start, seq))
        return last;
    struct rte_mbuf *before = NULL;
    for (struct rte_mbuf *r = q->head; seq_le(at(c, r)->start, seq); r = range_behind(c, r))
        before = r;
    return before;
}

static void span(struct tcp_conn *c, struct rte_mbuf *first, struct rte_mbuf *last)
{
    at(c, last)->other_end = first;
    at(c, first)->other_end = last;
}

/* Takes out and frees the range behind `before` (NULL: the first one). */
static void drop_range(struct tcp_conn *c, struct rte_mbuf *before)
{
    struct tcp_mbufq *q = &c->oooq;
    struct rte_mbuf *behind = before == NULL ? NULL : at(c, before)->other_end;
    struct rte_mbuf **from = behind == NULL ? &q->head : &behind->next;
    struct rte_mbuf *m = *from;
    struct rte_mbuf *last = at(c, m)->other_end;
    *from = last->next;
    if (last == q->tail)
        q->tail = behind;
    last->next = NULL;
    while (m != NULL) {
        struct rte_mbuf *next = m->next;
        q->bytes -= m->data_len;
        q->mbufs--;
        --*tcp_held(c, STAT_tcp_oooq_mbufs_now);
        m->next = NULL;
        rte_pktmbuf_free_seg(m);
        m = next;
    }
    c->ooo_ranges--;
}

/* Links `m` behind the mbuf `behind` (NULL: in front of all). */
static void link_behind(struct tcp_conn *c, struct rte_mbuf *behind, struct rte_mbuf *m)
{
    struct tcp_mbufq *q = &c->oooq;
    struct rte_mbuf **from = behind == NULL ? &q->head : &behind->next;
    m->next = *from;
    *from = m;
    if (m->next == NULL)
        q->tail = m;
    q->bytes += m->data_len;
    q->mbufs++;
    ++*tcp_held(c, STAT_tcp_oooq_mbufs_now);
}

/* Small ones behind one another share an mbuf, at the end of all. */
static bool coalesce(struct tcp_conn *c, struct rte_mbuf *range, const struct rte_mbuf *m)
{
    struct rte_mbuf *last = at(c, range)->other_end;
    if (last != c->oooq.tail || m->data_len > TCP_COALESCE_BYTES_MAX ||
        !tcp_mbufq_has_small_tail(&c->oooq) || rte_pktmbuf_tailroom(last) < m->data_len)
        return false;
    struct slice all = slice_of(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
    stat_add(c->tcp->core, STAT_tcp_rx_copied_bytes, all.len);
    return tcp_mbufq_append_tail(&c->oooq, all) == all.len;
}

/* `m` continues the range; takes it. */
static void extend(struct tcp_conn *c, struct rte_mbuf *range, struct rte_mbuf *m)
{
    struct range_end *r = at(c, range);
    r->end = seq_add(r->end, m->data_len);
    r->arrival = c->tcp->ooo_arrivals;
    if (coalesce(c, range, m)) {
        rte_pktmbuf_free(m);
        return;
    }
    link_behind(c, r->other_end, m);
    span(c, range, m);
}

/* `m`, which begins at `seq`, is a range by itself behind `before`; takes it. */
static void begin_range(struct tcp_conn *c, struct rte_mbuf *before, struct rte_mbuf *m, seq_t seq)
{
    link_behind(c, before == NULL ? NULL : at(c, before)->other_end, m);
    *at(c, m) = (struct range_end){
        .arrival = c->tcp->ooo_arrivals, .start = seq, .end = seq_add(seq, m->data_len)};
    span(c, m, m);
    c->ooo_ranges++;
}

/* If the gap behind the range is closed, it and the next one are one. */
static void join(struct tcp_conn *c, struct rte_mbuf *range)
{
    struct rte_mbuf *next = range_behind(c, range);
    if (next == NULL || !seq_eq(at(c, range)->end, at(c, next)->start))
        return;
    at(c, range)->end = at(c, next)->end;
    span(c, range, at(c, next)->other_end);
    c->ooo_ranges--;
}

/* Ranges behind `before` that the segment up to `end` swallows go; it is cut where the next one
 * that is left begins. */
static void make_way(struct tcp_conn *c, struct rte_mbuf *before, struct rte_mbuf *m, seq_t end)
{
    struct rte_mbuf *next;
    while ((next = before == NULL ? c->oooq.head : range_behind(c, before)) != NULL &&
           seq_ge(end, at(c, next)->end))
        drop_range(c, before);
    int32_t overlap = next == NULL ? 0 : seq_diff(end, at(c, next)->start);
    ASSERT_HOT(overlap < (int32_t)m->data_len); /* between two ranges there is a gap */
    if (overlap > 0)
        rte_pktmbuf_trim(m, (uint16_t)overlap);
}

bool tcp_reasm_insert(struct tcp_conn *c, struct rte_mbuf *m, seq_t seq)
{
    struct core *core = c->tcp->core;
    ASSERT_HOT(seq_gt(seq, c->rcv_nxt) && m->next == NULL && m->data_len > 0);
    seq_t end = seq_add(seq, m->data_len);
    struct rte_mbuf *before = range_before(c, seq);
    int32_t covered = before == NULL ? -1 : seq_diff(at(c, before)->end, seq);
    c->tcp->ooo_arrivals++;
    if (covered >= (int32_t)m->data_len) {
        stat_add(core, STAT_tcp_rx_duplicate_bytes, m->data_len);
        at(c, before)->arrival = c->tcp->ooo_arrivals; /* what this segment is about */
        rte_pktmbuf_free(m);
        return false;
    }
    if (covered < 0 && c->ooo_ranges == TCP_OOO_RANGES_MAX) {
        stat_inc(core, STAT_tcp_rx_ooo_ranges_limit);
        rte_pktmbuf_free(m);
        return true;
    }
    if (covered > 0)
        rte_pktmbuf_adj(m, (uint16_t)covered);
    make_way(c, before, m, end);
    if (covered >= 0) {
        extend(c, before, m);
        join(c, before);
    } else {
        begin_range(c, before, m, seq);
        join(c, m);
    }
    return true;
}

/* The first range is in order now: all of it goes to the receive queue, but for what is there. */
static void advance_range(struct tcp_conn *c)
{
    struct tcp_mbufq *q = &c->oooq;
    uint32_t old = (uint32_t)seq_diff(c->rcv_nxt, at(c, q->head)->start);
    const struct rte_mbuf *last = at(c, q->head)->other_end;
    bool is_last;
    do {
        struct rte_mbuf *m = tcp_mbufq_take(q, tcp_held(c, STAT_tcp_oooq_mbufs_now));
        is_last = m == last;
        if (old >= m->data_len) {
            old -= m->data_len;
            rte_pktmbuf_free_seg(m);
            continue;
        }
        rte_pktmbuf_adj(m, (uint16_t)old);
        old = 0;
        tcp_rcvq_append(c, m);
    } while (!is_last);
    c->ooo_ranges--;
}

void tcp_reasm_advance(struct tcp_conn *c)
{
    while (c->oooq.head != NULL && seq_le(at(c, c->oooq.head)->start, c->rcv_nxt))
        advance_range(c);
}

unsigned tcp_reasm_sack(const struct tcp_conn *c, struct tcp_sack_block *ret, unsigned n_max)
{
    const struct range_end *best[TCP_SACK_BLOCKS_MAX];
    unsigned n = 0;
    ASSERT_HOT(n_max > 0 && n_max <= TCP_SACK_BLOCKS_MAX);
    for (struct rte_mbuf *m = c->oooq.head; m != NULL; m = range_behind(c, m)) {
        const struct range_end *r = at(c, m);
        ASSERT_HOT(seq_lt(r->start, r->end) && seq_gt(r->start, c->rcv_nxt));
        unsigned place = n;
        while (place > 0 && (int32_t)(r->arrival - best[place - 1]->arrival) > 0)
            place--;
        if (place == n_max)
            continue;
        n = n < n_max ? n + 1 : n;
        memmove(&best[place + 1], &best[place], (n - place - 1) * sizeof(best[0]));
        best[place] = r;
    }
    for (unsigned i = 0; i < n; i++)
        ret[i] = (struct tcp_sack_block){best[i]->start, best[i]->end};
    return n;
}

bool tcp_reasm_prune(struct tcp_conn *c)
{
    struct rte_mbuf *before = NULL;
    if (c->oooq.head == NULL)
        return false;
    for (struct rte_mbuf *r = c->oooq.head; range_behind(c, r) != NULL; r = range_behind(c, r))
        before = r;
    drop_range(c, before);
    stat_inc(c->tcp->core, STAT_tcp_rx_out_of_order_pruned);
    return true;
}

void tcp_reasm_clear(struct tcp_conn *c)
{
    tcp_mbufq_clear(&c->oooq, tcp_held(c, STAT_tcp_oooq_mbufs_now));
    c->ooo_ranges = 0;
}

void check_tcp_reasm(const struct tcp_conn *c)
{
    unsigned n = 0;
    for (struct rte_mbuf *m = c->oooq.head; m != NULL; m = range_behind(c, m)) {
        const struct range_end *r = at(c, m);
        ASSERT(at(c, r->other_end)->other_end == m);
        seq_t end = r->start;
        for (struct rte_mbuf *p = m; p != r->other_end->next; p = p->next)
            end = seq_add(end, p->data_len);
        ASSERT(seq_eq(end, r->end) && seq_gt(r->start, c->rcv_nxt));
        struct rte_mbuf *next = range_behind(c, m);
        ASSERT(next == NULL || seq_lt(r->end, at(c, next)->start));
        n++;
    }
    ASSERT(n == c->ooo_ranges && n <= TCP_OOO_RANGES_MAX);
}
