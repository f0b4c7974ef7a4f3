/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client connections that speak HTTP/2. What is asked on one comes on streams, each of which is a
 * struct proxy_conn with one exchange; the connection itself has none, and only waits: for a
 * request, or for the rest of a head.
 */
#include "base/assert.h"
#include "proxy/proxy_priv.h"

/* Of nghttp2 for a connection: 17 KiB for the frame that it writes, 8 KiB of tables, streams. */
enum { HEAP_BYTES_PER_SESSION = 48 * 1024 };

/* Half of all connections: each takes so much that a box full of them would need more. */

struct h2_config conn_h2_config(const struct proxy_config *config)
{
    uint32_t sessions = config->conns_max / 2 + config->upstream.conns_max;
    return (struct h2_config){
        .sessions_max = sessions,
        .streams_max = config->exchanges_max + config->upstream.conns_max + H2_STREAMS_MAX,
        .pieces_max = config->exchanges_max / 2 + 256,
        .heap_bytes_max = (size_t)sessions * HEAP_BYTES_PER_SESSION,
    };
}

/* Nobody can serve it: there is no memory. */
static void refuse(struct proxy *p, struct stream *stream, struct http_head_buf *head)
{
    stat_inc(p->core, STAT_h2_streams_refused);
    p->env.head_put(p->env.owner, head);
    stream_abort(stream);
    stream_release(stream);
}

void conn_h2_drain(struct proxy_conn *c)
{
    if (h2_session_is_draining(c->h2))
        return;
    stat_inc(c->proxy->core, STAT_proxy_conns_drained);
    h2_session_shutdown(c->h2);
}

static void on_request(struct h2_session *s, struct stream *stream, struct http_head_buf *head,
                       enum http_fault fault, bool is_end)
{
    struct proxy_conn *parent = h2_session_owner(s);
    struct proxy *p = parent->proxy;
    struct proxy_conn *c = pool_get(&p->streams);
    if (c == NULL) {
        refuse(p, stream, head);
        return;
    }
    uint32_t requests_max = p->config.requests_per_conn_max;
    if (p->is_drained) {
        conn_h2_drain(parent);
    } else if (requests_max != 0 && ++parent->h2_requests == requests_max) {
        stat_inc(p->core, STAT_proxy_conns_spent);
        h2_session_shutdown(s);
    }
    proxy_conn_init_stream(c, parent);
    http_server_carry(&c->http, stream, &h2_carrier, &p->env, &proxy_conn_ops, p, head, fault,
                      is_end);
}

static void on_phase(struct h2_session *s, enum h2_phase phase)
{
    struct proxy_conn *c = h2_session_owner(s);
    const struct proxy_config *config = &c->proxy->config;
    proxy_conn_leave_heads(c);
    switch (phase) {
    case H2_IDLE:
        proxy_conn_arm(c, config->keep_alive_ms);
        break;
    case H2_BUSY: /* its streams have timers of their own */
        wheel_disarm(&c->proxy->core->wheel, &c->timer);
        break;
    case H2_HEAD:
        proxy_conn_arm(c, config->head_ms);
        proxy_conn_enter_heads(c);
        break;
    }
}

static void on_end(struct h2_session *s)
{
    struct proxy_conn *c = h2_session_owner(s);
    stat_inc(c->proxy->core, STAT_proxy_conn_end_h2);
    c->h2 = NULL;
    proxy_conn_free(c);
}

static const struct h2_session_ops ops = {
    .on_request = on_request, .on_phase = on_phase, .on_end = on_end};

void conn_h2_begin(struct proxy_conn *c)
{
    struct stream *stream = http_server_leave(&c->http);
    proxy_conn_leave_heads(c);
    c->h2 = h2_accept(c->proxy->h2, stream, &ops, c);
    if (c->h2 == NULL) {
        c->unheaded = stream;
        proxy_conn_abort(c, STAT_proxy_conn_end_cut);
        return;
    }
    proxy_conn_arm(c, c->proxy->config.keep_alive_ms);
}

void conn_h2_timeout(struct proxy_conn *c)
{
    if (list_is_linked(&c->head)) {
        h2_session_calm(c->h2);
        return;
    }
    if (h2_session_is_draining(c->h2)) { /* it does not take our goodbye */
        h2_session_close(c->h2);
        return;
    }
    stat_inc(c->proxy->core, STAT_proxy_conns_idle_timeout);
    h2_session_shutdown(c->h2);
    proxy_conn_arm(c, H2_DRAIN_MS + c->proxy->config.drain_ms);
}
