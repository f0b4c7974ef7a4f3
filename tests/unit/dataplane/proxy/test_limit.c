/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits of rules: what passes, what is answered 429, and who counts as whom. */
#include "base/container.h"
#include "proxy_world.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct world w;

#define WITH(method, path, more) method " " path " HTTP/1.1\r\nHost: limit.example\r\n" more "\r\n"
#define GET(path) WITH("GET", path, "")
#define KEY(path, key) WITH("GET", path, "X-Key: " key "\r\n")
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define LATER(seconds)                                                                             \
    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: " seconds                                      \
    "\r\nContent-Length: 17\r\n\r\nToo Many Requests"

static const char *ask(struct fake_stream *c, const char *request)
{
    world_say(&w, c, request);
    return world_got(&w, c);
}

static void check_ends(uint64_t complete, uint64_t limited)
{
    uint64_t ends = 0;
    for (int id = STAT_proxy_end_complete; id <= STAT_proxy_end_client_gone; id++)
        ends += world_stat(&w, (enum stat_id)id);
    CHECK_EQ(ends, world_stat(&w, STAT_proxy_requests));
    CHECK_EQ(world_stat(&w, STAT_proxy_end_complete), complete);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_limited), limited);
}

TEST(a_burst_passes_the_rest_is_told_when_to_come_again_and_time_helps)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w), *d = world_connect_from(&w, "2001:db8::1");
    CHECK_STR(ask(c, GET("/route")), OK);
    CHECK_STR(ask(d, GET("/route")), OK); /* a route's limit is everybody's */
    CHECK_STR(ask(c, GET("/route") GET("/route")), LATER("1") LATER("1"));
    CHECK_STR(ask(d, GET("/route")), LATER("1"));
    world_wait(&w, 490);
    CHECK_STR(ask(c, GET("/route")), LATER("1"));
    world_wait(&w, 10);
    CHECK_STR(ask(c, GET("/route") GET("/route")), OK LATER("1")); /* the connection is kept */
    world_wait(&w, 5000);
    CHECK_STR(ask(c, GET("/route") GET("/route") GET("/route")), OK OK LATER("1"));
    check_ends(5, 6);
    CHECK_EQ(world_stat(&w, STAT_proxy_responses_4xx), 6);
    world_done(&w);
}

TEST(a_request_with_a_body_that_is_refused_leaves_the_connection_usable)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    ask(c, KEY("/key", "a"));
    CHECK_STR(ask(c, WITH("POST", "/key", "X-Key: a\r\nContent-Length: 3\r\n") "abc" GET("/key")),
              LATER("1") OK);
    world_done(&w);
}

TEST(a_client_is_an_ipv4_or_ipv6_prefix)
{
    static const struct {
        const char *address;
        bool passes;
    } rows[] = {
        {"192.0.2.7", true},       {"192.0.2.7", false},       {"192.0.2.200", false},
        {"192.0.3.7", true},       {"2001:db8:0:1::1", true},  {"2001:db8:0:1:ffff::2", false},
        {"2001:db8:0:2::1", true}, {"2001:db8:0:2::1", false}, {"10.0.2.7", true},
        {"::c000:0207", true},
    };
    world_init(&w, NULL);
    for (unsigned i = 0; i < array_len(rows); i++) {
        const char *got = ask(world_connect_from(&w, rows[i].address), GET("/client"));
        CHECK_STR(got, rows[i].passes ? OK : LATER("1"));
    }
    world_done(&w);
}

TEST(prefixes_are_cut_at_any_bit)
{
    static const struct {
        const char *a, *b;
        uint8_t prefix4_len, prefix6_len;
        bool is_same;
    } rows[] = {
        {"10.0.0.0", "10.0.0.1", 31, 64, true},
        {"10.0.0.1", "10.0.0.2", 31, 64, false},
        {"10.0.0.1", "10.0.0.1", 32, 64, true},
        {"10.0.0.1", "10.0.0.0", 32, 64, false},
        {"10.0.0.0", "127.255.0.0", 1, 64, true},
        {"10.0.0.0", "128.0.0.0", 1, 64, false},
        {"2001::", "3fff::1", 32, 3, true},
        {"2001::", "4000::", 32, 3, false},
        {"2001:db8::", "2001:db8::1", 32, 127, true},
        {"2001:db8::1", "2001:db8::1", 32, 128, true},
        {"2001:db8::1", "2001:db8::", 32, 128, false},
    };
    for (unsigned i = 0; i < array_len(rows); i++) {
        world_init(&w, NULL);
        struct image_limit *l = (struct image_limit *)(uintptr_t)&w.view.limits[1];
        REQUIRE(l->key == IMAGE_LIMIT_CLIENT);
        l->prefix4_len = rows[i].prefix4_len;
        l->prefix6_len = rows[i].prefix6_len;
        CHECK_STR(ask(world_connect_from(&w, rows[i].a), GET("/client")), OK);
        CHECK_STR(ask(world_connect_from(&w, rows[i].b), GET("/client")),
                  rows[i].is_same ? LATER("1") : OK);
        world_done(&w);
    }
}

