/* SPDX-License-Identifier: Apache-2.0 */
/* What of a plan is passed on. */
#pragma once

#include "sim_plan.h"

/* In one run of five there are connections that are passed on. Its chance is its own. After
 * sim_plan_tls(). */
void sim_plan_passes(struct sim_plan *p);
