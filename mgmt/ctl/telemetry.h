/* SPDX-License-Identifier: Apache-2.0 */
/* The dataplane's telemetry segment, asked for over its own socket: works while mgmtd is down.
 * Owner: sluicectl's main; thread: one. */
#pragma once

#include "abi/stats_read.h"
#include "ctl/ctl.h"

/* Maps it; the caller's to close. False: there is none, said on stderr. */
bool ctl_telemetry_open(const struct ctl_options *o, struct stats_map *ret);
