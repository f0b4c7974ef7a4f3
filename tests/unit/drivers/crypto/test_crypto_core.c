/* SPDX-License-Identifier: Apache-2.0 */
/* A crypto core in a thread of its own, with lanes of two workers that this thread plays. */
#include "base/container.h"
#include "base/jobs.h"
#include "drivers/crypto/crypto_core.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define LANES 2u
#define TASKS 5000u

/* A job that lets go `pauses` times before it is done. */
struct task {
    struct job job;
    unsigned pauses, runs;
    pthread_t first, last;
};

static struct task *task_of(struct job *job)
{
    return container_of(job, struct task, job);
}

static enum job_step run_task(struct job *job)
{
    struct task *t = task_of(job);
    t->last = pthread_self();
    if (t->runs++ == 0)
        t->first = t->last;
    return t->runs > t->pauses ? JOB_DONE : JOB_AGAIN;
}

static struct job_lane *lanes[LANES];
static struct crypto_core *core;
static pthread_t thread;
static unsigned n_done;

static void count_done(void)
{
    n_done++;
}

static void *run_core(void *arg)
{
    crypto_core_run(arg);
    return NULL;
}

static void make(bool is_sleepless)
{
    n_done = 0;
    for (unsigned i = 0; i < LANES; i++)
        lanes[i] = job_lane_new();
    core = crypto_core_new(lanes, LANES, is_sleepless, count_done);
    REQUIRE(core != NULL);
}

static void begin(void)
{
    REQUIRE(pthread_create(&thread, NULL, run_core, core) == 0);
}

static void end(void)
{
    crypto_core_stop(core);
    pthread_join(thread, NULL);
    CHECK_EQ(n_done, 1);
}

static void put_away(void)
{
    crypto_core_free(core);
    for (unsigned i = 0; i < LANES; i++)
        job_lane_free(lanes[i]);
}

static struct job *wait_for(struct job_lane *lane)
{
    struct job *job;
    while ((job = job_lane_take(lane)) == NULL)
        sched_yield();
    return job;
}

TEST(jobs_of_all_lanes_are_run_once_and_come_back)
{
    static struct task tasks[LANES][TASKS];
    memset(tasks, 0, sizeof(tasks));
    make(false);
    begin();
    for (unsigned i = 0; i < TASKS; i++) {
        for (unsigned k = 0; k < LANES; k++) {
            tasks[k][i].job.run = run_task;
            while (!job_lane_give(lanes[k], &tasks[k][i].job))
                wait_for(lanes[k]);
        }
    }
    for (unsigned k = 0; k < LANES; k++) {
        while (job_lane_count(lanes[k]) > 0)
            wait_for(lanes[k]);
    }
    end();
    for (unsigned i = 0; i < LANES * TASKS; i++)
        CHECK_EQ(tasks[i / TASKS][i % TASKS].runs, 1);
    put_away();
}

TEST(job_that_waits_for_a_device_lets_others_go_first_and_stays_on_its_thread)
{
    struct task waits = {.job.run = run_task, .pauses = 1000}, quick = {.job.run = run_task};
    make(true);
    REQUIRE(job_lane_give(lanes[0], &waits.job));
    REQUIRE(job_lane_give(lanes[0], &quick.job));
    begin();
    CHECK(wait_for(lanes[0]) == &quick.job);
    CHECK(wait_for(lanes[0]) == &waits.job);
    end();
    CHECK_EQ(waits.runs, 1001);
    CHECK(pthread_equal(waits.first, waits.last) && !pthread_equal(waits.last, pthread_self()));
    put_away();
}

TEST(core_that_is_stopped_ends_what_a_device_has_and_leaves_what_it_has_not_begun)
{
    struct task begun = {.job.run = run_task, .pauses = 3}, other = {.job.run = run_task};
    make(false);
    REQUIRE(job_lane_give(lanes[0], &begun.job));
    begin();
    CHECK(wait_for(lanes[0]) == &begun.job);
    end();
    CHECK_EQ(begun.runs, 4);
    REQUIRE(job_lane_give(lanes[1], &other.job));
    CHECK(job_lane_take(lanes[1]) == NULL);
    CHECK(job_lane_get(lanes[1]) == &other.job); /* the worker gets it back itself */
    CHECK_EQ(other.runs, 0);
    put_away();
}

TEST(device_that_never_answers_does_not_keep_the_core)
{
    struct task never = {.job.run = run_task, .pauses = UINT32_MAX};
    make(false);
    REQUIRE(job_lane_give(lanes[0], &never.job));
    begin();
    while (__atomic_load_n(&never.runs, __ATOMIC_RELAXED) == 0)
        sched_yield();
    end();
    CHECK_EQ(job_lane_count(lanes[0]), 1);
    put_away();
}

TEST(lane_takes_as_many_as_it_holds_and_gives_them_back_in_any_order)
{
    static struct task tasks[JOBS_PER_LANE_MAX + 1];
    make(false);
    for (unsigned i = 0; i <= JOBS_PER_LANE_MAX; i++) {
        tasks[i].job.run = run_task;
        CHECK_EQ(job_lane_give(lanes[0], &tasks[i].job), i < JOBS_PER_LANE_MAX);
    }
    struct job *first = job_lane_get(lanes[0]), *second = job_lane_get(lanes[0]);
    job_lane_put(lanes[0], second);
    job_lane_put(lanes[0], first);
    CHECK(!job_lane_give(lanes[0], &tasks[JOBS_PER_LANE_MAX].job)); /* back, but not taken */
    CHECK(job_lane_take(lanes[0]) == second);
    CHECK(job_lane_give(lanes[0], &tasks[JOBS_PER_LANE_MAX].job));
    CHECK(job_lane_take(lanes[0]) == first);
    CHECK(job_lane_take(lanes[0]) == NULL);
    put_away();
}

UNIT_MAIN("drivers/crypto", T(jobs_of_all_lanes_are_run_once_and_come_back),
          T(job_that_waits_for_a_device_lets_others_go_first_and_stays_on_its_thread),
          T(core_that_is_stopped_ends_what_a_device_has_and_leaves_what_it_has_not_begun),
          T(device_that_never_answers_does_not_keep_the_core),
          T(lane_takes_as_many_as_it_holds_and_gives_them_back_in_any_order))
