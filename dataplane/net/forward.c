/* SPDX-License-Identifier: Apache-2.0 */
/* See forward.h. */
#include "net/forward.h"

#include "base/assert.h"
#include "net/cksum.h"
#include "net/neighbour_table.h"
#include "net/net_priv.h"

#include <string.h>

/* Behind ethernet and a tag, if there is one; 0: not to us. *ret_type: what lies there. */
static uint32_t skip_ethernet(const struct net *n, const struct rte_mbuf *m, const uint8_t *frame,
                              uint16_t *ret_type)
{
    const struct wire_eth *eth = (const void *)frame;
    uint32_t at = sizeof(*eth);
    uint16_t vlan = 0;
    *ret_type = be16_host(eth->type);
    if ((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) {
        vlan = m->vlan_tci % VLAN_IDS;
    } else if (*ret_type == ETHERTYPE_VLAN) {
        const struct wire_vlan_tag *tag = (const void *)(frame + at);
        vlan = be16_host(tag->tci) % VLAN_IDS;
        *ret_type = be16_host(tag->type);
        at += (uint32_t)sizeof(*tag);
    }
    ASSERT_HOT(m->port < PORTS_MAX);
    unsigned index = n->now->iface_of[m->port][vlan];
    if (index == IFACE_NONE || memcmp(&eth->dst, &n->now->ifaces[index].mac, sizeof(eth->dst)) != 0)
        return 0;
    return at;
}

static bool read_ip4(const struct rte_mbuf *m, const struct wire_ip4 *ip, struct net_plain *ret)
{
    uint64_t device = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
    ret->proto = ip->proto;
    ret->packet_bytes = be16_host(ip->total_bytes);
    ret->l4_at = (uint16_t)(ret->l3_at + sizeof(*ip));
    if (ip->version_ihl != 0x45 || (be16_host(ip->fragment) & IP4_FRAGMENT_MASK) != 0)
        return false;
    return device == RTE_MBUF_F_RX_IP_CKSUM_GOOD || device == RTE_MBUF_F_RX_IP_CKSUM_NONE ||
           cksum_is_good(cksum_ip4_header(ip));
}

static bool read_ip6(const struct wire_ip6 *ip, struct net_plain *ret)
{
    uint32_t bytes = be16_host(ip->payload_bytes) + (uint32_t)sizeof(*ip);
    ret->proto = ip->next;
    ret->packet_bytes = (uint16_t)bytes;
    ret->l4_at = (uint16_t)(ret->l3_at + sizeof(*ip));
    return be32_host(ip->version_class_flow) >> 28 == 6 && bytes <= UINT16_MAX;
}

bool net_plain_find(const struct net *n, const struct rte_mbuf *m, struct net_plain *ret)
{
    const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
    uint16_t type;
    if (m->data_len < sizeof(struct wire_eth) + sizeof(struct wire_ip4) + sizeof(struct wire_udp))
        return false;
    uint32_t at = skip_ethernet(n, m, frame, &type);
    ret->l3_at = (uint16_t)at;
    ret->is_ip4 = type == ETHERTYPE_IP4;
    uint32_t header = ret->is_ip4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
    if (at == 0 || (!ret->is_ip4 && type != ETHERTYPE_IP6) || m->data_len < at + header)
        return false;
    if (ret->is_ip4 ? !read_ip4(m, (const void *)(frame + at), ret)
                    : !read_ip6((const void *)(frame + at), ret))
        return false;
    if (ret->proto != IPPROTO_NUM_TCP && ret->proto != IPPROTO_NUM_UDP)
        return false;
    uint32_t upper = ret->proto == IPPROTO_NUM_TCP ? 20 : sizeof(struct wire_udp);
    return ret->packet_bytes >= header + upper && ret->packet_bytes <= m->pkt_len - at &&
           m->data_len >= ret->l4_at + upper;
}

void net_plain_strip(struct rte_mbuf *m, const struct net_plain *at)
{
    rte_pktmbuf_adj(m, at->l3_at);
    if (m->pkt_len > at->packet_bytes)
        net_mbuf_cut(m, at->packet_bytes);
}

uint16_t net_hops_version(const struct net *n)
{
    return n->hops_version;
}

uint16_t net_hop_mtu(const struct net *n, uint8_t interface)
{
    ASSERT_HOT(interface < n->now->n_ifaces);
    return n->now->ifaces[interface].mtu;
}

/* Interface and neighbour on the way; NULL: there is none. */
static const struct net_iface *way_to(struct net *n, const struct ip_addr *dst,
                                      const struct ip_addr **ret_next_hop)
{
    const struct path_entry *e = net_way(n, dst);
    if (e == NULL)
        return NULL;
    *ret_next_hop = e->is_on_link ? dst : &e->gateway;
    return &n->now->ifaces[e->interface];
}

bool net_hop_find(struct net *n, const struct ip_addr *dst, struct net_hop *ret)
{
    const struct ip_addr *next_hop;
    const struct net_iface *iface = way_to(n, dst, &next_hop);
    if (iface == NULL || !neighbour_mac(n, iface, next_hop, &ret->mac))
        return false;
    ret->interface = (uint8_t)iface->index;
    return true;
}

void net_hop_output(struct net *n, const struct net_hop *hop, bool is_ip4, struct rte_mbuf *m)
{
    ASSERT_HOT(hop->interface < n->now->n_ifaces);
    ASSERT_HOT(m->pkt_len <= n->now->ifaces[hop->interface].mtu);
    stat_inc(n->core, STAT_net_tx_packets);
    eth_output(n, &n->now->ifaces[hop->interface], &hop->mac,
               is_ip4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6, m);
}

void net_forward(struct net *n, const struct ip_addr *dst, struct rte_mbuf *m)
{
    const struct ip_addr *next_hop;
    const struct net_iface *iface = way_to(n, dst, &next_hop);
    if (iface == NULL)
        net_drop(n, m, STAT_net_drop_tx_no_route);
    else if (m->pkt_len > iface->mtu)
        net_drop(n, m, STAT_net_drop_tx_too_big);
    else if (rte_pktmbuf_headroom(m) < sizeof(struct wire_eth) + sizeof(struct wire_vlan_tag))
        net_drop(n, m, STAT_net_drop_tx_headroom);
    else
        neighbour_send(n, iface, next_hop, m);
}
