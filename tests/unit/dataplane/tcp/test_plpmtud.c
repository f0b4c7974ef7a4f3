/* SPDX-License-Identifier: Apache-2.0 */
/* The size of packets: what routers tell, what timeouts suggest, what probes find out. */
#include "harness.h"
#include "net/net.h"
#include "unit.h"

#include <rte_mbuf.h>

static const uint32_t full_4 = 1500 - 40 - 12;
static const uint32_t full_6 = 1500 - 60 - 12;

static void finish(struct world *w, struct stream *s)
{
    stream_abort(s);
    stream_release(s);
    run(w);
    drop_all(w);
    world_free(w);
}

static struct world *world_of(bool is_v6)
{
    struct world_config config = WORLD_DEFAULT;
    config.is_v6 = is_v6;
    config.peer_mss = is_v6 ? 1440 : 1460;
    config.peer_wscale = 4;
    config.tcp.tx_buffer_bytes = 400000;
    return world_new(&config);
}

/* How long the next segment is; 0: none. *ret_seq: where it begins. */
static uint32_t next_len(struct world *w, uint32_t *ret_seq)
{
    struct seg s = {0};
    if (!take(w, &s))
        return 0;
    *ret_seq = s.seq;
    return s.len;
}

/* The peer has everything. */
static void ack_all(struct world *w, struct stream *s)
{
    drop_all(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = conn(s)->snd_nxt.v - w->our_iss));
    run(w);
}

/* An ICMP error about the byte at `seq`. */
static void too_big(struct world *w, uint32_t seq, uint16_t mtu)
{
    struct net_icmp_error e = {.kind = NET_ICMP_TOO_BIG,
                               .mtu = mtu,
                               .local = w->local,
                               .remote = w->remote,
                               .local_port = w->local_port,
                               .remote_port = w->remote_port,
                               .seq = w->our_iss + seq};
    tcp_on_icmp_error(w->tcp, &e);
    run(w);
}

TEST(a_search_asks_for_the_largest_first_and_then_for_halves)
{
    CHECK_EQ(tcp_plpmtud_next(1280, 1501, 1500), 1500);
    CHECK_EQ(tcp_plpmtud_next(1280, 1500, 1500), 1390);
    CHECK_EQ(tcp_plpmtud_next(1390, 1500, 1500), 1445);
    CHECK_EQ(tcp_plpmtud_next(1484, 1500, 1500), 0);
    CHECK_EQ(tcp_plpmtud_next(1500, 1501, 1500), 0);
    CHECK_EQ(tcp_plpmtud_next(1280, 1501, 576), 0);   /* the peer takes no more anyway */
    for (uint16_t path = 1280; path < 1500; path++) { /* whatever the path takes is found */
        uint16_t low = 1280;
        uint16_t high = 1501;
        unsigned probes = 0;
        for (uint16_t size; (size = tcp_plpmtud_next(low, high, 1500)) != 0; probes++) {
            CHECK(size > low && size < high);
            *(size <= path ? &low : &high) = size;
        }
        CHECK(low <= path && low + TCP_PMTU_CLOSE_BYTES >= path);
        CHECK(probes <= 6);
    }
}

/* Establishes and loses two full segments in a row; the black hole is found. */
static struct stream *fall(struct world *w, uint32_t full, uint32_t base)
{
    uint32_t seq = 0;
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 100000), 100000);
    run(w);
    CHECK_EQ(next_len(w, &seq), full);
    drop_all(w);
    for (unsigned i = 0; i < 40 && stat(w, STAT_tcp_rto) < 1; i++)
        pass(w, 20000);
    CHECK_EQ(conn(s)->mss, full); /* one timeout is no sign */
    drop_all(w);
    for (unsigned i = 0; i < 80 && stat(w, STAT_tcp_rto) < 2; i++)
        pass(w, 20000);
    CHECK_EQ(stat(w, STAT_tcp_pmtu_black_holes), 1);
    CHECK_EQ(next_len(w, &seq), base);
    CHECK_EQ(seq, 1);
    return s;
}

TEST(two_timeouts_of_a_large_segment_bring_the_path_down_to_what_all_paths_take)
{
    struct world *w = world_of(false);
    struct stream *s = fall(w, full_4, 1280 - 52);
    CHECK_EQ(conn(s)->path_mtu, 1280);
    drop_all(w);
    for (unsigned i = 0; i < 400 && stat(w, STAT_tcp_rto) < 4; i++)
        pass(w, 20000);
    CHECK_EQ(conn(s)->path_mtu, TCP_PMTU_MIN_4);
    CHECK_EQ(stat(w, STAT_tcp_pmtu_black_holes), 2);
    drop_all(w);
    pass(w, 20000000);
    CHECK_EQ(conn(s)->path_mtu, TCP_PMTU_MIN_4);
    CHECK_EQ(stat(w, STAT_tcp_pmtu_black_holes), 2);
    finish(w, s);
    w = world_of(true);
    s = fall(w, full_6, 1280 - 72);
    drop_all(w);
    pass(w, 20000000);
    CHECK_EQ(conn(s)->path_mtu, 1280); /* every IPv6 link takes that */
    finish(w, s);
}

