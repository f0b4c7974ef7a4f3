/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole conversation on a server connection and on a client connection: whatever comes, it gives
 * the same answers in one piece, cut in two, and byte by byte through a window of 7 bytes; and no
 * buffer is left behind.
 */
#include "base/assert.h"
#include "fake_env.h"
#include "fake_stream.h"
#include "fuzz.h"
#include "http/http_client.h"
#include "http/http_server.h"

static const char *const seeds[] = {
    "GET /a HTTP/1.1\r\nHost: a\r\n\r\nHEAD /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0\r\nT: "
    "u\r\n\r\n"
    "POST / HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nxyzGET",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    "a\r\n0123456789\r\n0\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\nuntil close",
    "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200",
};

/* Digests of what was understood (heads and bodies in order), and of what was answered. */
struct digests {
    uint64_t in;
    uint64_t out;
};

static struct digests digests;

static void add(uint64_t *digest, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        *digest = (*digest ^ s.ptr[i]) * 0x100000001b3u;
}

static void note(struct slice s)
{
    add(&digests.in, s);
}

static void server_on_body(struct http_server *s)
{
    struct slice v;
    check_http_server(s);
    while (http_server_body_ready(s) > 0 && http_server_body_peek(s, &v, 1) == 1) {
        note(v);
        http_server_body_consume(s, v.len);
    }
    bool is_bad = http_server_body_fault(s) != HTTP_FAULT_none;
    if (s->is_head_sent || (!is_bad && !http_server_body_is_done(s)))
        return;
    struct http_response r = {.status = is_bad ? 400 : 200};
    http_server_answer(s, &r, SLICE_LIT("ok"));
}

static void server_on_request(struct http_server *s)
{
    note(s->request->head.method_text);
    note(s->request->head.path);
    server_on_body(s);
}

static void server_on_writable(struct http_server *s)
{
    ASSERT(s->phase == HTTP_SERVER_EXCHANGE);
}

static void server_on_end(struct http_server *s, bool was_in_exchange)
{
    ASSERT(s->request == NULL);
}

static void client_on_writable(struct http_client *c)
{
    struct http_request r = {
        .method = SLICE_LIT("GET"), .path = SLICE_LIT("/"), .authority = SLICE_LIT("a")};
    if (c->phase != HTTP_CLIENT_READY || c->requests > 0)
        return;
    ASSERT(http_client_send_head(c, &r));
    http_client_end_request(c);
}

static void client_on_response(struct http_client *c)
{
    uint8_t status[2] = {(uint8_t)c->response->head.status,
                         (uint8_t)(c->response->head.status >> 8)};
    note(slice_of(status, 2));
}

static void client_on_body(struct http_client *c)
{
    struct slice v;
    check_http_client(c);
    while (http_client_body_ready(c) > 0 && http_client_body_peek(c, &v, 1) == 1) {
        note(v);
        http_client_body_consume(c, v.len);
    }
    if (http_client_body_is_done(c) && !http_client_finish(c))
        http_client_close(c);
}

static void client_on_end(struct http_client *c, enum http_client_end why)
{
    ASSERT(c->response == NULL);
}

static const struct http_server_ops server_ops = {.on_request = server_on_request,
                                                  .on_body = server_on_body,
                                                  .on_writable = server_on_writable,
                                                  .on_end = server_on_end};
static const struct http_client_ops client_ops = {.on_writable = client_on_writable,
                                                  .on_response = client_on_response,
                                                  .on_body = client_on_body,
                                                  .on_end = client_on_end};

/* Lets events happen, and the peer take what was written. */
static void settle(struct fake_stream *f)
{
    while (fake_stream_dispatch(f) || fake_stream_written(f).len > 0) {
        add(&digests.out, fake_stream_written(f));
        fake_stream_take(f, fake_stream_written(f).len);
    }
}

/* Sends the bytes in pieces of `step` from `cut` on. Returns the digests of all that came of it. */
static struct digests talk(const uint8_t *data, size_t size, size_t cut, size_t step, size_t room,
                           bool is_server)
{
    struct fake_env env;
    struct fake_stream f;
    struct http_server s;
    struct http_client c;
    digests = (struct digests){0xcbf29ce484222325u, 0xcbf29ce484222325u};
    fake_env_init(&env, 4);
    fake_stream_init(&f, room);
    if (is_server)
        http_server_init(&s, &f.stream, &env.env, &server_ops, NULL);
    else
        http_client_init(&c, &f.stream, &env.env, &client_ops, NULL);
    f.events = is_server ? 0 : STREAM_WRITABLE;
    settle(&f);
    for (size_t at = 0; at < size;) {
        size_t n = at == 0 && cut > 0 ? cut : step;
        n = n < size - at ? n : size - at;
        fake_stream_push(&f, slice_of(data + at, n));
        at += n;
        settle(&f);
    }
    fake_stream_push_eof(&f);
    settle(&f);
    fake_stream_break(&f, STREAM_END_RESET);
    settle(&f);
    ASSERT(f.is_released && env.bufs == 0);
    fake_stream_done(&f);
    return digests;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4096)
        return 0;
    for (int is_server = 0; is_server < 2; is_server++) {
        struct digests whole = talk(data, size, 0, size, SIZE_MAX, is_server);
        struct digests cut = talk(data, size, 1 + data[0] * size / 256, size, SIZE_MAX, is_server);
        struct digests bytes = talk(data, size, 0, 1, 7, is_server);
        ASSERT(whole.in == cut.in && whole.out == cut.out);
        ASSERT(whole.in == bytes.in && whole.out == bytes.out);
    }
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    size_t len = strlen(seeds[n]);
    memcpy(ret, seeds[n], len);
    return len;
}
