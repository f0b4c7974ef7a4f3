/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_crypto.h. */
#include "sim_crypto.h"

#include "base/assert.h"
#include "sim_plan.h"
#include "sim_world.h"

#include <stddef.h>

void sim_crypto_new(struct sim_crypto *c, const struct sim_plan *plan)
{
    *c = (struct sim_crypto){.rng = {plan->seed ^ 0x63727970746f},
                             .n_workers = plan->workers,
                             .n_cores = plan->tls.cores,
                             .job_us_max = plan->tls.job_us_max};
    ASSERT(c->n_cores <= SIM_CORES_MAX);
    for (unsigned worker = 0; worker < c->n_workers; worker++) {
        for (unsigned core = 0; core < c->n_cores; core++) {
            c->lanes[worker][core] = job_lane_new();
            ASSERT(c->lanes[worker][core] != NULL);
        }
    }
}

static void run(struct sim_crypto_job *j)
{
    enum job_step step = j->job->run(j->job);
    ASSERT(step == JOB_DONE); /* there is no device */
    j->has_run = true;
}

static void finish(struct sim_crypto_job *j, uint64_t now_us)
{
    if (!j->has_run)
        run(j);
    j->job->spent_ns = (now_us - j->begun_us) * 1000;
    job_lane_put(j->lane, j->job);
    j->job = NULL;
}

/* The next job of a core's lanes, one of each in turn; NULL: none. */
static struct job *take(struct sim_crypto *c, unsigned core, struct job_lane **ret_lane)
{
    unsigned first = rng_below(&c->rng, c->n_workers);
    for (unsigned i = 0; i < c->n_workers; i++) {
        *ret_lane = c->lanes[(first + i) % c->n_workers][core];
        struct job *job = job_lane_get(*ret_lane);
        if (job != NULL)
            return job;
    }
    return NULL;
}

static bool begin(struct sim_crypto *c, unsigned core, struct sim_crypto_job *j, uint64_t now_us)
{
    struct job_lane *lane;
    struct job *job = take(c, core, &lane);
    if (job == NULL)
        return false;
    *j = (struct sim_crypto_job){.job = job,
                                 .lane = lane,
                                 .begun_us = now_us,
                                 .done_us = now_us + sim_between(&c->rng, 1, c->job_us_max)};
    if (rng_below(&c->rng, 2) == 0)
        run(j);
    return true;
}

bool sim_crypto_poll(struct sim_crypto *c, uint64_t now_us)
{
    bool did = false;
    for (unsigned core = 0; core < c->n_cores; core++) {
        for (unsigned i = 0; i < SIM_CORE_JOBS_MAX; i++) {
            struct sim_crypto_job *j = &c->jobs[core][i];
            if (j->job != NULL && now_us >= j->done_us) {
                finish(j, now_us);
                did = true;
            }
            if (j->job == NULL)
                did |= begin(c, core, j, now_us);
        }
    }
    return did;
}

uint64_t sim_crypto_next_us(const struct sim_crypto *c)
{
    uint64_t next = UINT64_MAX;
    for (unsigned core = 0; core < c->n_cores; core++) {
        for (unsigned i = 0; i < SIM_CORE_JOBS_MAX; i++) {
            const struct sim_crypto_job *j = &c->jobs[core][i];
            if (j->job != NULL && j->done_us < next)
                next = j->done_us;
        }
    }
    return next;
}

void sim_crypto_stop(struct sim_crypto *c)
{
    for (unsigned core = 0; core < c->n_cores; core++) {
        for (unsigned i = 0; i < SIM_CORE_JOBS_MAX; i++) {
            struct sim_crypto_job *j = &c->jobs[core][i];
            if (j->job != NULL)
                finish(j, j->done_us);
        }
    }
}

void sim_crypto_free(struct sim_crypto *c)
{
    for (unsigned worker = 0; worker < c->n_workers; worker++) {
        for (unsigned core = 0; core < c->n_cores; core++)
            job_lane_free(c->lanes[worker][core]);
    }
}
