/* SPDX-License-Identifier: Apache-2.0 */
/* Access policies of rules: whose address is taken, and what comes before what. */
#include "proxy_world.h"
#include "unit.h"

static struct world w;

#define WITH(method, path, more) method " " path " HTTP/1.1\r\nHost: access.example\r\n" more "\r\n"
#define GET(path) WITH("GET", path, "")
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define CORS "Access-Control-Allow-Origin: *\r\n"
#define SCRIPT "Origin: https://a.example\r\n"
#define NO_WITH(fields) "HTTP/1.1 403 Forbidden\r\n" fields "Content-Length: 9\r\n\r\nForbidden"
#define NO NO_WITH("")

static const char *ask(struct fake_stream *c, const char *request)
{
    world_say(&w, c, request);
    return world_got(&w, c);
}

static void check_ends(uint64_t complete, uint64_t denied)
{
    uint64_t ends = 0;
    for (int id = STAT_proxy_end_complete; id <= STAT_proxy_end_client_gone; id++)
        ends += world_stat(&w, (enum stat_id)id);
    CHECK_EQ(ends, world_stat(&w, STAT_proxy_requests));
    CHECK_EQ(world_stat(&w, STAT_proxy_end_complete), complete);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_denied), denied);
}

TEST(a_client_that_is_denied_gets_403_and_others_do_not)
{
    world_init(&w, NULL);
    struct fake_stream *in = world_connect(&w), *out = world_connect_from(&w, "192.0.3.7");
    CHECK_STR(ask(in, GET("/deny") GET("/allow")), NO OK); /* the connection is kept */
    CHECK_STR(ask(out, GET("/deny") GET("/allow")), OK NO);
    struct fake_stream *six = world_connect_from(&w, "2001:db8::1");
    CHECK_STR(ask(six, GET("/deny") GET("/allow")), OK NO);
    check_ends(3, 3);
    world_done(&w);
}

TEST(who_is_allowed_and_denied_is_denied)
{
    world_init(&w, NULL);
    CHECK_STR(ask(world_connect_from(&w, "192.0.2.9"), GET("/allow")), NO);
    CHECK_STR(ask(world_connect_from(&w, "192.0.2.8"), GET("/allow")), OK);
    world_done(&w);
}

TEST(all_policies_of_a_rule_have_to_take_the_client)
{
    world_init(&w, NULL);
    CHECK_STR(ask(world_connect(&w), GET("/both")), NO);
    CHECK_STR(ask(world_connect_from(&w, "192.0.3.7"), GET("/both")), NO);
    world_done(&w);
}

TEST(what_a_header_says_of_the_client_is_not_believed)
{
    world_init(&w, NULL);
    struct fake_stream *out = world_connect_from(&w, "192.0.3.7");
    CHECK_STR(ask(out, WITH("GET", "/allow", "X-Forwarded-For: 192.0.2.7\r\n")), NO);
    CHECK_STR(ask(out, WITH("GET", "/allow", "Forwarded: for=192.0.2.7\r\n")), NO);
    world_done(&w);
}

TEST(a_refused_request_costs_no_limit_and_a_preflight_is_refused_too)
{
    world_init(&w, NULL);
    struct fake_stream *in = world_connect(&w), *out = world_connect_from(&w, "192.0.3.7");
    CHECK_STR(ask(out, WITH("GET", "/script", SCRIPT)), NO_WITH(CORS));
    CHECK_STR(ask(out, WITH("OPTIONS", "/script", SCRIPT "Access-Control-Request-Method: GET\r\n")),
              NO_WITH(CORS));
    world_say(&w, in, WITH("GET", "/script", SCRIPT));
    CHECK(strncmp(world_got(&w, in), "HTTP/1.1 200", 12) == 0);
    check_ends(1, 2);
    world_done(&w);
}

TEST(a_body_of_a_refused_request_leaves_the_connection_usable)
{
    world_init(&w, NULL);
    struct fake_stream *in = world_connect(&w);
    CHECK_STR(ask(in, WITH("POST", "/deny", "Content-Length: 3\r\n") "abc" GET("/allow")), NO OK);
    world_done(&w);
}

UNIT_MAIN("proxy/admit", T(a_client_that_is_denied_gets_403_and_others_do_not),
          T(who_is_allowed_and_denied_is_denied), T(all_policies_of_a_rule_have_to_take_the_client),
          T(what_a_header_says_of_the_client_is_not_believed),
          T(a_refused_request_costs_no_limit_and_a_preflight_is_refused_too),
          T(a_body_of_a_refused_request_leaves_the_connection_usable))
