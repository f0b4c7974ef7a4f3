/* SPDX-License-Identifier: Apache-2.0 */
/* What of a plan is passed on, and the datagrams. */
#pragma once

#include "sim_plan.h"

/* In one run of four datagrams are asked and answered. Its chance is its own. `rests`: some ask so
 * rarely that they are forgotten meanwhile. After sim_plan_passes(). */
void sim_plan_asks(struct sim_plan *p, bool rests);

/* In one run of five there are connections that are passed on. Its chance is its own. After
 * sim_plan_tls(). */
void sim_plan_passes(struct sim_plan *p);
