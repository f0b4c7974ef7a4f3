/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers can make us answer, and what they can make us believe: RFC 5961, and rates. */
#include "base/rng.h"
#include "harness.h"
#include "unit.h"

#include <rte_mbuf.h>

static void finish(struct world *w, struct stream *s)
{
    if (stream_end(s) == STREAM_END_OPEN)
        stream_abort(s);
    stream_release(s);
    run(w);
    drop_all(w);
    world_free(w);
}

/* Counts what was sent and drops it. */
static unsigned answers(struct world *w)
{
    unsigned n = w->n_out;
    drop_all(w);
    return n;
}

TEST(a_budget_lies_between_half_and_three_halves_and_differs_by_second)
{
    struct tcp_rate rate = {0};
    struct rng rng = {5};
    unsigned seen[8] = {0};
    uint64_t sum = 0;
    for (unsigned second = 0; second < 1000; second++) {
        unsigned n = 0;
        while (tcp_rate_take(&rate, second * 1000000ull, &rng, 100))
            n++;
        REQUIRE(n >= 50 && n < 150);
        CHECK(!tcp_rate_take(&rate, second * 1000000ull + 999999, &rng, 100));
        seen[(n - 50) * 8 / 100]++;
        sum += n;
    }
    CHECK(sum > 95000 && sum < 105000);
    for (unsigned i = 0; i < array_len(seen); i++)
        CHECK(seen[i] > 60);
}

TEST(the_least_budget_is_one)
{
    struct tcp_rate rate = {0};
    struct rng rng = {5};
    for (unsigned second = 0; second < 10; second++) {
        CHECK(tcp_rate_take(&rate, second * 1000000ull, &rng, 1));
        CHECK(!tcp_rate_take(&rate, second * 1000000ull, &rng, 1));
    }
}

TEST(peers_that_ask_whether_we_are_there_are_answered_though_challenges_are_used_up)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.challenge_per_second_max = 1;
    config.tcp.half_open_max = 100;
    struct world *w = world_new(&config);
    struct stream *s[60];
    uint32_t iss[60];
    for (unsigned i = 0; i < 60; i++) {
        w->remote_port = (uint16_t)(41000 + i);
        w->knows_iss = false;
        w->accepted = NULL;
        s[i] = world_accept(w);
        iss[i] = w->our_iss;
    }
    for (unsigned again = 0; again < 2; again++) { /* but each only once in half a second */
        unsigned sent = 0;
        for (unsigned i = 0; i < 60; i++) {
            w->remote_port = (uint16_t)(41000 + i);
            w->our_iss = iss[i];
            peer(w, SEG(.flags = A, .seq = 0, .ack = 1));
            run(w);
            sent += answers(w);
        }
        CHECK_EQ(sent, again == 0 ? 60 : 0);
    }
    CHECK_EQ(stat(w, STAT_tcp_tx_challenge), 0);
    CHECK_EQ(stat(w, STAT_tcp_tx_challenge_limited), 60);
    for (unsigned i = 0; i < 60; i++) {
        w->remote_port = (uint16_t)(41000 + i);
        stream_abort(s[i]);
        stream_release(s[i]);
        run(w);
        answers(w);
    }
    world_free(w);
}

TEST(challenges_have_a_rate_of_the_worker_that_no_stranger_can_count)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.challenge_per_second_max = 20;
    config.tcp.half_open_max = 100;
    struct world *w = world_new(&config);
    struct stream *s[60];
    for (unsigned i = 0; i < 60; i++) {
        w->remote_port = (uint16_t)(41000 + i);
        w->knows_iss = false;
        w->accepted = NULL;
        s[i] = world_accept(w);
    }
    unsigned sent[3] = {0};
    for (unsigned second = 0; second < 3; second++) {
        for (unsigned i = 0; i < 60; i++) { /* one each: its own limit is not reached */
            w->remote_port = (uint16_t)(41000 + i);
            peer(w, SEG(.flags = R, .seq = 100));
            run(w);
            sent[second] += answers(w);
        }
        CHECK(sent[second] >= 10 && sent[second] < 30);
        w->core.now_us += 1000000;
    }
    CHECK(sent[0] != sent[1] || sent[1] != sent[2]);
    CHECK_EQ(stat(w, STAT_tcp_tx_challenge), sent[0] + sent[1] + sent[2]);
    CHECK_EQ(stat(w, STAT_tcp_tx_challenge_limited), 180 - stat(w, STAT_tcp_tx_challenge));
    for (unsigned i = 0; i < 60; i++) {
        w->remote_port = (uint16_t)(41000 + i);
        stream_abort(s[i]);
        stream_release(s[i]);
        run(w);
        answers(w);
    }
    world_free(w);
}

TEST(two_confused_peers_stop_talking)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    unsigned ours = 0;
    peer(w, SEG(.flags = A, .seq = 70000, .ack = 1)); /* a number of another life */
    for (unsigned ms = 0; ms < 2000; ms++) {
        pass(w, 1000);
        unsigned n = answers(w);
        ours += n;
        while (n-- > 0) /* it thinks the same of ours */
            peer(w, SEG(.flags = A, .seq = 70000, .ack = 1));
    }
    CHECK(ours >= 1 && ours <= 5);
    CHECK_EQ(stream_end(s), STREAM_END_OPEN);
    finish(w, s);
}

