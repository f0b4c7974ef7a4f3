/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contract 2, telemetry: the dataplane writes, everybody else reads. One memfd, made by the
 * dataplane, handed out read-only over the control socket.
 *
 *   OFFSET            SIZE                DESCRIPTION
 *   0                 64                  struct stats_header
 *   names_offset      n_counters * 64     struct stats_name: NUL-padded name, no header file needed
 *   workers_offset    n_workers * stride  struct stats_worker: counters[n_counters], u64, host;
 *                                         struct stats_rounds at rounds_offset of each
 *   routes_offset     workers * n * size  struct stats_route (abi/stats_routes.h):
 *                                         routes_per_worker for each but housekeeping
 *
 * The last block is the housekeeping core's: n_workers is the number of workers plus one.
 *
 * A counter is written by one worker with plain 64-bit stores and read by anyone at any time: it
 * may be a poll old, never torn. Counters only grow; a gauge (name ends in _now) goes both ways.
 * Adding a counter changes nothing for a reader, which goes by names. The lists are one file a
 * module: enum, name and help come from the same line.
 */
#pragma once

#include "abi/stats_routes.h"

#include <stdint.h>

#define STATS_MAGIC 0x54534c53u /* "SLST" */
#define STATS_VERSION 1u
#define STATS_NAME_BYTES 64u

/* All counters, in the order of their appearance in the segment: STAT(name, help). */
enum stat_id {
#define STAT(name, help) STAT_##name,
#include "abi/stats_all.def"
#undef STAT
    STAT_COUNT
};

struct stats_header {
    uint32_t magic;
    uint32_t version;
    uint32_t n_counters;
    uint32_t n_workers;
    uint32_t names_offset;
    uint32_t workers_offset;
    uint32_t worker_stride; /* bytes from one worker's block to the next; a multiple of 64 */
    uint32_t rounds_offset; /* in a worker's block; 0: none there */
    uint32_t rounds_bytes;  /* of struct stats_rounds; another number: of another release */
    uint32_t routes_offset; /* 0: none there */
    uint32_t routes_per_worker;
    uint32_t route_bytes; /* of struct stats_route; another number: of another release */
    uint32_t reserved[4];
};

struct stats_name {
    char name[STATS_NAME_BYTES];
};

/* Loop times: bucket i counts rounds up to 2^(i + 7) ns, the last one those that took longer: from
 * 128 ns, an idle round, to half a second, which is beyond all reason. */
#define STATS_ROUND_BUCKETS 24u
#define STATS_ROUND_LOG2_LEAST 7u
#define STATS_ROUND_NS_LEAST (1u << STATS_ROUND_LOG2_LEAST)

/* What a round consists of: X(name, help). */
#define STATS_ROUND_LIST(X)                                                                        \
    X(frames, "frames received")                                                                   \
    X(timers, "timers that fired")                                                                 \
    X(neighbours, "things that net did: neighbours, announcements")                                \
    X(health, "health checks begun, and steps after changes")                                      \
    X(tls, "steps of handshakes taken, given away or come back")                                   \
    X(tcp, "events delivered to the proxy, and outputs")                                           \
    X(proxy, "upkeep of the proxy")                                                                \
    X(sent, "frames handed to ports and other workers")                                            \
    X(observed, "steps for those who look: flows looked at")                                       \
    X(images, "moves to another route image, and clients looked at that it may deny")

enum stats_round_part {
#define X(name, help) STATS_ROUND_##name,
    STATS_ROUND_LIST(X)
#undef X
        STATS_ROUND_PARTS
};

struct stats_histogram {
    uint64_t buckets[STATS_ROUND_BUCKETS];
    uint64_t sum_ns;
};

struct stats_longest {
    uint64_t ns;    /* 0: there was none */
    uint64_t at_us; /* in the worker's time */
    uint64_t done[STATS_ROUND_PARTS];
};

enum stats_longest_of {
    STATS_LONGEST_EVER,
    STATS_LONGEST_THIS_MINUTE,
    STATS_LONGEST_LAST_MINUTE,
    STATS_LONGEST_COUNT,
};

struct stats_rounds {
    uint64_t version; /* odd while longest[] is being written */
    uint64_t minute;  /* of the worker's time, which is STATS_LONGEST_THIS_MINUTE */
    struct stats_histogram busy;
    struct stats_histogram idle;
    struct stats_longest longest[STATS_LONGEST_COUNT];
};

struct stats_worker {
    _Alignas(64) uint64_t counters[STAT_COUNT];
    _Alignas(64) struct stats_rounds rounds; /* of the workers; housekeeping has none */
};

_Static_assert(sizeof(struct stats_header) == 64, "the table above says 64");

/* Name of a counter, as it is shown; pure. */
const char *stat_name(enum stat_id id);

/* One line of help on a counter; pure. */
const char *stat_help(enum stat_id id);

/* The help on a counter by its name; NULL: this release has none of that name. Pure. */
const char *stat_help_of(const char *name);

/* The upper bound of a bucket, which the last one has not; pure. */
static inline uint64_t stats_round_bound_ns(unsigned bucket)
{
    return (uint64_t)STATS_ROUND_NS_LEAST << bucket;
}

/* The name of a part of a round; pure. */
const char *stats_round_part_name(enum stats_round_part part);

/* "ever", "this_minute", "last_minute"; pure. */
const char *stats_longest_name(enum stats_longest_of of);
