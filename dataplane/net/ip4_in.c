/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 in (RFC 791, RFC 1122): for us or not at all, we do not forward. Options are skipped;
 * fragments are dropped and counted. Owner: struct net. Thread: the worker. Station: after eth,
 * before tcp and icmp4.
 */
#include "base/assert.h"
#include "net/cksum.h"
#include "net/net_priv.h"

#include <string.h>

bool ip4_is_sender(const struct net *n, const struct ip_addr *src)
{
    uint8_t first = src->bytes[12];
    return first != 0 && first != 127 && first < 224 && !net_is_local(n, src);
}

/* Header and packet length are consistent and inside the frame? */
static bool is_whole(const struct wire_ip4 *ip, const struct rte_mbuf *m)
{
    unsigned header = (ip->version_ihl & 0xfu) * 4;
    unsigned total = be16_host(ip->total_bytes);
    return ip->version_ihl >> 4 == 4 && header >= sizeof(*ip) && header <= total &&
           total <= m->pkt_len && header <= m->data_len;
}

static bool has_good_cksum(const struct wire_ip4 *ip, const struct rte_mbuf *m)
{
    uint64_t device = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
    if (device == RTE_MBUF_F_RX_IP_CKSUM_GOOD || device == RTE_MBUF_F_RX_IP_CKSUM_BAD)
        return device == RTE_MBUF_F_RX_IP_CKSUM_GOOD;
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
    if (f->is_multicast || !net_is_local(n, &dst))
        return STAT_net_drop_rx_ip4_not_ours;
    if (!ip4_is_sender(n, &src))
        return STAT_net_drop_rx_ip4_source;
    if ((be16_host(ip->fragment) & IP4_FRAGMENT_MASK) != 0)
        return STAT_net_drop_rx_ip4_fragment;
    return STAT_COUNT;
}

void ip4_input(struct net *n, const struct net_frame *f, struct rte_mbuf *m)
{
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
    rte_pktmbuf_adj(m, (uint16_t)((ip.version_ihl & 0xfu) * 4));
    ASSERT_HOT(m->pkt_len == be16_host(ip.total_bytes) - (ip.version_ihl & 0xfu) * 4);
    ASSERT_HOT(!ip_addr_eq(&p.src, &p.dst));
    if (ip.proto == IPPROTO_NUM_TCP)
        net_deliver_tcp(n, &p, m);
    else if (ip.proto == IPPROTO_NUM_ICMP4)
        icmp4_input(n, &p, m);
    else
        net_drop(n, m, STAT_net_drop_rx_ip4_protocol);
}
