/* SPDX-License-Identifier: Apache-2.0 */
/* Two sessions of HTTP/2 talk to each other: bodies, windows, ends, and what runs out. */
#include "h2_pair.h"
#include "unit.h"

#include <stdlib.h>

static struct pair p;
static uint8_t text[PAIR_BODY_BYTES_MAX];

static struct slice body(size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = (uint8_t)(i * 2654435761u >> 13);
    return slice_of(text, len);
}

static void check_answered(const struct pair_call *c, uint16_t status)
{
    CHECK(c->is_done && c->is_same && !c->is_over);
    CHECK_EQ(c->status, status);
    CHECK_EQ(c->got, status == 200 ? c->body.len : 0);
}

TEST(bodies_of_all_sizes_go_there_and_back)
{
    static const size_t sizes[] = {0, 1, 1000, 16384, 16385, 300000, PAIR_BODY_BYTES_MAX};
    static const char *const paths[] = {"/echo", "/open"};
    pair_init(&p, 100000, NULL);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (unsigned k = 0; k < 2; k++) {
            struct pair_call *c = pair_ask(&p, paths[k], body(sizes[i]));
            pair_run(&p);
            check_answered(c, 200);
        }
    }
    pair_done(&p);
}

TEST(what_is_connect_in_http_2_is_an_upgrade_on_both_sides)
{
    static const size_t sizes[] = {0, 1, 5000, 300000};
    pair_init(&p, 30000, NULL);
    CHECK(h2_session_has_settings(p.client) && h2_session_takes_connect(p.client));
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct pair_call *c = pair_ask(&p, "/socket", body(sizes[i]));
        pair_run(&p);
        CHECK(c->is_done && c->is_same && !c->is_over);
        CHECK_EQ(c->status, 101);
        CHECK_EQ(c->got, sizes[i]);
    }
    pair_done(&p);
}

TEST(a_lower_stream_with_little_room_only_makes_it_slower)
{
    static const size_t rooms[] = {1, 7, 100, 1500};
    for (unsigned i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        pair_init(&p, rooms[i], NULL);
        p.server_lower.slice_max = p.client_lower.slice_max = rooms[i];
        struct pair_call *c = pair_ask(&p, "/echo", body(20000));
        struct pair_call *d = pair_ask(&p, "/open", body(5000));
        pair_run(&p);
        check_answered(c, 200);
        check_answered(d, 200);
        pair_done(&p);
    }
}

TEST(a_hundred_streams_at_once_share_a_connection)
{
    pair_init(&p, 3000, NULL);
    for (unsigned i = 0; i < 100; i++)
        REQUIRE(pair_ask(&p, i % 2 == 0 ? "/echo" : "/open", body(10000)) != NULL);
    pair_run(&p);
    for (unsigned i = 0; i < p.n_calls; i++)
        check_answered(&p.calls[i], 200);
    pair_done(&p);
}

TEST(a_backend_gets_a_hundred_streams_until_it_has_told_how_many_it_takes)
{
    pair_init_cut(&p, 3000, NULL);
    for (unsigned i = 0; i < H2_STREAMS_UNTOLD; i++) {
        CHECK(h2_session_has_room(p.client));
        REQUIRE(pair_ask(&p, "/echo", body(1)) != NULL);
    }
    CHECK(!h2_session_has_room(p.client));
    p.is_cut = false;
    pair_run(&p);
    for (unsigned i = 0; i < H2_STREAMS_MAX; i++) {
        CHECK(h2_session_has_room(p.client));
        REQUIRE(pair_ask(&p, "/echo", body(1)) != NULL);
    }
    CHECK(!h2_session_has_room(p.client));
    pair_run(&p);
    for (unsigned i = 0; i < p.n_calls; i++)
        check_answered(&p.calls[i], 200);
    pair_done(&p);
}

TEST(a_stream_that_is_not_read_holds_up_no_other)
{
    pair_init(&p, 100000, NULL);
    struct pair_call *held = pair_ask(&p, "/echo", body(PAIR_BODY_BYTES_MAX));
    held->is_held = true;
    pair_run(&p);
    CHECK(!held->is_done && held->status == 200);
    for (unsigned i = 0; i < 10; i++) {
        struct pair_call *c = pair_ask(&p, "/echo", body(300000));
        pair_run(&p);
        check_answered(c, 200);
    }
    pair_read(held);
    pair_run(&p);
    check_answered(held, 200);
    pair_done(&p);
}

