/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends that speak HTTP/2: requests to one endpoint share its connections, each on a stream of
 * its own, which is what an upstream_conn is here. A connection takes as many streams at once as
 * its backend and H2_STREAMS_MAX allow; beyond, another one is opened. One that has no stream is
 * idle, and closed like idle ones of HTTP/1 are.
 *
 * One that begins with a PROXY protocol header tells one client's address: it takes one request.
 */
#include "base/assert.h"
#include "upstream/upstream_priv.h"

static void free_session(struct upstream_session *s)
{
    struct upstream *u = s->upstream;
    struct upstream_endpoint *e = s->endpoint;
    wheel_disarm(&u->core->wheel, &s->timer);
    list_remove(&s->link);
    pool_put(&u->sessions, s);
    upstream_endpoint_check_end(u, e);
}

/* Closes it; `why` is counted, as for connections of HTTP/1. */
static void close_session(struct upstream_session *s, enum stat_id why)
{
    stat_inc(s->upstream->core, why);
    s->is_closing = true;
    h2_session_close(s->h2);
}

static void on_end(struct h2_session *h2)
{
    struct upstream_session *s = h2_session_owner(h2);
    bool is_idle = wheel_timer_is_armed(&s->timer); /* or its last request ended just now */
    if (!s->is_closing)
        stat_inc(s->upstream->core, is_idle || h2_session_is_done(h2)
                                        ? STAT_upstream_closed_by_backend
                                        : STAT_upstream_broken);
    free_session(s);
}

static void on_phase(struct h2_session *h2, enum h2_phase phase)
{
    struct upstream_session *s = h2_session_owner(h2);
    struct upstream *u = s->upstream;
    wheel_disarm(&u->core->wheel, &s->timer);
    if (h2_session_streams(h2) > 0)
        return;
    if (s->header != IMAGE_PROXY_HEADER_NONE)
        close_session(s, STAT_upstream_closed_done);
    else
        wheel_arm(&u->core->wheel, &s->timer,
                  u->core->now_us + (uint64_t)u->config.idle_timeout_ms * 1000);
}

static const struct h2_session_ops ops = {.on_phase = on_phase, .on_end = on_end};

static void on_idle(struct wheel_timer *timer, uint64_t now_us)
{
    struct upstream_session *s = container_of(timer, struct upstream_session, timer);
    if (h2_session_streams(s->h2) == 0) /* else it was taken just now, and we hear of that yet */
        close_session(s, STAT_upstream_closed_idle_timeout);
}

/* One that can take the request. */
static struct upstream_session *find(const struct upstream_endpoint *e,
                                     const struct upstream_ask *ask)
{
    if (ask->header != IMAGE_PROXY_HEADER_NONE)
        return NULL;
    LIST_EACH (it, &e->sessions) {
        struct upstream_session *s = container_of(it, struct upstream_session, link);
        bool is_kind = s->congestion == ask->congestion && s->header == ask->header &&
                       upstream_is_asked(&s->tls, ask);
        if (is_kind && h2_session_has_room(s->h2))
            return s;
    }
    return NULL;
}

static enum upstream_result open_session(struct upstream *u, struct upstream_endpoint *e,
                                         const struct upstream_ask *ask,
                                         struct upstream_session **ret)
{
    struct upstream_session *s = pool_get(&u->sessions);
    struct stream *stream;
    if (s == NULL)
        return UPSTREAM_NO_CONN;
    if (!upstream_dial(u, e, ask, &stream)) {
        pool_put(&u->sessions, s);
        return UPSTREAM_OPEN_FAILED;
    }
    *s = (struct upstream_session){.upstream = u,
                                   .endpoint = e,
                                   .congestion = ask->congestion,
                                   .header = ask->header,
                                   .tls = upstream_tls_of(ask),
                                   .timer = {.on_expire = on_idle}};
    s->h2 = h2_connect(u->h2, stream, ask->tls != NULL, &ops, s);
    if (s->h2 == NULL) {
        stream_abort(stream);
        stream_release(stream);
        pool_put(&u->sessions, s);
        return UPSTREAM_NO_CONN;
    }
    list_push_front(&e->sessions, &s->link);
    stat_inc(u->core, STAT_upstream_opened);
    *ret = s;
    return UPSTREAM_OK;
}

static enum upstream_result open_stream(struct upstream *u, struct upstream_session *s,
                                        const struct upstream_ask *ask,
                                        struct upstream_conn **ret_conn)
{
    struct upstream_conn *c = pool_get(&u->conns);
    struct stream *stream = c != NULL ? h2_open(s->h2, ask->is_upgrade) : NULL;
    if (stream == NULL) {
        if (c != NULL)
            pool_put(&u->conns, c);
        return UPSTREAM_NO_CONN;
    }
    *c = (struct upstream_conn){.upstream = u,
                                .endpoint = s->endpoint,
                                .session = s,
                                .congestion = ask->congestion,
                                .header = ask->header,
                                .tls = s->tls,
                                .is_reused = h2_session_has_answered(s->h2)};
    bool is_open = ask->is_upgrade ? h2_session_has_settings(s->h2) : h2_session_is_open(s->h2);
    http_client_carry(&c->http, stream, &h2_carrier, u->env, &upstream_idle_ops, u, is_open);
    *ret_conn = c;
    return UPSTREAM_OK;
}

enum upstream_result upstream_h2_get(struct upstream *u, struct upstream_endpoint *e,
                                     const struct upstream_ask *ask,
                                     struct upstream_conn **ret_conn)
{
    struct upstream_session *s = find(e, ask);
    if (s != NULL)
        stat_inc(u->core, STAT_upstream_reused);
    enum upstream_result r = s != NULL ? UPSTREAM_OK : open_session(u, e, ask, &s);
    if (r != UPSTREAM_OK)
        return r;
    r = open_stream(u, s, ask, ret_conn);
    if (r != UPSTREAM_OK && h2_session_streams(s->h2) == 0 && !wheel_timer_is_armed(&s->timer))
        wheel_arm(&u->core->wheel, &s->timer, 0);
    return r;
}

bool upstream_conn_may_refuse(const struct upstream_conn *c)
{
    return c->session != NULL;
}

bool upstream_conn_takes_upgrade(const struct upstream_conn *c)
{
    return c->session == NULL || h2_session_takes_connect(c->session->h2);
}

unsigned upstream_h2_purge(struct upstream_endpoint *e)
{
    unsigned closed = 0;
    LIST_EACH_SAFE (it, next, &e->sessions) {
        struct upstream_session *s = container_of(it, struct upstream_session, link);
        if (h2_session_streams(s->h2) > 0)
            continue;
        bool is_last = next == &e->sessions;
        close_session(s, STAT_upstream_closed_vanished);
        closed++;
        if (is_last) /* the endpoint may be gone */
            break;
    }
    return closed;
}