TEST(small_segments_that_are_lost_say_nothing_of_the_size)
{
    struct world *w = world_of(false);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 1000), 1000);
    run(w);
    pass(w, 20000000);
    drop_all(w);
    CHECK(stat(w, STAT_tcp_rto) >= 4);
    CHECK_EQ(stat(w, STAT_tcp_pmtu_black_holes), 0);
    CHECK_EQ(conn(s)->path_mtu, 1500);
    finish(w, s);
}

TEST(a_peer_of_a_small_mss_has_no_black_hole)
{
    struct world_config config = WORLD_DEFAULT;
    config.peer_mss = 1000;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 5000), 5000);
    run(w);
    pass(w, 2000000);
    drop_all(w);
    CHECK(stat(w, STAT_tcp_rto) >= 2);
    CHECK_EQ(conn(s)->path_mtu, 1500);
    finish(w, s);
}

/* Brings the connection to where a probe is due, and gives its first byte. */
static uint32_t reach_probe(struct world *w, struct stream *s, uint32_t bytes)
{
    uint64_t probes = stat(w, STAT_tcp_pmtu_probes);
    uint32_t written = conn(s)->snd_end.v - w->our_iss;
    for (unsigned i = 0; i < 500 && stat(w, STAT_tcp_pmtu_probes) == probes; i++) {
        ack_all(w, s);
        pass(w, 20000);
        if (stat(w, STAT_tcp_pmtu_probes) == probes && conn(s)->sndq.bytes < 100000)
            written += (uint32_t)write_pattern(s, written, 100000);
        run(w);
    }
    REQUIRE(stat(w, STAT_tcp_pmtu_probes) == probes + 1);
    for (uint32_t seq = 0, len; (len = next_len(w, &seq)) != 0;) {
        if (len == bytes)
            return seq;
    }
    REQUIRE(!"the probe has this size");
    return 0;
}

TEST(the_first_probe_is_as_large_as_can_be_and_brings_all_back_at_once)
{
    struct world *w = world_of(true);
    struct stream *s = fall(w, full_6, 1280 - 72);
    uint64_t fell_us = w->core.now_us;
    uint32_t seq = reach_probe(w, s, full_6);
    CHECK(w->core.now_us - fell_us >= TCP_PMTU_SEARCH_MS * 1000);
    CHECK_EQ(conn(s)->mss, 1280 - 72);
    peer(w, SEG(.flags = A, .seq = 1, .ack = seq)); /* not yet there */
    CHECK_EQ(conn(s)->path_mtu, 1280);
    uint32_t cwnd = conn(s)->tx->cc.cwnd_bytes;
    peer(w, SEG(.flags = A, .seq = 1, .ack = seq + full_6));
    CHECK_EQ(conn(s)->path_mtu, 1500);
    CHECK_EQ(conn(s)->mss, full_6);
    CHECK(conn(s)->tx->cc.cwnd_bytes <= cwnd + 2 * full_6); /* RFC 4821, 7.4: bytes as before */
    CHECK_EQ(stat(w, STAT_tcp_pmtu_raised), 1);
    uint64_t probes = stat(w, STAT_tcp_pmtu_probes);
    pass(w, 3000000);
    ack_all(w, s);
    CHECK_EQ(stat(w, STAT_tcp_pmtu_probes), probes);
    finish(w, s);
}

/* The peer has what came before the probe and three segments behind it. */
static void lose_probe(struct world *w, uint32_t seq, uint32_t len, uint32_t mss)
{
    drop_all(w);
    w->core.now_us += 20000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = seq));
    peer(w, SEG(.flags = A, .seq = 1, .ack = seq, .n_sack = 1,
                .sack = {{seq + len, seq + len + 3 * mss}}));
    w->core.now_us += 20000; /* RACK's reordering window ends */
    run(w);
}

