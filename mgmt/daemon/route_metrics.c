/* SPDX-License-Identifier: Apache-2.0 */
/* See daemon/route_metrics.h. Workers are added up: which of them had a request is chance. */
#include "daemon/route_metrics.h"

#include "api/api.h"
#include "daemon/daemon.h"
#include "daemon/metrics.h"
#include "publish/route_totals.h"
#include "reconcile/reconcile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Is it one of the names, which have commas between? One that ends in '*' stands for all that begin
 * so. */
static bool is_wanted(void *arg, const char *name)
{
    const char *at = arg;
    while (*at != '\0') {
        size_t len = strcspn(at, ",");
        bool is_prefix = len > 0 && at[len - 1] == '*';
        if (is_prefix ? strncmp(name, at, len - 1) == 0
                      : strlen(name) == len && memcmp(name, at, len) == 0)
            return true;
        at += len;
        at += *at == ',' ? 1 : 0;
    }
    return false;
}

/* One of connections only has no series of requests. */
static bool has_requests(const struct stats_route *route)
{
    return route_totals_requests(route) > 0;
}

static void put_requests(FILE *to, const struct route_totals *t)
{
    static const char *const classes[STATS_ROUTE_CLASSES] = {"none", "1xx", "2xx",
                                                             "3xx",  "4xx", "5xx"};
    fputs("# TYPE sluice_route_requests counter\n"
          "# HELP sluice_route_requests Requests that ended, by the status of their answer.\n",
          to);
    for (uint32_t i = 0; i < t->count; i++) {
        for (unsigned c = 0; c < STATS_ROUTE_CLASSES && has_requests(&t->routes[i]); c++)
            fprintf(to, "sluice_route_requests_total{route=\"%s\",status=\"%s\"} %" PRIu64 "\n",
                    t->routes[i].name, classes[c], t->routes[i].requests[c]);
    }
}

static void put_connections(FILE *to, const struct route_totals *t)
{
    fputs("# TYPE sluice_route_connections counter\n"
          "# HELP sluice_route_connections Connections that were taken to be passed on.\n",
          to);
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->routes[i].connections.begun > 0)
            fprintf(to, "sluice_route_connections_total{route=\"%s\"} %" PRIu64 "\n",
                    t->routes[i].name, t->routes[i].connections.begun);
    }
    fputs("# TYPE sluice_route_connections_ended counter\n"
          "# HELP sluice_route_connections_ended Those of them that ended, by how.\n",
          to);
    for (uint32_t i = 0; i < t->count; i++) {
        for (unsigned e = 0; e < STATS_ROUTE_ENDS && t->routes[i].connections.begun > 0; e++)
            fprintf(to,
                    "sluice_route_connections_ended_total{route=\"%s\",end=\"%s\"} %" PRIu64 "\n",
                    t->routes[i].name, stats_route_end_name((enum stats_route_end)e),
                    t->routes[i].connections.ended[e]);
    }
}

static void put_cookies(FILE *to, const struct route_totals *t)
{
    fputs(
        "# TYPE sluice_route_cookies counter\n"
        "# HELP sluice_route_cookies SYNs that were answered by a cookie in an endpoint's place.\n",
        to);
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->routes[i].connections.cookies > 0)
            fprintf(to, "sluice_route_cookies_total{route=\"%s\"} %" PRIu64 "\n", t->routes[i].name,
                    t->routes[i].connections.cookies);
    }
}

/* What went by, both ways. */
static void put_direction(FILE *to, const char *metric, const char *route, uint64_t up,
                          uint64_t down)
{
    fprintf(to,
            "%s_total{route=\"%s\",direction=\"up\"} %" PRIu64
            "\n%s_total{route=\"%s\",direction=\"down\"} %" PRIu64 "\n",
            metric, route, up, metric, route, down);
}

