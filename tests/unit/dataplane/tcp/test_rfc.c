/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences of the RFCs that no other test shows, as docs/rfc lists them. */
#include "harness.h"
#include "net/net.h"
#include "tcp/settings.h"
#include "unit.h"

/* A data segment of the peer. */
static void data(struct world *w, uint32_t seq, uint32_t len)
{
    peer(w, SEG(.flags = A, .seq = seq, .ack = 1, .len = len));
}

/* The value of the peer's timestamp clock now. */
static uint32_t peer_clock(const struct world *w)
{
    return (uint32_t)(w->core.now_us / 1000) + 77;
}

TEST(a_segment_is_acknowledged_once_whatever_it_brings)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    data(w, 1, 1000);
    data(w, 501, 1000); /* half of it old, half of it new */
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1501, .n_sack = 1, .sack = {{501, 1001}});
    pass(w, 100000);
    EXPECT_NONE(w);
    peer(w, SEG(.flags = F | A, .seq = 2001, .ack = 1, .len = 1000)); /* out of order, with FIN */
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1501, .n_sack = 1, .sack = {{2001, 3001}});
    EXPECT_NONE(w);
    peer(w, SEG(.flags = A, .seq = 1501, .ack = 1, .len = 500));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 3002);
    EXPECT_NONE(w);
    CHECK(read_pattern(s, 1) == 3000 && stream_is_eof(s));
    world_finish(w, s);
}

TEST(a_fin_behind_data_that_came_before_is_acknowledged_once)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    data(w, 1, 500);
    pass(w, 50000);
    drop_all(w);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 1, .len = 500));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 502, .n_sack = 1, .sack = {{1, 501}});
    EXPECT_NONE(w);
    CHECK(read_pattern(s, 1) == 500 && stream_is_eof(s));
    world_finish(w, s);
}

TEST(the_timestamp_is_judged_before_the_window)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A, .seq = 1000000, .ack = 1, .len = 10, .is_old = true));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    peer(w, SEG(.flags = A, .seq = 1000000, .ack = 1, .len = 10, .no_timestamps = true));
    run(w);
    EXPECT_NONE(w);
    CHECK_EQ(stat(w, STAT_tcp_drop_paws), 2);
    CHECK_EQ(stat(w, STAT_tcp_drop_sequence), 0);
    peer(w, SEG(.flags = A, .seq = 1000000, .ack = 1, .len = 10));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    CHECK_EQ(stat(w, STAT_tcp_drop_sequence), 1);
    CHECK_EQ(conn(s)->ts_recent, peer_clock(w)); /* of the handshake, not of what was dropped */
    world_finish(w, s);
}

TEST(what_the_network_doubled_is_told_as_duplicate_although_its_timestamp_is_old)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    data(w, 1, 1000);
    pass(w, 50000);
    drop_all(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 1000, .is_old = true));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1001, .n_sack = 1, .sack = {{1, 1001}});
    CHECK_EQ(stat(w, STAT_tcp_drop_paws), 1);
    CHECK_EQ(read_pattern(s, 1), 1000);
    world_finish(w, s);
}

TEST(a_segment_that_acknowledges_nonsense_tells_no_time)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    uint32_t recent = conn(s)->ts_recent;
    w->core.now_us += 60000000; /* so that the stranger's clock may be ahead of the peer's */
    peer(w, SEG(.flags = A, .seq = 1, .ack = 9999, .len = 1));
    peer(w, SEG(.flags = 0, .seq = 1, .len = 1));
    peer(w, SEG(.flags = S, .seq = 1));
    CHECK_EQ(conn(s)->ts_recent, recent);
    w->core.now_us -= 60000000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 10));
    CHECK_EQ(stream_readable(s), 10);
    drop_all(w);
    world_finish(w, s);
}

TEST(a_reset_is_never_judged_by_its_timestamp)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    uint32_t recent = conn(s)->ts_recent;
    peer(w, SEG(.flags = R, .seq = 100, .is_old = true)); /* challenged, and learned nothing from */
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    CHECK_EQ(conn(s)->ts_recent, recent);
    peer(w, SEG(.flags = R, .seq = 1, .is_old = true));
    run(w);
    CHECK_EQ(stream_end(s), STREAM_END_RESET);
    CHECK_EQ(stat(w, STAT_tcp_drop_paws), 0);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(a_timestamp_of_weeks_ago_judges_nothing)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    w->core.now_us += 25ull * 24 * 3600 * 1000000;
    conn(s)->ts_recent = peer_clock(w) + 1000; /* the peer's clock has gone round meanwhile */
    data(w, 1, 10);
    CHECK_EQ(stream_readable(s), 10);
    CHECK_EQ(conn(s)->ts_recent, peer_clock(w));
    world_finish(w, s);
}

TEST(the_echo_is_of_the_segment_that_the_acknowledgement_waited_for)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    struct seg g = {0};
    uint32_t first = peer_clock(w);
    data(w, 1, 100);
    w->core.now_us += 5000;
    data(w, 101, 100); /* one acknowledgement for both: the earlier one's time (RFC 7323, 4.3) */
    run(w);
    REQUIRE(take(w, &g));
    CHECK_EQ(g.options.ts_echo, first);
    w->core.now_us += 5000;
    data(w, 301, 100); /* out of order: still that of the last in order */
    REQUIRE(take(w, &g));
    CHECK_EQ(g.options.ts_echo, first);
    w->core.now_us += 5000;
    data(w, 201, 100); /* what fills the gap: its own */
    run(w);
    REQUIRE(take(w, &g));
    CHECK_EQ(g.ack, 401);
    CHECK_EQ(g.options.ts_echo, peer_clock(w));
    world_finish(w, s);
}

