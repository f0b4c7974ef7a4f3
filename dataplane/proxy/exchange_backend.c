/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange's backend connection: got, used, lost, timed. When a request goes to a backend once
 * more is in retry.c. */
#include "base/assert.h"
#include "base/minmax.h"
#include "proxy/proxy_priv.h"

void exchange_let_head_go(struct exchange *e)
{
    ASSERT_HOT(e->has_request_head);
    if (retry_needs_head(e))
        return;
    kept_body_let_go(e); /* if it cannot go again, its body need not be kept */
    if (!e->needs_head)
        http_server_drop_head(&e->client->http);
}

/* The answer for a request whose backend connection ended in this way. */
static void answer_end(struct exchange *e, enum http_client_end end, enum stream_end why,
                       enum http_fault fault)
{
    if (e->has_response_head)
        exchange_cut(e, STAT_proxy_end_backend_cut);
    else if (end == HTTP_CLIENT_END_OPEN_FAILED && why == STREAM_END_TIMEOUT)
        exchange_answer(e, STAT_proxy_end_backend_timeout, 504);
    else if (end == HTTP_CLIENT_END_OPEN_FAILED && why == STREAM_END_PROTOCOL)
        exchange_answer(e, STAT_proxy_end_backend_tls, 502);
    else if (end == HTTP_CLIENT_END_OPEN_FAILED)
        exchange_answer(e, STAT_proxy_end_backend_refused, 502);
    else if (end == HTTP_CLIENT_END_FAULT && fault == HTTP_FAULT_no_head_buffer)
        exchange_answer(e, STAT_proxy_end_no_buffer, 503);
    else if (end == HTTP_CLIENT_END_FAULT)
        exchange_answer(e, STAT_proxy_end_backend_fault, 502);
    else
        exchange_answer(e, STAT_proxy_end_backend_silent, 502);
}

static void on_end(struct http_client *h, enum http_client_end end)
{
    struct exchange *e = h->owner;
    ASSERT(e->backend != NULL && upstream_conn_http(e->backend) == h);
    enum http_fault fault = h->fault;
    enum stream_end why = h->end;
    bool was_reused = upstream_conn_is_reused(e->backend);
    e->failed = *upstream_conn_id(e->backend);
    e->is_stale = was_reused && e->persistence != NULL;
    health_note_end(e, end);
    upstream_drop(e->proxy->upstream, e->backend);
    e->backend = NULL;
    enum retry_when again = retry_after_end(e, end, was_reused);
    if (again != RETRY_NEVER)
        exchange_retry(e, again);
    else
        answer_end(e, end, why, fault);
}

static void send_request(struct exchange *e);

static void on_writable(struct http_client *h)
{
    struct exchange *e = h->owner;
    if (e->has_request_head)
        exchange_pump_request(e);
    else
        send_request(e);
}

static void on_body(struct http_client *h)
{
    exchange_pump_response(h->owner);
}

static const struct http_client_ops backend_ops = {.on_writable = on_writable,
                                                   .on_response = exchange_on_response,
                                                   .on_body = on_body,
                                                   .on_end = on_end};

/* A client that waits for 100 before it sends its body. */
static bool is_waiting_for_continue(const struct exchange *e)
{
    return e->is_expecting_continue && !e->has_response_head && !e->has_continue &&
           !e->has_body_moved && e->kept_most == 0;
}

/* When a time limit of the rule is over; UINT64_MAX: it has none. */
static uint64_t deadline(uint64_t since_us, uint32_t limit_ms)
{
    return limit_ms == 0 ? UINT64_MAX : since_us + (uint64_t)limit_ms * 1000;
}

/* GEP-1742: `request` is for all of it. */
static uint64_t request_deadline(const struct exchange *e)
{
    return deadline(e->begin_us, e->image.view->rules[e->route.rule].request_timeout_ms);
}

/* And `backendRequest` for one try. */
static uint64_t try_deadline(const struct exchange *e)
{
    return deadline(e->asked_us, e->image.view->rules[e->route.rule].backend_request_timeout_ms);
}

/* Lets the timer look at the exchange then, or when a limit of the rule is over. */
static void arm_timer(struct exchange *e, uint64_t deadline_us)
{
    uint64_t us = min64(deadline_us, request_deadline(e));
    if (e->backend != NULL)
        us = min64(us, try_deadline(e));
    wheel_disarm(&e->proxy->core->wheel, &e->timer);
    wheel_arm(&e->proxy->core->wheel, &e->timer, us);
}

void exchange_wait(struct exchange *e, uint64_t until_us)
{
    ASSERT(e->backend == NULL && !e->is_waiting);
    e->is_waiting = true;
    arm_timer(e, until_us);
}

void exchange_wait_verdict(struct exchange *e)
{
    ASSERT(e->backend == NULL && !e->is_waiting && !e->is_verifying);
    e->is_verifying = true;
    arm_timer(e, e->proxy->core->now_us + PROXY_VERIFY_MS * 1000ull);
}

/* When the timer has something to look at next. */
static uint64_t next_deadline(const struct exchange *e)
{
    const struct proxy_config *config = &e->proxy->config;
    uint32_t ms = config->body_ms < config->response_ms ? config->body_ms : config->response_ms;
    if (is_waiting_for_continue(e))
        ms = PROXY_CONTINUE_MS;
    else if (kept_body_is_open(e))
        ms = min32(ms, RETRY_BODY_WAIT_MS);
    return e->proxy->core->now_us + (uint64_t)ms * 1000;
}

