/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts each request with the route whose rule took it: status, time to the end of its answer,
 * time to the head of the backend's. What no route took is in proxy_end_no_route,
 * proxy_l4_end_no_route and their neighbours. Connections: core/route_stats.h. Thread: the worker.
 * Cost: some six cache lines a request.
 */
#include "core/route_stats.h"

#include "base/assert.h"
#include "proxy/proxy_priv.h"

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
    struct stats_route *place = route_stats_place(core, e->image.view, e->route.rule);
    unsigned first_digit = e->status / 100;
    place->used_us = core->now_us;
    place->requests[first_digit < STATS_ROUTE_CLASSES ? first_digit : 0]++;
    add_time(&place->total, core->now_us - e->begin_us);
    if (e->head_us != ACCESS_NO_TIME)
        add_time(&place->head, e->head_us - e->begin_us);
}

enum stats_route_end route_stats_end_of(enum stat_id why)
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
