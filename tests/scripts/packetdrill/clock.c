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

/* The call that waits may go on: it does so now, at this time of the clock. */
static void hand_over(struct drill *d)
{
    struct timespec until;
    if (!d->is_waiting || !d->may_go_on(d->waiting_for))
        return;
    d->is_waiting = false;
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
        stage_step(d->stage, until_us);
        hand_over(d);
    }
}

bool drill_wait(struct drill *d, struct drill_socket *s, bool (*may_go_on)(struct drill_socket *s),
                uint64_t us_max)
{
    stage_run(d->stage);
    if (!pthread_equal(pthread_self(), d->script)) {
        if (may_go_on(s))
            return true;
        d->is_waiting = true;
        d->may_go_on = may_go_on;
        d->waiting_for = s;
        while (d->is_waiting)
            pthread_cond_wait(&d->changed, &d->lock);
        return true;
    }
    uint64_t until_us = stage_now_us(d->stage) + us_max;
    while (!may_go_on(s) && stage_now_us(d->stage) < until_us)
        stage_step(d->stage, until_us);
    return may_go_on(s);
}
