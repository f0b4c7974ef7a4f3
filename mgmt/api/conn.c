/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection: reads a request's head, lets the earlier stations say who and what it is,
 * collects the body only then and only within its bound, and has it done. conn_answer.c sends what
 * comes of it.
 */
#include "api/api_priv.h"

#include "base/assert.h"
#include "base/container.h"
#include "tls/tls.h"

#include <stdlib.h>
#include <string.h>

void conn_arm(struct api_conn *conn, uint64_t delay_ms)
{
    loop_timer_disarm(conn->api->loop, &conn->timer);
    loop_timer_arm(conn->api->loop, &conn->timer, delay_ms * 1000);
}

void conn_drop_body(struct api_conn *conn)
{
    ASSERT(conn->api->bodies_bytes >= conn->body_capacity);
    conn->api->bodies_bytes -= conn->body_capacity;
    free(conn->body);
    conn->body = NULL;
    conn->body_len = conn->body_capacity = 0;
    conn->is_receiving = false;
}

void call_done(struct api_call *call)
{
    if (call->feed != NULL)
        feed_free(call->feed);
    params_done(&call->params);
    json_decref(call->who.namespaces);
    json_decref(call->body);
    json_decref(call->answer);
    free(call->text);
    *call = (struct api_call){0};
}

static void conn_free(struct api_conn *conn)
{
    struct api *api = conn->api;
    loop_timer_disarm(api->loop, &conn->timer);
    list_remove(&conn->link);
    conn_drop_body(conn);
    call_done(&conn->call);
    free(conn->out);
    api->stats.conns -= 1;
    free(conn);
}

void conn_abort(struct api_conn *conn)
{
    http_server_abort(&conn->http);
    conn_free(conn);
}

/* The call is answered: writes the audit line, then the answer. */
static void finish_call(struct api_conn *conn)
{
    struct api_call *call = &conn->call;
    ASSERT(call->code != 0);
    conn->is_receiving = false;
    if (call->code >= 400)
        conn->api->stats.failures += 1;
    audit_write(call);
    conn_answer(conn);
}

static bool has_body(const struct http_head *head)
{
    return head->body == HTTP_BODY_CHUNKED || (head->body == HTTP_BODY_LENGTH && head->length > 0);
}

static bool is_open_to_all(const struct target *t)
{
    return t->kind == TARGET_HEALTH || t->kind == TARGET_VERSION;
}

/* All that can be said before the body: what, who, may he, and is the body of a kind and size that
 * we take. False: answered. */
static bool open_call(struct api_conn *conn, const struct http_head *head)
{
    struct api_call *call = &conn->call;
    if (!params_parse(&call->params, head->query)) {
        api_call_fail(call, 400, "BadRequest", "the query cannot be understood");
        return false;
    }
    bool is_found = target_find(call, head);
    if (is_found && is_open_to_all(&call->target))
        return true;
    int code = call->code;
    call->code = 0;
    if (!auth_check(call, head)) /* before "not found": a stranger learns nothing */
        return false;
    call->code = code;
    if (!is_found || !role_check(call))
        return false;
    if (has_body(head) && !body_check_type(call, head))
        return false;
    conn->body_max =
        call->target.kind == TARGET_CHANGESET ? API_CHANGESET_BYTES_MAX : API_BODY_BYTES_MAX;
    if (head->body == HTTP_BODY_LENGTH && head->length > conn->body_max) {
        conn->api->stats.bodies_refused += 1;
        api_call_fail(call, 413, "RequestEntityTooLarge",
                      "the request's body has more than %zu bytes", conn->body_max);
        return false;
    }
    return true;
}

/* Room for `more` body bytes. False: answered. */
static bool reserve_body(struct api_conn *conn, size_t more)
{
    struct api *api = conn->api;
    size_t wanted = conn->body_len + more;
    if (wanted > conn->body_max) {
        api->stats.bodies_refused += 1;
        api_call_fail(&conn->call, 413, "RequestEntityTooLarge",
                      "the request's body has more than %zu bytes", conn->body_max);
        return false;
    }
    if (wanted <= conn->body_capacity)
        return true;
    size_t capacity = wanted < 16384 ? 16384 : wanted + wanted / 2;
    size_t grown = capacity - conn->body_capacity;
    uint8_t *body = NULL;
    if (api->bodies_bytes + grown <= API_BODIES_BYTES_MAX)
        body = realloc(conn->body, capacity);
    if (body == NULL) {
        api->stats.bodies_refused += 1;
        api_call_fail(&conn->call, 503, "ServiceUnavailable",
                      "too many request bodies are being received: try again");
        return false;
    }
    conn->body = body;
    conn->body_capacity = capacity;
    api->bodies_bytes += grown;
    return true;
}

