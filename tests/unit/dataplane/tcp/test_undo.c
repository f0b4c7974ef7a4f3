/* SPDX-License-Identifier: Apache-2.0 */
/* Retransmissions that were not needed: found out by three witnesses, and taken back. */
#include "harness.h"
#include "tcp/undo.h"
#include "unit.h"

#define MSS 1448u /* with timestamps; 1460 without */

/* Waits for the timeout; what it sent is thrown away but for its number. */
static void wait_for_timeout(struct world *w)
{
    for (unsigned i = 0; i < 2000 && stat(w, STAT_tcp_rto) == 0; i++) {
        drop_all(w);
        pass(w, 1000);
    }
    CHECK_EQ(stat(w, STAT_tcp_rto), 1);
}

TEST(a_timeout_whose_segment_was_only_late_is_taken_back_by_its_timestamp)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept_with_flight(w, 4 * MSS);
    uint32_t echo_of_original = w->ts_echo;
    struct tcp_cc before = conn(s)->tx->cc;
    wait_for_timeout(w);
    CHECK(conn(s)->flags & TCP_F_LOSS);
    drop_all(w);
    w->ts_echo = echo_of_original;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + MSS));
    run(w);
    EXPECT_NONE(w); /* nothing more is sent again */
    CHECK_EQ(stat(w, STAT_tcp_undo_timeout), 1);
    CHECK_EQ(conn(s)->flags & TCP_F_LOSS, 0);
    CHECK_EQ(conn(s)->tx->cc.cwnd_bytes, before.cwnd_bytes + MSS); /* and what was acknowledged */
    CHECK_EQ(conn(s)->tx->cc.ssthresh_bytes, before.ssthresh_bytes);
    CHECK(conn(s)->rtt.srtt_us >= 200000); /* the path is as slow as that */
    world_finish(w, s);
}

TEST(a_timeout_whose_retransmission_is_answered_stands)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept_with_flight(w, 4 * MSS);
    wait_for_timeout(w);
    drop_all(w); /* the echo is the retransmission's now */
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + MSS));
    run(w);
    EXPECT(w, .flags = A, .seq = 1 + MSS, .ack = 1, .len = MSS);
    CHECK_EQ(stat(w, STAT_tcp_undo_timeout), 0);
    CHECK(conn(s)->flags & TCP_F_LOSS);
    world_finish(w, s);
}

static struct world *world_without_timestamps(bool has_sack)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_timestamps = false;
    config.has_sack = has_sack;
    return world_new(&config);
}

/* A timeout with 4 segments in flight and more to send, then an acknowledgement of the first. */
static struct stream *at_second_step(struct world *w)
{
    struct stream *s = world_accept_with_flight(w, 4 * 1460);
    wait_for_timeout(w);
    drop_all(w);
    CHECK_EQ(write_pattern(s, 1 + 4 * 1460, 4 * 1460), 4 * 1460);
    run(w);
    EXPECT_NONE(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + 1460));
    run(w);
    EXPECT(w, .flags = A, .seq = 1 + 4 * 1460, .ack = 1, .len = 1460);
    EXPECT(w, .flags = A, .seq = 1 + 5 * 1460, .ack = 1, .len = 1460);
    EXPECT_NONE(w);
    return s;
}

static void late_originals(bool has_sack)
{
    struct world *w = world_without_timestamps(has_sack);
    struct stream *s = at_second_step(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + 2 * 1460));
    run(w);
    CHECK_EQ(stat(w, STAT_tcp_undo_timeout), 1);
    EXPECT(w, .flags = A, .seq = 1 + 6 * 1460, .ack = 1, .len = 1460); /* on with new data */
    EXPECT(w, .flags = A, .seq = 1 + 7 * 1460, .ack = 1, .len = 1460);
    EXPECT_NONE(w);
    world_finish(w, s);
}

TEST(frto_sends_new_data_and_finds_originals_that_were_only_late)
{
    late_originals(true);
    late_originals(false);
}

