/* SPDX-License-Identifier: Apache-2.0 */
/* The receiving side: order, windows, memory, and what strangers send. */
#include "harness.h"
#include "unit.h"

#include <rte_mbuf.h>

/* A data segment of the peer. */
static void data(struct world *w, uint32_t seq, uint32_t len)
{
    peer(w, SEG(.flags = A, .seq = seq, .ack = 1, .len = len));
}

TEST(one_segment_waits_for_the_timer_and_the_second_does_not)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    data(w, 1, 1000);
    run(w);
    EXPECT_NONE(w);
    pass(w, 41000);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1001);
    data(w, 1001, 1000);
    data(w, 2001, 1000);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 3001);
    EXPECT_NONE(w);
    world_finish(w, s);
}

TEST(full_segments_are_acknowledged_each_while_the_senders_window_is_small)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.quick_acks = 2;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    data(w, 1, 1448);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1449);
    data(w, 1449, 1000); /* not a full one: it may be answered by a response */
    run(w);
    EXPECT_NONE(w);
    pass(w, 41000);
    EXPECT(w, .flags = A, .seq = 1, .ack = 2449);
    data(w, 2449, 1448);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 3897);
    data(w, 3897, 1448); /* that was enough */
    run(w);
    EXPECT_NONE(w);
    data(w, 3897 + 2 * 1448, 1448); /* a gap: it begins anew */
    run(w);
    drop_all(w);
    CHECK_EQ(conn(s)->quick_acks, 2);
    world_finish(w, s);
}

TEST(a_gap_is_told_and_closed)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    data(w, 1001, 1000);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{1001, 2001}});
    data(w, 3001, 1000);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .n_sack = 2, .sack = {{3001, 4001}, {1001, 2001}});
    run(w);
    CHECK_EQ(stream_readable(s), 0);
    data(w, 1, 1000);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 2001, .n_sack = 1, .sack = {{3001, 4001}});
    data(w, 2001, 1000);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 4001);
    CHECK_EQ(read_pattern(s, 1), 4000);
    world_finish(w, s);
}

TEST(overlaps_of_every_kind_leave_the_stream_as_it_was_sent)
{
    {
        for (unsigned round = 0; round < 300; round++) {
            struct world_config config = WORLD_DEFAULT;
            config.peer_iss = round % 2 ? 0xfffffff0u : 1000;
            struct world *w = world_new(&config);
            struct stream *s = world_accept(w);
            uint32_t state = round * 2654435761u + 1;
            for (unsigned i = 0; i < 30; i++) {
                state = state * 1664525 + 1013904223;
                uint32_t from = 1 + (state >> 8) % 2000;
                state = state * 1664525 + 1013904223;
                data(w, from, 1 + (state >> 8) % 700);
                run(w);
                drop_all(w);
            }
            for (uint32_t from = 1; from < 3001; from += 500)
                data(w, from, 500);
            run(w);
            CHECK_EQ(read_pattern(s, 1), 3000);
            CHECK_EQ(conn(s)->oooq.mbufs, 0);
            drop_all(w);
            world_finish(w, s);
        }
    }
}

TEST(what_came_before_is_told_as_duplicate)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    data(w, 1, 1000);
    data(w, 1001, 1000);
    run(w);
    drop_all(w);
    data(w, 1, 1000);
    EXPECT(w, .flags = A, .seq = 1, .ack = 2001, .n_sack = 1, .sack = {{1, 1001}});
    data(w, 1501, 1000);
    EXPECT(w, .flags = A, .seq = 1, .ack = 2501, .n_sack = 1, .sack = {{1501, 2001}});
    run(w);
    CHECK_EQ(read_pattern(s, 1), 2500);
    CHECK_EQ(stat(w, STAT_tcp_rx_duplicate_bytes), 1500);
    world_finish(w, s);
}

TEST(the_window_shrinks_with_what_is_unread_and_opens_when_it_is_read)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    uint32_t at = 1;
    struct seg g = {0};
    for (unsigned i = 0; i < 100; i++) {
        uint32_t room = (uint32_t)seq_diff(conn(s)->rcv_adv, conn(s)->rcv_nxt);
        if (room == 0)
            break;
        uint32_t n = room < 1448 ? room : 1448;
        data(w, at, n);
        at += n;
        run(w);
        while (take(w, &g))
            CHECK(g.ack + (g.window << 1) >= at);
    }
    CHECK(at > 60000 && at <= 65537 + 2);
    data(w, at, 100); /* beyond: thrown away, and answered */
    run(w);
    CHECK_EQ(stream_readable(s), at - 1);
    EXPECT(w, .flags = A, .seq = 1, .ack = at, .has_window = true, .window = 0);
    CHECK_EQ(read_pattern(s, 1), at - 1);
    run(w);
    REQUIRE(take(w, &g)); /* at once, without being asked */
    CHECK(g.window > 30000);
    world_finish(w, s);
}

