/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel interface by libpcap (DPDK's net_pcap): slow, a copy and a system call a frame, but the
 * one kind without hardware whose frames may be longer than a packet buffer. For trying jumbo
 * frames. The kernel gets every frame as well, so the interface may have no address there. It sends
 * chains, though it does not say so.
 */
#include "drivers/net/driver.h"
#include "drivers/net/iface.h"

#include <stdio.h>

static bool describe(const struct net_options *options, unsigned index, unsigned workers,
                     struct net_device *ret, struct net_fault *ret_fault)
{
    uint16_t mtu = iface_mtu(options->iface);
    if (mtu == 0)
        return net_fault_set(ret_fault, "port %s: driver=pcap needs iface= of an interface here",
                             options->name);
    if (options->mtu != 0)
        mtu = options->mtu;
    *ret = (struct net_device){
        .eal_option = "--vdev",
        .queues = 1,
        .mtu = mtu < NET_JUMBO_MTU_MAX ? mtu : NET_JUMBO_MTU_MAX,
        .has_paired_queues = true,
    };
    snprintf(ret->dpdk_name, sizeof(ret->dpdk_name), "net_pcap%u", index);
    snprintf(ret->eal_value, sizeof(ret->eal_value), "%s,iface=%s", ret->dpdk_name, options->iface);
    return true;
}

extern const struct net_driver net_driver_pcap;
const struct net_driver net_driver_pcap = {
    .name = "pcap",
    .help = "iface=NAME[,mtu=BYTES]: a kernel interface by libpcap, for trying jumbo frames",
    .with = 1u << PORT_CAN_multi_seg_tx,
    .scatter = NET_SCATTER_ALWAYS,
    .describe = describe,
};
