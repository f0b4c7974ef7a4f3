/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What befalls a run from outside, as the plan says: a send queue that stands still, buffers that
 * somebody else holds, workers that are not run, peers that lie. Each begins, lasts, and is over:
 * afterwards everything has to be as before. Owner: the simulator.
 */
#pragma once

#include "sim_limits.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct sim;

struct sim_troubles {
    bool is_on[SIM_TROUBLES_MAX]; /* of the plan's troubles */
    bool is_over[SIM_TROUBLES_MAX];
    unsigned naps; /* under way: the workers are not run */
    uint32_t n_held;
    struct rte_mbuf *held[SIM_BOX_MBUFS]; /* the appliance's buffers that somebody holds */
};

/* Begins and ends what is due, and takes what buffers have come back meanwhile. */
void sim_trouble_poll(struct sim *s);

/* When the next one begins or ends; UINT64_MAX: there is none. */
uint64_t sim_trouble_next_us(const struct sim *s);

/* Ends all of them, now and for good. */
void sim_trouble_end(struct sim *s);
