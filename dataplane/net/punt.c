/* SPDX-License-Identifier: Apache-2.0 */
/* See punt.h. */
#include "net/punt.h"

#include "base/assert.h"
#include "net/net_priv.h"

#include <string.h>

#define BFD_PORT 3784u          /* RFC 5881, section 4 */
#define BFD_ECHO_PORT 3785u     /* the same */
#define BFD_MULTIHOP_PORT 4784u /* RFC 5883, section 5 */
#define TCP_FLAG_SYN 0x02u
#define TCP_FLAG_ACK 0x10u
#define TCP_FLAGS_AT 13u
#define TCP_HEADER_BYTES 20u

enum nearness { NEAR, FAR, NEARNESSES };

struct port_buckets {
    struct bucket all[NEARNESSES];
    struct bucket shares[PUNT_KINDS][NEARNESSES][NET_PUNT_SHARES_MAX];
};

struct punt {
    struct port_buckets ports[PORTS_MAX];
};

static const struct {
    uint32_t per_s;
    uint32_t burst;
    enum stat_id given;
    enum stat_id limited;
} kinds[] = {
#define X(name, per_s, burst) {per_s, burst, STAT_net_punt_##name, STAT_net_punt_limited_##name},
    PUNT_LIST(X)
#undef X
};

void punt_init(struct net *n)
{
    n->punt = core_memory(n->core, sizeof(*n->punt), "exception path");
}

/* May one more frame of the kind go, from `src`? Counts either way. */
static bool may_go(struct net *n, const struct net_iface *iface, enum punt_kind kind,
                   const struct ip_addr *src)
{
    static const uint32_t per_s[] = {
        [NEAR] = NET_PUNT_NEAR_PER_S_MAX, [FAR] = NET_PUNT_FAR_PER_S_MAX};
    struct port_buckets *port = &n->punt->ports[iface->port];
    enum nearness near = net_is_neighbour(n, iface, src) ? NEAR : FAR;
    uint64_t hash = siphash(&n->core->hash_key, src->bytes, sizeof(src->bytes));
    struct bucket *share = &port->shares[kind][near][hash % NET_PUNT_SHARES_MAX];
    uint64_t now_us = n->core->now_us;
    ASSERT_HOT(kind < PUNT_KINDS && iface->has_tap);
    bool may = bucket_take(share, now_us, kinds[kind].per_s, kinds[kind].burst) &&
               bucket_take(&port->all[near], now_us, per_s[near], NET_PUNT_BURST_MAX);
    stat_inc(n->core, may ? kinds[kind].given : kinds[kind].limited);
    return may;
}

/* Puts the ethernet header (and the tag) in front of `m`, which begins with what the frame carries,
 * and gives it to the TAP. */
static void give(struct net *n, const struct net_frame *f, uint16_t type, struct rte_mbuf *m)
{
    if (f->iface->vlan != 0) {
        struct wire_vlan_tag *tag = (void *)rte_pktmbuf_prepend(m, sizeof(*tag));
        ASSERT(tag != NULL); /* NET_HEADER_BYTES */
        *tag = (struct wire_vlan_tag){.tci = be16(f->iface->vlan), .type = be16(type)};
        type = ETHERTYPE_VLAN;
    }
    struct wire_eth *eth = (void *)rte_pktmbuf_prepend(m, sizeof(*eth));
    ASSERT(eth != NULL);
    *eth = (struct wire_eth){.dst = f->dst_mac, .src = f->src_mac, .type = be16(type)};
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT; /* what the port said is over */
    port_tap_tx(n->core, f->iface->port, m);
}

static uint16_t type_of(const struct net_packet *p)
{
    return ip_addr_is_v4(&p->dst) ? ETHERTYPE_IP4 : ETHERTYPE_IP6;
}

/* Puts the IP headers back, which still lie in front. */
static void restore(const struct net_packet *p, struct rte_mbuf *m)
{
    void *ip = rte_pktmbuf_prepend(m, (uint16_t)p->header_bytes);
    ASSERT(ip != NULL);
}

bool punt_is_group4(const struct net_frame *f, const struct wire_ip4 *ip)
{
    static const uint8_t link_groups[] = {224, 0, 0};
    static const uint8_t vrrp[] = {224, 0, 0, 18};
    if (!f->iface->has_tap || (be16_host(ip->fragment) & IP4_FRAGMENT_MASK) != 0)
        return false;
    return ip->proto == IPPROTO_NUM_VRRP
               ? memcmp(ip->dst, vrrp, sizeof(vrrp)) == 0
               : ip->proto == IPPROTO_NUM_IGMP &&
                     memcmp(ip->dst, link_groups, sizeof(link_groups)) == 0;
}

bool punt_is_group6(const struct net_frame *f, const struct ip_addr *dst)
{
    static const struct ip_addr vrrp = {{0xff, 0x02, [15] = 0x12}};
    return f->iface->has_tap && ip_addr_eq(dst, &vrrp);
}

