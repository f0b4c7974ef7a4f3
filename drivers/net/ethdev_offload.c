/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offloads, one row each: what we call it, DPDK's bits, and what it is of no use without. The rows
 * are in such an order that what one needs stands above it. An ability that is not there costs
 * nothing but time: each has a path in software that puts the same bytes on the wire
 * (tests/unit/dataplane/offload). Thread: the composer's.
 */
#include "drivers/net/ethdev_offload.h"

#include "base/container.h"

#include <rte_ethdev.h>

#define TX_TRANSPORT (RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM)
#define RX_CKSUM                                                                                   \
    (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)

/* Each ability is all of its bits or none: the facade's question has one answer. */
static const struct row {
    enum port_ability ability;
    uint64_t tx;
    uint64_t rx;
    uint64_t needs_tx;
    uint64_t needs_rx;
} rows[] = {
    {.ability = PORT_CAN_multi_seg_tx, .tx = RTE_ETH_TX_OFFLOAD_MULTI_SEGS},
    {.ability = PORT_CAN_tx_ip4_cksum, .tx = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM},
    {.ability = PORT_CAN_tx_tcp_cksum, .tx = TX_TRANSPORT},
    {.ability = PORT_CAN_rx_cksum, .rx = RX_CKSUM},
    {.ability = PORT_CAN_tx_vlan, .tx = RTE_ETH_TX_OFFLOAD_VLAN_INSERT},
    {.ability = PORT_CAN_rx_vlan, .rx = RTE_ETH_RX_OFFLOAD_VLAN_STRIP},
    {.ability = PORT_CAN_tso,
     .tx = RTE_ETH_TX_OFFLOAD_TCP_TSO,
     .needs_tx = RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | TX_TRANSPORT},
    /* What was put together carries the checksum of no segment: who merges must have checked. */
    {.ability = PORT_CAN_lro, .rx = RTE_ETH_RX_OFFLOAD_TCP_LRO, .needs_rx = RX_CKSUM},
};

static bool has_all(uint64_t bits, uint64_t wanted)
{
    return (bits & wanted) == wanted;
}

void net_offload_ask(const struct rte_eth_dev_info *dev, uint32_t without,
                     struct rte_eth_conf *conf)
{
    uint64_t *tx = &conf->txmode.offloads;
    uint64_t *rx = &conf->rxmode.offloads;
    for (size_t i = 0; i < array_len(rows); i++) {
        const struct row *r = &rows[i];
        if ((without >> r->ability & 1) != 0 || !has_all(dev->tx_offload_capa, r->tx) ||
            !has_all(dev->rx_offload_capa, r->rx) || !has_all(*tx, r->needs_tx) ||
            !has_all(*rx, r->needs_rx))
            continue;
        *tx |= r->tx;
        *rx |= r->rx;
    }
    if ((*rx & RTE_ETH_RX_OFFLOAD_TCP_LRO) == 0)
        return;
    *rx |= dev->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER; /* longer than a packet buffer */
    conf->rxmode.max_lro_pkt_size = RTE_MIN(dev->max_lro_pkt_size, (uint32_t)UINT16_MAX);
}

/* Which of the rows' bits are on. Tags are asked about: drivers change their mind about them. */
static uint32_t abilities(uint16_t port, const struct rte_eth_conf *conf)
{
    uint32_t can = 0;
    uint64_t rx = conf->rxmode.offloads;
    if ((rte_eth_dev_get_vlan_offload(port) & RTE_ETH_VLAN_STRIP_OFFLOAD) == 0)
        rx &= ~(uint64_t)RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
    for (size_t i = 0; i < array_len(rows); i++) {
        const struct row *r = &rows[i];
        if (has_all(conf->txmode.offloads, r->tx | r->needs_tx) && has_all(rx, r->rx | r->needs_rx))
            can |= 1u << r->ability;
    }
    return can;
}

void net_offload_read_back(uint16_t port, const struct rte_eth_dev_info *dev, struct port_info *ret)
{
    struct rte_eth_conf conf;
    uint32_t can = rte_eth_dev_conf_get(port, &conf) == 0 ? abilities(port, &conf) : 0;
#define X(name, help) ret->has_##name = (can >> PORT_CAN_##name & 1) != 0;
    PORT_ABILITY_LIST(X)
#undef X
    uint16_t a_frame = dev->tx_desc_lim.nb_mtu_seg_max;
    uint16_t in_all = dev->tx_desc_lim.nb_seg_max;
    ret->tx_mbufs_max = a_frame == 0 || a_frame > PORT_TX_MBUFS_MAX ? PORT_TX_MBUFS_MAX : a_frame;
    ret->tso_mbufs_max = in_all == 0 || in_all > PORT_TSO_MBUFS_MAX ? PORT_TSO_MBUFS_MAX : in_all;
    if (ret->tx_mbufs_max > ret->tso_mbufs_max)
        ret->tx_mbufs_max = ret->tso_mbufs_max;
}
