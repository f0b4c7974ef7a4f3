/* SPDX-License-Identifier: Apache-2.0 */
/* See soft_nic.h. Checksums are rte_ip.h's, not ours. */
#include "soft_nic.h"

#include "base/assert.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <string.h>

#define FRAME_BYTES_MAX (UINT16_MAX + 32u)

/* A frame in one piece, and its headers as the sender describes them. */
struct flat {
    uint8_t bytes[FRAME_BYTES_MAX];
    uint32_t len;
    uint64_t flags;
    uint32_t l3; /* offsets */
    uint32_t l4;
    uint32_t data;
    bool is_ip4;
    bool is_udp;
};

static void *l3_of(struct flat *f)
{
    return f->bytes + f->l3;
}

/* Where the checksum field of the transport header lies. */
static uint8_t *l4_sum(struct flat *f)
{
    size_t at =
        f->is_udp ? offsetof(struct rte_udp_hdr, dgram_cksum) : offsetof(struct rte_tcp_hdr, cksum);
    return f->bytes + f->l4 + at;
}

/* The pseudo header's sum as DPDK wants it in the field; without the length for a long segment. */
static uint16_t pseudo_sum(struct flat *f)
{
    return f->is_ip4 ? rte_ipv4_phdr_cksum(l3_of(f), f->flags)
                     : rte_ipv6_phdr_cksum(l3_of(f), f->flags);
}

static void fill_ip_sum(struct flat *f)
{
    struct rte_ipv4_hdr *ip = l3_of(f);
    if (!f->is_ip4)
        return;
    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void fill_l4_sum(struct flat *f)
{
    memset(l4_sum(f), 0, 2);
    uint16_t sum = f->is_ip4 ? rte_ipv4_udptcp_cksum(l3_of(f), f->bytes + f->l4)
                             : rte_ipv6_udptcp_cksum(l3_of(f), f->bytes + f->l4);
    memcpy(l4_sum(f), &sum, 2);
}

/* A frame for the wire, with a tag if the sender asked for one. */
static struct rte_mbuf *to_wire(struct soft_nic *nic, const struct flat *f, uint16_t tci)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(nic->mbufs);
    bool has_tag = (f->flags & RTE_MBUF_F_TX_VLAN) != 0;
    ASSERT(m != NULL && f->len + 4 <= rte_pktmbuf_tailroom(m));
    uint8_t *to = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(f->len + (has_tag ? 4 : 0)));
    memcpy(to, f->bytes, 12);
    if (has_tag) {
        const uint8_t tag[4] = {0x81, 0x00, (uint8_t)(tci >> 8), (uint8_t)tci};
        memcpy(to + 12, tag, 4);
        to += 4;
        nic->tagged++;
    }
    memcpy(to + 12, f->bytes + 12, f->len - 12);
    return m;
}