TEST(peers_whose_timestamps_disagree_stop_talking)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    unsigned ours = 0;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .is_old = true));
    for (unsigned ms = 0; ms < 2000; ms++) {
        pass(w, 1000);
        unsigned n = answers(w);
        ours += n;
        while (n-- > 0)
            peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .is_old = true));
    }
    CHECK(ours >= 1 && ours <= 5);
    finish(w, s);
}

TEST(data_out_of_the_window_is_answered_at_the_rate_of_the_worker)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 1000));
    run(w);
    CHECK_EQ(read_pattern(s, 1), 1000);
    answers(w);
    unsigned n = 0;
    for (unsigned i = 0; i < 20000; i++) {
        peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 10));
        n += answers(w);
    }
    CHECK(n >= TCP_STRAY_ACKS_PER_SECOND_MAX / 2 && n < TCP_STRAY_ACKS_PER_SECOND_MAX * 3 / 2);
    CHECK_EQ(stat(w, STAT_tcp_tx_stray_limited), 20000 - n);
    finish(w, s);
}

TEST(acknowledgements_count_from_the_largest_window_below_to_what_was_sent)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 5000), 5000);
    run(w);
    answers(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 2001));
    run(w);
    answers(w);
    /* RFC 5961, 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT; one more for a window probe. */
    static const struct {
        uint32_t ack;
        bool is_taken;
    } cases[] = {
        {5002, false},
        {2001, true},
        {2000, true},
        {2001u - 65535 - 1, true},
        {2001u - 65535 - 2, false},
        {2001u + 0x80000000u, false},
        {2001u + 0x7fffffffu, false},
        {5001, true},
    };
    uint32_t at = 1;
    for (unsigned i = 0; i < array_len(cases); i++) {
        w->core.now_us += 1000000; /* challenges are not short */
        uint64_t refused = stat(w, STAT_tcp_drop_ack_invalid);
        uint64_t challenged = stat(w, STAT_tcp_tx_challenge);
        peer(w, SEG(.flags = A, .seq = at, .ack = cases[i].ack, .len = 10));
        CHECK_EQ(stat(w, STAT_tcp_drop_ack_invalid) - refused, !cases[i].is_taken);
        CHECK_EQ(stat(w, STAT_tcp_tx_challenge) - challenged, !cases[i].is_taken);
        at += cases[i].is_taken ? 10 : 0;
        run(w);
        CHECK_EQ(read_pattern(s, at - 10), cases[i].is_taken ? 10 : 0);
        answers(w);
    }
    finish(w, s);
}

TEST(blind_data_gets_in_only_by_a_lucky_acknowledgement)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    struct rng rng = {99};
    unsigned in = 0;
    for (unsigned i = 0; i < 200000; i++) { /* the number is right, as if somebody had told it */
        peer(w, SEG(.flags = A, .seq = 1 + in * 10, .ack = (uint32_t)rng_next(&rng), .len = 10));
        in += stream_readable(s) > 0;
        stream_consume(s, stream_readable(s));
    }
    CHECK(in <= 12); /* 65,537 of 2^32 numbers: 3 expected */
    CHECK_EQ(stat(w, STAT_tcp_drop_ack_invalid), 200000 - in);
    run(w);
    answers(w);
    finish(w, s);
}

TEST(opens_at_once_work_when_every_budget_is_spent)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.challenge_per_second_max = 1;
    config.tcp.rst_per_second_max = 1;
    struct world *w = world_new(&config);
    while (tcp_rate_take(&w->tcp->challenges, w->core.now_us, &w->core.rng, 1))
        ;
    while (tcp_may_answer_stray(w->tcp))
        ;
    struct stream *s = world_open(w, 0, S);
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT(w, .flags = S | A, .seq = 0, .ack = 1);
    peer(w, SEG(.flags = S)); /* ours was lost on the way */
    run(w);
    EXPECT(w, .flags = S | A, .seq = 0, .ack = 1);
    peer(w, SEG(.flags = S | A, .seq = 0, .ack = 1));
    run(w);
    CHECK_EQ(conn(s)->state, TCP_ESTABLISHED);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    finish(w, s);
}

TEST(resets_tell_the_timestamp_that_they_answer)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct seg got = {0};
    w->knows_iss = true;
    peer(w, SEG(.flags = A, .seq = 5, .ack = 9));
    REQUIRE(take(w, &got));
    CHECK_EQ(got.flags, R);
    CHECK(got.options.has_timestamps);
    CHECK_EQ(got.options.ts_value, 0);
    CHECK_EQ(got.options.ts_echo, w->core.now_us / 1000 + 77);
    peer(w, SEG(.flags = A, .seq = 5, .ack = 9, .no_timestamps = true));
    REQUIRE(take(w, &got));
    CHECK(!got.options.has_timestamps);
    w->knows_iss = false;
    struct stream *s = world_accept(w);
    uint32_t clock = w->ts_echo;
    stream_abort(s);
    REQUIRE(take(w, &got));
    CHECK_EQ(got.flags, R | A);
    CHECK(got.options.has_timestamps);
    CHECK_EQ(got.options.ts_value, clock + 10); /* the handshake took so long */
    finish(w, s);
}

