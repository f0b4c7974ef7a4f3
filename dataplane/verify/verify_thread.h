/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier: a thread that looks at passwords and tokens, because a good hash takes as long as
 * a thousand requests, and a worker must not. It goes round the workers' lanes, one job of each, so
 * no worker's clients can keep out another's. It runs on housekeeping's core and lets housekeeping
 * go first.
 *
 * Owner, thread: the composer starts and ends it; the thread itself touches lanes only.
 */
#pragma once

#include "verify/verify_lane.h"

/* How long it sleeps when nobody asks: little beside a hash. */
#define VERIFY_SLEEP_MS_MAX 5u

struct verify_thread;

/* Starts it on `n` lanes, which stay the caller's. NULL: no memory, or no thread. */
struct verify_thread *verify_thread_start(struct verify_lane *const *lanes, unsigned n);

/* Ends it after the job that it is at, a second at most. Afterwards nobody answers. NULL: nothing.
 */
void verify_thread_stop(struct verify_thread *t);
