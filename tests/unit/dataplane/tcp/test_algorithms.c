/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts: options, RTT, scoreboard, RACK, congestion control, initial numbers. */
#include "base/container.h"
#include "tcp/tcp_priv.h"
#include "unit.h"

#include <string.h>

static seq_t seq(uint32_t v)
{
    return (seq_t){v};
}

TEST(options_survive_being_built_and_parsed_in_every_combination)
{
    for (unsigned set = 0; set < 16; set++) {
        for (unsigned n_sack = 0; n_sack <= TCP_SACK_BLOCKS_MAX; n_sack++) {
            struct tcp_options o = {.has_mss = set & 1,
                                    .has_wscale = set & 2,
                                    .has_sack_permitted = set & 4,
                                    .has_timestamps = set & 8,
                                    .mss = set & 1 ? 1460 : 0,
                                    .wscale = set & 2 ? 7 : 0,
                                    .ts_value = set & 8 ? 0x01020304 : 0,
                                    .ts_echo = set & 8 ? 0xfffefdfc : 0,
                                    .n_sack = (uint8_t)n_sack};
            for (unsigned i = 0; i < n_sack; i++)
                o.sack[i] = (struct tcp_sack_block){seq(0xfffffff0u + i * 100), seq(i * 100 + 10)};
            uint8_t bytes[TCP_OPTIONS_BYTES_MAX];
            unsigned n = tcp_options_build(bytes, &o);
            CHECK(n % 4 == 0 && n <= TCP_OPTIONS_BYTES_MAX);
            struct tcp_options back;
            REQUIRE(tcp_options_parse(bytes, n, &back));
            CHECK(back.n_sack <= o.n_sack);
            for (unsigned i = back.n_sack; i < TCP_SACK_BLOCKS_MAX; i++)
                o.sack[i] = (struct tcp_sack_block){0};
            o.n_sack = back.n_sack;
            CHECK(memcmp(&o, &back, sizeof(o)) == 0);
        }
    }
}

TEST(options_with_lengths_that_lead_out_are_refused)
{
    struct tcp_options o;
    CHECK(!tcp_options_parse((const uint8_t[]){2}, 1, &o));
    CHECK(!tcp_options_parse((const uint8_t[]){2, 0, 0, 0}, 4, &o));
    CHECK(!tcp_options_parse((const uint8_t[]){2, 1, 0, 0}, 4, &o));
    CHECK(!tcp_options_parse((const uint8_t[]){8, 10, 0, 0}, 4, &o));
    CHECK(tcp_options_parse((const uint8_t[]){99, 4, 0, 0}, 4, &o)); /* unknown: skipped */
    CHECK(tcp_options_parse((const uint8_t[]){0, 2, 0, 0}, 4, &o));  /* behind the end: not read */
}

TEST(options_of_any_bytes_never_lead_out_of_the_header)
{
    uint8_t bytes[TCP_OPTIONS_BYTES_MAX];
    uint32_t state = 1;
    for (unsigned round = 0; round < 200000; round++) {
        for (unsigned i = 0; i < sizeof(bytes); i++) {
            state = state * 1664525 + 1013904223;
            bytes[i] = (uint8_t)((state >> 24) % 12);
        }
        struct tcp_options o;
        if (tcp_options_parse(bytes, round % (TCP_OPTIONS_BYTES_MAX + 1), &o))
            CHECK(o.n_sack <= TCP_SACK_BLOCKS_MAX && o.wscale <= TCP_WSCALE_MAX);
    }
}

TEST(a_window_scale_above_fourteen_is_fourteen)
{
    struct tcp_options o;
    REQUIRE(tcp_options_parse((const uint8_t[]){3, 3, 200, 1}, 4, &o));
    CHECK_EQ(o.wscale, 14);
}

