/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Polling, and when to stop polling for a while. Busy is what rounds cost that did something: the
 * rest is what the core could still do. Thread: the worker's lcore.
 */
#include "loop.h"

#include "core/core.h"
#include "tls/tls.h"
#include "worker.h"

#include <rte_cycles.h>
#include <sys/prctl.h>
#include <time.h>

/* TSC cycles as microseconds: (cycles * scale) >> 64, without a division a round. */
static uint64_t cycles_us(uint64_t cycles)
{
    static uint64_t scale; /* the same value whoever writes it */
    if (__builtin_expect(scale == 0, 0))
        scale = (uint64_t)(((__uint128_t)1000000 << 64) / rte_get_tsc_hz());
    return (uint64_t)(((__uint128_t)cycles * scale) >> 64);
}

/* TSC cycles of one round as nanoseconds. */
static uint64_t cycles_ns(uint64_t cycles)
{
    static uint64_t scale; /* 2^32 ns a cycle; the same value whoever writes it */
    if (__builtin_expect(scale == 0, 0))
        scale = (uint64_t)((1000000000ull << 32) / rte_get_tsc_hz());
    return (uint64_t)(((__uint128_t)cycles * scale) >> 32);
}

uint64_t loop_now_us(void)
{
    static uint64_t start;
    if (start == 0)
        start = rte_rdtsc(); /* the composer calls first, before there are threads */
    return cycles_us(rte_rdtsc() - start);
}

uint32_t loop_sleep_us(uint64_t idle_us, uint32_t sleeps, uint64_t now_us, uint64_t next_us)
{
    if (idle_us < LOOP_SPIN_US || next_us <= now_us + LOOP_SLEEP_US_MIN)
        return 0;
    uint32_t sleep_us = sleeps < 5 ? LOOP_SLEEP_US_MIN << sleeps : LOOP_SLEEP_US_MAX;
    if (sleep_us > LOOP_SLEEP_US_MAX)
        sleep_us = LOOP_SLEEP_US_MAX;
    return next_us - now_us < sleep_us ? (uint32_t)(next_us - now_us) : sleep_us;
}

static void sleep_for(uint32_t us)
{
    struct timespec wait = {.tv_nsec = (long)us * 1000};
    nanosleep(&wait, NULL);
}

/* Tells the worker the date once a second. */
static void tell_date(struct worker *w, uint64_t now_us, uint64_t *next_date_us)
{
    if (now_us < *next_date_us)
        return;
    *next_date_us = now_us + 1000000;
    worker_set_unix_time(w, (uint64_t)time(NULL));
}

int loop_run(void *arg)
{
    struct loop *loop = arg;
    struct core *core = worker_core(loop->worker);
    uint64_t idle_from_us = UINT64_MAX; /* the first round without work; none: it is busy */
    uint32_t sleeps = 0;                /* since then */
    uint64_t next_date_us = 0;
    uint64_t before = rte_rdtsc();
    prctl(PR_SET_TIMERSLACK, 1000UL); /* ns; the default of 50 us would double the short sleeps */
    while (!*loop->is_stopping) {
        uint64_t now_us = loop_now_us();
        tell_date(loop->worker, now_us, &next_date_us);
        bool is_busy = worker_poll(loop->worker, now_us);
        uint64_t after = rte_rdtsc();
        stat_add(core, STAT_core_cycles_total, after - before);
        if (is_busy)
            stat_add(core, STAT_core_cycles_busy, after - before);
        obs_round_note(&core->stats->rounds, worker_round(loop->worker), is_busy,
                       cycles_ns(after - before), now_us);
        before = after;
        if (is_busy) {
            idle_from_us = UINT64_MAX;
            sleeps = 0;
        } else if (idle_from_us > now_us) {
            idle_from_us = now_us;
        }
        if (loop->idle == IDLE_POLL || is_busy)
            continue;
        uint32_t sleep_us =
            loop_sleep_us(now_us - idle_from_us, sleeps, now_us, worker_next_us(loop->worker));
        if (sleep_us == 0)
            continue;
        sleep_for(sleep_us);
        sleeps += sleeps < UINT32_MAX;
        uint64_t awake = rte_rdtsc();
        stat_add(core, STAT_core_cycles_total, awake - before); /* slept: total, but not busy */
        before = awake;
    }
    tls_thread_done();
    return 0;
}
