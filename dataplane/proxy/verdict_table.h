/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker remembers of passwords and tokens: good or not, and when, by a keyed digest of the
 * policy and of what the client sent, never the password. A set-associative table of fixed size; a
 * full set forgets the verdict that ends first, and then it is found out again.
 *
 * Owner, thread: the worker's. Cost: a cache line or two.
 */
#pragma once

#include "verify/verify_lane.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VERDICT_WAYS 4u /* of a set */

/* 128 bits that nobody outside can compute. */
struct verdict_key {
    uint64_t words[2];
};

struct verdict {
    struct verdict_key key;
    uint64_t until_us : 63; /* 0: free */
    uint64_t is_good : 1;
    uint32_t from_s; /* as the verifier's answer */
    uint32_t to_s;
};

struct verdict_table {
    struct verdict *verdicts;
    uint32_t n; /* a power of two, at least VERDICT_WAYS */
};

/* Bytes for a table of `n` verdicts. */
size_t verdict_table_bytes(uint32_t n);

/* An empty one in zeroed memory of that many bytes. */
void verdict_table_init(struct verdict_table *t, void *memory, uint32_t n);

/* The same key? */
static inline bool verdict_key_eq(const struct verdict_key *a, const struct verdict_key *b)
{
    return a->words[0] == b->words[0] && a->words[1] == b->words[1];
}

/* What is known. False: nothing, or not any more. */
bool verdict_table_find(const struct verdict_table *t, const struct verdict_key *key,
                        uint64_t now_us, struct verify_answer *ret);

/* Remembers that up to `until_us`, which is not 0. */
void verdict_table_put(struct verdict_table *t, const struct verdict_key *key, uint64_t until_us,
                       struct verify_answer answer);