TEST(the_first_rtt_sample_sets_the_timeout)
{
    struct tcp_rtt r;
    tcp_rtt_init(&r);
    CHECK_EQ(r.rto_us, TCP_RTO_INITIAL_US);
    tcp_rtt_sample(&r, 100000, 5000000);
    CHECK_EQ(r.srtt_us, 100000);
    CHECK_EQ(r.rttvar_us, 50000);
    CHECK_EQ(r.rto_us, 300000);
}

TEST(the_timeout_has_floor_ceiling_and_backoff)
{
    struct tcp_rtt r;
    tcp_rtt_init(&r);
    for (unsigned i = 0; i < 100; i++)
        tcp_rtt_sample(&r, 100, 5000000 + i);
    CHECK(r.rto_us >= TCP_RTO_MIN_US && r.rto_us < TCP_RTO_MIN_US + 1000);
    CHECK_EQ(tcp_rtt_timeout_us(&r, 1), 2 * r.rto_us);
    CHECK_EQ(tcp_rtt_timeout_us(&r, 100), tcp_rtt_timeout_us(&r, TCP_BACKOFF_MAX));
    tcp_rtt_sample(&r, 1ull << 40, 6000000);
    CHECK(r.rto_us <= TCP_RTO_US_MAX);
    CHECK_EQ(tcp_rtt_timeout_us(&r, 8), TCP_RTO_US_MAX);
}

TEST(the_least_rtt_is_forgotten_after_its_window)
{
    struct tcp_rtt r;
    tcp_rtt_init(&r);
    tcp_rtt_sample(&r, 1000, 1000000);
    tcp_rtt_sample(&r, 5000, 2000000);
    CHECK_EQ(r.min_us, 1000);
    tcp_rtt_sample(&r, 5000, 1000000 + 11000000);
    CHECK_EQ(r.min_us, 5000);
}

/* Ten segments of 100 bytes from `una`, sent at 1000, 1001, ... */
static void board_of_ten(struct tcp_board *b, struct tcp_sent *s, uint32_t una)
{
    tcp_board_init(b, seq(una));
    memset(s, 0, 10 * sizeof(*s));
    for (unsigned i = 0; i < 10; i++) {
        s[i].seq = seq(una + i * 100);
        s[i].bytes = 100;
        tcp_board_sent(b, &s[i], 1000 + i);
    }
}

TEST(a_cumulative_ack_takes_whole_records_and_cuts_the_next)
{
    struct tcp_board b;
    struct tcp_sent s[10];
    for (uint32_t una = 0xffffff00u; una != 0x100; una += 0x80) { /* across the wrap */
        board_of_ten(&b, s, una);
        struct tcp_delivery d = {.now_us = 2000};
        CHECK(tcp_board_ack(&b, seq(una + 250), &d) == &s[0]);
        CHECK(tcp_board_ack(&b, seq(una + 250), &d) == &s[1]);
        CHECK(tcp_board_ack(&b, seq(una + 250), &d) == NULL);
        CHECK_EQ(d.acked_bytes, 250);
        CHECK_EQ(d.rtt_us, 1000);
        CHECK_EQ(d.newest_sent_us, 1001);
        check_tcp_board(&b, seq(una + 250), seq(una + 1000));
    }
}

TEST(sack_blocks_mark_whole_records_only)
{
    struct tcp_board b;
    struct tcp_sent s[10];
    board_of_ten(&b, s, 0);
    struct tcp_delivery d = {.now_us = 2000};
    tcp_board_sack(&b, &(struct tcp_sack_block){seq(250), seq(520)}, &d);
    CHECK_EQ(d.sacked_bytes, 200);
    CHECK_EQ(s[3].place, TCP_SENT_SACKED);
    CHECK_EQ(s[4].place, TCP_SENT_SACKED);
    CHECK_EQ(b.sacked_count, 2);
    tcp_board_sack(&b, &(struct tcp_sack_block){seq(250), seq(520)}, &d);
    CHECK_EQ(d.sacked_bytes, 200); /* told again is no news */
    check_tcp_board(&b, seq(0), seq(1000));
}