TEST(an_upload_that_is_not_read_holds_up_no_other)
{
    pair_init(&p, 100000, NULL);
    struct pair_call *held = pair_ask(&p, "/never", body(PAIR_BODY_BYTES_MAX));
    pair_run(&p);
    CHECK(held->sent >= H2_STREAM_WINDOW_BYTES && held->sent < PAIR_BODY_BYTES_MAX);
    struct pair_call *c = pair_ask(&p, "/echo", body(300000));
    pair_run(&p);
    check_answered(c, 200);
    http_client_abort(&held->http);
    pair_run(&p);
    pair_done(&p);
}

TEST(an_answer_before_the_body_stops_the_body)
{
    pair_init(&p, 2000, NULL);
    struct pair_call *c = pair_ask(&p, "/early", body(PAIR_BODY_BYTES_MAX));
    pair_run(&p);
    CHECK_EQ(c->status, 204);
    CHECK(c->sent < PAIR_BODY_BYTES_MAX);
    pair_done(&p);
}

TEST(a_client_that_gives_up_is_heard_of)
{
    pair_init(&p, 100000, NULL);
    struct pair_call *c = pair_ask(&p, "/never", body(10));
    pair_run(&p);
    CHECK_EQ(p.n_served, 1);
    CHECK_EQ(p.server_phase, H2_BUSY);
    http_client_abort(&c->http);
    pair_run(&p);
    CHECK_EQ(p.server_phase, H2_IDLE);
    CHECK_EQ(p.stats.counters[STAT_h2_streams_reset], 1);
    pair_done(&p);
}

TEST(a_server_that_says_goodbye_finishes_what_it_has)
{
    pair_init(&p, 5000, NULL);
    struct pair_call *c = pair_ask(&p, "/echo", body(PAIR_BODY_BYTES_MAX));
    p.step = 1000;
    for (unsigned i = 0; i < 5; i++)
        pair_wait(&p, 1);
    h2_session_shutdown(p.server);
    pair_run(&p);
    check_answered(c, 200);
    CHECK(p.client == NULL && p.server == NULL);
    CHECK_EQ(p.stats.counters[STAT_h2_session_end_done], 2);
    pair_done(&p);
}

/* All was answered and the server begins to say goodbye, of which nothing comes to the client. */
static void begin_unheard(void)
{
    pair_init(&p, 100000, NULL);
    struct pair_call *c = pair_ask(&p, "/echo", body(1000));
    pair_run(&p);
    check_answered(c, 200);
    p.is_cut = true;
    h2_session_shutdown(p.server);
}

/* And then all is said. */
static void end_unheard(void)
{
    begin_unheard();
    pair_wait(&p, H2_DRAIN_MS + 10);
    CHECK(p.server != NULL && p.server_lower.is_shutdown && !p.server_lower.is_released);
}

/* The client ends, too, and the server has nothing to wait for any more. */
static void check_let_go(void)
{
    fake_stream_push_eof(&p.server_lower);
    pair_wait(&p, 1);
    CHECK(p.server == NULL && p.server_lower.is_released);
    CHECK_EQ(p.stats.counters[STAT_h2_session_end_done], 1);
    fake_stream_break(&p.client_lower, STREAM_END_RESET);
    pair_done(&p);
}

/* It would be a reset, and take the answer with it. */
TEST(a_server_that_is_done_takes_what_its_client_still_sends)
{
    end_unheard();
    fake_stream_push(&p.server_lower, SLICE_LIT("as it does not know that"));
    pair_wait(&p, 1);
    CHECK_EQ(stream_readable(&p.server_lower.stream), 0);
    CHECK(!p.server_lower.is_released);
    check_let_go();
}