static void run(struct api_conn *conn)
{
    struct api_call *call = &conn->call;
    const struct http_head *head = &conn->http.request->head;
    conn->is_receiving = false;
    loop_timer_disarm(conn->api->loop, &conn->timer);
    if (has_body(head) && !body_parse(call, head, conn->body, conn->body_len)) {
        finish_call(conn);
        return;
    }
    call_run(call, head);
    finish_call(conn);
}

/* Takes what has come of the body; does the request when it is whole. */
static void receive(struct api_conn *conn)
{
    struct slice s;
    while (http_server_body_peek(&conn->http, &s, 1) > 0) {
        if (!reserve_body(conn, s.len)) {
            finish_call(conn);
            return;
        }
        memcpy(conn->body + conn->body_len, s.ptr, s.len);
        conn->body_len += s.len;
        http_server_body_consume(&conn->http, s.len);
    }
    enum http_fault fault = http_server_body_fault(&conn->http);
    if (fault != HTTP_FAULT_none) {
        api_call_fail(&conn->call, 400, "BadRequest", "the request's body: %s",
                      http_fault_text(fault));
        finish_call(conn);
    } else if (http_server_body_is_done(&conn->http)) {
        run(conn);
    }
}

static void on_request(struct http_server *http)
{
    struct api_conn *conn = http->owner;
    const struct http_head *head = &http->request->head;
    struct stream_addrs addrs;
    ASSERT(!conn->is_receiving && conn->out == NULL);
    call_done(&conn->call);
    conn->api->stats.requests += 1;
    stream_addrs(http->stream, &addrs);
    conn->call.api = conn->api;
    conn->call.source = addrs.remote;
    if (!open_call(conn, head)) {
        finish_call(conn);
        return;
    }
    conn->is_receiving = true;
    conn_arm(conn, API_BODY_MS_MAX);
    if (has_body(head) && head->is_expecting_continue) {
        struct http_response go_on = {.status = 100};
        http_server_send_informational(http, &go_on);
    }
    receive(conn);
}

static void on_body(struct http_server *http)
{
    struct api_conn *conn = http->owner;
    if (conn->is_receiving)
        receive(conn);
}

static void on_writable(struct http_server *http)
{
    struct api_conn *conn = http->owner;
    if (conn->out != NULL)
        conn_pump(conn);
}

static void on_phase(struct http_server *http, enum http_server_phase phase)
{
    static const uint32_t limits_ms[] = {
        [HTTP_SERVER_IDLE] = API_IDLE_MS_MAX,
        [HTTP_SERVER_HEAD] = API_HEAD_MS_MAX,
        [HTTP_SERVER_DRAIN] = API_DRAIN_MS_MAX,
    };
    struct api_conn *conn = http->owner;
    if (phase == HTTP_SERVER_EXCHANGE)
        conn_arm(conn, API_STALL_MS_MAX);
    else
        conn_arm(conn, limits_ms[phase]);
}

static void on_end(struct http_server *http, bool was_in_exchange)
{
    conn_free(http->owner);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct api_conn *conn = container_of(timer, struct api_conn, timer);
    if (conn->http.phase != HTTP_SERVER_EXCHANGE) {
        http_server_timeout(&conn->http);
    } else if (conn->is_receiving) {
        api_call_fail(&conn->call, 408, "Timeout", "the request's body did not arrive in time");
        finish_call(conn);
    } else {
        if (conn->call.feed != NULL && conn->call.feed->is_watch)
            conn->api->stats.watches_slow += 1;
        conn_abort(conn);
    }
}

static const struct http_server_ops http_ops = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_phase = on_phase,
    .on_end = on_end,
};

void conn_accept(void *owner, struct stream *s)
{
    struct api *api = owner;
    struct api_conn *conn = calloc(1, sizeof(*conn));
    struct stream *tls = conn != NULL ? tls_accept(api->tls, s, loop_wheel(api->loop)) : NULL;
    if (tls == NULL) {
        free(conn);
        stream_abort(s);
        stream_release(s);
        return;
    }
    conn->api = api;
    conn->timer.on_expire = on_timer;
    api->stats.conns += 1;
    list_push_back(&api->conns, &conn->link);
    http_server_init(&conn->http, tls, &api->env, &http_ops, conn);
    conn_arm(conn, API_HEAD_MS_MAX + TLS_HANDSHAKE_MS_MAX);
}
