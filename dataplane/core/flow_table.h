/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table of a worker: tuple to entry. 64-byte buckets of eight places; a flow's bucket
 * follows from SipHash-1-3 (strangers choose the tuples, and know the Toeplitz keys of NICs), and
 * when it is full one of the next FLOW_TABLE_PROBES - 1 takes the flow. A bucket counts what went
 * past it, so a lookup ends at the first bucket that nobody passed: nearly always one cache line.
 *
 * Entries are not pointers but {index, generation, kind}: what they name asserts that it is meant.
 * Sized for half load; where all probed buckets are full, inserting is refused and counted: that
 * is for tables that are fuller than they were made for.
 *
 * Owner: the worker. Cost: O(1), FLOW_TABLE_PROBES lines at most.
 */
#pragma once

#include "base/ip_addr.h"
#include "base/siphash.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/* Of 6.3 thousand million flows put into tables of 2^20 buckets, each filled to half, so many found
 * the first k buckets full:
 *
 *   k          1     2    3     4     5      6       7       8       9      10
 *   ppm    8,630   550   53   6.4  0.86   0.12   0.016   0.002  0.0005  0.0002
 *
 * Each step is one in eight. Where flows come and go at half load it is seven times as many (a flow
 * stays behind when places before it become free): with four, 45 in a million were refused, and
 * with eight one in 70 million would be. With sixteen one in 10^15 is. It costs nothing: nobody
 * looks at a bucket that nobody went to. */
#define FLOW_TABLE_PROBES 16u
#define FLOW_TABLE_PLACES 8u

/* Bit 31: a mark, whose meaning is the owner's; bits 30..24: generation; bits 23..0: index.
 * 0xffffffff: no entry. */
typedef struct {
    uint32_t v;
} flow_entry_t;

#define FLOW_ENTRY_NONE ((flow_entry_t){0xffffffffu})
#define FLOW_ENTRY_INDEX_MAX 0x00fffffeu /* so that no entry is FLOW_ENTRY_NONE */
#define FLOW_ENTRY_GENERATION_MASK 0x7fu

/* Makes an entry. */
static inline flow_entry_t flow_entry(uint32_t index, uint8_t generation, bool mark)
{
    return (flow_entry_t){index | (uint32_t)(generation & FLOW_ENTRY_GENERATION_MASK) << 24 |
                          (uint32_t)mark << 31};
}

/* Which record. */
static inline uint32_t flow_entry_index(flow_entry_t e)
{
    return e.v & 0xffffffu;
}

/* Which use of the record: an old entry does not lead to its next one. */
static inline uint8_t flow_entry_generation(flow_entry_t e)
{
    return (e.v >> 24) & FLOW_ENTRY_GENERATION_MASK;
}

/* Its mark: which kind of record it is, or which side of one. */
static inline bool flow_entry_mark(flow_entry_t e)
{
    return (e.v >> 31) != 0;
}

/* Both ends of a flow as the appliance sees them; hashed as bytes, so there is no padding. */
struct flow_tuple {
    struct ip_addr local;
    struct ip_addr remote;
    uint16_t local_port;
    uint16_t remote_port;
};

static_assert(sizeof(struct flow_tuple) == 36, "no padding in a hashed key");

/* The same ends? */
static inline bool flow_tuple_eq(const struct flow_tuple *a, const struct flow_tuple *b)
{
    return __builtin_memcmp(a, b, sizeof(*a)) == 0;
}

struct flow_bucket {
    _Alignas(64) uint16_t tags[FLOW_TABLE_PLACES]; /* 0: the place is empty */
    uint32_t entries[FLOW_TABLE_PLACES];
    uint32_t passed; /* flows that wanted this bucket or an earlier one and lie behind it */
};

static_assert(sizeof(struct flow_bucket) == 64, "a bucket is a cache line");

/* The tuple that an entry stands for: the table keeps tags only. */
typedef const struct flow_tuple *(*flow_table_tuple_fn)(const void *owner, flow_entry_t e);

struct flow_table {
    struct flow_bucket *buckets;
    uint32_t mask; /* buckets - 1 */
    uint32_t used;
    struct siphash_key key;
    flow_table_tuple_fn tuple_of;
    const void *owner;
};

/* How many buckets are right for `flows` flows: a power of two. */
uint32_t flow_table_buckets(uint32_t flows);

/* Makes an empty table of `n_buckets` zeroed buckets. */
void flow_table_init(struct flow_table *t, struct flow_bucket *buckets, uint32_t n_buckets,
                     const struct siphash_key *key, flow_table_tuple_fn tuple_of,
                     const void *owner);

/* The hash of a tuple; the other functions take it, so that it is computed once. */
uint64_t flow_table_hash(const struct flow_table *t, const struct flow_tuple *tuple);

/* The same of `n` tuples of IPv4: of the i-th, addresses[i] has the remote address above the local
 * one, each as it lies in memory, and ports[i] the remote port above the local one. */
void flow_table_hash_ip4(const struct flow_table *t, const uint64_t *addresses,
                         const uint64_t *ports, uint64_t *ret, unsigned n);

/* Brings the bucket's line nearer. */
void flow_table_prefetch(const struct flow_table *t, uint64_t hash);

/* What flow_table_find() will most likely give, by the bucket alone: the first entry with this tag.
 * FLOW_ENTRY_NONE: there is none in the first bucket. Good for nothing but prefetching. */
flow_entry_t flow_table_guess(const struct flow_table *t, uint64_t hash);

/* The entry of the tuple; FLOW_ENTRY_NONE: there is none. */
flow_entry_t flow_table_find(const struct flow_table *t, uint64_t hash,
                             const struct flow_tuple *tuple);

/* Adds an entry of a tuple that is not there yet. False: the probed buckets are full. */
bool flow_table_insert(struct flow_table *t, uint64_t hash, flow_entry_t e);

/* Takes out the entry `e`, which must be there. */
void flow_table_remove(struct flow_table *t, uint64_t hash, flow_entry_t e);

/* Puts `fresh` in the place of `old`, which must be there: same tuple, other kind. */
void flow_table_replace(struct flow_table *t, uint64_t hash, flow_entry_t old, flow_entry_t fresh);
