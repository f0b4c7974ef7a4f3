/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The telemetry segment (abi/stats.h), the writer's side: one memfd with a block of counters for
 * each worker and, as the last block, one for housekeeping; behind them what routes had, worker by
 * worker. Nobody outside can write or resize it.
 *
 * Owner: the composer. Thread: making and freeing one; each block has its own single writer.
 */
#pragma once

#include "abi/stats.h"

struct telemetry;

/* Makes the segment for `workers` workers with places for `routes` routes each. NULL: no memory, or
 * the kernel refuses. */
struct telemetry *telemetry_new(unsigned workers, uint32_t routes);

/* Unmaps and closes it; whoever has its descriptor can still read the last values. NULL: nothing.
 */
void telemetry_free(struct telemetry *t);

/* The worker's counters; `worker` == workers: housekeeping's. */
struct stats_worker *telemetry_block(struct telemetry *t, unsigned worker);

/* The worker's places for routes. */
struct stats_route *telemetry_routes(struct telemetry *t, unsigned worker);

/* A read-only descriptor to hand out; it stays the segment's own. */
int telemetry_fd(const struct telemetry *t);
