/* SPDX-License-Identifier: Apache-2.0 */
/* Pacing, validation of the window (RFC 7661), and the end of the first slow start (RFC 9406). */
#include "harness.h"
#include "unit.h"

#define MSS 1448u

TEST(the_rate_is_a_little_more_than_a_window_a_round_trip)
{
    CHECK_EQ(tcp_pace_rate(100000, 0, false), 0);
    CHECK_EQ(tcp_pace_rate(100000, 100000, false), 1200000);
    CHECK_EQ(tcp_pace_rate(100000, 100000, true), 2000000);
}

TEST(segments_wait_for_their_moment_but_for_a_burst_after_silence)
{
    struct tcp_pace p = {0};
    uint64_t now_us = 1000000;
    for (unsigned i = 0; i < 10; i++) {
        CHECK(tcp_pace_allows(&p, now_us));
        tcp_pace_on_sent(&p, now_us, 1000, 1000000, 10000); /* a segment a millisecond */
    }
    CHECK(tcp_pace_allows(&p, now_us));
    tcp_pace_on_sent(&p, now_us, 1000, 1000000, 10000);
    CHECK(!tcp_pace_allows(&p, now_us));
    uint64_t next_us = tcp_pace_next_us(&p, now_us);
    CHECK(next_us > now_us && next_us <= now_us + 1000);
    CHECK(tcp_pace_allows(&p, next_us));
    tcp_pace_on_sent(&p, next_us, 1000, 1000000, 10000);
    CHECK(!tcp_pace_allows(&p, next_us));
}

TEST(a_hold_is_kept)
{
    struct tcp_pace p = {0};
    tcp_pace_hold(&p, 2000000);
    CHECK(!tcp_pace_allows(&p, 1000000));
    CHECK(tcp_pace_next_us(&p, 1000000) <= 2000000);
    CHECK(tcp_pace_allows(&p, 2000000));
}

TEST(a_window_goes_out_over_the_round_trip)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.is_paced = true;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w); /* RTT 10 ms */
    CHECK_EQ(write_pattern(s, 1, 1), 1);
    run(w);
    drop_all(w);
    conn(s)->tx->cc.cwnd_bytes = 44 * MSS;
    conn(s)->tx->cc.ssthresh_bytes = 20 * MSS;
    CHECK_EQ(write_pattern(s, 2, 40 * MSS), 40 * MSS);
    run(w);
    CHECK(w->n_out >= 10 && w->n_out <= 14);
    unsigned before = w->n_out;
    pass(w, 2000);
    CHECK(w->n_out > before && w->n_out < 30);
    pass(w, 8000);
    CHECK_EQ(w->n_out, 40);
    drop_all(w);
    stream_abort(s);
    stream_release(s);
    run(w);
    world_free(w);
}

/* Rounds of `bytes` each, 100 ms apart; the numbers go on from `*at`. */
static void rounds(struct tcp_cwv *v, uint32_t *at, uint32_t *now_ms, uint32_t bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        seq_t una = {*at};
        seq_t nxt = {*at + bytes};
        tcp_cwv_on_ack(v, 0, una, nxt, 100000, *now_ms); /* the round begins */
        *at += bytes;
        *now_ms += 100;
        tcp_cwv_on_ack(v, bytes, nxt, nxt, 100000, *now_ms);
    }
}

TEST(a_window_is_validated_by_what_was_acknowledged_in_a_round_trip)
{
    struct tcp_cwv v;
    uint32_t at = 1;
    uint32_t now_ms = 5000;
    tcp_cwv_init(&v, now_ms);
    CHECK(tcp_cwv_is_validated(&v, 100 * MSS)); /* nothing is known: 4.3 */
    rounds(&v, &at, &now_ms, 40 * MSS, 1);
    CHECK(!tcp_cwv_is_validated(&v, 100 * MSS));
    CHECK(tcp_cwv_is_validated(&v, 80 * MSS));
    rounds(&v, &at, &now_ms, 50 * MSS, 1);
    CHECK(tcp_cwv_is_validated(&v, 100 * MSS));
    rounds(&v, &at, &now_ms, MSS, 12); /* 1.2 s later the large one has aged */
    CHECK(!tcp_cwv_is_validated(&v, 100 * MSS));
}

