/* SPDX-License-Identifier: Apache-2.0 */
/* See route_stats.h. */
#include "core/route_stats.h"

#include "abi/image.h"
#include "base/assert.h"
#include "core/core.h"

void route_stats_init(struct core *core)
{
    if (core->n_routes == 0)
        return;
    size_t bytes = route_table_slots(core->n_routes) * sizeof(struct route_slot);
    route_table_init(&core->route_table, core->routes, core->n_routes,
                     core_memory(core, bytes, "counts of routes"));
}

static const struct image_route *route_of(const struct image_view *v, uint32_t rule)
{
    return &v->routes[v->rules[rule].route];
}

struct stats_route *route_stats_place(struct core *core, const struct image_view *v, uint32_t rule)
{
    const struct image_route *route = route_of(v, rule);
    enum route_found found;
    ASSERT(core->n_routes > 0);
    struct stats_route *place = route_table_get(&core->route_table, route->id,
                                                image_text(v, route->name), core->now_us, &found);
    if (found == ROUTE_NEW)
        stat_inc(core, STAT_proxy_routes_counted);
    else if (found == ROUTE_REPLACED)
        stat_inc(core, STAT_proxy_routes_replaced);
    else if (found == ROUTE_NO_PLACE)
        stat_inc(core, STAT_proxy_requests_of_others);
    return place;
}

uint64_t route_stats_begin(struct core *core, const struct image_view *v, uint32_t rule)
{
    if (core->n_routes == 0)
        return 0;
    struct stats_route *place = route_stats_place(core, v, rule);
    place->used_us = core->now_us;
    place->connections.begun++;
    return route_of(v, rule)->id;
}

void route_stats_cookie(struct core *core, const struct image_view *v, uint32_t rule)
{
    if (core->n_routes == 0)
        return;
    struct stats_route *place = route_stats_place(core, v, rule);
    place->used_us = core->now_us;
    place->connections.cookies++;
}

void route_stats_moved(struct core *core, uint64_t route, const struct route_moved *moved)
{
    if (route == 0)
        return;
    struct stats_route *place = route_table_find(&core->route_table, route);
    place->used_us = core->now_us;
    place->connections.up_bytes += moved->up_bytes;
    place->connections.down_bytes += moved->down_bytes;
    place->connections.up_packets += moved->up_packets;
    place->connections.down_packets += moved->down_packets;
}

void route_stats_end(struct core *core, uint64_t route, enum stats_route_end why)
{
    if (route == 0)
        return;
    struct stats_route *place = route_table_find(&core->route_table, route);
    place->used_us = core->now_us;
    place->connections.ended[why]++;
}
