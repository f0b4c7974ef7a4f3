/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges as client and backend see them; after each test every pool is empty. */
#include "base/container.h"
#include "proxy_world.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static struct world w;

#define REQ(path) "GET " path " HTTP/1.1\r\nHost: www.example\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

/* A request counted in, and out again, by exactly one counter. */
static void check_ends(enum stat_id wanted, uint64_t n)
{
    uint64_t ends = 0;
    for (int id = STAT_proxy_end_complete; id <= STAT_proxy_end_client_gone; id++)
        ends += world_stat(&w, (enum stat_id)id);
    CHECK_EQ(ends, world_stat(&w, STAT_proxy_requests));
    CHECK_EQ(world_stat(&w, wanted), n);
}

/* So that the second request goes where the first one did. */
static void use_one_endpoint(void)
{
    world_endpoints(&w, 1, (const uint8_t[]){1}, 1, ENDPOINT_READY);
}

static const char *ask(struct fake_stream *c, const char *text)
{
    world_say(&w, c, text);
    return world_got(&w, c);
}

TEST(a_request_is_forwarded_and_its_answer_comes_back)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c,
              "GET /a/./b%41?q=1 HTTP/1.1\r\nHost: WWW.example\r\nConnection: x-hop\r\n"
              "X-Hop: 1\r\nX-Other: 2\r\nX-Forwarded-For: 203.0.113.9\r\nUpgrade: h2c\r\n\r\n");
    CHECK_STR(
        world_asked(world_last(&w)),
        "GET /a/bA?q=1 HTTP/1.1\r\nHost: www.example\r\nX-Other: 2\r\n"
        "X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
        "X-Forwarded-Host: www.example\r\n"
        "Forwarded: for=192.0.2.7;host=\"www.example\";proto=http\r\nVia: 1.1 sluice\r\n\r\n");
    world_reply(&w, world_last(&w),
                "HTTP/1.1 201 Fine\r\nX-A: b\r\nConnection: x-b\r\nX-B: c\r\n"
                "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    world_reply(&w, world_last(&w), "2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n");
    CHECK_STR(world_got(&w, c), "HTTP/1.1 201 Fine\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    check_ends(STAT_proxy_end_complete, 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_response_bytes), 5);
    world_done(&w);
}

/* What a client claims stands before what we say, in each of the lists. */
TEST(the_backend_is_told_the_requests_way_behind_what_the_client_claims)
{
    static const struct {
        const char *request, *told;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: www.example:8080\r\nVia: 1.0 other\r\n"
         "Forwarded: for=203.0.113.9\r\nX-Forwarded-Host: came\r\nX-Forwarded-Proto: https\r\n\r\n",
         "Via: 1.0 other\r\nForwarded: for=203.0.113.9\r\nX-Forwarded-Host: came\r\n"
         "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
         "Forwarded: for=192.0.2.7;host=\"www.example:8080\";proto=http\r\nVia: 1.1 "
         "sluice\r\n\r\n"},
        {"GET /any HTTP/1.0\r\n\r\n",
         "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
         "Forwarded: for=192.0.2.7;proto=http\r\nVia: 1.0 sluice\r\n\r\n"},
    };
    for (unsigned i = 0; i < array_len(rows); i++) {
        world_init(&w, NULL);
        w.is_manual = true;
        world_say(&w, world_connect(&w), rows[i].request);
        CHECK(strstr(world_asked(world_last(&w)), rows[i].told) != NULL);
        world_done(&w);
    }
}

TEST(an_address_with_colons_is_quoted_in_forwarded)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect_from(&w, "2001:db8::7");
    world_say(&w, c, REQ("/"));
    CHECK(strstr(world_asked(world_last(&w)),
                 "X-Forwarded-For: 2001:db8::7\r\nX-Forwarded-Proto: http\r\n"
                 "X-Forwarded-Host: www.example\r\n"
                 "Forwarded: for=\"[2001:db8::7]\";host=\"www.example\";proto=http\r\n") != NULL);
    world_done(&w);
}

TEST(connections_are_kept_on_both_sides)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    for (unsigned i = 0; i < 20; i++)
        CHECK_STR(ask(c, REQ("/")), OK);
    CHECK(w.n_backends <= 2);
    CHECK(world_stat(&w, STAT_upstream_reused) >= 18);
    check_ends(STAT_proxy_end_complete, 20);
    world_done(&w);
}

TEST(pipelined_requests_are_answered_in_order)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, REQ("/") REQ("/none") REQ("/")),
              OK "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 19\r\n\r\n"
                 "Service Unavailable" OK);
    check_ends(STAT_proxy_end_complete, 2);
    check_ends(STAT_proxy_end_no_endpoint, 1);
    world_done(&w);
}

