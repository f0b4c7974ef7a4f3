/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One check: opened, asked, let go.
 *
 * It leaves as a well-behaved client would, so that no backend's log fills: a TCP check by a FIN, a
 * TLS check by close_notify and FIN, an HTTP check when it has read the (short) body. A reset would
 * spare us the TIME_WAIT, but accept() of many servers reports it as an error, once an interval.
 * What is too long or too late is reset.
 */
#include "base/assert.h"
#include "health/health_priv.h"
#include "tls/tls_crypto.h"

#include <stdio.h>

/* Its connection is gone. */
static void free_check(struct health *h, struct health_check *c)
{
    struct health_probe *p = c->probe;
    ASSERT(c->is_decided && p->check == c);
    ASSERT(c->http.stream == NULL && c->grpc.stream == NULL && c->tls.stream == NULL);
    if (c->block != NULL)
        pool_put(&h->blocks, c->block);
    p->check = NULL;
    pool_put(&h->checks, c);
    h->core->stats->counters[STAT_health_checks_now]--;
    health_probe_rest(h, p);
}

static void leave(struct health *h, struct health_check *c)
{
    http_client_close(&c->http);
    free_check(h, c);
}

static void break_off(struct health *h, struct health_check *c)
{
    if (c->grpc.stream != NULL)
        health_grpc_abort(&c->grpc);
    else if (c->tls.stream != NULL)
        health_tls_abort(&c->tls);
    else
        http_client_abort(&c->http);
    free_check(h, c);
}

enum { HOST_BYTES = IP_ADDR_TEXT_MAX + sizeof("[]:65535") };

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

/* Sends the request. False: there was no memory for it. */
static bool ask(const struct health *h, struct health_check *c, const struct image_health *policy)
{
    static const struct http_field fields[] = {
        {SLICE_LIT("User-Agent"), SLICE_LIT("sluice-health")},
        {SLICE_LIT("Connection"), SLICE_LIT("close")},
    };
    char text[HOST_BYTES];
    struct http_request r = {.method = SLICE_LIT("GET"),
                             .path = image_text(h->view, policy->path),
                             .authority = host_of(h, policy, &c->probe->id, text),
                             .fields = fields,
                             .n_fields = array_len(fields),
                             .body = HTTP_BODY_NONE};
    if (!http_client_send_head(&c->http, &r))
        return false;
    http_client_end_request(&c->http);
    return true;
}

/* Established. */
static void on_writable(struct http_client *http)
{
    struct health_check *c = container_of(http, struct health_check, http);
    struct health *h = http->owner;
    struct health_place at;
    if (http->phase != HTTP_CLIENT_READY)
        return; /* room for the rest of the request, which needs no help */
    if (c->type == IMAGE_HEALTH_CHECK_TCP) {
        health_check_decide(h, c, HEALTH_END_ok);
        leave(h, c);
        return;
    }
    bool is_wanted = health_check_place(h, c, &at);
    if (is_wanted && ask(h, c, at.policy))
        return;
    health_check_decide(h, c, is_wanted ? HEALTH_END_not_asked : HEALTH_END_gone);
    break_off(h, c);
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
    else
        health_check_decide(
            h, c, image_health_passes(at.policy, status) ? HEALTH_END_ok : HEALTH_END_status);
}

/* Throws the answer away; with its end the backend has had its say. */
static void on_body(struct http_client *http)
{
    struct health_check *c = container_of(http, struct health_check, http);
    struct health *h = http->owner;
    size_t n;
    while (c->body_bytes <= HEALTH_BODY_BYTES_MAX && (n = http_client_body_ready(http)) > 0) {
        http_client_body_consume(http, n);
        c->body_bytes += n < HEALTH_BODY_BYTES_MAX ? (uint32_t)n : HEALTH_BODY_BYTES_MAX;
    }
    if (c->body_bytes > HEALTH_BODY_BYTES_MAX || http_client_body_fault(http) != HTTP_FAULT_none)
        break_off(h, c);
    else if (http_client_body_is_done(http))
        leave(h, c);
}

/* What the end of a connection before its head says. */
static enum health_end end_of(const struct http_client *http, enum http_client_end why)
{
    if (why != HTTP_CLIENT_END_FAULT)
        return health_end_of(http->end);
    return http->fault == HTTP_FAULT_no_head_buffer ? HEALTH_END_not_asked : HEALTH_END_fault;
}

static void on_end(struct http_client *http, enum http_client_end why)
{
    struct health_check *c = container_of(http, struct health_check, http);
    struct health *h = http->owner;
    if (!c->is_decided)
        health_check_decide(h, c, end_of(http, why));
    free_check(h, c);
}

static const struct http_client_ops check_ops = {
    .on_writable = on_writable, .on_response = on_response, .on_body = on_body, .on_end = on_end};

static void on_grpc_end(struct health_grpc *g, enum health_end end)
{
    struct health_check *c = container_of(g, struct health_check, grpc);
    struct health *h = c->probe->health;
    health_check_decide(h, c, end);
    free_check(h, c);
}

