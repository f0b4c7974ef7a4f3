/* SPDX-License-Identifier: Apache-2.0 */
/* What the access log is told: one record for each request, with how it ended. */
#include "abi/access.h"
#include "base/container.h"
#include "obs/hub.h"
#include "proxy_world.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world w;
static struct obs_hub *hub;
static unsigned slot;

#define GET(path) "GET " path " HTTP/1.1\r\nHost: www.example\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: www.example\r\nContent-Length: 3\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

static struct fake_stream *begin_with(const struct proxy_config *config, uint32_t one_in,
                                      uint32_t wants)
{
    struct control_observe request = {.kind = OBSERVE_REQUESTS,
                                      .workers = 1,
                                      .records_max = UINT64_MAX,
                                      .bytes_max = UINT64_MAX,
                                      .ms_max = 1,
                                      .one_in = one_in,
                                      .wants = wants};
    world_init(&w, config);
    hub = obs_hub_new(1);
    REQUIRE(obs_hub_begin(hub, &request, &slot));
    obs_join(hub, 0, &w.core.obs); /* what was asked before it came is found */
    obs_poll(&w.core.obs);
    return world_connect(&w);
}

static struct fake_stream *begin(void)
{
    return begin_with(NULL, 1, 0);
}

static void end(void)
{
    world_done(&w);
    obs_hub_free(hub);
}

/* The next record, copied; NULL: there is none. */
static const struct access_record *next(void)
{
    static union {
        struct access_record r;
        uint8_t bytes[sizeof(struct access_record) + ACCESS_TEXT_BYTES_MAX + 8];
    } copy;
    const struct observe_record *record = obs_hub_peek(hub, slot);
    if (record == NULL)
        return NULL;
    CHECK_EQ(record->type, OBSERVE_RECORD_REQUEST);
    REQUIRE(record->bytes <= sizeof(copy));
    memcpy(&copy, record, record->bytes);
    obs_hub_drop(hub, slot, record);
    return &copy.r;
}

static const char *text_of(const struct access_record *r, enum access_text which)
{
    static char text[ACCESS_TEXT_BYTES_MAX + 1];
    size_t at = 0;
    for (unsigned i = 0; i < which; i++)
        at += r->text_bytes[i];
    memcpy(text, r->text + at, r->text_bytes[which]);
    text[r->text_bytes[which]] = '\0';
    return text;
}

/* There is one record, with this end and status. */
static const struct access_record *check_one(enum stat_id why, uint16_t status)
{
    const struct access_record *r = next();
    REQUIRE(r != NULL);
    CHECK_EQ(r->end, why);
    CHECK_EQ(r->status, status);
    CHECK(obs_hub_peek(hub, slot) == NULL);
    return r;
}

TEST(a_request_that_was_answered_tells_who_what_where_and_how_long)
{
    struct fake_stream *c = begin();
    w.is_manual = true;
    w.is_opening_held = true;
    world_say(&w, c, POST("/a?secret=1"));
    world_wait(&w, 20);
    world_last(&w)->f.events = STREAM_WRITABLE;
    world_run(&w);
    world_say(&w, c, "abc");
    world_wait(&w, 30);
    CHECK(obs_hub_peek(hub, slot) == NULL); /* it is not over */
    world_reply(&w, world_last(&w), OK);
    const struct access_record *r = check_one(STAT_proxy_end_complete, 200);
    CHECK_STR(text_of(r, ACCESS_METHOD), "POST");
    CHECK_STR(text_of(r, ACCESS_HOST), "www.example");
    CHECK_STR(text_of(r, ACCESS_PATH), "/a");
    CHECK_STR(text_of(r, ACCESS_QUERY), "");
    CHECK_EQ(r->flags, 0);
    CHECK_EQ(r->client.bytes[15], 7);
    CHECK_EQ(r->client_port, 4711);
    CHECK_EQ(r->local.bytes[12], 198);
    CHECK_EQ(r->local_port, 80);
    CHECK_EQ(r->endpoint.bytes[12], 10);
    CHECK_EQ(r->endpoint_port, 8080);
    CHECK_EQ(r->tries, 1);
    CHECK_EQ(r->request_bytes, 3);
    CHECK_EQ(r->response_bytes, 2);
    CHECK_EQ(r->connect_us, 20000);
    CHECK_EQ(r->head_us, 50000);
    CHECK_EQ(r->total_us, 50000);
    CHECK_EQ(r->generation, w.view.header->generation);
    CHECK_EQ(r->listener, 0);
    CHECK(r->rule < w.view.n_rules && r->backend < w.view.n_backends);
    end();
}

