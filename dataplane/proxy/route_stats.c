/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts each request with the route whose rule took it: status, time to the end of its answer,
 * time to the head of the backend's. Requests that no route took are in proxy_end_no_route and its
 * neighbours. Thread: the worker. Cost: some six cache lines a request.
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

/* The place of the exchange's route. */
static struct stats_route *place_of(struct exchange *e)
{
    struct proxy *p = e->proxy;
    const struct image_view *v = e->image.view;
    const struct image_route *route = &v->routes[v->rules[e->route.rule].route];
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
    struct stats_route *place = place_of(e);
    unsigned first_digit = e->status / 100;
    place->used_us = core->now_us;
    place->requests[first_digit < STATS_ROUTE_CLASSES ? first_digit : 0]++;
    add_time(&place->total, core->now_us - e->begin_us);
    if (e->head_us != ACCESS_NO_TIME)
        add_time(&place->head, e->head_us - e->begin_us);
}
