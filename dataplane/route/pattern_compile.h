/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles regular expressions to what route/pattern.h loads: for whoever writes images, on the
 * machine whose dataplane reads them. Thread: any. Cost: milliseconds; by the patterns.
 */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which pattern is wrong and why: Hyperscan's own words. */
struct route_pattern_fault {
    uint32_t pattern; /* UINT32_MAX: all together are too much */
    char text[256];
};

/*
 * A database of `n` patterns (at most IMAGE_PATTERNS_PER_SET_MAX), each of which matches a text if
 * it matches all of it; a pattern's number is its place. `*ret_bytes` is to be freed by free().
 * False: see *ret_fault.
 */
bool route_patterns_compile(const struct slice *patterns, uint32_t n, void **ret_bytes,
                            size_t *ret_len, struct route_pattern_fault *ret_fault);
