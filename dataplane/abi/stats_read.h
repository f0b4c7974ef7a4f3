/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the telemetry segment (abi/stats.h) from outside the dataplane, by names: a reader need
 * not be of the same version. What the segment says of its own layout is checked once, so that a
 * foreign or damaged one is refused and never read out of bounds.
 *
 * Owner: the reader. Thread: any one at a time. Errors: negative errno.
 */
#pragma once

#include "abi/stats.h"

#include <stdbool.h>
#include <stddef.h>

struct stats_map {
    const uint8_t *base;
    size_t length;
    struct stats_header header; /* a checked copy */
};

/* Maps the segment behind `fd` (which stays the caller's). -EINVAL: no telemetry of ours; or the
 * errno of mmap(). */
int stats_map_open(int fd, struct stats_map *ret);

/* Unmaps. */
void stats_map_close(struct stats_map *map);

/* The name of counter `i` < header.n_counters: always NUL-terminated. */
const char *stats_map_name(const struct stats_map *map, uint32_t i);

/* Counter `i` of `worker` < header.n_workers, now. */
uint64_t stats_map_value(const struct stats_map *map, uint32_t worker, uint32_t i);

/* Loop times of `worker`, its longest rounds all of one moment. False: the segment has none
 * (another release, or housekeeping's block), or the worker wrote all the while. */
bool stats_map_rounds(const struct stats_map *map, uint32_t worker, struct stats_rounds *ret);

/* How many places for routes each worker has, the first of them for what found none; 0: the segment
 * has none that this release can read. */
uint32_t stats_map_routes(const struct stats_map *map);

/* Place `i` < stats_map_routes() of `worker`, which is no housekeeping's, all of it of one route.
 * False: it is nobody's yet, or the worker gave it to others all the while. Its name is
 * NUL-terminated. */
bool stats_map_route(const struct stats_map *map, uint32_t worker, uint32_t i,
                     struct stats_route *ret);

/* Counter `i` summed over the workers. */
uint64_t stats_map_sum(const struct stats_map *map, uint32_t i);