TEST(tiny_segments_share_mbufs)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    for (uint32_t i = 0; i < 3000; i++) {
        data(w, 1 + i, 1);
        if (i % 50 == 0)
            run(w);
        drop_all(w);
    }
    run(w);
    drop_all(w);
    CHECK_EQ(stream_readable(s), 3000);
    CHECK(conn(s)->rcvq.mbufs <= 4);
    CHECK_EQ(read_pattern(s, 1), 3000);
    world_finish(w, s);
}

TEST(tiny_segments_out_of_order_cannot_eat_the_pool)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    for (uint32_t i = 0; i < 20000; i++) {
        data(w, 3 + i * 3, 1); /* none beside another */
        drop_all(w);
    }
    run(w);
    drop_all(w);
    CHECK(conn(s)->oooq.mbufs <= 130);
    CHECK(stat(w, STAT_tcp_rx_no_room) > 10000);
    for (uint32_t i = 0; i < 1000; i += 100)
        data(w, 1 + i, 100); /* in order is still taken */
    run(w);
    CHECK_EQ(stream_readable(s) >= 1000, 1);
    drop_all(w);
    world_finish(w, s);
}

TEST(a_peer_may_leave_so_many_gaps_and_no_more)
{
    struct world_config config = WORLD_DEFAULT;
    config.mbufs = 8191;
    config.tcp.rx_window_bytes = 1u << 20;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    enum { GAPS = TCP_OOO_RANGES_MAX + 40 };
    data(w, 1, 10); /* tells the whole window */
    run(w);
    for (uint32_t i = GAPS; i > 0; i--) { /* the last one first: each search goes to the front */
        data(w, 1 + i * 100, 50);
        drop_all(w);
    }
    run(w);
    CHECK_EQ(conn(s)->ooo_ranges, TCP_OOO_RANGES_MAX);
    CHECK_EQ(stat(w, STAT_tcp_rx_ooo_ranges_limit), GAPS - TCP_OOO_RANGES_MAX);
    data(w, 51 + GAPS * 100, 50); /* behind a range it needs none of its own */
    CHECK_EQ(conn(s)->ooo_ranges, TCP_OOO_RANGES_MAX);
    for (uint32_t i = 0; i <= GAPS; i++) { /* what is missing comes, and what was dropped */
        data(w, 1 + i * 100, 100);
        run(w);
        drop_all(w);
    }
    CHECK_EQ(conn(s)->ooo_ranges, 0);
    CHECK_EQ(read_pattern(s, 1), (GAPS + 1) * 100);
    run(w);
    drop_all(w);
    world_finish(w, s);
}

TEST(short_memory_holds_the_window_where_it_is)
{
    struct world_config config = WORLD_DEFAULT;
    config.mbufs = 2047;
    config.tcp.mbufs_low = 100;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    struct rte_mbuf *held[1986];
    for (unsigned i = 0; i < 1986; i++)
        held[i] = rte_pktmbuf_alloc(w->pool);
    w->core.now_us += 1000;
    seq_t edge = conn(s)->rcv_adv;
    for (unsigned i = 0; i < 10; i++) {
        data(w, 1 + i * 1448, 1448);
        run(w);
        CHECK_EQ(read_pattern(s, 1 + i * 1448), 1448);
        drop_all(w);
        w->core.now_us += 1000;
    }
    CHECK(seq_diff(conn(s)->rcv_adv, edge) <= 1); /* told in units of two */
    CHECK(stat(w, STAT_tcp_window_short) > 0);
    CHECK_EQ(write_pattern(s, 1, 100), 100);
    for (unsigned i = 0; i < 1986; i++)
        rte_pktmbuf_free(held[i]);
    w->core.now_us += 1000;
    run(w);
    run(w);
    CHECK(seq_diff(conn(s)->rcv_adv, edge) > 1000); /* told without being asked */
    drop_all(w);
    world_finish(w, s);
}

