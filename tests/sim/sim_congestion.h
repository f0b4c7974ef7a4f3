/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which connections of a run use BBR: none in a third of the runs, all in a third, else about half,
 * on the appliance (between its TCP and its proxy, who says CUBIC) as on the hosts. The worlds that
 * measure have CUBIC. Owner: the simulator.
 */
#pragma once

#include "tcp/tcp.h"

#include <stdint.h>

struct sim_plan;
struct worker;

struct sim_congestion {
    const struct sim_plan *plan;
    struct worker *worker;
    struct tcp_upcalls upcalls; /* the proxy's */
    unsigned n;                 /* connections so far */
};

/* What a seed decides: bit n: connection n, counted around, has BBR. */
uint32_t sim_congestion_plan(uint64_t seed);

/* Connection `n` of whoever counts. */
enum tcp_congestion sim_congestion_of(const struct sim_plan *plan, unsigned n);

/* The worker's connections, in both directions, get what the plan says. */
void sim_congestion_begin(struct sim_congestion *x, const struct sim_plan *plan, struct worker *w);
