/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a run may begin. Runs take the one thread that the API has too, so after a long one there
 * is rest: changes that come meanwhile add up to one run. So do those that come while the dataplane
 * still has to answer for an image: it takes one after the other, and statuses wait for the answer
 * to the latest, which has to come some time, however fast changes follow each other. What failed
 * or was refused is tried again, at first soon, then ever more seldom.
 *
 * Owner: reconcile. Thread: the loop's. Bound: RECONCILE_REST_MAX_US until a change is looked at,
 * RECONCILE_RETRY_MAX_US until what failed is tried again.
 */
#pragma once

#include "base/wheel.h"

#include <stdbool.h>
#include <stdint.h>

/* From a change to its run: the answer goes out first, and what comes right behind goes along. */
#define RECONCILE_GATHER_US 1000u
#define RECONCILE_RUN_SHORT_US 20000u /* nobody waits for the API long enough to notice */
#define RECONCILE_REST_FACTOR                                                                      \
    3u /* rest for each time of a run: a quarter of the thread is reconcile's */
#define RECONCILE_REST_MAX_US                                                                      \
    2000000u /* a change reaches the wire in a time that one can wait for */
/* A run waits for the answer to the image before no longer: after it a dataplane stands still, and
 * the statuses of Gateways have to say so. */
#define RECONCILE_ANSWER_WAIT_US 100000u
#define RECONCILE_RETRY_US 500000u       /* first pause after a failure */
#define RECONCILE_RETRY_MAX_US 32000000u /* longest: one line in the log each time */

struct loop;
struct loop_task;

struct pace {
    struct loop *loop;
    struct loop_task *task;   /* the run */
    struct wheel_timer rest;  /* armed: a run was asked for and waits for its end */
    struct wheel_timer retry; /* armed: something failed */
    uint64_t rest_until_us;   /* of pace_clock_us() */
    uint64_t answer_until_us; /* likewise: the latest image was not answered; 0: it was */
    uint64_t retry_us;        /* the latest pause; 0: nothing failed lately */
    uint64_t failed_us;       /* when something failed last */
};

/* The clock that runs are measured by: the loop's own stands still within a round. */
uint64_t pace_clock_us(void);

/* Ready to program `task`. */
void pace_init(struct pace *p, struct loop *loop, struct loop_task *task);

/* Disarms. */
void pace_done(struct pace *p);

/* Asks for a run: at the end of the rest, and not before those who made the change have their
 * answer. */
void pace_program_run(struct pace *p);

/* A run took `run_us`. */
void pace_on_run(struct pace *p, uint64_t run_us);

/* An image is on its way. */
void pace_on_image(struct pace *p);

/* No answer is due any more: the latest image is served, refused, or there is nobody to answer. */
void pace_on_answer(struct pace *p);

/* Something failed or was refused: a run follows after a pause. Failures during the pause count
 * as one. Returns the pause in microseconds. */
uint64_t pace_on_failure(struct pace *p);

/* All is well again: the next failure's pause is short. An attempt that is due stays due: what
 * it is for may be something else than what went well. */
void pace_on_success(struct pace *p);
