/* SPDX-License-Identifier: Apache-2.0 */
/* Retries by policy: what is tried again, how often, when, and what is not. */
#include "base/container.h"
#include "proxy_world.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct world w;

#define GET(path) "GET " path " HTTP/1.1\r\nHost: www.example\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: www.example\r\nContent-Length: 2\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"

static struct fake_stream *begin(void)
{
    world_init(&w, NULL);
    w.is_manual = true;
    return world_connect(&w);
}

/* Waits for the next try; false: it does not come within this time. */
static bool is_tried(unsigned ms)
{
    unsigned before = w.n_backends;
    world_wait(&w, ms);
    return w.n_backends > before;
}

static void check_ends(enum stat_id wanted, uint64_t n)
{
    uint64_t ends = 0;
    for (int id = STAT_proxy_end_complete; id <= STAT_proxy_end_client_gone; id++)
        ends += world_stat(&w, (enum stat_id)id);
    CHECK_EQ(ends, world_stat(&w, STAT_proxy_requests));
    CHECK_EQ(world_stat(&w, wanted), n);
}

TEST(a_listed_status_is_tried_again_elsewhere_after_the_backoff)
{
    struct fake_stream *c = begin();
    world_say(&w, c, GET("/retry"));
    uint8_t first = world_last(&w)->args.remote.bytes[15];
    world_reply(&w, world_last(&w), BUSY);
    CHECK_STR(world_got(&w, c), "");
    CHECK(!is_tried(100));
    CHECK(is_tried(30)); /* 100 ms, and up to a quarter more */
    CHECK(world_last(&w)->args.remote.bytes[15] != first);
    CHECK(strstr(world_asked(world_last(&w)), "GET /retry HTTP/1.1\r\n") != NULL);
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    CHECK_EQ(world_stat(&w, STAT_proxy_retries), 1);
    check_ends(STAT_proxy_end_complete, 1);
    world_done(&w);
}

TEST(the_last_tries_answer_is_the_clients)
{
    struct fake_stream *c = begin();
    world_say(&w, c, GET("/retry"));
    for (unsigned i = 0; i < 3; i++) {
        world_reply(&w, world_last(&w), BUSY);
        CHECK_STR(world_got(&w, c), "");
        CHECK(!is_tried(100u << i)); /* twice as long each time */
        CHECK(is_tried((100u << i) / 4 + 20));
    }
    world_reply(&w, world_last(&w), BUSY);
    CHECK_STR(world_got(&w, c), BUSY);
    CHECK_EQ(world_stat(&w, STAT_proxy_retries), 3);
    check_ends(STAT_proxy_end_complete, 1);
    world_done(&w);
}

TEST(other_statuses_and_other_rules_are_not_tried_again)
{
    struct fake_stream *c = begin();
    world_say(&w, c, GET("/retry"));
    world_reply(&w, world_last(&w), "HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n");
    CHECK_STR(world_got(&w, c), "HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n");
    world_say(&w, c, GET("/"));
    world_reply(&w, world_last(&w), BUSY);
    CHECK_STR(world_got(&w, c), BUSY);
    CHECK_EQ(world_stat(&w, STAT_proxy_retries), 0);
    world_done(&w);
}

TEST(a_status_is_tried_again_whatever_the_method_unless_a_body_has_moved)
{
    struct fake_stream *c = begin();
    world_say(&w, c,
              "POST /retry HTTP/1.1\r\nHost: www.example\r\n"
              "Transfer-Encoding: chunked\r\n\r\n"); /* its body is not there yet */
    world_reply(&w, world_last(&w), BUSY);
    CHECK(is_tried(130));
    world_say(&w, c, "2\r\nab\r\n0\r\n\r\n");
    world_reply(&w, world_last(&w), BUSY);
    CHECK_STR(world_got(&w, c), BUSY); /* we have no copy of the body */
    CHECK_EQ(world_stat(&w, STAT_proxy_retries), 1);
    world_done(&w);
}

TEST(a_lost_connection_is_tried_again_under_a_policy_whatever_the_method)
{
    static const struct {
        const char *request;
        bool is_tried;
    } rows[] = {{GET("/retry"), true}, {POST("/retry"), true}, {GET("/"), false}};
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct fake_stream *c = begin();
        world_say(&w, c, rows[i].request);
        fake_stream_break(&world_last(&w)->f, STREAM_END_RESET);
        world_run(&w);
        CHECK_EQ(is_tried(130), rows[i].is_tried);
        CHECK_EQ(world_got(&w, c)[0] != '\0', !rows[i].is_tried);
        world_done(&w);
    }
}