/* Blocks as a peer tells them, against a board that is asked record by record. */
TEST(any_blocks_in_any_order_mark_what_lies_within_them)
{
    enum { RECORDS = 200 }; /* so that no search takes more hops than it may */
    static struct tcp_sent s[RECORDS];
    uint64_t state = 1;
    for (unsigned round = 0; round < 200; round++) {
        struct tcp_board b;
        bool is_told[RECORDS] = {false};
        uint32_t una = (uint32_t)(0xffffff00u + round * 64);
        tcp_board_init(&b, seq(una));
        memset(s, 0, sizeof(s));
        for (unsigned i = 0; i < RECORDS; i++) {
            s[i].seq = seq(una + i * 100);
            s[i].bytes = 100;
            tcp_board_sent(&b, &s[i], 1000 + i);
        }
        unsigned acked = 0;
        for (unsigned told = 0; told < 100; told++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            uint32_t from = (uint32_t)(state >> 33) % (RECORDS * 100);
            uint32_t len = (uint32_t)(state >> 20) % 1500;
            struct tcp_sack_block block = {seq(una + from), seq(una + from + len)};
            struct tcp_delivery d = {.now_us = 2000 + told};
            if (from < acked * 100)
                continue;
            tcp_board_sack(&b, &block, &d);
            for (unsigned i = (from + 99) / 100; (i + 1) * 100 <= from + len && i < RECORDS; i++)
                is_told[i] = true;
            if (told % 16 == 15) { /* some are acknowledged */
                for (unsigned n = 0; n < 10; n++, acked++)
                    CHECK(tcp_board_ack(&b, seq(una + (acked + 1) * 100), &d) == &s[acked]);
            }
            for (unsigned i = acked; i < RECORDS; i++)
                CHECK_EQ(s[i].place == TCP_SENT_SACKED, is_told[i]);
            check_tcp_board(&b, seq(una + acked * 100), seq(una + RECORDS * 100));
        }
    }
}

TEST(a_block_far_away_is_found_some_acks_later)
{
    enum { RECORDS = 3 * TCP_SACK_HOPS_MAX };
    static struct tcp_sent s[RECORDS];
    struct tcp_board b;
    tcp_board_init(&b, seq(0));
    memset(s, 0, sizeof(s));
    for (unsigned i = 0; i < RECORDS; i++) {
        s[i].seq = seq(i * 100);
        s[i].bytes = 100;
        tcp_board_sent(&b, &s[i], 1000 + i);
    }
    struct tcp_sack_block last = {seq((RECORDS - 2) * 100), seq(RECORDS * 100)};
    unsigned acks = 0;
    while (b.sacked_count == 0 && acks < 10) {
        struct tcp_delivery d = {.now_us = 5000 + acks};
        tcp_board_sack(&b, &last, &d);
        acks++;
    }
    CHECK_EQ(acks, 3);
    CHECK_EQ(b.sacked_count, 2);
    check_tcp_board(&b, seq(0), seq(RECORDS * 100));
}

TEST(what_the_peer_threw_away_again_can_be_told_again)
{
    struct tcp_board b;
    struct tcp_sent s[10];
    board_of_ten(&b, s, 0);
    struct tcp_delivery d = {.now_us = 2000};
    tcp_board_sack(&b, &(struct tcp_sack_block){seq(0), seq(300)}, &d);
    tcp_board_sack(&b, &(struct tcp_sack_block){seq(600), seq(800)}, &d);
    tcp_board_lose_all(&b); /* it begins with what was SACKED: nothing of it holds */
    CHECK_EQ(b.sacked_count, 0);
    tcp_board_sack(&b, &(struct tcp_sack_block){seq(600), seq(800)}, &d);
    CHECK_EQ(b.sacked_count, 2);
    check_tcp_board(&b, seq(0), seq(1000));
}

