/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network that marks (RFC 3168): packets that say that both ends of their connection know ECN are
 * told of congestion (CE) where a queue would else drop something. Which wires do so, who has ECN,
 * and what every frame on a wire must hold to. Pure.
 */
#pragma once

#include "sim_limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_plan;

/* The appliance among those of whom one can ask whether they have ECN. */
#define SIM_BOX SIM_HOSTS_MAX

/* Who has ECN, and how the wires mark: wholly in a world that `marks`, else a little in one run of
 * four of those where not everything has to come at once. From the seed, but for no other chance of
 * the plan. */
void sim_plan_marks(struct sim_plan *p, bool marks);

/* Has host `number`, or SIM_BOX, ECN? */
bool sim_has_ecn(const struct sim_plan *p, unsigned number);

/* Is it an IP packet that may be marked: ECT(0) or ECT(1)? */
bool sim_is_capable(const uint8_t *frame, size_t len);

/* Is it one that was marked? */
bool sim_is_marked(const uint8_t *frame, size_t len);

/* Marks a frame that may be; the checksum of its IPv4 header is right again. */
void sim_mark(uint8_t *frame, size_t len);

/* What is wrong with the ECN field of a frame that was just sent, where both its ends have ECN or
 * not; NULL: nothing. */
const char *sim_mark_fault(const uint8_t *frame, size_t len, bool has_ecn);
