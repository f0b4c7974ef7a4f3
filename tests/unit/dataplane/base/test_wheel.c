/* SPDX-License-Identifier: Apache-2.0 */
/* dataplane/base/wheel: the rules of its header, and long random walks against a naive model. */
#include "base/rng.h"
#include "base/wheel.h"
#include "unit.h"

#include <stdlib.h>

#define DAY_US (86400ULL * 1000000)

/* A timer that writes down when it was called, and can arm itself again. */
struct probe {
    struct wheel_timer timer;
    struct wheel *wheel;
    struct wheel_timer *victim; /* disarmed by the callback */
    uint64_t again_us;          /* armed again for now + this; 0: not */
    uint64_t fired_us;
    unsigned fired;
    unsigned order;
};

static struct wheel wheel;
static unsigned fired_total;

static void on_probe(struct wheel_timer *timer, uint64_t now_us)
{
    struct probe *p = container_of(timer, struct probe, timer);
    p->fired++;
    p->fired_us = now_us;
    p->order = fired_total++;
    if (p->victim != NULL)
        wheel_disarm(p->wheel, p->victim);
    if (p->again_us != 0)
        wheel_arm(p->wheel, timer, now_us + p->again_us - 1);
}

static struct probe probe_make(void)
{
    return (struct probe){.timer = {.on_expire = on_probe}, .wheel = &wheel};
}

TEST(an_empty_wheel_never_wakes_anybody)
{
    wheel_init(&wheel, 12345);
    CHECK(wheel_next_us(&wheel) == UINT64_MAX);
    CHECK_EQ(wheel_run(&wheel, 30 * DAY_US, 10), 0);
    CHECK(wheel_next_us(&wheel) == UINT64_MAX);
}

TEST(a_timer_fires_at_most_one_tick_late_and_never_early)
{
    static const uint64_t delays[] = {
        1,     127,    128,        129,        1000,       32767,           32768,
        32769, 200000, 8388608,    8388609,    8500000,    2147483648,      2147483649,
        1e10,  DAY_US, 5 * DAY_US, 6 * DAY_US, 7 * DAY_US, 400 * DAY_US + 3};
    static const uint64_t origins[] = {0, 1, 127, 128 * 255, 128ULL * 65535 + 5, 1ULL << 45};
    for (unsigned o = 0; o < array_len(origins); o++) {
        for (unsigned i = 0; i < array_len(delays); i++) {
            struct probe p = probe_make();
            uint64_t deadline = origins[o] + delays[i];
            wheel_init(&wheel, origins[o]);
            wheel_arm(&wheel, &p.timer, deadline);
            CHECK_EQ(wheel.armed, 1);
            CHECK_EQ(wheel_run(&wheel, deadline - 1, 10), 0);
            CHECK(wheel_next_us(&wheel) < deadline + WHEEL_TICK_US);
            CHECK_EQ(wheel_run(&wheel, deadline + WHEEL_TICK_US, 10), 1);
            CHECK(p.fired == 1 && p.fired_us >= deadline);
            CHECK_EQ(wheel.armed, 0);
        }
    }
}

TEST(a_deadline_in_the_past_fires_in_the_next_run)
{
    struct probe p = probe_make();
    wheel_init(&wheel, 1000000);
    wheel_arm(&wheel, &p.timer, 5);
    CHECK(wheel_next_us(&wheel) <= 1000000);
    CHECK_EQ(wheel_run(&wheel, 1000000, 10), 1);
}

TEST(time_never_goes_back)
{
    struct probe p = probe_make();
    wheel_init(&wheel, 1000000);
    wheel_arm(&wheel, &p.timer, 1000500);
    CHECK_EQ(wheel_run(&wheel, 10, 10), 0);
    CHECK_EQ(wheel_run(&wheel, 1001000, 10), 1);
    wheel_arm(&wheel, &p.timer, 1000900);
    CHECK_EQ(wheel_run(&wheel, 10, 10), 1);
    CHECK(p.fired_us >= 1000900);
}