TEST(a_lower_segment_delivered_later_is_reordering_unless_it_was_resent)
{
    struct tcp_board b;
    struct tcp_sent s[10];
    board_of_ten(&b, s, 0);
    struct tcp_delivery d = {.now_us = 2000};
    tcp_board_sack(&b, &(struct tcp_sack_block){seq(400), seq(500)}, &d);
    CHECK(!d.saw_reordering);
    tcp_board_lose(&b, &s[2]);
    tcp_board_resent(&b, &s[2], 2100);
    d.now_us = 2200;
    tcp_board_sack(&b, &(struct tcp_sack_block){seq(200), seq(300)}, &d);
    CHECK(!d.saw_reordering);
    tcp_board_sack(&b, &(struct tcp_sack_block){seq(100), seq(200)}, &d);
    CHECK(d.saw_reordering);
}

TEST(after_a_timeout_all_but_the_sacked_are_lost_and_reneging_is_believed)
{
    struct tcp_board b;
    struct tcp_sent s[10];
    board_of_ten(&b, s, 0);
    struct tcp_delivery d = {.now_us = 2000};
    tcp_board_sack(&b, &(struct tcp_sack_block){seq(400), seq(500)}, &d);
    tcp_board_lose_all(&b);
    CHECK_EQ(b.lost_bytes, 900);
    CHECK_EQ(b.sacked_bytes, 100);
    CHECK(tcp_board_next_lost(&b) == &s[0]);
    check_tcp_board(&b, seq(0), seq(1000));
    board_of_ten(&b, s, 0);
    tcp_board_sack(&b, &(struct tcp_sack_block){seq(0), seq(100)}, &d);
    tcp_board_lose_all(&b);
    CHECK_EQ(b.lost_bytes, 1000);
    CHECK_EQ(b.sacked_count, 0);
}

TEST(a_record_splits_in_every_place)
{
    for (unsigned place = 0; place < 3; place++) {
        struct tcp_board b;
        struct tcp_sent s[10], rest;
        board_of_ten(&b, s, 0);
        struct tcp_delivery d = {.now_us = 2000};
        s[9].has_fin = false;
        if (place == TCP_SENT_LOST)
            tcp_board_lose(&b, &s[5]);
        if (place == TCP_SENT_SACKED)
            tcp_board_sack(&b, &(struct tcp_sack_block){seq(500), seq(600)}, &d);
        tcp_board_split(&b, &s[5], &rest, 30);
        CHECK_EQ(s[5].bytes, 30);
        CHECK_EQ(rest.bytes, 70);
        check_tcp_board(&b, seq(0), seq(1000));
    }
}

TEST(a_retransmission_answered_too_soon_tells_no_time)
{
    struct tcp_board b;
    struct tcp_sent s[10];
    board_of_ten(&b, s, 0);
    tcp_board_lose(&b, &s[0]);
    tcp_board_resent(&b, &s[0], 5000);
    struct tcp_delivery d = {.now_us = 5100, .min_rtt_us = 1000};
    CHECK(tcp_board_ack(&b, seq(100), &d) == &s[0]);
    CHECK(!d.has_rtt && !d.has_newest);
    board_of_ten(&b, s, 0);
    tcp_board_lose(&b, &s[0]);
    tcp_board_resent(&b, &s[0], 5000);
    d = (struct tcp_delivery){.now_us = 9000, .min_rtt_us = 1000, .has_echo = true, .echo_ms = 4};
    CHECK(tcp_board_ack(&b, seq(100), &d) == &s[0]);
    CHECK(!d.has_newest); /* the echo is older than the retransmission */
}

/* RACK learns of record `i` delivered at `now`. */
static void deliver(struct tcp_board *b, struct tcp_rack *r, unsigned i, uint64_t now)
{
    struct tcp_delivery d = {.now_us = now};
    tcp_board_sack(b, &(struct tcp_sack_block){seq(i * 100), seq(i * 100 + 100)}, &d);
    tcp_rack_on_delivery(r, &d);
}

