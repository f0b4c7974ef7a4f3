/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoint records on disk: an append-only log, rewritten when most of it is old. Only what was
 * accepted is in it; replaying it gives the last table again.
 *
 *   OFFSET   SIZE     DESCRIPTION, of each entry
 *   0        4        magic "SLEL"
 *   4        4        length of the record
 *   8        8        siphash, all-zero key, of the length and the record
 *   16       length   struct endpoint_record with its list
 *
 * A kill of the process loses nothing; a power failure loses at most what was appended since the
 * last endpoint_log_sync(), and mgmtd sends everything anew after its HELLO.
 *
 * Owner, thread: housekeeping.
 */
#pragma once

#include "abi/endpoints.h"

#include <stdbool.h>

struct endpoint_log;
struct endpoint_table;
struct state_dir;

#define ENDPOINT_LOG_NAME "endpoints"

/* Largest log that is read: each group full, and as much again of old records. */
#define ENDPOINT_LOG_BYTES_MAX (2048ull << 20)

/* Old bytes that are allowed to lie beside the live ones before the log is rewritten. */
#define ENDPOINT_LOG_SLACK_BYTES (1u << 20)

/* What was found on disk. */
struct endpoint_log_found {
    uint32_t records; /* taken into the table */
    bool is_torn;     /* the last entry was cut off: a crash while it was written */
    bool is_damaged;  /* something else was wrong; what came before it was taken */
};

/* Opens the log and replays it into the table. What follows the first bad entry is dropped; a
 * damaged file is also kept as NAME.damaged. NULL: errno says why not. */
struct endpoint_log *endpoint_log_open(struct state_dir *d, struct endpoint_table *table,
                                       struct endpoint_log_found *ret_found);

/* Syncs and closes. NULL: nothing. */
void endpoint_log_close(struct endpoint_log *l);

/* Appends an accepted record; rewrites the log from the table when it has grown too much. False: it
 * could not be written; errno says why. */
bool endpoint_log_append(struct endpoint_log *l, const struct endpoint_record *record);

/* Brings what was appended to the disk, if anything was. Blocks for the time of a disk write. */
bool endpoint_log_sync(struct endpoint_log *l);
