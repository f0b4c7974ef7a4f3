/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A crowd: thousands of connections of one client, each of which asks once, gets the appliance's
 * own answer, and rests until it closes, or the appliance does. Small, so that ten thousand of them
 * cost little; what they ask needs no backend, so that nothing but the appliance is measured.
 *
 * The crowd counts as one session: the run goes on until all of it has closed.
 */
#pragma once

#include "base/wheel.h"
#include "sim_limits.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_CROWD_CLIENT 0u /* the host that it lives on */

struct sim;
struct sim_crowd;
struct stream;

struct sim_crowd_conn {
    struct sim_crowd *crowd;
    struct stream *stream; /* NULL: not open */
    bool is_asked;
    bool is_answered;
};

struct sim_crowd {
    struct sim *sim;
    struct wheel_timer timer; /* the next one opens, or closes */
    uint32_t n_opened;        /* so far, in their order */
    uint32_t n_closed;        /* by us, in their order */
    uint32_t n_live;
    uint32_t n_live_max;
    uint32_t n_answered;
    uint32_t n_unopened; /* refused by the client's own stack */
    bool is_over;
    struct sim_crowd_conn conns[SIM_CROWD_MAX];
};

/* Makes the crowd of the plan, if there is one. */
void sim_crowd_init(struct sim_crowd *c, struct sim *sim);

/* Ends what is open when the run gives up. */
void sim_crowd_stop(struct sim_crowd *c);

/* The invariants of a crowd that has closed (called by sim_check()). */
void sim_crowd_check(const struct sim_crowd *c);