TEST(own_answers_say_why)
{
    static const struct {
        const char *request;
        const char *status;
        enum stat_id end;
    } cases[] = {
        {REQ("/fault"), "HTTP/1.1 500 ", STAT_proxy_end_rule_fault},
        {REQ("/none"), "HTTP/1.1 503 ", STAT_proxy_end_no_endpoint},
        {"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n", "HTTP/1.1 404 ", STAT_proxy_end_no_route},
        {REQ("/redirect?x=y"), "HTTP/1.1 302 ", STAT_proxy_end_redirect},
    };
    for (unsigned i = 0; i < array_len(cases); i++) {
        world_init(&w, NULL);
        struct fake_stream *c = world_connect(&w);
        const char *got = ask(c, cases[i].request);
        CHECK(strncmp(got, cases[i].status, strlen(cases[i].status)) == 0);
        check_ends(cases[i].end, 1);
        if (cases[i].end == STAT_proxy_end_redirect)
            CHECK(strstr(got, "Location: https://to.example/redirect?x=y\r\n") != NULL);
        CHECK_EQ(w.n_backends, 0);
        world_done(&w);
    }
}

TEST(header_filters_and_rewrites_are_carried_out)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c,
              "GET /headers HTTP/1.1\r\nHost: www.example\r\nx-set: 9\r\nX-ADD: 9\r\n"
              "X-Remove: 9\r\n\r\n");
    CHECK_STR(world_asked(world_last(&w)),
              "GET /headers HTTP/1.1\r\nHost: www.example\r\nX-ADD: 9\r\n"
              "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
              "X-Forwarded-Host: www.example\r\n"
              "Forwarded: for=192.0.2.7;host=\"www.example\";proto=http\r\nVia: 1.1 sluice\r\n"
              "X-Set: 1\r\nX-Add: 2\r\n\r\n");
    world_reply(&w, world_last(&w),
                "HTTP/1.1 200 OK\r\nServer: x\r\nX-Secret: y\r\nContent-Length: 0\r\n\r\n");
    CHECK_STR(world_got(&w, c), "HTTP/1.1 200 OK\r\nServer: sluice\r\nContent-Length: 0\r\n\r\n");
    world_say(&w, c, REQ("/rewrite/a?b"));
    CHECK(strstr(world_asked(world_last(&w)), "GET /new/a?b HTTP/1.1\r\nHost: inner.example\r\n") !=
          NULL);
    world_done(&w);
}

TEST(filters_of_a_backend_come_after_those_of_its_rule)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, "GET /backend-headers HTTP/1.1\r\nHost: www.example\r\nX-Set: client\r\n\r\n");
    CHECK_STR(world_asked(world_last(&w)),
              "GET /backend-headers HTTP/1.1\r\nHost: www.example\r\n"
              "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
              "X-Forwarded-Host: www.example\r\n"
              "Forwarded: for=192.0.2.7;host=\"www.example\";proto=http\r\nVia: 1.1 sluice\r\n"
              "X-Set: backend\r\n\r\n");
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    CHECK_STR(world_got(&w, c), "HTTP/1.1 200 OK\r\nX-From: backend\r\nContent-Length: 0\r\n\r\n");
    world_done(&w);
}

#define PREFLIGHT(path, origin, more)                                                              \
    "OPTIONS " path " HTTP/1.1\r\nHost: www.example\r\nOrigin: " origin "\r\n"                     \
    "Access-Control-Request-Method: PUT\r\n" more "\r\n"

TEST(preflights_are_answered_by_the_rules_cors_filter)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, PREFLIGHT("/cors", "https://x.b.example",
                               "Access-Control-Request-Headers: x-1, x-2\r\n")),
              "HTTP/1.1 204 No Content\r\nVary: Origin\r\n"
              "Access-Control-Allow-Origin: https://x.b.example\r\n"
              "Access-Control-Allow-Credentials: true\r\n"
              "Access-Control-Expose-Headers: X-A, X-B\r\n"
              "Access-Control-Allow-Methods: PUT, DELETE\r\n"
              "Access-Control-Allow-Headers: x-1, x-2\r\nAccess-Control-Max-Age: 60\r\n\r\n");
    CHECK_STR(ask(c, PREFLIGHT("/cors-moved", "null", "")),
              "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\n"
              "Access-Control-Allow-Methods: PUT\r\nAccess-Control-Max-Age: 5\r\n\r\n");
    const char *got = ask(c, PREFLIGHT("/cors", "https://evil.example", ""));
    CHECK(strncmp(got, "HTTP/1.1 403 ", 13) == 0);
    CHECK(strstr(got, "Access-Control") == NULL);
    CHECK_EQ(w.n_backends, 0);
    CHECK_EQ(world_stat(&w, STAT_proxy_preflights_denied), 1);
    check_ends(STAT_proxy_end_preflight, 3);
    CHECK(strstr(ask(c, PREFLIGHT("/", "https://a.example", "")), "HTTP/1.1 200 ") != NULL);
    CHECK(w.n_backends > 0); /* a rule without the filter lets backends answer */
    world_done(&w);
}

#define FROM(path, origin)                                                                         \
    "GET " path " HTTP/1.1\r\nHost: www.example\r\nOrigin: " origin "\r\n\r\n"