TEST(rack_waits_a_quarter_of_the_least_rtt_before_it_gives_up)
{
    struct tcp_board b;
    struct tcp_sent s[10];
    struct tcp_rack r;
    board_of_ten(&b, s, 0);
    tcp_rack_init(&r);
    deliver(&b, &r, 1, 2001);
    struct tcp_rack_input in = {.now_us = 2001, .min_rtt_us = 1000, .srtt_us = 1000};
    uint32_t lost = 0;
    uint32_t wait = tcp_rack_detect(&r, &b, &in, &lost);
    CHECK_EQ(lost, 0);
    CHECK_EQ(wait, 249); /* sent 1000, RTT 1000, window 250 */
    in.now_us += wait;
    CHECK_EQ(tcp_rack_detect(&r, &b, &in, &lost), 0);
    CHECK_EQ(lost, 100);
    CHECK_EQ(s[0].place, TCP_SENT_LOST);
}

TEST(the_third_sacked_segment_ends_racks_patience)
{
    struct tcp_board b;
    struct tcp_sent s[10];
    struct tcp_rack r;
    board_of_ten(&b, s, 0);
    tcp_rack_init(&r);
    uint32_t lost = 0;
    struct tcp_rack_input in = {.now_us = 2003, .min_rtt_us = 1000, .srtt_us = 1000};
    deliver(&b, &r, 1, 2001);
    deliver(&b, &r, 2, 2002);
    tcp_rack_detect(&r, &b, &in, &lost);
    CHECK_EQ(lost, 0);
    deliver(&b, &r, 3, 2003);
    tcp_rack_detect(&r, &b, &in, &lost);
    CHECK_EQ(lost, 100);
}

TEST(rack_finds_a_lost_retransmission)
{
    struct tcp_board b;
    struct tcp_sent s[10];
    struct tcp_rack r;
    board_of_ten(&b, s, 0);
    tcp_rack_init(&r);
    tcp_board_lose(&b, &s[0]);
    tcp_board_lose(&b, &s[1]);
    tcp_board_resent(&b, &s[0], 3000);
    tcp_board_resent(&b, &s[1], 3001);
    deliver(&b, &r, 1, 4001);
    uint32_t lost = 0;
    struct tcp_rack_input in = {
        .now_us = 4001, .min_rtt_us = 900, .srtt_us = 1000, .in_recovery = true};
    tcp_rack_detect(&r, &b, &in, &lost);
    CHECK_EQ(s[0].place, TCP_SENT_LOST);
}

TEST(a_dsack_widens_racks_window_once_a_round_trip)
{
    struct tcp_board b;
    struct tcp_rack r;
    tcp_board_init(&b, seq(0));
    tcp_rack_init(&r);
    r.saw_reordering = true;
    struct tcp_rack_input in = {.min_rtt_us = 1000, .srtt_us = 10000};
    CHECK_EQ(tcp_rack_window_us(&r, &b, &in), 250);
    tcp_rack_on_dsack(&r, seq(0), seq(1000));
    tcp_rack_on_dsack(&r, seq(500), seq(1500));
    CHECK_EQ(tcp_rack_window_us(&r, &b, &in), 500);
    tcp_rack_on_dsack(&r, seq(1000), seq(2000));
    CHECK_EQ(tcp_rack_window_us(&r, &b, &in), 750);
    for (unsigned i = 0; i < 16; i++)
        tcp_rack_on_recovered(&r);
    CHECK_EQ(tcp_rack_window_us(&r, &b, &in), 250);
}

TEST(slow_start_doubles_and_an_unused_window_does_not_grow)
{
    struct tcp_cc cc;
    tcp_cc_init(&cc, &tcp_cubic_ops, 1448);
    CHECK_EQ(cc.cwnd_bytes, 14480);
    tcp_cc_on_ack(&cc, 14480, 1448, 10000, 1000000, false);
    CHECK_EQ(cc.cwnd_bytes, 14480);
    tcp_cc_on_ack(&cc, 14480, 1448, 10000, 1000000, true);
    CHECK_EQ(cc.cwnd_bytes, 28960);
}

