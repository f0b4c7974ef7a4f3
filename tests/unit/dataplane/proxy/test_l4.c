/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are passed on: where to, what moves, and how they end. */
#include "base/container.h"
#include "proxy_world.h"
#include "unit.h"

#include <string.h>

static struct world w;

static void begin_with(const struct proxy_config *config)
{
    world_init(&w, config);
    w.is_manual = true;
    world_publish_l4(&w, IMAGE_PROTOCOL_TCP);
}

/* A client whose connection is passed on. */
static struct fake_stream *open(struct world_backend **ret)
{
    struct fake_stream *c = world_connect(&w);
    world_run(&w);
    *ret = world_last(&w);
    CHECK_EQ(world_stat(&w, STAT_proxy_l4_now), 1);
    CHECK_EQ(w.pins, w.is_opening_held);
    return c;
}

static struct fake_stream *begin(struct world_backend **ret)
{
    begin_with(NULL);
    return open(ret);
}

static void end(enum stat_id why)
{
    CHECK_EQ(world_stat(&w, why), 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_l4_now), 0);
    CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_l4), world_stat(&w, STAT_proxy_l4_begun));
    CHECK_EQ(world_stat(&w, STAT_proxy_conns_now), 0);
    CHECK_EQ(w.pins, 0);
    world_done(&w);
    CHECK_EQ(world_stat(&w, STAT_upstream_opened), world_stat(&w, STAT_upstream_closed_raw));
    CHECK_EQ(world_stat(&w, STAT_upstream_busy_now), 0);
}

TEST(bytes_go_both_ways_whatever_they_are)
{
    struct world_backend *b;
    struct fake_stream *c = begin(&b);
    world_reply(&w, b, "220 hello\r\n"); /* the server may speak first */
    CHECK_STR(world_got(&w, c), "220 hello\r\n");
    world_say(&w, c, "GET / nonsense\n\n\x01");
    CHECK_STR(world_asked(b), "GET / nonsense\n\n\x01");
    CHECK_EQ(world_stat(&w, STAT_proxy_l4_bytes_up), 17);
    CHECK_EQ(world_stat(&w, STAT_proxy_l4_bytes_down), 11);
    fake_stream_push_eof(c);
    fake_stream_push_eof(&b->f);
    world_run(&w);
    CHECK(c->is_released && b->f.is_released && c->is_shutdown && b->f.is_shutdown);
    CHECK_EQ(c->end, STREAM_END_OPEN); /* not reset */
    end(STAT_proxy_l4_end_complete);
}

TEST(who_has_ended_may_still_be_told_something)
{
    for (unsigned is_client = 0; is_client < 2; is_client++) {
        struct world_backend *b;
        struct fake_stream *c = begin(&b);
        struct fake_stream *first = is_client ? c : &b->f, *second = is_client ? &b->f : c;
        fake_stream_push(first, SLICE_LIT("bye"));
        fake_stream_push_eof(first);
        world_run(&w);
        CHECK(second->is_shutdown && !first->is_shutdown && !c->is_released);
        CHECK(slice_eq(fake_stream_written(second), SLICE_LIT("bye")));
        fake_stream_push(second, SLICE_LIT("one thing more"));
        world_run(&w);
        CHECK(slice_eq(fake_stream_written(first), SLICE_LIT("one thing more")));
        fake_stream_push_eof(second);
        world_run(&w);
        CHECK(first->is_shutdown);
        end(STAT_proxy_l4_end_complete);
    }
}

TEST(a_reset_of_one_side_resets_the_other)
{
    struct world_backend *b;
    struct fake_stream *c = begin(&b);
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    CHECK_EQ(b->f.end, STREAM_END_ABORTED);
    end(STAT_proxy_l4_end_client);
    c = begin(&b);
    fake_stream_break(&b->f, STREAM_END_TIMEOUT);
    world_run(&w);
    CHECK_EQ(c->end, STREAM_END_ABORTED);
    end(STAT_proxy_l4_end_backend);
}

TEST(a_side_that_takes_nothing_holds_the_other_back)
{
    struct world_backend *b;
    begin_with(NULL);
    w.out_room = 4;
    struct fake_stream *c = open(&b);
    world_say(&w, c, "0123456789");
    fake_stream_push_eof(c);
    world_run(&w);
    CHECK_STR(world_asked(b), "0123");
    CHECK_EQ(stream_readable(&c->stream), 6);
    fake_stream_take(&b->f, 4);
    world_run(&w);
    CHECK_STR(world_asked(b), "4567");
    CHECK(!b->f.is_shutdown);
    fake_stream_take(&b->f, 4);
    world_run(&w);
    CHECK_STR(world_asked(b), "89");
    CHECK(b->f.is_shutdown);
    fake_stream_push_eof(&b->f);
    world_run(&w);
    end(STAT_proxy_l4_end_complete);
}