TEST(loss_cuts_a_window_that_was_not_used_to_what_was)
{
    struct tcp_cwv v;
    struct tcp_cc cc;
    uint32_t at = 1;
    uint32_t now_ms = 5000;
    tcp_cc_init(&cc, &tcp_cubic_ops, MSS);
    cc.cwnd_bytes = 100 * MSS;
    tcp_cwv_init(&v, now_ms);
    rounds(&v, &at, &now_ms, 20 * MSS, 2);
    bool was_validated = tcp_cwv_is_validated(&v, cc.cwnd_bytes);
    CHECK(!was_validated);
    tcp_cc_on_recovery(&cc, 10 * MSS, MSS);
    tcp_cwv_on_loss(&v, &cc, was_validated, 10 * MSS, MSS);
    CHECK_EQ(cc.ssthresh_bytes, 10 * MSS); /* max(pipeACK, flight) / 2 */
    tcp_cwv_on_resent(&v, 4 * MSS);
    tcp_cc_on_recovered(&cc, MSS);
    tcp_cwv_on_recovered(&v, &cc, MSS, now_ms);
    CHECK_EQ(cc.cwnd_bytes, 8 * MSS); /* (20 - 4) / 2 */
    CHECK(tcp_cwv_is_validated(&v, cc.cwnd_bytes));
}

TEST(a_window_nobody_used_for_five_minutes_is_halved)
{
    struct tcp_cwv v;
    struct tcp_cc cc;
    tcp_cc_init(&cc, &tcp_cubic_ops, MSS);
    cc.cwnd_bytes = 100 * MSS;
    cc.ssthresh_bytes = 50 * MSS;
    tcp_cwv_init(&v, 1000);
    tcp_cwv_before_send(&v, &cc, MSS, 1000 + TCP_NON_VALIDATED_MS_MAX - 1);
    CHECK_EQ(cc.cwnd_bytes, 100 * MSS);
    tcp_cwv_before_send(&v, &cc, MSS, 1000 + 2 * TCP_NON_VALIDATED_MS_MAX);
    CHECK_EQ(cc.cwnd_bytes, 50 * MSS);
    CHECK_EQ(cc.ssthresh_bytes, 75 * MSS);
    tcp_cwv_before_send(&v, &cc, MSS, 1000 + 20 * TCP_NON_VALIDATED_MS_MAX);
    CHECK_EQ(cc.cwnd_bytes, tcp_cc_initial_window(MSS));
}

/* A round of ten ACKs with this RTT; returns the last divisor. */
static uint32_t round_of(struct tcp_hystart *h, uint32_t *at, uint32_t rtt_us)
{
    uint32_t divisor = 0;
    for (unsigned i = 0; i < 10 && !h->is_done; i++) {
        *at += MSS;
        divisor = tcp_hystart_on_ack(h, rtt_us, (seq_t){*at}, (seq_t){*at + 10 * MSS});
    }
    return divisor;
}

TEST(longer_round_trips_end_the_first_slow_start_after_five_slower_rounds)
{
    struct tcp_hystart h;
    uint32_t at = 1;
    tcp_hystart_init(&h, (seq_t){1});
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(round_of(&h, &at, 40000), 1);
    for (unsigned i = 0; i < 3; i++)
        round_of(&h, &at, 46000);
    CHECK_EQ(round_of(&h, &at, 46000), 4);
    CHECK(!h.is_done);
    for (unsigned i = 0; i < 5; i++)
        round_of(&h, &at, 46000);
    CHECK(h.is_done);
}

TEST(a_passing_delay_ends_nothing)
{
    struct tcp_hystart h;
    uint32_t at = 1;
    tcp_hystart_init(&h, (seq_t){1});
    for (unsigned i = 0; i < 3; i++)
        round_of(&h, &at, 40000);
    for (unsigned i = 0; i < 3; i++)
        round_of(&h, &at, 60000);
    for (unsigned i = 0; i < 12; i++)
        CHECK_EQ(round_of(&h, &at, 40000) * (i > 2), i > 2);
    CHECK(!h.is_done);
}

UNIT_MAIN("tcp/pacing", T(the_rate_is_a_little_more_than_a_window_a_round_trip),
          T(segments_wait_for_their_moment_but_for_a_burst_after_silence), T(a_hold_is_kept),
          T(a_window_goes_out_over_the_round_trip),
          T(a_window_is_validated_by_what_was_acknowledged_in_a_round_trip),
          T(loss_cuts_a_window_that_was_not_used_to_what_was),
          T(a_window_nobody_used_for_five_minutes_is_halved),
          T(longer_round_trips_end_the_first_slow_start_after_five_slower_rounds),
          T(a_passing_delay_ends_nothing))
