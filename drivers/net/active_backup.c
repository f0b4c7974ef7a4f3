/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several kernel interfaces, by AF_XDP, of which one at a time is used: the other ends need not
 * know of each other, so they may be on two switches. Which one it is, is the workers' own affair
 * (core/links.h): DPDK 22.11's bonds in that mode set the members' MACs, which net_af_xdp cannot,
 * and would not see that a member has no carrier.
 */
#include "drivers/net/members.h"

#include <stdio.h>

static bool describe(const struct net_options *options, unsigned index, unsigned workers,
                     struct net_device *ret, struct net_fault *ret_fault)
{
    if (!members_describe(options, ret, ret_fault))
        return false;
    snprintf(ret->dpdk_name, sizeof(ret->dpdk_name), "backup%u", index);
    return true;
}

static bool create(const struct net_device *device, struct port_setup *ret,
                   struct net_fault *ret_fault)
{
    if (!members_create(device, ret, ret_fault))
        return false;
    ret->info.dpdk_port = ret->members[0].dpdk_port;
    return true;
}

extern const struct net_driver net_driver_active_backup;
const struct net_driver net_driver_active_backup = {
    .name = "active-backup",
    .help = "members=NAME:NAME[,mtu=BYTES]: kernel interfaces by AF_XDP, one at a time",
    .needs_packed_pool = true,
    .describe = describe,
    .create = create,
    .destroy = members_destroy,
};
