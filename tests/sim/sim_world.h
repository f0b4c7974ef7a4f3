/* SPDX-License-Identifier: Apache-2.0 */
/* What is special about a world, and the parts of a plan that come of it: wires, troubles, the
 * crowd. Pure. */
#pragma once

#include "base/assert.h"
#include "base/rng.h"
#include "sim_plan.h"

struct sim_traits {
    bool loses, reorders, corrupts, churns, is_rude, is_short, has_two_workers;
    bool rests, has_dead_ends, is_narrow, moves;
    bool is_hasty; /* it churns much more often */
    bool is_crowded, has_nic_trouble, naps, lies, cuts, is_black_hole, marks;
};

/* The traits of a world. */
struct sim_traits sim_world_traits(enum sim_world world);

/* One LAN's wires. */
void sim_plan_wire(struct sim_wire_plan *w, struct rng *r, const struct sim_traits *t);

/* The crowd, and the room that the appliance has for it. */
void sim_plan_crowd(struct sim_plan *p, struct rng *r, const struct sim_traits *t);

/* The troubles within the plan's span and a little after. */
void sim_plan_troubles(struct sim_plan *p, struct rng *r, const struct sim_traits *t);

/* True once in `n`. */
static inline bool sim_one_in(struct rng *r, uint32_t n)
{
    return rng_below(r, n) == 0;
}

/* Uniform in [low, high]. */
static inline uint32_t sim_between(struct rng *r, uint32_t low, uint32_t high)
{
    ASSERT(low <= high);
    return low + rng_below(r, high - low + 1);
}
