/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buckets of a worker's rate limits: a set-associative table of fixed size, so that strangers,
 * who choose addresses and headers, cannot make it grow. A set is one cache line; a key is a keyed
 * hash of 64 bits, so strangers cannot aim at a set, and is taken for the thing itself.
 *
 * Full buckets need no place: a bucket that is not there is a full one. When a set has only others,
 * the one that is full again soonest goes, for forgetting that changes least: its key may send its
 * burst once more. So under a flood of new keys those that had just one request replace each
 * other, and whoever is far over his limit stays known.
 *
 * Owner: the worker. Thread: the worker. Memory: given at start. Cost: one cache line a call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMIT_WAYS 4u /* buckets of a set: 64 bytes */

struct limit_bucket {
    uint64_t key; /* 0: free, and due_ns 0 */
    uint64_t due_ns;
};

struct limit_table {
    struct limit_bucket *buckets;
    uint32_t n; /* a power of two, at least LIMIT_WAYS */
};

/* Bytes for a table of `n` buckets. */
size_t limit_table_bytes(uint32_t n);

/* An empty one in zeroed memory of that many bytes, which lies at a multiple of 64. */
void limit_table_init(struct limit_table *t, void *memory, uint32_t n);

/* When the key's bucket is full again; 0: it is full, as far as we know. `key` is not 0. */
uint64_t limit_table_due(const struct limit_table *t, uint64_t key);

/* Stores that. True: a bucket of another key that was not full yet had to go. */
bool limit_table_put(struct limit_table *t, uint64_t key, uint64_t due_ns, uint64_t now_ns);