TEST(re_arming_later_is_lazy_and_earlier_is_at_once)
{
    struct probe p = probe_make();
    wheel_init(&wheel, 0);
    wheel_arm(&wheel, &p.timer, 1000);
    const struct list_node *slot = p.timer.link.next;
    wheel_arm(&wheel, &p.timer, 50000);
    CHECK(p.timer.link.next == slot);
    CHECK(wheel_next_us(&wheel) <= 1024);
    CHECK_EQ(wheel_run(&wheel, 2000, 10), 0);
    CHECK(p.timer.link.next != slot);
    CHECK_EQ(wheel_run(&wheel, 49999, 10), 0);
    wheel_arm(&wheel, &p.timer, 900000);
    wheel_arm(&wheel, &p.timer, 50500);
    CHECK_EQ(wheel_run(&wheel, 50700, 10), 1);
    CHECK_EQ(wheel.armed, 0);
}

TEST(a_disarmed_timer_stays_silent)
{
    struct probe p = probe_make();
    wheel_init(&wheel, 0);
    wheel_arm(&wheel, &p.timer, 1000);
    wheel_disarm(&wheel, &p.timer);
    wheel_disarm(&wheel, &p.timer);
    CHECK(!wheel_timer_is_armed(&p.timer));
    CHECK(wheel_next_us(&wheel) == UINT64_MAX);
    CHECK_EQ(wheel_run(&wheel, 5000, 10), 0);
}

TEST(what_the_budget_leaves_is_carried_over_in_order)
{
    enum { N = 100 };
    struct probe p[N];
    wheel_init(&wheel, 0);
    fired_total = 0;
    for (unsigned i = 0; i < N; i++) {
        p[i] = probe_make();
        wheel_arm(&wheel, &p[i].timer, 500 + i * WHEEL_TICK_US);
    }
    for (unsigned left = N; left > 0; left -= 10) {
        CHECK_EQ(wheel.armed, left);
        CHECK_EQ(wheel_run(&wheel, 1000000, 10), 10);
        CHECK(left == 10 || wheel_next_us(&wheel) <= 1000000);
    }
    CHECK_EQ(wheel_run(&wheel, 1000000, 10), 0);
    for (unsigned i = 0; i < N; i++)
        CHECK_EQ(p[i].order, i);
}

TEST(a_timer_moved_later_while_it_waits_for_budget_does_not_fire)
{
    struct probe a = probe_make();
    struct probe b = probe_make();
    wheel_init(&wheel, 0);
    wheel_arm(&wheel, &a.timer, 100);
    wheel_arm(&wheel, &b.timer, 100);
    CHECK_EQ(wheel_run(&wheel, 1000, 1), 1);
    wheel_arm(&wheel, &b.timer, 9000);
    CHECK_EQ(wheel_run(&wheel, 2000, 10), 0);
    CHECK_EQ(wheel_run(&wheel, 9100, 10), 1);
    CHECK_EQ(b.fired, 1);
}

TEST(a_callback_that_arms_for_now_is_called_once_a_run)
{
    struct probe p = probe_make();
    p.again_us = 1;
    wheel_init(&wheel, 0);
    wheel_arm(&wheel, &p.timer, 128);
    for (unsigned run = 1; run <= 5; run++) {
        CHECK_EQ(wheel_run(&wheel, 128, 100), 1);
        CHECK_EQ(p.fired, run);
    }
    wheel_disarm(&wheel, &p.timer);
}

TEST(a_callback_may_disarm_another_due_timer)
{
    struct probe a = probe_make();
    struct probe b = probe_make();
    a.victim = &b.timer;
    wheel_init(&wheel, 0);
    wheel_arm(&wheel, &a.timer, 100);
    wheel_arm(&wheel, &b.timer, 100);
    CHECK_EQ(wheel_run(&wheel, 1000, 10), 1);
    CHECK_EQ(b.fired, 0);
    CHECK_EQ(wheel.armed, 0);
}

