/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PROXY protocol: the header that a client connection has to begin with where the image says so,
 * and those that connections to backends begin with.
 *
 * A header is required or not read at all, never looked for (proxy-protocol.txt, section 2): where
 * one may come or not, everybody may say whose connection it is. What comes in its place ends the
 * connection by a reset without a byte of an answer, counted by reason. A connection that is opened
 * and closed without a byte, as those before us do to see whether we are there, is none of these.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "proxy/proxy_priv.h"
#include "route/access.h"

/* Ends it by a reset. */
static void refuse(struct proxy_conn *c, enum stat_id why)
{
    stat_inc(c->proxy->core, why);
    proxy_conn_abort(c, STAT_proxy_conn_end_header);
}

void conn_header_timeout(struct proxy_conn *c)
{
    refuse(c, STAT_proxy_header_late);
}

void proxy_conn_let_go(struct proxy_conn *c, enum stat_id why)
{
    stat_inc(c->proxy->core, why);
    stream_release(c->unheaded);
    c->unheaded = NULL;
    proxy_conn_free(c);
}

void proxy_conn_await(struct proxy_conn *c, struct stream *s, stream_event_fn on_event)
{
    ASSERT(c->unheaded == NULL && c->http.stream == NULL && c->l4 == NULL);
    c->unheaded = s;
    s->on_event = on_event;
    s->owner = c;
    stream_rest(s);
}

bool proxy_conn_has_left(struct proxy_conn *c, unsigned events)
{
    if ((events & STREAM_CLOSED) != 0)
        proxy_conn_let_go(c, STAT_proxy_conn_end_lost_idle);
    else if (stream_is_eof(c->unheaded))
        proxy_conn_let_go(c, STAT_proxy_conn_end_client);
    else
        return false;
    return true;
}

/* Whoever asks who the client is gets this answer from now on. */
static void believe(struct proxy_conn *c, const struct proxy_protocol_ends *ends)
{
    c->addrs.remote = ends->source;
    c->addrs.remote_port = ends->source_port;
    c->is_told = true;
    c->asked = ends->destination;
    c->asked_port = ends->destination_port;
}

bool conn_header_is_denied(const struct proxy_conn *c)
{
    const struct image_view *v = c->proxy->image.view;
    uint32_t bind;
    if (!c->is_told || !route_bind_find(v, &c->addrs.local, c->addrs.local_port, &bind))
        return false;
    const struct image_bind *b = &v->binds[bind];
    return b->is_proxied && route_access_of_all(v, b->first_gate, b->n_gates, &c->addrs.remote,
                                                true) != ROUTE_ACCESS_ALLOWED;
}

/* May the client that the header tells have one more connection? */
static bool has_room(struct proxy_conn *c)
{
    const struct image_view *v = c->proxy->image.view;
    uint32_t bind;
    bool is_bound = route_bind_find(v, &c->addrs.local, c->addrs.local_port, &bind);
    return !is_bound || proxy_conn_enter(c, &v->binds[bind]);
}

/* What follows is the connection's own; its bytes may be there: no event tells of them again. */
static void begin(struct proxy_conn *c, const struct proxy_protocol_header *header)
{
    struct stream *s = c->unheaded;
    stat_inc(c->proxy->core, header->is_local ? STAT_proxy_header_local : STAT_proxy_header_told);
    if (!header->is_local)
        believe(c, &header->ends);
    if (conn_header_is_denied(c)) {
        refuse(c, STAT_proxy_header_denied);
        return;
    }
    if (!has_room(c)) {
        refuse(c, STAT_proxy_header_limited);
        return;
    }
    c->unheaded = NULL;
    proxy_conn_put_part(c);
    if (!proxy_conn_begin(c, s))
        return;
    if (stream_readable(s) > 0 || stream_is_eof(s))
        s->on_event(s, STREAM_READABLE);
}

static enum stat_id counter_of(enum proxy_protocol fault)
{
    static const enum stat_id counters[] = {
#define STAT_proxy_header_whole STAT_COUNT
#define STAT_proxy_header_partial STAT_COUNT
#define X(name, help) [PROXY_PROTOCOL_##name] = STAT_proxy_header_##name,
        PROXY_PROTOCOL_LIST(X)
#undef X
#undef STAT_proxy_header_whole
#undef STAT_proxy_header_partial
    };
    ASSERT(fault > PROXY_PROTOCOL_partial && (unsigned)fault < array_len(counters));
    return counters[fault];
}