/* What a backend says of CORS is not what its route says. */
TEST(answers_tell_of_cors_what_the_filter_says_and_nothing_else)
{
    static const struct {
        const char *request, *told;
    } rows[] = {
        {FROM("/cors", "https://a.example"),
         "Vary: Origin\r\nAccess-Control-Allow-Origin: https://a.example\r\n"
         "Access-Control-Allow-Credentials: true\r\nAccess-Control-Expose-Headers: X-A, X-B\r\n"},
        {FROM("/cors", "https://x.b.example"),
         "Vary: Origin\r\nAccess-Control-Allow-Origin: https://x.b.example\r\n"
         "Access-Control-Allow-Credentials: true\r\nAccess-Control-Expose-Headers: X-A, X-B\r\n"},
        {FROM("/cors", "https://evil.example"), "Vary: Origin\r\n"},
        {REQ("/cors"), "Vary: Origin\r\n"},
    };
    for (unsigned i = 0; i < array_len(rows); i++) {
        char want[400];
        world_init(&w, NULL);
        w.is_manual = true;
        struct fake_stream *c = world_connect(&w);
        world_say(&w, c, rows[i].request);
        world_reply(&w, world_last(&w),
                    "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nX-A: 1\r\n"
                    "Access-Control-Max-Age: 9\r\nContent-Length: 0\r\n\r\n");
        snprintf(want, sizeof(want), "HTTP/1.1 200 OK\r\nX-A: 1\r\n%sContent-Length: 0\r\n\r\n",
                 rows[i].told);
        CHECK_STR(world_got(&w, c), want);
        world_done(&w);
    }
}

TEST(our_own_answers_tell_of_cors_too)
{
    world_init(&w, NULL);
    w.refuse = TCP_OPEN_NO_ROUTE;
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, FROM("/cors-moved", "https://any.example")),
              "HTTP/1.1 302 Found\r\nAccess-Control-Allow-Origin: *\r\n"
              "Location: http://www.example:8080/cors-moved\r\nContent-Length: 5\r\n\r\nFound");
    CHECK(strstr(ask(c, FROM("/cors", "https://x.b.example")),
                 "HTTP/1.1 503 Service Unavailable\r\nVary: Origin\r\n"
                 "Access-Control-Allow-Origin: https://x.b.example\r\n") != NULL);
    world_done(&w);
}

TEST(backends_are_chosen_by_weight)
{
    static const uint8_t three[] = {3};
    world_init(&w, NULL);
    world_endpoints(&w, 2, three, 1, ENDPOINT_READY);
    struct fake_stream *c = world_connect(&w);
    for (unsigned i = 0; i < 400; i++)
        ask(c, REQ("/two"));
    uint64_t to_two = 0;
    for (unsigned i = 0; i < w.n_backends; i++) {
        if (w.backends[i].args.remote.bytes[15] == 3)
            to_two += w.backends[i].parsed > 0 ? 1 : 0;
    }
    CHECK(to_two >= 1);
    size_t bytes_two = 0;
    size_t bytes = 0;
    for (unsigned i = 0; i < w.n_backends; i++) {
        bytes += w.backends[i].parsed;
        bytes_two += w.backends[i].args.remote.bytes[15] == 3 ? w.backends[i].parsed : 0;
    }
    CHECK(bytes_two * 100 > bytes * 68 && bytes_two * 100 < bytes * 82);
    world_done(&w);
}

TEST(head_has_the_fields_and_no_body)
{
    world_init(&w, NULL);
    use_one_endpoint();
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, "HEAD / HTTP/1.1\r\nHost: www.example\r\n\r\n");
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    CHECK_STR(world_got(&w, c), "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    world_say(&w, c, REQ("/"));
    world_reply(&w, world_last(&w), "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n");
    CHECK_STR(world_got(&w, c), "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n");
    CHECK_EQ(w.n_backends, 1);
    check_ends(STAT_proxy_end_complete, 2);
    world_done(&w);
}

#define PUT "PUT / HTTP/1.1\r\nHost: www.example\r\nContent-Length: 5\r\n"
#define EXPECT "Expect: 100-continue\r\n\r\n"

TEST(a_100_of_the_backend_goes_to_the_client)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, PUT EXPECT);
    CHECK(strstr(world_asked(world_last(&w)), "Expect: 100-continue\r\n") != NULL);
    world_reply(&w, world_last(&w), "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK_STR(world_got(&w, c), "HTTP/1.1 100 Continue\r\n\r\n");
    world_say(&w, c, "hello");
    CHECK(strstr(world_asked(world_last(&w)), "\r\n\r\nhello") != NULL);
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    CHECK_EQ(world_stat(&w, STAT_proxy_continues), 0);
    check_ends(STAT_proxy_end_complete, 1);
    world_done(&w);
}

TEST(a_backend_that_never_says_100_does_not_stop_a_client_that_waits_for_it)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, PUT EXPECT);
    CHECK_STR(world_got(&w, c), "");
    world_wait(&w, 1000);
    CHECK_STR(world_got(&w, c), "HTTP/1.1 100 Continue\r\n\r\n");
    world_reply(&w, world_last(&w), "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK_STR(world_got(&w, c), ""); /* once is enough */
    CHECK_EQ(world_stat(&w, STAT_proxy_informational_dropped), 1);
    world_say(&w, c, "hello");
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    CHECK_EQ(world_stat(&w, STAT_proxy_continues), 1);
    world_done(&w);
}

