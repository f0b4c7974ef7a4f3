/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which place of the telemetry segment has the counts of a route (abi/stats_routes.h): a hash table
 * from the route's id to its place. Ids are hashes of names that users choose, unkeyed so that they
 * are the same for all workers and in all images; so each id may stand in ROUTE_PROBES_MAX slots
 * only, and who aims at the same slots with many names gets no place for the last of them.
 *
 * A route that goes needs not be told: its place is given to another when there is no free one and
 * it had no request for so long. Until then its counts can be read, which is what somebody who
 * looks into an outage after a rollback wants.
 *
 * Owner: the worker. Thread: the worker. Memory: slots given at start, places are the segment's.
 * Cost: one cache line for a route that is there, beside its place.
 */
#pragma once

#include "abi/stats_routes.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* Slots that an id may stand in: at twice as many slots as places, more are hardly ever needed. */
#define ROUTE_PROBES_MAX 32u
/* Without a request for so long, a route makes room for another: an hour, so that whoever scrapes
 * has seen its last counts often. */
#define ROUTE_KEEP_US (3600ull * 1000000)
/* Places looked at for one to take, at each request that finds none: the hand goes on next time. */
#define ROUTE_LOOKS_MAX 8u

struct route_slot {
    uint32_t tag;   /* upper half of the id */
    uint32_t place; /* 0: free */
};

struct route_table {
    struct stats_route *places; /* the first: for all that find none */
    uint32_t n_places;
    uint32_t used; /* places of routes; all those before it are */
    uint32_t hand; /* where to look next for one to take */
    struct route_slot *slots;
    uint32_t n_slots; /* a power of two, at least twice n_places */
};

enum route_found {
    ROUTE_FOUND,
    ROUTE_NEW,      /* it has a place from now on */
    ROUTE_REPLACED, /* likewise, and another has none any more */
    ROUTE_NO_PLACE, /* what it gets is the place of all others */
};

/* Slots for so many places. */
uint32_t route_table_slots(uint32_t n_places);

/* An empty one; `slots` are route_table_slots(n_places), zeroed, as the places are. */
void route_table_init(struct route_table *t, struct stats_route *places, uint32_t n_places,
                      struct route_slot *slots);

/* The place of a route that had one, or that of all others; never NULL. */
struct stats_route *route_table_find(const struct route_table *t, uint64_t id);

/* The place of the route, or one for it; never NULL. `id` is not 0. */
struct stats_route *route_table_get(struct route_table *t, uint64_t id, struct slice name,
                                    uint64_t now_us, enum route_found *ret_found);