TEST(the_loss_of_a_probe_alone_slows_nothing_down_and_its_bytes_go_again)
{
    struct world *w = world_of(false);
    struct stream *s = fall(w, full_4, 1280 - 52);
    uint32_t mss = 1280 - 52;
    uint64_t recoveries = stat(w, STAT_tcp_recoveries);
    for (unsigned i = 1; i <= TCP_PMTU_TRIES_MAX; i++) {
        uint32_t seq = reach_probe(w, s, full_4);
        uint32_t ssthresh = conn(s)->tx->cc.ssthresh_bytes;
        uint32_t cwnd = conn(s)->tx->cc.cwnd_bytes;
        lose_probe(w, seq, full_4, mss);
        struct seg got = {0};
        REQUIRE(take(w, &got));
        CHECK_EQ(got.seq, seq);
        CHECK_EQ(got.len, mss);
        REQUIRE(take(w, &got));
        CHECK_EQ(got.seq, seq + mss);
        CHECK_EQ(got.len, full_4 - mss);
        CHECK(conn(s)->tx->cc.cwnd_bytes >= cwnd);
        CHECK_EQ(conn(s)->tx->cc.ssthresh_bytes, ssthresh);
        CHECK_EQ(conn(s)->flags & (TCP_F_RECOVERY | TCP_F_LOSS), 0);
        CHECK_EQ(stat(w, STAT_tcp_pmtu_probes_lost), i);
    }
    CHECK_EQ(stat(w, STAT_tcp_recoveries), recoveries);
    CHECK_EQ(conn(s)->path_mtu, 1280);
    reach_probe(w, s, 1390 - 52); /* three of a size were enough */
    finish(w, s);
}

TEST(a_probe_that_is_lost_with_others_is_congestion)
{
    struct world *w = world_of(false);
    struct stream *s = fall(w, full_4, 1280 - 52);
    uint32_t mss = 1280 - 52;
    uint32_t seq = reach_probe(w, s, full_4);
    uint64_t recoveries = stat(w, STAT_tcp_recoveries);
    lose_probe(w, seq, full_4 + mss, mss); /* and the one behind it */
    CHECK_EQ(stat(w, STAT_tcp_recoveries), recoveries + 1);
    CHECK_EQ(stat(w, STAT_tcp_pmtu_probes_lost), 1);
    finish(w, s);
}

TEST(what_a_router_told_is_believed_for_ten_minutes)
{
    struct world *w = world_of(false);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 20000), 20000);
    run(w);
    drop_all(w);
    uint32_t cwnd = conn(s)->tx->cc.cwnd_bytes;
    too_big(w, 1, 1400);
    CHECK_EQ(conn(s)->path_mtu, 1400);
    /* As many packets as before, not as many bytes (RFC 5681, 3.1). */
    CHECK_EQ(conn(s)->tx->cc.cwnd_bytes, (uint64_t)cwnd * (1400 - 52) / full_4);
    ack_all(w, s);
    ack_all(w, s);
    uint64_t told_us = w->core.now_us;
    while (w->core.now_us - told_us < (TCP_PMTU_RAISE_MS - 6000) * 1000ull) {
        w->core.now_us += 5000000;
        CHECK_EQ(write_pattern(s, conn(s)->snd_end.v - w->our_iss, 10000), 10000);
        run(w);
        ack_all(w, s);
        ack_all(w, s);
    }
    CHECK_EQ(stat(w, STAT_tcp_pmtu_probes), 0);
    uint32_t seq = reach_probe(w, s, full_4);
    CHECK(w->core.now_us - told_us >= TCP_PMTU_RAISE_MS * 1000ull);
    too_big(w, seq, 1450); /* wider than it was, not as wide as it could be */
    CHECK_EQ(stat(w, STAT_tcp_icmp_probe), 1);
    CHECK_EQ(conn(s)->path_mtu, 1400);
    CHECK_EQ(conn(s)->flags & (TCP_F_RECOVERY | TCP_F_LOSS), 0);
    reach_probe(w, s, 1425 - 52);
    finish(w, s);
}

TEST(a_router_cannot_push_the_path_below_what_every_link_takes)
{
    struct world *w = world_of(true);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 3000), 3000);
    run(w);
    too_big(w, 1, 1279);
    too_big(w, 1, 68);
    CHECK_EQ(conn(s)->path_mtu, 1500); /* RFC 8201, 4: discarded */
    CHECK_EQ(stat(w, STAT_tcp_icmp_ignored), 2);
    too_big(w, 1, 1280);
    CHECK_EQ(conn(s)->path_mtu, 1280);
    finish(w, s);
    w = world_of(false);
    s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 3000), 3000);
    run(w);
    too_big(w, 1, 68);
    CHECK_EQ(conn(s)->path_mtu, TCP_PMTU_MIN_4);
    finish(w, s);
}

TEST(what_a_router_told_is_remembered_if_it_was_believed)
{
    struct world *w = world_of(false);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 20000), 20000);
    run(w);
    too_big(w, 100000, 1400); /* nothing of that is in flight */
    too_big(w, 1, 1500);      /* no news */
    CHECK_EQ(w->learned.mtu, 0);
    too_big(w, 1, 1400);
    CHECK_EQ(w->learned.mtu, 1400);
    CHECK(w->learned.is_told);
    too_big(w, 1, 68);
    CHECK_EQ(w->learned.mtu, TCP_PMTU_MIN_4); /* and net keeps no less than 1,280 */
    finish(w, s);
}

