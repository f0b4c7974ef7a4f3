/* SPDX-License-Identifier: Apache-2.0 */
/* Client connections: accepted, timed, closed. What some begin with is in conn_header.c, what is
 * asked on them in exchange.c. */
#include "base/assert.h"
#include "proxy/l4.h"

static struct proxy_conn *conn_of(struct http_server *s)
{
    return container_of(s, struct proxy_conn, http);
}

void proxy_conn_arm(struct proxy_conn *c, uint32_t ms)
{
    wheel_disarm(&c->proxy->core->wheel, &c->timer);
    wheel_arm(&c->proxy->core->wheel, &c->timer, c->proxy->core->now_us + (uint64_t)ms * 1000);
}

void proxy_conn_arm_rest(struct proxy_conn *c)
{
    ASSERT(c->exchange == NULL);
    proxy_conn_arm(c, c->proxy->config.body_ms);
}

void proxy_conn_enter_heads(struct proxy_conn *c)
{
    proxy_conn_leave_heads(c);
    list_push_back(&c->proxy->heads, &c->head);
}

void proxy_conn_leave_heads(struct proxy_conn *c)
{
    if (list_is_linked(&c->head))
        list_remove(&c->head);
}

void proxy_conn_shed_head(struct proxy *p)
{
    struct list_node *node = list_take_front(&p->heads);
    struct proxy_conn *c = node != NULL ? container_of(node, struct proxy_conn, head) : NULL;
    if (c != NULL && c->h2 != NULL)
        h2_session_calm(c->h2);
    else if (c != NULL)
        http_server_shed_head(&c->http);
}

bool proxy_conn_find_bind(const struct proxy_conn *c, const struct image_view *v,
                          uint32_t *ret_bind)
{
    uint32_t bind;
    if (!route_bind_find(v, &c->addrs.local, c->addrs.local_port, &bind))
        return false;
    bind = image_bind_for(v, bind, &c->addrs.remote);
    /* Whether it speaks TLS is open until its header is there. */
    uint8_t kind = v->binds[bind].kind;
    bool is_same = c->tls != NULL ? image_is_tls_bind(kind) : kind == IMAGE_BIND_HTTP;
    if (c->unheaded == NULL && !is_same)
        return false;
    *ret_bind = bind;
    return true;
}

void proxy_conn_put_part(struct proxy_conn *c)
{
    if (c->part != NULL)
        c->proxy->env.head_put(c->proxy->env.owner, c->part);
    c->part = NULL;
}

void proxy_conn_free(struct proxy_conn *c)
{
    ASSERT(c->is_open && c->exchange == NULL && c->h2 == NULL);
    ASSERT(c->http.stream == NULL && c->unheaded == NULL);
    struct proxy *p = c->proxy;
    upstream_keep_drop(p->upstream, &c->keep);
    proxy_conn_put_part(c);
    wheel_disarm(&p->core->wheel, &c->timer);
    proxy_conn_leave_heads(c);
    c->is_open = false;
    census_leave(p->core, &c->census);
    if (c->parent == NULL)
        p->core->stats->counters[STAT_proxy_conns_now]--;
    pool_put(c->parent == NULL ? &p->conns : &p->streams, c);
}

static void on_request(struct http_server *s)
{
    struct proxy_conn *c = conn_of(s);
    ASSERT(c->exchange == NULL);
    uint32_t requests_max = c->proxy->config.requests_per_conn_max;
    if (c->proxy->is_drained && c->parent == NULL) {
        stat_inc(c->proxy->core, STAT_proxy_conns_drained);
        http_server_close(s);
    } else if (requests_max != 0 && s->requests >= requests_max) {
        stat_inc(c->proxy->core, STAT_proxy_conns_spent);
        http_server_close(s);
    }
    exchange_begin(c);
}

static void on_body(struct http_server *s)
{
    struct exchange *e = conn_of(s)->exchange;
    if (e != NULL)
        kept_body_on_event(e);
    if (e != NULL && e->is_tunnel)
        tunnel_pump(e);
    else if (e != NULL && e->has_request_head)
        exchange_pump_request(e);
}

static void on_writable(struct http_server *s)
{
    struct exchange *e = conn_of(s)->exchange;
    if (e != NULL && e->is_tunnel)
        tunnel_pump(e);
    else if (e != NULL && e->has_response_head)
        exchange_pump_response(e);
}

