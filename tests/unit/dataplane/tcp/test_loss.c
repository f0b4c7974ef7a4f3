/* SPDX-License-Identifier: Apache-2.0 */
/* Loss as the sender sees it: timeouts, fast recovery, probes, the path's MTU. */
#include "core/port.h"
#include "harness.h"
#include "net/net.h"
#include "unit.h"

#include <rte_mbuf.h>

TEST(a_lost_segment_is_sent_again_with_backoff)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_sack = false;
    struct world *w = world_new(&config);
    struct stream *s = world_accept_with_flight(w, 1000);
    uint64_t sent_us = w->core.now_us;
    for (unsigned i = 0; i < 5; i++) {
        while (w->n_out == 0)
            pass(w, 1000);
        uint64_t waited_us = w->core.now_us - sent_us;
        CHECK(waited_us >= 210000ull << i && waited_us <= (210000ull << i) + 2000);
        sent_us = w->core.now_us;
        EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 1000);
    }
    CHECK_EQ(stat(w, STAT_tcp_rto), 5);
    CHECK_EQ(conn(s)->tx->cc.cwnd_bytes, conn(s)->mss);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1001));
    run(w);
    CHECK_EQ(conn(s)->backoff, 0);
    world_finish(w, s);
}

TEST(a_peer_that_never_answers_is_given_up)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept_with_flight(w, 1000);
    for (unsigned i = 0; i < 200 && stream_end(s) == STREAM_END_OPEN; i++) {
        pass(w, 1000000);
        drop_all(w);
    }
    CHECK_EQ(stream_end(s), STREAM_END_TIMEOUT);
    CHECK(w->core.now_us - WORLD_DEFAULT.now_us < 190000000);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(three_sacked_segments_start_fast_recovery)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept_with_flight(w, 10 * 1448);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{1449, 2897}}));
    run(w);
    EXPECT_NONE(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{1449, 5793}}));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 1448);
    CHECK_EQ(stat(w, STAT_tcp_recoveries), 1);
    CHECK_EQ(conn(s)->tx->cc.ssthresh_bytes, 10136);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 14481));
    run(w);
    CHECK_EQ(conn(s)->flags & TCP_F_RECOVERY, 0);
    CHECK_EQ(conn(s)->tx->cc.cwnd_bytes, 10136);
    world_finish(w, s);
}

TEST(recovery_lowers_the_window_once_for_many_losses)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept_with_flight(w, 10 * 1448);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .n_sack = 3,
                .sack = {{1449, 2897}, {4345, 5793}, {7241, 14481}}));
    run(w);
    unsigned resent = 0;
    struct seg g;
    for (unsigned i = 0; i < 5; i++) {
        run(w);
        while (take(w, &g)) {
            resent++;
            CHECK(g.seq == 1 || g.seq == 2897 || g.seq == 5793);
        }
    }
    CHECK_EQ(resent, 3);
    CHECK_EQ(stat(w, STAT_tcp_recoveries), 1);
    CHECK_EQ(conn(s)->tx->cc.ssthresh_bytes, 10136);
    world_finish(w, s);
}

TEST(without_sack_the_third_duplicate_ack_resends_the_first_segment)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_sack = false;
    struct world *w = world_new(&config);
    struct stream *s = world_accept_with_flight(w, 10 * 1448);
    w->core.now_us += 10000;
    for (unsigned i = 0; i < 2; i++) {
        peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
        run(w);
        EXPECT_NONE(w);
    }
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 1448);
    EXPECT_NONE(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 2897)); /* partial: the next hole */
    run(w);
    EXPECT(w, .flags = A, .seq = 2897, .ack = 1, .len = 1448);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 14481));
    run(w);
    CHECK_EQ(conn(s)->flags & TCP_F_RECOVERY, 0);
    world_finish(w, s);
}

TEST(a_lost_tail_is_probed_before_the_timeout)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept_with_flight(w, 3 * 1448);
    pass(w, 25000); /* 2 srtt = 20 ms */
    EXPECT(w, .flags = A, .seq = 2897, .ack = 1, .len = 1448);
    CHECK_EQ(stat(w, STAT_tcp_tlp), 1);
    CHECK_EQ(stat(w, STAT_tcp_rto), 0);
    pass(w, 12000);
    EXPECT_NONE(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{2897, 4345}}));
    pass(w, 5000);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 1448); /* RACK learns from the probe */
    world_finish(w, s);
}

TEST(a_probe_is_new_data_when_there_is_some)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s =
        world_accept_with_flight(w, 30000); /* ten segments go, the rest waits for cwnd */
    pass(w, 25000);
    EXPECT(w, .flags = A, .seq = 14481, .ack = 1, .len = 1448);
    EXPECT_NONE(w);
    world_finish(w, s);
}

