/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv6 in (RFC 8200): for us or not at all, we do not forward. Extension headers are walked, a
 * bounded number of them; fragments go to reassembly and come back as a frame. Owner: struct net.
 * Thread: the worker. Station: after eth, before tcp, udp and icmp6.
 */
#include "base/assert.h"
#include "net/cksum.h"
#include "net/ip6_ext.h"
#include "net/net_priv.h"
#include "net/reassembly.h"
#include "net/udp.h"

#include <string.h>

bool ip6_is_sender(const struct net *n, const struct net_iface *iface, const struct ip_addr *src)
{
    static const struct ip_addr loopback = {{[15] = 1}};
    return src->bytes[0] != 0xff && !ip_addr_is_v4(src) && !ip_addr_eq(src, &loopback) &&
           !net_is_local(n, src) && !iface_is_own(iface, src);
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
    if (is_group ? !nd_is_group_of_ours(n, f->iface, &dst) && !punt_is_group6(f, &dst)
                 : f->is_multicast || ip_addr_is_v4(&dst) ||
                       !(net_is_local(n, &dst) || iface_is_own(f->iface, &dst)))
        return STAT_net_drop_rx_ip6_not_ours;
    if (!ip6_is_sender(n, f->iface, &src))
        return STAT_net_drop_rx_ip6_source;
    return STAT_COUNT;
}

/* Does the first fragment hold all headers up to the upper layer's (RFC 7112)? `w` stands before
 * the fragment header. Neighbour discovery in pieces is refused (RFC 6980). */
static enum stat_id judge_first(const struct ip6_walk *w, uint8_t next)
{
    struct ip6_walk on = *w;
    on.next_at = w->offset;
    on.offset += (uint32_t)sizeof(struct wire_ip6_fragment);
    on.proto = next;
    if (ip6_walk(&on) != IP6_WALK_UPPER)
        return STAT_net_drop_rx_fragment_tiny;
    uint32_t least = on.proto == IPPROTO_NUM_TCP ? 20 : 8;
    if (on.offset + least > on.len)
        return STAT_net_drop_rx_fragment_tiny;
    if (on.proto == IPPROTO_NUM_ICMP6 && icmp6_is_discovery(on.bytes[on.offset]))
        return STAT_net_drop_rx_nd_invalid;
    return STAT_net_rx_fragment;
}

/* One of several fragments; `w` stands before its header, `m` begins with the IPv6 header. */
static void input_fragment(struct net *n, struct net_packet *p, const struct ip6_walk *w,
                           struct rte_mbuf *m)
{
    struct wire_ip6_fragment wire;
    memcpy(&wire, w->bytes + w->offset, sizeof(wire));
    uint32_t headers = w->offset + (uint32_t)sizeof(wire);
    uint32_t bytes = m->pkt_len - headers;
    uint32_t first = be16_host(wire.offset_more) & IP6_FRAGMENT_OFFSET;
    struct fragment f = {.key = {p->src, p->dst, be32_host(wire.id), 0},
                         .first = first,
                         .end = first + bytes,
                         .has_more = (be16_host(wire.offset_more) & IP6_FRAGMENT_MORE) != 0,
                         .next = wire.next};
    p->header_bytes = 0; /* `m` still begins with them */
    if (bytes == 0) {
        net_drop(n, m, STAT_net_drop_rx_fragment_invalid);
        return;
    }
    if ((f.has_more && bytes % 8 != 0) || f.end > UINT16_MAX) { /* RFC 8200, section 4.5 */
        bool is_long = f.end > UINT16_MAX;
        icmp_tell_and_drop(n, p, m, ICMP_FAULT_FIELD,
                           is_long ? w->offset + IP6_FRAGMENT_OFFSET_AT : IP6_PAYLOAD_BYTES_AT,
                           STAT_net_drop_rx_fragment_invalid);
        return;
    }
    enum stat_id verdict = first == 0 ? judge_first(w, wire.next) : STAT_net_rx_fragment;
    if (verdict == STAT_net_drop_rx_fragment_tiny) {
        icmp_tell_and_drop(n, p, m, ICMP_FAULT_CHAIN, 0, verdict);
    } else if (verdict != STAT_net_rx_fragment) {
        net_drop(n, m, verdict);
    } else {
        rte_pktmbuf_adj(m, (uint16_t)headers);
        p->header_bytes = headers;
        reassembly_input(n, p, &f, m);
    }
}

