/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences of the RFCs that no other test shows, as docs/rfc lists them: opening and sending. */
#include "harness.h"
#include "unit.h"

#include <rte_mbuf.h>

#define FLAGS_AT 13u /* in the header */

static void finish(struct world *w, struct stream *s)
{
    drop_all(w);
    stream_abort(s);
    stream_release(s);
    run(w);
    world_free(w);
}

/* The flags of the n-th segment that waits to be taken, PSH among them. */
static uint8_t raw_flags(const struct world *w, unsigned n)
{
    REQUIRE(n < w->n_out);
    return *rte_pktmbuf_mtod_offset(w->out[n], const uint8_t *, FLAGS_AT);
}

TEST(psh_is_on_the_last_segment_of_what_was_written)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 3000), 3000);
    run(w);
    REQUIRE(w->n_out == 3);
    CHECK_EQ(raw_flags(w, 0) & P, 0);
    CHECK_EQ(raw_flags(w, 1) & P, 0);
    CHECK_EQ(raw_flags(w, 2) & P, P);
    finish(w, s);
}

TEST(windows_of_syns_are_not_scaled_and_all_others_are)
{
    struct world_config config = WORLD_DEFAULT;
    config.peer_wscale = 7;
    config.peer_window = 1000;
    struct world *w = world_new(&config);
    struct stream *s = world_connect(w);
    CHECK_EQ(conn(s)->snd_wnd, 1000);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    CHECK_EQ(conn(s)->snd_wnd, 128000);
    finish(w, s);
}

TEST(a_peer_that_does_not_scale_gets_windows_as_they_are)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_wscale = false;
    config.tcp.rx_window_bytes = 1u << 20;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    struct seg g = {0};
    CHECK_EQ(conn(s)->rcv_wscale, 0);
    CHECK_EQ(conn(s)->snd_wscale, 0);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 1000));
    pass(w, 50000);
    REQUIRE(take(w, &g));
    CHECK(g.window <= UINT16_MAX && g.window > 60000);
    finish(w, s);
}

TEST(options_of_a_syn_mean_nothing_elsewhere)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_sack = config.has_wscale = false;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    w->config.has_sack = w->config.has_wscale = true;
    w->config.peer_wscale = 7;
    w->config.peer_mss = 100;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 10, .has_syn_options = true));
    CHECK_EQ(stream_readable(s), 10); /* received all the same (MUST-5) */
    CHECK_EQ(conn(s)->snd_wscale, 0);
    CHECK_EQ(conn(s)->snd_wnd, 65535);
    CHECK_EQ(conn(s)->peer_mss, 1460);
    CHECK_EQ(conn(s)->flags & (TCP_F_SACK | TCP_F_WSCALE), 0);
    finish(w, s);
}

TEST(our_syn_echoes_nothing_and_all_that_follows_echoes)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct tcp_open_args args = {.remote = w->remote, .remote_port = w->remote_port};
    struct stream *s = NULL;
    struct seg g = {0};
    REQUIRE(tcp_open(w->tcp, &args, &s) == TCP_OPEN_OK);
    s->on_event = world_on_event;
    w->local_port = conn(s)->tuple.local_port;
    run(w);
    REQUIRE(take(w, &g));
    CHECK(g.flags == S && g.options.has_timestamps);
    CHECK_EQ(g.options.ts_echo, 0);
    peer(w, SEG(.flags = S | A, .ack = 1));
    CHECK_EQ(write_pattern(s, 1, 2000), 2000);
    stream_shutdown(s);
    run(w);
    unsigned n = 0;
    for (; take(w, &g); n++) {
        CHECK(!g.options.has_mss && !g.options.has_wscale && !g.options.has_sack_permitted);
        CHECK(g.options.has_timestamps);
        CHECK_EQ(g.options.ts_echo, conn(s)->ts_recent);
    }
    CHECK(n >= 2);
    finish(w, s);
}

TEST(a_peer_that_permits_no_sack_gets_none)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_sack = false;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    struct seg g = {0};
    peer(w, SEG(.flags = A, .seq = 1001, .ack = 1, .len = 1000));
    REQUIRE(take(w, &g));
    CHECK(g.ack == 1 && g.options.n_sack == 0);
    peer(w, SEG(.flags = A, .seq = 1001, .ack = 1, .len = 1000)); /* nor D-SACK */
    REQUIRE(take(w, &g));
    CHECK(g.ack == 1 && g.options.n_sack == 0);
    finish(w, s);
}

