/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exchange's way from a parsed head to the decision who answers, and its end. Each exit is one
 * counter. Forwarding is in exchange_request.c, exchange_response.c and exchange_backend.c.
 */
#include "base/assert.h"
#include "proxy/proxy_priv.h"
#include "route/filter.h"
#include "route/of_head.h"

enum { LOCATION_BYTES_MAX = HTTP_TARGET_BYTES_MAX + 1024 };

static void count_status(struct core *core, uint16_t status)
{
    if (status >= 200 && status < 600)
        stat_inc(core, STAT_proxy_responses_2xx + (status / 100 - 2));
}

void exchange_note_progress(struct exchange *e)
{
    e->progress_us = e->proxy->core->now_us;
}

void check_exchange(const struct exchange *e)
{
    ASSERT(e->client->exchange == e && e->client->is_open);
    ASSERT(e->client->http.phase == HTTP_SERVER_EXCHANGE);
    ASSERT(!e->has_response_head || e->has_request_head);
    ASSERT(!e->has_request_head || e->backend != NULL);
    ASSERT(!e->has_body_moved || e->has_request_head);
    ASSERT(!e->keeps_body || (!e->has_body_moved && !e->has_response_head));
    ASSERT(!(e->is_asked || e->is_waiting || e->is_verifying) || e->backend == NULL);
    ASSERT(e->is_asked + e->is_waiting + e->is_verifying <= 1);
}

void exchange_end(struct exchange *e, enum stat_id why, bool is_reusable)
{
    struct proxy *p = e->proxy;
    ASSERT(e->client->exchange == e);
    if (e->note != NULL)
        access_tell(e, why);
    if (!e->is_tunnel)
        route_stats_count(e); /* a tunnel was counted when it began */
    mirrors_cut(e);
    if (e->backend != NULL && is_reusable)
        upstream_put(p->upstream, e->backend);
    else if (e->backend != NULL)
        upstream_abort(p->upstream, e->backend);
    if (e->is_asked)
        list_remove(&e->asked_node);
    if (e->is_verifying)
        list_remove(&e->verify_node); /* what is found is remembered all the same */
    wheel_disarm(&p->core->wheel, &e->timer);
    if (e->image.view != NULL)
        e->image.unpin(e->image.owner);
    if (e->is_tunnel) {
        p->tunnels--;
        p->core->stats->counters[STAT_proxy_tunnels_now]--;
    }
    e->client->exchange = NULL;
    stat_inc(p->core, why);
    p->core->stats->counters[STAT_proxy_exchanges_now]--;
    pool_put(&p->exchanges, e);
}

void exchange_cut(struct exchange *e, enum stat_id why)
{
    struct proxy_conn *c = e->client;
    exchange_end(e, why, false);
    proxy_conn_abort(c, STAT_proxy_conn_end_cut);
}

static void add_retry_after(struct field_list *l, uint16_t status)
{
    if (status == 503)
        field_list_add(l, SLICE_LIT("Retry-After"), SLICE_LIT(PROXY_RETRY_AFTER_S));
}

/* Answers on a connection without an exchange. */
static void answer(struct proxy_conn *c, uint16_t status, const struct field_list *l, bool is_grpc)
{
    struct http_response r = {.status = status, .fields = l->fields, .n_fields = l->n};
    ASSERT(!l->is_full);
    count_status(c->proxy->core, status);
    proxy_conn_arm_rest(c);
    if (is_grpc)
        grpc_answer(&c->http, status, l);
    else
        http_server_answer(&c->http, &r, slice_of_str(http_status_reason(status)));
}

/* The fields may be the image's or the request's: both stay until the connection goes on. */
void exchange_answer_with(struct exchange *e, enum stat_id why, uint16_t status,
                          const struct field_list *fields)
{
    ASSERT(!e->has_response_head);
    struct proxy_conn *c = e->client;
    bool is_grpc = e->is_grpc;
    e->status = status;
    e->is_answered = true;
    exchange_end(e, why, false);
    answer(c, status, fields, is_grpc);
}

void exchange_answer(struct exchange *e, enum stat_id why, uint16_t status)
{
    ASSERT(status >= 400);
    struct field_list l;
    field_list_init(&l);
    exchange_cors_fields(e, &l);
    add_retry_after(&l, status);
    exchange_answer_with(e, why, status, &l);
}

/* What the match is asked about. */
static struct route_request request_of(const struct exchange *e)
{
    return route_request_of(&e->client->http.request->head, e->bind, e->image.reader);
}

/* The rule's redirect; false: it has none. */
static bool redirect(struct exchange *e, const struct image_rule *rule)
{
    const struct image_view *v = e->image.view;
    const struct image_filter *filter = route_filter_find(v, rule, IMAGE_FILTER_REDIRECT);
    if (filter == NULL)
        return false;
    const struct http_head *head = &e->client->http.request->head;
    const struct image_redirect *to = &v->redirects[filter->first];
    struct route_redirect_request request = {
        .is_https = e->client->tls != NULL,
        .listener_port = v->listeners[e->route.listener].port,
        .host = head->host,
        .path = head->path,
        .query = head->query,
        .has_query = head->has_query,
    };
    uint8_t buf[LOCATION_BYTES_MAX];
    size_t len;
    if (!route_redirect_location(v, &v->matches[e->route.match], to, &request, buf, sizeof(buf),
                                 &len)) {
        exchange_answer(e, STAT_proxy_end_no_buffer, 414);
        return true;
    }
    struct field_list l;
    field_list_init(&l);
    exchange_cors_fields(e, &l);
    field_list_add(&l, SLICE_LIT("Location"), slice_of(buf, len));
    exchange_answer_with(e, STAT_proxy_end_redirect, to->status, &l);
    return true;
}

