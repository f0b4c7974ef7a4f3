/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which Gateways and ListenerSets, at which metadata.generation, the images on their way carry, and
 * which every worker serves: what Programmed may be said of.
 *
 * Owner: reconcile. Thread: the loop's. Bound: RECONCILE_UNACKNOWLEDGED_MAX images on their way.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Further changes wait for an answer, then go as one image. Each image on its way is a memfd
 * that the kernel holds, so a dataplane that stands still costs this many images of memory. */
#define RECONCILE_UNACKNOWLEDGED_MAX 8u

struct plan;

struct carried {
    json_t *served; /* uid -> metadata.generation that every worker serves */
    unsigned n;
    struct {
        uint64_t generation;
        json_t *objects;                            /* uid -> metadata.generation */
    } unacknowledged[RECONCILE_UNACKNOWLEDGED_MAX]; /* oldest first */
};

/* Nothing is served. -ENOMEM. */
int carried_init(struct carried *c);

/* Gives it all back. */
void carried_done(struct carried *c);

/* Is there no room for another image? */
bool carried_is_full(const struct carried *c);

/* Remembers that the image of `generation` carries `plan`; of the same generation, the newer
 * plan counts. */
void carried_remember(struct carried *c, uint64_t generation, const struct plan *plan);

/* Every worker serves `generation` or a later one. */
void carried_acknowledge(struct carried *c, uint64_t generation);

/* Nothing is on its way any more. */
void carried_forget_unacknowledged(struct carried *c);

/* Nothing is on its way, and nothing is known to be served. */
void carried_forget_all(struct carried *c);
