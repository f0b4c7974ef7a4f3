/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations of the route image. The housekeeping core publishes a checked image; each worker
 * finds it at the top of its loop, serves it, and reports that at the end of the loop. A request in
 * flight pins the generation that it was matched on.
 *
 *   free --publish--> current --publish of the next--> old --every worker serves a later one, and
 *   no pins--> free (the image is given back through the release function)
 *
 * Invariant: a worker pins only the generation that it serves; so once it has reported a later one,
 * its pins of the old can only go down, and zero is final.
 *
 * Owner: housekeeping; a pin counter: its worker (plain numbers, one writer each).
 */
#pragma once

#include "abi/image.h"

#include <stdbool.h>
#include <stdint.h>

/* Images in memory at the same time: one current, the others held by requests that take longer than
 * the changes. Beyond: a publication waits. */
#define GENERATIONS_MAX 8u

struct generation;
struct generation_set;

/* One worker's hold on one generation. */
struct generation_pins {
    _Alignas(64) uint64_t n;
    struct generation *generation;
};

/* Gives an image's memory back, and that of what was made of it. The image can still be found when
 * it is called, and whatever a worker did before it let go of it can be seen. */
typedef void (*generation_release_fn)(void *owner, const void *image, size_t length,
                                      void *companion);

/* For workers 0..workers-1. NULL: no memory. */
struct generation_set *generation_set_new(unsigned workers, generation_release_fn release,
                                          void *owner);

/* Gives back all images, then the set. The workers have ended; pins do not count any more. NULL:
 * nothing. */
void generation_set_free(struct generation_set *s);

/* Makes a checked image the current one; it belongs to the set then. Its number is greater than any
 * before. `companion` is what else was made of it for those who serve it, NULL: nothing. False:
 * GENERATIONS_MAX are alive; try again after generation_set_reap(). Thread: housekeeping. */
bool generation_publish(struct generation_set *s, const void *image, size_t length,
                        void *companion);

/* Gives back every old image that nobody can see any more. Returns how many. Thread: housekeeping.
 */
unsigned generation_set_reap(struct generation_set *s);

/* The newest generation that every worker serves, or a later one; 0: none. Thread: housekeeping. */
uint64_t generation_served(const struct generation_set *s);

/* How many are alive. Thread: housekeeping. */
unsigned generation_live_count(const struct generation_set *s);

/* How many holds workers have on all of them; of a moment ago. Thread: housekeeping. */
uint64_t generation_pin_count(const struct generation_set *s);

/* The current one; NULL: none yet. Thread: any. Cost: a load. */
struct generation *generation_current(const struct generation_set *s);

/* The one of this number; NULL: it is not alive. Thread: housekeeping. */
const struct generation *generation_find(const struct generation_set *s, uint64_t number);

/* Its number. */
uint64_t generation_number(const struct generation *g);

/* Its image as typed pointers. */
const struct image_view *generation_view(const struct generation *g);

/* What was published with it. */
void *generation_companion(const struct generation *g);

/* The worker serves `g` from now on (NULL: nothing) and has let go of what it served before, but
 * for its pins. Thread: the worker's, at the end of the poll in which it moved. */
void generation_report(struct generation_set *s, unsigned worker, const struct generation *g);

/* The worker's hold on `g`: what generation_pin() wants. */
struct generation_pins *generation_pins_of(struct generation *g, unsigned worker);

/* Keeps the image in memory until the unpin. Thread: the worker's. Only on the generation that the
 * worker serves, or on one that it has pinned. */
void generation_pin(struct generation_pins *pins);

/* Lets go of one pin. Thread: the worker's. */
void generation_unpin(struct generation_pins *pins);
