/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image's regular expressions made ready to be asked: Hyperscan's databases as this machine has
 * them, and a scratch for each who asks. Hyperscan (hs.h) is known here and in pattern_compile.c,
 * nowhere else.
 *
 * Owner: whoever holds the image; made and freed beside the workers. Asking allocates nothing.
 */
#pragma once

#include "abi/image.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct route_patterns;

/* One who asks: a worker, or the only one. Not two at the same time. */
struct route_reader {
    const struct route_patterns *patterns; /* of the image; NULL: it has none */
    unsigned number;
};

/* Which patterns of a set a text matches. */
struct route_hits {
    uint64_t bits[IMAGE_PATTERNS_PER_SET_MAX / 64];
};

/* Is the set's pattern number `i` one of them? */
static inline bool route_hits_has(const struct route_hits *hits, uint32_t i)
{
    return (hits->bits[i / 64] >> i % 64 & 1) != 0;
}

/*
 * Loads the databases of a checked image for readers 0..readers-1. True with *ret NULL: it has
 * none. False: `fault` says what is wrong (a database of another Hyperscan or another processor,
 * damage, no memory). Cost: by the bytes of the databases.
 */
bool route_patterns_new(const struct image_view *v, unsigned readers, struct route_patterns **ret,
                        char *fault, size_t fault_bytes);

/* NULL is fine. */
void route_patterns_free(struct route_patterns *p);

/* Looks at a text once. Cost: by its length, next to nothing by the number of patterns. */
void route_pattern_ask(const struct route_reader *reader, const struct image_pattern_set *set,
                       struct slice text, struct route_hits *ret);
