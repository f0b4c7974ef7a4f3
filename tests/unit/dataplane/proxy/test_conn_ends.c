/* SPDX-License-Identifier: Apache-2.0 */
/* How client connections end: each in one counter, which says why. */
#include "base/container.h"
#include "http/http_server.h"
#include "proxy_world.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct world w;

#define REQ(path) "GET " path " HTTP/1.1\r\nHost: www.example\r\n\r\n"
#define LAST(path) "GET " path " HTTP/1.1\r\nHost: www.example\r\nConnection: close\r\n\r\n"

/* A world with so many head buffers. */
static void begin(uint32_t head_bufs)
{
    struct proxy_config config;
    proxy_config_default(&config, 8);
    config.head_bufs_max = head_bufs;
    world_init(&w, &config);
}

/* The connections that there were have all ended, this one for this reason. */
static void check_end(const struct fake_stream *c, enum stat_id why)
{
    uint64_t ends = 0;
    for (int id = STAT_proxy_conn_end_client; id <= STAT_proxy_conn_end_untaken; id++)
        ends += world_stat(&w, (enum stat_id)id);
    CHECK(c->is_released);
    CHECK_EQ(world_stat(&w, why), 1);
    CHECK_EQ(ends,
             world_stat(&w, STAT_proxy_conns_accepted) - world_stat(&w, STAT_proxy_conns_now));
    world_done(&w);
}

TEST(a_client_that_ends_between_requests_is_no_accident)
{
    begin(8);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/"));
    fake_stream_push_eof(c);
    world_run(&w);
    check_end(c, STAT_proxy_conn_end_client);

    begin(8);
    c = world_connect(&w);
    world_say(&w, c, LAST("/")); /* we end, then the client does */
    CHECK(c->is_shutdown && !c->is_released);
    fake_stream_push_eof(c);
    world_run(&w);
    check_end(c, STAT_proxy_conn_end_client);
}

TEST(a_connection_that_breaks_is_counted_by_when)
{
    begin(8);
    struct fake_stream *c = world_connect(&w);
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    check_end(c, STAT_proxy_conn_end_lost_idle);

    begin(8);
    c = world_connect(&w);
    world_say(&w, c, "GET / HT");
    fake_stream_break(c, STREAM_END_TIMEOUT);
    world_run(&w);
    check_end(c, STAT_proxy_conn_end_lost_busy);

    begin(8);
    w.is_manual = true;
    c = world_connect(&w);
    world_say(&w, c, REQ("/"));
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_client_gone), 1);
    check_end(c, STAT_proxy_conn_end_lost_busy);
}

/* Matches wait until the events of a poll are delivered, and the connection's end may be one. */
TEST(a_request_that_ends_before_its_match_does_leaves_nothing_and_others_go_on)
{
    begin(8);
    struct fake_stream *gone = world_connect(&w), *stays = world_connect(&w);
    fake_stream_push(gone, SLICE_LIT(REQ("/")));
    fake_stream_push(stays, SLICE_LIT(REQ("/")));
    CHECK(fake_stream_dispatch(gone) && fake_stream_dispatch(stays));
    CHECK_EQ(world_stat(&w, STAT_proxy_exchanges_now), 2);
    CHECK_EQ(w.n_backends, 0);
    fake_stream_break(gone, STREAM_END_RESET);
    CHECK(fake_stream_dispatch(gone));
    CHECK_EQ(world_stat(&w, STAT_proxy_exchanges_now), 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_client_gone), 1);
    world_run(&w);
    CHECK_EQ(w.n_backends, 1);
    CHECK(strstr(world_got(&w, stays), "200 OK") != NULL);
    check_end(gone, STAT_proxy_conn_end_lost_busy);
}

TEST(an_idle_connection_is_closed_and_drained_for_a_while)
{
    begin(8);
    struct fake_stream *c = world_connect(&w);
    world_wait(&w, 76 * 1000);
    CHECK_EQ(world_stat(&w, STAT_proxy_conns_idle_timeout), 1);
    CHECK(c->is_shutdown && !c->is_released);
    world_wait(&w, 5000);
    check_end(c, STAT_proxy_conn_end_drain_timeout);
}

TEST(what_is_thrown_away_after_the_last_answer_has_a_bound)
{
    static const uint8_t noise[HTTP_DRAIN_BYTES_MAX];
    begin(8);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, LAST("/"));
    fake_stream_push(c, slice_of(noise, sizeof(noise)));
    world_run(&w);
    CHECK(!c->is_released);
    world_say(&w, c, "!");
    world_wait(&w, 4900);
    CHECK(!c->is_released); /* the answer may still be under way */
    CHECK_EQ(stream_readable(&c->stream), 1);
    world_wait(&w, 200);
    check_end(c, STAT_proxy_conn_end_drain_bytes);
}

