/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seeds dealt out to processes, a core each: job j of n runs every n-th seed. A run that crashes
 * takes its process with it, but not its name: which seed it was is said, and the seeds that were
 * not run any more count as failed. Owner: main(). Thread: one a process.
 */
#pragma once

#include "sim.h"

#define SIM_JOBS_MAX 64u

/* What all seeds came to. */
struct sim_totals {
    uint64_t passed;
    uint64_t failed;
    uint64_t outcomes[SIM_OUTCOME_COUNT];
};

/* Runs one seed. False: it failed, and the reason has been printed. */
typedef bool (*sim_job_fn)(const void *arguments, uint64_t seed, struct sim_result *ret);

/* Runs `seeds` seeds from `first` on in `jobs` processes, with a line of progress every few
 * seconds. With one job it is this process, so that a debugger sees it. */
void sim_jobs_run(unsigned jobs, uint64_t first, uint64_t seeds, sim_job_fn run,
                  const void *arguments, struct sim_totals *ret);
