/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of obs, each with its reason. Units are the last word of the name. */
#pragma once

/* Observers at the same time, of whatever kind: an operator, a colleague, a script, and one to
 * spare. One more is refused. */
#define OBS_PEERS_MAX 4u

/* Observations at the same time: those, and the access log, which takes no place of theirs. */
#define OBS_SLOTS_MAX (OBS_PEERS_MAX + 1u)

/* Records that wait for housekeeping, a worker and observation: at 10 Gbit/s of captured frames it
 * fills in 0.2 ms of housekeeping's absence, at a thousand records a millisecond in 2 ms. A power
 * of two, more than twice the longest record. */
#define OBS_RING_BYTES_MAX (256u << 10)

/* Places of the connection pool that a dump looks at in one round; a cache miss of 0.1 us each. */
#define OBS_LOOKS_PER_ROUND_MAX 64u

/* Flows that a dump writes in one round: about 0.2 us each. */
#define OBS_FLOWS_PER_ROUND_MAX 16u
