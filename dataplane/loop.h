/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop that gives a worker its time: the only place of the data path that reads a clock, and
 * the only one that sleeps. Thread: the worker's lcore.
 */
#pragma once

#include "options.h"

#include <signal.h>

struct worker;

#define LOOP_EMPTY_ROUNDS_MAX 256u /* before the first sleep: about 20 us of polling */
#define LOOP_SLEEP_US_MIN 20u
#define LOOP_SLEEP_US_MAX 500u /* what a packet waits at most for a sleeping worker */

struct loop {
    struct worker *worker;
    enum idle_mode idle;
    const volatile sig_atomic_t *is_stopping;
};

/* The time that loops give to workers: microseconds since the first call. Thread: any. */
uint64_t loop_now_us(void);

/* How long a worker may sleep after `empty_rounds` rounds without work, when its next timer is due
 * at `next_us`; 0: not at all. Pure. */
uint32_t loop_sleep_us(uint32_t empty_rounds, uint64_t now_us, uint64_t next_us);

/* Polls the worker until is_stopping. `arg` is a struct loop. Returns 0. */
int loop_run(void *arg);
