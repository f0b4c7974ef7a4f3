/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The telemetry segment (abi/stats.h), the writer's side: one memfd with a block of counters for
 * each worker and, as the last block, one for housekeeping. Nobody outside can write or resize it.
 *
 * Owner: the composer. Thread: making and freeing one; each block has its own single writer.
 */
#pragma once

#include "abi/stats.h"

struct telemetry;

/* Makes the segment for `workers` workers. NULL: no memory, or the kernel refuses. */
struct telemetry *telemetry_new(unsigned workers);

/* Unmaps and closes it; whoever has its descriptor can still read the last values. NULL: nothing.
 */
void telemetry_free(struct telemetry *t);

/* The worker's counters; `worker` == workers: housekeeping's. */
struct stats_worker *telemetry_block(struct telemetry *t, unsigned worker);

/* A read-only descriptor to hand out; it stays the segment's own. */
int telemetry_fd(const struct telemetry *t);
