/* SPDX-License-Identifier: Apache-2.0 */
/* See verify_lane.h. */
#include "verify/verify_lane.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((VERIFY_JOBS_MAX & (VERIFY_JOBS_MAX - 1)) == 0, "numbers are masked");

struct verify_lane {
    _Alignas(64) uint64_t asked; /* the worker's */
    uint64_t taken;
    _Alignas(64) uint64_t answered; /* the verifier's */
    _Alignas(64) struct verify_job jobs[VERIFY_JOBS_MAX];
};

static struct verify_job *job_at(struct verify_lane *lane, uint64_t number)
{
    return &lane->jobs[number & (VERIFY_JOBS_MAX - 1)];
}

struct verify_lane *verify_lane_new(void)
{
    struct verify_lane *lane = aligned_alloc(64, sizeof(*lane));
    if (lane != NULL)
        memset(lane, 0, sizeof(*lane));
    return lane;
}

void verify_lane_free(struct verify_lane *lane)
{
    if (lane == NULL)
        return;
    explicit_bzero(lane, sizeof(*lane));
    free(lane);
}

uint64_t verify_lane_next(const struct verify_lane *lane)
{
    return lane->asked;
}

bool verify_lane_ask(struct verify_lane *lane, const char *password, const char *hash)
{
    size_t password_len = strlen(password), hash_len = strlen(hash);
    ASSERT(password_len <= VERIFY_PASSWORD_BYTES_MAX && hash_len <= VERIFY_HASH_BYTES_MAX);
    ASSERT_HOT(lane->asked - lane->taken <= VERIFY_JOBS_MAX);
    if (lane->asked - lane->taken == VERIFY_JOBS_MAX)
        return false;
    struct verify_job *job = job_at(lane, lane->asked);
    job->is_token = false;
    memcpy(job->password, password, password_len + 1);
    memcpy(job->hash, hash, hash_len + 1);
    __atomic_store_n(&lane->asked, lane->asked + 1, __ATOMIC_RELEASE);
    return true;
}

struct verify_jwt *verify_lane_room(struct verify_lane *lane)
{
    ASSERT_HOT(lane->asked - lane->taken <= VERIFY_JOBS_MAX);
    bool is_full = lane->asked - lane->taken == VERIFY_JOBS_MAX;
    return is_full ? NULL : &job_at(lane, lane->asked)->jwt;
}

void verify_lane_ask_token(struct verify_lane *lane)
{
    struct verify_job *job = job_at(lane, lane->asked);
    ASSERT(lane->asked - lane->taken < VERIFY_JOBS_MAX);
    ASSERT(job->jwt.token_len <= VERIFY_TOKEN_BYTES_MAX && job->jwt.n_keys <= IMAGE_JWT_KEYS_MAX);
    job->is_token = true;
    __atomic_store_n(&lane->asked, lane->asked + 1, __ATOMIC_RELEASE);
}

bool verify_lane_take(struct verify_lane *lane, uint64_t *ret_number, struct verify_answer *ret)
{
    uint64_t answered = __atomic_load_n(&lane->answered, __ATOMIC_ACQUIRE);
    ASSERT_HOT(answered - lane->taken <= VERIFY_JOBS_MAX);
    if (answered == lane->taken)
        return false;
    *ret_number = lane->taken;
    *ret = job_at(lane, lane->taken)->answer;
    lane->taken++;
    return true;
}

const struct verify_job *verify_lane_oldest(struct verify_lane *lane)
{
    uint64_t asked = __atomic_load_n(&lane->asked, __ATOMIC_ACQUIRE);
    return lane->answered == asked ? NULL : job_at(lane, lane->answered);
}

/* The hash is no secret of the client's, and is written over by the next. */
static void wipe(struct verify_job *job)
{
    if (job->is_token)
        explicit_bzero(job->jwt.token, sizeof(job->jwt.token));
    else
        explicit_bzero(job->password, sizeof(job->password));
}

void verify_lane_answer(struct verify_lane *lane, struct verify_answer answer)
{
    struct verify_job *job = job_at(lane, lane->answered);
    ASSERT(lane->answered != __atomic_load_n(&lane->asked, __ATOMIC_ACQUIRE));
    wipe(job);
    job->answer = answer;
    __atomic_store_n(&lane->answered, lane->answered + 1, __ATOMIC_RELEASE);
}
