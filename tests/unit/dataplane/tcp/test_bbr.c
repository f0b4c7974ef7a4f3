/* SPDX-License-Identifier: Apache-2.0 */
/* BBR over a bottleneck (bbr_path.h): the model, the states, and the answers to loss. The cases are
 * those of the draft's appendix where it names one. */
#include "bbr_path.h"
#include "unit.h"

#define RATE 1250000u /* 10 Mbit/s */
#define RTT_US 40000u
#define QUEUE 200000u /* four times what the path holds */
#define S_US 1000000ull

static struct path p;

static const struct tcp_bbr *bbr(void)
{
    return &p.cc.bbr;
}

static uint64_t max_bw(void)
{
    return tcp_bbr_max_bw(&p.cc.bbr);
}

/* A flow that has found out what the path bears, at the begin of this state. */
static void begin_in(enum tcp_bbr_state state)
{
    path_init(&p, RATE, RTT_US, QUEUE);
    REQUIRE(path_run_to(&p, TCP_BBR_DRAIN, 3 * S_US));
    if (state != TCP_BBR_DRAIN)
        REQUIRE(path_run_to(&p, state, 10 * S_US));
}

TEST(the_greatest_sample_of_two_cycles_is_the_bandwidth)
{
    struct tcp_bbr b = {0};
    struct tcp_bw_sample rs = {.bytes_per_s = 1000};
    tcp_bbr_update_max_bw(&b, &rs);
    rs.bytes_per_s = 900;
    tcp_bbr_update_max_bw(&b, &rs);
    CHECK_EQ(tcp_bbr_max_bw(&b), 1000);
    tcp_bbr_advance_max_bw_filter(&b);
    CHECK_EQ(tcp_bbr_max_bw(&b), 1000);
    tcp_bbr_advance_max_bw_filter(&b); /* a cycle without samples takes nothing away */
    CHECK_EQ(tcp_bbr_max_bw(&b), 1000);
    rs.bytes_per_s = 800;
    tcp_bbr_update_max_bw(&b, &rs);
    CHECK_EQ(tcp_bbr_max_bw(&b), 1000);
    tcp_bbr_advance_max_bw_filter(&b);
    CHECK_EQ(tcp_bbr_max_bw(&b), 800);
}

TEST(a_sample_of_the_applications_making_counts_only_if_it_is_greater)
{
    struct tcp_bbr b = {0};
    struct tcp_bw_sample rs = {.bytes_per_s = 1000};
    tcp_bbr_update_max_bw(&b, &rs);
    tcp_bbr_advance_max_bw_filter(&b);
    rs = (struct tcp_bw_sample){.bytes_per_s = 500, .is_app_limited = true};
    tcp_bbr_update_max_bw(&b, &rs);
    CHECK_EQ(b.max_bw_filter[1], 0);
    rs.bytes_per_s = 1500;
    tcp_bbr_update_max_bw(&b, &rs);
    CHECK_EQ(tcp_bbr_max_bw(&b), 1500);
}

TEST(startup_begins_with_the_initial_window_over_a_round_trip)
{
    path_init(&p, RATE, RTT_US, QUEUE);
    CHECK_EQ(p.cc.cwnd_bytes, tcp_cc_initial_window(PATH_MSS));
    CHECK_EQ(bbr()->pacing_rate, tcp_cc_initial_window(PATH_MSS) * 25ull * 277 / 100);
    CHECK_EQ(bbr()->state, TCP_BBR_STARTUP);
}

TEST(startup_doubles_until_the_rate_stands_still_for_three_rounds)
{
    path_init(&p, RATE, RTT_US, QUEUE);
    path_run(&p, RTT_US + 20000);
    CHECK(p.cc.cwnd_bytes >= 16 * PATH_MSS);
    REQUIRE(path_run_to(&p, TCP_BBR_DRAIN, 2 * S_US));
    CHECK_EQ(bbr()->full_bw_count, 3);
    CHECK(bbr()->full_bw_now && bbr()->full_bw_reached);
    CHECK(max_bw() >= RATE * 98ull / 100 && max_bw() <= RATE * 102ull / 100);
    CHECK_EQ(p.dropped, 0);
    CHECK(bbr()->round_count <= 10);
    CHECK(p.now_us < 1000000 + S_US);
}

