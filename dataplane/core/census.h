/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many connections and flows are open now, by listener and by client, for the limits of
 * AccessPolicies (struct image_conn_limit). One table for all workers: a client's connections lie
 * on whichever workers their ports lead to, so a limit of ten split among sixteen would refuse the
 * second one, and ten for each would let in a hundred and sixty.
 *
 * Known ways: a share for each worker (as of what is everybody's in proxy/limit.c), an owner of
 * each key that the others ask over rings (an answer a round later, within a handshake), words
 * without a lock. We take the last: a place is one word, a part of a keyed hash and a count, and is
 * taken, counted up and down by compare-and-exchange. That is two such steps a connection, beside
 * which nobody notices them; packets touch nothing of it. Two workers that begin to count the same
 * key while a third gives a place back may count it in two places: then it has a few more than its
 * limit until one of the two is empty. Would change: a million connections a second.
 *
 * What is counted is remembered by whoever holds it (struct census_hold), so a limit that changes,
 * or goes and comes again, has no memory that is wrong. What was open before its limit came is not
 * counted.
 *
 * Thread: any worker's. Memory: given at start; a key that finds no place is not counted.
 */
#pragma once

#include "abi/image.h"
#include "abi/stats.h"

#include <stdbool.h>
#include <stdint.h>

struct census;
struct core;

#define CENSUS_WAYS 8u               /* places that a key may have: a cache line */
#define CENSUS_PLACES_MAX (1u << 22) /* 32 MiB; more keys than these are not counted */
#define CENSUS_TRIES_MAX 64u         /* others may be faster so often, then it is not counted */
#define CENSUS_COUNT_MAX ((1u << 24) - 1)

/* What a connection or flow counts for; zero: nothing yet. */
struct census_hold {
    uint64_t listener; /* keys */
    uint64_t client;
};

/* A table for so many connections of all workers. NULL: no memory. */
struct census *census_new(uint64_t conns);

/* Frees it; NULL is fine. */
void census_free(struct census *c);

/* The counter against one more at the bind from this client; STAT_COUNT: it may come in. Only asks;
 * whoever refuses it counts. Cost: nothing where there is no limit; else a line a limit. */
enum stat_id census_against(const struct core *core, const struct image_view *v, uint32_t bind,
                            const struct ip_addr *client);

/* Counts one for what *hold has not got yet; `client` NULL: only the listener's. False: it may not
 * come in, counted in `core`; the hold is as it was. */
bool census_enter(struct core *core, const struct image_view *v, uint32_t bind,
                  const struct ip_addr *client, struct census_hold *hold);

/* It has ended. */
void census_leave(struct core *core, struct census_hold *hold);

/* How many there are of a key. For tests. */
uint32_t census_count(const struct census *c, uint64_t key);
