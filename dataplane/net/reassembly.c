/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fragment finds its place, and a packet becomes whole. What overlaps ends the packet for good,
 * for IPv4 too: no two programs agree on which bytes count, and that is all that such packets are
 * made for (RFC 1858, RFC 5722). A copy of a fragment, equal byte by byte, is only dropped.
 *
 * Owner: struct net. Thread: the worker. Station: beside ip4_in and ip6_in.
 */
#include "net/reassembly.h"

#include "base/assert.h"
#include "net/cksum.h"
#include "net/forward.h"

#define ECN_MASK 3u
#define ECN_NONE 0u
#define ECN_CE 3u

void check_datagram(const struct datagram *d)
{
    ASSERT_HOT(d->n <= NET_FRAGMENTS_PER_DATAGRAM_MAX);
    ASSERT_HOT((d->n == 0) == (d->mbufs == 0) && (d->n == 0) == (d->bytes == 0));
    ASSERT_HOT(!d->is_dead || d->n == 0);
    ASSERT_HOT(d->end == 0 || d->is_dead || d->bytes <= d->end);
    ASSERT_HOT(list_is_linked(&d->age_link) && list_is_linked(&d->share_link));
}

/* Where `f` would lie among the pieces. */
static unsigned position_of(const struct datagram *d, const struct fragment *f)
{
    unsigned at = d->n; /* they mostly come in order */
    while (at > 0 && d->pieces[at - 1].first >= f->first)
        at--;
    return at;
}

static bool has_same_bytes(const struct rte_mbuf *a, const struct rte_mbuf *b)
{
    /* Chained ones are not compared: a copy then counts as an overlap. */
    return a->nb_segs == 1 && b->nb_segs == 1 && a->data_len == b->data_len &&
           memcmp(rte_pktmbuf_mtod(a, const void *), rte_pktmbuf_mtod(b, const void *),
                  a->data_len) == 0;
}

/* Is it the piece at `at` once more (RFC 8200, section 4.5: exact duplicates)? */
static bool is_copy(const struct datagram *d, unsigned at, const struct fragment *f,
                    const struct rte_mbuf *m)
{
    if (at == d->n || d->pieces[at].first != f->first || d->pieces[at].end != f->end)
        return false;
    bool is_last = d->end == f->end;
    return is_last != f->has_more && has_same_bytes(d->pieces[at].m, m);
}

/* Does it share bytes with another, or put the end where it cannot be? */
static bool contradicts(const struct datagram *d, unsigned at, const struct fragment *f)
{
    if (at > 0 && d->pieces[at - 1].end > f->first)
        return true;
    if (at < d->n && d->pieces[at].first < f->end)
        return true;
    if (d->end != 0)
        return !f->has_more || f->end > d->end;
    return !f->has_more && at < d->n;
}

/* It holds its place, so that whatever still comes is known for what it is. */
static void kill(struct net *n, struct datagram *d)
{
    datagram_empty(n, d);
    d->is_dead = true;
    stat_inc(n->core, STAT_net_reassembly_killed);
    check_datagram(d);
}

/* Why `f` is not taken in; STAT_net_rx_fragment: it is. */
static enum stat_id judge(struct net *n, struct datagram *d, unsigned at, const struct fragment *f,
                          const struct rte_mbuf *m)
{
    if (d->is_dead)
        return STAT_net_drop_rx_fragment_overlap;
    if (is_copy(d, at, f, m))
        return STAT_net_drop_rx_fragment_copy;
    if (contradicts(d, at, f)) {
        kill(n, d);
        return STAT_net_drop_rx_fragment_overlap;
    }
    if (d->n == NET_FRAGMENTS_PER_DATAGRAM_MAX) {
        kill(n, d); /* it will never be whole */
        return STAT_net_drop_rx_fragment_limit;
    }
    if (!datagram_make_room(n, d, m->nb_segs))
        return STAT_net_drop_rx_fragment_limit;
    return STAT_net_rx_fragment;
}

static void insert(struct net *n, struct datagram *d, unsigned at, const struct fragment *f,
                   struct rte_mbuf *m)
{
    memmove(&d->pieces[at + 1], &d->pieces[at], (d->n - at) * sizeof(d->pieces[0]));
    d->pieces[at] = (struct fragment_piece){.m = m, .first = f->first, .end = f->end};
    d->n++;
    d->bytes += f->end - f->first;
    if (!f->has_more)
        d->end = f->end;
    datagram_charge(n, d, m->nb_segs);
    check_datagram(d);
}