TEST(a_refusal_instead_of_100_ends_the_connection_after_it)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, PUT EXPECT);
    world_reply(&w, world_last(&w), "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
    CHECK_STR(world_got(&w, c), "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
    CHECK(c->is_shutdown);
    CHECK_EQ(world_stat(&w, STAT_upstream_aborted), 1);
    check_ends(STAT_proxy_end_complete, 1);
    world_done(&w);
}

TEST(an_early_answer_reaches_a_client_that_is_still_sending)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, PUT "\r\nhe");
    world_reply(&w, world_last(&w), "HTTP/1.1 413 Big\r\nContent-Length: 0\r\n\r\n");
    CHECK_STR(world_got(&w, c), "HTTP/1.1 413 Big\r\nContent-Length: 0\r\n\r\n");
    CHECK(c->is_shutdown && !c->is_released);
    world_say(&w, c, "llo");
    world_wait(&w, 6000);
    CHECK(c->is_released);
    check_ends(STAT_proxy_end_complete, 1);
    world_done(&w);
}

TEST(http_1_0_clients_get_no_chunks_and_a_close)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, "GET / HTTP/1.0\r\nHost: www.example\r\nConnection: keep-alive\r\n\r\n");
    world_reply(&w, world_last(&w),
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    CHECK_STR(world_got(&w, c), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
    CHECK(c->is_shutdown);
    world_done(&w);
}

TEST(an_http_1_0_request_without_host_goes_by_the_address_that_it_came_to)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, "GET /any HTTP/1.0\r\n\r\n");
    CHECK_STR(world_asked(world_last(&w)),
              "GET /any HTTP/1.1\r\nHost: 198.18.0.1:80\r\nX-Forwarded-For: 192.0.2.7\r\n"
              "X-Forwarded-Proto: http\r\nForwarded: for=192.0.2.7;proto=http\r\nVia: 1.0 "
              "sluice\r\n\r\n");
    world_done(&w);
}

TEST(a_body_until_close_becomes_chunks)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/"));
    world_reply(&w, world_last(&w), "HTTP/1.0 200 OK\r\n\r\nabc");
    fake_stream_push_eof(&world_last(&w)->f);
    world_run(&w);
    CHECK_STR(world_got(&w, c), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "3\r\nabc\r\n0\r\n\r\n");
    check_ends(STAT_proxy_end_complete, 1);
    CHECK_EQ(world_stat(&w, STAT_upstream_closed_done), 1);
    world_done(&w);
}

/* One reused connection is idle; then it dies without an answer to `request`. */
static struct fake_stream *lose_reused(const char *request)
{
    static const uint8_t one[] = {1};
    world_init(&w, NULL);
    world_endpoints(&w, 1, one, 1, ENDPOINT_READY);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, REQ("/")), OK);
    CHECK_EQ(w.n_backends, 1);
    w.is_manual = true;
    world_say(&w, c, request);
    CHECK_EQ(w.n_backends, 1);
    fake_stream_break(&w.backends[0].f, STREAM_END_RESET);
    world_run(&w);
    return c;
}

TEST(a_request_on_a_dead_idle_connection_is_tried_once_more)
{
    struct fake_stream *c = lose_reused(REQ("/"));
    CHECK_EQ(w.n_backends, 2);
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    CHECK_EQ(world_stat(&w, STAT_proxy_retries), 1);
    check_ends(STAT_proxy_end_complete, 2);
    world_done(&w);
}

TEST(what_is_not_idempotent_or_has_sent_a_body_is_not_tried_again)
{
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHost: www.example\r\nContent-Length: 0\r\n\r\n",
        PUT "\r\nhello",
    };
    for (unsigned i = 0; i < 2; i++) {
        struct fake_stream *c = lose_reused(requests[i]);
        CHECK_EQ(w.n_backends, 1);
        CHECK(strncmp(world_got(&w, c), "HTTP/1.1 502 ", 13) == 0);
        check_ends(STAT_proxy_end_backend_silent, 1);
        world_done(&w);
    }
}

TEST(a_refused_connection_is_tried_on_another_endpoint)
{
    world_init(&w, NULL);
    w.is_manual = true;
    w.is_opening_held = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/"));
    w.is_opening_held = false;
    fake_stream_break(&w.backends[0].f, STREAM_END_REFUSED);
    world_run(&w);
    CHECK_EQ(w.n_backends, 2);
    CHECK(!ip_addr_eq(&w.backends[0].args.remote, &w.backends[1].args.remote));
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    check_ends(STAT_proxy_end_complete, 1);
    world_done(&w);
}

TEST(a_backend_that_refuses_twice_is_502_and_one_that_is_silent_504)
{
    static const struct {
        enum stream_end end;
        const char *status;
        enum stat_id counter;
    } cases[] = {{STREAM_END_REFUSED, "HTTP/1.1 502 ", STAT_proxy_end_backend_refused},
                 {STREAM_END_TIMEOUT, "HTTP/1.1 504 ", STAT_proxy_end_backend_timeout}};
    for (unsigned i = 0; i < 2; i++) {
        world_init(&w, NULL);
        w.is_opening_held = true;
        struct fake_stream *c = world_connect(&w);
        world_say(&w, c, REQ("/"));
        fake_stream_break(&w.backends[0].f, cases[i].end);
        world_run(&w);
        fake_stream_break(&w.backends[1].f, cases[i].end);
        world_run(&w);
        CHECK(strncmp(world_got(&w, c), cases[i].status, 13) == 0);
        CHECK(!c->is_shutdown);
        check_ends(cases[i].counter, 1);
        world_done(&w);
    }
}

