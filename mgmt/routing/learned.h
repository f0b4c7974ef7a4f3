/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What BgpPeers with `accept` have told: the routes that BIRD took of them, in order, as their
 * statuses show them; attach reads them there. The dataplane's ways follow within a second of
 * BIRD's, and stay as they are while BIRD does not answer.
 *
 * Owner: routing. Thread: the loop's.
 */
#pragma once

#include "routing/bird_routes.h"

#include <jansson.h>
#include <stddef.h>

struct store;

/* Of all peers: as many as the dataplane has room for (IMAGE_SECTION_LIST's EGRESS). */
#define LEARNED_MAX 4096u

struct learned {
    unsigned n;
    unsigned n_left_out; /* beyond LEARNED_MAX */
    struct bird_route routes[LEARNED_MAX];
};

/* Adds one; what has no room is counted. */
void learned_add(struct learned *l, const struct bird_route *route);

/* Puts them in their order, which does not depend on BIRD's. */
void learned_sort(struct learned *l);

/* How many of a protocol there are. */
unsigned learned_count(const struct learned *l, const char *protocol);

/* Those of a protocol as in a BgpPeer's status; those by a link-local gateway of no Interface are
 * left out. NULL: no memory. */
json_t *learned_json(const struct learned *l, const struct store *store, const char *protocol);
