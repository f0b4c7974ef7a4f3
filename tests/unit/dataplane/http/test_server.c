/* SPDX-License-Identifier: Apache-2.0 */
/* A server connection as its peer sees it: same answers however the bytes are cut, in order, under
 * back-pressure, and nothing left behind. */
#include "base/container.h"
#include "fake_env.h"
#include "fake_stream.h"
#include "http/http_server.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

/* The owner: answers each request with what it was asked. */
struct owner {
    struct fake_env env;
    struct fake_stream f;
    struct http_server s;
    char body[512];
    size_t body_len;
    char reply[1024];
    size_t reply_len;
    size_t reply_sent;
    bool is_chunked; /* reply in chunks */
    bool is_held;    /* reply only when the test says so */
    bool is_replying;
    unsigned requests;
    unsigned ends;
    unsigned ends_owed;
    enum http_server_phase phase;
};

static struct owner o;

static void push_reply(struct http_server *s)
{
    struct slice rest = slice_of(o.reply + o.reply_sent, o.reply_len - o.reply_sent);
    o.reply_sent += http_server_write(s, rest);
    if (o.reply_sent < o.reply_len)
        return;
    o.is_replying = false;
    http_server_finish(s);
}

static void reply(struct http_server *s)
{
    const struct http_head *head = &s->request->head;
    o.reply_len =
        (size_t)snprintf(o.reply, sizeof(o.reply), "<%.*s %.*s %.*s>", (int)head->method_text.len,
                         (const char *)head->method_text.ptr, (int)head->path.len,
                         (const char *)head->path.ptr, (int)o.body_len, o.body);
    o.reply_sent = 0;
    o.is_replying = true;
    struct http_response r = {.status = 200,
                              .body = o.is_chunked ? HTTP_BODY_UNTIL_CLOSE : HTTP_BODY_LENGTH,
                              .length = o.reply_len};
    if (!http_server_send_head(s, &r)) {
        http_server_abort(s);
        return;
    }
    push_reply(s);
}

static void on_body(struct http_server *s)
{
    check_http_server(s);
    size_t n;
    while ((n = http_server_body_ready(s)) > 0) {
        struct slice v;
        REQUIRE(http_server_body_peek(s, &v, 1) == 1);
        memcpy(o.body + o.body_len, v.ptr, v.len);
        o.body_len += v.len;
        http_server_body_consume(s, v.len);
    }
    if (http_server_body_fault(s) != HTTP_FAULT_none && !o.is_replying) {
        o.is_replying = true;
        struct http_response r = {.status = 400};
        http_server_answer(s, &r, SLICE_LIT("bad body"));
        return;
    }
    if (http_server_body_is_done(s) && !o.is_replying && !o.is_held)
        reply(s);
}

static void on_request(struct http_server *s)
{
    o.requests++;
    o.body_len = 0;
    o.is_replying = false;
    on_body(s);
}

static void on_writable(struct http_server *s)
{
    if (o.is_replying)
        push_reply(s);
}

static void on_phase(struct http_server *s, enum http_server_phase phase)
{
    CHECK(phase != o.phase);
    o.phase = phase;
}

static void on_end(struct http_server *s, bool was_in_exchange)
{
    o.ends++;
    o.ends_owed += was_in_exchange;
}

static const struct http_server_ops ops = {.on_request = on_request,
                                           .on_body = on_body,
                                           .on_writable = on_writable,
                                           .on_phase = on_phase,
                                           .on_end = on_end};

static void begin(size_t out_room, size_t slice_max)
{
    memset(&o, 0, sizeof(o));
    fake_env_init(&o.env, 8);
    fake_stream_init(&o.f, out_room);
    o.f.slice_max = slice_max;
    http_server_init(&o.s, &o.f.stream, &o.env.env, &ops, NULL);
}

/* All that was answered. Lets a slow client take one byte at a time when the window is small. */
static char *collect(char *text, size_t max)
{
    size_t n = strlen(text);
    for (;;) {
        struct slice w = fake_stream_written(&o.f);
        if (w.len == 0 && !fake_stream_dispatch(&o.f))
            break;
        size_t take = o.f.out_room < 1000 && w.len > 1 ? 1 : w.len;
        REQUIRE(n + take < max);
        if (take > 0)
            memcpy(text + n, w.ptr, take);
        n += take;
        fake_stream_take(&o.f, take);
        fake_stream_dispatch(&o.f);
    }
    text[n] = '\0';
    return text;
}

