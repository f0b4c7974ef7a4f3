/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exchange's backend connection: got, used, lost, tried again, timed.
 *
 * When is a second try harmless? When the backend cannot have acted on the first: the connection
 * was never established; or when acting twice is the same as once: the method is idempotent, and
 * the connection was a reused one that ended without a byte of an answer, as happens when a backend
 * closes an idle connection at the moment that we use it (RFC 9112, section 9.3.1). In both cases
 * only while nothing of a body has left the client's stream, since we keep no copy.
 */
#include "base/assert.h"
#include "proxy/proxy_priv.h"

static bool is_idempotent(enum http_method m)
{
    return m == HTTP_GET || m == HTTP_HEAD || m == HTTP_PUT || m == HTTP_DELETE ||
           m == HTTP_OPTIONS || m == HTTP_TRACE;
}

static bool may_try_again(const struct exchange *e, enum h1_client_end end, bool was_reused)
{
    if (e->tries >= PROXY_TRIES_MAX || e->has_body_moved || e->has_response_head ||
        e->client->h1.request == NULL)
        return false;
    if (end == H1_CLIENT_END_OPEN_FAILED)
        return true;
    if (end == H1_CLIENT_END_IDLE_CLOSED || end == H1_CLIENT_END_IDLE_BYTES)
        return true; /* the request was not sent */
    return end == H1_CLIENT_END_NO_RESPONSE && was_reused &&
           is_idempotent(e->client->h1.request->head.method);
}

void exchange_let_head_go(struct exchange *e)
{
    const struct h1_server *h1 = &e->client->h1;
    bool may_go_again = h1->request != NULL && !e->has_body_moved && e->tries < PROXY_TRIES_MAX &&
                        upstream_conn_is_reused(e->backend) &&
                        is_idempotent(h1->request->head.method);
    ASSERT_HOT(e->has_request_head);
    if (!may_go_again && !e->needs_head)
        h1_server_drop_head(&e->client->h1);
}

/* The answer for a request whose backend connection ended in this way. */
static void answer_end(struct exchange *e, enum h1_client_end end, enum stream_end why,
                       enum http_fault fault)
{
    if (e->has_response_head)
        exchange_cut(e, STAT_proxy_end_backend_cut);
    else if (end == H1_CLIENT_END_OPEN_FAILED && why == STREAM_END_TIMEOUT)
        exchange_answer(e, STAT_proxy_end_backend_timeout, 504);
    else if (end == H1_CLIENT_END_OPEN_FAILED)
        exchange_answer(e, STAT_proxy_end_backend_refused, 502);
    else if (end == H1_CLIENT_END_FAULT && fault == HTTP_FAULT_no_head_buffer)
        exchange_answer(e, STAT_proxy_end_no_buffer, 503);
    else if (end == H1_CLIENT_END_FAULT)
        exchange_answer(e, STAT_proxy_end_backend_fault, 502);
    else
        exchange_answer(e, STAT_proxy_end_backend_silent, 502);
}

static void on_end(struct h1_client *h, enum h1_client_end end)
{
    struct exchange *e = h->owner;
    ASSERT(e->backend != NULL && upstream_conn_h1(e->backend) == h);
    enum http_fault fault = h->fault;
    enum stream_end why = h->end;
    bool was_reused = upstream_conn_is_reused(e->backend);
    e->failed = *upstream_conn_id(e->backend);
    upstream_drop(e->proxy->upstream, e->backend);
    e->backend = NULL;
    if (may_try_again(e, end, was_reused)) {
        stat_inc(e->proxy->core, STAT_proxy_retries);
        e->has_request_head = false;
        exchange_try(e);
        return;
    }
    answer_end(e, end, why, fault);
}

static void send_request(struct exchange *e);

static void on_writable(struct h1_client *h)
{
    struct exchange *e = h->owner;
    if (e->has_request_head)
        exchange_pump_request(e);
    else
        send_request(e);
}

static void on_body(struct h1_client *h)
{
    exchange_pump_response(h->owner);
}

static const struct h1_client_ops backend_ops = {.on_writable = on_writable,
                                                 .on_response = exchange_on_response,
                                                 .on_body = on_body,
                                                 .on_end = on_end};

/* A client that waits for 100 before it sends its body. */
static bool is_waiting_for_continue(const struct exchange *e)
{
    return e->is_expecting_continue && !e->has_response_head && !e->has_continue &&
           !e->has_body_moved;
}

/* When the rule's own time limits are over (GEP-1742: `request` for all of it, `backendRequest` for
 * one try); UINT64_MAX: it has none. */