static_assert(PROXY_PROTOCOL_BYTES_MAX <= sizeof(((struct http_head_buf *)NULL)->bytes),
              "a header fits in a head's buffer");

/* What came before; NULL: no buffer is left. */
static struct http_head_buf *get_part(struct proxy_conn *c)
{
    const struct http_env *env = &c->proxy->env;
    if (c->part == NULL) {
        c->part = env->head_get(env->owner);
        if (c->part != NULL)
            c->part->len = 0;
    }
    return c->part;
}

/* There are bytes: takes those that are the header's and no other. True: look again. */
static bool take_bytes(struct proxy_conn *c)
{
    struct http_head_buf *part = get_part(c);
    if (part == NULL) {
        refuse(c, STAT_proxy_header_no_buffer);
        return false;
    }
    struct slice piece;
    unsigned n = stream_peek(c->unheaded, &piece, 1);
    ASSERT(n == 1 && part->len < PROXY_PROTOCOL_BYTES_MAX);
    uint32_t take = (uint32_t)min64(piece.len, PROXY_PROTOCOL_BYTES_MAX - part->len);
    memcpy(part->bytes + part->len, piece.ptr, take);
    struct proxy_protocol_header header;
    enum proxy_protocol r = proxy_protocol_read(part->bytes, part->len + take, &header);
    if (r == PROXY_PROTOCOL_partial) {
        stream_consume(c->unheaded, take);
        part->len += take;
        return true;
    }
    if (r == PROXY_PROTOCOL_whole) {
        stream_consume(c->unheaded, header.bytes - part->len);
        begin(c, &header);
    } else {
        refuse(c, counter_of(r));
    }
    return false;
}

static void on_bytes(struct proxy_conn *c)
{
    while (stream_readable(c->unheaded) > 0) {
        if (!take_bytes(c))
            return;
    }
    if (!stream_is_eof(c->unheaded))
        return;
    if (c->part == NULL)
        proxy_conn_let_go(c, STAT_proxy_conn_end_client);
    else
        refuse(c, STAT_proxy_header_cut);
}

static void on_stream(struct stream *s, unsigned events)
{
    struct proxy_conn *c = s->owner;
    ASSERT(c->unheaded == s);
    if ((events & STREAM_CLOSED) != 0)
        proxy_conn_let_go(c, STAT_proxy_conn_end_lost_idle);
    else if ((events & STREAM_READABLE) != 0)
        on_bytes(c);
}

void conn_header_await(struct proxy_conn *c, struct stream *s)
{
    proxy_conn_await(c, s, on_stream);
}

bool conn_header_is_trusted(const struct image_view *v, const struct image_bind *bind,
                            const struct ip_addr *remote)
{
    for (uint32_t i = 0; i < bind->n_trusted; i++) {
        if (image_prefix_has(&v->trusted[bind->first_trusted + i], remote))
            return true;
    }
    return bind->n_trusted == 0;
}

struct slice conn_header_write(const struct proxy_conn *c, enum image_proxy_header header,
                               uint8_t buf[PROXY_PROTOCOL_LINE_BYTES_MAX])
{
    struct proxy_protocol_ends ends = {.source = c->addrs.remote,
                                       .destination = c->asked,
                                       .source_port = c->addrs.remote_port,
                                       .destination_port = c->asked_port};
    if (header == IMAGE_PROXY_HEADER_NONE)
        return slice_of(buf, 0);
    if (header == IMAGE_PROXY_HEADER_V1)
        return slice_of(buf, proxy_protocol_write_v1(&ends, buf));
    ASSERT(header == IMAGE_PROXY_HEADER_V2);
    return slice_of(buf, proxy_protocol_write_v2(&ends, buf));
}

struct slice conn_header_preface(const struct proxy_conn *c, const struct upstream_conn *to,
                                 enum image_proxy_header header,
                                 uint8_t buf[PROXY_PROTOCOL_LINE_BYTES_MAX])
{
    bool is_told = upstream_conn_is_reused(to) || upstream_conn_is_secured(to);
    return conn_header_write(c, is_told ? IMAGE_PROXY_HEADER_NONE : header, buf);
}
