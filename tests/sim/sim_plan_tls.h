/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of a plan. */
#pragma once

#include "sim_plan.h"

/* In one run of four clients speak TLS, all or some of them; in one of eight backends do. Chance is
 * its own: what the plan says of all else stays as it is, but for images that may come. */
void sim_plan_tls(struct sim_plan *p);
