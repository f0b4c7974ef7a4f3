/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contract 2, telemetry: the dataplane writes, everybody else reads. One memfd, made by the
 * dataplane, handed out read-only over the control socket.
 *
 *   OFFSET            SIZE                DESCRIPTION
 *   0                 64                  struct stats_header
 *   names_offset      n_counters * 64     struct stats_name: NUL-padded name, no header file needed
 *   workers_offset    n_workers * stride  struct stats_worker: counters[n_counters], u64, host
 *
 * The last block is the housekeeping core's: n_workers is the number of workers plus one.
 *
 * A counter is written by one worker with plain 64-bit stores and read by anyone at any time: it
 * may be a poll old, never torn. Counters only grow; a gauge (name ends in _now) goes both ways.
 * Adding a counter changes nothing for a reader, which goes by names. The lists are one file a
 * module: enum, name and help come from the same line.
 */
#pragma once

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
    uint32_t reserved[9];
};

struct stats_name {
    char name[STATS_NAME_BYTES];
};

struct stats_worker {
    _Alignas(64) uint64_t counters[STAT_COUNT];
};

_Static_assert(sizeof(struct stats_header) == 64, "the table above says 64");

/* Name of a counter, as it is shown; pure. */
const char *stat_name(enum stat_id id);

/* One line of help on a counter; pure. */
const char *stat_help(enum stat_id id);
