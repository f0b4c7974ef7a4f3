/* SPDX-License-Identifier: Apache-2.0 */
/* See members.h. */
#include "drivers/net/members.h"
#include "drivers/net/iface.h"

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

/* One member: what all have is what the port has. */
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

bool members_describe(const struct net_options *options, struct net_device *ret,
                      struct net_fault *ret_fault)
{
    char copy[sizeof(options->members)];
    char *rest = options->members[0] == '\0' ? NULL : copy;
    char *name;
    unsigned n = 0;
    *ret = (struct net_device){.mtu = options->mtu != 0 ? options->mtu : NET_MTU_MAX,
                               .has_paired_queues = true};
    memcpy(copy, options->members, sizeof(copy));
    while ((name = strsep(&rest, ":")) != NULL) {
        if (!take_member(options, name, ret, ret_fault))
            return false;
        n++;
    }
    if (n < 2 || n > PORT_MEMBERS_MAX)
        return net_fault_set(ret_fault, "port %s: driver=%s needs members=A:B, at most %u",
                             options->name, options->driver, PORT_MEMBERS_MAX);
    snprintf(ret->eal_value, sizeof(ret->eal_value), "%s", options->members);
    return true;
}

static void device_name(const struct net_device *device, unsigned i, char ret[64])
{
    snprintf(ret, 64, "net_af_xdp_%.20s_%u", device->dpdk_name, i);
}

bool members_create(const struct net_device *device, struct port_setup *ret,
                    struct net_fault *ret_fault)
{
    char copy[sizeof(device->eal_value)];
    char *rest = copy;
    char *iface;
    memcpy(copy, device->eal_value, sizeof(copy));
    for (ret->n_members = 0; (iface = strsep(&rest, ":")) != NULL; ret->n_members++) {
        struct port_member *member = &ret->members[ret->n_members];
        char name[64];
        char args[96];
        device_name(device, ret->n_members, name);
        snprintf(args, sizeof(args), "iface=%.15s,start_queue=0,queue_count=%u", iface,
                 device->queues);
        snprintf(member->name, sizeof(member->name), "%.15s", iface);
        if (rte_eal_hotplug_add("vdev", name, args) != 0 ||
            rte_eth_dev_get_port_by_name(name, &member->dpdk_port) != 0)
            return net_fault_set(ret_fault, "%s: no AF_XDP on %.15s", device->dpdk_name, iface);
    }
    return true;
}

bool members_port(const struct net_device *device, unsigned i, uint16_t *ret)
{
    char name[64];
    device_name(device, i, name);
    return rte_eth_dev_get_port_by_name(name, ret) == 0;
}

void members_destroy(const struct net_device *device)
{
    char name[64];
    uint16_t member;
    for (unsigned i = 0; i < PORT_MEMBERS_MAX; i++) {
        device_name(device, i, name);
        if (members_port(device, i, &member))
            rte_eal_hotplug_remove("vdev", name);
    }
}
