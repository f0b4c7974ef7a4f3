/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crypto cores of the appliance (drivers/crypto), played in virtual time: they take steps of
 * handshakes from the workers' lanes, several at once as with a device, and give each back when the
 * seed says so, in whatever order that is. A step is taken when it begins or when it ends: what the
 * worker does meanwhile, it does with half a stream.
 *
 * Owner: the appliance of a run.
 */
#pragma once

#include "base/jobs.h"
#include "base/rng.h"
#include "sim_limits.h"

#include <stdbool.h>
#include <stdint.h>

struct sim_plan;

struct sim_crypto_job {
    struct job *job; /* NULL: a free place */
    struct job_lane *lane;
    uint64_t begun_us;
    uint64_t done_us;
    bool has_run;
};

struct sim_crypto {
    struct rng rng;
    unsigned n_workers;
    unsigned n_cores;
    uint32_t job_us_max;
    struct job_lane *lanes[SIM_WORKERS_MAX][SIM_CORES_MAX];
    struct sim_crypto_job jobs[SIM_CORES_MAX][SIM_CORE_JOBS_MAX];
};

/* Makes the plan's cores, maybe none, and their lanes. */
void sim_crypto_new(struct sim_crypto *c, const struct sim_plan *plan);

/* Gives back what is done, and takes the next. Returns true if anything was done. */
bool sim_crypto_poll(struct sim_crypto *c, uint64_t now_us);

/* When the next job will be done; UINT64_MAX: none is under way. */
uint64_t sim_crypto_next_us(const struct sim_crypto *c);

/* The workers run no more: ends what has begun. */
void sim_crypto_stop(struct sim_crypto *c);

/* The workers are gone: frees the lanes. */
void sim_crypto_free(struct sim_crypto *c);