TEST(the_initial_window_is_that_of_rfc_6928)
{
    CHECK_EQ(tcp_cc_initial_window(1460), 14600);
    CHECK_EQ(tcp_cc_initial_window(536), 5360);
    CHECK_EQ(tcp_cc_initial_window(8960), 17920);
}

TEST(cubic_falls_to_seven_tenths_and_comes_back_in_time_k)
{
    struct tcp_cc cc;
    tcp_cc_init(&cc, &tcp_cubic_ops, 1000);
    cc.cwnd_bytes = 1000000;
    tcp_cc_on_recovery(&cc, 1000000, 1000);
    CHECK_EQ(cc.ssthresh_bytes, 700000);
    tcp_cc_on_recovered(&cc, 1000);
    CHECK_EQ(cc.cwnd_bytes, 700000);
    /* K = cbrt(300 / 0.4) = 9.086 s */
    uint64_t now = 1000000;
    for (; cc.cwnd_bytes < 995000 && now < 60000000; now += 100000)
        tcp_cc_on_ack(&cc, cc.cwnd_bytes, 1000, 100000, now, true);
    CHECK(now > 6000000 && now < 11000000);
    CHECK(cc.window.cubic.k_ms > 9000 && cc.window.cubic.k_ms < 9200);
}

TEST(cubic_never_grows_slower_than_reno)
{
    struct tcp_cc cc;
    tcp_cc_init(&cc, &tcp_cubic_ops, 1000);
    cc.cwnd_bytes = 10000;
    tcp_cc_on_recovery(&cc, 10000, 1000);
    tcp_cc_on_recovered(&cc, 1000);
    for (unsigned round = 0; round < 20; round++) /* RTT of 1 ms: real time hardly passes */
        tcp_cc_on_ack(&cc, cc.cwnd_bytes, 1000, 1000, 1000000 + round * 1000, true);
    CHECK(cc.cwnd_bytes >= 15000);
}

TEST(prr_sends_in_proportion_and_ends_at_the_threshold)
{
    struct tcp_cc cc;
    tcp_cc_init(&cc, &tcp_cubic_ops, 1000);
    cc.cwnd_bytes = 20000;
    tcp_cc_on_recovery(&cc, 20000, 1000);
    uint32_t pipe = 19000, sent = 0;
    for (unsigned ack = 0; ack < 19; ack++) {
        pipe -= 1000;
        tcp_cc_on_recovery_ack(&cc, 1000, pipe, false, 1000);
        while (pipe + 1000 <= cc.cwnd_bytes) {
            pipe += 1000;
            sent += 1000;
            tcp_cc_on_recovery_sent(&cc, 1000);
        }
    }
    CHECK(sent >= 12000 && sent <= 15000); /* 0.7 of 19 */
    CHECK(pipe <= cc.ssthresh_bytes);
}

TEST(a_timeout_leaves_one_segment_and_lowers_the_threshold_once)
{
    struct tcp_cc cc;
    tcp_cc_init(&cc, &tcp_cubic_ops, 1000);
    cc.cwnd_bytes = 100000;
    tcp_cc_on_timeout(&cc, true, 1000);
    CHECK_EQ(cc.cwnd_bytes, 1000);
    CHECK_EQ(cc.ssthresh_bytes, 70000);
    tcp_cc_on_timeout(&cc, false, 1000);
    CHECK_EQ(cc.ssthresh_bytes, 70000);
}