/* The backend of the request's session, or one by weight. False: the rule has none, or chose none
 * that can be asked. */
static bool has_target(struct exchange *e, const struct image_rule *rule)
{
    if (e->target != NULL)
        return true;
    const struct image_backend *backend;
    uint32_t chance = even_next(&e->proxy->shares[e->route.rule % PROXY_SHARES]);
    if (!route_backend_pick(e->image.view, rule, chance, &backend) || backend->group == IMAGE_NONE)
        return false;
    e->target = backend;
    return true;
}

/* Carries out the rule: a fault, or who may ask; then exchange_go_on(). */
static void follow_rule(struct exchange *e)
{
    const struct image_view *v = e->image.view;
    const struct image_rule *rule = &v->rules[e->route.rule];
    if (rule->fault_status != 0) {
        exchange_answer(e, STAT_proxy_end_rule_fault, rule->fault_status);
        return;
    }
    exchange_cors_begin(e, rule);
    if (exchange_deny(e, rule))
        return;
    if (exchange_is_preflight(e)) {
        exchange_answer_preflight(e);
        return;
    }
    /* A preflight is the browser's own idea, so it is free, and it brings no password. */
    if (exchange_authenticate(e, rule))
        exchange_go_on(e);
}

void exchange_go_on(struct exchange *e)
{
    const struct image_rule *rule = &e->image.view->rules[e->route.rule];
    if (exchange_limit(e, rule) || redirect(e, rule))
        return;
    exchange_session_begin(e, rule);
    if (tunnel_is_full(e)) {
        exchange_answer(e, STAT_proxy_end_tunnels_full, 503);
        return;
    }
    if (!has_target(e, rule)) {
        exchange_answer(e, STAT_proxy_end_rule_fault, 500);
        return;
    }
    if (rule->retry != IMAGE_NONE)
        e->retry = &e->image.view->retries[rule->retry];
    kept_body_begin(e);
    retry_note_request(e);
    exchange_try(e);
}

/* The match begins, and goes on in exchanges_route(). */
static void ask(struct exchange *e)
{
    if (!proxy_conn_find_bind(e->client, e->image.view, &e->bind)) {
        e->client->http.is_closing = true;
        exchange_answer(e, STAT_proxy_end_no_bind, 404);
        return;
    }
    struct route_request request = request_of(e);
    route_look_ahead(e->image.view, &request, &e->ahead);
    e->is_asked = true;
    list_push_back(&e->proxy->asked, &e->asked_node);
}

static void route(struct exchange *e)
{
    struct route_request request = request_of(e);
    route_match_ahead(e->image.view, &request, &e->ahead, &e->route);
    e->is_matched = true;
    bool has_listener = e->route.outcome != ROUTE_OUTCOME_NO_LISTENER;
    if (has_listener && secure_is_misdirected(e))
        exchange_answer(e, STAT_proxy_end_misdirected, 421);
    else if (e->route.outcome != ROUTE_OUTCOME_RULE)
        exchange_answer(e, STAT_proxy_end_no_route, 404);
    else
        follow_rule(e);
}

/* An answer may bring the connection's next request, which is then the last of the list. */
unsigned exchanges_route(struct proxy *p)
{
    unsigned n = 0;
    struct list_node *node;
    while ((node = list_take_front(&p->asked)) != NULL) {
        struct exchange *e = container_of(node, struct exchange, asked_node);
        ASSERT(e->is_asked);
        e->is_asked = false;
        route(e);
        n++;
    }
    return n;
}

void exchange_begin(struct proxy_conn *c)
{
    struct proxy *p = c->proxy;
    stat_inc(p->core, STAT_proxy_requests);
    struct exchange *e = pool_get(&p->exchanges);
    if (e == NULL) {
        struct field_list l;
        field_list_init(&l);
        add_retry_after(&l, 503);
        stat_inc(p->core, STAT_proxy_end_no_exchange);
        if (obs_watches(&p->core->obs, OBSERVE_REQUESTS))
            access_tell_unserved(c);
        answer(c, 503, &l, grpc_is_asked(&c->http.request->head));
        return;
    }
    *e = (struct exchange){.proxy = p,
                           .client = c,
                           .image = p->image,
                           .begin_us = p->core->now_us,
                           .head_us = ACCESS_NO_TIME,
                           .connect_us = ACCESS_NO_TIME};
    e->is_expecting_continue = c->http.request->head.is_expecting_continue;
    e->is_grpc = grpc_is_asked(&c->http.request->head);
    tunnel_ask(e);
    e->timer.on_expire = exchange_on_timer;
    list_init(&e->mirrors);
    c->exchange = e;
    wheel_disarm(&p->core->wheel, &c->timer);
    p->core->stats->counters[STAT_proxy_exchanges_now]++;
    exchange_note_progress(e);
    if (obs_watches(&p->core->obs, OBSERVE_REQUESTS))
        access_note(e);
    if (p->image.view == NULL) {
        exchange_answer(e, STAT_proxy_end_no_image, 503);
        return;
    }
    p->image.pin(p->image.owner);
    ask(e);
}
