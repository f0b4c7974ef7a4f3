/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tunnel between a client and a backend that are both strangers: a request that asks for
 * WebSocket is asked of the backend, whose answer may agree, and from then on bytes go both ways.
 * However what they say is cut, each gets the same bytes; and no buffer is left behind.
 *
 * An input is what the client says, a NUL, and what the backend says.
 */
#include "base/assert.h"
#include "fake_env.h"
#include "fake_stream.h"
#include "fuzz.h"
#include "http/http_move.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define ASK                                                                                        \
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"               \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n"
#define AGREE                                                                                      \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"            \
    "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n"

static const struct {
    const char *front, *back;
} seeds[] = {
    {ASK "early bytes", AGREE "more bytes"},
    {ASK, "HTTP/1.1 100 Continue\r\n\r\n" AGREE "x"},
    {ASK "GET /b HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
    {ASK, "HTTP/1.1 101 No\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n"},
    {"GET /b HTTP/1.1\r\nHost: a\r\n\r\n" ASK "end", AGREE},
};

struct gateway {
    struct fake_env env;
    struct fake_stream front, back;
    struct http_server server;
    struct http_client client;
    bool has_server;
    bool has_client;
    bool is_asked;   /* the backend was, once */
    bool is_waiting; /* for its answer, or is a tunnel */
    bool is_tunnel;
    uint64_t to_front, to_back; /* digests of what was written */
};

static struct gateway g;

static void let_client_go(void)
{
    if (!g.has_client)
        return;
    g.has_client = false;
    http_client_abort(&g.client);
}

static void let_server_go(void)
{
    if (!g.has_server)
        return;
    g.has_server = false;
    http_server_abort(&g.server);
}

static void pump(void)
{
    if (!g.is_tunnel || !g.has_server || !g.has_client)
        return;
    http_move_up(&g.client, &g.server);
    http_move_down(&g.server, &g.client);
    if (!g.server.out.is_ended || !g.client.out.is_ended)
        return;
    g.has_client = false;
    http_client_close(&g.client);
    http_server_finish(&g.server);
}

/* ---- the backend ---- */

static void on_room_or_bytes(struct http_client *c)
{
    pump();
}

/* It agreed: the head goes on to the client, and what either has said already. */
static void begin_tunnel(void)
{
    const struct http_field accept = {SLICE_LIT("sec-websocket-accept"), SLICE_LIT(ACCEPT)};
    struct http_response r = {.status = 101, .fields = &accept, .n_fields = 1};
    bool is_sent = http_server_switch(&g.server, &r);
    ASSERT(is_sent);
    http_client_switch(&g.client);
    http_server_drop_head(&g.server);
    g.is_tunnel = true;
}

static void on_response(struct http_client *c)
{
    const struct http_head *head = &c->response->head;
    struct http_response r = {.status = 502};
    if (head->status == 101 && http_client_is_sent(c) &&
        http_agrees_to_websocket(head, SLICE_LIT(ACCEPT))) {
        begin_tunnel();
    } else if (head->status == 101) {
        http_client_refuse_switch(c); /* on_end answers */
    } else if (head->status >= 200) {
        let_client_go();
        http_server_answer(&g.server, &r, SLICE_LIT("no"));
    }
}

static void on_client_end(struct http_client *c, enum http_client_end why)
{
    struct http_response r = {.status = 502};
    ASSERT(c->response == NULL);
    g.has_client = false;
    if (!g.is_tunnel && g.has_server)
        http_server_answer(&g.server, &r, SLICE_LIT("gone"));
    else
        let_server_go();
}

static const struct http_client_ops client_ops = {.on_writable = on_room_or_bytes,
                                                  .on_response = on_response,
                                                  .on_body = on_room_or_bytes,
                                                  .on_end = on_client_end};

static void ask(struct slice key)
{
    const struct http_field fields[] = {{SLICE_LIT("sec-websocket-version"), SLICE_LIT("13")},
                                        {SLICE_LIT("sec-websocket-key"), key}};
    struct http_request r = {.method = SLICE_LIT("GET"),
                             .path = SLICE_LIT("/"),
                             .authority = SLICE_LIT("a"),
                             .fields = fields,
                             .n_fields = 2,
                             .is_upgrade = true};
    http_client_init(&g.client, &g.back.stream, &g.env.env, &client_ops, NULL);
    g.back.events |= STREAM_WRITABLE;
    g.has_client = g.is_asked = true;
    bool is_sent = http_client_send_head(&g.client, &r);
    ASSERT(is_sent);
}

/* ---- the client ---- */

/* Of a request that asks for nothing else, when all of it is there. */
static void answer_plainly(struct http_server *s)
{
    struct slice v;
    while (http_server_body_ready(s) > 0 && http_server_body_peek(s, &v, 1) == 1)
        http_server_body_consume(s, v.len);
    bool is_bad = http_server_body_fault(s) != HTTP_FAULT_none;
    if (s->is_head_sent || (!is_bad && !http_server_body_is_done(s)))
        return;
    struct http_response r = {.status = is_bad ? 400 : 200};
    http_server_answer(s, &r, SLICE_LIT("plain"));
}

static void on_body_or_room(struct http_server *s)
{
    check_http_server(s);
    if (g.is_waiting)
        pump();
    else
        answer_plainly(s);
}

static void on_request(struct http_server *s)
{
    struct slice key;
    const struct http_head *head = &s->request->head;
    g.is_waiting = !g.is_asked && head->is_upgrade_asked && http_asks_websocket(head, &key);
    if (g.is_waiting)
        ask(key);
    else
        answer_plainly(s);
}

static void on_server_end(struct http_server *s, bool was_in_exchange)
{
    ASSERT(s->request == NULL);
    g.has_server = false;
    let_client_go();
}

static const struct http_server_ops server_ops = {.on_request = on_request,
                                                  .on_body = on_body_or_room,
                                                  .on_writable = on_body_or_room,
                                                  .on_end = on_server_end};

/* ---- both ---- */

static bool take(struct fake_stream *f, uint64_t *digest)
{
    struct slice v = fake_stream_written(f);
    bool did = fake_stream_dispatch(f) || v.len > 0;
    v = fake_stream_written(f);
    for (size_t i = 0; i < v.len; i++)
        *digest = (*digest ^ v.ptr[i]) * 0x100000001b3u;
    fake_stream_take(f, v.len);
    return did;
}

/* Lets events happen, and both take what was written. */
static void settle(void)
{
    bool did = true;
    while (did) {
        did = take(&g.front, &g.to_front);
        did |= g.is_asked && take(&g.back, &g.to_back);
    }
}

static void say(struct fake_stream *f, struct slice v, size_t cut, size_t step)
{
    for (size_t at = 0; at < v.len;) {
        size_t n = at == 0 && cut > 0 ? cut : step;
        n = n < v.len - at ? n : v.len - at;
        fake_stream_push(f, slice_of(v.ptr + at, n));
        at += n;
        settle();
    }
}

/* All of it, in pieces of `step` behind the first `cut` bytes of each. */
static void talk(struct slice front, struct slice back, size_t cut, size_t step, size_t room)
{
    g = (struct gateway){.has_server = true, .to_front = 1, .to_back = 1};
    fake_env_init(&g.env, 4);
    fake_stream_init(&g.front, room);
    fake_stream_init(&g.back, room);
    http_server_init(&g.server, &g.front.stream, &g.env.env, &server_ops, NULL);
    say(&g.front, front, cut, step);
    if (g.is_asked)
        say(&g.back, back, cut, step);
    fake_stream_push_eof(&g.front);
    settle();
    if (g.is_asked)
        fake_stream_push_eof(&g.back);
    settle();
    fake_stream_break(&g.front, STREAM_END_RESET);
    if (g.is_asked)
        fake_stream_break(&g.back, STREAM_END_RESET);
    settle();
    ASSERT(g.front.is_released && (g.back.is_released || !g.is_asked) && g.env.bufs == 0);
    fake_stream_done(&g.front);
    fake_stream_done(&g.back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 && size <= 4096 ? memchr(data, '\0', size) : NULL;
    if (nul == NULL)
        return 0;
    struct slice front = slice_of(data, (size_t)(nul - data));
    struct slice back = slice_of(nul + 1, size - front.len - 1);
    talk(front, back, 0, size, SIZE_MAX);
    uint64_t to_front = g.to_front, to_back = g.to_back;
    talk(front, back, 1 + data[size - 1] * size / 256, size, SIZE_MAX);
    ASSERT(to_front == g.to_front && to_back == g.to_back);
    talk(front, back, 0, 1, 7);
    ASSERT(to_front == g.to_front && to_back == g.to_back);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    size_t front = strlen(seeds[n].front) + 1, back = strlen(seeds[n].back);
    memcpy(ret, seeds[n].front, front);
    memcpy(ret + front, seeds[n].back, back);
    return front + back;
}
