/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session of HTTP/2 to which anything is said, as a server and as a client: what comes of it are
 * heads that the parser takes and bodies, and at the end nothing is left behind. In one piece, cut
 * in two, and byte by byte through a window of 7 bytes.
 */
#include "base/assert.h"
#include "base/container.h"
#include "core/core.h"
#include "fake_env.h"
#include "fake_stream.h"
#include "fuzz.h"
#include "http/http_client.h"
#include "http/http_server.h"
#include "http2/h2.h"

#define CALLS_MAX 128u

static struct stats_worker stats;
static struct core core;
static struct fake_env env;
static struct h2 *h2;
static struct http_server served[CALLS_MAX];
static unsigned used; /* of `served`, as bits would be: those whose stream is set */
static bool is_over;

/* Frames behind the preface: settings, a request with a body, one without, a ping, a reset; and
 * what a server says: settings, a head, a body, trailers, goodbye. */
static const uint8_t as_client[] =
    "\0\0\0\4\0\0\0\0\0"
    "\0\0\x10\1\4\0\0\0\1\x83\x84\x86\x41\x01\x61\0\1x\1y\x0f\x0d\1\x33"
    "\0\0\3\0\1\0\0\0\1abc"
    "\0\0\6\1\5\0\0\0\3\x82\x84\x86\x41\x01\x61"
    "\0\0\x08\6\0\0\0\0\0\1\2\3\4\5\6\7\x08"
    "\0\0\6\1\4\0\0\0\5\x82\x84\x86\x41\x01\x61"
    "\0\0\4\3\0\0\0\0\5\0\0\0\x08"
    "\0\0\4\x08\0\0\0\0\0\0\0\1\0";
static const uint8_t as_server[] = "\0\0\0\4\0\0\0\0\0"
                                   "\0\0\0\4\1\0\0\0\0"
                                   "\0\0\1\1\4\0\0\0\1\x88"
                                   "\0\0\4\0\x08\0\0\0\1\1ab\0"
                                   "\0\0\4\1\5\0\0\0\1\0\1t\1"
                                   "\0\0\x08\7\0\0\0\0\0\0\0\0\1\0\0\0\0";

static const struct {
    const uint8_t *bytes;
    size_t len;
} seeds[] = {{as_client, sizeof(as_client) - 1}, {as_server, sizeof(as_server) - 1}};

static void on_body(struct http_server *s)
{
    struct slice v;
    check_http_server(s);
    while (http_server_body_ready(s) > 0 && http_server_body_peek(s, &v, 1) == 1)
        http_server_body_consume(s, v.len);
    if (s->is_head_sent || !http_server_body_is_done(s))
        return;
    struct http_response r = {.status = 200};
    http_server_answer(s, &r, SLICE_LIT("ok"));
}

static void on_request(struct http_server *s)
{
    const struct http_head *head = &s->request->head;
    ASSERT(head->path.len > 0 && head->host.len > 0);
    for (uint32_t i = 0; i < head->n_fields; i++)
        ASSERT(memchr(head->fields[i].value.ptr, '\n', head->fields[i].value.len) == NULL);
    on_body(s);
}

static void on_writable(struct http_server *s)
{
    ASSERT(s->phase == HTTP_SERVER_EXCHANGE);
}

static void on_server_end(struct http_server *s, bool was_in_exchange)
{
    ASSERT(s->request == NULL && used > 0);
    used--;
}

static const struct http_server_ops server_ops = {.on_request = on_request,
                                                  .on_body = on_body,
                                                  .on_writable = on_writable,
                                                  .on_end = on_server_end};

static void on_stream(struct h2_session *s, struct stream *stream, struct http_head_buf *head,
                      enum http_fault fault, bool is_end)
{
    struct http_server *x = served;
    while (x->stream != NULL)
        x++;
    ASSERT(x < served + CALLS_MAX);
    used++;
    http_server_carry(x, stream, &h2_carrier, &env.env, &server_ops, NULL, head, fault, is_end);
}

static void on_phase(struct h2_session *s, enum h2_phase phase)
{
}

static void on_session_end(struct h2_session *s)
{
    is_over = true;
}

