/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts each request with the route whose rule took it: status, time to the end of its answer,
 * time to the head of the backend's; and each connection that is passed on: bytes, and how it
 * ended. What no route took is in proxy_end_no_route, proxy_l4_end_no_route and their neighbours.
 * Thread: the worker. Cost: some six cache lines a request, two a connection's event.
 */
#include "base/assert.h"
#include "proxy/proxy_priv.h"

void route_stats_init(struct proxy *p)
{
    struct core *core = p->core;
    if (core->n_routes == 0)
        return;
    size_t bytes = route_table_slots(core->n_routes) * sizeof(struct route_slot);
    route_table_init(&p->routes, core->routes, core->n_routes,
                     core_memory(core, bytes, "counts of routes"));
}

static const struct image_route *route_of(const struct image_view *v, uint32_t rule)
{
    return &v->routes[v->rules[rule].route];
}

/* The place of the rule's route. */
static struct stats_route *place_of(struct proxy *p, const struct image_view *v, uint32_t rule)
{
    const struct image_route *route = route_of(v, rule);
    enum route_found found;
    struct stats_route *place =
        route_table_get(&p->routes, route->id, image_text(v, route->name), p->core->now_us, &found);
    if (found == ROUTE_NEW)
        stat_inc(p->core, STAT_proxy_routes_counted);
    else if (found == ROUTE_REPLACED)
        stat_inc(p->core, STAT_proxy_routes_replaced);
    else if (found == ROUTE_NO_PLACE)
        stat_inc(p->core, STAT_proxy_requests_of_others);
    return place;
}

static void add_time(struct stats_times *times, uint64_t us)
{
    times->buckets[stats_time_bucket(us)]++;
    times->sum_us += us;
}

void route_stats_count(struct exchange *e)
{
    struct core *core = e->proxy->core;
    bool has_rule = e->is_matched && e->route.outcome == ROUTE_OUTCOME_RULE;
    if (core->n_routes == 0 || !has_rule)
        return;
    struct stats_route *place = place_of(e->proxy, e->image.view, e->route.rule);
    unsigned first_digit = e->status / 100;
    place->used_us = core->now_us;
    place->requests[first_digit < STATS_ROUTE_CLASSES ? first_digit : 0]++;
    add_time(&place->total, core->now_us - e->begin_us);
    if (e->head_us != ACCESS_NO_TIME)
        add_time(&place->head, e->head_us - e->begin_us);
}

uint64_t route_stats_begin(struct proxy *p, const struct image_view *v, uint32_t rule)
{
    if (p->core->n_routes == 0)
        return 0;
    struct stats_route *place = place_of(p, v, rule);
    place->used_us = p->core->now_us;
    place->connections.begun++;
    return route_of(v, rule)->id;
}

void route_stats_moved(struct proxy *p, uint64_t route, size_t up_bytes, size_t down_bytes)
{
    if (route == 0)
        return;
    struct stats_route *place = route_table_find(&p->routes, route);
    place->used_us = p->core->now_us;
    place->connections.up_bytes += up_bytes;
    place->connections.down_bytes += down_bytes;
}

static enum stats_route_end end_of(enum stat_id why)
{
    switch (why) {
    case STAT_proxy_l4_end_complete:
        return STATS_ROUTE_END_complete;
    case STAT_proxy_l4_end_client:
        return STATS_ROUTE_END_client;
    case STAT_proxy_l4_end_backend:
        return STATS_ROUTE_END_backend;
    case STAT_proxy_l4_end_idle:
        return STATS_ROUTE_END_idle;
    case STAT_proxy_l4_end_handshake:
        return STATS_ROUTE_END_handshake;
    case STAT_proxy_l4_end_no_endpoint:
    case STAT_proxy_l4_end_backend_refused:
    case STAT_proxy_l4_end_backend_timeout:
        return STATS_ROUTE_END_unreached;
    case STAT_proxy_l4_end_cut:
        return STATS_ROUTE_END_cut;
    default:
        return STATS_ROUTE_END_refused;
    }
}

void route_stats_end(struct proxy *p, uint64_t route, enum stat_id why)
{
    if (route == 0)
        return;
    struct stats_route *place = route_table_find(&p->routes, route);
    place->used_us = p->core->now_us;
    place->connections.ended[end_of(why)]++;
}