static void lost_originals(bool has_sack)
{
    struct world *w = world_without_timestamps(has_sack);
    struct stream *s = at_second_step(w);
    struct seg answer = SEG(.flags = A, .seq = 1, .ack = 1 + 1460, .n_sack = has_sack,
                            .sack = {{1 + 4 * 1460, 1 + 5 * 1460}});
    peer(w, answer);
    run(w);
    EXPECT(w, .flags = A, .seq = 1 + 1460, .ack = 1, .len = 1460);
    CHECK_EQ(stat(w, STAT_tcp_undo_timeout), 0);
    CHECK(conn(s)->flags & TCP_F_LOSS);
    world_finish(w, s);
}

TEST(frto_goes_the_conventional_way_when_only_new_data_arrives)
{
    lost_originals(true);
    lost_originals(false);
}

TEST(frto_without_new_data_goes_the_conventional_way)
{
    struct world *w = world_without_timestamps(true);
    struct stream *s = world_accept_with_flight(w, 4 * 1460);
    wait_for_timeout(w);
    drop_all(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + 1460));
    run(w);
    EXPECT(w, .flags = A, .seq = 1 + 1460, .ack = 1, .len = 1460);
    world_finish(w, s);
}

/* Three SACKs above a gap: the first segment goes again. */
static struct stream *in_recovery(struct world *w)
{
    struct stream *s = world_accept_with_flight(w, 10 * MSS);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{1 + MSS, 1 + 4 * MSS}}));
    CHECK(conn(s)->flags & TCP_F_RECOVERY);
    return s;
}

TEST(a_recovery_begun_by_reordering_is_taken_back_by_the_timestamp)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = in_recovery(w);
    uint32_t echo_of_original = w->ts_echo;
    w->core.now_us += 5000;
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = MSS);
    w->ts_echo = echo_of_original;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + 4 * MSS));
    CHECK_EQ(stat(w, STAT_tcp_undo_recovery), 1);
    CHECK_EQ(conn(s)->flags & TCP_F_RECOVERY, 0);
    CHECK_EQ(conn(s)->tx->cc.cwnd_bytes, 10 * MSS);
    world_finish(w, s);
}

TEST(a_recovery_whose_every_retransmission_came_twice_is_taken_back)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_timestamps = false;
    config.peer_mss = MSS;
    struct world *w = world_new(&config);
    struct stream *s = in_recovery(w);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = MSS);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + 10 * MSS));
    run(w);
    CHECK_EQ(conn(s)->tx->cc.cwnd_bytes, 7 * MSS);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + 10 * MSS, .n_sack = 1, .sack = {{1, 1 + MSS}}));
    CHECK_EQ(stat(w, STAT_tcp_undo_recovery), 1);
    CHECK_EQ(conn(s)->tx->cc.cwnd_bytes, 10 * MSS);
    world_finish(w, s);
}

TEST(what_is_given_back_makes_no_larger_burst_than_an_initial_window)
{
    struct tcp_cc cc;
    struct tcp_undo u;
    tcp_cc_init(&cc, &tcp_cubic_ops, MSS);
    cc.cwnd_bytes = 100 * MSS;
    cc.ssthresh_bytes = 80 * MSS;
    tcp_cc_remember(&cc);
    tcp_undo_begin(&u, false);
    cc.cwnd_bytes = MSS;
    tcp_cc_undo(&cc, 5 * MSS, MSS);
    tcp_undo_end(&u);
    CHECK_EQ(cc.cwnd_bytes, 5 * MSS + tcp_cc_initial_window(MSS));
    CHECK_EQ(cc.ssthresh_bytes, 100 * MSS);
    CHECK(!u.is_armed);
}

UNIT_MAIN("tcp/undo", T(a_timeout_whose_segment_was_only_late_is_taken_back_by_its_timestamp),
          T(a_timeout_whose_retransmission_is_answered_stands),
          T(frto_sends_new_data_and_finds_originals_that_were_only_late),
          T(frto_goes_the_conventional_way_when_only_new_data_arrives),
          T(frto_without_new_data_goes_the_conventional_way),
          T(a_recovery_begun_by_reordering_is_taken_back_by_the_timestamp),
          T(a_recovery_whose_every_retransmission_came_twice_is_taken_back),
          T(what_is_given_back_makes_no_larger_burst_than_an_initial_window))
