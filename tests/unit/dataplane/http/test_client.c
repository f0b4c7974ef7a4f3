/* SPDX-License-Identifier: Apache-2.0 */
/* A client connection as the backend sees it: what is sent, how answers are read, how it ends. */
#include "fake_env.h"
#include "fake_stream.h"
#include "http/http_client.h"
#include "unit.h"

#include <stdio.h>

struct owner {
    struct fake_env env;
    struct fake_stream f;
    struct http_client c;
    char log[1024]; /* "100 103 200 body" */
    bool is_done;
    bool is_kept;
    unsigned ends;
    enum http_client_end end;
};

static struct owner o;

static void note(const char *text, size_t len)
{
    size_t n = strlen(o.log);
    REQUIRE(n + len + 1 < sizeof(o.log));
    memcpy(o.log + n, text, len);
    o.log[n + len] = '\0';
}

static void on_writable(struct http_client *c)
{
    struct http_request r = {.method = SLICE_LIT("GET"),
                             .path = SLICE_LIT("/a"),
                             .query = SLICE_LIT("b"),
                             .has_query = true,
                             .authority = SLICE_LIT("h:1")};
    if (c->phase != HTTP_CLIENT_READY || c->requests > 0)
        return;
    REQUIRE(http_client_send_head(c, &r));
    http_client_end_request(c);
}

static void on_response(struct http_client *c)
{
    check_http_client(c);
    char text[16];
    int n = snprintf(text, sizeof(text), "%u ", c->response->head.status);
    note(text, (size_t)n);
}

static void on_body(struct http_client *c)
{
    size_t n;
    while ((n = http_client_body_ready(c)) > 0) {
        struct slice v;
        REQUIRE(http_client_body_peek(c, &v, 1) == 1);
        note((const char *)v.ptr, v.len);
        http_client_body_consume(c, v.len);
    }
    if (!http_client_body_is_done(c))
        return;
    o.is_done = true;
    o.is_kept = http_client_finish(c);
    if (!o.is_kept)
        http_client_abort(c);
}

static void on_end(struct http_client *c, enum http_client_end end)
{
    o.ends++;
    o.end = end;
}

static const struct http_client_ops ops = {
    .on_writable = on_writable, .on_response = on_response, .on_body = on_body, .on_end = on_end};

static void begin(size_t out_room, size_t slice_max, bool is_head)
{
    memset(&o, 0, sizeof(o));
    fake_env_init(&o.env, 4);
    fake_stream_init(&o.f, out_room);
    o.f.slice_max = slice_max;
    http_client_init(&o.c, &o.f.stream, &o.env.env, &ops, NULL);
    o.f.events = STREAM_WRITABLE; /* established */
    fake_stream_dispatch(&o.f);
    o.c.is_head_request = is_head;
}

static void finish(void)
{
    if (!o.f.is_released)
        http_client_abort(&o.c);
    CHECK_EQ(o.env.bufs, 0);
    fake_stream_done(&o.f);
}

/* What the answer in two parts leads to. */
static const char *answer(const char *text, size_t split)
{
    begin(SIZE_MAX, 5, false);
    size_t len = strlen(text);
    fake_stream_push(&o.f, slice_of(text, split < len ? split : len));
    fake_stream_dispatch(&o.f);
    if (split < len)
        fake_stream_push(&o.f, slice_of(text + split, len - split));
    fake_stream_dispatch(&o.f);
    return o.log;
}

TEST(a_request_is_written_whole_through_any_window)
{
    static const char wanted[] = "GET /a?b HTTP/1.1\r\nHost: h:1\r\n\r\n";
    for (size_t room = 1; room < 50; room++) {
        begin(room, SIZE_MAX, false);
        for (unsigned i = 0; i < 100; i++) {
            if (!http_client_is_sent(&o.c))
                CHECK(fake_stream_written(&o.f).len == room);
            fake_stream_take(&o.f, room);
            fake_stream_dispatch(&o.f);
        }
        CHECK(http_client_is_sent(&o.c));
        CHECK(o.f.out.len == sizeof(wanted) - 1);
        CHECK(memcmp(o.f.out.ptr, wanted, sizeof(wanted) - 1) == 0);
        finish();
    }
}

TEST(answers_are_read_the_same_however_they_are_cut)
{
    static const char text[] =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nL: x\r\n\r\n"
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
    for (size_t split = 0; split < sizeof(text); split++) {
        CHECK_STR(answer(text, split), "100 103 200 abcde");
        CHECK(o.is_done && o.is_kept);
        finish();
    }
}

TEST(an_answer_cut_at_any_byte_ends_as_cut_and_leaves_nothing_behind)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        answer(text, SIZE_MAX);
        finish();
        begin(SIZE_MAX, SIZE_MAX, false);
        fake_stream_push(&o.f, slice_of(text, n));
        fake_stream_dispatch(&o.f);
        fake_stream_break(&o.f, STREAM_END_RESET);
        fake_stream_dispatch(&o.f);
        CHECK(!o.is_done);
        CHECK_EQ(o.end, n == 0 ? HTTP_CLIENT_END_NO_RESPONSE : HTTP_CLIENT_END_CUT);
        finish();
    }
}

