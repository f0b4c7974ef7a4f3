/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of telemetry (abi/stats.h): what each route had, as a worker counts it. A worker has
 * STATS_ROUTES_MAX places for routes and one, the first, for all that found none. A place is a
 * route's by its name, not by an image: a new image that has the route goes on where it was.
 *
 * Times are counted in buckets whose bounds are two for each power of two, so a bound is 33 or 50 %
 * above the one before: what is read from them (a p99) is off by no more than that, and where it
 * lies between two bounds is guessed. Worker and reader need nothing else: plain 64-bit stores, one
 * writer, nothing to be merged but by adding up.
 */
#pragma once

#include <stdint.h>

/* Of a worker: 10 MiB. A large cluster has some 5,000 routes on a gateway. */
#define STATS_ROUTES_MAX 8192u
/* "namespace/name", 253 bytes each at most. */
#define STATS_ROUTE_NAME_BYTES 512u

/* Bucket i counts times up to stats_time_bound_us(i), the last one those that took longer: from 64
 * us, less than a backend in the same rack needs, to 67 s, which no time limit of ours outlives. */
#define STATS_TIME_BUCKETS 42u
#define STATS_TIME_LOG2_LEAST 6u

/* Answers by the first digit of their status; 0: the client got none. */
#define STATS_ROUTE_CLASSES 6u

struct stats_times {
    uint64_t buckets[STATS_TIME_BUCKETS];
    uint64_t sum_us;
};

/* In the segment each begins with a cache line; copies of it need not. */
struct stats_route {
    uint64_t version; /* odd while the place becomes another route's */
    uint64_t id;      /* of the route; 0: nobody's, or what found no place */
    uint64_t used_us; /* when it had a request last, in the worker's time */
    uint64_t requests[STATS_ROUTE_CLASSES];
    struct stats_times total; /* from the request's head to the last byte of its answer, or to its
                                 end: of each request */
    struct stats_times head;  /* to the head of the backend's answer, of those that had one */
    char name[STATS_ROUTE_NAME_BYTES];
    uint64_t reserved; /* 0 */
};

_Static_assert(sizeof(struct stats_route) == 1280, "10 MiB a worker, and whole cache lines");

/* The upper bound of a bucket, which the last one has not; pure. */
static inline uint64_t stats_time_bound_us(unsigned bucket)
{
    uint64_t base = bucket % 2 == 0 ? 2 : 3;
    return base << (STATS_TIME_LOG2_LEAST - 1 + bucket / 2);
}

/* The bucket of a time; pure. */
static inline unsigned stats_time_bucket(uint64_t us)
{
    if (us <= 1u << STATS_TIME_LOG2_LEAST)
        return 0;
    /* Behind the bound 2^n come 1.5 * 2^n and 2^(n + 1). */
    unsigned n = 63 - (unsigned)__builtin_clzll(us - 1);
    unsigned half = us > (uint64_t)3 << (n - 1) ? 2 : 1;
    unsigned bucket = 2 * (n - STATS_TIME_LOG2_LEAST) + half;
    return bucket < STATS_TIME_BUCKETS ? bucket : STATS_TIME_BUCKETS - 1;
}
