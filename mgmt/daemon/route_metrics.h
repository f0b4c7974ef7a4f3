/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics/routes?match=NAMES: requests and times of routes, as OpenMetrics. Only of those that
 * are asked for, and of a bounded number of them: a box has thousands of routes, and a route has
 * some ninety series. /metrics has none of them, so nobody pays who does not ask.
 *
 * Owner: the daemon. Thread: the loop's. For providers and operators.
 */
#pragma once

struct daemon;

/* Routes in one answer; what is left out is told. A scrape of some 9,000 series and a megabyte. */
#define ROUTE_METRICS_MAX 100u

/* Registers the path; `d` must outlive its api. Errors as api_register(). */
int route_metrics_register(struct daemon *d);
