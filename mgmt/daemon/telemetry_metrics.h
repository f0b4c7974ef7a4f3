/* SPDX-License-Identifier: Apache-2.0 */
/* The dataplane's telemetry as OpenMetrics: counters and loop times of each worker. Pure but for
 * the stream. */
#pragma once

#include "abi/stats_read.h"

#include <stdio.h>

/* Writes every counter (sluice_dataplane_NAME) and the histograms of rounds, labelled by worker. */
void telemetry_metrics_write(FILE *to, const struct stats_map *map);