TEST(after_a_timeout_sacked_segments_are_not_sent_again)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept_with_flight(w, 3 * 1448);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{1449, 2897}}));
    run(w);
    pass(w, 600000);
    struct seg g;
    unsigned seen = 0;
    while (take(w, &g)) {
        CHECK(g.seq != 1449);
        seen++;
    }
    CHECK(seen >= 1);
    world_finish(w, s);
}

TEST(an_ack_that_cuts_a_segment_is_understood)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept_with_flight(w, 3000);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 701));
    run(w);
    pass(w, 500000);
    struct seg g;
    bool found = false;
    while (take(w, &g)) /* the harness compares the bytes with the numbers */
        found |= g.seq == 701 && g.len == 748;
    CHECK(found);
    world_finish(w, s);
}

TEST(everything_works_across_the_wrap_of_both_numbers)
{
    struct world_config config = WORLD_DEFAULT;
    config.peer_iss = 0xffffff00u;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    uint32_t at = 1, sent = 1;
    for (unsigned i = 0; i < 100; i++) {
        peer(w, SEG(.flags = A, .seq = 1 + i * 50, .ack = at, .len = 50));
        CHECK_EQ(write_pattern(s, sent, 1000), 1000);
        sent += 1000;
        run(w);
        CHECK_EQ(read_pattern(s, 1 + i * 50), 50);
        struct seg g;
        while (take(w, &g))
            at = g.seq + g.len;
    }
    CHECK_EQ(stat(w, STAT_tcp_rx_fast), 100);
    world_finish(w, s);
}

TEST(a_narrower_path_cuts_what_is_in_flight_anew)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept_with_flight(w, 3 * 1448);
    struct net_icmp_error e = {.kind = NET_ICMP_TOO_BIG,
                               .mtu = 1000,
                               .local = w->local,
                               .remote = w->remote,
                               .local_port = w->local_port,
                               .remote_port = w->remote_port,
                               .seq = w->our_iss + 1};
    e.seq = w->our_iss + 100000; /* not in flight: forged */
    tcp_on_icmp_error(w->tcp, &e);
    CHECK_EQ(conn(s)->path_mtu, 1500);
    e.seq = w->our_iss + 1449;
    tcp_on_icmp_error(w->tcp, &e);
    CHECK_EQ(conn(s)->mss, 948);
    uint32_t cwnd = conn(s)->tx->cc.cwnd_bytes;
    run(w);
    struct seg g;
    uint32_t at = 1;
    while (take(w, &g)) {
        CHECK(g.len <= 948);
        CHECK(g.seq <= at);
        at = g.seq + g.len > at ? g.seq + g.len : at;
    }
    CHECK_EQ(at, 4345);
    CHECK_EQ(conn(s)->tx->cc.cwnd_bytes, cwnd);
    e.mtu = 100; /* nobody pushes it below the floor */
    tcp_on_icmp_error(w->tcp, &e);
    CHECK_EQ(conn(s)->path_mtu, TCP_PMTU_MIN_4);
    run(w);
    drop_all(w);
    world_finish(w, s);
}

TEST(a_full_pool_puts_sending_off_and_goes_on_later)
{
    struct world_config config = WORLD_DEFAULT;
    config.mbufs = 127;
    config.tcp.mbufs_low = 8;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 16000), 16000);
    struct rte_mbuf *held[128];
    unsigned n = 0;
    while (n < 128 && (held[n] = rte_pktmbuf_alloc(w->pool)) != NULL)
        n++;
    w->core.now_us += 1000;
    run(w);
    EXPECT_NONE(w);
    CHECK(stat(w, STAT_tcp_tx_no_mbuf) > 0);
    for (unsigned i = 0; i < n; i++)
        rte_pktmbuf_free(held[i]);
    w->core.now_us += 1000;
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 1448);
    drop_all(w);
    world_finish(w, s);
}

TEST(zero_copy_and_copy_send_the_same_bytes)
{
    for (unsigned chained = 0; chained < 2; chained++) {
        struct world_config config = WORLD_DEFAULT;
        config.is_zero_copy = chained;
        struct world *w = world_new(&config);
        struct stream *s = world_accept(w);
        CHECK_EQ(write_pattern(s, 1, 14000), 14000);
        run(w);
        uint32_t at = 1;
        struct seg g;
        while (take(w, &g)) {
            CHECK_EQ(g.seq, at);
            at += g.len;
        }
        CHECK_EQ(at, 14001);
        CHECK((stat(w, STAT_tcp_tx_zero_copy) > 0) == (chained == 1));
        world_finish(w, s);
    }
}

