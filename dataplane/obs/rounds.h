/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a worker's rounds take: a histogram for rounds that did something and one for those that
 * did not, and the longest rounds with what was done in them. The time comes from outside
 * (loop.c); the worker itself reads no clock, so in the simulator nothing is noted.
 *
 * Owner, thread: the worker's loop writes, anybody reads (abi/stats_read.h). Cost: about 2 ns a
 * round.
 */
#pragma once

#include "abi/stats.h"

#include <stdbool.h>

/* What one round did. */
struct obs_round {
    uint32_t done[STATS_ROUND_PARTS]; /* how many things each part of the round did */
};

/* Notes a round of `ns` that ended at `now_us`. */
void obs_round_note(struct stats_rounds *to, const struct obs_round *round, bool is_busy,
                    uint64_t ns, uint64_t now_us);