TEST(a_duplicate_ahead_of_a_gap_is_told_before_the_block_that_holds_it)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A, .seq = 1001, .ack = 1, .len = 1000));
    peer(w, SEG(.flags = A, .seq = 2001, .ack = 1, .len = 1000));
    drop_all(w);
    peer(w, SEG(.flags = A, .seq = 1501, .ack = 1, .len = 500));
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .n_sack = 2, .sack = {{1501, 2001}, {1001, 3001}});
    finish(w, s);
}

TEST(as_many_gaps_are_told_as_fit_the_newest_first)
{
    struct world_config config = WORLD_DEFAULT;
    for (unsigned with = 0; with < 2; with++) {
        config.has_timestamps = with;
        struct world *w = world_new(&config);
        struct stream *s = world_accept(w);
        for (uint32_t i = 1; i <= 5; i++)
            peer(w, SEG(.flags = A, .seq = 2000 * i + 1, .ack = 1, .len = 1000));
        while (w->n_out > 1) {
            struct seg g;
            REQUIRE(take(w, &g));
        }
        if (with)
            EXPECT(w, .flags = A, .seq = 1, .ack = 1, .n_sack = 3,
                   .sack = {{10001, 11001}, {8001, 9001}, {6001, 7001}});
        else
            EXPECT(w, .flags = A, .seq = 1, .ack = 1, .n_sack = 4,
                   .sack = {{10001, 11001}, {8001, 9001}, {6001, 7001}, {4001, 5001}});
        finish(w, s);
    }
}

TEST(a_syn_that_was_lost_twice_leaves_one_segment_for_a_start)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    peer(w, SEG(.flags = S));
    run(w);
    pass(w, 4000000); /* sent again after one second and after two more */
    EXPECT(w, .flags = S | A, .ack = 1);
    EXPECT(w, .flags = S | A, .ack = 1);
    EXPECT(w, .flags = S | A, .ack = 1);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    REQUIRE(w->accepted != NULL);
    CHECK_EQ(write_pattern(w->accepted, 1, 20000), 20000);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 1448);
    EXPECT_NONE(w);
    finish(w, w->accepted);
}

TEST(a_window_that_shrinks_below_what_is_in_flight_stops_new_data_only)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 5 * 1448), 5 * 1448);
    run(w);
    drop_all(w);
    w->core.now_us += 20000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1449, .has_window = true, .window = 1448));
    CHECK_EQ(write_pattern(s, 1 + 5 * 1448, 1448), 1448);
    run(w);
    EXPECT_NONE(w);  /* the usable window is negative */
    pass(w, 500000); /* one timeout: a second one would make smaller segments */
    EXPECT(w, .flags = A, .seq = 5793, .ack = 1, .len = 1448); /* the tail, as a probe */
    EXPECT(w, .flags = A, .seq = 1449, .ack = 1, .len = 1448); /* the timeout's: inside */
    drop_all(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + 5 * 1448, .has_window = true, .window = 1448));
    run(w);
    EXPECT(w, .flags = A, .seq = 1 + 5 * 1448, .ack = 1, .len = 1448);
    finish(w, s);
}

TEST(sequence_numbers_follow_a_clock_of_four_microseconds)
{
    struct siphash_key key = {3, 4};
    struct flow_tuple tuple = {.local_port = 80, .remote_port = 40000};
    seq_t before = tcp_iss(&key, &tuple, 1000);
    seq_t after = tcp_iss(&key, &tuple, 1000 + 4000000);
    CHECK_EQ(seq_diff(after, before), 1000000);
}

TEST(timestamps_have_an_offset_of_their_own)
{
    struct siphash_key key = {3, 4};
    struct siphash_key other = {3, 5};
    struct flow_tuple tuple = {.local_port = 80, .remote_port = 40000};
    struct flow_tuple next = {.local_port = 80, .remote_port = 40001};
    CHECK_EQ(tcp_ts_offset(tcp_flow_secret(&key, &tuple)),
             tcp_ts_offset(tcp_flow_secret(&key, &tuple)));
    CHECK(tcp_ts_offset(tcp_flow_secret(&key, &tuple)) !=
          tcp_ts_offset(tcp_flow_secret(&key, &next)));
    CHECK(tcp_ts_offset(tcp_flow_secret(&key, &tuple)) !=
          tcp_ts_offset(tcp_flow_secret(&other, &tuple)));
    CHECK(tcp_ts_offset(tcp_flow_secret(&key, &tuple)) !=
          tcp_iss(&key, &tuple, 0).v); /* nor tells the ISN */
}

/* Ten segments in flight, all that the first window allows, and as many waiting. */
static struct stream *with_full_window(struct world *w)
{
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 20 * 1448), 20 * 1448);
    run(w);
    CHECK_EQ(w->n_out, 10);
    drop_all(w);
    w->core.now_us += 10000;
    return s;
}

