/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics: what mgmtd counts, as OpenMetrics text. The dataplane's counters are read from its
 * telemetry segment (sluicectl stats).
 *
 * Owner: the daemon. Thread: the loop's. For providers and operators.
 */
#pragma once

struct daemon;

/* Registers the path; `d` must outlive its api. Errors as api_register(). */
int metrics_register(struct daemon *d);
