/* SPDX-License-Identifier: Apache-2.0 */
/* Ends in every order, release, linger, TIME_WAIT. */
#include "harness.h"
#include "tcp/settings.h"
#include "unit.h"

TEST(both_close_at_once)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    stream_shutdown(s);
    run(w);
    EXPECT(w, .flags = F | A, .seq = 1, .ack = 1);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 1));
    run(w);
    CHECK_EQ(conn(s)->state, TCP_CLOSING);
    EXPECT(w, .flags = A, .seq = 2, .ack = 2);
    CHECK_EQ(events(w), STREAM_READABLE);
    peer(w, SEG(.flags = A, .seq = 2, .ack = 2));
    run(w);
    CHECK_EQ(events(w), STREAM_CLOSED);
    CHECK_EQ(stream_end(s), STREAM_END_ORDERLY);
    CHECK_EQ(tcp_timewait_count(w->tcp), 1);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(a_half_closed_connection_still_carries_the_other_way)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 1));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 2);
    CHECK_EQ(conn(s)->state, TCP_CLOSE_WAIT);
    CHECK(stream_is_eof(s));
    CHECK_EQ(write_pattern(s, 1, 5000), 5000);
    stream_shutdown(s);
    CHECK_EQ(stream_write_room(s), 0);
    CHECK_EQ(write_pattern(s, 5001, 1), 0);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 2, .len = 1448);
    EXPECT(w, .flags = A, .seq = 1449, .ack = 2, .len = 1448);
    EXPECT(w, .flags = A, .seq = 2897, .ack = 2, .len = 1448);
    EXPECT(w, .flags = F | A, .seq = 4345, .ack = 2, .len = 656);
    peer(w, SEG(.flags = A, .seq = 2, .ack = 5002));
    run(w);
    CHECK_EQ(events(w) & STREAM_CLOSED, STREAM_CLOSED);
    CHECK_EQ(tcp_timewait_count(w->tcp), 0); /* the passive closer has none */
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(an_orderly_end_waits_for_its_reader)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    stream_shutdown(s);
    run(w);
    EXPECT(w, .flags = F | A, .seq = 1, .ack = 1);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 2, .len = 100));
    run(w);
    CHECK_EQ(events(w), STREAM_READABLE);
    CHECK_EQ(stream_readable(s), 100);
    run(w);
    CHECK_EQ(events(w), 0);
    CHECK_EQ(read_pattern(s, 1), 100);
    CHECK(stream_is_eof(s));
    run(w);
    CHECK_EQ(events(w), STREAM_CLOSED);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(a_reset_over_unread_bytes_is_no_end_that_was_read)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 1, .len = 100));
    run(w);
    drop_all(w);
    stream_consume(s, 40);
    peer(w, SEG(.flags = R | A, .seq = 102, .ack = 1));
    run(w);
    CHECK_EQ(events(w) & STREAM_CLOSED, STREAM_CLOSED);
    CHECK_EQ(stream_end(s), STREAM_END_RESET);
    CHECK_EQ(stream_readable(s), 0);
    CHECK(!stream_is_eof(s)); /* else 40 bytes would look like the whole of them */
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(unread_bytes_at_release_make_it_a_reset)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 100));
    run(w);
    stream_release(s);
    EXPECT(w, .flags = R | A, .seq = 1, .ack = 101);
    run(w);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    world_free(w);
}

TEST(data_after_release_makes_it_a_reset)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    stream_release(s);
    run(w);
    EXPECT(w, .flags = F | A, .seq = 1, .ack = 1);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 2, .len = 100));
    EXPECT(w, .flags = R | A, .seq = 2, .ack = 1);
    run(w);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    CHECK_EQ(stat(w, STAT_tcp_drop_after_close), 1);
    world_free(w);
}

TEST(what_was_written_is_sent_after_release)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 30000), 30000);
    stream_release(s);
    uint32_t at = 1;
    for (unsigned i = 0; i < 20 && at < 30001; i++) {
        struct seg g;
        run(w);
        while (take(w, &g)) {
            CHECK_EQ(g.seq, at);
            at += g.len;
        }
        peer(w, SEG(.flags = A, .seq = 1, .ack = at));
    }
    CHECK_EQ(at, 30001);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 30002));
    run(w);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 30002));
    run(w);
    EXPECT(w, .flags = A, .seq = 30002, .ack = 2);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    CHECK_EQ(tcp_timewait_count(w->tcp), 1);
    world_free(w);
}

TEST(lingering_has_a_limit)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    stream_release(s);
    run(w);
    EXPECT(w, .flags = F | A, .seq = 1, .ack = 1);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 2));
    run(w);
    pass(w, 29000000);
    EXPECT_NONE(w);
    CHECK_EQ(tcp_conn_count(w->tcp), 1);
    pass(w, 2000000);
    EXPECT(w, .flags = R | A, .seq = 2, .ack = 1);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    world_free(w);
}

TEST(abort_resets_and_tells_closed_later)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 100));
    stream_abort(s);
    EXPECT(w, .flags = R | A, .seq = 1, .ack = 101);
    CHECK_EQ(events(w), 0);
    run(w);
    CHECK_EQ(events(w), STREAM_CLOSED);
    CHECK_EQ(stream_readable(s), 0);
    CHECK_EQ(stream_end(s), STREAM_END_ABORTED);
    stream_release(s);
    run(w);
    world_free(w);
}

static void release_in_event(struct stream *s, unsigned what)
{
    stream_release(s);
}

