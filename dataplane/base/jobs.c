/* SPDX-License-Identifier: Apache-2.0 */
/* See base/jobs.h. */
#include "base/jobs.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((JOBS_PER_LANE_MAX & (JOBS_PER_LANE_MAX - 1)) == 0, "numbers are masked");

/*
 * taken <= put <= got <= given <= taken + JOBS_PER_LANE_MAX: so neither ring can be full for who
 * writes it. All four only grow.
 */
struct job_lane {
    _Alignas(64) uint64_t given; /* the worker's */
    uint64_t taken;
    struct job *there[JOBS_PER_LANE_MAX]; /* the worker writes */
    _Alignas(64) uint64_t got;            /* the doer's */
    uint64_t put;
    struct job *back[JOBS_PER_LANE_MAX]; /* the doer writes */
};

static unsigned place_of(uint64_t number)
{
    return (unsigned)(number & (JOBS_PER_LANE_MAX - 1));
}

struct job_lane *job_lane_new(void)
{
    struct job_lane *lane = aligned_alloc(64, sizeof(*lane));
    if (lane != NULL)
        memset(lane, 0, sizeof(*lane));
    return lane;
}

void job_lane_free(struct job_lane *lane)
{
    free(lane);
}

bool job_lane_give(struct job_lane *lane, struct job *job)
{
    ASSERT(job->run != NULL);
    ASSERT_HOT(lane->given - lane->taken <= JOBS_PER_LANE_MAX);
    if (lane->given - lane->taken == JOBS_PER_LANE_MAX)
        return false;
    lane->there[place_of(lane->given)] = job;
    __atomic_store_n(&lane->given, lane->given + 1, __ATOMIC_RELEASE);
    return true;
}

struct job *job_lane_take(struct job_lane *lane)
{
    uint64_t put = __atomic_load_n(&lane->put, __ATOMIC_ACQUIRE);
    ASSERT_HOT(put - lane->taken <= JOBS_PER_LANE_MAX);
    return put == lane->taken ? NULL : lane->back[place_of(lane->taken++)];
}

unsigned job_lane_count(const struct job_lane *lane)
{
    return (unsigned)(lane->given - lane->taken);
}

struct job *job_lane_get(struct job_lane *lane)
{
    uint64_t given = __atomic_load_n(&lane->given, __ATOMIC_ACQUIRE);
    return given == lane->got ? NULL : lane->there[place_of(lane->got++)];
}

void job_lane_put(struct job_lane *lane, struct job *job)
{
    ASSERT(lane->put < lane->got);
    lane->back[place_of(lane->put)] = job;
    __atomic_store_n(&lane->put, lane->put + 1, __ATOMIC_RELEASE);
}

void job_give_up(struct job *job)
{
    __atomic_store_n(&job->is_unwanted, true, __ATOMIC_RELAXED);
}

bool job_is_unwanted(const struct job *job)
{
    return __atomic_load_n(&job->is_unwanted, __ATOMIC_RELAXED);
}
