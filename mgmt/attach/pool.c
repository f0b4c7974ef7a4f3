/* SPDX-License-Identifier: Apache-2.0 */
/* Address pools: ranges of addresses for the Gateways of some or all classes, or those that a
 * cluster's Services have. */
#include "attach/attach_priv.h"

#include "base/assert.h"
#include "model/text.h"

#include <string.h>

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
        .is_of_services = strcmp(text_at(spec, "use"), "Services") == 0,
        .classes = json_object_get(spec, "gatewayClassNames"),
        .interface = network_interface_named(a, text_at(spec, "interface")),
        .n_ranges = (uint32_t)json_array_size(ranges),
    };
    p.ranges = ARENA_ARRAY(a->arena, struct at_range, p.n_ranges);
    for (uint32_t i = 0; i < p.n_ranges; i++) {
        p.ranges[i] = read_range(json_string_value(json_array_get(ranges, i)));
    }
    return p;
}

void pool_run(struct attach *a)
{
    const json_t **objects = collect_by_name(a, MODEL_ADDRESS_POOL, &a->n_pools);
    a->pools = ARENA_ARRAY(a->arena, struct at_pool, a->n_pools);
    for (uint32_t i = 0; i < a->n_pools; i++) {
        a->pools[i] = read_pool(a, objects[i]);
        a->has_services |= a->pools[i].is_of_services;
    }
}

bool names_class(const json_t *classes, const char *class)
{
    size_t i;
    const json_t *name;
    json_array_foreach(classes, i, name)
    {
        if (strcmp(json_string_value(name), class) == 0) {
            return true;
        }
    }
    return json_array_size(classes) == 0;
}

bool pool_serves(const struct at_pool *pool, const char *class)
{
    if (class == NULL || pool->is_of_services) {
        return class == NULL && pool->is_of_services;
    }
    return names_class(pool->classes, class);
}

static bool in_range(const struct ip_addr *addr, const struct at_range *range)
{
    return memcmp(addr->bytes, range->first.bytes, 16) >= 0 &&
           memcmp(addr->bytes, range->last.bytes, 16) <= 0;
}

const struct at_pool *pool_find(const struct attach *a, const struct ip_addr *addr,
                                const char *class)
{
    for (uint32_t i = 0; i < a->n_pools; i++) {
        const struct at_pool *pool = &a->pools[i];
        for (uint32_t j = 0; pool_serves(pool, class) && j < pool->n_ranges; j++) {
            if (in_range(addr, &pool->ranges[j])) {
                return pool;
            }
        }
    }
    return NULL;
}

/* What was found in use is not looked at again in a run, so all Gateways together cost as many
 * steps as addresses are in use. */
bool pool_next(struct at_range *range, struct ip_addr *ret)
{
    if (range->is_used_up) {
        return false;
    }
    *ret = range->next;
    range->is_used_up = ip_addr_eq(&range->next, &range->last);
    for (size_t i = 16; !range->is_used_up && i-- > 0 && ++range->next.bytes[i] == 0;) {
    }
    return true;
}