TEST(drain_empties_the_queue_at_half_the_rate)
{
    begin_in(TCP_BBR_DRAIN);
    path_run(&p, 200);
    CHECK(p.look.pipe_bytes > path_bdp(&p, 150));
    CHECK_EQ(bbr()->pacing_rate / 1000, max_bw() / 2 * 99 / 100 / 1000);
    uint32_t round = bbr()->round_count;
    REQUIRE(path_run_from(&p, TCP_BBR_DRAIN, S_US));
    CHECK(p.look.pipe_bytes <= path_bdp(&p, 105));
    CHECK(bbr()->round_count - round <= 3);
}

TEST(drain_ends_after_three_rounds_whatever_is_in_flight)
{
    begin_in(TCP_BBR_DRAIN);
    p.cc.bbr.min_rtt_us = RTT_US / 8; /* so little is never in flight */
    uint32_t round = bbr()->round_count;
    REQUIRE(path_run_from(&p, TCP_BBR_DRAIN, 5 * S_US));
    CHECK_EQ(bbr()->round_count - round, 4);
    CHECK(p.look.pipe_bytes > tcp_bbr_inflight(bbr(), PATH_MSS, 100));
}

TEST(the_cycle_goes_down_cruises_refills_and_goes_up)
{
    begin_in(TCP_BBR_PROBE_BW_CRUISE);
    CHECK(p.look.pipe_bytes <= path_bdp(&p, 105));
    uint64_t cruise_us = p.now_us;
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_BW_REFILL, 4 * S_US));
    /* 50 segments in flight: Reno would win a window back in 50 rounds of 40 ms */
    CHECK(p.now_us - cruise_us >= S_US && p.now_us - cruise_us <= 3 * S_US + 100000);
    CHECK_EQ(bbr()->bw_shortterm, TCP_BBR_RATE_INFINITE);
    uint64_t refill_us = p.now_us;
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_BW_UP, S_US));
    CHECK(p.now_us - refill_us >= RTT_US && p.now_us - refill_us <= 2 * RTT_US);
    CHECK(bbr()->is_bw_probe_sample);
    path_run(&p, 200);
    CHECK_EQ(bbr()->pacing_rate / 10000, max_bw() * 5 / 4 * 99 / 100 / 10000);
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_BW_DOWN, S_US));
    CHECK_EQ(bbr()->full_bw_count, 3);                          /* no faster for three rounds */
    CHECK_EQ(bbr()->inflight_longterm, TCP_BBR_BYTES_INFINITE); /* nothing was lost */
}

TEST(ten_seconds_use_the_whole_path_and_keep_its_queue_short)
{
    begin_in(TCP_BBR_PROBE_BW_DOWN);
    uint64_t acked = p.acked_bytes;
    p.pipe_most = 0;
    path_run(&p, 10 * S_US);
    CHECK(p.acked_bytes - acked >= 10ull * RATE * 93 / 100);
    CHECK(p.pipe_most <= path_bdp(&p, 250));
    CHECK_EQ(p.dropped, 0);
    CHECK_EQ(p.states_seen, (1u << TCP_BBR_STATES) - 1); /* ProbeRTT too */
}