TEST(a_connection_without_timestamps_is_reset_without)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_timestamps = false;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    struct seg got = {0};
    stream_abort(s);
    REQUIRE(take(w, &got));
    CHECK(!got.options.has_timestamps);
    finish(w, s);
}

/* Into TIME_WAIT; nothing is left in the output. */
static void close_first(struct world *w)
{
    struct stream *s = world_accept(w);
    stream_shutdown(s);
    run(w);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 2));
    run(w);
    stream_release(s);
    w->accepted = NULL;
    run(w);
    answers(w);
    CHECK_EQ(tcp_timewait_count(w->tcp), 1);
}

TEST(what_comes_for_a_time_wait_is_answered_at_the_rate_of_the_worker)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    close_first(w);
    peer(w, SEG(.flags = A | F, .seq = 1, .ack = 2));
    EXPECT(w, .flags = A, .seq = 2, .ack = 2);
    while (tcp_may_answer_stray(w->tcp))
        ;
    uint64_t limited = stat(w, STAT_tcp_tx_stray_limited);
    peer(w, SEG(.flags = A | F, .seq = 1, .ack = 2));
    EXPECT_NONE(w);
    CHECK_EQ(stat(w, STAT_tcp_tx_stray_limited), limited + 1);
    w->core.now_us += 1000000;
    peer(w, SEG(.flags = A | F, .seq = 1, .ack = 2));
    EXPECT(w, .flags = A, .seq = 2, .ack = 2);
    world_free(w);
}

TEST(a_syn_with_timestamps_takes_over_a_time_wait_that_had_none)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_timestamps = false;
    struct world *w = world_new(&config);
    close_first(w);
    peer(w, SEG(.flags = S, .seq = 0)); /* neither newer nor with a clock */
    EXPECT(w, .flags = A, .seq = 2, .ack = 2);
    CHECK_EQ(tcp_timewait_count(w->tcp), 1);
    w->config.has_timestamps = true;
    peer(w, SEG(.flags = S, .seq = 0)); /* RFC 6191, section 2 */
    CHECK_EQ(tcp_timewait_count(w->tcp), 0);
    CHECK_EQ(stat(w, STAT_tcp_half_open_now), 1);
    run(w);
    answers(w);
    world_free(w);
}

TEST(after_a_lost_syn_the_first_timeout_is_three_seconds)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_timestamps = false; /* with them the echo tells which SYN was answered */
    config.has_sack = false;       /* with it a probe goes first, after a second (RFC 8985, 7.2) */
    struct world *w = world_new(&config);
    peer(w, SEG(.flags = S));
    run(w);
    answers(w);
    pass(w, 1100000);
    EXPECT(w, .flags = S | A, .ack = 1);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    struct stream *s = w->accepted;
    CHECK_EQ(write_pattern(s, 1, 100), 100);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 100);
    pass(w, 2900000);
    EXPECT_NONE(w);
    pass(w, 200000);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 100);
    finish(w, s);
}

TEST(the_echo_tells_the_round_trip_of_a_syn_that_was_sent_again)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    peer(w, SEG(.flags = S));
    run(w);
    answers(w);
    pass(w, 1100000);
    EXPECT(w, .flags = S | A, .ack = 1);
    w->core.now_us += 40000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    uint32_t srtt_us = conn(w->accepted)->rtt.srtt_us;
    CHECK(srtt_us >= 40000 && srtt_us <= 142000);
    finish(w, w->accepted);
}

UNIT_MAIN("tcp/limits", T(a_budget_lies_between_half_and_three_halves_and_differs_by_second),
          T(the_least_budget_is_one),
          T(peers_that_ask_whether_we_are_there_are_answered_though_challenges_are_used_up),
          T(challenges_have_a_rate_of_the_worker_that_no_stranger_can_count),
          T(two_confused_peers_stop_talking), T(peers_whose_timestamps_disagree_stop_talking),
          T(data_out_of_the_window_is_answered_at_the_rate_of_the_worker),
          T(acknowledgements_count_from_the_largest_window_below_to_what_was_sent),
          T(blind_data_gets_in_only_by_a_lucky_acknowledgement),
          T(opens_at_once_work_when_every_budget_is_spent),
          T(resets_tell_the_timestamp_that_they_answer),
          T(a_connection_without_timestamps_is_reset_without),
          T(what_comes_for_a_time_wait_is_answered_at_the_rate_of_the_worker),
          T(a_syn_with_timestamps_takes_over_a_time_wait_that_had_none),
          T(after_a_lost_syn_the_first_timeout_is_three_seconds),
          T(the_echo_tells_the_round_trip_of_a_syn_that_was_sent_again))