static void on_phase(struct http_server *s, enum http_server_phase phase)
{
    struct proxy_conn *c = conn_of(s);
    const struct proxy_config *config = &c->proxy->config;
    proxy_conn_leave_heads(c);
    switch (phase) {
    case HTTP_SERVER_IDLE:
        proxy_conn_arm(c, config->keep_alive_ms);
        break;
    case HTTP_SERVER_HEAD:
        proxy_conn_arm(c, config->head_ms);
        proxy_conn_enter_heads(c);
        break;
    case HTTP_SERVER_EXCHANGE: /* an exchange has a timer of its own; a refusal has not */
        proxy_conn_arm(c, config->body_ms);
        break;
    case HTTP_SERVER_DRAIN:
        proxy_conn_arm(c, config->drain_ms);
        break;
    }
}

static void on_refusal(struct http_server *s, enum http_fault fault)
{
    struct proxy_conn *c = conn_of(s);
    if (obs_watches(&c->proxy->core->obs, OBSERVE_REQUESTS))
        access_tell_refused(c, fault);
}

static void on_end(struct http_server *s, bool was_in_exchange)
{
    static const enum stat_id counters[] = {
#define X(name, help) [HTTP_SERVER_END_##name] = STAT_proxy_conn_end_##name,
        HTTP_SERVER_END_LIST(X)
#undef X
    };
    struct proxy_conn *c = conn_of(s);
    ASSERT((unsigned)s->end < array_len(counters));
    if (c->parent == NULL)
        stat_inc(c->proxy->core, counters[s->end]);
    if (c->exchange != NULL && c->exchange->is_tunnel)
        tunnel_on_client_end(c->exchange, s->end == HTTP_SERVER_END_client);
    else if (c->exchange != NULL)
        exchange_end(c->exchange, STAT_proxy_end_client_gone, false);
    proxy_conn_free(c);
}

static void on_preface(struct http_server *s)
{
    conn_h2_begin(conn_of(s));
}

static bool is_h2_agreed(struct http_server *s)
{
    const struct proxy_conn *c = conn_of(s);
    return c->tls != NULL && strcmp(tls_alpn(c->tls), "h2") == 0;
}

const struct http_server_ops proxy_conn_ops = {.on_request = on_request,
                                               .on_body = on_body,
                                               .on_writable = on_writable,
                                               .on_phase = on_phase,
                                               .on_refusal = on_refusal,
                                               .on_preface = on_preface,
                                               .is_h2_agreed = is_h2_agreed,
                                               .on_end = on_end};

void proxy_conn_abort(struct proxy_conn *c, enum stat_id why)
{
    ASSERT(c->exchange == NULL);
    if (c->h2 != NULL) {
        h2_session_close(c->h2);
        return;
    }
    if (c->parent == NULL)
        stat_inc(c->proxy->core, why);
    if (c->unheaded != NULL) {
        stream_abort(c->unheaded);
        stream_release(c->unheaded);
        c->unheaded = NULL;
    } else {
        http_server_abort(&c->http);
    }
    proxy_conn_free(c);
}

void proxy_conn_unbind(struct proxy_conn *c)
{
    stat_inc(c->proxy->core, STAT_proxy_conns_unbound);
    c->http.is_closing = true;
    if (c->unheaded != NULL)
        proxy_conn_abort(c, STAT_proxy_conn_end_cut);
    else if (c->h2 != NULL)
        h2_session_shutdown(c->h2);
    else
        http_server_close(&c->http);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct proxy_conn *c = container_of(timer, struct proxy_conn, timer);
    ASSERT(c->exchange == NULL);
    if (c->unheaded != NULL) {
        if (c->is_dns)
            dns_timeout(c);
        else if (c->is_hello)
            hello_timeout(c);
        else
            conn_header_timeout(c);
        return;
    }
    if (c->h2 != NULL) {
        conn_h2_timeout(c);
        return;
    }
    if (c->http.phase == HTTP_SERVER_EXCHANGE) { /* the rest of a response, or a refusal */
        proxy_conn_abort(c, STAT_proxy_conn_end_untaken);
        return;
    }
    if (c->http.phase == HTTP_SERVER_IDLE)
        stat_inc(c->proxy->core, STAT_proxy_conns_idle_timeout);
    http_server_timeout(&c->http);
}

