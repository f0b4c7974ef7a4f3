/* SPDX-License-Identifier: Apache-2.0 */
/* See h2_pair.h. */
#include "h2_pair.h"

#include "base/assert.h"
#include "base/container.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* ---- the server ---- */

static void serve(struct pair_served *x)
{
    while (x->is_answering && x->answered < x->len) {
        size_t n =
            http_server_write(&x->http, slice_of(x->body + x->answered, x->len - x->answered));
        x->answered += n;
        if (n == 0)
            return;
    }
    if (x->is_answering) {
        x->is_answering = false;
        http_server_finish(&x->http);
    }
}

static void read_body(struct pair_served *x)
{
    struct slice v;
    while (http_server_body_ready(&x->http) > 0 && http_server_body_peek(&x->http, &v, 1) == 1) {
        REQUIRE(x->len + v.len <= PAIR_BODY_BYTES_MAX);
        memcpy(x->body + x->len, v.ptr, v.len);
        x->len += v.len;
        http_server_body_consume(&x->http, v.len);
    }
}

static bool is_path(const struct pair_served *x, const char *path)
{
    return slice_eq(x->http.request->head.path, slice_of_str(path));
}

/* WebSocket's bytes come back. */
static void echo(struct pair_served *x)
{
    struct http_server *s = &x->http;
    read_body(x);
    x->answered += http_server_write(s, slice_of(x->body + x->answered, x->len - x->answered));
    if (!http_server_body_is_done(s) || x->answered < x->len || s->out.is_ended)
        return;
    http_body_out_end(&s->out, s->stream);
    stream_shutdown(s->stream);
    http_server_finish(s);
}

static void agree(struct pair_served *x)
{
    struct slice key;
    struct http_field mine = {SLICE_LIT("X-Mine"), SLICE_LIT("1")};
    struct http_response r = {.status = 101, .fields = &mine, .n_fields = 1};
    REQUIRE(http_asks_websocket(&x->http.request->head, &key));
    x->is_socket = true;
    REQUIRE(http_server_switch(&x->http, &r));
}

static void on_body(struct http_server *s)
{
    struct pair_served *x = container_of(s, struct pair_served, http);
    if (x->is_socket) {
        echo(x);
        return;
    }
    if (is_path(x, "/never"))
        return;
    read_body(x);
    if (!http_server_body_is_done(s) || s->is_head_sent)
        return;
    struct http_response r = {.status = 200, .body = HTTP_BODY_LENGTH, .length = x->len};
    if (is_path(x, "/open"))
        r.body = HTTP_BODY_UNTIL_CLOSE;
    REQUIRE(http_server_send_head(s, &r));
    x->is_answering = true;
    serve(x);
}

static void give(struct pair_served *x)
{
    struct http_response r = {.status = 200, .body = HTTP_BODY_UNTIL_CLOSE};
    memset(x->body, 'x', PAIR_GIVEN_BYTES);
    x->len = PAIR_GIVEN_BYTES;
    REQUIRE(http_server_send_head(&x->http, &r));
    x->is_answering = true;
    serve(x);
}

static void on_request(struct http_server *s)
{
    struct pair_served *x = container_of(s, struct pair_served, http);
    struct http_response none = {.status = 204};
    x->pair->n_served++;
    if (is_path(x, "/early"))
        http_server_answer(s, &none, (struct slice){NULL, 0});
    else if (is_path(x, "/give"))
        give(x);
    else if (is_path(x, "/socket"))
        agree(x);
    else
        on_body(s);
}

static void on_writable(struct http_server *s)
{
    struct pair_served *x = container_of(s, struct pair_served, http);
    if (x->is_socket)
        echo(x);
    else
        serve(x);
}

static void on_server_end(struct http_server *s, bool was_in_exchange)
{
    struct pair_served *x = container_of(s, struct pair_served, http);
    free(x->body);
    x->is_used = false;
}

static const struct http_server_ops server_ops = {.on_request = on_request,
                                                  .on_body = on_body,
                                                  .on_writable = on_writable,
                                                  .on_end = on_server_end};

static void on_stream(struct h2_session *s, struct stream *stream, struct http_head_buf *head,
                      enum http_fault fault, bool is_end)
{
    struct pair *p = h2_session_owner(s);
    struct pair_served *x = p->served;
    while (x->is_used)
        x++;
    ASSERT(x < p->served + PAIR_CALLS_MAX);
    *x = (struct pair_served){.pair = p, .body = malloc(PAIR_BODY_BYTES_MAX), .is_used = true};
    ASSERT(x->body != NULL);
    http_server_carry(&x->http, stream, &h2_carrier, &p->env.env, &server_ops, p, head, fault,
                      is_end);
}