TEST(a_backend_that_breaks_the_rules_is_502)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/"));
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nA : b\r\n\r\n");
    CHECK(strncmp(world_got(&w, c), "HTTP/1.1 502 ", 13) == 0);
    check_ends(STAT_proxy_end_backend_fault, 1);
    CHECK_EQ(world_stat(&w, STAT_http_backend_refused_field_space), 1);
    world_done(&w);
}

TEST(an_answer_cut_at_any_byte_is_never_faked_as_whole)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for (size_t n = 0; n < sizeof(answer) - 1; n++) {
        for (unsigned how = 0; how < 2; how++) {
            char part[sizeof(answer)];
            memcpy(part, answer, n);
            part[n] = '\0';
            world_init(&w, NULL);
            w.is_manual = true;
            struct fake_stream *c = world_connect(&w);
            world_say(&w, c, REQ("/"));
            world_reply(&w, world_last(&w), part);
            if (how == 0)
                fake_stream_break(&world_last(&w)->f, STREAM_END_RESET);
            else
                fake_stream_push_eof(&world_last(&w)->f);
            world_run(&w);
            bool is_cut = c->end == STREAM_END_ABORTED;
            bool is_502 = strncmp(world_got(&w, c), "HTTP/1.1 502 ", 13) == 0;
            CHECK(is_cut != is_502);
            CHECK(strstr(answer, "0\r\n\r\n") != NULL);
            check_ends(is_502 ? STAT_proxy_end_backend_silent : STAT_proxy_end_backend_cut, 1);
            world_done(&w);
        }
    }
}

TEST(a_client_that_goes_at_any_byte_takes_its_backend_connection_with_it)
{
    static const char request[] = "POST /a HTTP/1.1\r\nHost: www.example\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for (size_t n = 0; n < sizeof(request); n++) {
        char part[sizeof(request)];
        memcpy(part, request, n);
        part[n] = '\0';
        world_init(&w, NULL);
        w.is_manual = true;
        struct fake_stream *c = world_connect(&w);
        world_say(&w, c, part);
        fake_stream_break(c, STREAM_END_RESET);
        world_run(&w);
        check_ends(STAT_proxy_end_client_gone, w.n_backends);
        if (w.n_backends > 0)
            CHECK(world_last(&w)->f.is_released);
        world_done(&w);
    }
}

/* A request with a body of `len` bytes and an answer of the same, through windows of `room`. */
static void stream_both_ways(size_t room, size_t len, bool is_chunked)
{
    world_init(&w, NULL);
    w.is_manual = true;
    w.out_room = room;
    struct fake_stream *c = world_connect(&w);
    char *body = malloc(len);
    for (size_t i = 0; i < len; i++)
        body[i] = (char)('a' + i % 23);
    char head[128];
    int n = snprintf(head, sizeof(head),
                     "PUT / HTTP/1.1\r\nHost: www.example\r\nContent-Length: %zu"
                     "\r\n\r\n",
                     len);
    fake_stream_push(c, slice_of(head, (size_t)n));
    fake_stream_push(c, slice_of(body, len));
    world_run(&w);
    struct fake_stream *b = &world_last(&w)->f;
    for (unsigned i = 0; i < 100000 && b->out.len < len + 1; i++) {
        CHECK(b->out.len - b->out.taken <= room);
        fake_stream_take(b, room);
        world_run(&w);
    }
    for (unsigned i = 0; i < 1000; i++) {
        fake_stream_take(b, room);
        world_run(&w);
    }
    CHECK(b->out.len > len && memcmp(b->out.ptr + b->out.len - len, body, len) == 0);
    if (is_chunked)
        n = snprintf(head, sizeof(head),
                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", len);
    else
        n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    fake_stream_push(b, slice_of(head, (size_t)n));
    fake_stream_push(b, slice_of(body, len));
    if (is_chunked)
        fake_stream_push(b, SLICE_LIT("\r\n0\r\n\r\n"));
    for (unsigned i = 0; i < 100000 && world_stat(&w, STAT_proxy_end_complete) == 0; i++) {
        world_run(&w);
        CHECK(c->out.len - c->out.taken <= room);
        fake_stream_take(c, room);
    }
    for (unsigned i = 0; i < 100; i++) {
        fake_stream_take(c, room);
        world_run(&w);
    }
    check_ends(STAT_proxy_end_complete, 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_request_bytes), len);
    CHECK_EQ(world_stat(&w, STAT_proxy_response_bytes), len);
    if (!is_chunked)
        CHECK(memcmp(c->out.ptr + c->out.len - len, body, len) == 0);
    CHECK_STR(ask(c, "x"), ""); /* the connection lives */
    CHECK(!c->is_shutdown);
    free(body);
    world_done(&w);
}

