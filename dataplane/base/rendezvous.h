/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Highest random weight (Thaler and Ravishankar: "Using name-based mappings to increase hit rates",
 * 1998): each node draws a number for a key, and the lowest draw has it. So whoever knows the same
 * nodes finds the same one, and when a node goes its keys move and no other. It needs no table, and
 * costs each key a draw of each node: for groups that have no table of base/maglev.h.
 *
 * With weights a draw is -log(u)/weight with u even in (0,1): the chance to be the least is then
 * the weight's share (Schindelhauer and Schomaker: "Weighted distributed hash tables", 2005). All
 * in integers, the same on every box; the logarithm is right to 1 %, so shares are, too.
 *
 * Pure; thread: any.
 */
#pragma once

#include <stdint.h>

/* -log2(u / 2^64) with 26 bits behind the point. */
static inline uint64_t rendezvous_log(uint64_t u)
{
    const unsigned bits = 26;
    unsigned zeros = (unsigned)__builtin_clzll(u | 1);
    uint64_t part = (u << zeros << 1) >> (64 - bits); /* u is 2^(63 - zeros) * (1 + part / 2^26) */
    uint64_t rest = (1u << bits) - part;
    uint64_t slope =
        285 + (168 * rest >> bits); /* of log2(1+x) - x, over 1024: right at both ends */
    uint64_t curve = (part * rest >> bits) * slope >> 10;
    return ((uint64_t)(zeros + 1) << bits) - part - curve;
}

/* What the node whose hash is `node` draws for the key whose hash is `key`. `weight`: not 0. Cost:
 * two multiplications and a division. */
static inline uint64_t rendezvous_draw(uint64_t key, uint64_t node, uint32_t weight)
{
    uint64_t u = key ^ node * 0x9e3779b97f4a7c15ull;
    u = (u ^ u >> 30) * 0xbf58476d1ce4e5b9ull; /* splitmix64's last steps */
    u = (u ^ u >> 27) * 0x94d049bb133111ebull;
    u ^= u >> 31;
    return (rendezvous_log(u) << 24) / weight;
}