static void on_server_phase(struct h2_session *s, enum h2_phase phase)
{
    struct pair *p = h2_session_owner(s);
    p->server_phase = phase;
}

static void on_server_over(struct h2_session *s)
{
    struct pair *p = h2_session_owner(s);
    p->server = NULL;
}

static const struct h2_session_ops server_session = {
    .on_request = on_stream, .on_phase = on_server_phase, .on_end = on_server_over};

/* ---- the client ---- */

static void send_body(struct pair_call *c)
{
    while (c->sent < c->body.len) {
        size_t n = http_client_write(&c->http, slice_skip(c->body, c->sent));
        c->sent += n;
        if (n == 0)
            return;
    }
    if (c->http.out.is_ended)
        return;
    http_client_end_request(&c->http);
    if (c->status == 101)
        stream_shutdown(c->http.stream);
}

/* Asks for WebSocket; the body is what is said afterwards. */
static void ask_socket(struct pair_call *c, const char *path)
{
    const struct http_field fields[] = {
        {SLICE_LIT("Sec-WebSocket-Version"), SLICE_LIT("13")},
        {SLICE_LIT("Sec-WebSocket-Key"), SLICE_LIT("of nobody's concern")}};
    struct http_request r = {.method = SLICE_LIT("GET"),
                             .path = slice_of_str(path),
                             .authority = SLICE_LIT("pair.example"),
                             .fields = fields,
                             .n_fields = array_len(fields),
                             .is_upgrade = true};
    REQUIRE(http_client_send_head(&c->http, &r));
    http_client_end_request(&c->http);
}

static void send_head(struct pair_call *c, const char *path)
{
    bool is_open = path[1] == 'o';
    const char *said = c->priority != NULL ? c->priority : "";
    struct http_field priority = {SLICE_LIT("Priority"), slice_of_str(said)};
    struct http_request r = {.method = SLICE_LIT("POST"),
                             .fields = &priority,
                             .n_fields = c->priority != NULL,
                             .path = slice_of_str(path),
                             .authority = SLICE_LIT("pair.example"),
                             .body = c->body.len == 0 ? HTTP_BODY_NONE
                                     : is_open        ? HTTP_BODY_CHUNKED
                                                      : HTTP_BODY_LENGTH,
                             .length = c->body.len};
    REQUIRE(http_client_send_head(&c->http, &r));
    send_body(c);
}

static void on_room(struct http_client *h)
{
    struct pair_call *c = container_of(h, struct pair_call, http);
    if (h->phase == HTTP_CLIENT_ASKING && (!h->is_switch_asked || c->status == 101))
        send_body(c);
}

static void on_response(struct http_client *h)
{
    struct pair_call *c = container_of(h, struct pair_call, http);
    c->status = h->response->head.status;
    if (c->status != 101)
        return;
    http_client_switch(h);
    send_body(c);
}

void pair_read(struct pair_call *c)
{
    struct slice v;
    c->is_held = false;
    while (http_client_body_ready(&c->http) > 0 && http_client_body_peek(&c->http, &v, 1) == 1) {
        c->is_same = c->is_same && v.len <= c->body.len - c->got &&
                     memcmp(v.ptr, c->body.ptr + c->got, v.len) == 0;
        c->got += v.len;
        http_client_body_consume(&c->http, v.len);
    }
    if (!http_client_body_is_done(&c->http))
        return;
    c->is_done = true;
    c->place = ++c->pair->n_done;
    http_client_close(&c->http);
}

static void on_answer_body(struct http_client *h)
{
    struct pair_call *c = container_of(h, struct pair_call, http);
    if (!c->is_held)
        pair_read(c);
}

static void on_client_end(struct http_client *h, enum http_client_end end)
{
    struct pair_call *c = container_of(h, struct pair_call, http);
    c->is_over = true;
    c->end = end;
}

static const struct http_client_ops client_ops = {.on_writable = on_room,
                                                  .on_response = on_response,
                                                  .on_body = on_answer_body,
                                                  .on_end = on_client_end};

static void on_client_phase(struct h2_session *s, enum h2_phase phase)
{
    struct pair *p = h2_session_owner(s);
    ASSERT(phase == H2_HEAD || (phase == H2_IDLE) == (h2_session_streams(s) == 0));
    p->client_rests += phase == H2_IDLE;
}

static void on_client_over(struct h2_session *s)
{
    struct pair *p = h2_session_owner(s);
    p->client = NULL;
}

