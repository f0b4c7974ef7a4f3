/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books: what came in has gone into exactly one counter, what was opened has ended in exactly
 * one. For the simulator and tests/fuzz, whose stacks leave the books of higher layers at 0. Pure.
 */
#pragma once

#include "abi/stats.h"

#include <stdbool.h>
#include <stddef.h>

/* Do the books balance of a worker, or the sums of several, that hold no connection and no frame?
 * False: `ret` says which does not. `counters` has STAT_COUNT entries. */
bool balance_is_right(const uint64_t *counters, char *ret, size_t bytes);
