/* SPDX-License-Identifier: Apache-2.0 */
/* See forward.h. */
#include "net/forward.h"

#include "base/assert.h"
#include "net/cksum.h"
#include "net/neighbour_table.h"
#include "net/net_priv.h"

#include <string.h>

static_assert(PORTS_MAX <= UINT8_MAX, "a port's index in struct net_hop");
static_assert(offsetof(struct net_hop, own) == offsetof(struct wire_eth, src) &&
                  offsetof(struct net_hop, interface) == offsetof(struct wire_eth, type),
              "both addresses at once");

/* Is the frame to us? The device may have taken its tag out; another one behind it is not ours. */
static bool is_to_us(const struct net *n, const struct rte_mbuf *m, const struct plain *at)
{
    const struct wire_eth *eth = rte_pktmbuf_mtod(m, const struct wire_eth *);
    const struct wire_vlan_tag *tag = (const void *)(eth + 1);
    bool is_stripped = (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0;
    bool has_tag = at->l3_at != sizeof(*eth);
    uint16_t tci = is_stripped ? m->vlan_tci : has_tag ? be16_host(tag->tci) : 0;
    ASSERT_HOT(m->port < PORTS_MAX);
    unsigned index = n->now->iface_of[m->port][tci % VLAN_IDS];
    return !(is_stripped && has_tag) && index != IFACE_NONE &&
           memcmp(&eth->dst, &n->now->ifaces[index].mac, sizeof(eth->dst)) == 0;
}

/* As ip4_in.c judges it. */
static bool has_good_cksum(const struct rte_mbuf *m, const struct plain *at)
{
    uint64_t device = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
    return !at->is_ip4 || device == RTE_MBUF_F_RX_IP_CKSUM_GOOD ||
           device == RTE_MBUF_F_RX_IP_CKSUM_NONE || cksum_is_good(cksum_ip4_header(at->l3));
}

bool net_plain_find(const struct net *n, const struct rte_mbuf *m, struct plain *ret)
{
    return plain_find(m, ret) && is_to_us(n, m, ret) && has_good_cksum(m, ret);
}

void net_plain_strip(struct rte_mbuf *m, const struct plain *at)
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
    ret->own = iface->mac;
    ret->interface = (uint8_t)iface->index;
    ret->port = (uint8_t)iface->port;
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

uint16_t net_hop_plain_mtu(const struct net *n, const struct net_hop *hop)
{
    const struct net_iface *iface = &n->now->ifaces[hop->interface];
    return iface->vlan == 0 ? iface->mtu : 0;
}

void net_hop_output_frame(struct net *n, const struct net_hop *hop, struct rte_mbuf *m)
{
    struct wire_eth *eth = rte_pktmbuf_mtod(m, struct wire_eth *);
    ASSERT_HOT(hop->interface < n->now->n_ifaces && n->now->ifaces[hop->interface].vlan == 0);
    stat_inc(n->core, STAT_net_tx_packets);
    memcpy(eth, hop, offsetof(struct wire_eth, type));
    m->l2_len = sizeof(*eth);
    port_tx(n->core, hop->port, m);
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
