/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel tap interface of our own making (DPDK's net_tap). The kernel spreads over its queues by
 * a hash that it does not tell, so spreading is in software. It claims to cut long segments, but
 * takes the ethernet header for a part of the MTU and refuses full ones.
 */
#include "drivers/net/driver.h"

#include <stdio.h>

static bool describe(const struct net_options *options, unsigned index, unsigned workers,
                     struct net_device *ret, struct net_fault *ret_fault)
{
    if (options->iface[0] == '\0')
        return net_fault_set(ret_fault, "port %s: driver=tap needs iface=", options->name);
    *ret = (struct net_device){
        .eal_option = "--vdev",
        .queues = options->queues != 0 ? options->queues : 1,
        .mtu = options->mtu != 0 ? options->mtu : 1500,
        .has_paired_queues = true,
    };
    snprintf(ret->dpdk_name, sizeof(ret->dpdk_name), "net_tap%u", index);
    snprintf(ret->eal_value, sizeof(ret->eal_value), "%s,iface=%s", ret->dpdk_name, options->iface);
    return true;
}

extern const struct net_driver net_driver_tap;
const struct net_driver net_driver_tap = {
    .name = "tap",
    .help = "iface=NAME[,queues=N][,mtu=BYTES]: a tap interface, made by us",
    .without = 1u << PORT_CAN_tso,
    .describe = describe,
};