TEST(a_headers_values_are_told_apart_and_who_has_none_or_two_shares_one)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, KEY("/key", "a") KEY("/key", "a") KEY("/key", "b")), OK LATER("1") OK);
    CHECK_STR(ask(c, KEY("/key", "A") KEY("/key", "")), OK OK);
    CHECK_STR(ask(c, WITH("GET", "/key", "x-key: a\r\n")), LATER("1"));
    CHECK_STR(ask(c, GET("/key") GET("/key")), OK LATER("1"));
    CHECK_STR(ask(c, WITH("GET", "/key", "X-Key: c\r\nX-Key: d\r\n")), LATER("1"));
    check_ends(5, 4);
    world_done(&w);
}

TEST(a_request_that_one_limit_refuses_costs_the_others_nothing)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, KEY("/both", "a")), OK);
    for (unsigned i = 0; i < 10; i++)
        CHECK_STR(ask(c, KEY("/both", "a")), LATER("10"));
    CHECK_STR(ask(c, KEY("/both", "b")), OK);
    CHECK_STR(ask(c, KEY("/both", "c")), LATER("1")); /* the route's two are gone */
    CHECK_STR(ask(c, KEY("/both", "a")), LATER("10"));
    check_ends(2, 12);
    world_done(&w);
}

TEST(a_preflight_is_free_a_redirect_is_not_and_scripts_may_read_why)
{
#define PREFLIGHT                                                                                  \
    WITH("OPTIONS", "/script", "Origin: https://a\r\nAccess-Control-Request-Method: GET\r\n")
    static const char origin[] = "\r\nAccess-Control-Allow-Origin: *\r\n";
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    for (unsigned i = 0; i < 3; i++)
        CHECK(strncmp(ask(c, PREFLIGHT), "HTTP/1.1 204 ", 13) == 0);
    CHECK(strncmp(ask(c, GET("/script")), "HTTP/1.1 302 ", 13) == 0);
    const char *got = ask(c, WITH("GET", "/script", "Origin: https://a\r\n"));
    CHECK(strncmp(got, "HTTP/1.1 429 ", 13) == 0);
    CHECK(strstr(got, origin) != NULL);
    CHECK(strstr(got, "\r\nRetry-After: 10\r\n") != NULL);
    CHECK(strncmp(ask(c, PREFLIGHT), "HTTP/1.1 204 ", 13) == 0);
    world_done(&w);
}

TEST(buckets_outlive_the_image)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, GET("/route") GET("/route")), OK OK);
    world_publish(&w, 80);
    CHECK_STR(ask(c, GET("/route")), LATER("1"));
    world_done(&w);
}

/* Of four workers each has a fourth of what is everybody's, and all of what is somebody's. */
TEST(everybodys_limit_is_split_among_workers_and_somebodys_is_not)
{
    for (uint8_t worker = 0; worker < 4; worker++) {
        world_init(&w, NULL);
        w.core.worker = worker;
        w.core.workers = 4;
        struct fake_stream *c = world_connect(&w);
        CHECK_STR(ask(c, GET("/route") GET("/route")), OK LATER("2"));
        CHECK_STR(ask(c, GET("/key") GET("/key")), OK LATER("4"));
        CHECK_STR(ask(c, KEY("/key", "a") KEY("/key", "a")), OK LATER("1"));
        CHECK_STR(ask(c, GET("/client") GET("/client")), OK LATER("1"));
        world_done(&w);
    }
}

TEST(a_full_table_forgets_who_was_least_over_and_counts_it)
{
    struct proxy_config config;
    proxy_config_default(&config, 32);
    config.limit_buckets = 4;
    world_init(&w, &config);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, KEY("/both", "a")), OK); /* 10 s, and half a second */
    for (unsigned i = 0; i < 100; i++) {
        char request[128];
        snprintf(request, sizeof(request), KEY("/key", "%u"), i);
        CHECK_STR(ask(c, request), OK);
    }
    CHECK_STR(ask(c, KEY("/both", "a")), LATER("10"));
    CHECK_EQ(world_stat(&w, STAT_proxy_limit_buckets_lost), 98);
    world_done(&w);
}

UNIT_MAIN("proxy/limit", T(a_burst_passes_the_rest_is_told_when_to_come_again_and_time_helps),
          T(a_request_with_a_body_that_is_refused_leaves_the_connection_usable),
          T(a_client_is_an_ipv4_or_ipv6_prefix), T(prefixes_are_cut_at_any_bit),
          T(a_headers_values_are_told_apart_and_who_has_none_or_two_shares_one),
          T(a_request_that_one_limit_refuses_costs_the_others_nothing),
          T(a_preflight_is_free_a_redirect_is_not_and_scripts_may_read_why),
          T(buckets_outlive_the_image),
          T(everybodys_limit_is_split_among_workers_and_somebodys_is_not),
          T(a_full_table_forgets_who_was_least_over_and_counts_it))