TEST(each_end_tells_one_record_with_its_reason_and_status)
{
    static const struct {
        const char *request;
        enum stat_id why;
        uint16_t status;
    } rows[] = {
        {GET("/"), STAT_proxy_end_complete, 200},
        {GET("/redirect"), STAT_proxy_end_redirect, 302},
        {GET("/fault"), STAT_proxy_end_rule_fault, 500},
        {GET("/none"), STAT_proxy_end_no_endpoint, 503},
        {"GET /nowhere HTTP/1.1\r\nHost: other.example\r\n\r\n", STAT_proxy_end_no_route, 404},
        {"OPTIONS /cors HTTP/1.1\r\nHost: www.example\r\nOrigin: https://a.example\r\n"
         "Access-Control-Request-Method: GET\r\n\r\n",
         STAT_proxy_end_preflight, 204},
    };
    struct fake_stream *c = begin();
    for (unsigned i = 0; i < array_len(rows); i++) {
        world_say(&w, c, rows[i].request);
        check_one(rows[i].why, rows[i].status);
    }
    end();
}

TEST(what_the_image_has_no_place_for_is_told_as_none)
{
    struct fake_stream *c = begin();
    world_say(&w, c, "GET /nowhere HTTP/1.1\r\nHost: other.example\r\n\r\n");
    const struct access_record *r = check_one(STAT_proxy_end_no_route, 404);
    CHECK_EQ(r->listener, 0);
    CHECK_EQ(r->rule, ACCESS_NONE);
    CHECK_EQ(r->backend, ACCESS_NONE);
    CHECK(ip_addr_is_zero(&r->endpoint));
    CHECK_EQ(r->tries, 0);
    CHECK_EQ(r->head_us, ACCESS_NO_TIME);
    CHECK_EQ(r->connect_us, ACCESS_NO_TIME);
    end();
}

TEST(backends_that_fail_are_told_with_the_endpoint_and_the_tries)
{
    struct fake_stream *c = begin();
    w.is_manual = true;
    w.is_opening_held = true;
    world_say(&w, c, GET("/"));
    fake_stream_break(&world_last(&w)->f, STREAM_END_REFUSED);
    world_run(&w);
    uint8_t last = world_last(&w)->args.remote.bytes[15];
    fake_stream_break(&world_last(&w)->f, STREAM_END_REFUSED);
    world_run(&w);
    const struct access_record *r = check_one(STAT_proxy_end_backend_refused, 502);
    CHECK_EQ(r->tries, 2);
    CHECK_EQ(r->endpoint.bytes[15], last);
    CHECK_EQ(r->connect_us, ACCESS_NO_TIME);
    w.is_opening_held = false;
    world_say(&w, c, GET("/one-second"));
    world_wait(&w, 1100);
    r = check_one(STAT_proxy_end_backend_timeout, 504);
    CHECK_EQ(r->head_us, ACCESS_NO_TIME);
    CHECK(r->total_us >= 1000000);
    world_say(&w, c, GET("/"));
    world_reply(&w, world_last(&w), "nonsense\r\n\r\n");
    check_one(STAT_proxy_end_backend_fault, 502);
    end();
}