TEST(probe_rtt_halves_what_is_in_flight_for_a_fifth_of_a_second)
{
    begin_in(TCP_BBR_PROBE_BW_CRUISE);
    uint64_t min_us = p.now_us;
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_RTT, 6 * S_US));
    CHECK(p.now_us - min_us > 4 * S_US);
    uint64_t before = max_bw();
    uint64_t enter_us = p.now_us;
    path_run(&p, 2 * RTT_US);
    CHECK(p.look.pipe_bytes <= path_bdp(&p, 55));
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_BW_CRUISE, S_US));
    CHECK(p.now_us - enter_us >= 200000 && p.now_us - enter_us <= 200000 + 3 * RTT_US);
    CHECK_EQ(max_bw(), before); /* its rates are of its own making */
    CHECK(bbr()->min_rtt_us >= RTT_US && bbr()->min_rtt_us <= RTT_US + 2000);
    CHECK(p.cc.cwnd_bytes >= path_bdp(&p, 90));
}

TEST(a_longer_path_is_believed_after_ten_seconds)
{
    begin_in(TCP_BBR_PROBE_BW_CRUISE);
    p.rtt_us = 2 * RTT_US;
    path_run(&p, 4 * S_US);
    CHECK(bbr()->min_rtt_us < RTT_US + 2000);
    path_run(&p, 8 * S_US);
    CHECK(bbr()->min_rtt_us >= 2 * RTT_US);
}

TEST(probe_rtt_within_startup_goes_back_to_startup)
{
    path_init(&p, RATE, RTT_US, QUEUE);
    p.app_bytes_per_s = RATE / 20;
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_RTT, 7 * S_US));
    CHECK(!bbr()->full_bw_reached);
    REQUIRE(path_run_to(&p, TCP_BBR_STARTUP, S_US));
}

TEST(an_application_that_sends_little_never_ends_startup)
{
    path_init(&p, RATE, RTT_US, QUEUE);
    p.app_bytes_per_s = RATE / 10;
    path_run(&p, 4 * S_US);
    CHECK_EQ(bbr()->state, TCP_BBR_STARTUP);
    CHECK_EQ(bbr()->full_bw_count, 0);
}

TEST(an_application_that_sends_little_does_not_lower_the_bandwidth)
{
    begin_in(TCP_BBR_PROBE_BW_CRUISE);
    uint64_t before = max_bw();
    p.app_bytes_per_s = RATE / 10;
    p.app_sent_bytes = 0;
    p.app_from_us = p.now_us;
    path_run(&p, 20 * S_US);
    CHECK_EQ(max_bw(), before);
}

TEST(a_path_that_becomes_slower_is_noticed_within_two_cycles)
{
    begin_in(TCP_BBR_PROBE_BW_CRUISE);
    p.bytes_per_s = RATE / 10;
    p.queue_bytes_max = QUEUE / 10;
    path_run(&p, 2 * S_US);
    CHECK(tcp_bbr_bw(bbr()) <= RATE / 2); /* by its losses, soon */
    path_run(&p, 18 * S_US);
    CHECK(max_bw() <= RATE * 11ull / 100);
}

TEST(a_path_that_becomes_faster_is_found)
{
    begin_in(TCP_BBR_PROBE_BW_CRUISE);
    p.bytes_per_s = RATE * 10ull;
    p.queue_bytes_max = QUEUE * 10;
    path_run(&p, 12 * S_US);
    CHECK(max_bw() >= RATE * 9ull);
}

TEST(what_may_be_in_flight_grows_twice_as_much_each_round_of_a_probe)
{
    begin_in(TCP_BBR_PROBE_BW_CRUISE);
    p.bytes_per_s = RATE * 10ull;
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_BW_UP, 4 * S_US));
    uint32_t before = p.look.pipe_bytes + PATH_MSS;
    p.cc.bbr.inflight_longterm = before;
    path_run(&p, 3 * RTT_US);
    CHECK(bbr()->inflight_longterm - before <= 8 * PATH_MSS); /* 1 + 2 + 4 */
    path_run(&p, 4 * RTT_US);
    CHECK_EQ(bbr()->state, TCP_BBR_PROBE_BW_UP);
    CHECK(bbr()->inflight_longterm - before >= 32 * PATH_MSS); /* + 8 + 16 and more */
}

