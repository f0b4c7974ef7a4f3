/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 in (RFC 791, RFC 1122): for us or not at all, we do not forward. Options are checked and
 * skipped, source routes refused; fragments go to reassembly and come back as a frame. Owner:
 * struct net. Thread: the worker. Station: after eth, before tcp, udp and icmp4.
 */
#include "base/assert.h"
#include "net/cksum.h"
#include "net/ip4_options.h"
#include "net/net_priv.h"
#include "net/reassembly.h"
#include "net/udp.h"

#include <string.h>

bool ip4_is_sender(const struct net *n, const struct ip_addr *src)
{
    uint8_t first = src->bytes[12];
    return first != 0 && first != 127 && first < 224 && !net_is_local(n, src) &&
           !path_is_broadcast(&n->now->paths, src);
}

/* Header and packet length are consistent and inside the frame? */
static bool is_whole(const struct wire_ip4 *ip, const struct rte_mbuf *m)
{
    unsigned header = (ip->version_ihl & 0xfu) * 4;
    unsigned total = be16_host(ip->total_bytes);
    return ip->version_ihl >> 4 == 4 && header >= sizeof(*ip) && header <= total &&
           total <= m->pkt_len && header <= m->data_len;
}

/* As cksum_l4_is_good() does with the device's word. */
static bool has_good_cksum(const struct wire_ip4 *ip, const struct rte_mbuf *m)
{
    uint64_t device = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
    if (device == RTE_MBUF_F_RX_IP_CKSUM_GOOD || device == RTE_MBUF_F_RX_IP_CKSUM_NONE)
        return true;
    return cksum_is_good(cksum_add(0, ip, (ip->version_ihl & 0xfu) * 4));
}

/* The counter against the packet; STAT_COUNT: none. */
static enum stat_id judge(struct net *n, const struct net_frame *f, const struct rte_mbuf *m)
{
    const struct wire_ip4 *ip = rte_pktmbuf_mtod(m, const struct wire_ip4 *);
    if (m->data_len < sizeof(*ip) || !is_whole(ip, m))
        return STAT_net_drop_rx_ip4_invalid;
    if (!has_good_cksum(ip, m))
        return STAT_net_drop_rx_ip4_cksum;
    struct ip_addr src = ip_addr_from_v4(ip->src);
    struct ip_addr dst = ip_addr_from_v4(ip->dst);
    /* A unicast address inside a group's frame is a trick (RFC 1122, section 3.3.6). */
    if (f->is_multicast ? !punt_is_group4(f, ip) : !net_is_local(n, &dst))
        return STAT_net_drop_rx_ip4_not_ours;
    if (!ip4_is_sender(n, &src))
        return STAT_net_drop_rx_ip4_source;
    return STAT_COUNT;
}

/* Looks at the options of `m`, which begins with the IP header. False: it is gone. */
static bool check_options(struct net *n, const struct net_packet *p, struct rte_mbuf *m,
                          uint32_t header_bytes)
{
    const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
    uint32_t at = sizeof(struct wire_ip4);
    uint32_t fault_at;
    enum ip4_options_fault fault = ip4_options_check(ip + at, header_bytes - at, &fault_at);
    if (fault == IP4_OPTIONS_SOURCE_ROUTE)
        net_drop(n, m, STAT_net_drop_rx_ip4_source_route);
    else if (fault == IP4_OPTIONS_BROKEN) /* RFC 1122, section 3.2.2.5 */
        icmp_tell_and_drop(n, p, m, ICMP_FAULT_FIELD, at + fault_at, STAT_net_drop_rx_ip4_options);
    return fault == IP4_OPTIONS_FINE;
}

/* The least that the first fragment must hold of what is above IP: what others, on the way, judge
 * the packet by (RFC 1858, RFC 3128). */
static uint32_t upper_header_bytes(uint8_t proto)
{
    return proto == IPPROTO_NUM_TCP ? 20 : 8;
}

/* One of several fragments; `m` begins behind the IP header. */
static void input_fragment(struct net *n, const struct net_packet *p, const struct wire_ip4 *ip,
                           struct rte_mbuf *m)
{
    uint16_t field = be16_host(ip->fragment);
    uint32_t first = (field & IP4_FRAGMENT_OFFSET) * 8u;
    struct fragment f = {.key = {p->src, p->dst, be16_host(ip->id), ip->proto},
                         .first = first,
                         .end = first + m->pkt_len,
                         .has_more = (field & IP4_MORE_FRAGMENTS) != 0,
                         .next = ip->proto};
    if (m->pkt_len == 0 || (f.has_more && m->pkt_len % 8 != 0) ||
        f.end + sizeof(struct wire_ip4) > UINT16_MAX)
        net_drop(n, m, STAT_net_drop_rx_fragment_invalid);
    else if (first < upper_header_bytes(ip->proto) &&
             (first > 0 || m->data_len < upper_header_bytes(ip->proto)))
        net_drop(n, m, STAT_net_drop_rx_fragment_tiny);
    else
        reassembly_input(n, p, &f, m);
}

/* To whom it belongs; `m` begins behind the IP header. */
static void dispatch(struct net *n, const struct net_packet *p, const struct wire_ip4 *ip,
                     struct rte_mbuf *m)
{
    bool is_whole_packet = (be16_host(ip->fragment) & IP4_FRAGMENT_MASK) == 0;
    if (p->frame.iface->has_tap && is_whole_packet && punt_packet(n, p, ip->proto, m))
        return;
    if (is_whole_packet && handover_is(n, p, ip->proto)) {
        handover_input(n, p, ip->proto, m);
        return;
    }
    bool is_spoken = ip->proto == IPPROTO_NUM_TCP || ip->proto == IPPROTO_NUM_UDP ||
                     ip->proto == IPPROTO_NUM_ICMP4;
    if (!is_spoken)
        icmp_tell_and_drop(n, p, m, ICMP_FAULT_PROTOCOL, 0, STAT_net_drop_rx_ip4_protocol);
    else if (!is_whole_packet)
        input_fragment(n, p, ip, m);
    else if (ip->proto == IPPROTO_NUM_TCP)
        net_deliver_tcp(n, p, m);
    else if (ip->proto == IPPROTO_NUM_UDP)
        udp_input(n, p, m);
    else
        icmp4_input(n, p, m);
}

void ip4_input(struct net *n, const struct net_frame *f, struct rte_mbuf *m)
{
    stat_inc(n->core, STAT_net_ip4_packets);
    enum stat_id fault = judge(n, f, m);
    if (fault != STAT_COUNT) {
        net_drop(n, m, fault);
        return;
    }
    struct wire_ip4 ip;
    memcpy(&ip, rte_pktmbuf_mtod(m, const void *), sizeof(ip));
    struct net_packet p = {.frame = *f,
                           .src = ip_addr_from_v4(ip.src),
                           .dst = ip_addr_from_v4(ip.dst),
                           .hop_limit = ip.ttl,
                           .tos = ip.tos};
    net_mbuf_cut(m, be16_host(ip.total_bytes)); /* a short frame is padded to 60 bytes */
    uint32_t header_bytes = (ip.version_ihl & 0xfu) * 4;
    if (header_bytes > sizeof(ip) && !check_options(n, &p, m, header_bytes))
        return;
    rte_pktmbuf_adj(m, (uint16_t)header_bytes);
    p.header_bytes = header_bytes;
    ASSERT_HOT(m->pkt_len == be16_host(ip.total_bytes) - header_bytes);
    ASSERT_HOT(!ip_addr_eq(&p.src, &p.dst));
    dispatch(n, &p, &ip, m);
}
