/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP out: the way, the checksum, the header; then the neighbour and ethernet. Packets are atomic
 * (RFC 6864: don't fragment, so the identification may be 0): we never fragment. Owner: struct net.
 * Thread: the worker. Station: after tcp, before neighbour.
 */
#include "base/assert.h"
#include "net/cksum.h"
#include "net/net_priv.h"

#include <rte_tcp.h>
#include <string.h>

static bool put_ip4(struct rte_mbuf *m, const struct output_header *h)
{
    struct wire_ip4 *ip = (void *)rte_pktmbuf_prepend(m, sizeof(*ip));
    if (ip == NULL)
        return false;
    *ip = (struct wire_ip4){.version_ihl = 0x45,
                            .tos = h->tos,
                            .total_bytes = be16((uint16_t)m->pkt_len),
                            .fragment = be16(IP4_DONT_FRAGMENT),
                            .ttl = h->hop_limit,
                            .proto = h->proto};
    memcpy(ip->src, &h->src->bytes[12], 4);
    memcpy(ip->dst, &h->dst->bytes[12], 4);
    if ((m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) == 0)
        ip->cksum = cksum_close(cksum_ip4_header(ip));
    m->l3_len = sizeof(*ip);
    return true;
}

static bool put_ip6(struct rte_mbuf *m, const struct output_header *h)
{
    uint32_t payload = m->pkt_len;
    struct wire_ip6 *ip = (void *)rte_pktmbuf_prepend(m, sizeof(*ip));
    if (ip == NULL)
        return false;
    uint32_t first_word = 6u << 28 | (uint32_t)h->tos << 20 | h->flow_label;
    *ip = (struct wire_ip6){.version_class_flow = be32(first_word),
                            .payload_bytes = be16((uint16_t)payload),
                            .next = h->proto,
                            .hop_limit = h->hop_limit};
    memcpy(ip->src, h->src->bytes, 16);
    memcpy(ip->dst, h->dst->bytes, 16);
    m->l3_len = sizeof(*ip);
    return true;
}

bool output_ip_header(struct rte_mbuf *m, const struct output_header *h)
{
    bool is_v4 = ip_addr_is_v4(h->dst);
    /* IPv4's length counts the header, IPv6's does not. */
    ASSERT_HOT(m->pkt_len + (is_v4 ? sizeof(struct wire_ip4) : 0) <= UINT16_MAX);
    ASSERT_HOT(ip_addr_is_v4(h->src) == is_v4);
    ASSERT_HOT(h->flow_label <= IP6_FLOW_LABEL_MAX);
    return is_v4 ? put_ip4(m, h) : put_ip6(m, h);
}

/* Where the checksum lies of what the flag asks for. */
static be16_t *l4_cksum_field(struct rte_mbuf *m)
{
    bool is_udp = (m->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM;
    size_t at = is_udp ? offsetof(struct wire_udp, cksum) : offsetof(struct rte_tcp_hdr, cksum);
    ASSERT_HOT(m->data_len >= at + sizeof(be16_t));
    return rte_pktmbuf_mtod_offset(m, be16_t *, at);
}

/* The checksum of TCP or UDP: the device wants the pseudo header's sum in the field (rte_ethdev),
 * without a device it is done here. What the device cuts has a length for each piece. */
static void l4_cksum(struct rte_mbuf *m, const struct port_info *port, const struct ip_addr *src,
                     const struct ip_addr *dst, uint8_t proto)
{
    be16_t *field = l4_cksum_field(m);
    bool is_cut = (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
    uint32_t sum = cksum_add_pseudo(0, src, dst, proto, is_cut ? 0 : m->pkt_len);
    if (port->has_tx_tcp_cksum) {
        *field = (be16_t){(uint16_t)sum};
        m->ol_flags |= ip_addr_is_v4(dst) ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
        return;
    }
    *field = (be16_t){0};
    *field = cksum_close(cksum_add_mbuf(sum, m, 0));
    if (field->wire == 0 && proto == IPPROTO_NUM_UDP)
        field->wire = 0xffff; /* 0 would mean that there is none (RFC 768) */
    m->ol_flags &= ~RTE_MBUF_F_TX_L4_MASK;
}

/* Bytes of the longest packet on the wire, without its IP header. */
static uint32_t wire_bytes(const struct rte_mbuf *m, const struct port_info *port)
{
    bool is_cut = (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0 && port->has_tso;
    return is_cut ? m->l4_len + (uint32_t)m->tso_segsz : m->pkt_len;
}

void output_on(struct net *n, const struct net_iface *iface, const struct ip_addr *next_hop,
               struct rte_mbuf *m, const struct output_header *h)
{
    bool is_v4 = ip_addr_is_v4(h->dst);
    ASSERT_HOT(iface == &n->now->ifaces[iface->index]);
    ASSERT_HOT(ip_addr_is_v4(next_hop) == is_v4 && !ip_addr_is_zero(next_hop));
    const struct port_info *port = port_info(n->core, iface->port);
    uint32_t header = is_v4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
    if (wire_bytes(m, port) + header > iface->mtu) {
        net_drop(n, m, STAT_net_drop_tx_too_big);
        return;
    }
    if (rte_pktmbuf_headroom(m) < NET_HEADER_BYTES) {
        net_drop(n, m, STAT_net_drop_tx_headroom);
        return;
    }
    if ((m->ol_flags & RTE_MBUF_F_TX_L4_MASK) != 0)
        l4_cksum(m, port, h->src, h->dst, h->proto);
    if (port->has_tx_ip4_cksum && is_v4)
        m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
    bool has_room = output_ip_header(m, h);
    ASSERT(has_room);
    neighbour_send(n, iface, next_hop, m);
}

void net_output(struct net *n, struct rte_mbuf *m, const struct ip_addr *src,
                const struct ip_addr *dst, uint8_t proto, uint8_t tos, uint32_t flow_label)
{
    struct output_header h = {.src = src,
                              .dst = dst,
                              .flow_label = flow_label,
                              .proto = proto,
                              .tos = tos,
                              .hop_limit = n->hop_limit};
    const struct path_entry *e = net_way(n, dst);
    if (e == NULL || ip_addr_is_v4(src) != ip_addr_is_v4(dst)) {
        net_drop(n, m, STAT_net_drop_tx_no_route);
        return;
    }
    ASSERT_HOT(e->interface < n->now->n_ifaces);
    output_on(n, &n->now->ifaces[e->interface], e->is_on_link ? dst : &e->gateway, m, &h);
}

void output_answer(struct net *n, const struct net_packet *p, struct rte_mbuf *m,
                   const struct ip_addr *src, uint8_t proto)
{
    struct output_header h = {
        .src = src, .dst = &p->src, .proto = proto, .hop_limit = n->hop_limit};
    ASSERT_HOT(!ip_addr_is_zero(&p->src));
    if (ip6_is_link_local(&p->src)) /* no route knows which link it is on, the frame does */
        output_on(n, p->frame.iface, &p->src, m, &h);
    else
        net_output(n, m, src, &p->src, proto, 0, 0);
}

struct rte_mbuf *output_new(struct net *n, uint32_t bytes, void **ret_body)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(n->core->mbufs);
    if (m == NULL) {
        stat_inc(n->core, STAT_core_mbuf_exhausted);
        return NULL;
    }
    ASSERT(rte_pktmbuf_headroom(m) >= NET_HEADER_BYTES);
    void *body = rte_pktmbuf_append(m, (uint16_t)bytes);
    ASSERT(body != NULL);
    *ret_body = body;
    return m;
}