TEST(what_is_cut_within_the_answer_keeps_the_status_that_the_client_saw)
{
    struct fake_stream *c = begin();
    w.is_manual = true;
    world_say(&w, c, GET("/"));
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi");
    fake_stream_break(&world_last(&w)->f, STREAM_END_RESET);
    world_run(&w);
    const struct access_record *r = check_one(STAT_proxy_end_backend_cut, 200);
    CHECK_EQ(r->response_bytes, 2);
    end();
}

TEST(a_client_that_goes_before_the_answer_has_no_status)
{
    struct fake_stream *c = begin();
    w.is_manual = true;
    world_say(&w, c, GET("/"));
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    const struct access_record *r = check_one(STAT_proxy_end_client_gone, 0);
    CHECK_EQ(r->tries, 1);
    CHECK(!ip_addr_is_zero(&r->endpoint));
    end();
}

TEST(a_request_for_which_there_was_no_exchange_is_told_too)
{
    struct proxy_config config;
    proxy_config_default(&config, 32);
    config.exchanges_max = 1;
    struct fake_stream *first = begin_with(&config, 1, 0);
    struct fake_stream *second = world_connect(&w);
    w.is_manual = true;
    world_say(&w, first, GET("/"));
    world_say(&w, second, GET("/b"));
    const struct access_record *r = check_one(STAT_proxy_end_no_exchange, 503);
    CHECK_STR(text_of(r, ACCESS_PATH), "/b");
    CHECK_EQ(r->generation, 0);
    CHECK_EQ(r->listener, ACCESS_NONE);
    end();
}

TEST(a_head_that_is_refused_is_told_with_its_fault_and_what_came_of_it)
{
    static const struct {
        const char *head;
        enum stat_id why;
        uint16_t status;
        const char *path;
    } rows[] = {
        {"GET /a?secret HTTP/1.1\r\n\r\n", STAT_http_refused_host_missing, 400, "/a"},
        {"GET /b HTTP/2.0\r\nHost: a\r\n\r\n", STAT_http_refused_version, 505, "/b"},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", STAT_http_refused_target_connect, 501, ""},
        {"GET /c HTTP/1.1\nHost: a\r\n\r\n", STAT_http_refused_bare_lf, 400, "/c"},
    };
    struct fake_stream *c = begin_with(NULL, 1, OBSERVE_WANTS_QUERY);
    for (unsigned i = 0; i < array_len(rows); i++) {
        world_say(&w, i == 0 ? c : world_connect(&w), rows[i].head);
        const struct access_record *r = check_one(rows[i].why, rows[i].status);
        CHECK_STR(text_of(r, ACCESS_PATH), rows[i].path);
        CHECK_EQ(r->flags, 0);
        CHECK_EQ(r->generation, 0);
        CHECK_EQ(r->rule, ACCESS_NONE);
        CHECK_EQ(r->client.bytes[15], 7);
    }
    end();
}

TEST(a_head_that_comes_too_slowly_is_told_with_what_there_is)
{
    struct fake_stream *c = begin();
    world_say(&w, c, "POST /slow HTTP/1.1\r\nHost: www.exa");
    world_wait(&w, 20 * 1000);
    const struct access_record *r = check_one(STAT_http_refused_head_timeout, 408);
    CHECK_STR(text_of(r, ACCESS_METHOD), "POST");
    CHECK_STR(text_of(r, ACCESS_HOST), "www.exa");
    CHECK_EQ(world_stat(&w, STAT_proxy_requests), 0);
    end();
}

TEST(a_connection_that_is_passed_on_is_told_when_it_is_over)
{
    begin();
    w.is_manual = true;
    world_publish_l4(&w, IMAGE_PROTOCOL_TCP);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, "abc");
    world_reply(&w, world_last(&w), "abcdef");
    CHECK(obs_hub_peek(hub, slot) == NULL); /* it is not over */
    world_wait(&w, 30);
    fake_stream_push_eof(c);
    fake_stream_push_eof(&world_last(&w)->f);
    world_run(&w);
    const struct access_record *r = check_one(STAT_proxy_l4_end_complete, 0);
    CHECK_EQ(r->request_bytes, 3);
    CHECK_EQ(r->response_bytes, 6);
    CHECK_EQ(r->listener, 0);
    CHECK_EQ(r->rule, 0);
    CHECK_EQ(r->backend, 0);
    CHECK_EQ(r->generation, w.view.header->generation);
    CHECK_EQ(r->tries, 1);
    CHECK_EQ(r->endpoint_port, 8080);
    CHECK(r->total_us >= 30000 && r->connect_us < 20000);
    world_endpoints(&w, 1, NULL, 0, 0);
    world_connect(&w);
    r = check_one(STAT_proxy_l4_end_no_endpoint, 0);
    CHECK_EQ(r->endpoint_port, 0);
    end();
}

