/* SPDX-License-Identifier: Apache-2.0 */
/* Heads as values: which are taken, which are refused and by what name, and the normal form. */
#include "base/container.h"
#include "http/http_env.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static struct http_head head;
static uint8_t
    *held; /* exactly as long as the head, so that the sanitizer sees every step beyond */

static enum http_fault parse_request(const char *text)
{
    free(held);
    held = malloc(strlen(text) + 1);
    memcpy(held, text, strlen(text));
    return http_parse_request(held, strlen(text), &head);
}

static enum http_fault parse_response(const char *text, bool is_head)
{
    free(held);
    held = malloc(strlen(text) + 1);
    memcpy(held, text, strlen(text));
    return http_parse_response(held, strlen(text), is_head, &head);
}

static const char *text_of(struct slice s)
{
    static char buf[4][256];
    static unsigned next;
    char *out = buf[next++ % 4];
    snprintf(out, sizeof(buf[0]), "%.*s", (int)s.len, (const char *)s.ptr);
    return out;
}

struct bad {
    const char *text;
    enum http_fault fault;
};

#define H "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n"

static const struct bad bad_requests[] = {
    {"GET / HTTP/1.1\r\n\r\n", HTTP_FAULT_host_missing},
    {GET "Host:\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: \t \r\n\r\n", HTTP_FAULT_host_invalid},
    {GET H H "\r\n", HTTP_FAULT_host_twice},
    {"GET / HTTP/1.0\r\n" H "Host: b\r\n\r\n", HTTP_FAULT_host_twice},
    {GET "Host: u@a\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: a b\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: a/b\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: a,b\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: a%41\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: a:\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: a:0\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: a:65536\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: a:0000080\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: a:8x\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: a:80:80\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: .\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: .a\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: a..b\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: [::1\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: [::1]x\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: [1.2.3.4]\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: [fe80::1%25eth0]\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET "Host: :80\r\n\r\n", HTTP_FAULT_host_invalid},
    {GET H "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", HTTP_FAULT_length_twice},
    {GET H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", HTTP_FAULT_length_twice},
    {GET H "Content-Length: 1, 1\r\n\r\n", HTTP_FAULT_length_invalid},
    {GET H "Content-Length: +1\r\n\r\n", HTTP_FAULT_length_invalid},
    {GET H "Content-Length: -1\r\n\r\n", HTTP_FAULT_length_invalid},
    {GET H "Content-Length: 0x1\r\n\r\n", HTTP_FAULT_length_invalid},
    {GET H "Content-Length: 1 2\r\n\r\n", HTTP_FAULT_length_invalid},
    {GET H "Content-Length:\r\n\r\n", HTTP_FAULT_length_invalid},
    {GET H "Content-Length: 9999999999999999999\r\n\r\n", HTTP_FAULT_length_invalid},
    {GET H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     HTTP_FAULT_length_with_coding},
    {GET H "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
     HTTP_FAULT_length_with_coding},
    {GET H "Transfer-Encoding: gzip, chunked\r\n\r\n", HTTP_FAULT_coding_invalid},
    {GET H "Transfer-Encoding: chunked, chunked\r\n\r\n", HTTP_FAULT_coding_invalid},
    {GET H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     HTTP_FAULT_coding_invalid},
    {GET H "Transfer-Encoding: identity\r\n\r\n", HTTP_FAULT_coding_invalid},
    {GET H "Transfer-Encoding: xchunked\r\n\r\n", HTTP_FAULT_coding_invalid},
    {GET H "Transfer-Encoding: \"chunked\"\r\n\r\n", HTTP_FAULT_coding_invalid},
    {GET H "Transfer-Encoding: chunked;a=b\r\n\r\n", HTTP_FAULT_coding_invalid},
    {GET H "Transfer-Encoding: \x0b"
           "chunked\r\n\r\n",
     HTTP_FAULT_field_value},
    {GET H "Transfer-Encoding:\r\n\r\n", HTTP_FAULT_coding_invalid},
    {"GET / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", HTTP_FAULT_coding_version},
    {GET H "A: b\rc\r\n\r\n", HTTP_FAULT_bare_cr},
    {GET H "A: b\r\r\n\r\n", HTTP_FAULT_bare_cr},
    {GET H "A: b\nc: d\r\n\r\n", HTTP_FAULT_bare_lf},
    {"GET / HTTP/1.1\nHost: a\r\n\r\n", HTTP_FAULT_bare_lf},
    {"GET / HTTP/1.1\rHost: a\r\n\r\n", HTTP_FAULT_bare_cr},
    {GET H "A: b\r\n c\r\n\r\n", HTTP_FAULT_obs_fold},
    {GET H "A: b\r\n\tc\r\n\r\n", HTTP_FAULT_obs_fold},
    {GET " Host: a\r\n\r\n", HTTP_FAULT_obs_fold},
    {GET "Host : a\r\n\r\n", HTTP_FAULT_field_space},
    {GET H "A\t: b\r\n\r\n", HTTP_FAULT_field_space},
    {GET H "A b: c\r\n\r\n", HTTP_FAULT_field_name},
    {GET H ": b\r\n\r\n", HTTP_FAULT_field_name},
    {GET H "A(: b\r\n\r\n", HTTP_FAULT_field_name},
    {GET H "A\x80: b\r\n\r\n", HTTP_FAULT_field_name},
    {GET H "A\x01: b\r\n\r\n", HTTP_FAULT_field_name},
    {GET H "Abc\r\n\r\n", HTTP_FAULT_field_colon},
    {GET H "A: \x01\r\n\r\n", HTTP_FAULT_field_value},
    {GET H "A: \x7f\r\n\r\n", HTTP_FAULT_field_value},
    {GET H "Expect: 200-ok\r\n\r\n", HTTP_FAULT_expect},
    {GET H "Connection: a b\r\n\r\n", HTTP_FAULT_connection},
    {GET H "Connection: close;\r\n\r\n", HTTP_FAULT_connection},
    {"G@T / HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_method},
    {" GET / HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_method},
    {"GET\t/ HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_method},
    {"GET\r\n" H "\r\n", HTTP_FAULT_method},
    {"GETGETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_method},
    {"GET  / HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_request_line},
    {"GET /  HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_version_syntax},
    {"GET / HTTP/1.1 \r\n" H "\r\n", HTTP_FAULT_request_line},
    {"GET /\r\n" H "\r\n", HTTP_FAULT_request_line},
    {"GET / http/1.1\r\n" H "\r\n", HTTP_FAULT_version_syntax},
    {"GET / HTTP/11\r\n" H "\r\n", HTTP_FAULT_version_syntax},
    {"GET / HTTP/1.10\r\n" H "\r\n", HTTP_FAULT_request_line},
    {"GET / HTTP/2.0\r\n" H "\r\n", HTTP_FAULT_version},
    {"GET / HTTP/1.2\r\n" H "\r\n", HTTP_FAULT_version},
    {"GET / HTTP/0.9\r\n" H "\r\n", HTTP_FAULT_version},
    {"GET a HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_target_form},
    {"GET * HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_target_form},
    {"OPTIONS *a HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_target_form},
    {"GET ftp://a/ HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_target_form},
    {"CONNECT a:443 HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_target_connect},
    {"GET /a#b HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_target_char},
    {"GET /a\\b HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_target_char},
    {"GET /\x80 HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_target_char},
    {"GET /\x01 HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_target_char},
    {"GET /?\"  HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_version_syntax},
    {"GET /?\" HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_target_char},
    {"GET /%00 HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_path_encoding},
    {"GET /%4 HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_path_encoding},
    {"GET /%zz HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_path_encoding},
    {"GET http://b/ HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_authority},
    {"GET http://a:81/ HTTP/1.1\r\n" H "\r\n", HTTP_FAULT_authority},
    {"GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n", HTTP_FAULT_host_invalid},
    {"GET http:// HTTP/1.0\r\n\r\n", HTTP_FAULT_host_invalid},
    {"GET http://a/ HTTP/1.1\r\n\r\n", HTTP_FAULT_host_missing},
    {GET H "\r\nX: y\r\n\r\n", HTTP_FAULT_head_cut},
    {GET H "A: b\r\n", HTTP_FAULT_head_cut},
    {"", HTTP_FAULT_head_cut},
    {"\r\n\r\n", HTTP_FAULT_method},
};

TEST(every_bad_request_is_refused_by_its_name)
{
    for (unsigned i = 0; i < array_len(bad_requests); i++) {
        enum http_fault fault = parse_request(bad_requests[i].text);
        if (fault != bad_requests[i].fault)
            printf("  %s -> %s\n", bad_requests[i].text, http_fault_name(fault));
        CHECK_STR(http_fault_name(fault), http_fault_name(bad_requests[i].fault));
    }
}

TEST(a_nul_is_refused_wherever_it_stands)
{
    static const char good[] = "GET /a?b HTTP/1.1\r\nHost: a\r\nC: d e\r\n\r\n";
    size_t len = sizeof(good) - 1;
    for (size_t i = 0; i < len - 4; i++) {
        uint8_t bytes[sizeof(good)];
        memcpy(bytes, good, sizeof(good));
        bytes[i] = 0;
        CHECK(http_parse_request(bytes, len, &head) != HTTP_FAULT_none);
    }
}

TEST(every_prefix_of_a_request_is_refused)
{
    static const char good[] = "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    for (size_t n = 0; n < sizeof(good) - 1; n++) {
        uint8_t *bytes = malloc(n + 1);
        memcpy(bytes, good, n);
        CHECK_EQ(http_parse_request(bytes, n, &head), HTTP_FAULT_head_cut);
        free(bytes);
    }
}

TEST(a_plain_request_is_taken_apart)
{
    CHECK_EQ(parse_request("POST /a/b?c=d HTTP/1.1\r\nHost: WWW.Example.com:8080\r\n"
                           "Content-Length: 12\r\nX-A:\t b c \t\r\n\r\n"),
             HTTP_FAULT_none);
    CHECK_EQ(head.method, HTTP_POST);
    CHECK_STR(text_of(head.path), "/a/b");
    CHECK_STR(text_of(head.query), "c=d");
    CHECK(head.has_query);
    CHECK_STR(text_of(head.host), "www.example.com");
    CHECK_STR(text_of(head.authority), "www.example.com:8080");
    CHECK_EQ(head.body, HTTP_BODY_LENGTH);
    CHECK_EQ(head.length, 12);
    CHECK(head.is_keep_alive);
    CHECK_EQ(head.n_fields, 3);
    CHECK_STR(text_of(head.fields[2].value), "b c");
}

TEST(the_field_host_says_what_is_matched_and_forwarded)
{
    static const char *const cases[][2] = {
        {"GET / HTTP/1.1\r\nHost: A.b.:8080\r\n\r\n", "a.b:8080"},
        {"GET / HTTP/1.1\r\nHost: a.b.\r\n\r\n", "a.b"},
        {"GET http://a.b/ HTTP/1.1\r\nHost: A.B\r\n\r\n", "a.b"},
    };
    for (unsigned i = 0; i < array_len(cases); i++) {
        struct slice value;
        CHECK_EQ(parse_request(cases[i][0]), HTTP_FAULT_none);
        REQUIRE(http_head_known(&head, HTTP_KNOWN_HOST, &value));
        CHECK_STR(text_of(value), cases[i][1]);
    }
}

TEST(target_forms_give_path_and_host)
{
    CHECK_EQ(parse_request("GET HTTP://A.b:80/x/../y HTTP/1.1\r\nHost: a.B:80\r\n\r\n"), 0);
    CHECK_STR(text_of(head.host), "a.b");
    CHECK_STR(text_of(head.path), "/y");
    CHECK_EQ(parse_request("GET http://a?x HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    CHECK_STR(text_of(head.path), "/");
    CHECK_STR(text_of(head.query), "x");
    CHECK_EQ(parse_request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    CHECK_STR(text_of(head.path), "*");
    CHECK_EQ(parse_request("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    CHECK_STR(text_of(head.path), "*");
    CHECK_EQ(parse_request("GET / HTTP/1.0\r\n\r\n"), 0);
    CHECK_EQ(head.host.len, 0);
    CHECK(!head.is_keep_alive);
    CHECK_EQ(parse_request("GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n"), 0);
    CHECK_STR(text_of(head.host), "[2001:db8::1]");
    CHECK_EQ(parse_request("GET / HTTP/1.1\r\nHost: a.b.:80\r\n\r\n"), 0);
    CHECK_STR(text_of(head.host), "a.b");
    CHECK_STR(text_of(head.authority), "a.b:80");
    CHECK_EQ(parse_request("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    CHECK_EQ(head.method, HTTP_OTHER);
    CHECK_STR(text_of(head.method_text), "BREW");
}

TEST(connection_options_decide_about_keep_alive)
{
    CHECK_EQ(parse_request(GET H "Connection: foo, CLOSE\r\n\r\n"), 0);
    CHECK(!head.is_keep_alive);
    CHECK_EQ(parse_request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), 0);
    CHECK(head.is_keep_alive);
    CHECK_EQ(parse_request("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), 0);
    CHECK(!head.is_keep_alive);
    CHECK_EQ(parse_request(GET H "Connection: ,, ,\r\n\r\n"), 0);
    CHECK(head.is_keep_alive);
}

static bool is_hop(const char *name)
{
    for (uint32_t i = 0; i < head.n_fields; i++) {
        if (slice_eq_nocase(head.fields[i].name, slice_of_str(name)))
            return head.is_hop[i];
    }
    return false;
}

TEST(fields_that_connection_names_end_here_but_not_the_vital_ones)
{
    CHECK_EQ(parse_request(GET H "Connection: X-A, host, x-forwarded-for\r\nConnection: x-b\r\n"
                                 "X-Forwarded-For: 1\r\nx-a: 1\r\nX-B: 1\r\nX-C: 1\r\nTE: a\r\n"
                                 "Upgrade: h2c\r\nKeep-Alive: 5\r\n\r\n"),
             0);
    CHECK(is_hop("x-a"));
    CHECK(is_hop("x-b"));
    CHECK(!is_hop("x-c"));
    CHECK(!is_hop("host"));
    CHECK(!is_hop("x-forwarded-for"));
    CHECK(is_hop("te") && is_hop("upgrade") && is_hop("keep-alive") && is_hop("connection"));
    CHECK(head.is_upgrade_asked);
}

TEST(paths_have_one_normal_form)
{
    static const char *const cases[][2] = {
        {"/", "/"},
        {"//", "/"},
        {"/a", "/a"},
        {"/a/", "/a/"},
        {"/a//b///c", "/a/b/c"},
        {"/a//", "/a/"},
        {"/.", "/"},
        {"/..", "/"},
        {"/../../a", "/a"},
        {"/a/.", "/a/"},
        {"/a/..", "/"},
        {"/a/b/..", "/a/"},
        {"/a/./b/../c", "/a/c"},
        {"/a/b/../../c", "/c"},
        {"/%2e%2E/a", "/a"},
        {"/a/%2e", "/a/"},
        {"/%41%7a%30%2d%7E", "/Az0-~"},
        {"/%c3%a9", "/%C3%A9"},
        {"/%2f", "/%2F"},
        {"/a%2fb/..", "/"},
        {"/%252e%252e/a", "/%252e%252e/a"},
        {"/...", "/..."},
        {"/.a/..b", "/.a/..b"},
        {"/a;x=..", "/a;x=.."},
        {"/a/.//..//b", "/b"},
    };
    for (unsigned i = 0; i < array_len(cases); i++) {
        uint8_t path[64];
        size_t len = strlen(cases[i][0]);
        memcpy(path, cases[i][0], len);
        CHECK_EQ(http_path_normalize(path, &len), HTTP_FAULT_none);
        CHECK_STR(text_of(slice_of(path, len)), cases[i][1]);
        size_t again = len;
        CHECK_EQ(http_path_normalize(path, &again), HTTP_FAULT_none);
        CHECK_EQ(again, len); /* a normal form is its own normal form */
    }
}

TEST(paths_that_hide_a_dot_segment_are_refused)
{
    static const char *const cases[] = {"/a%2F..%2fb", "/..%2fb",  "/a%5c..", "/%2e%2e%2f",
                                        "/.%2Fa",      "/..;/b",   "/.;x/b",  "/%2E%2e;/a",
                                        "/x%2f.",      "/..%5Cb/c"};
    for (unsigned i = 0; i < array_len(cases); i++) {
        uint8_t path[64];
        size_t len = strlen(cases[i]);
        memcpy(path, cases[i], len);
        CHECK_STR(http_fault_name(http_path_normalize(path, &len)), "path_dots");
    }
}

TEST(a_dot_segment_with_a_parameter_hides_behind_an_encoded_separator_too)
{
    static const char *const cases[] = {"/a%2F..;b", "/a%5c.;/b", "/a%2f..;x%2Fb", "/a%2f%2e%2e;"};
    for (unsigned i = 0; i < array_len(cases); i++) {
        uint8_t path[64];
        size_t len = strlen(cases[i]);
        memcpy(path, cases[i], len);
        CHECK_STR(http_fault_name(http_path_normalize(path, &len)), "path_dots");
    }
}

static const struct bad bad_responses[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", HTTP_FAULT_length_twice},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     HTTP_FAULT_length_with_coding},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_FAULT_coding_version},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", HTTP_FAULT_coding_invalid},
    {"HTTP/1.1 20 OK\r\n\r\n", HTTP_FAULT_status_line},
    {"HTTP/1.1 2000 OK\r\n\r\n", HTTP_FAULT_status_line},
    {"HTTP/1.1 099 OK\r\n\r\n", HTTP_FAULT_status_line},
    {"HTTP/1.1  200 OK\r\n\r\n", HTTP_FAULT_status_line},
    {"HTTP/1.1 200 O\x01K\r\n\r\n", HTTP_FAULT_status_line},
    {"HTTP/1.1\r\n\r\n", HTTP_FAULT_status_line},
    {"HTTP/2.0 200 OK\r\n\r\n", HTTP_FAULT_version},
    {"ICY 200 OK\r\n\r\n", HTTP_FAULT_status_line},
    {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", HTTP_FAULT_obs_fold},
    {"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", HTTP_FAULT_field_space},
    {"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", HTTP_FAULT_bare_cr},
    {"HTTP/1.1 200 OK\nA: b\r\n\r\n", HTTP_FAULT_bare_lf},
};

TEST(backends_are_read_as_strictly_as_clients)
{
    for (unsigned i = 0; i < array_len(bad_responses); i++)
        CHECK_STR(http_fault_name(parse_response(bad_responses[i].text, false)),
                  http_fault_name(bad_responses[i].fault));
}

TEST(responses_say_how_their_body_ends)
{
    CHECK_EQ(parse_response("HTTP/1.1 200\r\n\r\n", false), 0);
    CHECK_EQ(head.body, HTTP_BODY_UNTIL_CLOSE);
    CHECK(!head.is_keep_alive);
    CHECK_EQ(parse_response("HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", false), 0);
    CHECK_EQ(head.body, HTTP_BODY_LENGTH);
    CHECK(head.is_keep_alive && !head.is_bodiless);
    CHECK_EQ(parse_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true), 0);
    CHECK(head.is_bodiless && head.is_keep_alive);
    CHECK_EQ(parse_response("HTTP/1.1 304 Not Modified\r\n\r\n", false), 0);
    CHECK(head.is_bodiless && head.is_keep_alive && head.body == HTTP_BODY_NONE);
    CHECK_EQ(parse_response("HTTP/1.1 204 No Content\r\n\r\n", false), 0);
    CHECK(head.is_bodiless);
    CHECK_EQ(parse_response("HTTP/1.1 100 Continue\r\n\r\n", false), 0);
    CHECK(head.is_bodiless);
    CHECK_EQ(parse_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", false), 0);
    CHECK_EQ(head.body, HTTP_BODY_CHUNKED);
}

TEST(more_fields_than_the_limit_are_refused)
{
    static char text[8192];
    size_t n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");
    for (unsigned i = 1; i < HTTP_FIELDS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "A: b\r\n");
    snprintf(text + n, sizeof(text) - n, "\r\n");
    CHECK_EQ(parse_request(text), HTTP_FAULT_none);
    snprintf(text + n, sizeof(text) - n, "A: b\r\n\r\n");
    CHECK_EQ(parse_request(text), HTTP_FAULT_fields_many);
}

TEST(the_date_is_the_one_of_the_rfc)
{
    struct http_env env = {0};
    http_env_set_time(&env, 784111777);
    CHECK_STR(env.date, "Sun, 06 Nov 1994 08:49:37 GMT");
    http_env_set_time(&env, 951782400);
    CHECK_STR(env.date, "Tue, 29 Feb 2000 00:00:00 GMT");
    http_env_set_time(&env, 0);
    CHECK_STR(env.date, "Thu, 01 Jan 1970 00:00:00 GMT");
}

UNIT_MAIN("http/parse", T(every_bad_request_is_refused_by_its_name),
          T(a_nul_is_refused_wherever_it_stands), T(every_prefix_of_a_request_is_refused),
          T(a_plain_request_is_taken_apart), T(the_field_host_says_what_is_matched_and_forwarded),
          T(target_forms_give_path_and_host), T(connection_options_decide_about_keep_alive),
          T(fields_that_connection_names_end_here_but_not_the_vital_ones),
          T(paths_have_one_normal_form), T(paths_that_hide_a_dot_segment_are_refused),
          T(a_dot_segment_with_a_parameter_hides_behind_an_encoded_separator_too),
          T(backends_are_read_as_strictly_as_clients), T(responses_say_how_their_body_ends),
          T(more_fields_than_the_limit_are_refused), T(the_date_is_the_one_of_the_rfc))
