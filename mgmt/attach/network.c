/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces, static routes and address pools. Values are valid: the model checked them. */
#include "attach/attach_priv.h"

#include "base/assert.h"
#include "model/text.h"

#include <stdlib.h>
#include <string.h>

static int compare_names(const void *x, const void *y)
{
    const json_t *const *a = x;
    const json_t *const *b = y;
    return strcmp(text_at(json_object_get(*a, "metadata"), "name"),
                  text_at(json_object_get(*b, "metadata"), "name"));
}

/* Objects of a cluster-scoped type by name. */
static const json_t **collect_by_name(struct attach *a, enum model_type_id type, uint32_t *ret_n)
{
    const json_t **objects = collect(a, type, ret_n);
    if (*ret_n > 0) {
        qsort(objects, *ret_n, sizeof(objects[0]), compare_names);
    }
    return objects;
}

static struct plan_prefix read_prefix(const char *text)
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
        list[n] = read_prefix(json_string_value(json_array_get(addresses, n)));
    }
    i.addresses = list;
    return i;
}

/* The interface with this name, or PLAN_NONE. */
static uint32_t find_interface(const struct attach *a, const char *name)
{
    for (uint32_t i = 0; i < a->plan.n_interfaces; i++) {
        if (strcmp(a->plan.interfaces[i].name, name) == 0) {
            return i;
        }
    }
    return PLAN_NONE;
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
}

static void read_static_routes(struct attach *a)
{
    uint32_t n;
    const json_t **objects = collect_by_name(a, MODEL_STATIC_ROUTE, &n);
    struct plan_static_route *list = ARENA_ARRAY(a->arena, struct plan_static_route, n);
    for (uint32_t i = 0; i < n; i++) {
        const json_t *spec = json_object_get(objects[i], "spec");
        const char *gateway = text_at(spec, "gateway");
        list[i].name = text_at(json_object_get(objects[i], "metadata"), "name");
        list[i].destination = read_prefix(text_at(spec, "destination"));
        list[i].interface = find_interface(a, text_at(spec, "interface"));
        if (gateway[0] != '\0') {
            bool ok = ip_addr_parse(gateway, &list[i].gateway);
            ASSERT(ok);
        }
    }
    a->plan.static_routes = list;
    a->plan.n_static_routes = n;
}

static struct at_range read_range(const char *text)
{
    struct at_range r = {0};
    bool ok = text_parse_range(text, &r.first, &r.last);
    ASSERT(ok);
    r.next = r.first;
    return r;
}

static struct at_pool read_pool(struct attach *a, const json_t *obj)
{
    const json_t *spec = json_object_get(obj, "spec");
    const json_t *ranges = json_object_get(spec, "addresses");
    struct at_pool p = {
        .name = text_at(json_object_get(obj, "metadata"), "name"),
        .classes = json_object_get(spec, "gatewayClassNames"),
        .interface = find_interface(a, text_at(spec, "interface")),
        .n_ranges = (uint32_t)json_array_size(ranges),
    };
    p.ranges = ARENA_ARRAY(a->arena, struct at_range, p.n_ranges);
    for (uint32_t i = 0; i < p.n_ranges; i++) {
        p.ranges[i] = read_range(json_string_value(json_array_get(ranges, i)));
    }
    return p;
}

static void read_pools(struct attach *a)
{
    const json_t **objects = collect_by_name(a, MODEL_ADDRESS_POOL, &a->n_pools);
    a->pools = ARENA_ARRAY(a->arena, struct at_pool, a->n_pools);
    for (uint32_t i = 0; i < a->n_pools; i++) {
        a->pools[i] = read_pool(a, objects[i]);
    }
}

void network_run(struct attach *a)
{
    read_interfaces(a);
    read_static_routes(a);
    read_pools(a);
}
