/* SPDX-License-Identifier: Apache-2.0 */
/* dataplane/proxy/health: which outcomes of a try count against its endpoint. */
#include "base/container.h"
#include "core/endpoint_health.h"
#include "proxy_world.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct world w;

#define GET(path) "GET " path " HTTP/1.1\r\nHost: www.example\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: www.example\r\nContent-Length: 2\r\n\r\n"
#define ANSWER(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n\r\n"

static const struct image_health seen = {.failures = 2,
                                         .base_ejection_ms = 1000,
                                         .max_ejection_ms = 10000,
                                         .max_ejected_percent = 100,
                                         .panic_percent = 50};

/* A client of a world whose group 1 has the policy; `ends`: the last bytes of its endpoints. */
static struct fake_stream *begin(const uint8_t *ends, unsigned n)
{
    world_init(&w, NULL);
    w.is_manual = true;
    w.health = &seen;
    world_publish(&w, 80);
    world_endpoints(&w, 1, ends, n, ENDPOINT_READY | ENDPOINT_SERVING);
    return world_connect(&w);
}

static const uint8_t two_ends[] = {1, 2};

static uint64_t failures(void)
{
    return world_stat(&w, STAT_upstream_failures);
}

/* How many failures are counted in a row at the first endpoint; there is but one. */
static uint32_t in_a_row(void)
{
    return endpoint_group_get(w.table, 1)->health[0].failures;
}

TEST(answers_that_say_that_an_endpoint_cannot_work_count_and_others_begin_anew)
{
    static const struct {
        const char *answer;
        uint32_t in_a_row;
    } rows[] = {
        {ANSWER("502 Bad Gateway"), 1}, {ANSWER("200 OK"), 0},
        {ANSWER("503 Unavailable"), 1}, {ANSWER("404 Not Found"), 0},
        {ANSWER("504 Late"), 1},        {ANSWER("500 Bug"), 0},
        {ANSWER("501 Not Here"), 0},    {ANSWER("505 Version"), 0},
        {ANSWER("503 Unavailable"), 1}, {"HTTP/1.1 100 Continue\r\n\r\n" ANSWER("200 OK"), 0},
    };
    struct fake_stream *c = begin(two_ends, 1);
    for (unsigned i = 0; i < array_len(rows); i++) {
        world_say(&w, c, GET("/"));
        world_reply(&w, world_last(&w), rows[i].answer);
        CHECK(strstr(world_got(&w, c), "HTTP/1.1") != NULL);
        CHECK_EQ(in_a_row(), rows[i].in_a_row);
    }
    CHECK_EQ(failures(), 4);
    world_done(&w);
}

TEST(connections_that_fail_or_end_before_an_answer_count)
{
    static const enum stream_end ends[] = {STREAM_END_RESET, STREAM_END_REFUSED,
                                           STREAM_END_TIMEOUT};
    for (unsigned i = 0; i < 2 * array_len(ends); i++) {
        struct fake_stream *c = begin(two_ends, 1);
        w.is_opening_held = i >= array_len(ends);
        world_say(&w, c, POST("/"));
        fake_stream_break(&world_last(&w)->f, ends[i % array_len(ends)]);
        world_run(&w);
        CHECK_EQ(failures(), 1);
        world_done(&w);
    }
    struct fake_stream *c = begin(two_ends, 1);
    world_say(&w, c, GET("/"));
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Le"); /* half a head */
    fake_stream_break(&world_last(&w)->f, STREAM_END_RESET);
    world_run(&w);
    CHECK_EQ(failures(), 1);
    world_say(&w, c, GET("/"));
    world_reply(&w, world_last(&w), "no HTTP at all\r\n\r\n");
    CHECK_EQ(failures(), 2);
    world_done(&w);
}

TEST(an_idle_connection_that_ended_says_nothing)
{
    struct fake_stream *c = begin(two_ends, 1);
    world_say(&w, c, GET("/"));
    world_reply(&w, world_last(&w), ANSWER("200 OK"));
    world_got(&w, c);
    world_say(&w, c, GET("/")); /* on the same connection */
    CHECK_EQ(w.n_backends, 1);
    fake_stream_break(&world_last(&w)->f, STREAM_END_RESET);
    world_run(&w);
    CHECK_EQ(w.n_backends, 2); /* tried again on a fresh one */
    CHECK_EQ(failures(), 0);
    world_reply(&w, world_last(&w), ANSWER("200 OK"));
    CHECK_STR(world_got(&w, c), ANSWER("200 OK"));
    CHECK_EQ(in_a_row(), 0);
    world_done(&w);
}