TEST(the_query_is_told_only_to_who_asks_for_it)
{
    struct fake_stream *c = begin_with(NULL, 1, OBSERVE_WANTS_QUERY);
    world_say(&w, c, GET("/a?secret=1"));
    const struct access_record *r = check_one(STAT_proxy_end_complete, 200);
    CHECK_STR(text_of(r, ACCESS_PATH), "/a");
    CHECK_STR(text_of(r, ACCESS_QUERY), "secret=1");
    CHECK_EQ(r->flags, ACCESS_HAS_QUERY);
    world_say(&w, c, GET("/a"));
    CHECK_EQ(check_one(STAT_proxy_end_complete, 200)->flags, 0);
    end();
}

TEST(who_does_not_ask_for_the_query_is_not_told_of_it_while_another_is)
{
    struct fake_stream *c = begin();
    struct control_observe request = {.kind = OBSERVE_REQUESTS,
                                      .workers = 1,
                                      .records_max = UINT64_MAX,
                                      .bytes_max = UINT64_MAX,
                                      .ms_max = 1,
                                      .one_in = 1,
                                      .wants = OBSERVE_WANTS_QUERY};
    char text[ACCESS_TEXT_BYTES_MAX + 100];
    unsigned without = slot;
    unsigned with;
    REQUIRE(obs_hub_begin(hub, &request, &with));
    obs_poll(&w.core.obs);
    snprintf(text, sizeof(text), "GET /a?%0*d HTTP/1.1\r\nHost: www.example\r\n\r\n",
             (int)ACCESS_TEXT_BYTES_MAX, 7);
    world_say(&w, c, text);
    const struct access_record *r = check_one(STAT_proxy_end_complete, 200);
    CHECK_EQ(r->flags, 0);
    CHECK_EQ(r->text_bytes[ACCESS_QUERY], 0);
    CHECK(r->head.bytes < sizeof(*r) + 50); /* nor are its bytes behind it */
    slot = with;
    r = check_one(STAT_proxy_end_complete, 200);
    CHECK_EQ(r->flags, ACCESS_HAS_QUERY | ACCESS_IS_CUT);
    CHECK(r->text_bytes[ACCESS_QUERY] > 400);
    slot = without;
    end();
}

TEST(texts_that_are_longer_than_the_note_are_cut)
{
    struct fake_stream *c = begin();
    char request[ACCESS_TEXT_BYTES_MAX + 100];
    snprintf(request, sizeof(request), "GET /%0*d HTTP/1.1\r\nHost: www.example\r\n\r\n",
             (int)ACCESS_TEXT_BYTES_MAX, 7);
    world_say(&w, c, request);
    const struct access_record *r = check_one(STAT_proxy_end_complete, 200);
    CHECK_EQ(r->flags, ACCESS_IS_CUT);
    CHECK_EQ(r->text_bytes[ACCESS_METHOD] + r->text_bytes[ACCESS_HOST] + r->text_bytes[ACCESS_PATH],
             ACCESS_TEXT_BYTES_MAX);
    CHECK_STR(text_of(r, ACCESS_HOST), "www.example");
    end();
}

/* Sends n requests, and gives how many were told. */
static unsigned count(struct fake_stream *c, const char *request, unsigned n)
{
    unsigned told = 0;
    for (unsigned i = 0; i < n; i++) {
        world_say(&w, c, request);
        world_got(&w, c);
        while (next() != NULL)
            told++;
    }
    return told;
}

