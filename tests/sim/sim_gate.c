/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_gate.h. */
#include "sim_gate.h"

#include "base/assert.h"
#include "base/container.h"
#include "http/http_move.h"
#include "http2/h2.h"
#include "sim.h"
#include "sim_h2.h"

#include <stdlib.h>

struct gate {
    struct list_node link;
    struct sim_gates *all;
    struct sim_client *asker; /* NULL: a stream is */
    struct http_server server;
    struct http_client client; /* of the exchange under way */
    bool has_server;
    bool has_client;
    bool is_asked;    /* an exchange is under way */
    bool is_answered; /* its response is whole */
};

static struct gate *gate_new(struct sim_gates *all, struct sim_client *asker)
{
    struct gate *g = calloc(1, sizeof(*g));
    ASSERT(g != NULL);
    g->all = all;
    g->asker = asker;
    g->has_server = true;
    list_push_back(&all->all, &g->link);
    return g;
}

static void let_client_go(struct gate *g, bool is_abort)
{
    if (!g->has_client)
        return;
    g->has_client = false;
    if (is_abort)
        http_client_abort(&g->client);
    else
        http_client_close(&g->client);
}

/* The exchange failed: both sides break. */
static void fail(struct gate *g)
{
    let_client_go(g, true);
    if (!g->has_server)
        return;
    g->has_server = false;
    http_server_abort(&g->server);
}

/* Nobody wants the rest of the request any more. */
static void skip_request(struct gate *g)
{
    size_t n;
    while ((n = http_server_body_ready(&g->server)) > 0)
        http_server_body_consume(&g->server, n);
}

/* Ends the exchange when both bodies are whole. The server may go on with the next request, or may
 * be gone afterwards. */
static void finish(struct gate *g)
{
    if (!g->is_answered || !http_server_body_is_done(&g->server))
        return;
    if (g->has_client)
        let_client_go(g, !http_client_is_sent(&g->client));
    g->is_asked = false;
    g->is_answered = false;
    http_server_finish(&g->server);
}

static void pump_up(struct gate *g)
{
    if (!g->is_asked)
        return;
    if (g->has_client)
        http_move_request(&g->client, &g->server);
    else
        skip_request(g);
    if (http_server_body_fault(&g->server) != HTTP_FAULT_none)
        fail(g);
    else
        finish(g);
}

static void pump_down(struct gate *g)
{
    if (!g->has_client || !g->server.is_head_sent || g->is_answered)
        return;
    http_move_response(&g->server, &g->client);
    if (http_client_body_fault(&g->client) != HTTP_FAULT_none) {
        fail(g);
        return;
    }
    g->is_answered = http_client_body_is_done(&g->client);
    if (g->is_answered && http_client_is_sent(&g->client))
        let_client_go(g, false);
    finish(g);
}

/* ---- towards who answers ---- */

/* The end-to-end fields of a head. */
static uint32_t take_fields(const struct http_head *head, struct http_field *ret)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (!head->is_hop[i] && head->known[i] != HTTP_KNOWN_HOST)
            ret[n++] = head->fields[i];
    }
    return n;
}

static void on_room_up(struct http_client *c)
{
    pump_up(c->owner);
}

static void on_response(struct http_client *c)
{
    struct gate *g = c->owner;
    const struct http_head *head = &c->response->head;
    struct http_field fields[HTTP_FIELDS_MAX];
    struct http_response r = {.status = head->status,
                              .reason = head->reason,
                              .fields = fields,
                              .n_fields = take_fields(head, fields),
                              .body = head->body,
                              .length = head->length};
    if (r.body == HTTP_BODY_CHUNKED)
        r.body = HTTP_BODY_UNTIL_CLOSE;
    bool is_sent = head->status < 200 ? http_server_send_informational(&g->server, &r)
                                      : http_server_send_head(&g->server, &r);
    if (!is_sent)
        fail(g);
}