bool proxy_conn_enter(struct proxy_conn *c, const struct image_bind *at)
{
    const struct image_view *v = c->proxy->image.view;
    bool is_known = !at->is_proxied || c->is_told;
    return census_enter(c->proxy->core, v, (uint32_t)(at - v->binds),
                        is_known ? &c->addrs.remote : NULL, &c->census);
}

/* What the current image says of where it came in; NULL: nobody listens there any more. The bind
 * was found at the SYN, maybe on an image before. */
static const struct image_bind *bind_of(const struct proxy *p, const struct stream_addrs *addrs)
{
    const struct image_view *v = p->image.view;
    uint32_t bind;
    bool is_there = v != NULL && route_bind_find(v, &addrs->local, addrs->local_port, &bind);
    return is_there ? &v->binds[image_bind_for(v, bind, &addrs->remote)] : NULL;
}

void proxy_conn_init_stream(struct proxy_conn *c, struct proxy_conn *parent)
{
    *c = (struct proxy_conn){.proxy = parent->proxy,
                             .parent = parent,
                             .tls = parent->tls,
                             .is_open = true,
                             .is_verified = parent->is_verified,
                             .timer = {.on_expire = on_timer},
                             .addrs = parent->addrs,
                             .asked = parent->asked,
                             .asked_port = parent->asked_port};
}

bool proxy_conn_serve(struct proxy_conn *c, struct stream *s, bool is_tls)
{
    ASSERT(c->unheaded == NULL && c->http.stream == NULL && c->l4 == NULL);
    struct stream *top = is_tls ? secure_accept(c, s) : s;
    if (top == NULL) {
        c->unheaded = s;
        proxy_conn_abort(c, STAT_proxy_conn_end_cut);
        return false;
    }
    http_server_init(&c->http, top, &c->proxy->env, &proxy_conn_ops, c->proxy);
    proxy_conn_arm(c, c->proxy->config.keep_alive_ms);
    return true;
}

bool proxy_conn_begin(struct proxy_conn *c, struct stream *s)
{
    const struct image_bind *at = bind_of(c->proxy, &c->addrs);
    switch (at != NULL ? (enum image_bind_kind)at->kind : IMAGE_BIND_HTTP) {
    case IMAGE_BIND_TLS:
        proxy_conn_arm(c, c->proxy->config.head_ms);
        hello_await(c, s);
        return true;
    case IMAGE_BIND_TCP:
        return l4_accept(c, s, (uint32_t)(at - c->proxy->image.view->binds));
    case IMAGE_BIND_DNS:
        proxy_conn_arm(c, c->proxy->config.head_ms);
        dns_await(c, s);
        return true;
    case IMAGE_BIND_HTTPS:
        return proxy_conn_serve(c, s, true);
    default:
        return proxy_conn_serve(c, s, false);
    }
}

bool proxy_conn_accept(void *owner, struct stream *s, uint32_t bind)
{
    struct proxy *p = owner;
    struct stream_addrs addrs;
    stream_addrs(s, &addrs);
    const struct image_bind *at = bind_of(p, &addrs);
    if (at != NULL && !conn_header_is_trusted(p->image.view, at, &addrs.remote)) {
        stat_inc(p->core, STAT_proxy_conns_untrusted);
        return false;
    }
    struct proxy_conn *c = pool_get(&p->conns);
    if (c == NULL) {
        stat_inc(p->core, STAT_proxy_conns_refused);
        return false;
    }
    *c = (struct proxy_conn){.proxy = p,
                             .is_open = true,
                             .timer = {.on_expire = on_timer},
                             .addrs = addrs,
                             .asked = addrs.local,
                             .asked_port = addrs.local_port};
    if (at != NULL && !proxy_conn_enter(c, at)) {
        c->is_open = false;
        pool_put(&p->conns, c);
        return false;
    }
    stat_inc(p->core, STAT_proxy_conns_accepted);
    p->core->stats->counters[STAT_proxy_conns_now]++;
    if (at != NULL && at->is_proxied) {
        proxy_conn_arm(c, p->config.head_ms);
        conn_header_await(c, s);
    } else {
        proxy_conn_begin(c, s);
    }
    return true;
}
