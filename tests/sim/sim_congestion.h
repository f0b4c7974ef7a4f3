/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who uses BBR in a run: nobody in a third of the runs, all in a third, else about half. Of the
 * hosts that is connections; of the appliance binds and groups, as each of its images says. The
 * worlds that measure have CUBIC. Owner: the simulator.
 */
#pragma once

#include "tcp/tcp.h"

#include <stdint.h>

struct sim_plan;

/* What a seed decides: bit n: number n, counted around, has BBR. */
uint32_t sim_congestion_plan(uint64_t seed);

/* Number `n` of whoever counts. */
enum tcp_congestion sim_congestion_of(const struct sim_plan *plan, unsigned n);