/* Only what was promised, and as DPDK's rules have it. */
static void check_request(const struct soft_nic *nic, const struct rte_mbuf *m)
{
    const struct port_info *can = &nic->can;
    uint64_t l4 = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;
    bool is_long = (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
    ASSERT(rte_mbuf_check(m, 1, &(const char *){NULL}) == 0);
    ASSERT(m->nb_segs == 1 || can->has_multi_seg_tx);
    ASSERT(m->nb_segs <= (is_long ? can->tso_mbufs_max : can->tx_mbufs_max) || m->nb_segs == 1);
    ASSERT(l4 == 0 || can->has_tx_tcp_cksum);
    ASSERT((m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) == 0 || can->has_tx_ip4_cksum);
    ASSERT((m->ol_flags & RTE_MBUF_F_TX_VLAN) == 0 || can->has_tx_vlan);
    ASSERT(!is_long || (can->has_tso && m->tso_segsz > 0));
    ASSERT(!is_long || (m->ol_flags & RTE_MBUF_F_TX_IPV6) != 0 ||
           (m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0);
}

/* The chain in one piece. */
static void flatten(const struct rte_mbuf *m, struct flat *f)
{
    f->flags = m->ol_flags;
    f->len = m->pkt_len;
    ASSERT(f->len <= sizeof(f->bytes));
    uint32_t at = 0;
    for (const struct rte_mbuf *s = m; s != NULL; s = s->next) {
        memcpy(f->bytes + at, rte_pktmbuf_mtod(s, const uint8_t *), s->data_len);
        at += s->data_len;
    }
    ASSERT(at == f->len);
    f->l3 = m->l2_len;
    f->l4 = m->l2_len + m->l3_len;
    f->data = f->l4 + m->l4_len;
    f->is_ip4 = (f->flags & RTE_MBUF_F_TX_IPV4) != 0;
    f->is_udp = (f->flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM;
    ASSERT(!f->is_ip4 || (f->flags & RTE_MBUF_F_TX_IPV6) == 0);
}

/* No segment's worth may lie in more mbufs than the device can gather for one frame. */
static void check_pieces(const struct soft_nic *nic, const struct rte_mbuf *m, uint32_t header)
{
    for (uint32_t from = header; from < m->pkt_len; from += m->tso_segsz) {
        unsigned n = 1; /* the header */
        uint32_t at = 0;
        for (const struct rte_mbuf *s = m; s != NULL; s = s->next) {
            n += at < from + m->tso_segsz && at + s->data_len > from;
            at += s->data_len;
        }
        ASSERT(n <= nic->can.tx_mbufs_max);
    }
}

/* Cuts a long segment: each gets the header with its own number and length; PSH and FIN are the
 * last one's. */
static unsigned cut(struct soft_nic *nic, const struct rte_mbuf *m, const struct flat *whole,
                    struct rte_mbuf **ret)
{
    static struct flat f;
    unsigned n = 0;
    uint32_t bytes = whole->len - whole->data;
    nic->runs++;
    for (uint32_t from = 0; from < bytes; from += m->tso_segsz) {
        uint32_t part = RTE_MIN(bytes - from, (uint32_t)m->tso_segsz);
        ASSERT(n < SOFT_NIC_FRAMES_MAX);
        memcpy(f.bytes, whole->bytes, whole->data);
        f.flags = whole->flags;
        f.l3 = whole->l3;
        f.l4 = whole->l4;
        f.is_ip4 = whole->is_ip4;
        memcpy(f.bytes + whole->data, whole->bytes + whole->data + from, part);
        f.len = whole->data + part;
        struct rte_tcp_hdr *tcp = (void *)(f.bytes + f.l4);
        tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + from);
        if (from + part < bytes)
            tcp->tcp_flags &= (uint8_t) ~(RTE_TCP_PSH_FLAG | RTE_TCP_FIN_FLAG);
        if (from > 0)
            tcp->tcp_flags &= (uint8_t)~RTE_TCP_CWR_FLAG;
        if (f.is_ip4)
            ((struct rte_ipv4_hdr *)l3_of(&f))->total_length =
                rte_cpu_to_be_16((uint16_t)(f.len - f.l3));
        else
            ((struct rte_ipv6_hdr *)l3_of(&f))->payload_len =
                rte_cpu_to_be_16((uint16_t)(f.len - f.l4));
        fill_ip_sum(&f);
        fill_l4_sum(&f);
        ret[n++] = to_wire(nic, &f, m->vlan_tci);
    }
    return n;
}

unsigned soft_nic_send(struct soft_nic *nic, struct rte_mbuf *m,
                       struct rte_mbuf *ret[SOFT_NIC_FRAMES_MAX])
{
    static struct flat f;
    unsigned n = 1;
    check_request(nic, m);
    flatten(m, &f);
    if ((f.flags & RTE_MBUF_F_TX_L4_MASK) != 0) {
        uint16_t pseudo = pseudo_sum(&f);
        ASSERT(memcmp(l4_sum(&f), &pseudo, 2) == 0); /* rte_ethdev: the field holds it */
        nic->summed++;
    }
    if ((f.flags & RTE_MBUF_F_TX_TCP_SEG) != 0) {
        check_pieces(nic, m, f.data);
        n = cut(nic, m, &f, ret);
    } else {
        if ((f.flags & RTE_MBUF_F_TX_IP_CKSUM) != 0)
            fill_ip_sum(&f);
        if ((f.flags & RTE_MBUF_F_TX_L4_MASK) != 0)
            fill_l4_sum(&f);
        ret[0] = to_wire(nic, &f, m->vlan_tci);
    }
    rte_pktmbuf_free(m);
    return n;
}

/* A TCP segment from the wire, for what the device finds out about it. */
struct seen {
    uint8_t *l3;
    struct rte_tcp_hdr *tcp;
    uint32_t data_at;
    uint32_t bytes;
    bool is_ip4;
    bool is_tcp;
    bool is_right; /* its checksums */
};

static void look(struct rte_mbuf *m, struct seen *s)
{
    uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
    uint32_t l3 = frame[12] == 0x81 && frame[13] == 0 ? 18 : 14;
    uint16_t type = (uint16_t)(frame[l3 - 2] << 8 | frame[l3 - 1]);
    *s = (struct seen){.l3 = frame + l3, .is_ip4 = type == 0x0800};
    uint32_t l4 = l3 + (s->is_ip4 ? 20 : 40);
    if ((!s->is_ip4 && type != 0x86dd) || m->pkt_len < l4 + 20 || s->l3[s->is_ip4 ? 9 : 6] != 6 ||
        (s->is_ip4 && s->l3[0] != 0x45))
        return;
    s->is_tcp = true;
    s->tcp = (void *)(frame + l4);
    struct rte_ipv4_hdr *ip4 = (void *)s->l3;
    struct rte_ipv6_hdr *ip6 = (void *)s->l3;
    uint32_t end = s->is_ip4 ? l3 + rte_be_to_cpu_16(ip4->total_length)
                             : l4 + rte_be_to_cpu_16(ip6->payload_len);
    ASSERT(end <= m->pkt_len);
    s->data_at = l4 + (s->tcp->data_off >> 4) * 4u;
    s->bytes = end - s->data_at;
    s->is_right = s->is_ip4 ? rte_raw_cksum(ip4, 20) == 0xffff &&
                                  rte_ipv4_udptcp_cksum_verify(ip4, s->tcp) == 0
                            : rte_ipv6_udptcp_cksum_verify(ip6, s->tcp) == 0;
}

/* Tells what the checksums are. A device has two ways to say that the data are fine. */
static void mark(struct soft_nic *nic, struct rte_mbuf *m, const struct seen *s)
{
    bool is_virtual = nic->turn++ % 2 != 0;
    if (!s->is_tcp)
        return;
    if (!s->is_right)
        m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_BAD;
    else if (is_virtual)
        m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_NONE | RTE_MBUF_F_RX_L4_CKSUM_NONE;
    else
        m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    if (s->is_right && is_virtual) { /* and the fields hold nothing of use */
        s->tcp->cksum = 0xdead;
        if (s->is_ip4)
            ((struct rte_ipv4_hdr *)s->l3)->hdr_checksum = 0xdead;
    }
}

static void take_tag(struct soft_nic *nic, struct rte_mbuf *m)
{
    uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
    if (frame[12] != 0x81 || frame[13] != 0)
        return;
    m->vlan_tci = (uint16_t)(frame[14] << 8 | frame[15]);
    m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    memmove(frame + 4, frame, 12);
    rte_pktmbuf_adj(m, 4);
    nic->untagged++;
}

/* Puts b's payload behind a, if they follow one another. */
static bool join(struct rte_mbuf *a, uint32_t next_seq, struct rte_mbuf *b)
{
    struct seen x, y;
    look(b, &y);
    uint8_t *frame = rte_pktmbuf_mtod(a, uint8_t *);
    x.l3 = frame + (y.l3 - rte_pktmbuf_mtod(b, uint8_t *));
    if (!y.is_tcp || y.bytes == 0 || a->pkt_len + y.bytes > UINT16_MAX ||
        memcmp(frame, rte_pktmbuf_mtod(b, uint8_t *), (size_t)(x.l3 - frame)) != 0 ||
        a->vlan_tci != b->vlan_tci ||
        memcmp(x.l3 + (y.is_ip4 ? 12 : 8), y.l3 + (y.is_ip4 ? 12 : 8), y.is_ip4 ? 8 : 32) != 0)
        return false;
    uint32_t l4 = (uint32_t)((uint8_t *)y.tcp - rte_pktmbuf_mtod(b, uint8_t *));
    struct rte_tcp_hdr *tcp = (void *)(frame + l4);
    if (rte_be_to_cpu_32(y.tcp->sent_seq) != next_seq || tcp->tcp_flags != RTE_TCP_ACK_FLAG ||
        (y.tcp->tcp_flags & ~RTE_TCP_PSH_FLAG) != RTE_TCP_ACK_FLAG ||
        memcmp(&tcp->recv_ack, &y.tcp->recv_ack, 5) != 0 || tcp->rx_win != y.tcp->rx_win ||
        memcmp(tcp + 1, y.tcp + 1, y.data_at - l4 - 20) != 0)
        return false;
    tcp->tcp_flags |= y.tcp->tcp_flags;
    rte_pktmbuf_trim(b, (uint16_t)(b->data_len - y.data_at - y.bytes));
    rte_pktmbuf_adj(b, (uint16_t)y.data_at);
    int fault = rte_pktmbuf_chain(a, b);
    ASSERT(fault == 0);
    uint16_t *length = (uint16_t *)(void *)(x.l3 + (y.is_ip4 ? 2 : 4));
    *length = rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(*length) + y.bytes));
    return true;
}