TEST(startup_ends_when_the_queue_overflows)
{
    path_init(&p, RATE, RTT_US, path_bdp(&p, 0) + 25000); /* half of what the path holds */
    p.bytes_per_s = RATE;
    REQUIRE(path_run_to(&p, TCP_BBR_DRAIN, 2 * S_US));
    CHECK(p.dropped > 0);
    CHECK(bbr()->full_bw_reached);
    path_run(&p, 10 * S_US);
    CHECK(bbr()->inflight_longterm <= path_bdp(&p, 200));
    CHECK(max_bw() >= RATE * 95ull / 100);
}

TEST(an_application_that_sends_little_leaves_startup_by_losses_all_the_same)
{
    path_init(&p, RATE, RTT_US, QUEUE);
    p.app_bytes_per_s = RATE / 2;
    path_run(&p, S_US / 2);
    REQUIRE(bbr()->state == TCP_BBR_STARTUP);
    p.lose_every = 3;
    REQUIRE(path_run_from(&p, TCP_BBR_STARTUP, 2 * S_US));
    CHECK(bbr()->full_bw_now && bbr()->full_bw_reached);
    CHECK(bbr()->inflight_longterm != TCP_BBR_BYTES_INFINITE);
}

TEST(one_loss_in_a_hundred_is_no_reason_to_slow_down)
{
    begin_in(TCP_BBR_PROBE_BW_DOWN);
    p.lose_every = 100;
    uint64_t acked = p.acked_bytes;
    path_run(&p, 10 * S_US);
    CHECK(p.acked_bytes - acked >= 10ull * RATE * 85 / 100);
}

TEST(losses_beyond_the_threshold_end_a_probe_and_bound_what_is_in_flight)
{
    begin_in(TCP_BBR_PROBE_BW_UP);
    p.lose_every = 10;
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_BW_DOWN, S_US));
    p.lose_every = 0;
    CHECK(bbr()->prev_probe_too_high);
    CHECK(bbr()->inflight_longterm >= path_bdp(&p, 65));
    CHECK(bbr()->inflight_longterm <= path_bdp(&p, 140));
    CHECK_EQ(bbr()->undo_state, TCP_BBR_PROBE_BW_UP);
    /* the next one only looks whether that much passes, and then a whole one follows */
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_BW_UP, 4 * S_US));
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_BW_DOWN, S_US));
    CHECK(bbr()->prev_probe_precautionary);
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_BW_REFILL, 3 * RTT_US));
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_BW_UP, 3 * RTT_US));
}

TEST(a_round_of_losses_outside_of_a_probe_lowers_the_short_term_model_by_beta_at_most)
{
    begin_in(TCP_BBR_PROBE_BW_CRUISE);
    uint64_t before = max_bw();
    p.lose_every = 5;
    path_run(&p, 2 * RTT_US);
    p.lose_every = 0;
    path_run(&p, 2 * RTT_US);
    CHECK(bbr()->bw_shortterm < before && bbr()->bw_shortterm >= before * 49 / 100);
    CHECK(tcp_bbr_bw(bbr()) == bbr()->bw_shortterm);
    CHECK_EQ(max_bw(), before);
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_BW_REFILL, 4 * S_US)); /* where it is forgotten */
    CHECK_EQ(tcp_bbr_bw(bbr()), max_bw());
}

TEST(a_timeout_leaves_one_segment_and_the_window_comes_back_after_it)
{
    begin_in(TCP_BBR_PROBE_BW_CRUISE);
    uint32_t before = p.cc.cwnd_bytes;
    p.cc.ops->on_timeout(&p.cc, &p.look, true);
    p.look.in_loss = true;
    CHECK_EQ(p.cc.cwnd_bytes, PATH_MSS);
    path_run(&p, RTT_US);
    CHECK(p.cc.cwnd_bytes >= 4 * PATH_MSS && p.cc.cwnd_bytes < before);
    p.cc.ops->on_recovered(&p.cc, &p.look);
    p.look.in_loss = false;
    CHECK_EQ(p.cc.cwnd_bytes, before);
}

