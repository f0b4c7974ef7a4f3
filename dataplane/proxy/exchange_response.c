/* SPDX-License-Identifier: Apache-2.0 */
/* A response on its way to the client. What cannot be completed is cut, never faked as whole. */
#include "base/assert.h"
#include "proxy/proxy_priv.h"
#include "route/filter.h"

/* By HTTP/2 there may be trailers behind a body of known length; behind one of HTTP/1.1 only if it
 * is chunked. So it is, where the backend announces some and the client wants them. */
static bool is_length_given_up(const struct exchange *e, const struct http_head *head)
{
    struct slice names;
    return upstream_conn_http(e->backend)->carrier != NULL && e->client->parent == NULL &&
           e->client->http.wants_trailers && head->body == HTTP_BODY_LENGTH && !head->is_bodiless &&
           http_head_known(head, HTTP_KNOWN_TRAILER, &names);
}

/* The response as it goes on; `l` holds its fields. */
static struct http_response make_response(const struct exchange *e, const struct http_head *head,
                                          const struct field_list *l)
{
    bool has_trailers = upstream_conn_http(e->backend)->carrier != NULL;
    struct http_response r = {.status = head->status,
                              .reason = head->reason,
                              .fields = l->fields,
                              .n_fields = l->n,
                              .body = head->body,
                              .length = head->length,
                              .has_trailers = has_trailers};
    if (r.body == HTTP_BODY_CHUNKED || is_length_given_up(e, head))
        r.body = HTTP_BODY_UNTIL_CLOSE; /* chunked or not: by what the client understands */
    return r;
}

/* A backend that was asked by HTTP/2 has no digest of the client's key; a client that asks by
 * HTTP/1.1 wants one. */
static bool add_accept(const struct exchange *e, struct field_list *l,
                       char accept[TUNNEL_ACCEPT_BYTES])
{
    static const char name[] = "Sec-WebSocket-Accept";
    if (upstream_conn_http(e->backend)->carrier == NULL || e->client->parent != NULL)
        return true;
    if (!tunnel_accept(e, accept))
        return false;
    field_list_drop(l, slice_of_str(name));
    field_list_add(l, slice_of_str(name), slice_of(accept, TUNNEL_ACCEPT_BYTES));
    return true;
}

static bool send_response(struct exchange *e, const struct http_head *head)
{
    static const enum http_known cors_fields[] = {
        HTTP_KNOWN_ACCESS_CONTROL_ALLOW_ORIGIN,  HTTP_KNOWN_ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HTTP_KNOWN_ACCESS_CONTROL_ALLOW_METHODS, HTTP_KNOWN_ACCESS_CONTROL_ALLOW_HEADERS,
        HTTP_KNOWN_ACCESS_CONTROL_MAX_AGE,       HTTP_KNOWN_ACCESS_CONTROL_EXPOSE_HEADERS};
    const struct image_view *v = e->image.view;
    const struct image_rule *rule = &v->rules[e->route.rule];
    bool is_switch = head->status == 101;
    bool is_final = is_switch || head->status >= 200;
    struct session_text t;
    char accept[TUNNEL_ACCEPT_BYTES];
    struct field_list l;
    field_list_init(&l);
    field_list_take(&l, head, cors_fields, e->cors == NULL ? 0 : array_len(cors_fields));
    if (is_final) {
        exchange_cors_fields(e, &l);
        field_list_apply(&l, v,
                         route_backend_filter_find(v, e->target, IMAGE_FILTER_RESPONSE_HEADERS));
        field_list_apply(&l, v, route_filter_find(v, rule, IMAGE_FILTER_RESPONSE_HEADERS));
        exchange_session_fields(e, &l, &t);
    }
    if (is_switch && !add_accept(e, &l, accept))
        return false;
    struct http_response r = make_response(e, head, &l);
    struct http_server *to = &e->client->http;
    if (l.is_full)
        return false;
    if (is_switch)
        return http_server_switch(to, &r);
    return is_final ? http_server_send_head(to, &r) : http_server_send_informational(to, &r);
}

/* 101 to a request that asks for WebSocket. */
static void switch_protocols(struct exchange *e, struct http_client *h)
{
    const struct http_head *head = &h->response->head;
    if (!tunnel_is_agreed(e, head)) {
        http_client_refuse_switch(h);
        return;
    }
    if (!send_response(e, head)) {
        exchange_cut(e, STAT_proxy_end_no_buffer);
        return;
    }
    e->has_response_head = true;
    e->status = head->status;
    e->head_us = e->proxy->core->now_us;
    tunnel_begin(e);
}

/* By HTTP/2 any 2xx is consent to a tunnel (RFC 8441, section 5), which this is not: there was no
 * 101. */
static bool is_false_consent(const struct exchange *e, uint16_t status)
{
    return e->is_upgrade && e->client->parent != NULL && status >= 200 && status < 300;
}

void exchange_on_response(struct http_client *h)
{
    struct exchange *e = h->owner;
    const struct http_head *head = &h->response->head;
    ASSERT(!e->has_response_head);
    exchange_note_progress(e);
    if (head->status == 101) {
        switch_protocols(e, h);
        return;
    }
    bool is_again = head->status == 100 && e->has_continue; /* we were quicker */
    if (head->status == 100)
        e->has_continue = true;
    if (is_again || (head->status < 200 && !e->client->http.is_modern)) {
        stat_inc(e->proxy->core, STAT_proxy_informational_dropped);
        return;
    }
    health_note_status(e, head->status);
    if (is_false_consent(e, head->status)) {
        exchange_leave_backend(e);
        exchange_answer(e, STAT_proxy_end_backend_fault, 502);
        return;
    }
    enum retry_when again = retry_after_status(e, head->status);
    if (again != RETRY_NEVER) {
        exchange_leave_backend(e);
        exchange_retry(e, again);
        return;
    }
    if (!send_response(e, head)) {
        exchange_cut(e, STAT_proxy_end_no_buffer);
        return;
    }
    if (head->status < 200)
        return;
    kept_body_let_go(e); /* there is no further try */
    e->has_response_head = true;
    e->status = head->status;
    e->head_us = e->proxy->core->now_us;
    http_server_drop_head(&e->client->http);
    struct core *core = e->proxy->core;
    if (head->status < 600)
        stat_inc(core, STAT_proxy_responses_2xx + (head->status / 100 - 2));
}

/* The response is whole: the backend connection goes back, then the client's next request comes. */
static void complete(struct exchange *e)
{
    struct proxy_conn *c = e->client;
    bool is_sent = http_client_is_sent(upstream_conn_http(e->backend));
    e->is_answered = true;
    exchange_end(e, STAT_proxy_end_complete, is_sent);
    proxy_conn_arm_rest(c);
    http_server_finish(&c->http);
}

void exchange_pump_response(struct exchange *e)
{
    check_exchange(e);
    struct http_client *from = upstream_conn_http(e->backend);
    ASSERT(e->has_response_head && from->is_final_head);
    size_t moved = http_move_response(&e->client->http, from);
    if (moved > 0) {
        stat_add(e->proxy->core, STAT_proxy_response_bytes, moved);
        e->response_bytes += moved;
        exchange_note_progress(e);
    }
    if (http_client_body_is_done(from))
        complete(e);
    else if (http_client_body_fault(from) != HTTP_FAULT_none)
        exchange_cut(e, STAT_proxy_end_backend_cut);
}
