/* SPDX-License-Identifier: Apache-2.0 */
/* See crypto_core.h. */
#include "drivers/crypto/crypto_core.h"

#include "base/assert.h"

#include <stdlib.h>
#include <time.h>

/* A job that a device is at, and where it goes back. */
struct paused {
    struct job *job;
    struct job_lane *lane;
};

struct crypto_core {
    bool is_stopping;
    bool is_sleepless;
    void (*thread_done)(void);
    unsigned n;
    struct job_lane *lanes[CRYPTO_LANES_MAX];
    unsigned n_paused;
    struct paused paused[CRYPTO_PAUSED_MAX];
};

struct crypto_core *crypto_core_new(struct job_lane *const *lanes, unsigned n, bool is_sleepless,
                                    void (*thread_done)(void))
{
    ASSERT(n > 0 && n <= CRYPTO_LANES_MAX);
    struct crypto_core *core = calloc(1, sizeof(*core));
    if (core == NULL)
        return NULL;
    core->is_sleepless = is_sleepless;
    core->thread_done = thread_done;
    core->n = n;
    for (unsigned i = 0; i < n; i++)
        core->lanes[i] = lanes[i];
    return core;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Runs it once. True: it is done and went back. What it took is CPU time: CPUs may be shared. */
static bool step(struct job_lane *lane, struct job *job)
{
    uint64_t before_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    enum job_step end = job->run(job);
    job->spent_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns;
    if (end == JOB_DONE)
        job_lane_put(lane, job);
    return end == JOB_DONE;
}

/* One new job of each lane. */
static unsigned look(struct crypto_core *core)
{
    unsigned n = 0;
    for (unsigned i = 0; i < core->n && core->n_paused < CRYPTO_PAUSED_MAX; i++) {
        struct job *job = job_lane_get(core->lanes[i]);
        if (job == NULL)
            continue;
        n++;
        if (!step(core->lanes[i], job))
            core->paused[core->n_paused++] = (struct paused){job, core->lanes[i]};
    }
    return n;
}

/* Those that a device is at, once more. */
static void look_again(struct crypto_core *core)
{
    unsigned left = 0;
    for (unsigned i = 0; i < core->n_paused; i++) {
        if (!step(core->paused[i].lane, core->paused[i].job))
            core->paused[left++] = core->paused[i];
    }
    core->n_paused = left;
}

static bool is_stopping(const struct crypto_core *core)
{
    return __atomic_load_n(&core->is_stopping, __ATOMIC_ACQUIRE);
}

/* The longer nothing comes, the longer; the shortest of sleeps first. */
static void rest(const struct crypto_core *core, unsigned empty)
{
    if (core->is_sleepless || empty < CRYPTO_EMPTY_LOOKS_MAX || core->n_paused > 0)
        return;
    unsigned doublings = empty - CRYPTO_EMPTY_LOOKS_MAX;
    unsigned us = doublings < 4 ? CRYPTO_SLEEP_US_MIN << doublings : CRYPTO_SLEEP_US_MAX;
    if (us > CRYPTO_SLEEP_US_MAX)
        us = CRYPTO_SLEEP_US_MAX;
    nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

/* A device writes into what it was given, so that stays until it is done. */
static void finish_paused(struct crypto_core *core)
{
    uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + CRYPTO_STOP_MS_MAX * 1000000ull;
    while (core->n_paused > 0 && clock_ns(CLOCK_MONOTONIC) < end_ns)
        look_again(core);
}

int crypto_core_run(void *arg)
{
    struct crypto_core *core = arg;
    unsigned empty = 0;
    while (!is_stopping(core)) {
        unsigned n = look(core);
        look_again(core);
        empty = n > 0 ? 0 : empty + (empty < CRYPTO_EMPTY_LOOKS_MAX + 8);
        rest(core, empty);
    }
    finish_paused(core);
    if (core->thread_done != NULL)
        core->thread_done();
    return 0;
}

void crypto_core_stop(struct crypto_core *core)
{
    __atomic_store_n(&core->is_stopping, true, __ATOMIC_RELEASE);
}

void crypto_core_free(struct crypto_core *core)
{
    free(core);
}
