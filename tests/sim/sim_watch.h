/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody who looks into the appliance while it lives, in one run of four: dumps, traces and
 * captures of everything, begun and stopped in the middle, read now fast, now slowly, now not at
 * all. Looking must break nothing; what is told must be whole and make sense. Owner: the box.
 */
#pragma once

#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

struct obs_hub;
struct sim;

struct sim_watch {
    struct sim *sim;
    struct rng rng;
    struct obs_hub *hub; /* NULL: nobody looks in this run */
    bool is_on;
    bool is_whole_wanted; /* it is let run until all was told */
    uint32_t kind;
    unsigned slot;
    uint64_t taken;
};

/* Does anybody look in this run? Makes what is needed for it. */
void sim_watch_new(struct sim_watch *w, struct sim *sim);

/* Begins, reads a little, or stops. */
void sim_watch_poll(struct sim_watch *w);

/* The workers have ended. */
void sim_watch_free(struct sim_watch *w);