/* A packet whose upper layer `w` found; `m` begins with the IPv6 header. */
static void input_whole(struct net *n, struct net_packet *p, const struct ip6_walk *w,
                        struct rte_mbuf *m)
{
    bool is_group = p->dst.bytes[0] == 0xff;
    bool has_sender = !ip_addr_is_zero(&p->src); /* only a probe of ND has none */
    rte_pktmbuf_adj(m, (uint16_t)w->offset);
    p->header_bytes = w->offset;
    p->has_fragment = w->has_fragment;
    ASSERT_HOT(!ip_addr_eq(&p->src, &p->dst));
    if (p->frame.iface->has_tap && punt_packet(n, p, w->proto, m))
        return;
    if (w->proto == IPPROTO_NUM_ICMP6)
        icmp6_input(n, p, m);
    else if (w->proto == IPPROTO_NUM_NOTHING || is_group || !has_sender)
        net_drop(n, m, STAT_net_drop_rx_ip6_protocol); /* RFC 8200, section 4.7 */
    else if (w->proto == IPPROTO_NUM_TCP)
        net_deliver_tcp(n, p, m);
    else if (w->proto == IPPROTO_NUM_UDP)
        udp_input(n, p, m);
    else
        icmp_tell_and_drop(n, p, m, ICMP_FAULT_PROTOCOL, w->next_at, STAT_net_drop_rx_ip6_protocol);
}

void ip6_input(struct net *n, const struct net_frame *f, struct rte_mbuf *m)
{
    stat_inc(n->core, STAT_net_ip6_packets);
    enum stat_id fault = judge(n, f, m);
    if (fault != STAT_COUNT) {
        net_drop(n, m, fault);
        return;
    }
    struct wire_ip6 ip;
    memcpy(&ip, rte_pktmbuf_mtod(m, const void *), sizeof(ip));
    net_mbuf_cut(m, be16_host(ip.payload_bytes) + (uint32_t)sizeof(ip));
    struct net_packet p = {.frame = *f,
                           .src = ip_addr_from_v6(ip.src),
                           .dst = ip_addr_from_v6(ip.dst),
                           .hop_limit = ip.hop_limit,
                           .tos = (uint8_t)(be32_host(ip.version_class_flow) >> 20)};
    struct ip6_walk w = {.bytes = rte_pktmbuf_mtod(m, const uint8_t *),
                         .len = m->data_len,
                         .offset = sizeof(ip),
                         .next_at = IP6_NEXT_AT,
                         .proto = ip.next};
    enum icmp_fault told = ICMP_FAULT_FIELD;
    switch (ip6_walk(&w)) {
    case IP6_WALK_UPPER:
        input_whole(n, &p, &w, m);
        return;
    case IP6_WALK_FRAGMENT:
        input_fragment(n, &p, &w, m);
        return;
    case IP6_WALK_REFUSED:
        net_drop(n, m, STAT_net_drop_rx_ip6_extension);
        return;
    case IP6_WALK_HEADER:
        break;
    case IP6_WALK_OPTION:
        told = w.tells_groups ? ICMP_FAULT_OPTION_IN_GROUP : ICMP_FAULT_OPTION;
        break;
    case IP6_WALK_MISPLACED:
        told = ICMP_FAULT_PROTOCOL;
        break;
    }
    icmp_tell_and_drop(n, &p, m, told, w.pointer, STAT_net_drop_rx_ip6_extension);
}