TEST(a_server_that_is_done_waits_for_its_client_but_not_for_ever)
{
    end_unheard();
    for (unsigned i = 0; i < 3; i++)
        fake_stream_push(&p.server_lower, body(H2_LINGER_BYTES_MAX / 2));
    pair_wait(&p, 1);
    CHECK_EQ(stream_readable(&p.server_lower.stream), H2_LINGER_BYTES_MAX / 2);
    pair_wait(&p, H2_LINGER_MS);
    CHECK(p.server == NULL && p.server_lower.is_released);
    fake_stream_break(&p.client_lower, STREAM_END_RESET);
    pair_done(&p);
}

/* What is under way fills the send queue but for the first of two GOAWAYs. */
TEST(a_server_whose_last_words_find_no_room_waits_for_it_and_for_its_client)
{
    const size_t goaway_bytes = 17;
    begin_unheard();
    pair_wait(&p, 1);
    size_t unsent = fake_stream_written(&p.server_lower).len;
    p.server_lower.out_room = unsent + goaway_bytes;
    pair_wait(&p, H2_DRAIN_MS + 10);
    CHECK(p.server != NULL && !p.server_lower.is_shutdown && !p.server_lower.is_released);
    fake_stream_push(&p.server_lower, SLICE_LIT("as it does not know that"));
    fake_stream_take(&p.server_lower, unsent);
    pair_wait(&p, 1);
    CHECK_EQ(fake_stream_written(&p.server_lower).len, 2 * goaway_bytes);
    CHECK(p.server != NULL && p.server_lower.is_shutdown && !p.server_lower.is_released);
    check_let_go();
}

TEST(a_server_that_says_goodbye_to_nobody_ends)
{
    pair_init(&p, 5000, NULL);
    h2_session_shutdown(p.server);
    CHECK(!h2_session_has_room(p.server));
    pair_run(&p);
    CHECK(p.client == NULL && p.server == NULL);
    pair_done(&p);
}

/* Its end of the connection may come a segment later. */
TEST(a_client_that_says_goodbye_and_only_then_ends_broke_no_rule)
{
    pair_init(&p, 100000, NULL);
    struct pair_call *c = pair_ask(&p, "/echo", body(1000));
    pair_run(&p);
    check_answered(c, 200);
    h2_session_close(p.client);
    p.is_cut = true;
    struct slice goodbye = fake_stream_written(&p.client_lower);
    CHECK(goodbye.len > 0 && p.client_lower.is_shutdown);
    fake_stream_push(&p.server_lower, goodbye);
    pair_wait(&p, 1);
    CHECK_EQ(p.stats.counters[STAT_h2_session_end_fault], 0);
    fake_stream_push_eof(&p.server_lower);
    pair_wait(&p, 1);
    CHECK(p.server == NULL);
    CHECK_EQ(p.stats.counters[STAT_h2_session_end_done], 2);
    pair_done(&p);
}

TEST(a_connection_that_breaks_ends_all_its_streams)
{
    pair_init(&p, 100000, NULL);
    struct pair_call *c = pair_ask(&p, "/never", body(10));
    struct pair_call *d = pair_ask(&p, "/never", body(0));
    pair_run(&p);
    fake_stream_break(&p.client_lower, STREAM_END_RESET);
    fake_stream_break(&p.server_lower, STREAM_END_RESET);
    pair_run(&p);
    CHECK(c->is_over && d->is_over);
    CHECK_EQ(c->end, HTTP_CLIENT_END_NO_RESPONSE);
    CHECK_EQ(p.stats.counters[STAT_h2_session_end_lost], 2);
    pair_done(&p);
}

/* Or nobody would ever close the connection. */
TEST(a_session_that_is_aborted_resets_its_connection_and_ends_at_once)
{
    pair_init(&p, 100000, NULL);
    struct pair_call *c = pair_ask(&p, "/never", body(10));
    pair_run(&p);
    h2_session_abort(p.client);
    CHECK(p.client == NULL && c->is_over && c->end == HTTP_CLIENT_END_NO_RESPONSE);
    CHECK(p.client_lower.is_released && p.client_lower.end == STREAM_END_ABORTED);
    CHECK_EQ(p.stats.counters[STAT_h2_session_end_aborted], 1);
    fake_stream_break(&p.server_lower, STREAM_END_RESET);
    pair_run(&p);
    pair_done(&p);
}

