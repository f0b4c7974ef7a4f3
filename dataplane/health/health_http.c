/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks that ask something: HTTP, by what is spoken to the group's endpoints, and GRPC, by HTTP/2.
 * With HTTP/2 the connection is a session of one stream, and the check is over when the session is.
 *
 * It leaves as a well-behaved client would, when it has read the (short) body: by FIN, with GOAWAY
 * before it where that is spoken. What is too long or too late is reset.
 */
#include "base/assert.h"
#include "health/health_priv.h"

#include <stdio.h>

enum { HOST_BYTES = IP_ADDR_TEXT_MAX + sizeof("[]:65535"), PEEK_SLICES = 8 };

bool health_speaks_h2(const struct image_health *policy)
{
    bool is_groups = policy->port == 0; /* what is spoken at another port nobody says */
    return policy->check == IMAGE_HEALTH_CHECK_GRPC ||
           (policy->check == IMAGE_HEALTH_CHECK_HTTP && is_groups &&
            policy->protocol == IMAGE_BACKEND_HTTP2);
}

/* The policy's host, or what a client would say that has no name for the endpoint: "10.0.0.1:8080",
 * which is put into `buf`. */
static struct slice host_of(const struct health *h, const struct image_health *policy,
                            const struct health_probe_id *id, char buf[HOST_BYTES])
{
    char addr[IP_ADDR_TEXT_MAX];
    if (policy->host.length > 0)
        return image_text(h->view, policy->host);
    bool is_v4 = ip_addr_is_v4(&id->addr);
    int n = snprintf(buf, HOST_BYTES, "%s%s%s:%u", is_v4 ? "" : "[",
                     ip_addr_format(&id->addr, addr), is_v4 ? "" : "]", (unsigned)id->port);
    ASSERT(n > 0 && n < (int)HOST_BYTES);
    return slice_of(buf, (size_t)n);
}

/* The rest of a call's message, as far as there is room. */
static void send_call(struct health_check *c)
{
    struct health_grpc *g = &c->grpc;
    while (g->request_at < g->request_len) {
        size_t n = http_client_write(
            &c->http, slice_of(g->request + g->request_at, g->request_len - g->request_at));
        if (n == 0)
            return; /* on_writable comes */
        g->request_at += (uint32_t)n;
    }
    if (!c->http.out.is_ended)
        http_client_end_request(&c->http);
}

/* Sends a call. False: there was no memory for it. */
static bool call(const struct health *h, struct health_check *c, const struct image_health *policy)
{
    static const struct http_field fields[] = {
        {SLICE_LIT("Content-Type"), SLICE_LIT("application/grpc")},
        {SLICE_LIT("User-Agent"), SLICE_LIT("sluice-health")},
    };
    char text[HOST_BYTES];
    struct http_request r = {.method = SLICE_LIT("POST"),
                             .path = SLICE_LIT("/grpc.health.v1.Health/Check"),
                             .authority = host_of(h, policy, &c->probe->id, text),
                             .fields = fields,
                             .n_fields = array_len(fields),
                             .body = HTTP_BODY_CHUNKED}; /* without a length */
    health_grpc_init(&c->grpc, image_text(h->view, policy->service));
    if (!http_client_send_head(&c->http, &r))
        return false;
    send_call(c);
    return true;
}

/* Sends the request. False: there was no memory for it. */
static bool ask(const struct health *h, struct health_check *c, const struct image_health *policy)
{
    static const struct http_field fields[] = {
        {SLICE_LIT("User-Agent"), SLICE_LIT("sluice-health")},
        {SLICE_LIT("Connection"), SLICE_LIT("close")}, /* HTTP/2 has none */
    };
    char text[HOST_BYTES];
    struct http_request r = {.method = SLICE_LIT("GET"),
                             .path = image_text(h->view, policy->path),
                             .authority = host_of(h, policy, &c->probe->id, text),
                             .fields = fields,
                             .n_fields = c->session == NULL ? 2 : 1,
                             .body = HTTP_BODY_NONE};
    if (!http_client_send_head(&c->http, &r))
        return false;
    http_client_end_request(&c->http);
    return true;
}

/* Established. */
static void on_open(struct health *h, struct health_check *c)
{
    struct health_place at;
    if (c->type == IMAGE_HEALTH_CHECK_TCP) {
        health_check_decide(h, c, HEALTH_END_ok);
        health_check_leave(h, c);
        return;
    }
    bool is_wanted = health_check_place(h, c, &at);
    bool is_call = c->type == IMAGE_HEALTH_CHECK_GRPC;
    if (is_wanted && (is_call ? call(h, c, at.policy) : ask(h, c, at.policy)))
        return;
    health_check_decide(h, c, is_wanted ? HEALTH_END_not_asked : HEALTH_END_gone);
    health_check_break_off(h, c);
}

static void on_writable(struct http_client *http)
{
    struct health_check *c = container_of(http, struct health_check, http);
    if (http->phase == HTTP_CLIENT_READY)
        on_open(http->owner, c);
    else if (c->type == IMAGE_HEALTH_CHECK_GRPC)
        send_call(c);
}

/* Is it the status 0, of a call that succeeded? */
static bool is_zero(struct slice status)
{
    return slice_eq(status, SLICE_LIT("0"));
}

/* The head of a call's answer. Only with 200 the rest counts; the status of the call may stand
 * here, if there is nothing more. */
static void on_call_head(struct health *h, struct health_check *c, const struct http_head *head)
{
    struct slice status;
    if (head->status != 200)
        health_check_decide(h, c, HEALTH_END_status);
    else
        c->is_call_good = http_head_find(head, "grpc-status", &status) && is_zero(status);
}