static uint64_t rule_deadline(const struct exchange *e)
{
    const struct image_rule *rule = &e->image.view->rules[e->route.rule];
    uint64_t deadline_us = UINT64_MAX;
    if (rule->request_timeout_ms != 0)
        deadline_us = e->begin_us + (uint64_t)rule->request_timeout_ms * 1000;
    if (rule->backend_request_timeout_ms != 0) {
        uint64_t try_us = e->asked_us + (uint64_t)rule->backend_request_timeout_ms * 1000;
        deadline_us = try_us < deadline_us ? try_us : deadline_us;
    }
    return deadline_us;
}

/* Lets the timer look at the exchange then, or when the rule's limit is over. */
static void arm_timer(struct exchange *e, uint64_t deadline_us)
{
    uint64_t rule_us = rule_deadline(e);
    wheel_disarm(&e->proxy->core->wheel, &e->timer);
    wheel_arm(&e->proxy->core->wheel, &e->timer, rule_us < deadline_us ? rule_us : deadline_us);
}

/* When the timer has something to look at next. */
static uint64_t next_deadline(const struct exchange *e)
{
    const struct proxy_config *config = &e->proxy->config;
    uint32_t ms = config->body_ms < config->response_ms ? config->body_ms : config->response_ms;
    if (is_waiting_for_continue(e))
        ms = PROXY_CONTINUE_MS;
    return e->proxy->core->now_us + (uint64_t)ms * 1000;
}

/* The connection is open: the head, and what there is of the body. */
static void send_request(struct exchange *e)
{
    if (!exchange_forward_head(e)) {
        exchange_answer(e, STAT_proxy_end_no_buffer, 503);
        return;
    }
    exchange_note_progress(e);
    exchange_let_head_go(e);
    if (is_waiting_for_continue(e))
        arm_timer(e, next_deadline(e));
    exchange_pump_request(e);
}

void exchange_try(struct exchange *e)
{
    ASSERT(e->backend == NULL && e->tries < PROXY_TRIES_MAX);
    struct upstream_ask ask = {.group = e->target->group,
                               .congestion = proxy_congestion(e->target->congestion),
                               .is_fresh = e->tries > 0};
    bool is_elsewhere = e->tries > 0 && !ip_addr_is_zero(&e->failed.addr);
    ask.avoid = is_elsewhere ? &e->failed : NULL;
    enum upstream_result r = upstream_get(e->proxy->upstream, &ask, &backend_ops, e, &e->backend);
    e->tries++;
    if (r != UPSTREAM_OK) {
        e->backend = NULL;
        bool is_nobody = r == UPSTREAM_NO_ENDPOINT;
        exchange_answer(e, is_nobody ? STAT_proxy_end_no_endpoint : STAT_proxy_end_upstream_full,
                        503);
        return;
    }
    exchange_note_progress(e);
    e->asked_us = e->proxy->core->now_us;
    arm_timer(e, next_deadline(e));
    if (upstream_conn_h1(e->backend)->phase == H1_CLIENT_READY)
        send_request(e);
}

/* Is it the client whom everything waits for: for bytes of its body, or for taking the response? */
static bool is_client_owing(struct exchange *e)
{
    struct h1_client *backend = upstream_conn_h1(e->backend);
    if (e->has_response_head)
        return h1_client_body_ready(backend) > 0;
    return e->has_request_head && !h1_server_body_is_done(&e->client->h1) &&
           h1_server_body_ready(&e->client->h1) == 0;
}

static void send_continue(struct exchange *e)
{
    struct h1_response r = {.status = 100};
    e->has_continue = true;
    stat_inc(e->proxy->core, STAT_proxy_continues);
    if (!h1_server_send_informational(&e->client->h1, &r))
        exchange_cut(e, STAT_proxy_end_no_buffer);
    else
        arm_timer(e, next_deadline(e));
}

/* Nothing moved for too long, and it is this side's turn. */
static void end_by_timeout(struct exchange *e, bool is_client)
{
    if (e->has_response_head)
        exchange_cut(e, is_client ? STAT_proxy_end_client_slow : STAT_proxy_end_backend_cut);
    else if (is_client)
        exchange_answer(e, STAT_proxy_end_client_slow, 408);
    else
        exchange_answer(e, STAT_proxy_end_backend_timeout, 504);
}

void exchange_on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct exchange *e = container_of(timer, struct exchange, timer);
    const struct proxy_config *config = &e->proxy->config;
    ASSERT(e->backend != NULL);
    if (now_us >= rule_deadline(e)) {
        end_by_timeout(e, false);
        return;
    }
    if (is_waiting_for_continue(e) && e->has_request_head) {
        send_continue(e);
        return;
    }
    bool is_client = is_client_owing(e);
    uint64_t limit_us = (uint64_t)(is_client ? config->body_ms : config->response_ms) * 1000;
    uint64_t deadline_us = e->progress_us + limit_us;
    if (now_us >= deadline_us)
        end_by_timeout(e, is_client);
    else
        arm_timer(e, deadline_us);
}
