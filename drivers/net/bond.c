/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several kernel interfaces as one port: LACP (IEEE 802.1AX, DPDK's net_bonding in its mode 4) over
 * net_af_xdp. The state machines run in DPDK's own thread; their frames come and go by the port's
 * bursts, which have to be called ten times a second at least, those to send also when there is
 * nothing to send (struct port_setup, wants_calls).
 */
#include "drivers/net/members.h"

#include <rte_byteorder.h>
#include <rte_eth_bond.h>
#include <rte_eth_bond_8023ad.h>
#include <rte_ethdev.h>
#include <stdio.h>

/* A switch that was asked for a frame each second and is silent so long is not there (802.1AX,
 * Short_Timeout_Time: three seconds). */
#define SILENCE_MS 3000u

static bool describe(const struct net_options *options, unsigned index, unsigned workers,
                     struct net_device *ret, struct net_fault *ret_fault)
{
    if (!members_describe(options, ret, ret_fault))
        return false;
    snprintf(ret->dpdk_name, sizeof(ret->dpdk_name), "net_bonding%u", index);
    return true;
}

/* To us the bond is one device. */
static bool create(const struct net_device *device, struct port_setup *ret,
                   struct net_fault *ret_fault)
{
    struct port_setup members = {.n_members = 0};
    int bond = rte_eth_bond_create(device->dpdk_name, BONDING_MODE_8023AD, 0);
    if (bond < 0)
        return net_fault_set(ret_fault, "%s: DPDK makes no bond", device->dpdk_name);
    ret->info.dpdk_port = (uint16_t)bond;
    if (!members_create(device, &members, ret_fault))
        return false;
    for (unsigned i = 0; i < members.n_members; i++) {
        if (rte_eth_bond_slave_add((uint16_t)bond, members.members[i].dpdk_port) != 0)
            return net_fault_set(ret_fault, "%s: DPDK does not take %s for a member",
                                 device->dpdk_name, members.members[i].name);
    }
    rte_eth_bond_xmit_policy_set((uint16_t)bond, BALANCE_XMIT_POLICY_LAYER34);
    return true;
}

/*
 * On the way out of a member: DPDK's machines never ask their partner for frames each second, so
 * what they send is made to ask. The partner says back what was asked, which they take for
 * outdated: then they tell it again, once for each of its frames.
 */
static uint16_t ask_for_fast(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t n,
                             void *unused)
{
    for (uint16_t i = 0; i < n; i++) {
        struct lacpdu_header *h = rte_pktmbuf_mtod(frames[i], struct lacpdu_header *);
        if (h->eth_hdr.ether_type == RTE_BE16(RTE_ETHER_TYPE_SLOW) &&
            frames[i]->data_len >= sizeof(*h) && h->lacpdu.subtype == SLOW_SUBTYPE_LACP)
            h->lacpdu.actor.state |= STATE_LACP_SHORT_TIMEOUT;
    }
    return n;
}

static bool set_rate(uint16_t bond)
{
    struct rte_eth_bond_8023ad_conf conf;
    if (rte_eth_bond_8023ad_conf_get(bond, &conf) != 0)
        return false;
    conf.short_timeout_ms = SILENCE_MS - 1; /* DPDK wants it to be less */
    conf.long_timeout_ms = SILENCE_MS;
    return rte_eth_bond_8023ad_setup(bond, &conf) == 0;
}

/* A member has no carrier that DPDK could ask for, so a cut is found by silence alone. */
static bool start(const struct net_device *device, const struct port_setup *port,
                  struct net_fault *ret_fault)
{
    uint16_t member;
    bool is_set = set_rate(port->info.dpdk_port);
    for (unsigned i = 0; is_set && members_port(device, i, &member); i++) {
        for (uint16_t queue = 0; is_set && queue < port->n_tx_queues; queue++)
            is_set = rte_eth_add_tx_callback(member, queue, ask_for_fast, NULL) != NULL;
    }
    return is_set ||
           net_fault_set(ret_fault, "%s: DPDK does not let us set LACP's rate", device->dpdk_name);
}

extern const struct net_driver net_driver_bond;
const struct net_driver net_driver_bond = {
    .name = "bond",
    .help = "members=NAME:NAME[,mtu=BYTES]: kernel interfaces as one, by LACP and AF_XDP",
    .needs_packed_pool = true,
    .wants_calls = true,
    .describe = describe,
    .create = create,
    .start = start,
    .destroy = members_destroy,
};