static void finish(void)
{
    if (o.ends == 0 && !o.f.is_released) {
        fake_stream_break(&o.f, STREAM_END_RESET);
        fake_stream_dispatch(&o.f);
    }
    CHECK(o.f.is_released);
    CHECK_EQ(o.env.bufs, 0);
    fake_stream_done(&o.f);
}

static char *talk(const char *input, char *out, size_t max)
{
    out[0] = '\0';
    begin(SIZE_MAX, SIZE_MAX);
    fake_stream_push(&o.f, slice_of_str(input));
    fake_stream_dispatch(&o.f);
    return collect(out, max);
}

static const char pipelined[] = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                                "\r\nPUT /2?x HTTP/1.1\r\nHost: a\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n"
                                "HEAD /3 HTTP/1.1\r\nHost: a\r\n\r\n"
                                "GET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                                "GET /never HTTP/1.1\r\nHost: a\r\n\r\n";
static const char pipelined_answers[] =
    "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<POST /1 hello>"
    "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n<PUT /2 abc>"
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<GET /4 >";

TEST(pipelined_requests_are_answered_in_order_until_close)
{
    char out[2048];
    CHECK_STR(talk(pipelined, out, sizeof(out)), pipelined_answers);
    CHECK_EQ(o.requests, 4);
    CHECK_EQ(o.phase, HTTP_SERVER_DRAIN);
    CHECK(o.f.is_shutdown && !o.f.is_released);
    fake_stream_push_eof(&o.f);
    fake_stream_dispatch(&o.f);
    CHECK_EQ(o.ends, 1);
    CHECK_EQ(o.ends_owed, 0);
    finish();
}

TEST(every_cut_of_the_input_gives_the_same_answers)
{
    for (size_t split = 0; split < sizeof(pipelined); split++) {
        char out[2048] = "";
        begin(SIZE_MAX, 7);
        fake_stream_push(&o.f, slice_of(pipelined, split));
        fake_stream_dispatch(&o.f);
        collect(out, sizeof(out));
        fake_stream_push(&o.f, slice_of(pipelined + split, sizeof(pipelined) - 1 - split));
        fake_stream_dispatch(&o.f);
        CHECK_STR(collect(out, sizeof(out)), pipelined_answers);
        finish();
    }
}

TEST(byte_by_byte_and_window_by_window_gives_the_same_answers)
{
    for (size_t room = 1; room < 64; room += 3) {
        char out[2048] = "";
        begin(room, 1);
        for (size_t i = 0; i < sizeof(pipelined) - 1; i++) {
            fake_stream_push(&o.f, slice_of(pipelined + i, 1));
            fake_stream_dispatch(&o.f);
        }
        CHECK_STR(collect(out, sizeof(out)), pipelined_answers);
        finish();
    }
}

TEST(a_connection_cut_at_any_byte_leaves_nothing_behind)
{
    for (size_t n = 0; n < sizeof(pipelined); n++) {
        for (unsigned how = 0; how < 3; how++) {
            char out[2048] = "";
            begin(how == 2 ? 10 : SIZE_MAX, SIZE_MAX);
            fake_stream_push(&o.f, slice_of(pipelined, n));
            if (how != 1)
                fake_stream_dispatch(&o.f);
            if (how == 0)
                fake_stream_push_eof(&o.f);
            else
                fake_stream_break(&o.f, STREAM_END_RESET);
            fake_stream_dispatch(&o.f);
            collect(out, sizeof(out));
            CHECK_EQ(o.ends, 1);
            finish();
        }
    }
}

TEST(a_bad_request_is_answered_by_name_and_the_connection_closed)
{
    char out[2048];
    talk("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost : a\r\n\r\nGET / HTTP", out,
         sizeof(out));
    CHECK_STR(out, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n<GET / >"
                   "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 41\r\n"
                   "Connection: close\r\n\r\nwhite space between field name and colon\n");
    CHECK_EQ(o.env.faults[HTTP_FAULT_field_space], 1);
    CHECK_EQ(o.env.n_faults, 1);
    CHECK_EQ(o.phase, HTTP_SERVER_DRAIN);
    finish();
}

