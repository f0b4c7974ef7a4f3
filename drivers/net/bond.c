/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several kernel interfaces as one port: LACP (IEEE 802.1AX, DPDK's net_bonding in its mode 4) over
 * net_af_xdp. The state machines run in DPDK's own thread; their frames come and go by the port's
 * bursts, which have to be called ten times a second at least, those to send also when there is
 * nothing to send (struct port_setup, wants_calls).
 */
#include "drivers/net/members.h"

#include <rte_eth_bond.h>
#include <stdio.h>

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

extern const struct net_driver net_driver_bond;
const struct net_driver net_driver_bond = {
    .name = "bond",
    .help = "members=NAME:NAME[,mtu=BYTES]: kernel interfaces as one, by LACP and AF_XDP",
    .needs_packed_pool = true,
    .wants_calls = true,
    .describe = describe,
    .create = create,
    .destroy = members_destroy,
};
