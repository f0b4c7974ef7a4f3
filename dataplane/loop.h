/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop that gives a worker its time: the only place of the data path that reads a clock, and
 * the only one that sleeps. Thread: the worker's lcore.
 */
#pragma once

#include "options.h"

#include <signal.h>

struct worker;

/* Polling for nothing before a worker sleeps: about what falling asleep and waking up cost. In
 * time, not in rounds: where a driver asks the kernel, a round takes five times as long. */
#define LOOP_SPIN_US 10u
#define LOOP_SLEEP_US_MIN 20u
#define LOOP_SLEEP_US_MAX 500u /* what a packet waits at most for a sleeping worker */

struct loop {
    struct worker *worker;
    enum idle_mode idle;
    const volatile sig_atomic_t *is_stopping;
};

/* The time that loops give to workers: microseconds since the first call. Thread: any. */
uint64_t loop_now_us(void);

/* How long a worker may sleep that has had no work for `idle_us`, in which it slept `sleeps` times,
 * when its next timer is due at `next_us`; 0: not at all. Pure. */
uint32_t loop_sleep_us(uint64_t idle_us, uint32_t sleeps, uint64_t now_us, uint64_t next_us);

/* Polls the worker until is_stopping. `arg` is a struct loop. Returns 0. */
int loop_run(void *arg);
