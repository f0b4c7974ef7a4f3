/* SPDX-License-Identifier: Apache-2.0 */
/* routes: what the routes had, and how long it took, from the dataplane's telemetry segment. With
 * --seconds, of a while: two looks, and what lies between them. Owner: sluicectl; thread: one. */
#include "ctl/ctl.h"
#include "ctl/telemetry.h"
#include "publish/route_totals.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const double shares[] = {0.5, 0.9, 0.99};
enum { SHARES = 3 };
static const char *const share_names[SHARES] = {"p50", "p90", "p99"};

/* Is it one of the command line's words? Without any, all are. */
static bool is_wanted(void *arg, const char *name)
{
    const struct ctl_options *o = arg;
    for (int i = 0; i < o->n_words; i++) {
        if (strcmp(o->words[i], name) == 0)
            return true;
    }
    return o->n_words == 0;
}

/* All that are wanted. False: no memory, said on stderr. */
static bool look(const struct ctl_options *o, const struct stats_map *map, struct route_totals *ret)
{
    int error = route_totals_read(map, is_wanted, (void *)(uintptr_t)o, UINT32_MAX, ret);
    if (error != 0)
        fprintf(stderr, "sluicectl: %s\n", strerror(-error));
    return error == 0;
}

static void print_row(const struct stats_route *r, unsigned seconds)
{
    printf("%-40s %10" PRIu64, r->name, route_totals_requests(r));
    if (seconds > 0)
        printf(" %9.1f", (double)route_totals_requests(r) / seconds);
    for (unsigned c = 2; c < STATS_ROUTE_CLASSES; c++)
        printf(" %8" PRIu64, r->requests[c]);
    printf(" %8" PRIu64, r->requests[0]);
    for (unsigned i = 0; i < SHARES; i++)
        printf(" %9.3f", route_times_quantile_us(&r->total, shares[i]) / 1000);
    printf(" %9.3f\n", route_times_quantile_us(&r->head, shares[SHARES - 1]) / 1000);
}

static void print_connections_row(const struct stats_route *r, unsigned seconds)
{
    const struct stats_connections *c = &r->connections;
    printf("%-40s %11" PRIu64, r->name, c->begun);
    if (seconds > 0)
        printf(" %9.1f", (double)c->begun / seconds);
    else
        printf(" %9" PRIu64, route_totals_open(r));
    printf(" %14" PRIu64 " %14" PRIu64 " %12" PRIu64 " %12" PRIu64 " %9" PRIu64, c->up_bytes,
           c->down_bytes, c->up_packets, c->down_packets, c->cookies);
    for (unsigned i = 0; i < STATS_ROUTE_ENDS; i++)
        printf(" %9" PRIu64, c->ended[i]);
    putchar('\n');
}

/* Of those that pass connections on, if there are any. */
static void print_connections(const struct route_totals *t, unsigned seconds)
{
    bool has_head = false;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct stats_connections *c = &t->routes[i].connections;
        if (c->begun == 0 && c->cookies == 0 && c->up_bytes == 0 && c->down_bytes == 0)
            continue;
        if (!has_head) {
            printf("%-40s %11s %9s %14s %14s %12s %12s %9s", "ROUTE", "CONNECTIONS",
                   seconds > 0 ? "PER-S" : "OPEN", "BYTES-UP", "BYTES-DOWN", "PACKETS-UP",
                   "PACKETS-DOWN", "COOKIES");
            for (unsigned e = 0; e < STATS_ROUTE_ENDS; e++)
                printf(" %9s", stats_route_end_name((enum stats_route_end)e));
            putchar('\n');
            has_head = true;
        }
        print_connections_row(&t->routes[i], seconds);
    }
}

static void print_table(const struct route_totals *t, unsigned seconds)
{
    printf("%-40s %10s", "ROUTE", "REQUESTS");
    if (seconds > 0)
        printf(" %9s", "PER-S");
    printf(" %8s %8s %8s %8s %8s %9s %9s %9s %9s\n", "2XX", "3XX", "4XX", "5XX", "NONE", "P50-MS",
           "P90-MS", "P99-MS", "BACK-P99");
    for (uint32_t i = 0; i < t->count; i++) {
        if (route_totals_requests(&t->routes[i]) > 0)
            print_row(&t->routes[i], seconds);
    }
    print_connections(t, seconds);
}

static json_t *times_json(const struct stats_times *times)
{
    json_t *object = json_pack("{s:I,s:I}", "count", (json_int_t)route_times_count(times), "sumUs",
                               (json_int_t)times->sum_us);
    for (unsigned i = 0; i < SHARES; i++)
        json_object_set_new(object, share_names[i],
                            json_real(route_times_quantile_us(times, shares[i])));
    return object;
}

static json_t *connections_json(const struct stats_connections *c)
{
    json_t *ended = json_object();
    for (unsigned i = 0; i < STATS_ROUTE_ENDS; i++)
        json_object_set_new(ended, stats_route_end_name((enum stats_route_end)i),
                            json_integer((json_int_t)c->ended[i]));
    return json_pack("{s:I,s:o,s:I,s:I,s:I,s:I,s:I}", "begun", (json_int_t)c->begun, "ended", ended,
                     "upBytes", (json_int_t)c->up_bytes, "downBytes", (json_int_t)c->down_bytes,
                     "upPackets", (json_int_t)c->up_packets, "downPackets",
                     (json_int_t)c->down_packets, "cookies", (json_int_t)c->cookies);
}

/* A line a route. */
static void print_json(const struct route_totals *t)
{
    static const char *const classes[STATS_ROUTE_CLASSES] = {"none", "1xx", "2xx",
                                                             "3xx",  "4xx", "5xx"};
    for (uint32_t i = 0; i < t->count; i++) {
        json_t *requests = json_object();
        for (unsigned c = 0; c < STATS_ROUTE_CLASSES; c++)
            json_object_set_new(requests, classes[c],
                                json_integer((json_int_t)t->routes[i].requests[c]));
        json_t *line = json_pack("{s:s,s:o,s:o,s:o,s:o}", "route", t->routes[i].name, "requests",
                                 requests, "total", times_json(&t->routes[i].total), "backend",
                                 times_json(&t->routes[i].head), "connections",
                                 connections_json(&t->routes[i].connections));
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
    }
}

/* Waits, looks again, and leaves in `t` what lies between. False: said on stderr. */
static bool wait_and_look(const struct ctl_options *o, const struct stats_map *map,
                          struct route_totals *t)
{
    struct route_totals before = *t;
    struct timespec rest = {.tv_sec = o->seconds};
    nanosleep(&rest, NULL);
    bool is_read = look(o, map, t);
    for (uint32_t i = 0; is_read && i < t->count; i++) {
        const struct stats_route *was = route_totals_find(&before, t->routes[i].name);
        if (was != NULL)
            route_totals_since(&t->routes[i], was);
    }
    route_totals_free(&before);
    return is_read;
}

enum ctl_exit ctl_routes(const struct ctl_options *o)
{
    struct stats_map map;
    struct route_totals totals = {0};
    if (!ctl_telemetry_open(o, &map))
        return CTL_FAILED;
    bool is_read = look(o, &map, &totals);
    if (is_read && o->has_seconds)
        is_read = wait_and_look(o, &map, &totals);
    if (is_read && o->output == CTL_JSON)
        print_json(&totals);
    else if (is_read)
        print_table(&totals, o->has_seconds ? o->seconds : 0);
    if (is_read)
        route_totals_free(&totals);
    stats_map_close(&map);
    return is_read ? CTL_DONE : CTL_FAILED;
}