TEST(a_sample_is_one_of_n_by_chance_and_errors_are_all_there_for_who_wants_them)
{
    struct fake_stream *c = begin_with(NULL, 4, OBSERVE_WANTS_ERRORS);
    unsigned told = count(c, GET("/"), 1000);
    CHECK(told > 200 && told < 300);
    CHECK_EQ(count(c, GET("/none"), 50), 50);
    end();
    c = begin_with(NULL, 0, OBSERVE_WANTS_ERRORS); /* none but those */
    CHECK_EQ(count(c, GET("/"), 50), 0);
    CHECK_EQ(count(c, GET("/none"), 50), 50);
    end();
    c = begin_with(NULL, 4, 0);
    told = count(c, GET("/none"), 1000);
    CHECK(told > 200 && told < 300);
    end();
}

TEST(a_full_ring_loses_records_counts_them_and_holds_nobody_up)
{
    struct fake_stream *c = begin();
    struct control_observed totals;
    unsigned fit = OBS_RING_BYTES_MAX / (unsigned)sizeof(struct access_record);
    for (unsigned i = 0; i < fit; i++) {
        world_say(&w, c, GET("/none"));
        world_got(&w, c);
    }
    unsigned told = 0;
    while (next() != NULL)
        told++;
    obs_hub_totals(hub, slot, &totals);
    CHECK(totals.lost > 0);
    CHECK_EQ(told + totals.lost, fit);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_no_endpoint), fit);
    world_say(&w, c, GET("/none"));
    check_one(STAT_proxy_end_no_endpoint, 503);
    end();
}

TEST(while_nobody_looks_nothing_is_noted_and_no_chance_is_used)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    uint64_t state = w.core.rng.state;
    world_say(&w, c, GET("/none"));
    CHECK_EQ(w.core.rng.state, state);
    world_done(&w);
}

TEST(the_client_is_the_one_that_a_proxy_header_told)
{
    begin();
    w.is_proxied = true;
    world_publish(&w, 80);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, "PROXY TCP4 203.0.113.9 198.51.100.1 1234 443\r\n" GET("/"));
    const struct access_record *r = next();
    REQUIRE(r != NULL);
    struct ip_addr told = ip_addr_from_v4((uint8_t[]){203, 0, 113, 9});
    CHECK(ip_addr_eq(&r->client, &told));
    CHECK_EQ(r->client_port, 1234);
    CHECK_EQ(r->local_port, 80); /* where it came in is no matter of the header */
    CHECK(next() == NULL);
    end();
}

UNIT_MAIN("proxy/access", T(the_client_is_the_one_that_a_proxy_header_told),
          T(a_request_that_was_answered_tells_who_what_where_and_how_long),
          T(each_end_tells_one_record_with_its_reason_and_status),
          T(what_the_image_has_no_place_for_is_told_as_none),
          T(backends_that_fail_are_told_with_the_endpoint_and_the_tries),
          T(what_is_cut_within_the_answer_keeps_the_status_that_the_client_saw),
          T(a_client_that_goes_before_the_answer_has_no_status),
          T(a_request_for_which_there_was_no_exchange_is_told_too),
          T(a_head_that_is_refused_is_told_with_its_fault_and_what_came_of_it),
          T(a_head_that_comes_too_slowly_is_told_with_what_there_is),
          T(a_connection_that_is_passed_on_is_told_when_it_is_over),
          T(the_query_is_told_only_to_who_asks_for_it),
          T(who_does_not_ask_for_the_query_is_not_told_of_it_while_another_is),
          T(texts_that_are_longer_than_the_note_are_cut),
          T(a_sample_is_one_of_n_by_chance_and_errors_are_all_there_for_who_wants_them),
          T(a_full_ring_loses_records_counts_them_and_holds_nobody_up),
          T(while_nobody_looks_nothing_is_noted_and_no_chance_is_used))