TEST(initial_numbers_differ_by_tuple_and_grow_with_time)
{
    struct siphash_key key = {1, 2}, other = {1, 3};
    struct flow_tuple a = {.local_port = 80, .remote_port = 1000}, b = a;
    b.remote_port = 1001;
    CHECK(!seq_eq(tcp_iss(&key, &a, 0), tcp_iss(&key, &b, 0)));
    CHECK(!seq_eq(tcp_iss(&key, &a, 0), tcp_iss(&other, &a, 0)));
    CHECK_EQ(seq_diff(tcp_iss(&key, &a, 4000000), tcp_iss(&key, &a, 0)), 1000000);
    CHECK(tcp_ts_offset(tcp_flow_secret(&key, &a)) != tcp_ts_offset(tcp_flow_secret(&key, &b)));
}

TEST(flow_labels_are_spread_evenly_and_cannot_be_guessed)
{
    struct siphash_key key = {1, 2}, other = {1, 3};
    struct flow_tuple tuple = {.local_port = 80};
    unsigned by_high[16] = {0}, by_low[16] = {0}, same = 0;
    enum { FLOWS = 65536 };
    for (unsigned port = 0; port < FLOWS; port++) {
        tuple.remote_port = (uint16_t)port;
        uint32_t label = tcp_flow_label(tcp_flow_secret(&key, &tuple));
        CHECK(label > 0 && label <= 0xfffff);
        CHECK_EQ(label, tcp_flow_label(tcp_flow_secret(&key, &tuple)));
        same += label == tcp_flow_label(tcp_flow_secret(&other, &tuple));
        by_high[label >> 16]++;
        by_low[label & 15]++;
    }
    CHECK(same <= 3);                   /* by chance, one in sixteen */
    for (unsigned i = 0; i < 16; i++) { /* five standard deviations */
        CHECK(by_high[i] > FLOWS / 16 - 320 && by_high[i] < FLOWS / 16 + 320);
        CHECK(by_low[i] > FLOWS / 16 - 320 && by_low[i] < FLOWS / 16 + 320);
    }
    CHECK_EQ(tcp_flow_label(UINT32_MAX), 1); /* 0 is of no flow */
    CHECK_EQ(tcp_flow_label(UINT64_MAX << 44), 0xfffff);
}

UNIT_MAIN("tcp/algorithms", T(options_survive_being_built_and_parsed_in_every_combination),
          T(options_with_lengths_that_lead_out_are_refused),
          T(options_of_any_bytes_never_lead_out_of_the_header),
          T(a_window_scale_above_fourteen_is_fourteen), T(the_first_rtt_sample_sets_the_timeout),
          T(the_timeout_has_floor_ceiling_and_backoff),
          T(the_least_rtt_is_forgotten_after_its_window),
          T(a_cumulative_ack_takes_whole_records_and_cuts_the_next),
          T(sack_blocks_mark_whole_records_only),
          T(any_blocks_in_any_order_mark_what_lies_within_them),
          T(a_block_far_away_is_found_some_acks_later),
          T(what_the_peer_threw_away_again_can_be_told_again),
          T(a_lower_segment_delivered_later_is_reordering_unless_it_was_resent),
          T(after_a_timeout_all_but_the_sacked_are_lost_and_reneging_is_believed),
          T(a_record_splits_in_every_place), T(a_retransmission_answered_too_soon_tells_no_time),
          T(rack_waits_a_quarter_of_the_least_rtt_before_it_gives_up),
          T(the_third_sacked_segment_ends_racks_patience), T(rack_finds_a_lost_retransmission),
          T(a_dsack_widens_racks_window_once_a_round_trip),
          T(slow_start_doubles_and_an_unused_window_does_not_grow),
          T(the_initial_window_is_that_of_rfc_6928),
          T(cubic_falls_to_seven_tenths_and_comes_back_in_time_k),
          T(cubic_never_grows_slower_than_reno),
          T(prr_sends_in_proportion_and_ends_at_the_threshold),
          T(a_timeout_leaves_one_segment_and_lowers_the_threshold_once),
          T(initial_numbers_differ_by_tuple_and_grow_with_time),
          T(flow_labels_are_spread_evenly_and_cannot_be_guessed))