static const struct h2_session_ops client_session = {.on_phase = on_client_phase,
                                                     .on_end = on_client_over};

struct pair_call *pair_ask(struct pair *p, const char *path, struct slice body)
{
    return pair_ask_as(p, path, body, NULL);
}

struct pair_call *pair_ask_as(struct pair *p, const char *path, struct slice body,
                              const char *priority)
{
    bool is_socket = strcmp(path, "/socket") == 0;
    struct stream *stream = h2_session_has_room(p->client) ? h2_open(p->client, is_socket) : NULL;
    if (stream == NULL)
        return NULL;
    ASSERT(p->n_calls < PAIR_CALLS_MAX);
    struct pair_call *c = &p->calls[p->n_calls++];
    *c = (struct pair_call){.pair = p, .body = body, .is_same = true, .priority = priority};
    http_client_carry(&c->http, stream, &h2_carrier, &p->env.env, &client_ops, p, true);
    if (is_socket)
        ask_socket(c, path);
    else
        send_head(c, path);
    return c;
}

/* ---- both ---- */

void pair_init_cut(struct pair *p, size_t room, const struct h2_config *config)
{
    static const struct h2_config much = {
        .sessions_max = 2, .streams_max = 600, .pieces_max = 4096, .heap_bytes_max = 8u << 20};
    memset(p, 0, sizeof(*p));
    core_init(&p->core,
              &(struct core_config){
                  .now_us = 1, .workers = 1, .socket = -1, .stats = &p->stats, .rng_seed = 3});
    fake_env_init(&p->env, 1000);
    p->h2 = h2_new(&p->core, &p->env.env, config != NULL ? config : &much);
    p->step = SIZE_MAX;
    fake_stream_init(&p->server_lower, room);
    fake_stream_init(&p->client_lower, room);
    p->server = h2_accept(p->h2, &p->server_lower.stream, &server_session, p);
    p->client = h2_connect(p->h2, &p->client_lower.stream, false, &client_session, p);
    REQUIRE(p->server != NULL && p->client != NULL);
    p->client_lower.events = STREAM_WRITABLE; /* it is established */
    p->is_cut = true;
}

void pair_init(struct pair *p, size_t room, const struct h2_config *config)
{
    pair_init_cut(p, room, config);
    p->is_cut = false;
    pair_run(p);
}

static bool carry(struct fake_stream *from, struct fake_stream *to, size_t step)
{
    struct slice v = fake_stream_written(from);
    if (v.len > step)
        v.len = step;
    if (v.len > 0) {
        fake_stream_push(to, v);
        fake_stream_take(from, v.len);
    } else if (from->is_shutdown && !to->is_in_ended && !to->is_released) {
        fake_stream_push_eof(to);
        return true;
    }
    return v.len > 0;
}

bool pair_step(struct pair *p)
{
    p->core.now_us += WHEEL_TICK_US;
    bool did = wheel_run(&p->core.wheel, p->core.now_us, 1000) > 0;
    did |= fake_stream_dispatch(&p->server_lower);
    did |= fake_stream_dispatch(&p->client_lower);
    if (p->is_cut)
        return did;
    did |= carry(&p->server_lower, &p->client_lower, p->step);
    did |= carry(&p->client_lower, &p->server_lower, p->step);
    return did;
}

void pair_run(struct pair *p)
{
    for (unsigned idle = 0; idle < 3;)
        idle = pair_step(p) ? 0 : idle + 1;
}

void pair_wait(struct pair *p, unsigned ms)
{
    for (unsigned i = 0; i < ms * 1000 / WHEEL_TICK_US + 2; i++)
        pair_step(p);
}

void pair_done(struct pair *p)
{
    if (p->client != NULL)
        h2_session_close(p->client);
    pair_run(p);
    if (p->server != NULL)
        h2_session_close(p->server);
    pair_run(p);
    CHECK(p->client == NULL && p->server == NULL);
    CHECK(p->server_lower.is_released && p->client_lower.is_released);
    CHECK_EQ(p->env.bufs, 0);
    CHECK_EQ(p->core.wheel.armed, 0);
    CHECK_EQ(p->stats.counters[STAT_h2_streams_now], 0);
    CHECK_EQ(p->stats.counters[STAT_h2_sessions_now], 0);
    for (unsigned i = 0; i < PAIR_CALLS_MAX; i++)
        CHECK(!p->served[i].is_used);
    h2_done(p->h2);
    fake_stream_done(&p->server_lower);
    fake_stream_done(&p->client_lower);
    core_done(&p->core);
}