TEST(the_first_two_duplicates_let_new_data_go)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_sack = false;
    struct world *w = world_new(&config);
    struct stream *s = with_full_window(w);
    for (unsigned i = 0; i < 2; i++) {
        peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
        run(w);
        EXPECT(w, .flags = A, .seq = 1 + (10 + i) * 1448, .ack = 1, .len = 1448);
        EXPECT_NONE(w);
        CHECK_EQ(conn(s)->tx->cc.cwnd_bytes, 14480);
    }
    finish(w, s);
}

TEST(duplicates_without_news_send_nothing_with_sack)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = with_full_window(w);
    for (unsigned i = 0; i < 20; i++) {
        peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
        run(w);
        EXPECT_NONE(w);
    }
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{1449, 2897}}));
    run(w);
    EXPECT(w, .flags = A, .seq = 1 + 10 * 1448, .ack = 1, .len = 1448);
    EXPECT_NONE(w);
    finish(w, s);
}

TEST(what_the_peer_sacked_and_dropped_is_sent_again)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    struct seg g = {0};
    CHECK_EQ(write_pattern(s, 1, 3 * 1448), 3 * 1448);
    run(w);
    drop_all(w);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{1449, 4345}}));
    pass(w, 100000);
    drop_all(w);                                     /* the first one again */
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1449)); /* and the others are not there any more */
    bool again[2] = {false};
    pass(w, 500000);      /* one timeout: a second one would make smaller segments */
    while (take(w, &g)) { /* take() looks at the bytes */
        again[0] |= g.seq == 1449 && g.len == 1448;
        again[1] |= g.seq == 2897 && g.len == 1448;
    }
    CHECK(again[0]);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 2897));
    run(w);
    while (take(w, &g))
        again[1] |= g.seq == 2897 && g.len == 1448;
    CHECK(again[1]);
    finish(w, s);
}

/* Three segments in flight, the last of them sent again as a probe. */
static struct stream *with_probe(struct world *w)
{
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 3 * 1448), 3 * 1448);
    run(w);
    pass(w, 25000);
    CHECK_EQ(stat(w, STAT_tcp_tlp), 1);
    drop_all(w);
    return s;
}

TEST(no_second_probe_goes_before_a_round_trip_was_measured)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    CHECK_EQ(tcp_tlp_timeout_us(0, false), 1000000); /* nothing was measured yet: 7.2 */
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_EQ(write_pattern(s, 1 + 100 * i, 100), 100);
        pass(w, 250000);
        CHECK_EQ(stat(w, STAT_tcp_tlp), 1);
        CHECK_EQ(stat(w, STAT_tcp_rto), i); /* Karn: the answer to a probe measures nothing */
        drop_all(w);
        peer(w, SEG(.flags = A, .seq = 1, .ack = 101 + 100 * i));
        run(w);
    }
    finish(w, s);
}

TEST(a_loss_that_only_the_probe_repaired_lowers_the_window)
{
    for (unsigned is_needless = 0; is_needless < 2; is_needless++) {
        struct world *w = world_new(&WORLD_DEFAULT);
        struct stream *s = with_probe(w);
        peer(w, SEG(.flags = A, .seq = 1, .ack = 4345));
        if (is_needless) /* both of them came */
            peer(w, SEG(.flags = A, .seq = 1, .ack = 4345, .n_sack = 1, .sack = {{2897, 4345}}));
        CHECK_EQ(write_pattern(s, 4345, 1000), 1000);
        run(w);
        w->core.now_us += 10000;
        REQUIRE(conn(s)->tx != NULL);
        CHECK_EQ(conn(s)->tx->cc.ssthresh_bytes, TCP_CWND_BYTES_MAX);
        CHECK_EQ(write_pattern(s, 5345, 1000), 1000); /* some stay in flight */
        run(w);
        peer(w, SEG(.flags = A, .seq = 1, .ack = 5345));
        REQUIRE(conn(s)->tx != NULL);
        CHECK_EQ(conn(s)->tx->cc.ssthresh_bytes == TCP_CWND_BYTES_MAX, is_needless);
        finish(w, s);
    }
}

TEST(a_port_is_listened_on_while_connections_of_it_are_in_every_state)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    for (uint16_t i = 1; i <= 3; i++) { /* established and half-open ones are there already */
        w->remote_port = (uint16_t)(40000 + i);
        w->knows_iss = false;
        peer(w, SEG(.flags = S));
        run(w);
        EXPECT(w, .flags = S | A, .ack = 1);
        CHECK_EQ(tcp_conn_count(w->tcp), 1u + i);
    }
    CHECK_EQ(stream_end(s), STREAM_END_OPEN);
    CHECK_EQ(conn(s)->state, TCP_ESTABLISHED);
    w->remote_port = 40000;
    finish(w, s);
}