TEST(a_closed_window_is_probed_and_its_opening_costs_no_recovery)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 1, .has_window = true, .window = 0));
    CHECK_EQ(write_pattern(s, 1, 3000), 3000);
    run(w);
    EXPECT_NONE(w);
    pass(w, 215000);
    EXPECT(w, .flags = A, .seq = 1, .ack = 2);
    EXPECT(w, .flags = A, .seq = 1, .ack = 2, .len = 1);
    peer(w, SEG(.flags = A, .seq = 2, .ack = 1, .has_window = true, .window = 0));
    pass(w, 450000);
    EXPECT(w, .flags = A, .seq = 1, .ack = 2, .len = 1);
    EXPECT_NONE(w);
    peer(w, SEG(.flags = A, .seq = 2, .ack = 1, .has_window = true, .window = 60000));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 2, .len = 1);
    EXPECT(w, .flags = A, .seq = 2, .ack = 2, .len = 1448);
    EXPECT(w, .flags = A, .seq = 1450, .ack = 2, .len = 1448);
    EXPECT(w, .flags = A, .seq = 2898, .ack = 2, .len = 103);
    CHECK_EQ(stat(w, STAT_tcp_recoveries), 0);
    CHECK_EQ(stat(w, STAT_tcp_rto), 0);
    world_finish(w, s);
}

TEST(a_closed_window_may_stay_so_for_long_while_the_peer_answers)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 1, .has_window = true, .window = 0));
    CHECK_EQ(write_pattern(s, 1, 3000), 3000);
    for (unsigned i = 0; i < 400; i++) {
        pass(w, 1000000);
        struct seg g;
        while (take(w, &g)) {
            if (g.len > 0)
                peer(w, SEG(.flags = A, .seq = 2, .ack = 1, .has_window = true, .window = 0));
        }
    }
    CHECK_EQ(stream_end(s), STREAM_END_OPEN);
    world_finish(w, s);
}

TEST(a_silly_window_is_not_used_until_it_is_overridden)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 1, .has_window = true, .window = 100));
    CHECK_EQ(write_pattern(s, 1, 3000), 3000);
    run(w);
    EXPECT_NONE(w);
    pass(w, 215000);
    EXPECT(w, .flags = A, .seq = 1, .ack = 2);
    EXPECT(w, .flags = A, .seq = 1, .ack = 2, .len = 100);
    world_finish(w, s);
}

TEST(a_full_send_queue_says_so_and_tells_when_there_is_room)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 100000), 65536);
    CHECK_EQ(stream_write_room(s), 0);
    run(w);
    drop_all(w);
    CHECK_EQ(events(w), 0);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1449));
    run(w);
    CHECK_EQ(events(w), 0); /* not for every few bytes */
    drop_all(w);
    for (uint32_t ack = 2897; ack < 40000; ack += 1448) {
        peer(w, SEG(.flags = A, .seq = 1, .ack = ack));
        run(w);
        drop_all(w);
    }
    run(w);
    CHECK_EQ(events(w), STREAM_WRITABLE);
    run(w);
    CHECK_EQ(events(w), 0);
    world_finish(w, s);
}

TEST(moving_passes_the_mbufs_on_and_opens_the_window)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *src = world_accept(w);
    for (unsigned i = 0; i < 10; i++)
        data(w, 1 + i * 1448, 1448);
    run(w);
    drop_all(w);
    w->remote_port++;
    w->knows_iss = false;
    w->accepted = NULL;
    struct stream *dst = world_accept(w);
    uint64_t free_before = rte_mempool_avail_count(w->pool);
    CHECK_EQ(stream_move(dst, src, 5000), 5000); /* three whole, a part copied */
    CHECK_EQ(stream_readable(src), 9480);
    CHECK_EQ(stream_move(dst, src, SIZE_MAX), 9480);
    CHECK(free_before - rte_mempool_avail_count(w->pool) <= 1);
    CHECK(stat(w, STAT_tcp_move_bytes) > 12000);
    CHECK_EQ(conn(dst)->sndq.bytes, 14480);
    tcp_output(conn(dst));
    list_remove(&conn(dst)->output);
    uint32_t at = 1;
    struct seg g;
    while (take(w, &g)) { /* the bytes are compared with the pattern there */
        CHECK_EQ(g.seq, at);
        at += g.len;
    }
    CHECK_EQ(at, 14481);
    stream_abort(dst);
    stream_release(dst);
    drop_all(w);
    w->remote_port--;
    world_finish(w, src);
}

TEST(a_reset_must_hit_the_next_number)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = R, .seq = 100));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1); /* the challenge */
    peer(w, SEG(.flags = R, .seq = 200));
    run(w);
    EXPECT_NONE(w); /* one in half a second */
    peer(w, SEG(.flags = R, .seq = 0x70000000));
    run(w);
    EXPECT_NONE(w);
    CHECK_EQ(stream_end(s), STREAM_END_OPEN);
    CHECK_EQ(stat(w, STAT_tcp_drop_rst_invalid), 2);
    CHECK_EQ(stat(w, STAT_tcp_tx_challenge_limited), 1);
    peer(w, SEG(.flags = R, .seq = 1));
    run(w);
    CHECK_EQ(events(w), STREAM_CLOSED);
    CHECK_EQ(stream_end(s), STREAM_END_RESET);
    world_finish(w, s);
}

