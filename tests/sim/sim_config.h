/* SPDX-License-Identifier: Apache-2.0 */
/* What mgmtd would do: images and endpoints for the appliance of a run, and their changes. */
#pragma once

#include "sim_box.h"

/* The first image and all endpoint groups; plans the first changes. */
void sim_config_begin(struct sim_box *b);

/* Carries out the changes that are due, and gives back what nobody holds any more. Returns true if
 * anything was done. */
bool sim_config_poll(struct sim_box *b, uint64_t now_us);
