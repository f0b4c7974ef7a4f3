/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TAP beside a port: the kernel's end of the exception path. DPDK's net_tap makes it, while the
 * composer's thread is in the namespace where it shall be: TAP, netlink and ioctl sockets belong to
 * the namespace in which they were opened, whoever uses them. It ends with the process, so that
 * daemons see their interface go when the dataplane dies. Thread: the composer's.
 */
#include "drivers/net/driver.h"
#include "drivers/net/netns.h"

#include "base/assert.h"

#include <errno.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

/* Names of devices: `driver=tap` has the numbers of its ports. */
static void describe(const struct net_options *options, const struct port_setup *port,
                     struct net_options *ret_options, struct net_device *ret_device)
{
    *ret_options = (struct net_options){.driver = "tap"};
    *ret_device =
        (struct net_device){.queues = 1, .mtu = port->info.mtu, .has_paired_queues = true};
    memcpy(ret_options->name, port->info.name, sizeof(ret_options->name));
    memcpy(ret_options->iface, options->tap, sizeof(options->tap));
    snprintf(ret_device->dpdk_name, sizeof(ret_device->dpdk_name), "net_tap%u",
             PORTS_MAX + port->info.index);
}

/* In the namespace. */
static bool open_there(const struct net_options *options, struct rte_mempool *mbufs,
                       struct port_setup *port, struct net_fault *ret_fault)
{
    struct net_options tap;
    struct net_device device;
    struct port_setup setup;
    char args[64];
    const uint8_t *mac = port->info.mac.bytes;
    describe(options, port, &tap, &device);
    snprintf(args, sizeof(args), "iface=%s,mac=%02x:%02x:%02x:%02x:%02x:%02x", tap.iface, mac[0],
             mac[1], mac[2], mac[3], mac[4], mac[5]);
    if (rte_eal_hotplug_add("vdev", device.dpdk_name, args) != 0)
        return net_fault_set(ret_fault, "port %s: the kernel makes no tap %s", port->info.name,
                             tap.iface);
    if (!net_port_open(&tap, &device, port->info.index, 1, mbufs, &setup, ret_fault))
        return false;
    port->info.has_tap = true;
    port->dpdk_tap = setup.info.dpdk_port;
    return true;
}

bool net_beside_open(const struct net_options *options, const char *netns,
                     struct rte_mempool *mbufs, struct port_setup *port,
                     struct net_fault *ret_fault)
{
    int back;
    if (options->tap[0] == '\0')
        return true;
    ASSERT(netns != NULL && !port->info.has_tap);
    if (!netns_enter(netns, &back))
        return net_fault_set(ret_fault, "port %s: network namespace %.60s: %s", port->info.name,
                             netns, strerror(errno));
    bool is_open = open_there(options, mbufs, port, ret_fault);
    netns_leave(back);
    return is_open;
}

void net_beside_close(struct port_setup *port)
{
    struct net_options options = {.driver = "tap"};
    struct net_device device = {.queues = 1};
    if (!port->info.has_tap)
        return;
    struct port_setup tap = {.info = {.dpdk_port = port->dpdk_tap}};
    net_port_close(&options, &device, &tap);
    port->info.has_tap = false;
}
