/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that share nothing but their totals. */
#include "sim_jobs.h"

#include "base/assert.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_S 10.0

/* All jobs' totals, in memory that the processes share; each writes its own. */
static struct sim_totals *shared;
static uint64_t current_seed; /* of this process, for on_crash() */

/* Seconds of wall clock: for the progress line only. */
static double wall_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* An assertion failed, or worse: says with which seed, then ends as it would have. */
static void on_crash(int signal_number)
{
    char text[80];
    int n = snprintf(text, sizeof(text), "seed %" PRIu64 " world %s: crashed by signal %d\n",
                     current_seed, sim_world_name(sim_world_now()), signal_number);
    if (n > 0 && write(STDOUT_FILENO, text, (size_t)n) < 0)
        _exit(1);
    raise(signal_number); /* the handler was for once: now it is the default */
}

static void catch_crashes(void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction action = {.sa_handler = on_crash,
                               .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
}

static void sum(unsigned jobs, struct sim_totals *ret)
{
    *ret = (struct sim_totals){0};
    for (unsigned j = 0; j < jobs; j++) {
        ret->passed += shared[j].passed;
        ret->failed += shared[j].failed;
        for (unsigned o = 0; o < SIM_OUTCOME_COUNT; o++)
            ret->outcomes[o] += shared[j].outcomes[o];
    }
}

/* Every `jobs`-th seed. The first job tells of the progress of all. */
static void run_job(unsigned job, unsigned jobs, uint64_t first, uint64_t seeds, sim_job_fn run,
                    const void *arguments)
{
    double begin = wall_s();
    double told = begin;
    catch_crashes();
    sim_env_init();
    for (uint64_t i = job; i < seeds; i += jobs) {
        struct sim_result r;
        current_seed = first + i;
        if (run(arguments, current_seed, &r))
            shared[job].passed++;
        else
            shared[job].failed++;
        for (unsigned o = 0; o < SIM_OUTCOME_COUNT; o++)
            shared[job].outcomes[o] += r.outcomes[o];
        if (job == 0 && wall_s() - told > PROGRESS_S) {
            struct sim_totals now;
            sum(jobs, &now);
            told = wall_s();
            printf("%" PRIu64 " of %" PRIu64 " seeds, %" PRIu64 " failed, %.0f s\n",
                   now.passed + now.failed, seeds, now.failed, told - begin);
        }
        fflush(stdout);
    }
}

/* Waits for all; a process that was killed leaves seeds that nobody ran. */
static void wait_for(const pid_t *pids, unsigned jobs, uint64_t seeds)
{
    for (unsigned j = 0; j < jobs; j++) {
        int status = 0;
        while (waitpid(pids[j], &status, 0) < 0 && errno == EINTR)
            ;
        uint64_t share = (seeds + jobs - 1 - j) / jobs;
        uint64_t ran = shared[j].passed + shared[j].failed;
        ASSERT(ran <= share);
        shared[j].failed += share - ran;
    }
}

void sim_jobs_run(unsigned jobs, uint64_t first, uint64_t seeds, sim_job_fn run,
                  const void *arguments, struct sim_totals *ret)
{
    double begin = wall_s();
    pid_t pids[SIM_JOBS_MAX];
    ASSERT(jobs > 0 && jobs <= SIM_JOBS_MAX);
    shared = mmap(NULL, jobs * sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                  -1, 0);
    ASSERT(shared != MAP_FAILED);
    if (jobs == 1)
        run_job(0, 1, first, seeds, run, arguments);
    for (unsigned j = 0; j < jobs && jobs > 1; j++) {
        pids[j] = fork();
        ASSERT(pids[j] >= 0);
        if (pids[j] == 0) {
            run_job(j, jobs, first, seeds, run, arguments);
            exit(0);
        }
    }
    if (jobs > 1)
        wait_for(pids, jobs, seeds);
    sum(jobs, ret);
    munmap(shared, jobs * sizeof(*shared));
    printf("%.1f s in %u process%s\n", wall_s() - begin, jobs, jobs == 1 ? "" : "es");
}