TEST(an_answer_that_was_cut_is_asked_for_again_where_twice_is_as_once)
{
    static const struct {
        const char *request;
        bool is_tried;
    } rows[] = {{GET("/retry"), true}, {POST("/retry"), false}};
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct fake_stream *c = begin();
        world_say(&w, c, rows[i].request);
        world_reply(&w, world_last(&w), "HTTP/1.1 20");
        fake_stream_break(&world_last(&w)->f, STREAM_END_RESET);
        world_run(&w);
        CHECK_EQ(is_tried(130), rows[i].is_tried);
        world_done(&w);
    }
}

TEST(connections_that_cannot_be_opened_are_tried_as_often_as_the_rule_says)
{
    struct fake_stream *c = begin();
    w.is_opening_held = true;
    world_say(&w, c, GET("/retry"));
    for (unsigned i = 0; i < 4; i++) { /* the second at once, for that can do no harm */
        CHECK_EQ(w.n_backends, i + 1);
        CHECK_STR(world_got(&w, c), "");
        fake_stream_break(&world_last(&w)->f, STREAM_END_REFUSED);
        world_run(&w);
        if (i > 0)
            world_wait(&w, 600);
    }
    CHECK_EQ(w.n_backends, 4);
    CHECK(strncmp(world_got(&w, c), "HTTP/1.1 502 ", 13) == 0);
    check_ends(STAT_proxy_end_backend_refused, 1);
    world_done(&w);
}

TEST(a_try_that_takes_too_long_is_broken_off_and_the_request_has_its_limit)
{
    struct fake_stream *c = begin();
    world_say(&w, c, GET("/retry-late"));
    struct world_backend *first = world_last(&w);
    CHECK(!is_tried(1480));
    CHECK(first->f.is_released);
    CHECK(is_tried(160)); /* 1 s, and 500 to 625 ms */
    world_wait(&w, 1000);
    CHECK_STR(world_got(&w, c), "");
    world_wait(&w, 400); /* 3 s in all: within the second backoff */
    CHECK(strncmp(world_got(&w, c), "HTTP/1.1 504 ", 13) == 0);
    CHECK_EQ(world_stat(&w, STAT_proxy_retries), 2);
    CHECK_EQ(w.n_backends, 2);
    check_ends(STAT_proxy_end_backend_timeout, 1);
    world_done(&w);
}

TEST(a_client_may_go_while_its_request_waits_for_the_next_try)
{
    struct fake_stream *c = begin();
    world_say(&w, c, GET("/retry"));
    world_reply(&w, world_last(&w), BUSY);
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    check_ends(STAT_proxy_end_client_gone, 1);
    CHECK(!is_tried(200));
    world_done(&w);
    c = begin();
    world_say(&w, c, GET("/retry"));
    world_reply(&w, world_last(&w), BUSY);
    world_done(&w); /* with a request that waits */
}

/* One retry for five requests, and ten a second: the world is a second old. */
TEST(a_group_in_trouble_does_not_get_more_for_it)
{
    enum { REQUESTS = 15, RETRIES = 10 + REQUESTS / 5 };
    struct fake_stream *c[REQUESTS];
    unsigned answered = 0;
    c[0] = begin();
    for (unsigned i = 0; i < REQUESTS; i++) {
        c[i] = i == 0 ? c[0] : world_connect(&w);
        world_say(&w, c[i], GET("/retry"));
    }
    for (unsigned i = 0; i < REQUESTS; i++)
        world_reply(&w, &w.backends[i], BUSY);
    for (unsigned i = 0; i < REQUESTS; i++)
        answered += strcmp(world_got(&w, c[i]), BUSY) == 0;
    CHECK_EQ(answered, REQUESTS - RETRIES);
    CHECK_EQ(world_stat(&w, STAT_proxy_retries), RETRIES);
    CHECK_EQ(world_stat(&w, STAT_proxy_retries_denied), REQUESTS - RETRIES);
    world_done(&w);
}

UNIT_MAIN("proxy/retry", T(a_listed_status_is_tried_again_elsewhere_after_the_backoff),
          T(the_last_tries_answer_is_the_clients),
          T(other_statuses_and_other_rules_are_not_tried_again),
          T(a_status_is_tried_again_whatever_the_method_unless_a_body_has_moved),
          T(a_lost_connection_is_tried_again_under_a_policy_whatever_the_method),
          T(an_answer_that_was_cut_is_asked_for_again_where_twice_is_as_once),
          T(connections_that_cannot_be_opened_are_tried_as_often_as_the_rule_says),
          T(a_try_that_takes_too_long_is_broken_off_and_the_request_has_its_limit),
          T(a_client_may_go_while_its_request_waits_for_the_next_try),
          T(a_group_in_trouble_does_not_get_more_for_it))
