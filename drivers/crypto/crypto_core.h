/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A core that runs jobs of workers, one of each lane in turn, so that no worker's clients can keep
 * out another's. Jobs that wait for a device are run again between the others.
 *
 * Owner: the composer. Thread: crypto_core_run() is the core's; the rest is the composer's.
 */
#pragma once

#include "base/jobs.h"

#include <stdbool.h>
#include <stdint.h>

/* Lanes of one core: one a worker. */
#define CRYPTO_LANES_MAX 64u
/* Jobs that a device is at. Beyond, no new one is begun: what a device has in its rings. */
#define CRYPTO_PAUSED_MAX 256u
/* At the end: how long a device may take for what it has. What it has then is left to it. */
#define CRYPTO_STOP_MS_MAX 1000u
/* Without work: how long it looks before it sleeps, and how long it sleeps at first and at most,
 * which is what a handshake on an idle box waits. */
#define CRYPTO_EMPTY_LOOKS_MAX 2000u
#define CRYPTO_SLEEP_US_MIN 20u
#define CRYPTO_SLEEP_US_MAX 200u

struct crypto_core;

/* A core for `n` lanes, which stay the caller's. `is_sleepless`: it never sleeps, as its CPU is its
 * own. `thread_done`: called last on its thread; NULL: nothing. NULL: no memory. */
struct crypto_core *crypto_core_new(struct job_lane *const *lanes, unsigned n, bool is_sleepless,
                                    void (*thread_done)(void));

/* Runs jobs until crypto_core_stop(). `core` is a struct crypto_core. Returns 0. */
int crypto_core_run(void *core);

/* It ends after the job that it is at. What it has not begun stays in the lanes. Any thread. */
void crypto_core_stop(struct crypto_core *core);

/* crypto_core_run() has returned, or was never called. NULL is fine. */
void crypto_core_free(struct crypto_core *core);