TEST(bodies_pass_both_ways_through_windows_of_any_size)
{
    static const size_t rooms[] = {1, 2, 3, 5, 7, 16, 40, 100, 1500, 1u << 20};
    for (unsigned i = 0; i < array_len(rooms); i++) {
        stream_both_ways(rooms[i], rooms[i] < 100 ? 500 : 30000, false);
        stream_both_ways(rooms[i], rooms[i] < 100 ? 500 : 30000, true);
    }
}

TEST(a_bad_chunk_in_a_request_is_400_and_the_backend_connection_is_not_reused)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c,
              "PUT / HTTP/1.1\r\nHost: www.example\r\nTransfer-Encoding: chunked\r\n\r\n"
              "3\r\nabc\r\nx\r\n");
    CHECK(strncmp(world_got(&w, c), "HTTP/1.1 400 ", 13) == 0);
    CHECK(c->is_shutdown);
    check_ends(STAT_proxy_end_client_fault, 1);
    CHECK_EQ(world_stat(&w, STAT_http_refused_chunk_size), 1);
    CHECK_EQ(world_stat(&w, STAT_upstream_aborted), 1);
    world_done(&w);
}

TEST(a_silent_backend_is_504_and_a_silent_client_408)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/"));
    world_wait(&w, 61000);
    CHECK(strncmp(world_got(&w, c), "HTTP/1.1 504 ", 13) == 0);
    check_ends(STAT_proxy_end_backend_timeout, 1);
    world_say(&w, c, PUT "\r\nhe");
    world_wait(&w, 61000);
    CHECK(strncmp(world_got(&w, c), "HTTP/1.1 408 ", 13) == 0);
    check_ends(STAT_proxy_end_client_slow, 1);
    world_done(&w);
}

TEST(a_call_may_be_silent_as_long_as_a_tunnel)
{
    struct proxy_config config;
    proxy_config_default(&config, 8);
    config.tunnel_ms = 300 * 1000;
    world_init(&w, &config);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c,
              "POST /a.Service/Watch HTTP/1.1\r\nHost: calls.example\r\n"
              "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    world_wait(&w, 200 * 1000); /* the client owes the rest, and gets nothing, either */
    CHECK_STR(world_got(&w, c), "");
    world_say(&w, c, "0\r\n\r\n");
    world_wait(&w, 90 * 1000);
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
    CHECK(strncmp(world_got(&w, c), "HTTP/1.1 200 ", 13) == 0);
    world_wait(&w, 250 * 1000);
    CHECK_EQ(c->end, STREAM_END_OPEN);
    world_wait(&w, 60 * 1000);
    CHECK_EQ(c->end, STREAM_END_ABORTED);
    check_ends(STAT_proxy_end_backend_cut, 1);
    world_done(&w);
}

TEST(the_rules_own_time_limits_hold_also_when_bytes_trickle)
{
    static const char *const requests[] = {REQ("/one-second"), REQ("/three-seconds")};
    for (unsigned i = 0; i < 2; i++) {
        world_init(&w, NULL);
        w.is_manual = true;
        struct fake_stream *c = world_connect(&w);
        world_say(&w, c, requests[i]);
        world_wait(&w, 900);
        CHECK_STR(world_got(&w, c), "");
        world_wait(&w, i == 0 ? 200 : 2200);
        CHECK(strncmp(world_got(&w, c), "HTTP/1.1 504 ", 13) == 0);
        check_ends(STAT_proxy_end_backend_timeout, 1);
        world_say(&w, c, requests[i]);
        world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        for (unsigned n = 0; n < 40 && c->end == STREAM_END_OPEN; n++) {
            world_reply(&w, world_last(&w), "x");
            world_wait(&w, 100);
        }
        CHECK_EQ(c->end, STREAM_END_ABORTED);
        check_ends(STAT_proxy_end_backend_cut, 1);
        world_done(&w);
    }
}

TEST(a_stalled_answer_is_cut_whoever_stalls)
{
    for (unsigned is_client = 0; is_client < 2; is_client++) {
        world_init(&w, NULL);
        w.is_manual = true;
        w.out_room = is_client ? 60 : SIZE_MAX;
        struct fake_stream *c = world_connect(&w);
        w.out_room = SIZE_MAX;
        world_say(&w, c, REQ("/"));
        world_reply(&w, world_last(&w),
                    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
                    "0123456789012345678901234567890123456789");
        world_wait(&w, 61000);
        CHECK_EQ(c->end, STREAM_END_ABORTED);
        check_ends(is_client ? STAT_proxy_end_client_slow : STAT_proxy_end_backend_cut, 1);
        world_done(&w);
    }
}

TEST(idle_connections_and_slow_heads_are_timed_out)
{
    world_init(&w, NULL);
    struct fake_stream *idle = world_connect(&w);
    struct fake_stream *slow = world_connect(&w);
    world_say(&w, slow, "GET / HT");
    world_wait(&w, 16000);
    CHECK(strncmp(world_got(&w, slow), "HTTP/1.1 408 ", 13) == 0);
    CHECK(!idle->is_shutdown);
    world_wait(&w, 65000);
    CHECK(idle->is_released && slow->is_released);
    struct proxy_counts counts;
    proxy_counts(w.proxy, &counts);
    CHECK_EQ(counts.conns, 0);
    world_done(&w);
}