/* Joins neighbours of a flow; only what was checked. */
static unsigned merge(struct soft_nic *nic, struct rte_mbuf **frames, unsigned n)
{
    unsigned kept = 0;
    uint32_t next_seq = 0;
    bool is_open = false;
    for (unsigned i = 0; i < n; i++) {
        struct seen s;
        look(frames[i], &s);
        if (is_open && join(frames[kept - 1], next_seq, frames[i])) {
            struct rte_mbuf *a = frames[kept - 1];
            a->ol_flags |= RTE_MBUF_F_RX_LRO;
            next_seq += s.bytes;
            nic->merged++;
            continue;
        }
        is_open =
            s.is_tcp && s.bytes > 0 && (frames[i]->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_BAD) == 0;
        if (is_open) {
            rte_pktmbuf_trim(frames[i], (uint16_t)(frames[i]->data_len - s.data_at - s.bytes));
            frames[i]->tso_segsz = (uint16_t)s.bytes;
            next_seq = rte_be_to_cpu_32(s.tcp->sent_seq) + s.bytes;
        }
        frames[kept++] = frames[i];
    }
    return kept;
}

unsigned soft_nic_receive(struct soft_nic *nic, struct rte_mbuf **frames, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct seen s;
        look(frames[i], &s);
        if (nic->can.has_rx_cksum)
            mark(nic, frames[i], &s);
        if (nic->can.has_rx_vlan)
            take_tag(nic, frames[i]);
    }
    return nic->can.has_lro ? merge(nic, frames, n) : n;
}