TEST(a_syn_on_a_connection_is_challenged)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = S, .seq = 100));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    CHECK_EQ(stream_end(s), STREAM_END_OPEN);
    world_finish(w, s);
}

TEST(acks_of_what_was_never_sent_are_challenged_and_dropped)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1000, .len = 10));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    CHECK_EQ(stream_readable(s), 0);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 0x90000000, .len = 10));
    run(w);
    CHECK_EQ(stream_readable(s), 0);
    CHECK_EQ(stat(w, STAT_tcp_drop_ack_invalid), 2);
    world_finish(w, s);
}

TEST(old_timestamps_are_old_segments)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 10, .is_old = true));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    CHECK_EQ(stat(w, STAT_tcp_drop_paws), 1);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 10, .no_timestamps = true));
    run(w);
    CHECK_EQ(stat(w, STAT_tcp_drop_paws), 2);
    CHECK_EQ(stream_readable(s), 0);
    world_finish(w, s);
}

TEST(damaged_segments_are_dropped_and_counted)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
    memset(rte_pktmbuf_append(m, 10), 0, 10);
    tcp_input(w->tcp, m, &w->remote, &w->local, 0, 0);
    m = rte_pktmbuf_alloc(w->pool);
    memset(rte_pktmbuf_append(m, 20), 0x50, 20);
    tcp_input(w->tcp, m, &w->remote, &w->local, 0, 0);
    m = rte_pktmbuf_alloc(w->pool);
    memset(rte_pktmbuf_append(m, 20), 0xf0, 20);
    tcp_input(w->tcp, m, &w->remote, &w->local, 0, 0);
    CHECK_EQ(stat(w, STAT_tcp_drop_cksum), 1);
    CHECK_EQ(stat(w, STAT_tcp_drop_short), 2);
    EXPECT_NONE(w);
    world_free(w);
}

TEST(resets_to_strangers_have_a_rate)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    w->knows_iss = true;
    for (unsigned i = 0; i < 1500; i++) {
        peer(w, SEG(.flags = A, .seq = i, .ack = i));
        drop_all(w);
    }
    uint64_t sent = stat(w, STAT_tcp_tx_rst);
    CHECK(sent >= TCP_RST_PER_SECOND_MAX / 2 && sent < TCP_RST_PER_SECOND_MAX * 3 / 2);
    CHECK_EQ(stat(w, STAT_tcp_tx_rst_limited), 1500 - sent);
    w->core.now_us += 1000001;
    peer(w, SEG(.flags = A, .seq = 9, .ack = 9));
    EXPECT(w, .flags = R, .seq = 9);
    world_free(w);
}

TEST(the_dump_names_states_and_never_writes_beyond_its_end)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    char text[2048];
    size_t len = tcp_dump(w->tcp, text, sizeof(text));
    CHECK(len > 50 && strncmp(text, "ESTABLISHED 198.18.0.1 80 198.18.0.2 40000", 42) == 0);
    for (size_t n = 1; n < 100; n++) {
        memset(text, 'x', sizeof(text));
        CHECK(tcp_dump(w->tcp, text, n) < n);
        CHECK_EQ(text[n], 'x');
    }
    world_finish(w, s);
}

UNIT_MAIN("tcp/receive", T(one_segment_waits_for_the_timer_and_the_second_does_not),
          T(full_segments_are_acknowledged_each_while_the_senders_window_is_small),
          T(a_gap_is_told_and_closed), T(overlaps_of_every_kind_leave_the_stream_as_it_was_sent),
          T(what_came_before_is_told_as_duplicate),
          T(the_window_shrinks_with_what_is_unread_and_opens_when_it_is_read),
          T(tiny_segments_share_mbufs), T(tiny_segments_out_of_order_cannot_eat_the_pool),
          T(a_peer_may_leave_so_many_gaps_and_no_more),
          T(short_memory_holds_the_window_where_it_is),
          T(a_closed_window_is_probed_and_its_opening_costs_no_recovery),
          T(a_closed_window_may_stay_so_for_long_while_the_peer_answers),
          T(a_silly_window_is_not_used_until_it_is_overridden),
          T(a_full_send_queue_says_so_and_tells_when_there_is_room),
          T(moving_passes_the_mbufs_on_and_opens_the_window), T(a_reset_must_hit_the_next_number),
          T(a_syn_on_a_connection_is_challenged),
          T(acks_of_what_was_never_sent_are_challenged_and_dropped),
          T(old_timestamps_are_old_segments), T(damaged_segments_are_dropped_and_counted),
          T(resets_to_strangers_have_a_rate),
          T(the_dump_names_states_and_never_writes_beyond_its_end))
