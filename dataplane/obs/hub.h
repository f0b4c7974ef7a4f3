/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Observations as housekeeping sees them: a slot each, a lane on every worker. It begins and ends
 * them, and takes the workers' records; what becomes of these is the caller's business.
 *
 * Owner, thread: housekeeping; the lanes' other ends are the workers' (obs/lane.h). Bound:
 * OBS_SLOTS_MAX; memory is taken in obs_hub_new(): 1.25 MiB a worker.
 */
#pragma once

#include "abi/observe.h"

#include <stdbool.h>
#include <stdint.h>

struct obs;
struct obs_hub;

/* For workers 0..workers-1. NULL: no memory. */
struct obs_hub *obs_hub_new(unsigned workers);

/* Frees it. The workers have ended. NULL: nothing. */
void obs_hub_free(struct obs_hub *hub);

/* Makes the worker's eye; its first look finds what was asked before it came. Before the worker
 * runs; the hub outlives it. */
void obs_join(struct obs_hub *hub, unsigned worker, struct obs *ret);

/* Begins what a sound request asks, on the workers that it names. False: all slots are in use. */
bool obs_hub_begin(struct obs_hub *hub, const struct control_observe *request, unsigned *ret_slot);

/* Do all workers that were asked look? What they meet before that, nobody is told. */
bool obs_hub_has_begun(struct obs_hub *hub, unsigned slot);

/* Tells the workers that it is enough. Any number of times, until obs_hub_is_over(). */
void obs_hub_end(struct obs_hub *hub, unsigned slot);

/* The oldest record of some worker; NULL: none is there now. Fair among the workers, in order of
 * each. */
const struct observe_record *obs_hub_peek(struct obs_hub *hub, unsigned slot);

/* Done with the record that obs_hub_peek() gave. */
void obs_hub_drop(struct obs_hub *hub, unsigned slot, const struct observe_record *record);

/* Has every worker told all that it had to tell, and was every record taken? */
bool obs_hub_is_over(struct obs_hub *hub, unsigned slot);

/* What it came to by now; final once it is over. */
void obs_hub_totals(struct obs_hub *hub, unsigned slot, struct control_observed *ret);

/* Gives the slot back; it is used again when every worker has answered. What was not taken is
 * thrown away. */
void obs_hub_release(struct obs_hub *hub, unsigned slot);