TEST(what_begins_as_head_is_refused_without_content)
{
    char out[2048];
    talk("HEAD / HTTP/1.1\r\nHost : a\r\n\r\n", out, sizeof(out));
    CHECK_STR(out, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 41\r\n"
                   "Connection: close\r\n\r\n");
    finish();
    talk("HEAD / HT", out, sizeof(out));
    http_server_timeout(&o.s);
    collect(out, sizeof(out));
    CHECK(strncmp(out, "HTTP/1.1 408 ", 13) == 0);
    CHECK(strcmp(out + strlen(out) - 4, "\r\n\r\n") == 0);
    finish();
}

TEST(a_bad_chunk_is_answered_400_and_the_connection_closed)
{
    char out[2048];
    talk("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc", out,
         sizeof(out));
    CHECK_STR(out, "HTTP/1.1 400 Bad Request\r\nContent-Length: 8\r\nConnection: close\r\n\r\n"
                   "bad body");
    CHECK_EQ(o.env.faults[HTTP_FAULT_chunk_size], 1);
    CHECK_EQ(o.phase, HTTP_SERVER_DRAIN);
    finish();
}

TEST(heads_and_targets_beyond_their_limit_are_431_and_414)
{
    static char text[HTTP_HEAD_BYTES_MAX + 100];
    static char out[4096];
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "GET /", 5);
    talk(text, out, sizeof(out));
    CHECK(strncmp(out, "HTTP/1.1 414 ", 13) == 0);
    finish();
    memcpy(text, "GET / HTTP/1.1\r\nA: ", 19);
    talk(text, out, sizeof(out));
    CHECK(strncmp(out, "HTTP/1.1 431 ", 13) == 0);
    finish();
}

