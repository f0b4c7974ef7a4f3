/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics: what mgmtd counts, as OpenMetrics text. The dataplane's counters are read from its
 * telemetry segment (sluicectl stats); what routes had is apart, see route_metrics.h.
 *
 * Owner: the daemon. Thread: the loop's. For providers and operators.
 */
#pragma once

struct daemon;

#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Registers the path; `d` must outlive its api. Errors as api_register(). */
int metrics_register(struct daemon *d);