TEST(sessions_on_blocks_exchange_bodies_and_leave_the_heap_alone)
{
    static const struct h2_config blocks = {
        .sessions_max = 2, .streams_max = 20, .pieces_max = 4096, .session_bytes = 65536};
    pair_init(&p, 1500, &blocks);
    for (unsigned i = 0; i < 20; i++) {
        struct pair_call *c = pair_ask(&p, "/echo", body(50000));
        pair_run(&p);
        check_answered(c, 200);
    }
    CHECK_EQ(p.stats.counters[STAT_h2_heap_bytes_now], 0);
    CHECK_EQ(p.stats.counters[STAT_h2_heap_refused], 0);
    pair_done(&p);
}

TEST(a_session_whose_only_stream_went_at_once_hears_that_it_rests)
{
    pair_init(&p, 100000, NULL);
    for (unsigned i = 1; i <= 2; i++) {
        struct pair_call *c = pair_ask(&p, "/never", body(0));
        http_client_abort(&c->http);
        pair_run(&p);
        CHECK_EQ(p.client_rests, i);
    }
    pair_done(&p);
}

TEST(a_request_that_never_went_was_refused)
{
    pair_init(&p, 10, NULL);
    p.step = 0; /* nothing goes over any more */
    struct pair_call *c = pair_ask(&p, "/echo", body(100));
    struct pair_call *d = pair_ask(&p, "/echo", body(100));
    pair_run(&p);
    fake_stream_break(&p.client_lower, STREAM_END_RESET);
    fake_stream_break(&p.server_lower, STREAM_END_RESET);
    pair_run(&p);
    CHECK(c->is_over && c->end == HTTP_CLIENT_END_NO_RESPONSE); /* a part of it went */
    CHECK(d->is_over && d->end == HTTP_CLIENT_END_OPEN_FAILED);
    pair_done(&p);
}

/* However the connection ends, a slow reader gets what was sent to him, and hears of it then. */
TEST(an_answer_that_came_whole_is_read_when_the_connection_is_gone)
{
    for (unsigned is_broken = 0; is_broken < 2; is_broken++) {
        pair_init(&p, 100000, NULL);
        struct pair_call *c = pair_ask(&p, "/echo", body(50000));
        struct pair_call *d = pair_ask(&p, "/never", body(0));
        c->is_held = true;
        pair_run(&p);
        if (is_broken == 0)
            h2_session_close(p.server);
        else
            fake_stream_break(&p.client_lower, STREAM_END_RESET);
        pair_run(&p);
        CHECK(!c->is_over && d->is_over);
        CHECK(p.client != NULL && p.client_lower.is_released);
        pair_read(c);
        check_answered(c, 200);
        pair_run(&p);
        CHECK(p.client == NULL);
        if (is_broken == 1)
            fake_stream_break(&p.server_lower, STREAM_END_RESET);
        pair_done(&p);
    }
}

TEST(streams_that_the_server_has_no_place_for_are_refused_unseen)
{
    static const struct h2_config few = {
        .sessions_max = 2, .streams_max = 5, .pieces_max = 64, .heap_bytes_max = 8u << 20};
    pair_init(&p, 100000, &few);
    for (unsigned i = 0; i < 3; i++)
        REQUIRE(pair_ask(&p, "/never", body(0)) != NULL);
    pair_run(&p);
    unsigned refused = 0;
    for (unsigned i = 0; i < 3; i++)
        refused += p.calls[i].is_over && p.calls[i].end == HTTP_CLIENT_END_OPEN_FAILED;
    CHECK_EQ(refused, 1);
    CHECK_EQ(p.stats.counters[STAT_h2_streams_refused], 1);
    CHECK_EQ(p.n_served, 2);
    for (unsigned i = 0; i < 3; i++) {
        if (!p.calls[i].is_over)
            http_client_abort(&p.calls[i].http);
    }
    pair_run(&p);
    pair_done(&p);
}

