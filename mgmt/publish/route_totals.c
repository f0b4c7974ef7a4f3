/* SPDX-License-Identifier: Apache-2.0 */
/* See route_totals.h. */
#include "publish/route_totals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *x, const void *y)
{
    const struct stats_route *a = x, *b = y;
    return strcmp(a->name, b->name);
}

static int compare_name(const void *name, const void *route)
{
    return strcmp(name, ((const struct stats_route *)route)->name);
}

static void add_times(struct stats_times *to, const struct stats_times *from)
{
    for (unsigned i = 0; i < STATS_TIME_BUCKETS; i++)
        to->buckets[i] += from->buckets[i];
    to->sum_us += from->sum_us;
}

static void add_connections(struct stats_connections *to, const struct stats_connections *from)
{
    to->begun += from->begun;
    for (unsigned i = 0; i < STATS_ROUTE_ENDS; i++)
        to->ended[i] += from->ended[i];
    to->up_bytes += from->up_bytes;
    to->down_bytes += from->down_bytes;
    to->up_packets += from->up_packets;
    to->down_packets += from->down_packets;
    to->cookies += from->cookies;
}

static void add(struct stats_route *to, const struct stats_route *from)
{
    for (unsigned i = 0; i < STATS_ROUTE_CLASSES; i++)
        to->requests[i] += from->requests[i];
    add_times(&to->total, &from->total);
    add_times(&to->head, &from->head);
    add_connections(&to->connections, &from->connections);
    if (from->used_us > to->used_us)
        to->used_us = from->used_us;
}

static bool has_connections(const struct stats_connections *c)
{
    return c->begun > 0 || c->cookies > 0;
}

/* Each worker's places of routes that are wanted, as they come. */
static int collect(const struct stats_map *map, route_totals_wants wants, void *arg,
                   struct route_totals *t)
{
    uint32_t room = 0;
    for (uint32_t w = 0; w + 1 < map->header.n_workers; w++) {
        for (uint32_t i = 0; i < stats_map_routes(map); i++) {
            if (t->count == room) {
                room = room == 0 ? 64 : 2 * room;
                struct stats_route *more =
                    reallocarray(t->routes, room, sizeof(struct stats_route));
                if (more == NULL)
                    return -ENOMEM;
                t->routes = more;
            }
            struct stats_route *at = &t->routes[t->count];
            if (stats_map_route(map, w, i, at) &&
                (route_totals_requests(at) > 0 || has_connections(&at->connections)) &&
                (wants == NULL || wants(arg, at->name)))
                t->count++;
        }
    }
    return 0;
}

/* The places of the same route, which stand side by side, become one. */
static void merge(struct route_totals *t)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        if (n > 0 && strcmp(t->routes[n - 1].name, t->routes[i].name) == 0)
            add(&t->routes[n - 1], &t->routes[i]);
        else
            t->routes[n++] = t->routes[i];
    }
    t->count = n;
}

int route_totals_read(const struct stats_map *map, route_totals_wants wants, void *arg,
                      uint32_t most, struct route_totals *ret)
{
    struct route_totals t = {0};
    int error = collect(map, wants, arg, &t);
    if (error != 0) {
        route_totals_free(&t);
        return error;
    }
    if (t.count > 0)
        qsort(t.routes, t.count, sizeof(*t.routes), compare_names);
    merge(&t);
    if (t.count > most) {
        t.left_out = t.count - most;
        t.count = most;
    }
    *ret = t;
    return 0;
}

void route_totals_free(struct route_totals *totals)
{
    free(totals->routes);
    *totals = (struct route_totals){0};
}

const struct stats_route *route_totals_find(const struct route_totals *totals, const char *name)
{
    if (totals->count == 0)
        return NULL;
    return bsearch(name, totals->routes, totals->count, sizeof(*totals->routes), compare_name);
}

static bool since_times(struct stats_times *now, const struct stats_times *before)
{
    bool has_grown = now->sum_us >= before->sum_us;
    for (unsigned i = 0; i < STATS_TIME_BUCKETS; i++) {
        has_grown = has_grown && now->buckets[i] >= before->buckets[i];
        now->buckets[i] -= before->buckets[i];
    }
    now->sum_us -= before->sum_us;
    return has_grown;
}

/* What was counted goes down only where it is another's. */
static bool since_count(uint64_t *now, uint64_t before)
{
    bool has_grown = *now >= before;
    *now -= before;
    return has_grown;
}

static bool since_connections(struct stats_connections *now, const struct stats_connections *before)
{
    bool has_grown = since_count(&now->begun, before->begun);
    for (unsigned i = 0; i < STATS_ROUTE_ENDS; i++)
        has_grown = since_count(&now->ended[i], before->ended[i]) && has_grown;
    has_grown = since_count(&now->up_bytes, before->up_bytes) && has_grown;
    has_grown = since_count(&now->up_packets, before->up_packets) && has_grown;
    has_grown = since_count(&now->down_packets, before->down_packets) && has_grown;
    has_grown = since_count(&now->cookies, before->cookies) && has_grown;
    return since_count(&now->down_bytes, before->down_bytes) && has_grown;
}

void route_totals_since(struct stats_route *now, const struct stats_route *before)
{
    struct stats_route all = *now;
    bool has_grown = since_times(&now->total, &before->total);
    has_grown = since_times(&now->head, &before->head) && has_grown;
    has_grown = since_connections(&now->connections, &before->connections) && has_grown;
    for (unsigned i = 0; i < STATS_ROUTE_CLASSES; i++)
        has_grown = since_count(&now->requests[i], before->requests[i]) && has_grown;
    if (!has_grown)
        *now = all;
}

uint64_t route_totals_requests(const struct stats_route *route)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < STATS_ROUTE_CLASSES; i++)
        n += route->requests[i];
    return n;
}

uint64_t route_totals_open(const struct stats_route *route)
{
    uint64_t ended = 0;
    for (unsigned i = 0; i < STATS_ROUTE_ENDS; i++)
        ended += route->connections.ended[i];
    return route->connections.begun > ended ? route->connections.begun - ended : 0;
}

uint64_t route_times_count(const struct stats_times *times)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < STATS_TIME_BUCKETS; i++)
        n += times->buckets[i];
    return n;
}

double route_times_quantile_us(const struct stats_times *times, double q)
{
    double rank = q * (double)route_times_count(times);
    double below = 0;
    for (unsigned i = 0; i + 1 < STATS_TIME_BUCKETS; i++) {
        double here = (double)times->buckets[i];
        if (here > 0 && below + here >= rank) {
            double from = i == 0 ? 0 : (double)stats_time_bound_us(i - 1);
            return from + ((double)stats_time_bound_us(i) - from) * (rank - below) / here;
        }
        below += here;
    }
    return below + (double)times->buckets[STATS_TIME_BUCKETS - 1] == 0
               ? 0
               : (double)stats_time_bound_us(STATS_TIME_BUCKETS - 2);
}