TEST(http_1_0_closes_unless_asked_and_gets_no_chunks)
{
    char out[2048];
    talk("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n", out,
         sizeof(out));
    CHECK_STR(out, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: keep-alive\r\n\r\n<GET /a >"
                   "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<GET /b >");
    finish();
    out[0] = '\0';
    begin(SIZE_MAX, SIZE_MAX);
    o.is_chunked = true;
    fake_stream_push(&o.f, SLICE_LIT("GET /1.1 HTTP/1.1\r\nHost: a\r\n\r\n"
                                     "GET /c HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    fake_stream_dispatch(&o.f);
    CHECK_STR(collect(out, sizeof(out)),
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n<GET /1.1 >\r\n0\r\n\r\n"
              "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<GET /c >");
    CHECK(o.f.is_shutdown);
    finish();
}

TEST(timeouts_close_an_idle_connection_and_answer_a_slow_head_with_408)
{
    char out[2048] = "";
    begin(SIZE_MAX, SIZE_MAX);
    http_server_timeout(&o.s);
    CHECK_EQ(o.phase, HTTP_SERVER_DRAIN);
    http_server_timeout(&o.s);
    CHECK_EQ(o.ends, 1);
    finish();
    talk("GET / HT", out, sizeof(out));
    CHECK_EQ(o.phase, HTTP_SERVER_HEAD);
    http_server_timeout(&o.s);
    collect(out, sizeof(out));
    CHECK(strncmp(out, "HTTP/1.1 408 ", 13) == 0);
    CHECK_EQ(o.env.faults[HTTP_FAULT_head_timeout], 1);
    finish();
}

TEST(without_a_head_buffer_the_answer_is_503)
{
    char out[2048] = "";
    begin(SIZE_MAX, SIZE_MAX);
    o.env.bufs_max = 0;
    fake_stream_push(&o.f, SLICE_LIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    fake_stream_dispatch(&o.f);
    CHECK(strncmp(collect(out, sizeof(out)), "HTTP/1.1 503 ", 13) == 0);
    CHECK_EQ(o.env.faults[HTTP_FAULT_no_head_buffer], 1);
    finish();
}

TEST(an_answer_from_outside_goes_on_to_the_next_request_without_a_recursion_of_events)
{
    char out[2048];
    talk("", out, sizeof(out));
    o.is_held = true;
    fake_stream_push(&o.f, SLICE_LIT("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
                                     "GET /b HTTP/1.1\r\nHost: a\r\n\r\n"));
    fake_stream_dispatch(&o.f);
    CHECK_EQ(o.requests, 1);
    reply(&o.s);
    CHECK_EQ(o.requests, 2);
    reply(&o.s);
    CHECK_STR(collect(out, sizeof(out)), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<GET /a >"
                                         "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<GET /b >");
    CHECK_EQ(o.phase, HTTP_SERVER_IDLE);
    finish();
}

TEST(an_early_answer_closes_when_the_body_has_not_come)
{
    char out[2048];
    talk("", out, sizeof(out));
    o.is_held = true;
    fake_stream_push(&o.f, SLICE_LIT("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"));
    fake_stream_dispatch(&o.f);
    struct http_response r = {.status = 403};
    http_server_answer(&o.s, &r, SLICE_LIT("no"));
    CHECK_STR(collect(out, sizeof(out)),
              "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    CHECK_EQ(o.phase, HTTP_SERVER_DRAIN);
    finish();
}

TEST(a_client_that_ended_its_direction_still_gets_its_answer)
{
    char out[2048] = "";
    begin(SIZE_MAX, SIZE_MAX);
    fake_stream_push(&o.f, SLICE_LIT("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"));
    fake_stream_push_eof(&o.f);
    fake_stream_dispatch(&o.f);
    CHECK_STR(collect(out, sizeof(out)), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<GET /a >");
    CHECK_EQ(o.ends, 1);
    CHECK_EQ(o.ends_owed, 0);
    finish();
}

TEST(a_close_lets_the_exchange_finish_and_announces_itself)
{
    char out[2048];
    talk("", out, sizeof(out));
    o.is_held = true;
    fake_stream_push(&o.f, SLICE_LIT("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"));
    fake_stream_dispatch(&o.f);
    http_server_close(&o.s);
    CHECK_EQ(o.phase, HTTP_SERVER_EXCHANGE);
    reply(&o.s);
    CHECK_STR(collect(out, sizeof(out)),
              "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<GET /a >");
    CHECK_EQ(o.phase, HTTP_SERVER_DRAIN);
    finish();
}

TEST(a_response_shorter_than_announced_is_never_faked_as_whole)
{
    char out[2048];
    talk("", out, sizeof(out));
    o.is_held = true;
    fake_stream_push(&o.f, SLICE_LIT("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"));
    fake_stream_dispatch(&o.f);
    struct http_response r = {.status = 200, .body = HTTP_BODY_LENGTH, .length = 10};
    REQUIRE(http_server_send_head(&o.s, &r));
    CHECK_EQ(http_server_write(&o.s, SLICE_LIT("abc")), 3);
    http_server_finish(&o.s);
    CHECK_EQ(o.f.end, STREAM_END_ABORTED);
    fake_stream_dispatch(&o.f);
    CHECK_EQ(o.ends, 1);
    CHECK_EQ(o.ends_owed, 1);
    finish();
}

UNIT_MAIN("http/server", T(pipelined_requests_are_answered_in_order_until_close),
          T(every_cut_of_the_input_gives_the_same_answers),
          T(byte_by_byte_and_window_by_window_gives_the_same_answers),
          T(a_connection_cut_at_any_byte_leaves_nothing_behind),
          T(a_bad_request_is_answered_by_name_and_the_connection_closed),
          T(what_begins_as_head_is_refused_without_content),
          T(a_bad_chunk_is_answered_400_and_the_connection_closed),
          T(heads_and_targets_beyond_their_limit_are_431_and_414),
          T(http_1_0_closes_unless_asked_and_gets_no_chunks),
          T(timeouts_close_an_idle_connection_and_answer_a_slow_head_with_408),
          T(without_a_head_buffer_the_answer_is_503),
          T(an_answer_from_outside_goes_on_to_the_next_request_without_a_recursion_of_events),
          T(an_early_answer_closes_when_the_body_has_not_come),
          T(a_client_that_ended_its_direction_still_gets_its_answer),
          T(a_close_lets_the_exchange_finish_and_announces_itself),
          T(a_response_shorter_than_announced_is_never_faked_as_whole))
