/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-1-3 of eight keys of two words at once, each in a lane of a vector. Compiled for each
 * kind of vector that we use, under the name SIPHASH13_LANES (meson.build); siphash_pairs.c
 * chooses.
 */
#include "base/siphash_lanes.h"

#include <string.h>

typedef uint64_t lanes_t __attribute__((vector_size(8 * SIPHASH_LANES)));

struct state {
    lanes_t v0, v1, v2, v3;
};

static inline void put(struct state *s, const lanes_t *word)
{
    s->v3 ^= *word;
    SIPHASH_ROUND(s);
    s->v0 ^= *word;
}

void SIPHASH13_LANES(const struct siphash_state *begin, const uint64_t *first,
                     const uint64_t *second, uint64_t *ret)
{
    const lanes_t zero = {0}, length = zero + ((uint64_t)2 << 59);
    struct state s = {zero + begin->v0, zero + begin->v1, zero + begin->v2, zero + begin->v3};
    lanes_t word;
    memcpy(&word, first, sizeof(word));
    put(&s, &word);
    memcpy(&word, second, sizeof(word));
    put(&s, &word);
    put(&s, &length);
    s.v2 ^= zero + 0xff;
    for (unsigned i = 0; i < 3; i++)
        SIPHASH_ROUND(&s);
    word = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    memcpy(ret, &word, sizeof(word));
}
