/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of rate limits: never more than the limit, not much less, for all numbers that a
 * limit can have, alone and in sum over workers. */
#include "base/container.h"
#include "proxy/limit_rate.h"
#include "unit.h"

#include <stdlib.h>

#define S 1000000000ull /* in ns */
#define DAY_MS IMAGE_LIMIT_PERIOD_MS_MAX

static struct image_limit limit_of(uint32_t requests, uint32_t period_ms, uint32_t burst)
{
    return (struct image_limit){
        .key = IMAGE_LIMIT_ROUTE, .requests = requests, .burst = burst, .period_ms = period_ms};
}

/* Asks `n` times at once; how many pass. */
static unsigned ask(const struct limit_rate *r, uint64_t *due, uint64_t now, unsigned n)
{
    unsigned passed = 0;
    uint64_t wait;
    for (unsigned i = 0; i < n; i++) {
        if (!limit_rate_allows(r, *due, now, &wait))
            continue;
        *due = limit_rate_take(r, *due, now);
        passed++;
    }
    return passed;
}

TEST(a_burst_passes_at_once_and_then_the_rate)
{
    struct image_limit l = limit_of(10, 1000, 5);
    struct limit_rate r = limit_rate_of(&l, 0, 1);
    uint64_t due = 0, now = 7 * S, wait = 0;
    CHECK_EQ(r.interval_ns, S / 10);
    CHECK_EQ(ask(&r, &due, now, 100), 5);
    CHECK(!limit_rate_allows(&r, due, now, &wait));
    CHECK_EQ(wait, S / 10);
    CHECK_EQ(ask(&r, &due, now + wait - 1, 1), 0);
    CHECK_EQ(ask(&r, &due, now + wait, 9), 1);
    CHECK_EQ(ask(&r, &due, now + 3 * wait, 9), 2);
    CHECK_EQ(ask(&r, &due, now + 100 * S, 100), 5); /* it is full again, and not fuller */
}

TEST(a_wait_is_told_in_whole_seconds_and_is_at_least_one)
{
    static const struct {
        uint64_t ns, s;
    } rows[] = {{1, 1},     {S - 1, 1},         {S, 1},
                {S + 1, 2}, {86400 * S, 86400}, {UINT64_MAX, 18446744074}};
    for (unsigned i = 0; i < array_len(rows); i++)
        CHECK_EQ(limit_wait_s(rows[i].ns), rows[i].s);
}

/* Every corner of what a limit can be, on every number of workers. */
static const uint32_t corners[] = {1, 2, 3, 7, 63, 64, 65, 1000, 999999, IMAGE_LIMIT_REQUESTS_MAX};
static const uint32_t periods[] = {IMAGE_LIMIT_PERIOD_MS_MIN, 1001, 60000, DAY_MS};
static const unsigned crews[] = {1, 2, 3, 16, 64};

static void check_corner(const struct image_limit *l, unsigned workers)
{
    uint64_t burst = 0, now = UINT64_MAX / 2000 * 1000, wait = 0;
    for (unsigned worker = 0; worker < workers; worker++) {
        struct limit_rate r = limit_rate_of(l, worker, workers);
        uint64_t exact = (uint64_t)l->period_ms * 1000000 * workers;
        CHECK(r.interval_ns * l->requests >= exact); /* never faster */
        CHECK((r.interval_ns - 1) * l->requests < exact);
        CHECK_EQ(r.slack_ns % r.interval_ns, 0);
        burst += r.slack_ns / r.interval_ns + 1;
        /* an empty bucket, years after the box started: nothing wraps around */
        uint64_t due = now + r.slack_ns;
        REQUIRE(due >= now && limit_rate_allows(&r, due, now, &wait));
        uint64_t next = limit_rate_take(&r, due, now);
        CHECK(next > due && !limit_rate_allows(&r, next, now, &wait));
        CHECK_EQ(wait, r.interval_ns);
    }
    CHECK_EQ(burst, l->burst > workers ? l->burst : workers);
}

TEST(workers_together_let_through_what_the_limit_says)
{
    unsigned n = 0;
    for (unsigned i = 0; i < array_len(corners) * array_len(corners) * array_len(periods); i++) {
        struct image_limit l =
            limit_of(corners[i % array_len(corners)], periods[i / array_len(corners) % 4],
                     corners[i / array_len(corners) / array_len(periods)]);
        if (!image_is_limit(&l))
            continue;
        for (unsigned k = 0; k < array_len(crews); k++)
            check_corner(&l, crews[k]);
        n++;
    }
    CHECK(n > 300);
}

TEST(in_any_time_no_more_passes_than_the_burst_and_the_rate)
{
    struct image_limit l = limit_of(7, 1000, 3);
    struct limit_rate r = limit_rate_of(&l, 0, 1);
    uint64_t due = 0, now = 1, rng = 88172645463325252ull;
    unsigned passed = 0, asked = 0;
    while (now < 1000 * S) {
        rng ^= rng << 13;
        rng ^= rng >> 7;
        rng ^= rng << 17;
        now += rng % (S / 5);
        passed += ask(&r, &due, now, 2);
        asked += 2;
        CHECK(passed <= 3 + 7 * now / S);
    }
    CHECK(asked > 15000);
    CHECK(passed > 6990); /* nor is it much less */
}

TEST(what_could_not_be_counted_is_no_limit)
{
    struct image_limit l = limit_of(1, DAY_MS, 365);
    CHECK(image_is_limit(&l));
    l.burst = 366; /* more than a year */
    CHECK(!image_is_limit(&l));
    l = limit_of(IMAGE_LIMIT_REQUESTS_MAX, DAY_MS, IMAGE_LIMIT_REQUESTS_MAX);
    CHECK(image_is_limit(&l));
}

UNIT_MAIN("proxy/limit_rate", T(a_burst_passes_at_once_and_then_the_rate),
          T(a_wait_is_told_in_whole_seconds_and_is_at_least_one),
          T(workers_together_let_through_what_the_limit_says),
          T(in_any_time_no_more_passes_than_the_burst_and_the_rate),
          T(what_could_not_be_counted_is_no_limit))
