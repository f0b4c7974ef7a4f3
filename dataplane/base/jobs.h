/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that leaves a worker's loop because it takes too long there, and comes back done. A lane
 * lies between one worker, who gives jobs and takes them back, and one doer, who gets them. It is
 * two rings of pointers; each number in it has one writer, nobody waits, nothing is allocated.
 *
 * A job belongs to the doer from job_lane_give() until job_lane_take(), and to the worker before
 * and afterwards. Jobs come back in any order: one may wait for a device while others go on.
 *
 * The worker's half: give, take, count. The doer's: get, put. Who plays the doer is open: a core of
 * its own (drivers/crypto), or a test in its own time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Of a lane, under way: at 500 us each (RSA of 2048 bits) the last one waits 60 ms; the rest stays
 * with the worker. A power of two. */
#define JOBS_PER_LANE_MAX 128u

enum job_step {
    JOB_DONE,
    JOB_AGAIN, /* a device is at it: run it again, on the same thread */
};

struct job {
    enum job_step (*run)(struct job *job); /* by the doer */
    uint64_t spent_ns; /* what it took, told by the doer; the worker clears it */
    bool is_unwanted;  /* set by the worker at any time: need not be begun; see job_is_unwanted() */
};

struct job_lane;

/* A lane, empty; NULL: no memory. */
struct job_lane *job_lane_new(void);

/* Nobody uses it any more; what is still under way is lost. NULL is fine. */
void job_lane_free(struct job_lane *lane);

/* Gives a job to the doer. False: JOBS_PER_LANE_MAX are under way. Worker's. */
bool job_lane_give(struct job_lane *lane, struct job *job);

/* A job that came back; NULL: none now. Worker's. */
struct job *job_lane_take(struct job_lane *lane);

/* How many jobs are under way, those that came back and were not taken with them. Worker's. */
unsigned job_lane_count(const struct job_lane *lane);

/* The next job that was given; NULL: none. Doer's. */
struct job *job_lane_get(struct job_lane *lane);

/* The job goes back. There is always room. Doer's. */
void job_lane_put(struct job_lane *lane, struct job *job);

/* Nobody waits for it any more: a doer who has not begun need not. Worker's. */
void job_give_up(struct job *job);

/* Has the worker given it up? Doer's. */
bool job_is_unwanted(const struct job *job);
