/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments ahead of a gap: mbufs in the order of their numbers, no two overlapping. While an mbuf
 * lies here its m->hash.usr is its first number, and its m->tx_offload counts arrivals: the larger,
 * the later. What is there already wins over what comes later. Bounded by make_place() in rcvq.c;
 * the last is thrown away first: it is needed last.
 */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

#include <rte_mbuf.h>

static seq_t first_of(const struct rte_mbuf *m)
{
    return (seq_t){m->hash.usr};
}

static seq_t end_of(const struct rte_mbuf *m)
{
    return seq_add(first_of(m), m->data_len);
}

/* Cuts off the first `n` bytes, fewer than all. */
static void cut_front(struct rte_mbuf *m, uint32_t n)
{
    ASSERT_HOT(n < m->data_len);
    rte_pktmbuf_adj(m, (uint16_t)n);
    m->hash.usr += n;
}

/* Links `m` behind `before` (NULL: in front of all). */
static void link_behind(struct tcp_conn *c, struct rte_mbuf *before, struct rte_mbuf *m)
{
    struct tcp_mbufq *q = &c->oooq;
    struct rte_mbuf **from = before == NULL ? &q->head : &before->next;
    m->next = *from;
    *from = m;
    if (m->next == NULL)
        q->tail = m;
    q->bytes += m->data_len;
    q->mbufs++;
    ++*tcp_held(c, STAT_tcp_oooq_mbufs_now);
}

/* Takes out and frees the one behind `before`. */
static void unlink_behind(struct tcp_conn *c, struct rte_mbuf *before)
{
    struct tcp_mbufq *q = &c->oooq;
    struct rte_mbuf **from = before == NULL ? &q->head : &before->next;
    struct rte_mbuf *m = *from;
    ASSERT_HOT(m != NULL && q->bytes >= m->data_len && q->mbufs > 0);
    *from = m->next;
    if (m->next == NULL)
        q->tail = before;
    q->bytes -= m->data_len;
    q->mbufs--;
    --*tcp_held(c, STAT_tcp_oooq_mbufs_now);
    m->next = NULL;
    rte_pktmbuf_free_seg(m);
}

/* The last one that begins at or before `seq`; NULL: none. The tail first: mostly it is that. */
static struct rte_mbuf *place_for(const struct tcp_mbufq *q, seq_t seq)
{
    if (q->tail != NULL && seq_le(first_of(q->tail), seq))
        return q->tail;
    struct rte_mbuf *before = NULL;
    for (struct rte_mbuf *m = q->head; m != NULL && seq_le(first_of(m), seq); m = m->next)
        before = m;
    return before;
}

