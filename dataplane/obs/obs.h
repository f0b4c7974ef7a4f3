/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's eye: what it is asked to see, and how it tells. Usable by all layers; knows none of
 * them. While nobody looks, the data path pays one predictable branch at each place: obs_watches().
 *
 * A producer (the dump of flows, the trace, the capture) goes through the lanes of its kind, asks
 * the filter whether the thing is meant, and puts a record. The eye counts what found no room and
 * ends an observation that has told as much as it may.
 *
 * Owner, thread: the worker. Bound: OBS_SLOTS_MAX observations, a ring each.
 */
#pragma once

#include "obs/filter.h"
#include "obs/lane.h"

#include <stddef.h>

struct obs {
    uint32_t watching;   /* bit n: an observation of kind n is on; what the data path looks at */
    uint32_t heard;      /* the bell, as of the last look */
    struct obs_box *box; /* NULL: nobody can ask */
};

/* Is anybody looking at things of this kind? Cost: a branch. */
static inline bool obs_watches(const struct obs *o, enum observe_kind kind)
{
    return __builtin_expect((o->watching & 1u << kind) != 0, 0);
}

/* Takes what housekeeping asks; once a round. Returns how much it did. Cost: a load and a branch
 * when there is nothing new. */
unsigned obs_poll(struct obs *o);

/* The lane after `last` (NULL: the first) with an observation of this kind that is on; NULL: no
 * more. */
struct obs_lane *obs_lane_next(struct obs *o, enum observe_kind kind, const struct obs_lane *last);

/* Room for a record of `bytes`, with its head; NULL: there is none. After obs_put() the eye may
 * have ended the observation. */
void *obs_take(struct obs *o, struct obs_lane *lane, enum observe_record_type type, uint32_t bytes,
               uint64_t now_us);

/* The record that obs_take() gave is whole. */
void obs_put(struct obs *o, struct obs_lane *lane, const void *record);

/* A thing was meant, and there was no room to tell of it. */
static inline void obs_lose(struct obs_lane *lane)
{
    lane->lost++;
}

/* All was told. */
void obs_finish(struct obs *o, struct obs_lane *lane, bool is_whole);
