/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel interface by AF_XDP (DPDK's net_af_xdp). All of the interface's queues are taken: frames
 * of a queue without a socket would pass to the kernel, and some flows would be lost to us. The
 * kernel spreads over them as it likes (veth: by the sender's core), so spreading is in software.
 */
#include "drivers/net/driver.h"
#include "drivers/net/iface.h"

#include <stdio.h>

static bool describe(const struct net_options *options, unsigned index, unsigned workers,
                     struct net_device *ret, struct net_fault *ret_fault)
{
    if (options->iface[0] == '\0')
        return net_fault_set(ret_fault, "port %s: driver=af_xdp needs iface=", options->name);
    uint16_t mtu = iface_mtu(options->iface);
    unsigned queues = iface_rx_queues(options->iface);
    if (mtu == 0)
        return net_fault_set(ret_fault, "port %s: there is no interface %s here", options->name,
                             options->iface);
    if (options->queues != 0)
        queues = options->queues;
    if (options->mtu != 0)
        mtu = options->mtu;
    *ret = (struct net_device){
        .eal_option = "--vdev",
        .queues = (uint16_t)queues,
        .mtu = mtu < NET_MTU_MAX ? mtu : NET_MTU_MAX,
        .has_paired_queues = true,
    };
    snprintf(ret->dpdk_name, sizeof(ret->dpdk_name), "net_af_xdp%u", index);
    snprintf(ret->eal_value, sizeof(ret->eal_value), "%s,iface=%s,start_queue=0,queue_count=%u",
             ret->dpdk_name, options->iface, queues);
    return true;
}

extern const struct net_driver net_driver_af_xdp;
const struct net_driver net_driver_af_xdp = {
    .name = "af_xdp",
    .help = "iface=NAME[,queues=N][,mtu=BYTES]: a kernel interface by AF_XDP",
    .needs_packed_pool = true,
    .describe = describe,
};