TEST(what_comes_before_the_backend_is_there_waits)
{
    struct world_backend *b;
    begin_with(NULL);
    w.is_opening_held = true;
    struct fake_stream *c = open(&b);
    world_say(&w, c, "early");
    CHECK_EQ(fake_stream_written(&b->f).len, 0);
    b->f.events |= STREAM_WRITABLE;
    world_run(&w);
    CHECK_STR(world_asked(b), "early");
    CHECK_EQ(w.pins, 0);
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    end(STAT_proxy_l4_end_client);
}

TEST(a_backend_that_refuses_is_tried_once_more_elsewhere)
{
    static const struct image_health passive = {.failures = 1,
                                                .base_ejection_ms = 1000,
                                                .max_ejection_ms = 1000,
                                                .max_ejected_percent = 100};
    begin_with(NULL);
    w.is_opening_held = true;
    w.health = &passive;
    world_publish_l4(&w, IMAGE_PROTOCOL_TCP);
    struct world_backend *first, *second;
    struct fake_stream *c = open(&first);
    world_say(&w, c, "once");
    fake_stream_break(&first->f, STREAM_END_REFUSED);
    world_run(&w);
    second = world_last(&w);
    CHECK(second != first && !ip_addr_eq(&second->args.remote, &first->args.remote));
    CHECK_EQ(world_stat(&w, STAT_proxy_l4_retries), 1);
    CHECK_EQ(world_stat(&w, STAT_upstream_failures), 1);
    second->f.events |= STREAM_WRITABLE;
    world_run(&w);
    CHECK_STR(world_asked(second), "once");
    fake_stream_push_eof(c);
    fake_stream_push_eof(&second->f);
    world_run(&w);
    end(STAT_proxy_l4_end_complete);
    CHECK_EQ(world_stat(&w, STAT_upstream_opened), 2);
}

TEST(a_client_is_reset_when_no_backend_can_be_reached)
{
    static const enum stream_end ends[] = {STREAM_END_REFUSED, STREAM_END_TIMEOUT};
    static const enum stat_id counted[] = {STAT_proxy_l4_end_backend_refused,
                                           STAT_proxy_l4_end_backend_timeout};
    for (unsigned i = 0; i < array_len(ends); i++) {
        struct world_backend *b;
        begin_with(NULL);
        w.is_opening_held = true;
        struct fake_stream *c = open(&b);
        for (unsigned k = 0; k < 2; k++) {
            fake_stream_break(&world_last(&w)->f, ends[i]);
            world_run(&w);
        }
        CHECK_EQ(w.n_backends, 2);
        CHECK_EQ(c->end, STREAM_END_ABORTED);
        end(counted[i]);
    }
}

TEST(without_an_endpoint_a_route_or_a_connection_a_client_is_reset)
{
    begin_with(NULL);
    world_endpoints(&w, 1, NULL, 0, 0);
    CHECK_EQ(world_connect(&w)->end, STREAM_END_ABORTED);
    end(STAT_proxy_l4_end_no_endpoint);
    begin_with(NULL);
    world_publish_nothing(&w);
    CHECK_EQ(world_connect(&w)->end, STREAM_END_ABORTED);
    end(STAT_proxy_l4_end_no_route);
    begin_with(NULL);
    w.refuse = TCP_OPEN_NO_PORT;
    CHECK_EQ(world_connect(&w)->end, STREAM_END_ABORTED);
    end(STAT_proxy_l4_end_upstream_full);
}

TEST(one_more_than_may_be_is_reset)
{
    struct proxy_config config;
    struct world_backend *b;
    proxy_config_default(&config, 8);
    config.l4_max = 1;
    begin_with(&config);
    struct fake_stream *c = open(&b);
    CHECK_EQ(world_connect(&w)->end, STREAM_END_ABORTED);
    CHECK_EQ(world_stat(&w, STAT_proxy_l4_end_full), 1);
    world_say(&w, c, "still here");
    CHECK_STR(world_asked(b), "still here");
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    end(STAT_proxy_l4_end_client);
}

