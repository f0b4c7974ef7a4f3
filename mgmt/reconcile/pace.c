/* SPDX-License-Identifier: Apache-2.0 */
/* Rest and retry. Owner: reconcile; thread: the loop's. See pace.h. */
#include "reconcile/pace.h"

#include "base/assert.h"
#include "base/container.h"
#include "loop/loop.h"

#include <string.h>
#include <time.h>

uint64_t pace_clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void on_rest(struct wheel_timer *timer, uint64_t now_us)
{
    struct pace *p = container_of(timer, struct pace, rest);
    loop_task_program(p->loop, p->task);
}

static void on_retry(struct wheel_timer *timer, uint64_t now_us)
{
    pace_program_run(container_of(timer, struct pace, retry));
}

void pace_init(struct pace *p, struct loop *loop, struct loop_task *task)
{
    memset(p, 0, sizeof(*p));
    p->loop = loop;
    p->task = task;
    p->rest.on_expire = on_rest;
    p->retry.on_expire = on_retry;
}

void pace_done(struct pace *p)
{
    loop_timer_disarm(p->loop, &p->rest);
    loop_timer_disarm(p->loop, &p->retry);
}

void pace_program_run(struct pace *p)
{
    uint64_t now_us = pace_clock_us();
    uint64_t until_us =
        p->rest_until_us > p->answer_until_us ? p->rest_until_us : p->answer_until_us;
    uint64_t wait_us = until_us > now_us ? until_us - now_us : 0;
    if (wheel_timer_is_armed(&p->rest))
        return;
    loop_timer_arm(p->loop, &p->rest,
                   wait_us > RECONCILE_GATHER_US ? wait_us : RECONCILE_GATHER_US);
}

void pace_on_run(struct pace *p, uint64_t run_us)
{
    uint64_t rest_us = run_us < RECONCILE_RUN_SHORT_US ? 0 : run_us * RECONCILE_REST_FACTOR;
    if (rest_us > RECONCILE_REST_MAX_US)
        rest_us = RECONCILE_REST_MAX_US;
    p->rest_until_us = pace_clock_us() + rest_us;
}

void pace_on_image(struct pace *p)
{
    p->answer_until_us = pace_clock_us() + RECONCILE_ANSWER_WAIT_US;
}

void pace_on_answer(struct pace *p)
{
    p->answer_until_us = 0;
    if (!wheel_timer_is_armed(&p->rest))
        return;
    loop_timer_disarm(p->loop, &p->rest);
    pace_program_run(p);
}

uint64_t pace_on_failure(struct pace *p)
{
    uint64_t now_us = pace_clock_us();
    if (wheel_timer_is_armed(&p->retry))
        return p->retry_us;
    bool is_first = p->retry_us == 0 || now_us - p->failed_us > 2ull * RECONCILE_RETRY_MAX_US;
    p->retry_us = is_first ? RECONCILE_RETRY_US : p->retry_us * 2;
    if (p->retry_us > RECONCILE_RETRY_MAX_US)
        p->retry_us = RECONCILE_RETRY_MAX_US;
    p->failed_us = now_us;
    ASSERT(p->retry_us >= RECONCILE_RETRY_US && p->retry_us <= RECONCILE_RETRY_MAX_US);
    loop_timer_arm(p->loop, &p->retry, p->retry_us);
    return p->retry_us;
}

void pace_on_success(struct pace *p)
{
    if (!wheel_timer_is_armed(&p->retry))
        p->retry_us = 0;
}
