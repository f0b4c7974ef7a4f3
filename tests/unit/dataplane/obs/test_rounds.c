/* SPDX-License-Identifier: Apache-2.0 */
/* The histogram of rounds: which bucket, and what is kept of the longest. */
#include "obs/rounds.h"
#include "unit.h"

#include <string.h>

static struct stats_rounds rounds;

static void note(uint64_t ns, bool is_busy, uint64_t now_us, uint32_t frames)
{
    struct obs_round r = {.done = {[STATS_ROUND_frames] = frames}};
    obs_round_note(&rounds, &r, is_busy, ns, now_us);
}

/* The bucket of `ns`, by noting it in an empty histogram. */
static unsigned bucket(uint64_t ns)
{
    unsigned at = STATS_ROUND_BUCKETS;
    memset(&rounds, 0, sizeof(rounds));
    note(ns, true, 0, 0);
    for (unsigned i = 0; i < STATS_ROUND_BUCKETS; i++) {
        if (rounds.busy.buckets[i] == 1)
            at = i;
    }
    return at;
}

TEST(a_bound_belongs_to_its_bucket_and_one_more_to_the_next)
{
    CHECK_EQ(bucket(0), 0);
    CHECK_EQ(bucket(1), 0);
    for (unsigned i = 0; i + 2 < STATS_ROUND_BUCKETS; i++) {
        CHECK_EQ(bucket(stats_round_bound_ns(i)), i);
        CHECK_EQ(bucket(stats_round_bound_ns(i) + 1), i + 1);
    }
    CHECK_EQ(bucket(UINT64_MAX), STATS_ROUND_BUCKETS - 1);
    CHECK_EQ(stats_round_bound_ns(0), 128);
    CHECK(stats_round_bound_ns(STATS_ROUND_BUCKETS - 2) >= 500000000); /* half a second */
}

TEST(busy_and_idle_rounds_are_kept_apart)
{
    memset(&rounds, 0, sizeof(rounds));
    for (unsigned i = 0; i < 10; i++)
        note(1000, i < 3, i, 0);
    CHECK_EQ(rounds.busy.sum_ns, 3000);
    CHECK_EQ(rounds.idle.sum_ns, 7000);
    CHECK_EQ(rounds.busy.buckets[3], 3);
    CHECK_EQ(rounds.idle.buckets[3], 7);
}

TEST(the_longest_round_is_kept_with_what_it_did_ever_and_by_the_minute)
{
    const struct stats_longest *ever = &rounds.longest[STATS_LONGEST_EVER];
    const struct stats_longest *this = &rounds.longest[STATS_LONGEST_THIS_MINUTE];
    const struct stats_longest *last = &rounds.longest[STATS_LONGEST_LAST_MINUTE];
    memset(&rounds, 0, sizeof(rounds));
    note(500, true, 1, 5);
    note(900, true, 2, 9);
    note(700, true, 3, 7);
    CHECK(ever->ns == 900 && ever->at_us == 2 && ever->done[STATS_ROUND_frames] == 9);
    CHECK_EQ(this->ns, 900);
    note(300, true, 60000000, 3);
    CHECK(this->ns == 300 && this->done[STATS_ROUND_frames] == 3);
    CHECK_EQ(last->ns, 900);
    CHECK_EQ(ever->ns, 900);
    note(100, false, 200000000, 1); /* a minute without any round lies between */
    CHECK_EQ(this->ns, 100);
    CHECK_EQ(last->ns, 0);
    CHECK_EQ(rounds.version % 2, 0);
}

UNIT_MAIN("obs/rounds", T(a_bound_belongs_to_its_bucket_and_one_more_to_the_next),
          T(busy_and_idle_rounds_are_kept_apart),
          T(the_longest_round_is_kept_with_what_it_did_ever_and_by_the_minute))