TEST(a_probe_that_a_spurious_loss_ended_begins_anew)
{
    begin_in(TCP_BBR_PROBE_BW_UP);
    path_run(&p, RTT_US / 2);
    uint32_t cwnd = p.cc.cwnd_bytes;
    struct tcp_cc_lost lost = {&p.segments[(p.first + 1) % PATH_SEGMENTS_MAX].mark,
                               seq_add(p.look.una, PATH_MSS), 20 * PATH_MSS};
    p.cc.ops->on_recovery(&p.cc, &p.look);
    p.look.in_recovery = true;
    p.cc.ops->on_lost(&p.cc, &p.look, &lost);
    CHECK_EQ(bbr()->state, TCP_BBR_PROBE_BW_DOWN);
    CHECK(bbr()->inflight_longterm != TCP_BBR_BYTES_INFINITE);
    p.look.in_recovery = false;
    p.cc.ops->undo(&p.cc, &p.look);
    CHECK_EQ(bbr()->state, TCP_BBR_PROBE_BW_REFILL);
    CHECK_EQ(bbr()->inflight_longterm, TCP_BBR_BYTES_INFINITE);
    CHECK(p.cc.cwnd_bytes >= cwnd);
    CHECK(!bbr()->is_loss_in_round);
}

TEST(startup_that_a_spurious_loss_ended_goes_on)
{
    path_init(&p, RATE, RTT_US, QUEUE);
    path_run(&p, RTT_US * 2);
    p.cc.ops->on_recovery(&p.cc, &p.look);
    p.cc.bbr.undo_state = TCP_BBR_STARTUP;
    p.cc.bbr.full_bw_reached = true;
    tcp_bbr_enter_drain(&p.cc.bbr);
    p.cc.ops->undo(&p.cc, &p.look);
    CHECK_EQ(bbr()->state, TCP_BBR_STARTUP);
    CHECK(!bbr()->full_bw_reached);
}

TEST(a_mark_lowers_window_and_rate_at_once_in_every_state)
{
    static const enum tcp_bbr_state states[] = {TCP_BBR_PROBE_BW_DOWN, TCP_BBR_PROBE_BW_CRUISE,
                                                TCP_BBR_PROBE_BW_REFILL, TCP_BBR_PROBE_BW_UP};
    for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        begin_in(states[i]);
        uint32_t cwnd = p.cc.cwnd_bytes;
        uint64_t bw = tcp_bbr_bw(bbr());
        p.cc.ops->on_mark(&p.cc, &p.look);
        CHECK(p.cc.cwnd_bytes <= cwnd * 7ull / 10);
        CHECK(tcp_bbr_bw(bbr()) <= bw * 7 / 10);
        CHECK(bbr()->state == TCP_BBR_PROBE_BW_DOWN || bbr()->state == TCP_BBR_PROBE_BW_CRUISE);
    }
    path_init(&p, RATE, RTT_US, QUEUE);
    path_run(&p, 3 * RTT_US);
    REQUIRE(bbr()->state == TCP_BBR_STARTUP);
    p.cc.ops->on_mark(&p.cc, &p.look);
    CHECK_EQ(bbr()->state, TCP_BBR_DRAIN);
}

TEST(after_silence_it_goes_on_at_the_rate_it_knows_and_needs_no_probe_rtt)
{
    begin_in(TCP_BBR_PROBE_BW_CRUISE);
    uint64_t before = max_bw();
    uint32_t cwnd = p.cc.cwnd_bytes;
    p.is_quiet = true;
    path_run(&p, 8 * S_US);
    CHECK_EQ(p.look.pipe_bytes, 0);
    p.is_quiet = false;
    path_run(&p, 1000);
    CHECK(bbr()->idle_restart);
    CHECK_EQ(bbr()->pacing_rate / 1000, before * 99 / 100 / 1000);
    CHECK_EQ(p.cc.cwnd_bytes, cwnd);
    CHECK(p.look.pipe_bytes <= 4 * PATH_MSS); /* no burst */
    p.states_seen = 0;
    path_run(&p, S_US);
    CHECK_EQ(p.states_seen & 1u << TCP_BBR_PROBE_RTT, 0);
    CHECK_EQ(max_bw(), before);
}

