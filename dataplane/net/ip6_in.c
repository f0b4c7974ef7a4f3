/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv6 in (RFC 8200): for us or not at all, we do not forward. Extension headers are walked, a
 * bounded number of them; fragments are dropped and counted, but for the one that is whole (RFC
 * 6946). Owner: struct net. Thread: the worker. Station: after eth, before tcp and icmp6.
 */
#include "base/assert.h"
#include "net/cksum.h"
#include "net/net_priv.h"

#include <string.h>

#define OPTION_PAD1 0u
#define OPTION_IF_UNKNOWN 0xc0u /* these bits of its type: 0 skip it, else discard the packet */

bool ip6_is_sender(const struct net *n, const struct net_iface *iface, const struct ip_addr *src)
{
    static const struct ip_addr loopback = {{[15] = 1}};
    return src->bytes[0] != 0xff && !ip_addr_is_v4(src) && !ip_addr_eq(src, &loopback) &&
           !net_is_local(n, src) && !ip_addr_eq(src, &iface->link_local);
}

/* Options of a hop-by-hop or destination header, all unknown to us: may they be skipped? */
static bool are_skippable(const uint8_t *p, uint32_t len)
{
    while (len > 0) {
        if (p[0] == OPTION_PAD1) {
            p++;
            len--;
            continue;
        }
        if (len < 2 || p[1] + 2u > len || (p[0] & OPTION_IF_UNKNOWN) != 0)
            return false;
        len -= p[1] + 2u;
        p += p[1] + 2u;
    }
    return true;
}

/* Where the walk along the extension headers stands: `proto` begins at `offset` of the mbuf. */
struct walk {
    const struct rte_mbuf *m;
    uint32_t offset;
    uint8_t proto;
};

/* Steps over one extension header. Returns the counter against it; STAT_COUNT: none. */
static enum stat_id step(struct walk *w)
{
    const struct wire_ip6_ext *ext =
        rte_pktmbuf_mtod_offset(w->m, const struct wire_ip6_ext *, w->offset);
    if (w->m->data_len < w->offset + 8)
        return STAT_net_drop_rx_ip6_extension;
    uint32_t bytes = (ext->length + 1u) * 8;
    if (w->proto == IPPROTO_NUM_FRAGMENT) {
        const struct wire_ip6_fragment *frag = (const void *)ext;
        if ((be16_host(frag->offset_more) & 0xfff9u) != 0) /* the two reserved bits say nothing */
            return STAT_net_drop_rx_ip6_fragment;
        bytes = sizeof(*frag);
    } else if (w->m->data_len < w->offset + bytes) {
        return STAT_net_drop_rx_ip6_extension;
    } else if (w->proto == IPPROTO_NUM_ROUTING) {
        const uint8_t *segments_left = (const uint8_t *)ext + 3;
        if (*segments_left != 0) /* RFC 5095; RFC 8200, section 4.4 */
            return STAT_net_drop_rx_ip6_extension;
    } else if (!are_skippable((const uint8_t *)(ext + 1), bytes - 2)) {
        return STAT_net_drop_rx_ip6_extension;
    }
    w->proto = ext->next;
    w->offset += bytes;
    return STAT_COUNT;
}

static bool is_extension(uint8_t proto)
{
    return proto == IPPROTO_NUM_HOP_BY_HOP || proto == IPPROTO_NUM_ROUTING ||
           proto == IPPROTO_NUM_FRAGMENT || proto == IPPROTO_NUM_DEST_OPTIONS;
}

/* To the upper layer's header. Returns the counter against the packet; STAT_COUNT: none. */
static enum stat_id walk_extensions(struct walk *w)
{
    for (unsigned i = 0; is_extension(w->proto); i++) {
        bool is_out_of_place = w->proto == IPPROTO_NUM_HOP_BY_HOP && i > 0;
        if (i == NET_IP6_EXTENSIONS_MAX || is_out_of_place)
            return STAT_net_drop_rx_ip6_extension;
        enum stat_id fault = step(w);
        if (fault != STAT_COUNT)
            return fault;
    }
    ASSERT_HOT(w->offset <= w->m->data_len);
    return STAT_COUNT;
}

/* Header and addresses; the counter against the packet, STAT_COUNT: none. */
static enum stat_id judge(struct net *n, const struct net_frame *f, const struct rte_mbuf *m)
{
    const struct wire_ip6 *ip = rte_pktmbuf_mtod(m, const struct wire_ip6 *);
    if (m->data_len < sizeof(*ip) || be32_host(ip->version_class_flow) >> 28 != 6 ||
        be16_host(ip->payload_bytes) + sizeof(*ip) > m->pkt_len)
        return STAT_net_drop_rx_ip6_invalid;
    struct ip_addr src = ip_addr_from_v6(ip->src);
    struct ip_addr dst = ip_addr_from_v6(ip->dst);
    bool is_group = dst.bytes[0] == 0xff;
    if (is_group ? !nd_is_group_of_ours(n, f->iface, &dst)
                 : f->is_multicast || ip_addr_is_v4(&dst) ||
                       !(net_is_local(n, &dst) || ip_addr_eq(&dst, &f->iface->link_local)))
        return STAT_net_drop_rx_ip6_not_ours;
    if (!ip6_is_sender(n, f->iface, &src))
        return STAT_net_drop_rx_ip6_source;
    return STAT_COUNT;
}

void ip6_input(struct net *n, const struct net_frame *f, struct rte_mbuf *m)
{
    enum stat_id fault = judge(n, f, m);
    if (fault != STAT_COUNT) {
        net_drop(n, m, fault);
        return;
    }
    struct wire_ip6 ip;
    memcpy(&ip, rte_pktmbuf_mtod(m, const void *), sizeof(ip));
    net_mbuf_cut(m, be16_host(ip.payload_bytes) + (uint32_t)sizeof(ip));
    struct walk w = {.m = m, .offset = sizeof(ip), .proto = ip.next};
    fault = walk_extensions(&w);
    if (fault != STAT_COUNT) {
        net_drop(n, m, fault);
        return;
    }
    struct net_packet p = {.frame = *f,
                           .src = ip_addr_from_v6(ip.src),
                           .dst = ip_addr_from_v6(ip.dst),
                           .hop_limit = ip.hop_limit,
                           .tos = (uint8_t)(be32_host(ip.version_class_flow) >> 20)};
    bool is_group = p.dst.bytes[0] == 0xff;
    bool has_sender = !ip_addr_is_zero(&p.src); /* only a probe of ND has none */
    rte_pktmbuf_adj(m, (uint16_t)w.offset);
    ASSERT_HOT(m->pkt_len == be16_host(ip.payload_bytes) + sizeof(ip) - w.offset);
    ASSERT_HOT(!ip_addr_eq(&p.src, &p.dst));
    if (w.proto == IPPROTO_NUM_TCP && !is_group && has_sender)
        net_deliver_tcp(n, &p, m);
    else if (w.proto == IPPROTO_NUM_ICMP6)
        icmp6_input(n, &p, m);
    else
        net_drop(n, m, STAT_net_drop_rx_ip6_protocol);
}