/* The connection is open: the head, and what there is of the body. */
static void send_request(struct exchange *e)
{
    if (!upstream_conn_is_reused(e->backend))
        e->connect_us = e->proxy->core->now_us - e->asked_us;
    if (e->is_upgrade && !upstream_conn_takes_upgrade(e->backend)) {
        exchange_leave_backend(e);
        exchange_answer(e, STAT_proxy_end_backend_no_websocket, 502);
        return;
    }
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
    ASSERT(e->backend == NULL);
    e->is_waiting = false;
    e->connect_us = ACCESS_NO_TIME;
    struct upstream_ask ask = {.group = e->target->group,
                               .congestion = proxy_congestion(e->target->congestion),
                               .header = (enum image_proxy_header)e->target->proxy_header,
                               .protocol = (enum image_backend_protocol)e->target->protocol,
                               .keep = &e->client->keep,
                               .balancing = e->target->balancing.way,
                               .hash = exchange_hash(e, &e->target->balancing),
                               .health = proxy_health(e->image.view, e->target->health),
                               .is_upgrade = e->is_upgrade,
                               .is_fresh = e->tries > 0,
                               .wanted = exchange_session_endpoint(e)};
    struct secure_backend secure;
    secure_backend_of(e, e->target->tls, &ask, &secure);
    bool has_kept = ask.header != IMAGE_PROXY_HEADER_NONE && ask.keep->conn != NULL;
    bool is_free = ask.wanted == NULL && ask.balancing != IMAGE_BALANCING_MAGLEV;
    if (has_kept && is_free && !ask.is_fresh)
        ask.wanted = upstream_conn_id(ask.keep->conn);
    bool is_elsewhere = e->tries > 0 && !e->is_stale && !ip_addr_is_zero(&e->failed.addr);
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
    if (upstream_conn_http(e->backend)->phase == HTTP_CLIENT_READY)
        send_request(e);
}

/* Is it the client whom everything waits for: for bytes of its body, or for taking the response? */
static bool is_client_owing(struct exchange *e)
{
    struct http_client *backend = upstream_conn_http(e->backend);
    if (e->has_response_head)
        return http_client_body_ready(backend) > 0;
    if (!e->has_request_head || http_server_body_is_done(&e->client->http))
        return false;
    size_t there = http_server_body_ready(&e->client->http);
    return e->keeps_body ? there == e->kept_sent && kept_body_is_open(e) : there == 0;
}

static void send_continue(struct exchange *e)
{
    struct http_response r = {.status = 100};
    e->has_continue = true;
    stat_inc(e->proxy->core, STAT_proxy_continues);
    if (!http_server_send_informational(&e->client->http, &r))
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

void exchange_leave_backend(struct exchange *e)
{
    e->is_stale = false;
    e->failed = *upstream_conn_id(e->backend);
    upstream_abort(e->proxy->upstream, e->backend);
    e->backend = NULL;
}

/* A time limit is over, for which the endpoint is to blame if nobody waited for the client. */
static void note_timeout(struct exchange *e)
{
    if (!is_client_owing(e))
        health_note_timeout(e);
}

/* The backend took too long. */
static void end_try_by_timeout(struct exchange *e)
{
    note_timeout(e);
    enum retry_when again = retry_after_timeout(e);
    if (again == RETRY_NEVER) {
        end_by_timeout(e, false);
        return;
    }
    exchange_leave_backend(e);
    exchange_retry(e, again);
}

/*
 * How long nothing may move. A call of gRPC may rest as long as a tunnel: a stream is silent until
 * there is something to tell, and for how long its client waits is his to say (gRPC's deadlines);
 * what a silent call holds is no more than that of a tunnel.
 */
static uint32_t silence_ms(const struct exchange *e, bool is_client)
{
    const struct proxy_config *config = &e->proxy->config;
    const struct image_view *v = e->image.view;
    bool is_call = v->routes[v->rules[e->route.rule].route].kind == IMAGE_ROUTE_GRPC;
    if (is_call && e->has_request_head)
        return config->tunnel_ms;
    return is_client ? config->body_ms : config->response_ms;
}

void exchange_on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct exchange *e = container_of(timer, struct exchange, timer);
    if (now_us >= request_deadline(e)) {
        if (e->backend != NULL)
            note_timeout(e);
        end_by_timeout(e, false);
        return;
    }
    if (e->is_verifying) {
        exchange_answer(e, STAT_proxy_end_verify_late, 503);
        return;
    }
    if (e->is_waiting) {
        exchange_try(e);
        return;
    }
    ASSERT(e->backend != NULL);
    if (now_us >= try_deadline(e)) {
        end_try_by_timeout(e);
        return;
    }
    if (is_waiting_for_continue(e) && e->has_request_head) {
        send_continue(e);
        return;
    }
    bool is_client = is_client_owing(e);
    if (is_client && now_us >= e->progress_us + RETRY_BODY_WAIT_MS * 1000)
        kept_body_let_go(e);
    uint64_t deadline_us = e->progress_us + (uint64_t)silence_ms(e, is_client) * 1000;
    if (now_us < deadline_us)
        arm_timer(e, kept_body_is_open(e) ? min64(deadline_us, next_deadline(e)) : deadline_us);
    else if (is_client)
        end_by_timeout(e, true);
    else
        end_try_by_timeout(e);
}
