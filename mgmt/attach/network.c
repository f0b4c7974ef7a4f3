/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces, and what may be said of an address on them. Values are valid: the model checked
 * them. */
#include "attach/attach_priv.h"

#include "base/assert.h"
#include "model/text.h"

#include <string.h>

struct plan_prefix network_prefix(const char *text)
{
    struct plan_prefix p = {0};
    unsigned length = 0;
    bool ok = text_parse_cidr(text, &p.addr, &length);
    ASSERT(ok);
    p.length = (uint8_t)length;
    return p;
}

static struct plan_interface read_interface(struct attach *a, const json_t *obj)
{
    const json_t *spec = json_object_get(obj, "spec");
    const json_t *addresses = json_object_get(spec, "addresses");
    struct plan_interface i = {
        .name = text_at(json_object_get(obj, "metadata"), "name"),
        .port = text_at(spec, "port"),
        .vlan = (uint16_t)int_at(spec, "vlan"),
        .mtu = (uint16_t)int_at(spec, "mtu"),
        .n_addresses = (uint32_t)json_array_size(addresses),
    };
    struct plan_prefix *list = ARENA_ARRAY(a->arena, struct plan_prefix, i.n_addresses);
    for (uint32_t n = 0; n < i.n_addresses; n++) {
        list[n] = network_prefix(json_string_value(json_array_get(addresses, n)));
    }
    i.addresses = list;
    return i;
}

uint32_t network_interface_named(const struct attach *a, const char *name)
{
    for (uint32_t i = 0; i < a->plan.n_interfaces; i++) {
        if (strcmp(a->plan.interfaces[i].name, name) == 0) {
            return i;
        }
    }
    return PLAN_NONE;
}

/* Is there a virtual router of this number already? */
static bool has_router(const struct plan_interface *list, uint32_t n, uint8_t id)
{
    for (uint32_t i = 0; i < n; i++) {
        if (list[i].virtual_router == id) {
            return true;
        }
    }
    return false;
}

/* The first by name of an interface and of a number; mgmt/routing/routing_view.c has the same rule,
 * and says of the others why not. */
static void read_virtual_routers(struct attach *a, struct plan_interface *list)
{
    uint32_t n;
    const json_t **objects = collect_by_name(a, MODEL_VIRTUAL_ROUTER, &n);
    for (uint32_t i = 0; i < n; i++) {
        const json_t *spec = json_object_get(objects[i], "spec");
        uint32_t at = network_interface_named(a, text_at(spec, "interface"));
        uint8_t id = (uint8_t)int_at(spec, "routerID");
        if (at != PLAN_NONE && list[at].virtual_router == 0 &&
            !has_router(list, a->plan.n_interfaces, id)) {
            list[at].virtual_router = id;
        }
    }
}

/* We are drained: on each link by the address that is named, or else the first one. */
static void drain_us(struct attach *a, struct plan_interface *list, const struct ip_addr *named)
{
    for (uint32_t i = 0; i < a->plan.n_interfaces; i++) {
        list[i].drained = (struct ip_addr){0};
        for (uint32_t j = 0; j < list[i].n_addresses; j++) {
            const struct ip_addr *addr = &list[i].addresses[j].addr;
            bool is_first = ip_addr_is_v4(addr) && ip_addr_is_zero(&list[i].drained);
            if (is_first || ip_addr_eq(addr, named)) {
                list[i].drained = *addr;
            }
        }
    }
}

/* Whose connections are to end. Drains of us count on all links, of others the first by name on
 * each; mgmt/routing/routing_view.c has the same rule of which are ours. */
static void read_drains(struct attach *a, struct plan_interface *list)
{
    uint32_t n;
    const json_t **objects = collect_by_name(a, MODEL_DRAIN, &n);
    for (uint32_t i = 0; i < n; i++) {
        struct ip_addr box = {0};
        bool is_named =
            ip_addr_parse(text_at(json_object_get(objects[i], "spec"), "appliance"), &box);
        uint32_t at = is_named ? network_interface_of(a, &box) : PLAN_NONE;
        if (!is_named || network_is_own(a, &box)) {
            drain_us(a, list, &box);
            return;
        }
        if (at != PLAN_NONE && ip_addr_is_zero(&list[at].drained)) {
            list[at].drained = box;
        }
    }
}

static void read_interfaces(struct attach *a)
{
    uint32_t n;
    const json_t **objects = collect_by_name(a, MODEL_INTERFACE, &n);
    struct plan_interface *list = ARENA_ARRAY(a->arena, struct plan_interface, n);
    for (uint32_t i = 0; i < n; i++) {
        list[i] = read_interface(a, objects[i]);
    }
    a->plan.interfaces = list;
    a->plan.n_interfaces = n;
    read_virtual_routers(a, list);
    read_drains(a, list);
}

bool network_is_own(const struct attach *a, const struct ip_addr *addr)
{
    for (uint32_t i = 0; i < a->plan.n_interfaces; i++) {
        const struct plan_interface *interface = &a->plan.interfaces[i];
        for (uint32_t j = 0; j < interface->n_addresses; j++) {
            if (ip_addr_eq(&interface->addresses[j].addr, addr)) {
                return true;
            }
        }
    }
    return false;
}

/* Is the address on the prefix's link? */
static bool is_within(const struct ip_addr *addr, const struct plan_prefix *p)
{
    bool is_v4 = ip_addr_is_v4(&p->addr);
    return is_v4 == ip_addr_is_v4(addr) &&
           ip_addr_in_prefix(addr, &p->addr, p->length + (is_v4 ? 96u : 0u));
}

/* The first or last address of an IPv4 network: no host may have it (RFC 3021 excepts /31). */
static bool is_edge(const struct ip_addr *addr, const struct plan_prefix *p)
{
    if (!ip_addr_is_v4(&p->addr) || p->length > 30 || !is_within(addr, p)) {
        return false;
    }
    uint32_t host = (uint32_t)addr->bytes[12] << 24 | (uint32_t)addr->bytes[13] << 16 |
                    (uint32_t)addr->bytes[14] << 8 | addr->bytes[15];
    uint32_t mask = UINT32_MAX >> p->length;
    return (host & mask) == 0 || (host & mask) == mask;
}

bool network_can_give(const struct attach *a, const struct ip_addr *addr)
{
    for (uint32_t i = 0; i < a->plan.n_egress; i++) {
        if (ip_addr_eq(&a->plan.egress[i].gateway, addr)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < a->plan.n_interfaces; i++) {
        const struct plan_interface *interface = &a->plan.interfaces[i];
        for (uint32_t j = 0; j < interface->n_addresses; j++) {
            if (is_edge(addr, &interface->addresses[j])) {
                return false;
            }
        }
    }
    return !network_is_own(a, addr);
}

uint32_t network_interface_of(const struct attach *a, const struct ip_addr *addr)
{
    for (uint32_t i = 0; i < a->plan.n_interfaces; i++) {
        const struct plan_interface *interface = &a->plan.interfaces[i];
        for (uint32_t j = 0; j < interface->n_addresses; j++) {
            if (is_within(addr, &interface->addresses[j])) {
                return i;
            }
        }
    }
    return PLAN_NONE;
}

void network_run(struct attach *a)
{
    read_interfaces(a);
    egress_run(a);
}