static uint32_t head_bufs(void)
{
    struct proxy_counts counts;
    proxy_counts(w.proxy, &counts);
    return counts.head_bufs;
}

TEST(a_request_that_cannot_go_again_holds_no_head_buffer)
{
    world_init(&w, NULL);
    use_one_endpoint();
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, PUT);
    CHECK_EQ(head_bufs(), 1); /* it is not whole */
    world_say(&w, c, "\r\n");
    CHECK_EQ(head_bufs(), 0); /* sent on a new connection: never again */
    world_say(&w, c, "hello");
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    world_say(&w, c, PUT "\r\n");
    CHECK_EQ(head_bufs(), 1); /* on a used one: perhaps again */
    world_say(&w, c, "he");
    CHECK_EQ(head_bufs(), 0); /* but not behind a part of the body */
    world_say(&w, c, "llo");
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    world_done(&w);
}

TEST(pools_that_run_out_are_answers)
{
    struct proxy_config config;
    proxy_config_default(&config, 3);
    config.exchanges_max = 1;
    world_init(&w, &config);
    w.is_manual = true;
    struct fake_stream *c[4];
    for (unsigned i = 0; i < 4; i++)
        c[i] = world_connect(&w);
    CHECK(c[3]->is_released);
    CHECK_EQ(world_stat(&w, STAT_proxy_conns_refused), 1);
    world_say(&w, c[0], REQ("/"));
    CHECK(strncmp(ask(c[1], REQ("/")), "HTTP/1.1 503 ", 13) == 0);
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c[0]), OK);
    world_say(&w, c[1], REQ("/"));
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c[1]), OK);
    check_ends(STAT_proxy_end_no_exchange, 1);
    world_done(&w);
}

TEST(a_new_image_keeps_connections_and_one_without_their_bind_closes_them)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, REQ("/")), OK);
    world_publish(&w, 80);
    world_run(&w);
    CHECK_STR(ask(c, REQ("/")), OK);
    CHECK(!c->is_shutdown);
    w.is_manual = true;
    struct fake_stream *busy = world_connect(&w);
    world_publish(&w, 81);
    fake_stream_push(busy, slice_of_str(REQ("/")));
    world_run(&w);
    CHECK(c->is_shutdown);
    CHECK(strncmp(world_got(&w, busy), "HTTP/1.1 404 ", 13) == 0);
    CHECK(world_connect(&w)->is_released);
    world_done(&w);
}

TEST(a_new_congestion_control_is_for_new_backend_connections_and_closes_none)
{
    size_t parsed[WORLD_STREAMS_MAX];
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    for (unsigned i = 0; i < 6; i++)
        CHECK_STR(ask(c, REQ("/")), OK);
    unsigned before = w.n_backends;
    for (unsigned i = 0; i < before; i++) {
        CHECK_EQ(w.backends[i].args.congestion, TCP_CONGESTION_CUBIC);
        parsed[i] = w.backends[i].parsed;
    }
    w.congestion = IMAGE_CONGESTION_BBR;
    world_publish(&w, 80);
    world_run(&w);
    for (unsigned i = 0; i < 6; i++)
        CHECK_STR(ask(c, REQ("/")), OK);
    CHECK(w.n_backends > before && !c->is_shutdown);
    for (unsigned i = 0; i < before; i++)
        CHECK(!w.backends[i].f.is_released && w.backends[i].parsed == parsed[i]);
    for (unsigned i = before; i < w.n_backends; i++)
        CHECK_EQ(w.backends[i].args.congestion, TCP_CONGESTION_BBR);
    world_done(&w);
}

/* What TCP is told of a client that comes now. */
static enum tcp_congestion congestion_of_clients(void)
{
    struct tcp_listening listening = {0};
    struct ip_addr vip = ip_addr_from_v4((uint8_t[]){198, 18, 0, 1});
    REQUIRE(w.upcalls.listen(w.upcalls.owner, &vip, 80, &listening));
    return listening.congestion;
}

TEST(clients_get_the_congestion_control_of_their_bind)
{
    world_init(&w, NULL);
    CHECK_EQ(congestion_of_clients(), TCP_CONGESTION_CUBIC);
    w.congestion = IMAGE_CONGESTION_BBR;
    world_publish(&w, 80);
    CHECK_EQ(congestion_of_clients(), TCP_CONGESTION_BBR);
    world_run(&w);
    world_done(&w);
}