/* A delay of any magnitude the wheel has a level for, and beyond. */
static uint64_t random_delay(struct rng *rng)
{
    static const uint64_t spans[] = {1, 300, WHEEL_TICK_US * 256, 10000000, 3 * 60e9, 8 * DAY_US};
    return rng_next(rng) % (spans[rng_below(rng, array_len(spans))] + 1);
}

enum { MODEL_TIMERS = 200 };

/* Every timer that the model holds due at `now` and only those may fire, none more than a tick
 * late, and the sleeper's bound holds. */
static void check_against_model(struct probe *p, const uint64_t *deadline, uint64_t now)
{
    unsigned armed = 0;
    for (unsigned i = 0; i < MODEL_TIMERS; i++) {
        if (deadline[i] == UINT64_MAX)
            continue;
        REQUIRE(wheel_timer_is_armed(&p[i].timer));
        REQUIRE(deadline[i] + WHEEL_TICK_US > now);
        REQUIRE(wheel_next_us(&wheel) < deadline[i] + WHEEL_TICK_US);
        armed++;
    }
    REQUIRE(wheel.armed == armed);
}

static void walk(uint64_t seed)
{
    struct rng rng = {.state = seed};
    static struct probe p[MODEL_TIMERS];
    uint64_t deadline[MODEL_TIMERS];
    uint64_t now = rng_next(&rng) >> 20;
    wheel_init(&wheel, now);
    for (unsigned i = 0; i < MODEL_TIMERS; i++) {
        p[i] = probe_make();
        deadline[i] = UINT64_MAX;
    }
    for (unsigned step = 0; step < 3000; step++) {
        unsigned i = rng_below(&rng, MODEL_TIMERS);
        unsigned what = rng_below(&rng, 8);
        if (what < 4) {
            deadline[i] = now + random_delay(&rng);
            wheel_arm(&wheel, &p[i].timer, deadline[i]);
        } else if (what == 4) {
            deadline[i] = UINT64_MAX;
            wheel_disarm(&wheel, &p[i].timer);
        }
        /* Now and then sleep exactly as long as the wheel allows: nothing may be missed. */
        uint64_t bound = wheel_next_us(&wheel);
        if (rng_below(&rng, 4) == 0 && bound != UINT64_MAX)
            now = bound > now ? bound : now;
        else
            now += random_delay(&rng) >> rng_below(&rng, 30);
        for (unsigned k = 0; k < MODEL_TIMERS; k++)
            p[k].fired = 0;
        wheel_run(&wheel, now, MODEL_TIMERS);
        for (unsigned k = 0; k < MODEL_TIMERS; k++) {
            REQUIRE(p[k].fired <= 1);
            if (p[k].fired == 0)
                continue;
            REQUIRE(deadline[k] <= now);
            deadline[k] = UINT64_MAX;
        }
        check_against_model(p, deadline, now);
    }
}

TEST(random_walks_agree_with_the_naive_model)
{
    for (uint64_t seed = 1; seed <= 30; seed++)
        walk(seed);
}

UNIT_MAIN("wheel", T(an_empty_wheel_never_wakes_anybody),
          T(a_timer_fires_at_most_one_tick_late_and_never_early),
          T(a_deadline_in_the_past_fires_in_the_next_run), T(time_never_goes_back),
          T(re_arming_later_is_lazy_and_earlier_is_at_once), T(a_disarmed_timer_stays_silent),
          T(what_the_budget_leaves_is_carried_over_in_order),
          T(a_timer_moved_later_while_it_waits_for_budget_does_not_fire),
          T(a_callback_that_arms_for_now_is_called_once_a_run),
          T(a_callback_may_disarm_another_due_timer), T(random_walks_agree_with_the_naive_model))
