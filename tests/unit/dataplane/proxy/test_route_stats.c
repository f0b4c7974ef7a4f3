/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted of a route: every request that it took, once, with its status and times. */
#include "base/container.h"
#include "proxy_world.h"
#include "unit.h"

#include <string.h>

static struct world w;

#define GET(path) "GET " path " HTTP/1.1\r\nHost: www.example\r\n\r\n"
#define GET_OF(host, path) "GET " path " HTTP/1.1\r\nHost: " host "\r\n\r\n"

/* The place of a route; NULL: it has none. */
static const struct stats_route *place(const char *name)
{
    for (unsigned i = 0; i < WORLD_ROUTES; i++) {
        if (w.routes[i].version != 0 && strcmp(w.routes[i].name, name) == 0)
            return &w.routes[i];
    }
    return NULL;
}

static uint64_t times(const struct stats_times *t)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < STATS_TIME_BUCKETS; i++)
        n += t->buckets[i];
    return n;
}

TEST(requests_are_counted_with_their_route_by_status_and_time)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, GET("/"));
    world_say(&w, c, GET("/redirect"));
    world_say(&w, c, GET("/none"));
    world_say(&w, c, GET("/fault"));
    const struct stats_route *at = place("ns/route");
    REQUIRE(at != NULL);
    CHECK_EQ(at->requests[2], 1);
    CHECK_EQ(at->requests[3], 1);
    CHECK_EQ(at->requests[5], 2);
    CHECK_EQ(times(&at->total), 4);
    CHECK_EQ(times(&at->head), 1); /* the others have no backend's answer */
    CHECK_EQ(world_stat(&w, STAT_proxy_routes_counted), 1);
    world_done(&w);
}

TEST(a_slow_backend_shows_in_both_times_and_a_client_that_went_has_no_status)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    w.is_manual = true;
    world_say(&w, c, GET("/"));
    world_wait(&w, 300);
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    world_wait(&w, 300);
    world_reply(&w, world_last(&w), "hi");
    const struct stats_route *at = place("ns/route");
    REQUIRE(at != NULL);
    CHECK_EQ(at->head.buckets[stats_time_bucket(at->head.sum_us)], 1);
    CHECK(at->head.sum_us >= 300000 && at->total.sum_us >= 600000);
    world_say(&w, c, GET("/"));
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    CHECK_EQ(at->requests[0], 1);
    CHECK_EQ(times(&at->total), 2);
    CHECK_EQ(times(&at->head), 1);
    world_done(&w);
}

TEST(routes_have_their_own_counts_and_what_no_route_took_has_none)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, GET("/"));
    world_say(&w, c, GET_OF("other.example", "/any"));
    world_say(&w, c, GET_OF("other.example", "/nowhere"));
    uint64_t sum = 0;
    unsigned used = 0;
    for (unsigned i = 0; i < WORLD_ROUTES; i++) {
        sum += times(&w.routes[i].total);
        used += times(&w.routes[i].total) > 0;
    }
    CHECK_EQ(sum, 2);
    CHECK_EQ(used, 2);
    world_done(&w);
}

TEST(a_new_image_goes_on_with_the_counts_of_a_route_that_is_still_there)
{
    world_init(&w, NULL);
    world_say(&w, world_connect(&w), GET("/"));
    world_publish(&w, 81);
    world_publish(&w, 80);
    world_say(&w, world_connect(&w), GET("/"));
    const struct stats_route *at = place("ns/route");
    REQUIRE(at != NULL);
    CHECK_EQ(at->requests[2], 2);
    world_done(&w);
}

TEST(with_too_many_routes_the_last_are_counted_together)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    static const char *const requests[] = {GET("/"), GET_OF("other.example", "/any"),
                                           GET_OF("limit.example", "/route")};
    for (unsigned i = 0; i < array_len(requests); i++)
        world_say(&w, c, requests[i]);
    CHECK_EQ(world_stat(&w, STAT_proxy_routes_counted), WORLD_ROUTES - 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_requests_of_others), 1);
    const struct stats_route *others = place("(others)");
    REQUIRE(others != NULL);
    CHECK_EQ(times(&others->total), 1);
    world_done(&w);
}

/* A connection of a TCPRoute to a backend, which the test plays. */
static struct fake_stream *begin_l4(struct world_backend **ret)
{
    world_init(&w, NULL);
    w.is_manual = true;
    world_publish_l4(&w, IMAGE_PROTOCOL_TCP);
    struct fake_stream *c = world_connect(&w);
    world_run(&w);
    *ret = world_last(&w);
    return c;
}

TEST(a_connection_that_is_passed_on_is_counted_while_it_lives_and_by_its_end)
{
    struct world_backend *b;
    struct fake_stream *c = begin_l4(&b);
    const struct stats_route *at = place("ns/one");
    REQUIRE(at != NULL);
    CHECK_EQ(at->connections.begun, 1);
    world_say(&w, c, "0123456789");
    world_reply(&w, b, "abc");
    CHECK_EQ(at->connections.up_bytes, 10);
    CHECK_EQ(at->connections.down_bytes, 3);
    for (unsigned i = 0; i < STATS_ROUTE_ENDS; i++)
        CHECK_EQ(at->connections.ended[i], 0);
    fake_stream_push_eof(c);
    fake_stream_push_eof(&b->f);
    world_run(&w);
    CHECK_EQ(at->connections.ended[STATS_ROUTE_END_complete], 1);
    c = world_connect(&w);
    world_run(&w);
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    CHECK_EQ(at->connections.ended[STATS_ROUTE_END_client], 1);
    CHECK_EQ(at->connections.begun, 2);
    CHECK_EQ(times(&at->total), 0); /* it is no request */
    world_done(&w);
}

TEST(a_connection_that_nobody_takes_is_counted_with_its_route_if_it_has_one)
{
    struct world_backend *b;
    begin_l4(&b);
    const struct stats_route *at = place("ns/one");
    REQUIRE(at != NULL);
    w.refuse = TCP_OPEN_NO_PORT;
    world_connect(&w);
    world_run(&w);
    CHECK_EQ(at->connections.ended[STATS_ROUTE_END_refused], 1);
    w.refuse = TCP_OPEN_OK;
    world_endpoints(&w, 1, NULL, 0, 0);
    world_connect(&w);
    world_run(&w);
    CHECK_EQ(at->connections.ended[STATS_ROUTE_END_unreached], 1);
    world_publish_nothing(&w);
    world_connect(&w);
    world_run(&w);
    CHECK_EQ(world_stat(&w, STAT_proxy_l4_end_no_route), 1);
    CHECK_EQ(at->connections.begun, 3);
    fake_stream_push(&b->f, SLICE_LIT("still there")); /* whatever the image has become */
    world_run(&w);
    CHECK_EQ(at->connections.down_bytes, 11);
    world_done(&w);
    CHECK_EQ(at->connections.ended[STATS_ROUTE_END_cut], 1);
}

UNIT_MAIN("proxy/route_stats", T(requests_are_counted_with_their_route_by_status_and_time),
          T(a_slow_backend_shows_in_both_times_and_a_client_that_went_has_no_status),
          T(routes_have_their_own_counts_and_what_no_route_took_has_none),
          T(a_new_image_goes_on_with_the_counts_of_a_route_that_is_still_there),
          T(with_too_many_routes_the_last_are_counted_together),
          T(a_connection_that_is_passed_on_is_counted_while_it_lives_and_by_its_end),
          T(a_connection_that_nobody_takes_is_counted_with_its_route_if_it_has_one))
