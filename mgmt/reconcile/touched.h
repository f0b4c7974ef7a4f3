/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changed since the last run, so that a run need not look at everything: while only routes
 * and ListenerSets change, these; with anything else, "all". Endpoints need no run at all (see
 * reconcile.c).
 *
 * Owner: reconcile. Thread: the loop's. Bound: RECONCILE_TOUCHED_MAX versions of them.
 */
#pragma once

#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define RECONCILE_TOUCHED_MAX 1024u /* versions; beyond that looking at all is hardly more work */

struct touched {
    bool is_all;
    size_t n;
    json_t *versions[RECONCILE_TOUCHED_MAX]; /* of routes and ListenerSets, each that they had */
};

/* All is as if it had changed. */
void touched_set_all(struct touched *t);

/* Adds what a commit changed; `is_ours`: reconcile made it, so its statuses are as wanted. True: a
 * run has to look at it; statuses alone can wait for the next one. */
bool touched_add(struct touched *t, const struct store_change *changes, size_t n, bool is_ours);

/* A run has looked at all of it. */
void touched_clear(struct touched *t);

/* Is it a change of an EndpointSlice? */
bool touched_is_slice(const struct store_change *change);

/* Is it one of a Node? */
bool touched_is_node(const struct store_change *change);