TEST(an_answer_until_close_is_whole_with_the_end_and_not_before)
{
    begin(SIZE_MAX, SIZE_MAX, false);
    fake_stream_push(&o.f, SLICE_LIT("HTTP/1.1 200 OK\r\n\r\nabc"));
    fake_stream_dispatch(&o.f);
    CHECK_STR(o.log, "200 abc");
    CHECK(!o.is_done);
    fake_stream_push_eof(&o.f);
    fake_stream_dispatch(&o.f);
    CHECK(o.is_done && !o.is_kept);
    finish();
}

TEST(a_body_that_ends_too_early_is_a_fault)
{
    begin(SIZE_MAX, SIZE_MAX, false);
    fake_stream_push(&o.f, SLICE_LIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"));
    fake_stream_push_eof(&o.f);
    fake_stream_dispatch(&o.f);
    CHECK(!o.is_done);
    CHECK_EQ(http_client_body_fault(&o.c), HTTP_FAULT_body_cut);
    CHECK_EQ(o.env.faults[HTTP_FAULT_body_cut], 1);
    finish();
}

TEST(close_and_extra_bytes_keep_a_connection_from_reuse)
{
    answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", SIZE_MAX);
    CHECK(o.is_done && !o.is_kept);
    finish();
    answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", SIZE_MAX);
    CHECK(o.is_done && !o.is_kept);
    finish();
    answer("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", SIZE_MAX);
    CHECK(o.is_done && !o.is_kept);
    finish();
    answer("HTTP/1.1 204 No Content\r\n\r\n", SIZE_MAX);
    CHECK(o.is_done && o.is_kept);
    finish();
}

TEST(bad_answers_end_the_connection_by_their_fault)
{
    static const struct {
        const char *text;
        enum http_fault fault;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
         HTTP_FAULT_length_twice},
        {"HTTP/1.1 101 Switching\r\n\r\n", HTTP_FAULT_switching},
        {"\r\nHTTP/1.1 200 OK\r\n\r\n", HTTP_FAULT_status_line},
        {"SSH-2.0-x\r\n\r\n", HTTP_FAULT_status_line},
        {"SSH-2.0-x\n", HTTP_FAULT_bare_lf},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        answer(cases[i].text, 3);
        CHECK_EQ(o.ends, 1);
        CHECK_EQ(o.end, HTTP_CLIENT_END_FAULT);
        CHECK_STR(http_fault_name(o.env.last_fault), http_fault_name(cases[i].fault));
        finish();
    }
}

TEST(informational_answers_are_bounded)
{
    char text[HTTP_INFORMATIONAL_MAX * 32 + 64] = "";
    for (unsigned i = 0; i <= HTTP_INFORMATIONAL_MAX; i++)
        strcat(text, "HTTP/1.1 103 X\r\n\r\n");
    answer(text, SIZE_MAX);
    CHECK_EQ(o.env.last_fault, HTTP_FAULT_informational_many);
    CHECK_EQ(o.end, HTTP_CLIENT_END_FAULT);
    finish();
}

TEST(an_answer_to_head_has_no_body_whatever_it_says)
{
    begin(SIZE_MAX, SIZE_MAX, true);
    fake_stream_push(&o.f, SLICE_LIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
    fake_stream_dispatch(&o.f);
    CHECK(o.is_done && o.is_kept);
    CHECK_STR(o.log, "200 ");
    finish();
}

TEST(an_idle_connection_notices_its_end_and_bytes_that_nobody_asked_for)
{
    answer("HTTP/1.1 204 No Content\r\n\r\n", SIZE_MAX);
    fake_stream_push_eof(&o.f);
    fake_stream_dispatch(&o.f);
    CHECK_EQ(o.end, HTTP_CLIENT_END_IDLE_CLOSED);
    finish();
    answer("HTTP/1.1 204 No Content\r\n\r\n", SIZE_MAX);
    fake_stream_push(&o.f, SLICE_LIT("x"));
    fake_stream_dispatch(&o.f);
    CHECK_EQ(o.end, HTTP_CLIENT_END_IDLE_BYTES);
    finish();
}

UNIT_MAIN("http/client", T(a_request_is_written_whole_through_any_window),
          T(answers_are_read_the_same_however_they_are_cut),
          T(an_answer_cut_at_any_byte_ends_as_cut_and_leaves_nothing_behind),
          T(an_answer_until_close_is_whole_with_the_end_and_not_before),
          T(a_body_that_ends_too_early_is_a_fault),
          T(close_and_extra_bytes_keep_a_connection_from_reuse),
          T(bad_answers_end_the_connection_by_their_fault), T(informational_answers_are_bounded),
          T(an_answer_to_head_has_no_body_whatever_it_says),
          T(an_idle_connection_notices_its_end_and_bytes_that_nobody_asked_for))