TEST(what_timeouts_suggest_is_remembered_when_it_has_arrived)
{
    struct world *w = world_of(false);
    struct stream *s = fall(w, full_4, 1280 - 52);
    CHECK_EQ(w->learned.mtu, 0);
    drop_all(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + 1280 - 52));
    CHECK_EQ(w->learned.mtu, 1280);
    CHECK(!w->learned.is_told);
    w->learned.mtu = 0;
    uint32_t seq = reach_probe(w, s, full_4);
    CHECK_EQ(w->learned.mtu, 0); /* once */
    CHECK_EQ(w->passed, 0);
    peer(w, SEG(.flags = A, .seq = 1, .ack = seq + full_4));
    CHECK_EQ(w->passed, 1500); /* it was something else */
    finish(w, s);
}

TEST(a_guess_is_not_remembered_over_what_a_router_told_since)
{
    struct world *w = world_of(false);
    struct stream *s = fall(w, full_4, 1280 - 52);
    too_big(w, 1, 1000);
    CHECK_EQ(w->learned.mtu, 1000);
    ack_all(w, s);
    CHECK_EQ(w->learned.mtu, 1000);
    CHECK(w->learned.is_told);
    finish(w, s);
}

TEST(what_a_router_tells_of_a_probe_is_remembered)
{
    struct world *w = world_of(false);
    struct stream *s = fall(w, full_4, 1280 - 52);
    uint32_t seq = reach_probe(w, s, full_4);
    too_big(w, seq, 1450);
    CHECK_EQ(w->learned.mtu, 1450);
    CHECK(w->learned.is_told);
    finish(w, s);
}

/* A connection whose path is known before it begins. */
static struct stream *accept_known(struct world *w, uint16_t mtu, bool is_told, uint32_t left_ms)
{
    w->known = (struct net_path_mtu){mtu, is_told, left_ms};
    peer(w, SEG(.flags = S));
    run(w);
    struct seg got = {0};
    REQUIRE(take(w, &got));
    CHECK_EQ(got.options.mss, 1460); /* of our link (RFC 1191, 3.1) */
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    REQUIRE(w->accepted != NULL);
    return w->accepted;
}

TEST(a_connection_begins_with_what_is_remembered_of_its_path)
{
    struct world *w = world_of(false);
    struct stream *s = accept_known(w, 1400, true, 5000);
    CHECK_EQ(conn(s)->path_mtu, 1400);
    CHECK_EQ(conn(s)->mss, 1400 - 52);
    uint64_t began_us = w->core.now_us;
    reach_probe(w, s, full_4); /* not before a router's word is too old */
    CHECK(w->core.now_us - began_us >= 5000000);
    finish(w, s);
    w = world_of(false);
    s = accept_known(w, 1280, false, 500000);
    began_us = w->core.now_us;
    reach_probe(w, s, full_4); /* what was only found out is doubted sooner */
    CHECK(w->core.now_us - began_us < 3000000);
    finish(w, s);
}

TEST(a_memory_of_more_than_the_interface_takes_says_nothing)
{
    struct world *w = world_of(false);
    struct stream *s = accept_known(w, 1500, true, 30000);
    CHECK_EQ(conn(s)->path_mtu, 1500);
    CHECK_EQ(conn(s)->flags & TCP_F_MTU_SEARCH, 0);
    finish(w, s);
}

UNIT_MAIN("tcp/plpmtud", T(what_a_router_told_is_remembered_if_it_was_believed),
          T(what_timeouts_suggest_is_remembered_when_it_has_arrived),
          T(a_guess_is_not_remembered_over_what_a_router_told_since),
          T(what_a_router_tells_of_a_probe_is_remembered),
          T(a_connection_begins_with_what_is_remembered_of_its_path),
          T(a_memory_of_more_than_the_interface_takes_says_nothing),
          T(a_search_asks_for_the_largest_first_and_then_for_halves),
          T(two_timeouts_of_a_large_segment_bring_the_path_down_to_what_all_paths_take),
          T(small_segments_that_are_lost_say_nothing_of_the_size),
          T(a_peer_of_a_small_mss_has_no_black_hole),
          T(the_first_probe_is_as_large_as_can_be_and_brings_all_back_at_once),
          T(the_loss_of_a_probe_alone_slows_nothing_down_and_its_bytes_go_again),
          T(a_probe_that_is_lost_with_others_is_congestion),
          T(what_a_router_told_is_believed_for_ten_minutes),
          T(a_router_cannot_push_the_path_below_what_every_link_takes))