TEST(an_answer_that_there_is_no_buffer_for_was_no_refused_request)
{
    pair_init(&p, 100000, NULL);
    struct pair_call *c = pair_ask(&p, "/echo", body(100));
    while (p.n_served == 0)
        pair_step(&p);
    p.env.bufs_max = p.env.bufs;
    pair_run(&p);
    CHECK(c->is_over && c->end == HTTP_CLIENT_END_NO_RESPONSE); /* it may not be sent again */
    CHECK_EQ(p.stats.counters[STAT_h2_streams_refused], 1);
    p.env.bufs_max = 1000;
    struct pair_call *d = pair_ask(&p, "/echo", body(100));
    pair_run(&p);
    check_answered(d, 200);
    pair_done(&p);
}

TEST(bytes_that_there_is_no_buffer_for_reset_their_stream_only)
{
    static const struct h2_config few = {
        .sessions_max = 2, .streams_max = 50, .pieces_max = 4, .heap_bytes_max = 8u << 20};
    pair_init(&p, 100000, &few);
    struct pair_call *c = pair_ask(&p, "/never", body(200000));
    pair_run(&p);
    CHECK(c->is_over);
    CHECK_EQ(p.stats.counters[STAT_h2_streams_overrun], 1);
    struct pair_call *d = pair_ask(&p, "/echo", body(100));
    pair_run(&p);
    check_answered(d, 200);
    pair_done(&p);
}

TEST(without_memory_there_is_no_session)
{
    static const struct h2_config little = {
        .sessions_max = 2, .streams_max = 5, .pieces_max = 4, .heap_bytes_max = 10000};
    static const struct h2_session_ops none;
    memset(&p, 0, sizeof(p));
    core_init(&p.core,
              &(struct core_config){
                  .now_us = 1, .workers = 1, .socket = -1, .stats = &p.stats, .rng_seed = 3});
    fake_env_init(&p.env, 10);
    p.h2 = h2_new(&p.core, &p.env.env, &little);
    fake_stream_init(&p.server_lower, 1000);
    CHECK(h2_accept(p.h2, &p.server_lower.stream, &none, NULL) == NULL);
    CHECK(p.stats.counters[STAT_h2_heap_refused] > 0);
    CHECK(!p.server_lower.is_released);
    CHECK_EQ(h2_used_bytes(p.h2), 0);
    h2_done(p.h2);
    fake_stream_done(&p.server_lower);
    core_done(&p.core);
}

UNIT_MAIN("http2/session", T(bodies_of_all_sizes_go_there_and_back),
          T(what_is_connect_in_http_2_is_an_upgrade_on_both_sides),
          T(a_lower_stream_with_little_room_only_makes_it_slower),
          T(a_hundred_streams_at_once_share_a_connection),
          T(a_backend_gets_a_hundred_streams_until_it_has_told_how_many_it_takes),
          T(a_stream_that_is_not_read_holds_up_no_other),
          T(an_upload_that_is_not_read_holds_up_no_other),
          T(an_answer_before_the_body_stops_the_body), T(a_client_that_gives_up_is_heard_of),
          T(a_server_that_says_goodbye_finishes_what_it_has),
          T(a_server_that_is_done_takes_what_its_client_still_sends),
          T(a_server_that_is_done_waits_for_its_client_but_not_for_ever),
          T(a_server_whose_last_words_find_no_room_waits_for_it_and_for_its_client),
          T(a_server_that_says_goodbye_to_nobody_ends),
          T(a_client_that_says_goodbye_and_only_then_ends_broke_no_rule),
          T(a_connection_that_breaks_ends_all_its_streams),
          T(a_session_that_is_aborted_resets_its_connection_and_ends_at_once),
          T(sessions_on_blocks_exchange_bodies_and_leave_the_heap_alone),
          T(a_session_whose_only_stream_went_at_once_hears_that_it_rests),
          T(a_request_that_never_went_was_refused),
          T(an_answer_that_came_whole_is_read_when_the_connection_is_gone),
          T(streams_that_the_server_has_no_place_for_are_refused_unseen),
          T(an_answer_that_there_is_no_buffer_for_was_no_refused_request),
          T(bytes_that_there_is_no_buffer_for_reset_their_stream_only),
          T(without_memory_there_is_no_session))
