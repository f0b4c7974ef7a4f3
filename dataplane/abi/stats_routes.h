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

/* Of a worker: 11 MiB. A large cluster has some 5,000 routes on a gateway. */
#define STATS_ROUTES_MAX 8192u
/* "namespace/name", 253 bytes each at most. */
#define STATS_ROUTE_NAME_BYTES 512u

/* Bucket i counts times up to stats_time_bound_us(i), the last one those that took longer: from 64
 * us, less than a backend in the same rack needs, to 67 s, which no time limit of ours outlives. */
#define STATS_TIME_BUCKETS 42u
#define STATS_TIME_LOG2_LEAST 6u

/* Answers by the first digit of their status; 0: the client got none. */
#define STATS_ROUTE_CLASSES 6u

/* How what a TCPRoute, UDPRoute or TLSRoute takes ends: X(name, help). */
#define STATS_ROUTE_END_LIST(X)                                                                    \
    X(complete, "both sides had ended")                                                            \
    X(client, "the client broke it")                                                               \
    X(backend, "the backend broke it")                                                             \
    X(idle, "nothing moved for too long")                                                          \
    X(handshake, "its TLS handshake with the client failed")                                       \
    X(unreached, "no endpoint is ready, or could be reached")                                      \
    X(refused, "the route or its backend is invalid, or there are too many")                       \
    X(cut, "it ended with the worker, or with an address of it")

enum stats_route_end {
#define X(name, help) STATS_ROUTE_END_##name,
    STATS_ROUTE_END_LIST(X)
#undef X
        STATS_ROUTE_ENDS
};

/* Connections that are passed on, and flows whose packets are forwarded. Those that are open:
 * begun, and in none of `ended`. */
struct stats_connections {
    uint64_t begun;
    uint64_t ended[STATS_ROUTE_ENDS];
    uint64_t up_bytes;   /* from clients to backends, as they move; of packets with IP headers, */
    uint64_t down_bytes; /* within seconds */
    uint64_t up_packets; /* of flows */
    uint64_t down_packets;
    uint64_t
        cookies; /* SYNs answered by one in an endpoint's place: nothing has begun with these */
};

struct stats_times {
    uint64_t buckets[STATS_TIME_BUCKETS];
    uint64_t sum_us;
};

/* In the segment each begins with a cache line; copies of it need not. */
struct stats_route {
    uint64_t version; /* odd while the place becomes another route's */
    uint64_t id;      /* of the route; 0: nobody's, or what found no place */
    uint64_t used_us; /* when it had a request or bytes last, in the worker's time */
    uint64_t requests[STATS_ROUTE_CLASSES];
    struct stats_times total; /* from the request's head to the last byte of its answer, or to its
                                 end: of each request */
    struct stats_times head;  /* to the head of the backend's answer, of those that had one */
    struct stats_connections connections;
    char name[STATS_ROUTE_NAME_BYTES];
    uint64_t reserved[3]; /* 0 */
};

_Static_assert(sizeof(struct stats_route) == 1408, "11 MiB a worker, and whole cache lines");

/* Name of an end, as it is shown; pure. */
static inline const char *stats_route_end_name(enum stats_route_end end)
{
    static const char *const names[] = {
#define X(name, help) #name,
        STATS_ROUTE_END_LIST(X)
#undef X
    };
    return names[end];
}

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