static const struct h2_session_ops session_ops = {
    .on_request = on_stream, .on_phase = on_phase, .on_end = on_session_end};

static void on_room(struct http_client *c)
{
    struct http_request r = {
        .method = SLICE_LIT("GET"), .path = SLICE_LIT("/"), .authority = SLICE_LIT("a")};
    if (c->phase != HTTP_CLIENT_READY || c->requests > 0)
        return;
    ASSERT(http_client_send_head(c, &r));
    http_client_end_request(c);
}

static void on_response(struct http_client *c)
{
    ASSERT(c->response->head.status >= 100);
}

static void on_answer(struct http_client *c)
{
    struct slice v;
    check_http_client(c);
    while (http_client_body_ready(c) > 0 && http_client_body_peek(c, &v, 1) == 1)
        http_client_body_consume(c, v.len);
    if (http_client_body_is_done(c))
        http_client_close(c);
}

static void on_client_end(struct http_client *c, enum http_client_end why)
{
    ASSERT(c->response == NULL);
}

static const struct http_client_ops client_ops = {.on_writable = on_room,
                                                  .on_response = on_response,
                                                  .on_body = on_answer,
                                                  .on_end = on_client_end};

static void make_world(void)
{
    static const struct h2_config config = {
        .sessions_max = 1, .streams_max = CALLS_MAX, .pieces_max = 16, .heap_bytes_max = 1u << 20};
    core_init(&core, &(struct core_config){
                         .now_us = 1, .workers = 1, .socket = -1, .stats = &stats, .rng_seed = 3});
    fake_env_init(&env, 8);
    h2 = h2_new(&core, &env.env, &config);
}

static void settle(struct fake_stream *f)
{
    for (bool did = true; did;) {
        core.now_us += WHEEL_TICK_US;
        did = wheel_run(&core.wheel, core.now_us, 100) > 0;
        did |= fake_stream_dispatch(f);
        did |= fake_stream_written(f).len > 0;
        fake_stream_take(f, fake_stream_written(f).len);
    }
}

static void say(struct fake_stream *f, const uint8_t *data, size_t size, size_t cut, size_t step)
{
    for (size_t at = 0; at < size;) {
        size_t n = at == 0 && cut > 0 ? cut : step;
        n = n < size - at ? n : size - at;
        fake_stream_push(f, slice_of(data + at, n));
        at += n;
        settle(f);
    }
    fake_stream_push_eof(f);
    settle(f);
    fake_stream_break(f, STREAM_END_RESET);
    settle(f);
}

static void talk(const uint8_t *data, size_t size, size_t cut, size_t step, size_t room,
                 bool is_server)
{
    struct fake_stream f;
    struct http_client c;
    fake_stream_init(&f, room);
    is_over = false;
    if (is_server) {
        ASSERT(h2_accept(h2, &f.stream, &session_ops, NULL) != NULL);
        fake_stream_push(&f, slice_of_str(HTTP_H2_PREFACE));
    } else {
        struct h2_session *s = h2_connect(h2, &f.stream, false, &session_ops, NULL);
        struct stream *stream = h2_open(s, false);
        ASSERT(s != NULL && stream != NULL);
        http_client_carry(&c, stream, &h2_carrier, &env.env, &client_ops, NULL, false);
        f.events = STREAM_WRITABLE;
    }
    settle(&f);
    say(&f, data, size, cut, step);
    ASSERT(is_over && f.is_released && used == 0 && env.bufs == 0);
    ASSERT(core.wheel.armed == 0 && h2_used_bytes(h2) == 0);
    fake_stream_done(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4096)
        return 0;
    if (h2 == NULL)
        make_world();
    for (int is_server = 0; is_server < 2; is_server++) {
        talk(data, size, 0, size, SIZE_MAX, is_server);
        talk(data, size, 1 + data[0] * size / 256, size, SIZE_MAX, is_server);
        talk(data, size, 0, 1, 7, is_server);
    }
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    if (n >= array_len(seeds))
        return 0;
    memcpy(ret, seeds[n].bytes, seeds[n].len);
    return seeds[n].len;
}