TEST(what_is_acknowledged_in_bunches_widens_the_window)
{
    path_init(&p, RATE, RTT_US, QUEUE);
    p.ack_grain_us = 30000; /* 37 segments at once */
    REQUIRE(path_run_to(&p, TCP_BBR_PROBE_BW_CRUISE, 4 * S_US));
    path_run(&p, S_US);
    CHECK(tcp_bbr_extra_acked(bbr()) >= 20 * PATH_MSS);
    CHECK(p.cc.cwnd_bytes >= path_bdp(&p, 200) + 20 * PATH_MSS);
    uint64_t acked = p.acked_bytes;
    path_run(&p, 5 * S_US);
    CHECK(p.acked_bytes - acked >= 5ull * RATE * 90 / 100);
}

TEST(a_path_that_holds_less_than_a_segment_keeps_four_in_flight)
{
    path_init(&p, 8000, 100000, 16000); /* 64 kbit/s: eight segments a second */
    path_run(&p, 60 * S_US);
    CHECK(p.cc.cwnd_bytes >= 4 * PATH_MSS);
    CHECK(max_bw() >= 7000 && max_bw() <= 9000);
    CHECK(p.look.pipe_bytes <= 12 * PATH_MSS);
}

UNIT_MAIN("tcp/bbr", T(the_greatest_sample_of_two_cycles_is_the_bandwidth),
          T(a_sample_of_the_applications_making_counts_only_if_it_is_greater),
          T(startup_begins_with_the_initial_window_over_a_round_trip),
          T(startup_doubles_until_the_rate_stands_still_for_three_rounds),
          T(drain_empties_the_queue_at_half_the_rate),
          T(drain_ends_after_three_rounds_whatever_is_in_flight),
          T(the_cycle_goes_down_cruises_refills_and_goes_up),
          T(ten_seconds_use_the_whole_path_and_keep_its_queue_short),
          T(probe_rtt_halves_what_is_in_flight_for_a_fifth_of_a_second),
          T(a_longer_path_is_believed_after_ten_seconds),
          T(probe_rtt_within_startup_goes_back_to_startup),
          T(an_application_that_sends_little_never_ends_startup),
          T(an_application_that_sends_little_does_not_lower_the_bandwidth),
          T(a_path_that_becomes_slower_is_noticed_within_two_cycles),
          T(a_path_that_becomes_faster_is_found), T(startup_ends_when_the_queue_overflows),
          T(what_may_be_in_flight_grows_twice_as_much_each_round_of_a_probe),
          T(an_application_that_sends_little_leaves_startup_by_losses_all_the_same),
          T(one_loss_in_a_hundred_is_no_reason_to_slow_down),
          T(losses_beyond_the_threshold_end_a_probe_and_bound_what_is_in_flight),
          T(a_round_of_losses_outside_of_a_probe_lowers_the_short_term_model_by_beta_at_most),
          T(a_timeout_leaves_one_segment_and_the_window_comes_back_after_it),
          T(a_probe_that_a_spurious_loss_ended_begins_anew),
          T(startup_that_a_spurious_loss_ended_goes_on),
          T(a_mark_lowers_window_and_rate_at_once_in_every_state),
          T(after_silence_it_goes_on_at_the_rate_it_knows_and_needs_no_probe_rtt),
          T(what_is_acknowledged_in_bunches_widens_the_window),
          T(a_path_that_holds_less_than_a_segment_keeps_four_in_flight))