TEST(timestamps_that_were_not_agreed_upon_are_ignored)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_timestamps = false;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    w->config.has_timestamps = true;
    struct seg g = {0};
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 10, .is_old = true));
    peer(w, SEG(.flags = A, .seq = 11, .ack = 1, .len = 10));
    run(w);
    CHECK_EQ(read_pattern(s, 1), 20);
    REQUIRE(take(w, &g));
    CHECK(!g.options.has_timestamps);
    CHECK_EQ(stat(w, STAT_tcp_drop_paws), 0);
    world_finish(w, s);
}

TEST(syns_out_of_the_window_are_challenged_at_a_rate)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    for (unsigned i = 0; i < 100; i++) {
        peer(w, SEG(.flags = S, .seq = 0x40000000 + i));
        run(w);
    }
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    EXPECT_NONE(w);
    CHECK_EQ(stat(w, STAT_tcp_tx_challenge), 1);
    CHECK_EQ(stat(w, STAT_tcp_tx_challenge_limited), 99);
    CHECK_EQ(stream_end(s), STREAM_END_OPEN);
    world_finish(w, s);
}

TEST(resets_out_of_the_window_are_dropped_in_silence)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = R, .seq = 0));
    peer(w, SEG(.flags = R, .seq = 0x40000000));
    run(w);
    EXPECT_NONE(w);
    CHECK_EQ(stat(w, STAT_tcp_drop_sequence), 2);
    CHECK_EQ(stream_end(s), STREAM_END_OPEN);
    world_finish(w, s);
}

TEST(a_segment_longer_than_our_mss_counts_as_several)
{
    struct world_config config = WORLD_DEFAULT;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    conn(s)->path_mtu = 600; /* as if LRO had put several of these together */
    data(w, 1, 1400);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1401);
    world_finish(w, s);
}

/* An ICMP error about the byte `seq` of ours. */
static void icmp(struct world *w, enum net_icmp_kind kind, uint32_t seq)
{
    struct net_icmp_error e = {.kind = kind,
                               .local = w->local,
                               .remote = w->remote,
                               .local_port = w->local_port,
                               .remote_port = w->remote_port,
                               .seq = w->our_iss + seq};
    tcp_on_icmp_error(w->tcp, &e);
    run(w);
}

TEST(soft_errors_are_told_to_who_wants_them_and_end_nothing)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 10), 10);
    run(w);
    icmp(w, NET_ICMP_UNREACHABLE, 1);
    CHECK_EQ(events(w), 0); /* nobody asked */
    CHECK_EQ(tcp_troubles(s), TCP_TROUBLE_UNREACHABLE);
    tcp_watch_troubles(s, true);
    icmp(w, NET_ICMP_TIME, 1);
    CHECK_EQ(events(w), STREAM_TROUBLE);
    CHECK_EQ(tcp_troubles(s), TCP_TROUBLE_UNREACHABLE | TCP_TROUBLE_OTHER);
    icmp(w, NET_ICMP_TIME, 1000); /* not in flight: a stranger's */
    CHECK_EQ(events(w), 0);
    w->core.now_us += 1000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 11));
    run(w);
    CHECK_EQ(tcp_troubles(s), 0); /* outlived */
    tcp_watch_troubles(s, false);
    CHECK_EQ(write_pattern(s, 11, 10), 10);
    run(w);
    icmp(w, NET_ICMP_TIME, 11);
    CHECK_EQ(events(w), 0);
    CHECK_EQ(stream_end(s), STREAM_END_OPEN);
    drop_all(w);
    world_finish(w, s);
}

TEST(silence_after_unreachable_ends_as_unreachable)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    tcp_set_user_timeout(s, 3000);
    CHECK_EQ(write_pattern(s, 1, 10), 10);
    run(w);
    icmp(w, NET_ICMP_UNREACHABLE, 1);
    pass(w, 10000000);
    CHECK_EQ(stream_end(s), STREAM_END_UNREACHABLE);
    drop_all(w);
    world_finish(w, s);
}

TEST(several_timeouts_in_a_row_are_told)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    tcp_watch_troubles(s, true);
    CHECK_EQ(write_pattern(s, 1, 10), 10);
    pass(w, 1200000);
    CHECK_EQ(events(w), 0);
    pass(w, 3000000);
    CHECK_EQ(events(w), STREAM_TROUBLE);
    CHECK_EQ(tcp_troubles(s), TCP_TROUBLE_SILENCE);
    drop_all(w);
    world_finish(w, s);
}

UNIT_MAIN("tcp/rfc", T(soft_errors_are_told_to_who_wants_them_and_end_nothing),
          T(silence_after_unreachable_ends_as_unreachable), T(several_timeouts_in_a_row_are_told),
          T(a_segment_is_acknowledged_once_whatever_it_brings),
          T(a_fin_behind_data_that_came_before_is_acknowledged_once),
          T(the_timestamp_is_judged_before_the_window),
          T(what_the_network_doubled_is_told_as_duplicate_although_its_timestamp_is_old),
          T(a_segment_that_acknowledges_nonsense_tells_no_time),
          T(a_reset_is_never_judged_by_its_timestamp), T(a_timestamp_of_weeks_ago_judges_nothing),
          T(the_echo_is_of_the_segment_that_the_acknowledgement_waited_for),
          T(timestamps_that_were_not_agreed_upon_are_ignored),
          T(syns_out_of_the_window_are_challenged_at_a_rate),
          T(resets_out_of_the_window_are_dropped_in_silence),
          T(a_segment_longer_than_our_mss_counts_as_several))