bool punt_is_daemon(uint8_t proto, uint16_t src_port, uint16_t dst_port)
{
    if (proto == IPPROTO_NUM_TCP)
        return src_port == PUNT_BGP_PORT || dst_port == PUNT_BGP_PORT;
    return proto == IPPROTO_NUM_UDP &&
           (dst_port == BFD_PORT || dst_port == BFD_ECHO_PORT || dst_port == BFD_MULTIHOP_PORT);
}

/* An address of the box itself, which the kernel has too? */
static bool is_own(const struct net *n, const struct net_packet *p)
{
    const struct net_address *a = local_find(&n->now->local, &p->dst);
    return a != NULL ? !a->is_vip : iface_is_own(p->frame.iface, &p->dst);
}

/* Of TCP and UDP; PUNT_KINDS: none. */
static enum punt_kind kind_by_ports(uint8_t proto, const struct rte_mbuf *m)
{
    be16_t ports[2];
    const uint8_t *l4 = rte_pktmbuf_mtod(m, const uint8_t *);
    if (m->data_len < sizeof(struct wire_udp))
        return PUNT_KINDS;
    memcpy(ports, l4, sizeof(ports));
    if (!punt_is_daemon(proto, be16_host(ports[0]), be16_host(ports[1])))
        return PUNT_KINDS;
    if (proto == IPPROTO_NUM_UDP)
        return PUNT_bfd;
    if (m->data_len < TCP_HEADER_BYTES)
        return PUNT_KINDS;
    bool is_syn = (l4[TCP_FLAGS_AT] & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN;
    return is_syn ? PUNT_bgp_open : PUNT_bgp;
}

static enum punt_kind kind_of(uint8_t proto, const struct rte_mbuf *m)
{
    switch (proto) {
    case IPPROTO_NUM_TCP:
    case IPPROTO_NUM_UDP:
        return kind_by_ports(proto, m);
    case IPPROTO_NUM_VRRP:
        return PUNT_vrrp;
    case IPPROTO_NUM_IGMP:
        return PUNT_group;
    default:
        return PUNT_KINDS;
    }
}

bool punt_packet(struct net *n, const struct net_packet *p, uint8_t proto, struct rte_mbuf *m)
{
    enum punt_kind kind = kind_of(proto, m);
    bool is_group = p->frame.is_multicast; /* one of those above */
    ASSERT_HOT(p->frame.iface->has_tap);
    if (kind == PUNT_KINDS || ip_addr_is_zero(&p->src) ||
        !(is_group ? kind == PUNT_vrrp || kind == PUNT_group : is_own(n, p)))
        return false;
    if (!may_go(n, p->frame.iface, kind, &p->src)) {
        net_drop(n, m, STAT_net_drop_rx_punt_limited);
        return true;
    }
    restore(p, m);
    stat_inc(n->core, STAT_net_rx_punted);
    give(n, &p->frame, type_of(p), m);
    return true;
}

bool punt_echo_reply(struct net *n, const struct net_packet *p, struct rte_mbuf *m)
{
    if (!p->frame.iface->has_tap || p->frame.is_multicast || !is_own(n, p) ||
        !may_go(n, p->frame.iface, PUNT_icmp, &p->src))
        return false;
    restore(p, m);
    give(n, &p->frame, type_of(p), m);
    return true;
}

/* A copy of `m` for the TAP; NULL: counted. */
static struct rte_mbuf *copy_of(struct net *n, const struct rte_mbuf *m)
{
    struct rte_mbuf *copy = rte_pktmbuf_copy(m, n->core->mbufs, 0, UINT32_MAX);
    if (copy == NULL) {
        stat_inc(n->core, STAT_core_mbuf_exhausted);
        stat_inc(n->core, STAT_net_punt_no_mbuf);
    }
    return copy;
}

void punt_copy(struct net *n, const struct net_packet *p, enum punt_kind kind, struct rte_mbuf *m)
{
    if (!p->frame.iface->has_tap || !mbuf_may_answer(m) ||
        !may_go(n, p->frame.iface, kind, &p->src))
        return;
    restore(p, m);
    struct rte_mbuf *copy = copy_of(n, m);
    rte_pktmbuf_adj(m, (uint16_t)p->header_bytes);
    if (copy != NULL)
        give(n, &p->frame, type_of(p), copy);
}

void punt_copy_arp(struct net *n, const struct net_frame *f, struct rte_mbuf *m)
{
    const struct wire_arp *arp = rte_pktmbuf_mtod(m, const struct wire_arp *);
    struct ip_addr sender = ip_addr_from_v4(arp->sender_ip);
    if (!f->iface->has_tap || !mbuf_may_answer(m) || !may_go(n, f->iface, PUNT_neighbour, &sender))
        return;
    struct rte_mbuf *copy = copy_of(n, m);
    if (copy != NULL)
        give(n, f, ETHERTYPE_ARP, copy);
}
