/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethernet and 802.1Q in both directions. First station after the port on the way in, last before
 * it on the way out. Owner: struct net. Thread: the worker.
 */
#include "base/assert.h"
#include "net/net_priv.h"

#include <string.h>

/* Takes the VLAN tag off, if there is one: out of the frame, or out of the mbuf where the device
 * took it. *type is the type behind it. False: too short. */
static bool take_vlan(struct rte_mbuf *m, uint16_t *type, uint16_t *ret_vlan)
{
    if ((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) {
        *ret_vlan = m->vlan_tci % VLAN_IDS;
        return true;
    }
    if (*type != ETHERTYPE_VLAN) {
        *ret_vlan = 0;
        return true;
    }
    if (m->data_len < sizeof(struct wire_vlan_tag))
        return false;
    const struct wire_vlan_tag *tag = rte_pktmbuf_mtod(m, const struct wire_vlan_tag *);
    *ret_vlan = be16_host(tag->tci) % VLAN_IDS; /* id 0 is only a priority: untagged */
    *type = be16_host(tag->type);
    rte_pktmbuf_adj(m, sizeof(*tag));
    return true;
}

static bool is_for_us(const struct net_iface *iface, const struct ether_mac *dst)
{
    static const struct ether_mac broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    if (memcmp(dst, &iface->mac, sizeof(*dst)) == 0 || memcmp(dst, &broadcast, sizeof(*dst)) == 0)
        return true;
    if (dst->bytes[0] == 0x01 && dst->bytes[1] == 0x00 && dst->bytes[2] == 0x5e)
        return iface
            ->has_tap; /* IPv4 groups (RFC 1112, section 6.4): we are in none, daemons are */
    return dst->bytes[0] == 0x33 && dst->bytes[1] == 0x33; /* IPv6 groups (RFC 2464, section 7) */
}

/* One frame on its way up. */
static void input(struct net *n, struct rte_mbuf *m, uint64_t flow_hash)
{
    if (m->data_len < sizeof(struct wire_eth)) {
        net_drop(n, m, STAT_net_drop_rx_eth_short);
        return;
    }
    struct wire_eth eth;
    memcpy(&eth, rte_pktmbuf_mtod(m, const void *), sizeof(eth));
    rte_pktmbuf_adj(m, sizeof(eth));
    uint16_t type = be16_host(eth.type);
    uint16_t vlan;
    if (!take_vlan(m, &type, &vlan)) {
        net_drop(n, m, STAT_net_drop_rx_eth_short);
        return;
    }
    ASSERT(m->port < PORTS_MAX && vlan < VLAN_IDS);
    unsigned index = n->now->iface_of[m->port][vlan];
    if (index == IFACE_NONE) {
        net_drop(n, m, STAT_net_drop_rx_vlan_unknown);
        return;
    }
    struct net_frame f = {.iface = &n->now->ifaces[index],
                          .src_mac = eth.src,
                          .dst_mac = eth.dst,
                          .is_multicast = (eth.dst.bytes[0] & 1) != 0,
                          .flow_hash = flow_hash};
    if (!is_for_us(f.iface, &eth.dst))
        net_drop(n, m, STAT_net_drop_rx_eth_not_ours);
    else if (ether_mac_is_nobody(&eth.src))
        net_drop(n, m, STAT_net_drop_rx_eth_source);
    else if (type == ETHERTYPE_IP4)
        ip4_input(n, &f, m);
    else if (type == ETHERTYPE_IP6)
        ip6_input(n, &f, m);
    else if (type == ETHERTYPE_ARP)
        arp_input(n, &f, m);
    else if (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ)
        net_drop(n, m, STAT_net_drop_rx_vlan_nested);
    else
        net_drop(n, m, STAT_net_drop_rx_eth_type);
}

void eth_input(struct net *n, struct rte_mbuf *m, uint64_t flow_hash)
{
    ASSERT_HOT(n->whole == NULL);
    input(n, m, flow_hash);
    if (n->whole == NULL)
        return;
    m = n->whole; /* of it, `m` was the last piece, or it was in `m` */
    n->whole = NULL;
    port_rx_respread(n->core, &m);
    if (m != NULL && n->denies != NULL && n->denies(n->denies_owner, m))
        rte_pktmbuf_free(m);
    else if (m != NULL)
        input(n, m, 0);
    ASSERT_HOT(n->whole == NULL); /* neither is in pieces, or has another in it */
}

void eth_output(struct net *n, const struct net_iface *iface, const struct ether_mac *dst,
                uint16_t type, struct rte_mbuf *m)
{
    ASSERT_HOT(iface->port < port_count(n->core) && iface->vlan < VLAN_IDS);
    bool has_tag = iface->vlan != 0 && !port_info(n->core, iface->port)->has_tx_vlan;
    if (has_tag) {
        struct wire_vlan_tag *tag = (void *)rte_pktmbuf_prepend(m, sizeof(*tag));
        ASSERT(tag != NULL); /* NET_HEADER_BYTES */
        *tag = (struct wire_vlan_tag){.tci = be16(iface->vlan), .type = be16(type)};
        type = ETHERTYPE_VLAN;
    } else if (iface->vlan != 0) { /* the device does it */
        m->ol_flags |= RTE_MBUF_F_TX_VLAN;
        m->vlan_tci = iface->vlan;
    }
    struct wire_eth *eth = (void *)rte_pktmbuf_prepend(m, sizeof(*eth));
    ASSERT(eth != NULL);
    *eth = (struct wire_eth){.dst = *dst, .src = iface->mac, .type = be16(type)};
    m->l2_len = sizeof(*eth) + (has_tag ? sizeof(struct wire_vlan_tag) : 0);
    port_tx(n->core, iface->port, m);
}
