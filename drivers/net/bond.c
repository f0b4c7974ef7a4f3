/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several kernel interfaces as one port: LACP (IEEE 802.1AX, DPDK's net_bonding in its mode 4) over
 * net_af_xdp. The state machines run in DPDK's own thread; their frames come and go by the port's
 * bursts, which have to be called ten times a second at least, those to send also when there is
 * nothing to send (struct port_setup, wants_calls).
 */
#include "drivers/net/driver.h"
#include "drivers/net/iface.h"

#include <rte_dev.h>
#include <rte_eth_bond.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

#define BOND_MEMBERS_MAX 4u /* of a bond: what a switch's port group usually has at most */

/* One member: what all have is what the bond has. */
static bool take_member(const struct net_options *options, const char *name,
                        struct net_device *device, struct net_fault *ret_fault)
{
    uint16_t mtu = iface_mtu(name);
    unsigned queues = iface_rx_queues(name);
    if (mtu == 0)
        return net_fault_set(ret_fault, "port %s: there is no interface %.15s here", options->name,
                             name);
    if (device->queues != 0 && device->queues != queues)
        return net_fault_set(ret_fault, "port %s: its members have not as many queues each",
                             options->name);
    device->queues = (uint16_t)queues;
    device->mtu = mtu < device->mtu ? mtu : device->mtu;
    return true;
}

static bool describe(const struct net_options *options, unsigned index, unsigned workers,
                     struct net_device *ret, struct net_fault *ret_fault)
{
    char copy[sizeof(options->members)];
    char *rest = copy;
    char *name;
    unsigned n = 0;
    *ret = (struct net_device){.mtu = options->mtu != 0 ? options->mtu : NET_MTU_MAX,
                               .has_paired_queues = true};
    memcpy(copy, options->members, sizeof(copy));
    if (options->members[0] == '\0')
        rest = NULL;
    while ((name = strsep(&rest, ":")) != NULL) {
        if (!take_member(options, name, ret, ret_fault))
            return false;
        n++;
    }
    if (n < 2 || n > BOND_MEMBERS_MAX)
        return net_fault_set(ret_fault, "port %s: driver=bond needs members=A:B, at most %u",
                             options->name, BOND_MEMBERS_MAX);
    snprintf(ret->dpdk_name, sizeof(ret->dpdk_name), "net_bonding%u", index);
    snprintf(ret->eal_value, sizeof(ret->eal_value), "%s", options->members);
    return true;
}

static void member_name(const struct net_device *device, unsigned i, char ret[64])
{
    snprintf(ret, 64, "net_af_xdp_%.20s_%u", device->dpdk_name, i);
}

/* Makes the AF_XDP device of a member and puts it into the bond. */
static bool add_member(const struct net_device *device, uint16_t bond, unsigned i,
                       const char *iface, struct net_fault *ret_fault)
{
    char name[64];
    char args[96];
    uint16_t member;
    member_name(device, i, name);
    snprintf(args, sizeof(args), "iface=%.15s,start_queue=0,queue_count=%u", iface, device->queues);
    if (rte_eal_hotplug_add("vdev", name, args) != 0 ||
        rte_eth_dev_get_port_by_name(name, &member) != 0)
        return net_fault_set(ret_fault, "%s: no AF_XDP on %.15s", device->dpdk_name, iface);
    if (rte_eth_bond_slave_add(bond, member) != 0)
        return net_fault_set(ret_fault, "%s: DPDK does not take %.15s for a member",
                             device->dpdk_name, iface);
    return true;
}

static bool create(const struct net_device *device, uint16_t *ret_dpdk_port,
                   struct net_fault *ret_fault)
{
    char copy[sizeof(device->eal_value)];
    char *rest = copy;
    char *iface;
    memcpy(copy, device->eal_value, sizeof(copy));
    int bond = rte_eth_bond_create(device->dpdk_name, BONDING_MODE_8023AD, 0);
    if (bond < 0)
        return net_fault_set(ret_fault, "%s: DPDK makes no bond", device->dpdk_name);
    *ret_dpdk_port = (uint16_t)bond;
    for (unsigned i = 0; (iface = strsep(&rest, ":")) != NULL; i++) {
        if (!add_member(device, (uint16_t)bond, i, iface, ret_fault))
            return false;
    }
    rte_eth_bond_xmit_policy_set((uint16_t)bond, BALANCE_XMIT_POLICY_LAYER34);
    return true;
}

/* The members, after the bond has let go of them. */
static void destroy(const struct net_device *device)
{
    char name[64];
    uint16_t member;
    for (unsigned i = 0; i < BOND_MEMBERS_MAX; i++) {
        member_name(device, i, name);
        if (rte_eth_dev_get_port_by_name(name, &member) == 0)
            rte_eal_hotplug_remove("vdev", name);
    }
}

extern const struct net_driver net_driver_bond;
const struct net_driver net_driver_bond = {
    .name = "bond",
    .help = "members=NAME:NAME[,mtu=BYTES]: kernel interfaces as one, by LACP and AF_XDP",
    .needs_packed_pool = true,
    .wants_calls = true,
    .describe = describe,
    .create = create,
    .destroy = destroy,
};