static void put_moved(FILE *to, const struct route_totals *t)
{
    fputs("# TYPE sluice_route_connection_bytes counter\n"
          "# UNIT sluice_route_connection_bytes bytes\n"
          "# HELP sluice_route_connection_bytes What was passed on, to backends (up) and clients "
          "(down).\n",
          to);
    for (uint32_t i = 0; i < t->count; i++) {
        const struct stats_connections *c = &t->routes[i].connections;
        if (c->begun > 0)
            put_direction(to, "sluice_route_connection_bytes", t->routes[i].name, c->up_bytes,
                          c->down_bytes);
    }
    fputs("# TYPE sluice_route_connection_packets counter\n"
          "# UNIT sluice_route_connection_packets packets\n"
          "# HELP sluice_route_connection_packets Packets that were forwarded without a "
          "connection of the box's, likewise.\n",
          to);
    for (uint32_t i = 0; i < t->count; i++) {
        const struct stats_connections *c = &t->routes[i].connections;
        if (c->up_packets + c->down_packets > 0)
            put_direction(to, "sluice_route_connection_packets", t->routes[i].name, c->up_packets,
                          c->down_packets);
    }
}

static void put_times(FILE *to, const char *metric, const char *route,
                      const struct stats_times *times)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < STATS_TIME_BUCKETS; i++) {
        char bound[32] = "+Inf";
        count += times->buckets[i];
        if (i + 1 < STATS_TIME_BUCKETS)
            snprintf(bound, sizeof(bound), "%.9g", (double)stats_time_bound_us(i) / 1e6);
        fprintf(to, "%s_bucket{route=\"%s\",le=\"%s\"} %" PRIu64 "\n", metric, route, bound, count);
    }
    fprintf(to, "%s_count{route=\"%s\"} %" PRIu64 "\n", metric, route, count);
    fprintf(to, "%s_sum{route=\"%s\"} %.6f\n", metric, route, (double)times->sum_us / 1e6);
}

static void put_head(FILE *to, const char *metric, const char *help)
{
    fprintf(to, "# TYPE %s histogram\n# UNIT %s seconds\n# HELP %s %s.\n", metric, metric, metric,
            help);
}

static void put_all(FILE *to, const struct route_totals *t)
{
    put_requests(to, t);
    put_head(to, "sluice_route_request_seconds",
             "From the head of a request to the last byte of its answer, or to its end");
    for (uint32_t i = 0; i < t->count; i++) {
        if (has_requests(&t->routes[i]))
            put_times(to, "sluice_route_request_seconds", t->routes[i].name, &t->routes[i].total);
    }
    put_head(to, "sluice_route_backend_seconds",
             "From the head of a request to the head of the backend's answer");
    for (uint32_t i = 0; i < t->count; i++) {
        if (has_requests(&t->routes[i]))
            put_times(to, "sluice_route_backend_seconds", t->routes[i].name, &t->routes[i].head);
    }
    put_connections(to, t);
    put_cookies(to, t);
    put_moved(to, t);
    fprintf(to,
            "# TYPE sluice_routes_left_out gauge\n"
            "# HELP sluice_routes_left_out Routes asked for but not told: more than %u.\n"
            "sluice_routes_left_out %" PRIu32 "\n# EOF\n",
            ROUTE_METRICS_MAX, t->left_out);
}

static void answer(struct api_call *call, const struct route_totals *t)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    if (to != NULL)
        put_all(to, t);
    if (to != NULL && fclose(to) == 0 && text != NULL)
        api_call_answer_text(call, 200, METRICS_TYPE, text);
    else
        api_call_fail(call, 500, "InternalError", "out of memory");
}

static void handle(void *owner, struct api_call *call)
{
    const struct daemon *d = owner;
    const char *match = api_call_param(call, "match");
    const struct stats_map *map = reconcile_telemetry(d->reconcile);
    struct route_totals totals = {0};
    if (match == NULL || match[0] == '\0') {
        api_call_fail(call, 400, "BadRequest",
                      "match: wants routes, as in match=namespace/name,namespace/*");
        return;
    }
    if (map != NULL && route_totals_read(map, is_wanted, (void *)(uintptr_t)match,
                                         ROUTE_METRICS_MAX, &totals) != 0) {
        api_call_fail(call, 500, "InternalError", "out of memory");
        return;
    }
    answer(call, &totals);
    route_totals_free(&totals);
}

int route_metrics_register(struct daemon *d)
{
    struct api_extra extra = {
        .method = "GET",
        .path = "/metrics/routes",
        .roles = API_ROLE_BIT(API_PROVIDER) | API_ROLE_BIT(API_OPERATOR),
        .handle = handle,
        .owner = d,
    };
    return api_register(d->api, &extra);
}
