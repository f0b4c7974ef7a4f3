/* SPDX-License-Identifier: Apache-2.0 */
/* The clock, and the wait of a call. */
#include "base/assert.h"
#include "drill.h"

#include <time.h>

#define HANDOVER_MS 500 /* of real time, for the other thread to come back from its call */

void drill_enter(struct drill *d)
{
    int failed = pthread_mutex_lock(&d->lock);
    ASSERT(failed == 0);
}

/* If the call that waits may go on, it does so now, at this time of the clock. */
static void hand_over(struct drill *d)
{
    struct timespec until;
    struct drill_waiter *w = &d->waiter;
    if (!w->is_on || (!w->may_go_on(w->arg) && stage_now_us(d->stage) < w->until_us))
        return;
    w->is_on = false;
    d->is_leaving = true;
    pthread_cond_broadcast(&d->changed);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += HANDOVER_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (d->is_leaving && pthread_cond_timedwait(&d->changed, &d->lock, &until) == 0)
        ;
    d->is_leaving = false;
}

void drill_leave(struct drill *d)
{
    stage_run(d->stage);
    if (pthread_equal(pthread_self(), d->script))
        hand_over(d);
    pthread_mutex_unlock(&d->lock);
}

void drill_pass(struct drill *d, uint64_t until_us, bool stops_at_packet)
{
    stage_run(d->stage);
    hand_over(d);
    while (stage_now_us(d->stage) < until_us &&
           !(stops_at_packet && stage_peek(d->stage) != NULL)) {
        bool is_first = d->waiter.is_on && d->waiter.until_us < until_us;
        stage_step(d->stage, is_first ? d->waiter.until_us : until_us);
        hand_over(d);
    }
}

bool drill_wait(struct drill *d, bool (*may_go_on)(void *arg), void *arg, uint64_t us_max)
{
    stage_run(d->stage);
    uint64_t until_us = stage_now_us(d->stage) + us_max;
    if (pthread_equal(pthread_self(), d->script)) {
        while (!may_go_on(arg) && stage_now_us(d->stage) < until_us)
            stage_step(d->stage, until_us);
        return may_go_on(arg);
    }
    if (may_go_on(arg) || us_max == 0)
        return may_go_on(arg);
    ASSERT(!d->waiter.is_on);
    d->waiter = (struct drill_waiter){true, may_go_on, arg, until_us};
    while (d->waiter.is_on)
        pthread_cond_wait(&d->changed, &d->lock);
    return may_go_on(arg);
}
