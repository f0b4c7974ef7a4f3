/* SPDX-License-Identifier: Apache-2.0 */
/* Explicit congestion notification (RFC 3168) in both roles. */
#include "harness.h"
#include "unit.h"

#define E TCP_ECE
#define W TCP_CWR
#define MSS 1448u

static struct world *world_with_ecn(void)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.has_ecn = true;
    return world_new(&config);
}

static struct stream *accept_with_ecn(struct world *w)
{
    peer(w, SEG(.flags = S | E | W));
    run(w);
    EXPECT(w, .flags = S | A | E, .ack = 1);
    CHECK_EQ(w->tos & TCP_ECN_MASK, 0); /* 6.1.1: no SYN is ECN-capable */
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    REQUIRE(w->accepted != NULL);
    CHECK(conn(w->accepted)->flags & TCP_F_ECN);
    return w->accepted;
}

TEST(new_data_is_ecn_capable_and_nothing_else_is)
{
    struct world *w = world_with_ecn();
    struct stream *s = accept_with_ecn(w);
    CHECK_EQ(write_pattern(s, 1, 100), 100);
    run(w);
    CHECK_EQ(w->tos & TCP_ECN_MASK, TCP_ECN_ECT0);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 100);
    pass(w, 3000000); /* again, by probe or timeout */
    CHECK(w->n_out > 0);
    CHECK_EQ(w->tos & TCP_ECN_MASK, 0);
    drop_all(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 101, .len = 10));
    peer(w, SEG(.flags = A, .seq = 11, .ack = 101, .len = 10));
    run(w);
    EXPECT(w, .flags = A, .seq = 101, .ack = 21);
    CHECK_EQ(w->tos & TCP_ECN_MASK, 0);
    world_finish(w, s);
}

TEST(a_mark_is_echoed_until_the_peer_has_slowed_down)
{
    struct world *w = world_with_ecn();
    struct stream *s = accept_with_ecn(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 10, .ecn = TCP_ECN_CE));
    run(w);
    EXPECT(w, .flags = A | E, .seq = 1, .ack = 11); /* at once */
    peer(w, SEG(.flags = A, .seq = 11, .ack = 1, .len = 10));
    peer(w, SEG(.flags = A, .seq = 21, .ack = 1, .len = 10));
    run(w);
    EXPECT(w, .flags = A | E, .seq = 1, .ack = 31);
    CHECK_EQ(write_pattern(s, 1, 100), 100);
    run(w);
    EXPECT(w, .flags = A | E, .seq = 1, .ack = 31, .len = 100);
    peer(w, SEG(.flags = A | W, .seq = 31, .ack = 101, .len = 10));
    peer(w, SEG(.flags = A, .seq = 41, .ack = 101, .len = 10));
    run(w);
    EXPECT(w, .flags = A, .seq = 101, .ack = 51);
    CHECK_EQ(stat(w, STAT_tcp_rx_ce), 1);
    world_finish(w, s);
}

TEST(a_mark_on_a_segment_outside_of_the_window_says_nothing)
{
    struct world *w = world_with_ecn();
    struct stream *s = accept_with_ecn(w);
    peer(w, SEG(.flags = A, .seq = 1 + 200000, .ack = 1, .len = 10, .ecn = TCP_ECN_CE));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    CHECK_EQ(stat(w, STAT_tcp_rx_ce), 0);
    world_finish(w, s);
}

TEST(an_echo_slows_us_down_once_a_window_and_the_peer_hears_of_it)
{
    struct world *w = world_with_ecn();
    struct stream *s = accept_with_ecn(w);
    CHECK_EQ(write_pattern(s, 1, 20 * MSS), 20 * MSS);
    run(w);
    drop_all(w); /* ten are in flight */
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A | E, .seq = 1, .ack = 1 + 2 * MSS));
    CHECK_EQ(stat(w, STAT_tcp_ecn_reductions), 1);
    uint32_t cwnd = conn(s)->tx->cc.cwnd_bytes;
    CHECK(cwnd < 10 * MSS && cwnd >= 7 * MSS);
    peer(w, SEG(.flags = A | E, .seq = 1, .ack = 1 + 4 * MSS));
    CHECK_EQ(stat(w, STAT_tcp_ecn_reductions), 1);
    run(w);
    EXPECT(w, .flags = A | W, .seq = 1 + 10 * MSS, .ack = 1, .len = MSS);
    drop_all(w);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A | E, .seq = 1, .ack = 1 + 11 * MSS)); /* of the next window */
    CHECK_EQ(stat(w, STAT_tcp_ecn_reductions), 2);
    world_finish(w, s);
}

TEST(with_a_window_of_one_segment_an_echo_holds_the_next_one_back)
{
    struct world *w = world_with_ecn();
    struct stream *s = accept_with_ecn(w);
    CHECK_EQ(write_pattern(s, 1, MSS), MSS);
    run(w);
    drop_all(w);
    conn(s)->tx->cc.cwnd_bytes = MSS;
    conn(s)->tx->cc.ssthresh_bytes = 2 * MSS;
    w->core.now_us += 10000;
    CHECK_EQ(write_pattern(s, 1 + MSS, MSS), MSS);
    peer(w, SEG(.flags = A | E, .seq = 1, .ack = 1 + MSS));
    uint64_t rto_us = conn(s)->rtt.rto_us;
    CHECK_EQ(conn(s)->tx->cc.cwnd_bytes, MSS);
    pass(w, rto_us - 2000);
    EXPECT_NONE(w);
    pass(w, 4000);
    EXPECT(w, .flags = A | W, .seq = 1 + MSS, .ack = 1, .len = MSS);
    world_finish(w, s);
}

TEST(an_open_offers_it_once)
{
    struct world *w = world_with_ecn();
    struct stream *s = world_open(w, 0, S | E | W);
    pass(w, 1010000);
    EXPECT(w, .flags = S);
    peer(w, SEG(.flags = S | A | E, .ack = 1));
    run(w);
    CHECK(conn(s)->flags & TCP_F_ECN);
    drop_all(w);
    world_finish(w, s);
}

TEST(a_syn_ack_that_only_repeats_the_flags_agrees_to_nothing)
{
    struct world *w = world_with_ecn();
    struct stream *s = world_open(w, 0, S | E | W);
    peer(w, SEG(.flags = S | A | E | W, .ack = 1));
    run(w);
    CHECK_EQ(conn(s)->flags & TCP_F_ECN, 0);
    drop_all(w);
    world_finish(w, s);
}

TEST(without_leave_nothing_is_offered_or_taken)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    peer(w, SEG(.flags = S | E | W));
    run(w);
    EXPECT(w, .flags = S | A, .ack = 1);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    struct stream *s = w->accepted;
    CHECK_EQ(write_pattern(s, 1, 100), 100);
    run(w);
    CHECK_EQ(w->tos & TCP_ECN_MASK, 0);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 100);
    world_finish(w, s);
}

UNIT_MAIN("tcp/ecn", T(new_data_is_ecn_capable_and_nothing_else_is),
          T(a_mark_is_echoed_until_the_peer_has_slowed_down),
          T(a_mark_on_a_segment_outside_of_the_window_says_nothing),
          T(an_echo_slows_us_down_once_a_window_and_the_peer_hears_of_it),
          T(with_a_window_of_one_segment_an_echo_holds_the_next_one_back),
          T(an_open_offers_it_once), T(a_syn_ack_that_only_repeats_the_flags_agrees_to_nothing),
          T(without_leave_nothing_is_offered_or_taken))