/* With a path of 9,000 bytes; `mbufs_max` of a segment. Returns the length of the first. */
static uint32_t first_of_jumbo_path(uint16_t mbufs_max, bool is_copied)
{
    struct world_config config = WORLD_DEFAULT;
    struct seg g;
    uint32_t at = 1, first = 0, written = 0;
    config.is_zero_copy = mbufs_max != 0;
    config.tx_mbufs_max = mbufs_max;
    config.peer_mss = 8960;
    struct world *w = world_new(&config);
    w->mtu = 9000;
    struct stream *s = world_accept(w);
    while (w->core.now_us < config.now_us + 5000000 && at < 120001) {
        written += (uint32_t)write_pattern(s, 1 + written, 120000 - written);
        pass(w, 10000);
        while (take(w, &g)) {
            CHECK_EQ(g.seq, at);
            at += g.len;
            first = first == 0 ? g.len : first;
        }
        peer(w, SEG(.flags = A, .seq = 1, .ack = at));
        run(w);
    }
    CHECK_EQ(at, 120001);
    CHECK_EQ(stat(w, STAT_tcp_tx_copied_bytes) > TCP_COPY_BYTES_MAX, is_copied);
    world_finish(w, s);
    return first;
}

TEST(segments_are_as_long_as_the_path_takes_where_every_port_sends_chains)
{
    CHECK_EQ(first_of_jumbo_path(PORT_TX_MBUFS_MAX, false), 9000 - 52);
    CHECK_EQ(first_of_jumbo_path(TCP_JUMBO_MBUFS, true), 9000 - 52); /* some lie in one too many */
    CHECK_EQ(first_of_jumbo_path(TCP_JUMBO_MBUFS - 1, false), TCP_PACKET_BYTES_MAX - 52);
    CHECK_EQ(first_of_jumbo_path(0, true), TCP_PACKET_BYTES_MAX - 52);
}

TEST(a_long_segment_that_no_mbuf_is_left_for_goes_later)
{
    struct world_config config = WORLD_DEFAULT;
    config.is_zero_copy = true;
    config.tx_mbufs_max = TCP_JUMBO_MBUFS;
    config.peer_mss = 8960;
    config.mbufs = 127;
    config.tcp.mbufs_low = 8;
    struct world *w = world_new(&config);
    w->mtu = 9000;
    struct stream *s = world_accept(w);
    uint32_t written = (uint32_t)write_pattern(s, 1, 30000);
    REQUIRE(written > 8948);
    for (unsigned left = 0; left < 6; left++) { /* enough for a header, and some of the payload */
        struct rte_mbuf *held[128];
        unsigned n = 0;
        while (n < 128 && rte_mempool_avail_count(w->pool) > left &&
               (held[n] = rte_pktmbuf_alloc(w->pool)) != NULL)
            n++;
        w->core.now_us += 1000;
        run(w);
        rte_pktmbuf_free_bulk(held, n);
        drop_all(w);
    }
    CHECK(stat(w, STAT_tcp_tx_no_mbuf) > 0);
    w->core.now_us += 1000;
    run(w);
    drop_all(w);
    CHECK(seq_diff(conn(s)->snd_nxt, conn(s)->snd_una) > 8948);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + written));
    run(w);
    world_finish(w, s);
}

/* The peer acknowledges up to what it had SACKED, shuts its window, and has thrown away the rest:
 * the question that a timeout asks must carry the bytes that are missing (RFC 2018, section 8). */
TEST(a_shut_window_over_what_was_sacked_and_thrown_away_is_asked_for_it)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept_with_flight(w, 3000);
    uint32_t mss = conn(s)->mss;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{1 + mss, 3001}}));
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + mss, .has_window = true));
    run(w);
    drop_all(w);
    for (unsigned i = 0; i < 2; i++) {
        while (w->n_out == 0 && w->core.now_us < WORLD_DEFAULT.now_us + 5000000)
            pass(w, 10000);
        EXPECT(w, .flags = A, .seq = 1 + mss, .ack = 1, .len = mss);
    }
    CHECK_EQ(stat(w, STAT_tcp_window_probes), 2);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 3001));
    run(w);
    CHECK_EQ(conn(s)->sndq.bytes, 0);
    world_finish(w, s);
}

UNIT_MAIN("tcp/loss", T(a_lost_segment_is_sent_again_with_backoff),
          T(a_peer_that_never_answers_is_given_up), T(three_sacked_segments_start_fast_recovery),
          T(recovery_lowers_the_window_once_for_many_losses),
          T(without_sack_the_third_duplicate_ack_resends_the_first_segment),
          T(a_lost_tail_is_probed_before_the_timeout), T(a_probe_is_new_data_when_there_is_some),
          T(after_a_timeout_sacked_segments_are_not_sent_again),
          T(an_ack_that_cuts_a_segment_is_understood),
          T(everything_works_across_the_wrap_of_both_numbers),
          T(a_narrower_path_cuts_what_is_in_flight_anew),
          T(a_full_pool_puts_sending_off_and_goes_on_later),
          T(zero_copy_and_copy_send_the_same_bytes),
          T(segments_are_as_long_as_the_path_takes_where_every_port_sends_chains),
          T(a_long_segment_that_no_mbuf_is_left_for_goes_later),
          T(a_shut_window_over_what_was_sacked_and_thrown_away_is_asked_for_it))
