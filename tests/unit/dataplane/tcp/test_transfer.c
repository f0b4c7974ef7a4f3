/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes both ways: writing, reading, windows, loss. */
#include "harness.h"
#include "unit.h"

TEST(a_passive_open_is_accepted_and_closed_by_the_peer)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A | P, .seq = 1, .ack = 1, .len = 100));
    run(w);
    CHECK_EQ(events(w), STREAM_READABLE);
    CHECK_EQ(read_pattern(s, 1), 100);
    CHECK_EQ(write_pattern(s, 1, 500), 500);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 101, .len = 500);
    peer(w, SEG(.flags = A | F, .seq = 101, .ack = 501));
    run(w);
    EXPECT(w, .flags = A, .seq = 501, .ack = 102);
    CHECK_EQ(events(w), STREAM_READABLE);
    CHECK(stream_is_eof(s));
    stream_release(s);
    run(w);
    EXPECT(w, .flags = F | A, .seq = 501, .ack = 102);
    peer(w, SEG(.flags = A, .seq = 102, .ack = 502));
    run(w);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    CHECK_EQ(stat(w, STAT_tcp_end_orderly), 1);
    world_free(w);
}

TEST(an_active_open_sends_and_closes_first)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_connect(w);
    CHECK_EQ(write_pattern(s, 1, 3000), 3000);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 1448);
    EXPECT(w, .flags = A, .seq = 1449, .ack = 1, .len = 1448);
    EXPECT(w, .flags = A, .seq = 2897, .ack = 1, .len = 104);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 3001));
    stream_shutdown(s);
    run(w);
    EXPECT(w, .flags = F | A, .seq = 3001, .ack = 1);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 3002));
    peer(w, SEG(.flags = A, .seq = 1, .ack = 3002, .len = 10));
    run(w);
    CHECK_EQ(read_pattern(s, 1), 10);
    peer(w, SEG(.flags = F | A, .seq = 11, .ack = 3002));
    EXPECT(w, .flags = A, .seq = 3002, .ack = 12);
    run(w);
    CHECK_EQ(events(w) & STREAM_CLOSED, STREAM_CLOSED);
    CHECK_EQ(stream_end(s), STREAM_END_ORDERLY);
    CHECK_EQ(tcp_timewait_count(w->tcp), 1);
    stream_release(s);
    run(w);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    pass(w, 31000000);
    CHECK_EQ(tcp_timewait_count(w->tcp), 0);
    world_free(w);
}

TEST(full_segments_leave_sack_to_an_acknowledgement_of_its_own)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 2000), 2000);
    peer(w, SEG(.flags = A, .seq = 101, .ack = 1, .len = 100)); /* 1..100 is missing */
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{101, 201}});
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 1448);
    EXPECT(w, .flags = A, .seq = 1449, .ack = 1, .len = 552, .n_sack = 1, .sack = {{101, 201}});
    EXPECT_NONE(w);
    CHECK_EQ(write_pattern(s, 2001, 1448), 1448);
    peer(w, SEG(.flags = A, .seq = 301, .ack = 1, .len = 100));
    run(w);
    EXPECT(w, .flags = A, .seq = 2001, .ack = 1, .n_sack = 2, .sack = {{301, 401}, {101, 201}});
    EXPECT(w, .flags = A, .seq = 2001, .ack = 1, .len = 1448);
    stream_abort(s);
    stream_release(s);
    run(w);
    drop_all(w);
    world_free(w);
}

TEST(a_syn_that_comes_again_in_the_round_of_its_ack_is_harmless)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    peer(w, SEG(.flags = S, .seq = 0));
    run(w);
    EXPECT(w, .flags = S | A, .seq = 0, .ack = 1);
    peer(w, SEG(.flags = S, .seq = 0));
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    CHECK(w->accepted != NULL);
    CHECK(conn(w->accepted)->state == TCP_ESTABLISHED);
    stream_release(w->accepted);
    run(w);
    drop_all(w);
    peer(w, SEG(.flags = R, .seq = 1));
    run(w);
    world_free(w);
}

TEST(what_goes_out_beside_a_window_probe_lies_in_the_peers_window)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 50));
    peer(w, SEG(.flags = A, .seq = 51, .ack = 1, .len = 50, .has_window = true, .window = 0));
    CHECK_EQ(write_pattern(s, 1, 500), 500);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 101);
    pass(w, 3000000);
    CHECK(stat(w, STAT_tcp_window_probes) > 0);
    drop_all(w);
    peer(w, SEG(.flags = A, .seq = 101, .ack = 1, .len = 100, .has_window = true, .window = 0));
    pass(w, 100000);
    EXPECT(w, .flags = A, .seq = 1, .ack = 201);
    drop_all(w);
    CHECK_EQ(read_pattern(s, 1), 200);
    stream_abort(s);
    stream_release(s);
    EXPECT(w, .flags = R | A, .seq = 1, .ack = 201);
    run(w);
    world_free(w);
}

TEST(a_fin_that_overtakes_its_data_is_kept_in_mind)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A | F, .seq = 301, .ack = 1));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    peer(w, SEG(.flags = A, .seq = 101, .ack = 1, .len = 200));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{101, 301}});
    CHECK(!stream_is_eof(s));
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 100));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 302);
    CHECK_EQ(read_pattern(s, 1), 300);
    CHECK(stream_is_eof(s));
    stream_release(s);
    run(w);
    EXPECT(w, .flags = A | F, .seq = 1, .ack = 302);
    peer(w, SEG(.flags = A, .seq = 302, .ack = 2));
    run(w);
    world_free(w);
}

UNIT_MAIN("tcp/transfer", T(a_passive_open_is_accepted_and_closed_by_the_peer),
          T(an_active_open_sends_and_closes_first),
          T(full_segments_leave_sack_to_an_acknowledgement_of_its_own),
          T(a_syn_that_comes_again_in_the_round_of_its_ack_is_harmless),
          T(what_goes_out_beside_a_window_probe_lies_in_the_peers_window),
          T(a_fin_that_overtakes_its_data_is_kept_in_mind))