/* Small ones behind one another share an mbuf. */
static bool coalesce(struct tcp_conn *c, struct rte_mbuf *before, const struct rte_mbuf *m)
{
    if (before == NULL || before != c->oooq.tail || m->data_len > TCP_COALESCE_BYTES_MAX ||
        !tcp_mbufq_has_small_tail(&c->oooq) || !seq_eq(end_of(before), first_of(m)) ||
        rte_pktmbuf_tailroom(before) < m->data_len)
        return false;
    struct slice all = slice_of(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
    stat_add(c->tcp->core, STAT_tcp_rx_copied_bytes, all.len);
    return tcp_mbufq_append_tail(&c->oooq, all) == all.len;
}

bool tcp_reasm_insert(struct tcp_conn *c, struct rte_mbuf *m, seq_t seq)
{
    struct tcp_mbufq *q = &c->oooq;
    ASSERT_HOT(seq_gt(seq, c->rcv_nxt) && m->next == NULL);
    m->hash.usr = seq.v;
    m->tx_offload = ++c->tcp->ooo_arrivals;
    struct rte_mbuf *before = place_for(q, seq);
    int32_t covered = before == NULL ? 0 : seq_diff(end_of(before), seq);
    if (covered >= (int32_t)m->data_len) {
        stat_add(c->tcp->core, STAT_tcp_rx_duplicate_bytes, m->data_len);
        before->tx_offload = m->tx_offload; /* its range is what this segment is about */
        rte_pktmbuf_free(m);
        return false;
    }
    if (covered > 0)
        cut_front(m, (uint32_t)covered);
    struct rte_mbuf **next = before == NULL ? &q->head : &before->next;
    while (*next != NULL && seq_ge(end_of(m), end_of(*next))) /* swallowed whole by the new one */
        unlink_behind(c, before);
    int32_t overlap = *next == NULL ? 0 : seq_diff(end_of(m), first_of(*next));
    if (overlap >= (int32_t)m->data_len) { /* the one before and this one hold it together */
        stat_add(c->tcp->core, STAT_tcp_rx_duplicate_bytes, m->data_len);
        rte_pktmbuf_free(m);
        return false;
    }
    if (overlap > 0)
        rte_pktmbuf_trim(m, (uint16_t)overlap);
    ASSERT_HOT(m->data_len > 0);
    if (coalesce(c, before, m)) {
        before->tx_offload = m->tx_offload;
        rte_pktmbuf_free(m);
    } else {
        link_behind(c, before, m);
    }
    return true;
}

void tcp_reasm_advance(struct tcp_conn *c)
{
    struct tcp_mbufq *q = &c->oooq;
    while (q->head != NULL && seq_le(first_of(q->head), c->rcv_nxt)) {
        struct rte_mbuf *m = tcp_mbufq_take(q, tcp_held(c, STAT_tcp_oooq_mbufs_now));
        int32_t old = seq_diff(c->rcv_nxt, first_of(m));
        if (old >= (int32_t)m->data_len) {
            rte_pktmbuf_free_seg(m);
            continue;
        }
        if (old > 0)
            cut_front(m, (uint32_t)old);
        m->tx_offload = 0;
        tcp_rcvq_append(c, m);
    }
    ASSERT_HOT(q->head == NULL || seq_gt(first_of(q->head), c->rcv_nxt));
}

/* A range and when its youngest part came. */
struct range {
    struct tcp_sack_block block;
    uint64_t arrival;
};

/* The range that begins with `m`; *ret_next: the first mbuf behind it. */
static struct range range_at(struct rte_mbuf *m, struct rte_mbuf **ret_next)
{
    struct range r = {{first_of(m), end_of(m)}, m->tx_offload};
    for (m = m->next; m != NULL && seq_eq(first_of(m), r.block.end); m = m->next) {
        r.block.end = end_of(m);
        if (m->tx_offload > r.arrival)
            r.arrival = m->tx_offload;
    }
    *ret_next = m;
    return r;
}

unsigned tcp_reasm_sack(const struct tcp_conn *c, struct tcp_sack_block *ret, unsigned n_max)
{
    struct range best[TCP_SACK_BLOCKS_MAX];
    unsigned n = 0;
    ASSERT_HOT(n_max <= TCP_SACK_BLOCKS_MAX);
    for (struct rte_mbuf *m = c->oooq.head; m != NULL;) {
        struct range r = range_at(m, &m);
        ASSERT_HOT(seq_lt(r.block.start, r.block.end) && seq_gt(r.block.start, c->rcv_nxt));
        unsigned at = n;
        while (at > 0 && r.arrival > best[at - 1].arrival)
            at--;
        if (at == n_max)
            continue;
        n = n < n_max ? n + 1 : n;
        memmove(&best[at + 1], &best[at], (n - at - 1) * sizeof(best[0]));
        best[at] = r;
    }
    for (unsigned i = 0; i < n; i++)
        ret[i] = best[i].block;
    return n;
}

bool tcp_reasm_prune(struct tcp_conn *c)
{
    struct tcp_mbufq *q = &c->oooq;
    if (q->tail == NULL)
        return false;
    struct rte_mbuf *before = NULL;
    for (struct rte_mbuf *m = q->head; m != q->tail; m = m->next)
        before = m;
    unlink_behind(c, before);
    stat_inc(c->tcp->core, STAT_tcp_rx_out_of_order_pruned);
    return true;
}