TEST(an_answer_without_a_buffer_breaks_the_connection_off)
{
    begin(1);
    w.out_room = 10;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, LAST("/none")); /* the request has the buffer that its answer needs */
    CHECK_EQ(world_stat(&w, STAT_proxy_end_no_endpoint), 1);
    CHECK_EQ(c->end, STREAM_END_ABORTED);
    check_end(c, STAT_proxy_conn_end_broken_off);

    begin(1);
    struct fake_stream *other = world_connect(&w);
    w.is_opening_held = true;
    w.out_room = 10;
    c = world_connect(&w);
    world_say(&w, other, REQ("/")); /* has the buffer until its backend is there */
    world_say(&w, c, REQ("/"));
    CHECK_EQ(world_stat(&w, STAT_http_refused_no_head_buffer), 1);
    check_end(c, STAT_proxy_conn_end_broken_off);
}

TEST(whoever_has_been_at_his_head_longest_loses_his_buffer_to_others)
{
    begin(2);
    struct fake_stream *first = world_connect(&w);
    struct fake_stream *second = world_connect(&w);
    struct fake_stream *honest = world_connect(&w);
    world_say(&w, first, "GET / HT");
    world_say(&w, second, "GET / HTTP/1.1\r\nX-A: ");
    world_say(&w, first, "TP/1.1\r\nX-B: "); /* saying more makes nobody younger */
    world_say(&w, honest, REQ("/"));
    CHECK(strncmp(world_got(&w, honest), "HTTP/1.1 200", 12) == 0);
    CHECK(strncmp(world_got(&w, first), "HTTP/1.1 408", 12) == 0);
    CHECK_STR(world_got(&w, second), "");
    CHECK_EQ(world_stat(&w, STAT_http_refused_head_slow), 1);
    world_say(&w, second, "1\r\nHost: www.example\r\n\r\n");
    CHECK(strncmp(world_got(&w, second), "HTTP/1.1 200", 12) == 0);
    fake_stream_push_eof(first);
    world_run(&w);
    check_end(first, STAT_proxy_conn_end_client);
}

TEST(an_answer_that_cannot_go_on_cuts_the_connection)
{
    begin(8);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/"));
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    fake_stream_break(&world_last(&w)->f, STREAM_END_RESET);
    world_run(&w);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_backend_cut), 1);
    check_end(c, STAT_proxy_conn_end_cut);
}

TEST(the_rest_of_an_answer_that_nobody_takes_ends_the_connection)
{
    begin(8);
    w.out_room = 10;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/none"));
    CHECK(!c->is_released);
    world_wait(&w, 61 * 1000);
    check_end(c, STAT_proxy_conn_end_untaken);
}

TEST(a_connection_has_no_more_requests_than_it_may)
{
    struct proxy_config config;
    proxy_config_default(&config, 8);
    config.requests_per_conn_max = 2;
    world_init(&w, &config);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/"));
    CHECK(!c->is_shutdown);
    world_say(&w, c, REQ("/"));
    CHECK(c->is_shutdown);
    CHECK_EQ(world_stat(&w, STAT_proxy_conns_spent), 1);
    fake_stream_push_eof(c);
    world_run(&w);
    check_end(c, STAT_proxy_conn_end_client);
}

TEST(clients_of_a_box_that_is_drained_are_told_to_come_again)
{
    begin(8);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/"));
    CHECK(!c->is_shutdown && strstr(world_got(&w, c), "Connection: close") == NULL);
    w.is_drained = true;
    world_publish(&w, 80);
    world_run(&w);
    CHECK(!c->is_shutdown); /* what it says next may be on its way already */
    world_say(&w, c, REQ("/"));
    CHECK(c->is_shutdown && strstr(world_got(&w, c), "Connection: close\r\n") != NULL);
    CHECK_EQ(world_stat(&w, STAT_proxy_conns_drained), 1);
    fake_stream_push_eof(c);
    world_run(&w);
    check_end(c, STAT_proxy_conn_end_client);
}

TEST(informational_answers_that_do_not_go_on_are_counted)
{
    begin(8);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, "GET / HTTP/1.0\r\nHost: www.example\r\n\r\n");
    world_reply(&w, world_last(&w), "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
    CHECK_STR(world_got(&w, c), "");
    CHECK_EQ(world_stat(&w, STAT_proxy_informational_dropped), 1);
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    CHECK(strstr(world_got(&w, c), "\r\n\r\nhi") != NULL);
    fake_stream_push_eof(c);
    world_run(&w);
    check_end(c, STAT_proxy_conn_end_client);
}

UNIT_MAIN("proxy/conn_ends", T(a_client_that_ends_between_requests_is_no_accident),
          T(a_connection_that_breaks_is_counted_by_when),
          T(a_request_that_ends_before_its_match_does_leaves_nothing_and_others_go_on),
          T(an_idle_connection_is_closed_and_drained_for_a_while),
          T(what_is_thrown_away_after_the_last_answer_has_a_bound),
          T(an_answer_without_a_buffer_breaks_the_connection_off),
          T(whoever_has_been_at_his_head_longest_loses_his_buffer_to_others),
          T(an_answer_that_cannot_go_on_cuts_the_connection),
          T(the_rest_of_an_answer_that_nobody_takes_ends_the_connection),
          T(a_connection_has_no_more_requests_than_it_may),
          T(clients_of_a_box_that_is_drained_are_told_to_come_again),
          T(informational_answers_that_do_not_go_on_are_counted))
