/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maglev's consistent hashing (Eisenbud et al.: "Maglev: A Fast and Reliable Software Network Load
 * Balancer", NSDI 2016, section 3.4). Each node has a permutation of a table's places, made from
 * its key alone; the nodes take turns, and each takes the first place of its permutation that is
 * still free. So whoever knows the same nodes makes the same table, nodes of one weight have as
 * many places as each other but for one, and most places keep their node when another comes or
 * goes.
 *
 * Ways known: a ring of points (Karger et al., 1997: needs many points for the same evenness, and a
 * search for each key), highest random weight (Thaler and Ravishankar, 1996: no place moves that
 * need not, but each key costs a hash of each node). A lookup here costs one load. Would change our
 * mind: nodes that come and go so often that filling tables is what costs.
 *
 * Pure; thread: any. Memory: the caller's.
 */
#pragma once

#include <stdint.h>

/* Places of a table. A prime, so that each step walks all places. Reason: the paper's smaller one;
 * with 1,000 nodes, which is all that a group has, the most loaded has 0.7 % more than the mean.
 * One size for all: a table of another size sends nearly every key elsewhere, so none may grow
 * with the number of its nodes. */
#define MAGLEV_PLACES_MAX 65537u

/* Who shares the places. */
struct maglev_node {
    uint64_t key;    /* a hash of what the node is, the same wherever a table is made of it */
    uint32_t weight; /* its share of the places, to that of the others; not 0 */
    uint16_t id;     /* what stands at its places */
    /* maglev_fill()'s own */
    uint32_t next;   /* place of its permutation that it looks at next */
    uint32_t skip;   /* from there to the one after */
    uint64_t credit; /* it has a turn when this reaches the greatest weight */
};

/*
 * Fills the table of `size` places, a prime of at least 3, with the ids of the `n` nodes, at least
 * one; sorts the nodes by key. What comes out depends on keys and weights, not on the order of the
 * nodes. One whose share is less than a place may get none.
 * Cost: about size * ln(size) steps where weights are equal (a millisecond for MAGLEV_PLACES_MAX);
 * those of small weight are passed over, n for each place at the most.
 */
void maglev_fill(struct maglev_node *nodes, uint32_t n, uint16_t *table, uint32_t size);

/* The place of a key whose hash this is. Cost: a division. */
static inline uint32_t maglev_place(uint64_t hash, uint32_t size)
{
    return (uint32_t)(hash % size);
}
