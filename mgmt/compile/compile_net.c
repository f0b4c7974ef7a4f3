/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan's network: interfaces on the ports that the dataplane has, their addresses, the
 * Gateways' addresses as VIPs, egress routes. An object that does not name its interface gets the
 * one whose prefix holds its address. A Gateway's address that no prefix holds is put on the first
 * interface: it is routed to the box, nobody asks for it by ARP or ND. So is a Service's, and
 * nobody is told of it either: nodes of the cluster may well have it, too, for their own use.
 */
#include "compile/compile_priv.h"

#include "base/assert.h"

#include <errno.h>

void compile_prefix(const struct plan_prefix *prefix, struct ip_addr *ret_addr, uint8_t *ret_len)
{
    bool is_v4 = ip_addr_is_v4(&prefix->addr);
    ASSERT(prefix->length <= (is_v4 ? 32 : 128));
    unsigned len = is_v4 ? 96u + prefix->length : prefix->length;
    struct ip_addr addr = prefix->addr;
    for (unsigned bit = len; bit < 128; bit++)
        addr.bytes[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    *ret_addr = addr;
    *ret_len = (uint8_t)len;
}

static uint32_t port_index(const struct compile *c, const char *name)
{
    for (uint32_t i = 0; i < c->in->n_ports; i++) {
        if (strcmp(c->in->port_names[i], name) == 0)
            return i;
    }
    return IMAGE_NONE;
}

static void add_own_addresses(struct compile *c, const struct plan_interface *interface,
                              uint32_t index)
{
    for (uint32_t i = 0; i < interface->n_addresses; i++) {
        struct image_address address = {.addr = interface->addresses[i].addr,
                                        .interface = (uint16_t)index};
        struct ip_addr ignored;
        char text[IP_ADDR_TEXT_MAX];
        compile_prefix(&interface->addresses[i], &ignored, &address.prefix_len);
        if (image_builder_address(c->b, &address) != 0)
            compile_note(c, "Interface %s: address %s is left out: not usable, or there twice",
                         interface->name, ip_addr_format(&address.addr, text));
    }
}

static void add_interface(struct compile *c, uint32_t i)
{
    const struct plan_interface *interface = &c->plan->interfaces[i];
    uint32_t port = port_index(c, interface->port);
    if (port != IMAGE_NONE)
        c->interfaces[i] = image_builder_interface(c->b, interface->name, (uint16_t)port,
                                                   interface->vlan, interface->mtu);
    if (port == IMAGE_NONE)
        compile_note(c, "Interface %s: the dataplane has no port %s", interface->name,
                     interface->port);
    else if (c->interfaces[i] == IMAGE_NONE)
        compile_note(c, "Interface %s: another one has port %s with VLAN %u", interface->name,
                     interface->port, interface->vlan);
    if (c->interfaces[i] == IMAGE_NONE)
        return;
    image_builder_virtual_router(c->b, c->interfaces[i], interface->virtual_router);
    if (image_builder_drained(c->b, c->interfaces[i], &interface->drained) != 0)
        compile_note(c, "Interface %s: a Drain's appliance is not usable", interface->name);
    add_own_addresses(c, interface, c->interfaces[i]);
}

/* The interface whose longest prefix holds `addr`, in the image; IMAGE_NONE: none. */
static uint32_t interface_of(const struct compile *c, const struct ip_addr *addr)
{
    uint32_t best = IMAGE_NONE;
    uint8_t best_len = 0;
    for (uint32_t i = 0; i < c->plan->n_interfaces; i++) {
        const struct plan_interface *interface = &c->plan->interfaces[i];
        for (uint32_t k = 0; k < interface->n_addresses && c->interfaces[i] != IMAGE_NONE; k++) {
            struct ip_addr prefix;
            uint8_t len;
            compile_prefix(&interface->addresses[k], &prefix, &len);
            if (ip_addr_in_prefix(addr, &prefix, len) &&
                ip_addr_is_v4(addr) == ip_addr_is_v4(&prefix) &&
                (best == IMAGE_NONE || len > best_len)) {
                best = c->interfaces[i];
                best_len = len;
            }
        }
    }
    return best;
}

/* The interface of the image that an object names, or the one that holds its address. */
static uint32_t interface_for(const struct compile *c, uint32_t named, const struct ip_addr *addr)
{
    ASSERT(named == PLAN_NONE || named < c->plan->n_interfaces);
    return named != PLAN_NONE ? c->interfaces[named] : interface_of(c, addr);
}

static uint32_t first_interface(const struct compile *c)
{
    for (uint32_t i = 0; i < c->plan->n_interfaces; i++) {
        if (c->interfaces[i] != IMAGE_NONE)
            return c->interfaces[i];
    }
    return IMAGE_NONE;
}

static void add_vip(struct compile *c, const struct plan_address *address)
{
    char text[IP_ADDR_TEXT_MAX];
    uint32_t interface = interface_for(c, address->interface, &address->addr);
    struct image_address vip = {.addr = address->addr, .prefix_len = 128, .is_vip = 1};
    if (interface == IMAGE_NONE) {
        interface = first_interface(c);
        vip.is_vip = address->is_service ? IMAGE_VIP_ROUTED : 1;
    }
    vip.interface = (uint16_t)interface;
    int error = interface == IMAGE_NONE ? -ENODEV : image_builder_address(c->b, &vip);
    if (error != 0 && error != -EEXIST) /* an interface's own address serves, too */
        compile_note(c, "address %s: %s", ip_addr_format(&address->addr, text),
                     error == -ENODEV ? "there is no interface for it" : "not usable");
}

/* False: it is left out. */
static bool add_egress(struct compile *c, const struct plan_egress *e, bool is_shared)
{
    char text[IP_ADDR_TEXT_MAX];
    struct image_egress egress = {.gateway = e->gateway,
                                  .flags = (uint8_t)((is_shared ? IMAGE_EGRESS_SHARES : 0) |
                                                     (e->is_to_pods ? IMAGE_EGRESS_PODS : 0))};
    uint32_t interface = interface_for(c, e->interface, &e->gateway);
    compile_prefix(&e->destination, &egress.prefix, &egress.prefix_len);
    egress.interface = (uint16_t)interface;
    ip_addr_format(&e->gateway, text);
    if (interface == IMAGE_NONE) {
        compile_note(c, "%s %s: no interface leads to its gateway %s", e->kind, e->name, text);
        return false;
    }
    int error = image_builder_egress(c->b, &egress);
    if (error == -ENOSPC)
        compile_note(c, "%s %s: there is no room for one more route", e->kind, e->name);
    else if (error != 0)
        compile_note(c, "%s %s: its gateway %s is not usable for its destination", e->kind, e->name,
                     text);
    return error == 0;
}

/* One that would share with what was left out takes its place. */
static void add_egresses(struct compile *c)
{
    bool is_first_there = false;
    for (uint32_t i = 0; i < c->plan->n_egress; i++) {
        const struct plan_egress *e = &c->plan->egress[i];
        bool is_shared = e->is_shared && is_first_there;
        bool is_there = add_egress(c, e, is_shared);
        is_first_there = is_there || is_shared;
    }
}

void compile_network(struct compile *c)
{
    for (uint32_t i = 0; i < c->plan->n_interfaces; i++)
        add_interface(c, i);
    for (uint32_t i = 0; i < c->plan->n_addresses; i++)
        add_vip(c, &c->plan->addresses[i]);
    add_egresses(c);
}
