/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the routes had, of all workers together, as the telemetry segment says (abi/stats_routes.h).
 *
 * Owner: the caller. Thread: any one at a time. Cost: one pass over the workers' places, and a copy
 * of 1.4 KB for each route that is wanted. Errors: negative errno.
 */
#pragma once

#include "abi/stats_read.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct route_totals {
    struct stats_route *routes; /* by name; `version` says nothing here */
    uint32_t count;
    uint32_t left_out; /* wanted, but beyond `most` */
};

/* Is the route with this name wanted? */
typedef bool (*route_totals_wants)(void *arg, const char *name);

/* Reads the routes that are wanted (`wants` NULL: all), the first `most` of them by name. What no
 * route had a place for goes by the name "(others)", as the dataplane has it. -ENOMEM. */
int route_totals_read(const struct stats_map *map, route_totals_wants wants, void *arg,
                      uint32_t most, struct route_totals *ret);

/* Frees what was read. */
void route_totals_free(struct route_totals *totals);

/* The route of that name; NULL: it is not there. */
const struct stats_route *route_totals_find(const struct route_totals *totals, const char *name);

/* Takes what was there before off, so that what happened since remains. A place that another route
 * had in between began anew: then all of it is since. */
void route_totals_since(struct stats_route *now, const struct stats_route *before);

/* Requests with any answer or none. */
uint64_t route_totals_requests(const struct stats_route *route);

/* Connections that were begun and have not ended. */
uint64_t route_totals_open(const struct stats_route *route);

/* How many times were counted. */
uint64_t route_times_count(const struct stats_times *times);

/* The time that the share `q` (0 to 1) of them did not exceed, guessed between two bounds as if
 * they were spread evenly; beyond the last bound: that one. 0: there is none. Pure. */
double route_times_quantile_us(const struct stats_times *times, double q);
