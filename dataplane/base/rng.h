/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splitmix64: the worker's choices (weights, two random endpoints, jitter). Seeded once by whoever
 * makes the worker: from the kernel in production, from the seed in the simulator. Not for secrets.
 */
#pragma once

#include <stdint.h>

struct rng {
    uint64_t state;
};

/* The next 64 random bits. */
static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* Uniform in [0, bound), bound > 0 (Lemire's multiply-shift; bias below 2^-32 for bound < 2^32). */
static inline uint32_t rng_below(struct rng *r, uint32_t bound)
{
    return (uint32_t)(((rng_next(r) >> 32) * bound) >> 32);
}

/*
 * Numbers that fill [0, 2^32) evenly: the golden-ratio sequence (Weyl 1916; Knuth, The Art of
 * Computer Programming, volume 3, section 6.4). Of any n in a row a share of the range gets its
 * share of the numbers give or take a few, where n independent draws would be off by the square
 * root of n. For choices by weight: 500 requests at 70 % are 350, not
 * 325 to 375. Begins where its state says.
 */
struct even {
    uint64_t state;
};

/* The next number. */
static inline uint32_t even_next(struct even *e)
{
    e->state += 0x9e3779b97f4a7c15ULL; /* 2^64 divided by the golden ratio */
    return (uint32_t)(e->state >> 32);
}
