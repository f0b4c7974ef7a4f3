/* SPDX-License-Identifier: Apache-2.0 */
/* A NIC on the PCI bus, given to DPDK by its address (vfio-pci or uio_pci_generic is its kernel
 * driver). A queue pair a worker where it has them, spreading by the device where it tells how. */
#include "drivers/net/driver.h"

#include <stdio.h>
#include <string.h>

/* "0000:00:05.0", the domain may be left out: DPDK's name is the long form. */
static bool parse_address(const char *text, char *ret, size_t bytes)
{
    unsigned domain = 0;
    unsigned bus;
    unsigned device;
    unsigned function;
    int end = 0;
    bool is_long = sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) == 4;
    if (!is_long) {
        domain = 0;
        if (sscanf(text, "%2x:%2x.%1x%n", &bus, &device, &function, &end) != 3)
            return false;
    }
    if (text[end] != '\0' || device > 31 || function > 7)
        return false;
    snprintf(ret, bytes, "%04x:%02x:%02x.%x", domain, bus, device, function);
    return true;
}

static bool describe(const struct net_options *options, unsigned index, unsigned workers,
                     struct net_device *ret, struct net_fault *ret_fault)
{
    *ret = (struct net_device){
        .eal_option = "-a",
        .queues = options->queues != 0 ? options->queues : (uint16_t)workers,
        .mtu = options->mtu != 0 ? options->mtu : 1500,
    };
    if (!parse_address(options->pci, ret->dpdk_name, sizeof(ret->dpdk_name)))
        return net_fault_set(ret_fault, "port %s: driver=pci needs pci=DDDD:BB:DD.F",
                             options->name);
    snprintf(ret->eal_value, sizeof(ret->eal_value), "%s", ret->dpdk_name);
    return true;
}

extern const struct net_driver net_driver_pci;
const struct net_driver net_driver_pci = {
    .name = "pci",
    .help = "pci=DDDD:BB:DD.F[,queues=N][,mtu=BYTES]: a NIC bound to vfio-pci",
    .may_have_rss = true,
    .scatter = NET_SCATTER_OFFERED,
    .has_dma = true,
    .describe = describe,
};