TEST(another_timeout_begins_frto_anew)
{
    struct tcp_undo u;
    struct tcp_delivery d = {.una_bytes = 1460};
    tcp_undo_begin(&u, true);
    CHECK(!tcp_undo_on_ack(&u, &d, false, false));
    CHECK_EQ(u.frto, TCP_FRTO_NEW);
    tcp_undo_on_timeout_again(&u);
    CHECK_EQ(u.frto, TCP_FRTO_RESENT);
}

TEST(congestion_that_the_network_told_of_is_never_taken_back)
{
    for (unsigned is_told = 0; is_told < 2; is_told++) {
        struct tcp_undo u;
        struct tcp_delivery d = {.una_bytes = 1460, .has_echo = true, .echo_ms = 99};
        tcp_undo_begin(&u, false);
        tcp_undo_on_resent(&u, 100);
        if (is_told)
            tcp_undo_disarm(&u);
        CHECK_EQ(tcp_undo_on_ack(&u, &d, false, false), !is_told);
    }
}

/* What was sent since then carries the flow's label. */
static void check_label(struct world *w)
{
    struct flow_tuple tuple = {w->local, w->remote, w->local_port, w->remote_port};
    uint32_t want = tcp_flow_label(tcp_flow_secret(&w->core.hash_key, &tuple));
    CHECK_EQ(w->flow_label, want);
    w->flow_label = 0;
    drop_all(w);
}

TEST(a_flow_keeps_its_label_from_the_first_answer_to_time_wait)
{
    struct world_config config = WORLD_DEFAULT;
    config.is_v6 = true;
    struct world *w = world_new(&config);
    peer(w, SEG(.flags = S));
    run(w);
    check_label(w);
    drop_all(w);
    peer(w, SEG(.flags = R, .seq = 1));
    run(w);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 1000), 1000);
    run(w);
    check_label(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1001));
    stream_shutdown(s);
    run(w);
    check_label(w);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 1002));
    run(w);
    check_label(w);
    stream_release(s);
    run(w);
    CHECK_EQ(tcp_timewait_count(w->tcp), 1);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 1002)); /* it comes again */
    check_label(w);
    w->local_port = 81;
    peer(w, SEG(.flags = S));
    check_label(w); /* a reset of what never was */
    world_free(w);
}

TEST(a_cookie_has_the_label_of_its_flow)
{
    struct world_config config = WORLD_DEFAULT;
    config.is_v6 = true;
    config.tcp.half_open_max = 0;
    struct world *w = world_new(&config);
    peer(w, SEG(.flags = S));
    CHECK_EQ(stat(w, STAT_tcp_rx_syn_cookie), 1);
    check_label(w);
    world_free(w);
}

UNIT_MAIN("tcp/rfc_send", T(a_flow_keeps_its_label_from_the_first_answer_to_time_wait),
          T(a_cookie_has_the_label_of_its_flow),
          T(a_port_is_listened_on_while_connections_of_it_are_in_every_state),
          T(another_timeout_begins_frto_anew),
          T(congestion_that_the_network_told_of_is_never_taken_back),
          T(no_second_probe_goes_before_a_round_trip_was_measured),
          T(a_loss_that_only_the_probe_repaired_lowers_the_window),
          T(timestamps_have_an_offset_of_their_own), T(the_first_two_duplicates_let_new_data_go),
          T(duplicates_without_news_send_nothing_with_sack),
          T(what_the_peer_sacked_and_dropped_is_sent_again),
          T(psh_is_on_the_last_segment_of_what_was_written),
          T(windows_of_syns_are_not_scaled_and_all_others_are),
          T(a_peer_that_does_not_scale_gets_windows_as_they_are),
          T(options_of_a_syn_mean_nothing_elsewhere),
          T(our_syn_echoes_nothing_and_all_that_follows_echoes),
          T(a_peer_that_permits_no_sack_gets_none),
          T(a_duplicate_ahead_of_a_gap_is_told_before_the_block_that_holds_it),
          T(as_many_gaps_are_told_as_fit_the_newest_first),
          T(a_syn_that_was_lost_twice_leaves_one_segment_for_a_start),
          T(a_window_that_shrinks_below_what_is_in_flight_stops_new_data_only),
          T(sequence_numbers_follow_a_clock_of_four_microseconds))