static void note_header(struct datagram *d, const struct net_packet *p, const struct fragment *f)
{
    d->ecn_seen |= (uint8_t)(1u << (p->tos & ECN_MASK));
    if (f->first != 0)
        return;
    d->next = f->next;
    d->tos = p->tos;
    d->hop_limit = p->hop_limit;
    d->port = p->frame.iface->port;
    d->vlan = p->frame.iface->vlan;
    d->src_mac = p->frame.src_mac;
    d->header_bytes = p->header_bytes;
}

/* RFC 3168, section 5.3: one mark marks all; a mark beside a fragment that could not be marked is
 * a lie, and the packet is dropped. */
static bool join_ecn(struct datagram *d)
{
    bool is_marked = (d->ecn_seen & (1u << ECN_CE)) != 0;
    if (is_marked && (d->ecn_seen & (1u << ECN_NONE)) != 0)
        return false;
    if (is_marked)
        d->tos |= ECN_CE;
    return true;
}

/* All pieces as one chain. */
static struct rte_mbuf *join(struct datagram *d)
{
    struct rte_mbuf *head = d->pieces[0].m;
    for (unsigned i = 1; i < d->n; i++) {
        int fault = rte_pktmbuf_chain(head, d->pieces[i].m);
        ASSERT(fault == 0); /* NET_FRAGMENT_MBUFS_PER_SHARE_MAX is less than a chain holds */
    }
    d->n = 0;
    ASSERT_HOT(head->pkt_len == d->end);
    return head;
}

/* The headers that the packet would have had in one piece. What a device said of the fragment is
 * no longer true; the VLAN is told as by a device that took it out. They fit: at least as much was
 * taken off. */
static void put_headers(struct net *n, const struct datagram *d, struct rte_mbuf *m)
{
    bool is_v4 = ip_addr_is_v4(&d->key.dst);
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
    struct output_header h = {.src = &d->key.src,
                              .dst = &d->key.dst,
                              .proto = d->next,
                              .tos = d->tos,
                              .hop_limit = d->hop_limit};
    bool has_room = output_ip_header(m, &h);
    struct wire_eth *eth = (void *)rte_pktmbuf_prepend(m, sizeof(*eth));
    ASSERT(has_room && eth != NULL);
    *eth = (struct wire_eth){.dst = port_info(n->core, d->port)->mac,
                             .src = d->src_mac,
                             .type = be16(is_v4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6)};
    m->ol_flags |= RTE_MBUF_F_RX_VLAN_STRIPPED | NET_MBUF_JOINED;
    m->vlan_tci = d->vlan;
    m->port = d->port;
}

static void finish(struct net *n, struct datagram *d)
{
    ASSERT(n->whole == NULL);
    if (!join_ecn(d)) {
        kill(n, d);
        return;
    }
    uint32_t mbufs = d->mbufs;
    stat_add(n->core, STAT_net_fragments_joined, d->n);
    struct rte_mbuf *m = join(d);
    put_headers(n, d, m);
    d->bytes = 0;
    datagram_charge(n, d, -(int32_t)mbufs);
    datagram_forget(n, d);
    stat_inc(n->core, STAT_net_reassembled);
    n->whole = m;
}

void reassembly_input(struct net *n, const struct net_packet *p, const struct fragment *f,
                      struct rte_mbuf *m)
{
    ASSERT_HOT(f->first < f->end && f->end <= UINT16_MAX && m->pkt_len == f->end - f->first);
    ASSERT_HOT(!f->has_more || f->end % 8 == 0);
    struct datagram *d = datagram_find(n, &f->key);
    if (d == NULL)
        d = datagram_begin(n, &f->key);
    unsigned at = position_of(d, f);
    enum stat_id verdict = judge(n, d, at, f, m);
    if (verdict != STAT_net_rx_fragment) {
        net_drop(n, m, verdict);
        return;
    }
    stat_inc(n->core, STAT_net_rx_fragment);
    insert(n, d, at, f, m);
    note_header(d, p, f);
    if (d->end != 0 && d->bytes == d->end)
        finish(n, d);
}