static void on_answer_body(struct http_client *c)
{
    pump_down(c->owner);
}

/* A stream of HTTP/2 that was refused was never looked at (RFC 9113, section 8.7): it may be asked
 * again, whatever it asks. */
static void on_client_end(struct http_client *c, enum http_client_end end)
{
    struct gate *g = c->owner;
    g->has_client = false;
    if (g->is_answered) { /* what it did not take of the request nobody will */
        pump_up(g);
        return;
    }
    sim_note(g->all->host->sim, "host %u: an exchange ended: %d, %s", g->all->host->number, end,
             stream_end_name(c->end));
    if (g->asker != NULL && c->end == STREAM_END_REFUSED)
        sim_client_refused(g->asker);
    fail(g);
}

static const struct http_client_ops client_ops = {.on_writable = on_room_up,
                                                  .on_response = on_response,
                                                  .on_body = on_answer_body,
                                                  .on_end = on_client_end};

/* A stream of HTTP/2, or a pipe to the host's server. */
static bool open_client(struct gate *g)
{
    struct sim_gates *all = g->all;
    struct stream *stream, *other;
    if (g->asker != NULL) {
        bool is_open;
        stream = sim_h2_open(all->h2, g->asker, &is_open);
        if (stream != NULL)
            http_client_carry(&g->client, stream, &h2_carrier, all->env, &client_ops, g, is_open);
        g->has_client = stream != NULL;
        return g->has_client;
    }
    sim_pipe_new(all->pipes, &stream, &other);
    http_client_init(&g->client, stream, all->env, &client_ops, g);
    g->has_client = true;
    if (sim_server_accept(all->host, other, true))
        return true;
    stream_release(other);
    return false;
}

/* ---- towards who asks ---- */

static void on_request(struct http_server *s)
{
    struct gate *g = s->owner;
    const struct http_head *head = &s->request->head;
    struct http_field fields[HTTP_FIELDS_MAX];
    struct http_request r = {.method = head->method_text,
                             .path = head->path,
                             .query = head->query,
                             .has_query = head->has_query,
                             .authority = head->authority,
                             .fields = fields,
                             .n_fields = take_fields(head, fields),
                             .body = head->body,
                             .length = head->length};
    g->is_asked = true;
    if (open_client(g) && http_client_send_head(&g->client, &r))
        pump_up(g);
    else
        fail(g);
}

static void on_request_body(struct http_server *s)
{
    pump_up(s->owner);
}

static void on_room_down(struct http_server *s)
{
    pump_down(s->owner);
}

static void on_server_end(struct http_server *s, bool was_in_exchange)
{
    struct gate *g = s->owner;
    g->has_server = false;
    let_client_go(g, true);
}

static const struct http_server_ops server_ops = {.on_request = on_request,
                                                  .on_body = on_request_body,
                                                  .on_writable = on_room_down,
                                                  .on_end = on_server_end};

void sim_gate_ask(struct sim_gates *all, struct sim_client *asker, struct stream *pipe)
{
    struct gate *g = gate_new(all, asker);
    http_server_init(&g->server, pipe, all->env, &server_ops, g);
}

void sim_gate_serve(struct sim_gates *all, struct stream *stream, struct http_head_buf *head,
                    enum http_fault fault, bool is_end)
{
    struct gate *g = gate_new(all, NULL);
    http_server_carry(&g->server, stream, &h2_carrier, all->env, &server_ops, g, head, fault,
                      is_end);
}

void sim_gates_reap(struct sim_gates *all)
{
    LIST_EACH_SAFE (it, next, &all->all) {
        struct gate *g = container_of(it, struct gate, link);
        if (g->has_server)
            continue;
        ASSERT(!g->has_client);
        list_remove(&g->link);
        free(g);
    }
}

void sim_gates_end(struct sim_gates *all)
{
    LIST_EACH (it, &all->all)
        fail(container_of(it, struct gate, link));
    sim_gates_reap(all);
}