/* False: there was no memory for it. */
static bool call(struct health *h, struct health_check *c, struct stream *stream,
                 const struct image_health *policy)
{
    char text[HOST_BYTES];
    c->block = pool_get(&h->blocks);
    return c->block != NULL && health_grpc_begin(&c->grpc, stream, c->block, h->grpc_callbacks,
                                                 host_of(h, policy, &c->probe->id, text),
                                                 image_text(h->view, policy->service), on_grpc_end);
}

static void on_tls_verdict(struct health_tls *t, enum health_end end)
{
    struct health_check *c = container_of(t, struct health_check, tls);
    health_check_decide(c->probe->health, c, end);
}

static void on_tls_gone(struct health_tls *t)
{
    struct health_check *c = container_of(t, struct health_check, tls);
    free_check(c->probe->health, c);
}

static const struct health_tls_ops tls_ops = {.on_verdict = on_tls_verdict, .on_gone = on_tls_gone};

/* Begins what the check asks for. False: there was no memory for it. */
static bool begin(struct health *h, struct health_check *c, struct stream *stream,
                  const struct image_health *policy)
{
    switch (c->type) {
    case IMAGE_HEALTH_CHECK_GRPC:
        return call(h, c, stream, policy);
    case IMAGE_HEALTH_CHECK_TLS:
        return health_tls_begin(&c->tls, h->tls, stream, h->core, image_text(h->view, policy->host),
                                &tls_ops);
    default:
        http_client_init(&c->http, stream, &h->env, &check_ops, h);
        return true;
    }
}

/* TLS over the stream, where the group's connections have it. False: there was no memory for it. */
static bool secure(struct health *h, const struct image_health *policy, struct stream **stream)
{
    struct tls_san sans[TLS_SANS_MAX];
    struct upstream_tls tls;
    bool is_tls = policy->tls != IMAGE_NONE && policy->port == 0;
    if (!is_tls ||
        (policy->check != IMAGE_HEALTH_CHECK_HTTP && policy->check != IMAGE_HEALTH_CHECK_GRPC))
        return true;
    upstream_tls_read(h->view, h->trusts, policy->tls, sans, &tls);
    tls.peer.alpn = policy->check == IMAGE_HEALTH_CHECK_GRPC ? "h2" : "http/1.1";
    struct stream *top = tls_connect_to(h->back, *stream, &h->core->wheel, &tls.peer);
    if (top == NULL)
        return false;
    tls_use_crypto(top, h->core->crypto);
    *stream = top;
    return true;
}

void health_check_begin(struct health *h, struct health_probe *p, const struct health_place *at)
{
    ASSERT(p->check == NULL && !list_is_linked(&p->due));
    const struct image_health *policy = at->policy;
    struct tcp_open_args args = {.remote = p->id.addr,
                                 .remote_port = policy->port != 0 ? policy->port : p->id.port,
                                 .connect_timeout_ms = policy->timeout_ms};
    struct stream *stream;
    stat_inc(h->core, STAT_health_started);
    if (h->dialer.open(h->dialer.owner, &args, &stream) != TCP_OPEN_OK) {
        stat_inc(h->core, STAT_health_end_not_asked);
        health_probe_rest(h, p);
        return;
    }
    struct health_check *c = pool_get(&h->checks);
    ASSERT(c != NULL); /* the caller looked */
    *c = (struct health_check){.probe = p, .type = policy->check};
    p->check = c;
    h->core->stats->counters[STAT_health_checks_now]++;
    wheel_arm(&h->core->wheel, &p->timer, h->core->now_us + (uint64_t)policy->timeout_ms * 1000);
    if (secure(h, policy, &stream) && begin(h, c, stream, policy))
        return;
    stream_abort(stream);
    stream_release(stream);
    health_check_decide(h, c, HEALTH_END_not_asked);
    free_check(h, c);
}

void health_check_expire(struct health *h, struct health_check *c)
{
    if (!c->is_decided)
        health_check_decide(h, c, HEALTH_END_timeout);
    break_off(h, c);
}

void health_check_stop(struct health *h, struct health_check *c)
{
    if (!c->is_decided)
        health_check_decide(h, c, HEALTH_END_gone);
    break_off(h, c);
}

static struct http_head_buf *head_get(void *owner)
{
    struct health *h = owner;
    return pool_get(&h->blocks);
}

static void head_put(void *owner, struct http_head_buf *buf)
{
    struct health *h = owner;
    pool_put(&h->blocks, buf);
}

/* A fault is the end of a check, and counted as that; one of a body is nobody's business. */
static void on_fault(void *owner, enum http_fault fault, bool is_backend)
{
    ASSERT_HOT(owner != NULL && fault != HTTP_FAULT_none && is_backend);
}

void health_env_init(struct health *h)
{
    h->env = (struct http_env){
        .head_get = head_get, .head_put = head_put, .on_fault = on_fault, .owner = h};
}