TEST(a_backend_that_is_late_counts_and_a_client_that_is_late_does_not)
{
    static const struct {
        const char *request;
        unsigned ms;
        uint64_t failures;
    } rows[] = {
        {GET("/three-seconds"), 3100, 1},
        {POST("/three-seconds"), 3100, 0}, /* its body never came */
        {GET("/one-second"), 1100, 1},
        {POST("/one-second"), 1100, 0},
    };
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct fake_stream *c = begin(two_ends, 1);
        world_say(&w, c, rows[i].request);
        world_wait(&w, rows[i].ms);
        CHECK_EQ(failures(), rows[i].failures);
        world_done(&w);
    }
}

TEST(after_failures_in_a_row_requests_go_elsewhere_until_the_time_is_over)
{
    struct fake_stream *c = begin(two_ends, 2);
    unsigned failed = 0, bad_end = 1;
    for (unsigned i = 0; i < 60; i++) {
        world_say(&w, c, GET("/"));
        bool is_bad = world_last(&w)->args.remote.bytes[15] == bad_end;
        CHECK(!is_bad || world_stat(&w, STAT_upstream_ejected) == 0);
        world_reply(&w, world_last(&w), is_bad ? ANSWER("503 No") : ANSWER("200 OK"));
        fake_stream_break(&world_last(&w)->f, STREAM_END_RESET); /* the next takes a fresh one */
        world_run(&w);
        failed += is_bad;
        world_got(&w, c);
    }
    CHECK_EQ(failed, 2);
    CHECK_EQ(world_stat(&w, STAT_upstream_ejected), 1);
    world_wait(&w, 1010);
    const struct endpoint_group *g = endpoint_group_get(w.table, 1);
    CHECK(endpoint_health_is_usable(&g->health[0], &seen, w.core.now_us));
    world_done(&w);
}

TEST(a_session_leaves_an_endpoint_that_is_ejected)
{
    struct fake_stream *c = begin(two_ends, 2);
    world_say(&w, c, GET("/session"));
    uint8_t first = world_last(&w)->args.remote.bytes[15];
    world_reply(&w, world_last(&w), ANSWER("200 OK"));
    const char *cookie = strstr(world_got(&w, c), "sid=");
    REQUIRE(cookie != NULL);
    char request[512];
    snprintf(request, sizeof(request),
             "GET /session HTTP/1.1\r\nHost: www.example\r\nCookie: %.*s\r\n\r\n",
             (int)strcspn(cookie, ";"), cookie);
    for (unsigned i = 0; i < 2; i++) {
        world_say(&w, c, request);
        CHECK_EQ(world_last(&w)->args.remote.bytes[15], first);
        world_reply(&w, world_last(&w), ANSWER("503 No"));
        world_got(&w, c);
    }
    CHECK_EQ(world_stat(&w, STAT_upstream_ejected), 1);
    world_say(&w, c, request);
    CHECK(world_last(&w)->args.remote.bytes[15] != first);
    world_reply(&w, world_last(&w), ANSWER("200 OK"));
    CHECK(strstr(world_got(&w, c), "Set-Cookie: sid=") != NULL);
    CHECK_EQ(world_stat(&w, STAT_proxy_sessions_moved), 1);
    world_done(&w);
}

UNIT_MAIN("proxy_health",
          T(answers_that_say_that_an_endpoint_cannot_work_count_and_others_begin_anew),
          T(connections_that_fail_or_end_before_an_answer_count),
          T(an_idle_connection_that_ended_says_nothing),
          T(a_backend_that_is_late_counts_and_a_client_that_is_late_does_not),
          T(after_failures_in_a_row_requests_go_elsewhere_until_the_time_is_over),
          T(a_session_leaves_an_endpoint_that_is_ejected))