TEST(a_new_image_or_an_endpoint_that_goes_cuts_nothing)
{
    struct world_backend *b;
    struct fake_stream *c = begin(&b);
    world_publish(&w, 81); /* HTTP, and elsewhere */
    world_endpoints(&w, 1, NULL, 0, 0);
    world_run(&w);
    world_say(&w, c, "on");
    CHECK_STR(world_asked(b), "on");
    fake_stream_push_eof(c);
    fake_stream_push_eof(&b->f);
    world_run(&w);
    end(STAT_proxy_l4_end_complete);
}

TEST(a_connection_of_http_is_not_of_a_tcp_listener_that_came_in_its_place)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    world_publish_l4(&w, IMAGE_PROTOCOL_TCP);
    world_run(&w);
    CHECK(c->is_shutdown);
    CHECK_EQ(world_stat(&w, STAT_proxy_conns_unbound), 1);
    world_done(&w);
}

TEST(nothing_moves_for_too_long_and_a_side_that_is_alone_sooner)
{
    struct proxy_config config;
    struct world_backend *b;
    proxy_config_default(&config, 8);
    config.tunnel_ms = 2000;
    config.body_ms = 1000;
    begin_with(&config);
    struct fake_stream *c = open(&b);
    world_wait(&w, 1900);
    world_say(&w, c, "x");
    world_wait(&w, 1900);
    CHECK(!c->is_released);
    world_wait(&w, 200);
    CHECK_EQ(c->end, STREAM_END_ABORTED);
    CHECK_EQ(b->f.end, STREAM_END_ABORTED);
    end(STAT_proxy_l4_end_idle);
    begin_with(&config);
    c = open(&b);
    fake_stream_push_eof(c);
    world_wait(&w, 900);
    CHECK(!c->is_released);
    world_wait(&w, 200);
    CHECK(c->is_released);
    end(STAT_proxy_l4_end_idle);
}

TEST(a_backend_may_say_how_long_nothing_may_move)
{
    struct proxy_config config;
    struct world_backend *b;
    proxy_config_default(&config, 8);
    config.tunnel_ms = 2000;
    begin_with(&config);
    w.idle_ms = 5000;
    world_publish_l4(&w, IMAGE_PROTOCOL_TCP);
    world_run(&w);
    struct fake_stream *c = open(&b);
    world_wait(&w, 4900);
    CHECK(!c->is_released);
    world_wait(&w, 200);
    CHECK_EQ(c->end, STREAM_END_ABORTED);
    end(STAT_proxy_l4_end_idle);
}

TEST(proxy_headers_are_read_before_and_written_after)
{
    struct world_backend *b;
    begin_with(NULL);
    w.is_proxied = true;
    w.proxy_header = IMAGE_PROXY_HEADER_V1;
    world_publish_l4(&w, IMAGE_PROTOCOL_TCP);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, "PROXY TCP4 203.0.113.9 198.51.100.1 1234 443\r\nand more");
    b = world_last(&w);
    CHECK_STR(world_asked(b), "PROXY TCP4 203.0.113.9 198.51.100.1 1234 443\r\nand more");
    fake_stream_break(&b->f, STREAM_END_RESET);
    world_run(&w);
    end(STAT_proxy_l4_end_backend);
}

TEST(all_that_is_passed_on_ends_with_the_worker)
{
    struct world_backend *b;
    begin(&b);
    w.is_opening_held = true;
    world_connect(&w);
    world_done(&w);
    CHECK_EQ(world_stat(&w, STAT_proxy_l4_end_cut), 2);
}

UNIT_MAIN("proxy/l4", T(bytes_go_both_ways_whatever_they_are),
          T(who_has_ended_may_still_be_told_something), T(a_reset_of_one_side_resets_the_other),
          T(a_side_that_takes_nothing_holds_the_other_back),
          T(what_comes_before_the_backend_is_there_waits),
          T(a_backend_that_refuses_is_tried_once_more_elsewhere),
          T(a_client_is_reset_when_no_backend_can_be_reached),
          T(without_an_endpoint_a_route_or_a_connection_a_client_is_reset),
          T(one_more_than_may_be_is_reset), T(a_new_image_or_an_endpoint_that_goes_cuts_nothing),
          T(a_connection_of_http_is_not_of_a_tcp_listener_that_came_in_its_place),
          T(nothing_moves_for_too_long_and_a_side_that_is_alone_sooner),
          T(a_backend_may_say_how_long_nothing_may_move),
          T(proxy_headers_are_read_before_and_written_after),
          T(all_that_is_passed_on_ends_with_the_worker))
