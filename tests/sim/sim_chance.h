/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What OpenSSL takes for chance and for the time, in the simulator: both come of the seed. Below a
 * handshake it asks for random bytes and for the clock by itself; from here it gets the seed's and
 * the run's. So keys, nonces, tickets and the lengths of signatures are the same each time.
 *
 * Owner: the process. Thread: one.
 */
#pragma once

#include <stdint.h>

/* What the wall clock says when a run begins. */
#define SIM_UNIX_S 1700000000u

/* From now on random bytes are those of `seed`. */
void sim_chance_begin(uint64_t seed);

/* The time is now `us` after SIM_UNIX_S. */
void sim_chance_tell_time(uint64_t us);