TEST(endpoints_that_vanish_lose_their_idle_connections_only)
{
    static const uint8_t one[] = {1};
    static const uint8_t four[] = {4};
    world_init(&w, NULL);
    world_endpoints(&w, 1, one, 1, ENDPOINT_READY);
    struct fake_stream *c = world_connect(&w);
    struct fake_stream *d = world_connect(&w);
    CHECK_STR(ask(c, REQ("/")), OK);
    w.is_manual = true;
    world_say(&w, c, REQ("/"));
    w.is_manual = false;
    CHECK_STR(ask(d, REQ("/")), OK); /* both answered: two connections idle or busy */
    world_got(&w, c);
    w.is_manual = true;
    world_say(&w, c, REQ("/"));
    world_endpoints(&w, 1, four, 1, ENDPOINT_READY);
    world_run(&w);
    CHECK(world_stat(&w, STAT_upstream_closed_vanished) >= 1);
    struct proxy_counts counts;
    proxy_counts(w.proxy, &counts);
    CHECK_EQ(counts.upstream_busy, 1);
    CHECK_EQ(counts.upstream_idle, 0);
    for (unsigned i = 0; i < w.n_backends; i++) {
        if (!w.backends[i].f.is_released)
            world_reply(&w, &w.backends[i], OK);
    }
    CHECK_STR(world_got(&w, c), OK);
    w.is_manual = false;
    CHECK_STR(ask(c, REQ("/")), OK);
    CHECK_EQ(world_last(&w)->args.remote.bytes[15], 4);
    world_done(&w);
}

TEST(terminating_endpoints_serve_only_when_nobody_is_ready)
{
    static const uint8_t five[] = {5};
    world_init(&w, NULL);
    world_endpoints(&w, 1, five, 1, ENDPOINT_SERVING | ENDPOINT_TERMINATING);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, REQ("/")), OK);
    world_endpoints(&w, 1, five, 1, ENDPOINT_TERMINATING);
    CHECK(strncmp(ask(c, REQ("/")), "HTTP/1.1 503 ", 13) == 0);
    world_done(&w);
}

TEST(idle_backend_connections_age_and_their_end_is_noticed)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, REQ("/")), OK);
    fake_stream_push_eof(&w.backends[0].f);
    world_run(&w);
    CHECK_EQ(world_stat(&w, STAT_upstream_closed_by_backend), 1);
    CHECK_STR(ask(c, REQ("/")), OK);
    world_wait(&w, 4100);
    CHECK_EQ(world_stat(&w, STAT_upstream_closed_idle_timeout), 1);
    struct proxy_counts counts;
    proxy_counts(w.proxy, &counts);
    CHECK_EQ(counts.upstream_idle, 0);
    world_done(&w);
}

UNIT_MAIN(
    "proxy", T(a_request_is_forwarded_and_its_answer_comes_back),
    T(the_backend_is_told_the_requests_way_behind_what_the_client_claims),
    T(an_address_with_colons_is_quoted_in_forwarded), T(connections_are_kept_on_both_sides),
    T(pipelined_requests_are_answered_in_order), T(own_answers_say_why),
    T(header_filters_and_rewrites_are_carried_out),
    T(filters_of_a_backend_come_after_those_of_its_rule),
    T(preflights_are_answered_by_the_rules_cors_filter),
    T(answers_tell_of_cors_what_the_filter_says_and_nothing_else),
    T(our_own_answers_tell_of_cors_too), T(backends_are_chosen_by_weight),
    T(head_has_the_fields_and_no_body), T(a_100_of_the_backend_goes_to_the_client),
    T(a_backend_that_never_says_100_does_not_stop_a_client_that_waits_for_it),
    T(a_refusal_instead_of_100_ends_the_connection_after_it),
    T(an_early_answer_reaches_a_client_that_is_still_sending),
    T(http_1_0_clients_get_no_chunks_and_a_close),
    T(an_http_1_0_request_without_host_goes_by_the_address_that_it_came_to),
    T(a_body_until_close_becomes_chunks), T(a_request_on_a_dead_idle_connection_is_tried_once_more),
    T(what_is_not_idempotent_or_has_sent_a_body_is_not_tried_again),
    T(a_refused_connection_is_tried_on_another_endpoint),
    T(a_backend_that_refuses_twice_is_502_and_one_that_is_silent_504),
    T(a_backend_that_breaks_the_rules_is_502), T(an_answer_cut_at_any_byte_is_never_faked_as_whole),
    T(a_client_that_goes_at_any_byte_takes_its_backend_connection_with_it),
    T(bodies_pass_both_ways_through_windows_of_any_size),
    T(a_bad_chunk_in_a_request_is_400_and_the_backend_connection_is_not_reused),
    T(a_silent_backend_is_504_and_a_silent_client_408), T(a_call_may_be_silent_as_long_as_a_tunnel),
    T(the_rules_own_time_limits_hold_also_when_bytes_trickle),
    T(a_stalled_answer_is_cut_whoever_stalls), T(idle_connections_and_slow_heads_are_timed_out),
    T(a_request_that_cannot_go_again_holds_no_head_buffer), T(pools_that_run_out_are_answers),
    T(a_new_image_keeps_connections_and_one_without_their_bind_closes_them),
    T(a_new_congestion_control_is_for_new_backend_connections_and_closes_none),
    T(clients_get_the_congestion_control_of_their_bind),
    T(endpoints_that_vanish_lose_their_idle_connections_only),
    T(terminating_endpoints_serve_only_when_nobody_is_ready),
    T(idle_backend_connections_age_and_their_end_is_noticed))