/* A head. What its status means the policy says that is in force now. */
static void on_response(struct http_client *http)
{
    struct health_check *c = container_of(http, struct health_check, http);
    struct health *h = http->owner;
    struct health_place at;
    uint16_t status = http->response->head.status;
    if (status < 200)
        return;
    if (!health_check_place(h, c, &at))
        health_check_decide(h, c, HEALTH_END_gone);
    else if (c->type == IMAGE_HEALTH_CHECK_GRPC)
        on_call_head(h, c, &http->response->head);
    else
        health_check_decide(
            h, c, image_health_passes(at.policy, status) ? HEALTH_END_ok : HEALTH_END_status);
}

/* The answer to a call is whole. */
static enum health_end judge_call(struct health_check *c)
{
    struct slice status;
    if (h2_find_trailer(c->http.stream, SLICE_LIT("grpc-status"), &status))
        c->is_call_good = is_zero(status);
    return c->is_call_good && health_grpc_is_serving(&c->grpc) ? HEALTH_END_ok : HEALTH_END_status;
}

/* Reads what there is of the body, which only of a call means something. */
static void read_body(struct health_check *c)
{
    struct slice v[PEEK_SLICES];
    while (c->body_bytes <= HEALTH_BODY_BYTES_MAX && http_client_body_ready(&c->http) > 0) {
        unsigned n = http_client_body_peek(&c->http, v, PEEK_SLICES);
        size_t bytes = 0;
        for (unsigned i = 0; i < n; bytes += v[i++].len)
            health_grpc_take(&c->grpc, v[i]);
        http_client_body_consume(&c->http, bytes);
        c->body_bytes += bytes < HEALTH_BODY_BYTES_MAX ? (uint32_t)bytes : HEALTH_BODY_BYTES_MAX;
    }
}

/* With the answer's end the backend has had its say. */
static void on_body(struct http_client *http)
{
    struct health_check *c = container_of(http, struct health_check, http);
    struct health *h = http->owner;
    read_body(c);
    bool is_done = http_client_body_is_done(http);
    bool is_over =
        c->body_bytes > HEALTH_BODY_BYTES_MAX || http_client_body_fault(http) != HTTP_FAULT_none;
    if (!c->is_decided && (is_done || is_over))
        health_check_decide(h, c, is_over ? HEALTH_END_fault : judge_call(c));
    if (is_over)
        health_check_break_off(h, c);
    else if (is_done)
        health_check_leave(h, c);
}

/* What the end of a connection before its answer says. */
static enum health_end end_of(const struct health_check *c, enum http_client_end why)
{
    const struct http_client *http = &c->http;
    if (c->session != NULL && h2_session_is_faulty(c->session))
        return HEALTH_END_fault;
    /* A stream is refused by who took the connection. */
    if (c->session != NULL && h2_session_is_open(c->session))
        return HEALTH_END_closed;
    if (why != HTTP_CLIENT_END_FAULT)
        return health_end_of(http->end);
    return http->fault == HTTP_FAULT_no_head_buffer ? HEALTH_END_not_asked : HEALTH_END_fault;
}

static void on_end(struct http_client *http, enum http_client_end why)
{
    struct health_check *c = container_of(http, struct health_check, http);
    struct health *h = http->owner;
    if (!c->is_decided)
        health_check_decide(h, c, end_of(c, why));
    if (c->session != NULL)
        h2_session_close(c->session);
    else
        health_check_free(h, c);
}

static const struct http_client_ops check_ops = {
    .on_writable = on_writable, .on_response = on_response, .on_body = on_body, .on_end = on_end};

static void on_phase(struct h2_session *s, enum h2_phase phase)
{
    const struct health_check *c = h2_session_owner(s);
    ASSERT_HOT(c->session == s); /* it is let go when its stream is */
}

static void on_session_end(struct h2_session *s)
{
    struct health_check *c = h2_session_owner(s);
    ASSERT(c->session == s && c->is_decided);
    c->session = NULL;
    health_check_free(c->probe->health, c);
}

static const struct h2_session_ops session_ops = {.on_phase = on_phase, .on_end = on_session_end};

bool health_http_begin(struct health *h, struct health_check *c, struct stream *stream,
                       const struct image_health *policy)
{
    if (!health_speaks_h2(policy)) {
        http_client_init(&c->http, stream, &h->env, &check_ops, h);
        return true;
    }
    bool is_tls = health_is_secured(policy);
    c->session = h2_connect(h->h2, stream, is_tls, &session_ops, c);
    if (c->session == NULL)
        return false;
    struct stream *s = h2_open(c->session, false);
    ASSERT(s != NULL); /* there are as many as sessions */
    http_client_carry(&c->http, s, &h2_carrier, &h->env, &check_ops, h, false);
    return true;
}

static struct http_head_buf *head_get(void *owner)
{
    struct health *h = owner;
    return pool_get(&h->heads);
}

static void head_put(void *owner, struct http_head_buf *buf)
{
    struct health *h = owner;
    pool_put(&h->heads, buf);
}

/* A fault is the end of a check, and counted as that; one of a body is nobody's business. */
static void on_fault(void *owner, enum http_fault fault, bool is_backend)
{
    ASSERT_HOT(owner != NULL && fault != HTTP_FAULT_none && is_backend);
}

void health_http_init(struct health *h)
{
    h->env = (struct http_env){
        .head_get = head_get, .head_put = head_put, .on_fault = on_fault, .owner = h};
    struct h2_config config = {.sessions_max = h->config.checks_max,
                               .streams_max = h->config.checks_max,
                               .pieces_max = HEALTH_H2_PIECES_MAX,
                               .session_bytes = HEALTH_H2_BYTES_MAX};
    h->h2 = h2_new(h->core, &h->env, &config);
}
