/* SPDX-License-Identifier: Apache-2.0 */
/* See obs/rounds.h. */
#include "obs/rounds.h"

#include "base/assert.h"

#define MINUTE_US 60000000u

/* The bucket whose bound is the least power of two that `ns` does not exceed. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns <= STATS_ROUND_NS_LEAST)
        return 0;
    unsigned log2 = 64 - (unsigned)__builtin_clzll(ns - 1);
    unsigned bucket = log2 - STATS_ROUND_LOG2_LEAST;
    return bucket < STATS_ROUND_BUCKETS ? bucket : STATS_ROUND_BUCKETS - 1;
}

/* Another minute begins: what was this one's longest round is the last one's now. */
static void turn_minute(struct stats_rounds *to, uint64_t now_us)
{
    uint64_t minute = now_us / MINUTE_US;
    if (minute == to->minute)
        return;
    static const struct stats_longest none;
    to->longest[STATS_LONGEST_LAST_MINUTE] =
        minute == to->minute + 1 ? to->longest[STATS_LONGEST_THIS_MINUTE] : none;
    to->longest[STATS_LONGEST_THIS_MINUTE] = none;
    to->minute = minute;
}

static void keep(struct stats_longest *longest, const struct obs_round *round, uint64_t ns,
                 uint64_t now_us)
{
    if (ns <= longest->ns)
        return;
    longest->ns = ns;
    longest->at_us = now_us;
    for (unsigned i = 0; i < STATS_ROUND_PARTS; i++)
        longest->done[i] = round->done[i];
}

/* Readers that see an odd number, or another one afterwards, look again. */
static void note_longest(struct stats_rounds *to, const struct obs_round *round, uint64_t ns,
                         uint64_t now_us)
{
    __atomic_store_n(&to->version, to->version + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    turn_minute(to, now_us);
    keep(&to->longest[STATS_LONGEST_EVER], round, ns, now_us);
    keep(&to->longest[STATS_LONGEST_THIS_MINUTE], round, ns, now_us);
    __atomic_store_n(&to->version, to->version + 1, __ATOMIC_RELEASE);
}

void obs_round_note(struct stats_rounds *to, const struct obs_round *round, bool is_busy,
                    uint64_t ns, uint64_t now_us)
{
    struct stats_histogram *h = is_busy ? &to->busy : &to->idle;
    h->buckets[bucket_of(ns)]++;
    h->sum_ns += ns;
    if (ns > to->longest[STATS_LONGEST_THIS_MINUTE].ns || now_us / MINUTE_US != to->minute)
        note_longest(to, round, ns, now_us);
}