TEST(a_stream_may_be_released_within_its_event)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    s->on_event = release_in_event;
    peer(w, SEG(.flags = R, .seq = 1));
    run(w);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    CHECK_EQ(stat(w, STAT_tcp_end_reset), 1);
    world_free(w);
}

/* Closes first, so that a TIME_WAIT record remains; our FIN had number 1, the peer's too. */
static void into_timewait(struct world *w)
{
    struct stream *s = world_accept(w);
    stream_release(s);
    run(w);
    EXPECT(w, .flags = F | A, .seq = 1, .ack = 1);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 2));
    run(w);
    EXPECT(w, .flags = A, .seq = 2, .ack = 2);
    CHECK_EQ(tcp_timewait_count(w->tcp), 1);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    w->accepted = NULL;
}

TEST(timewait_answers_a_fin_that_comes_again)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    into_timewait(w);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 2));
    EXPECT(w, .flags = A, .seq = 2, .ack = 2);
    pass(w, 20000000);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 2)); /* begins anew */
    EXPECT(w, .flags = A, .seq = 2, .ack = 2);
    pass(w, 20000000);
    CHECK_EQ(tcp_timewait_count(w->tcp), 1);
    pass(w, 11000000);
    CHECK_EQ(tcp_timewait_count(w->tcp), 0);
    world_free(w);
}

TEST(timewait_ignores_resets_and_pure_acks)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    into_timewait(w);
    peer(w, SEG(.flags = R, .seq = 2));
    peer(w, SEG(.flags = A, .seq = 2, .ack = 2));
    EXPECT_NONE(w);
    CHECK_EQ(tcp_timewait_count(w->tcp), 1);
    world_free(w);
}

TEST(timewait_gives_way_to_a_newer_syn)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    into_timewait(w);
    uint32_t old_end = w->our_iss + 2;
    w->core.now_us += 10000;
    w->config.peer_iss += 100000;
    w->knows_iss = false;
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT(w, .flags = S | A, .ack = 1);
    CHECK((int32_t)(w->our_iss - old_end) > 0);
    CHECK_EQ(stat(w, STAT_tcp_timewait_reused), 1);
    CHECK_EQ(tcp_timewait_count(w->tcp), 0);
    world_free(w);
}

TEST(timewait_acknowledges_an_old_syn_instead)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    into_timewait(w);
    peer(w, SEG(.flags = S, .seq = 0, .is_old = true));
    EXPECT(w, .flags = A, .seq = 2, .ack = 2);
    CHECK_EQ(tcp_timewait_count(w->tcp), 1);
    world_free(w);
}

TEST(a_full_ring_of_timewaits_lets_the_oldest_go)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.timewaits_max = 4;
    struct world *w = world_new(&config);
    for (unsigned i = 0; i < 10; i++) {
        w->remote_port = (uint16_t)(41000 + i);
        w->knows_iss = false;
        struct stream *s = world_accept(w);
        stream_release(s);
        run(w);
        EXPECT(w, .flags = F | A, .seq = 1, .ack = 1);
        peer(w, SEG(.flags = F | A, .seq = 1, .ack = 2));
        run(w);
        drop_all(w);
        w->accepted = NULL;
    }
    CHECK_EQ(tcp_timewait_count(w->tcp), 4);
    CHECK_EQ(stat(w, STAT_tcp_timewait_evicted), 6);
    CHECK_EQ(w->tcp->table.used, 4);
    world_free(w);
}

TEST(an_address_that_goes_takes_its_connections_along)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    tcp_on_addresses_gone(w->tcp); /* others */
    CHECK_EQ(conn(s)->state, TCP_ESTABLISHED);
    w->is_address_gone = true;
    tcp_on_addresses_gone(w->tcp);
    EXPECT(w, .flags = R | A, .seq = 1, .ack = 1);
    run(w);
    CHECK_EQ(events(w), STREAM_CLOSED);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(a_silent_peer_is_asked_and_then_given_up)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    tcp_set_keepalive(s, 120000);
    pass(w, 119000000);
    EXPECT_NONE(w);
    pass(w, 2000000);
    EXPECT(w, .flags = A, .seq = 0, .ack = 1);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    pass(w, 121000000);
    for (unsigned i = 0; i < TCP_KEEPALIVE_PROBES_MAX; i++) {
        EXPECT(w, .flags = A, .seq = 0, .ack = 1);
        EXPECT_NONE(w);
        pass(w, 15001000);
    }
    EXPECT(w, .flags = R | A, .seq = 1, .ack = 1);
    CHECK_EQ(stream_end(s), STREAM_END_TIMEOUT);
    stream_release(s);
    run(w);
    world_free(w);
}

UNIT_MAIN("tcp/close", T(both_close_at_once),
          T(a_half_closed_connection_still_carries_the_other_way),
          T(an_orderly_end_waits_for_its_reader),
          T(a_reset_over_unread_bytes_is_no_end_that_was_read),
          T(unread_bytes_at_release_make_it_a_reset), T(data_after_release_makes_it_a_reset),
          T(what_was_written_is_sent_after_release), T(lingering_has_a_limit),
          T(abort_resets_and_tells_closed_later), T(a_stream_may_be_released_within_its_event),
          T(timewait_answers_a_fin_that_comes_again), T(timewait_ignores_resets_and_pure_acks),
          T(timewait_gives_way_to_a_newer_syn), T(timewait_acknowledges_an_old_syn_instead),
          T(a_full_ring_of_timewaits_lets_the_oldest_go),
          T(an_address_that_goes_takes_its_connections_along),
          T(a_silent_peer_is_asked_and_then_given_up))
