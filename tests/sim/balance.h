/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books of net and tcp: what came in has gone into exactly one counter, what was opened has
 * ended in exactly one. For tests/fuzz. Pure.
 */
#pragma once

#include "abi/stats.h"

#include <stdbool.h>
#include <stddef.h>

/* Do the books balance of a stack that holds no connection and no frame? False: `ret` says which
 * does not. `counters` has STAT_COUNT entries. */
bool balance_is_right(const uint64_t *counters, char *ret, size_t bytes);

/* The sum of all counters whose names begin like this. */
uint64_t balance_family(const uint64_t *counters, const char *prefix);
