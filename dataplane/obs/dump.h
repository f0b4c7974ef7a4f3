/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dumps: everything of a kind is told once, a few a round, place by place. Several owners may tell
 * one dump, one behind the other: each has its stretch of the places.
 *
 * Owner, thread: the worker. Bound: OBS_LOOKS_PER_ROUND_MAX looks and OBS_FLOWS_PER_ROUND_MAX
 * records a round, observer and owner. Beside the path.
 */
#pragma once

#include "obs/obs.h"

/* What a look at a place has found. */
enum obs_look {
    OBS_LOOK_EMPTY,  /* nothing lies there */
    OBS_LOOK_PASSED, /* a thing that is not meant */
    OBS_LOOK_TOLD,   /* a thing, which was told */
    OBS_LOOK_FULL,   /* a thing that there is no room for now: the next round looks again */
};

/* An owner's stretch of a dump. */
struct obs_places {
    uint64_t first; /* the dump's place that is its first one */
    uint64_t n;
    bool is_last; /* behind them the dump is over; else another owner tells on */
    enum obs_look (*look)(void *owner, struct obs_lane *lane, uint64_t place); /* below `n` */
    void *owner;
};

/* Tells the next few of these places to each observer whose dump has come to them. A thing that
 * comes or goes meanwhile may be left out or told twice. Called once a round while somebody asks.
 * Returns how many places it looked at. */
unsigned obs_dump(struct obs *o, enum observe_kind kind, const struct obs_places *places);
