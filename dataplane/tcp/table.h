/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table of a worker: tuple to entry. 64-byte buckets of eight places; a flow's bucket
 * follows from SipHash (strangers choose the tuples, and know the Toeplitz keys of NICs), and when
 * it is full one of the next TCP_TABLE_PROBES - 1 takes the flow. A bucket counts what went past
 * it, so a lookup ends at the first bucket that nobody passed: nearly always one cache line.
 *
 * Entries are not pointers but {index, generation, kind}: what they name asserts that it is meant.
 * Sized for half load; where all probed buckets are full, inserting is refused and counted: that
 * is for tables that are fuller than they were made for.
 *
 * Owner: the worker. Cost: O(1), TCP_TABLE_PROBES lines at most.
 */
#pragma once

#include "base/siphash.h"
#include "tcp/tcp_types.h"

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
#define TCP_TABLE_PROBES 16u
#define TCP_TABLE_PLACES 8u

/* Bit 31: a TIME_WAIT record; bits 30..24: generation; bits 23..0: index. 0xffffffff: no entry. */
typedef struct {
    uint32_t v;
} tcp_entry_t;

#define TCP_ENTRY_NONE ((tcp_entry_t){0xffffffffu})
#define TCP_ENTRY_INDEX_MAX 0x00fffffeu /* so that no entry is TCP_ENTRY_NONE */
#define TCP_ENTRY_GENERATION_MASK 0x7fu

/* Makes an entry. */
static inline tcp_entry_t tcp_entry(uint32_t index, uint8_t generation, bool is_timewait)
{
    return (tcp_entry_t){index | (uint32_t)(generation & TCP_ENTRY_GENERATION_MASK) << 24 |
                         (uint32_t)is_timewait << 31};
}

/* Which record. */
static inline uint32_t tcp_entry_index(tcp_entry_t e)
{
    return e.v & 0xffffffu;
}

/* Which use of the record: an old entry does not lead to its next one. */
static inline uint8_t tcp_entry_generation(tcp_entry_t e)
{
    return (e.v >> 24) & TCP_ENTRY_GENERATION_MASK;
}

/* Is it a compact TIME_WAIT record, not a connection? */
static inline bool tcp_entry_is_timewait(tcp_entry_t e)
{
    return (e.v >> 31) != 0;
}

struct tcp_bucket {
    _Alignas(64) uint16_t tags[TCP_TABLE_PLACES]; /* 0: the place is empty */
    uint32_t entries[TCP_TABLE_PLACES];
    uint32_t passed; /* flows that wanted this bucket or an earlier one and lie behind it */
};

static_assert(sizeof(struct tcp_bucket) == 64, "a bucket is a cache line");

/* The tuple that an entry stands for: the table keeps tags only. */
typedef const struct tcp_tuple *(*tcp_table_tuple_fn)(const void *owner, tcp_entry_t e);

struct tcp_table {
    struct tcp_bucket *buckets;
    uint32_t mask; /* buckets - 1 */
    uint32_t used;
    struct siphash_key key;
    tcp_table_tuple_fn tuple_of;
    const void *owner;
};

/* How many buckets are right for `flows` flows: a power of two. */
uint32_t tcp_table_buckets(uint32_t flows);

/* Makes an empty table of `n_buckets` zeroed buckets. */
void tcp_table_init(struct tcp_table *t, struct tcp_bucket *buckets, uint32_t n_buckets,
                    const struct siphash_key *key, tcp_table_tuple_fn tuple_of, const void *owner);

/* The hash of a tuple; the other functions take it, so that it is computed once. */
uint64_t tcp_table_hash(const struct tcp_table *t, const struct tcp_tuple *tuple);

/* Brings the bucket's line nearer. */
void tcp_table_prefetch(const struct tcp_table *t, uint64_t hash);

/* What tcp_table_find() will most likely give, by the bucket alone: the first entry with this tag.
 * TCP_ENTRY_NONE: there is none in the first bucket. Good for nothing but prefetching. */
tcp_entry_t tcp_table_guess(const struct tcp_table *t, uint64_t hash);

/* The entry of the tuple; TCP_ENTRY_NONE: there is none. */
tcp_entry_t tcp_table_find(const struct tcp_table *t, uint64_t hash, const struct tcp_tuple *tuple);

/* Adds an entry of a tuple that is not there yet. False: the probed buckets are full. */
bool tcp_table_insert(struct tcp_table *t, uint64_t hash, tcp_entry_t e);

/* Takes out the entry `e`, which must be there. */
void tcp_table_remove(struct tcp_table *t, uint64_t hash, tcp_entry_t e);

/* Puts `fresh` in the place of `old`, which must be there: same tuple, other kind. */
void tcp_table_replace(struct tcp_table *t, uint64_t hash, tcp_entry_t old, tcp_entry_t fresh);
