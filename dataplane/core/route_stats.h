/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts of a worker's routes: of connections that are passed on (proxy) and flows that are
 * forwarded (l4), whoever of them it is. Requests are counted by the proxy itself, at the place
 * that route_stats_place() gives.
 *
 * Owner, thread: the worker. Memory: route_table.h. Cost: two cache lines a call, of which those of
 * a busy route are near.
 */
#pragma once

#include "abi/stats_routes.h"

#include <stdint.h>

struct core;
struct image_view;

/* Where there are places for them; while the worker is made. */
void route_stats_init(struct core *core);

/* The place of the rule's route. Only where routes are counted (core.n_routes). */
struct stats_route *route_stats_place(struct core *core, const struct image_view *v, uint32_t rule);

/* A connection or flow begins that the rule passes on. Its route, for what follows; 0: none counts
 * it. */
uint64_t route_stats_begin(struct core *core, const struct image_view *v, uint32_t rule);

/* A SYN for the rule was answered by a cookie. If it comes back a flow begins. */
void route_stats_cookie(struct core *core, const struct image_view *v, uint32_t rule);

/* What moved, to backends (up) and to clients; of a connection of ours there are no packets. */
struct route_moved {
    uint64_t up_bytes;
    uint64_t down_bytes;
    uint64_t up_packets;
    uint64_t down_packets;
};

/* So much of it was passed on. */
void route_stats_moved(struct core *core, uint64_t route, const struct route_moved *moved);

/* It has ended so. */
void route_stats_end(struct core *core, uint64_t route, enum stats_route_end why);
