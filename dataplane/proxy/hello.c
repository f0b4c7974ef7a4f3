/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to addresses where TLS is terminated for some server names and passed on for others:
 * whose they are is known when the client has said whom it wants, and until then nobody may answer
 * or take a byte. A name that is to be passed on leads to l4.c. Everything else goes to the library
 * with all its bytes: names of HTTPS listeners, names of nobody, which get the alert
 * unrecognized_name (RFC 6066, section 3), and what is no right hello, which gets one of its own.
 * Where all TLS is passed on there is nobody who could say an alert: it is a reset.
 */
#include "base/assert.h"
#include "proxy/l4.h"

static void refuse(struct proxy_conn *c, enum stat_id why)
{
    stat_inc(c->proxy->core, why);
    proxy_conn_abort(c, STAT_proxy_conn_end_hello);
}

void hello_timeout(struct proxy_conn *c)
{
    refuse(c, STAT_proxy_hello_late);
}

static enum stat_id counter_of(enum client_hello r)
{
    static const enum stat_id counters[] = {
#define STAT_proxy_hello_partial STAT_COUNT
#define X(name, help) [CLIENT_HELLO_##name] = STAT_proxy_hello_##name,
        CLIENT_HELLO_LIST(X)
#undef X
#undef STAT_proxy_hello_partial
    };
    ASSERT(r != CLIENT_HELLO_partial && (unsigned)r < array_len(counters));
    return counters[r];
}

/* Where the connection came to; NULL: nobody listens there any more. */
static const struct image_bind *bind_of(const struct proxy_conn *c)
{
    const struct image_view *v = c->proxy->image.view;
    uint32_t bind;
    return v != NULL && proxy_conn_find_bind(c, v, &bind) ? &v->binds[bind] : NULL;
}

/* Is the name one whose connections are passed on? Then *ret says where to. */
static bool is_passed_on(const struct proxy_conn *c, const char *name, struct route_result *ret)
{
    const struct image_view *v = c->proxy->image.view;
    const struct image_bind *bind = bind_of(c);
    if (bind == NULL)
        return false;
    route_match_flow(v, c->proxy->image.reader, (uint32_t)(bind - v->binds), name, ret);
    if (ret->outcome != ROUTE_OUTCOME_RULE)
        return false;
    uint8_t protocol = v->listeners[ret->listener].protocol;
    return protocol == IMAGE_PROTOCOL_TLS || protocol == IMAGE_PROTOCOL_TLS_TERMINATED;
}

static bool is_all_passed_on(const struct proxy_conn *c)
{
    const struct image_bind *bind = bind_of(c);
    return bind != NULL && bind->kind == IMAGE_BIND_TLS && !bind->ends_tls;
}

/* What it is, is known. */
static void go_on(struct proxy_conn *c, enum client_hello r, const char *name)
{
    struct stream *s = c->unheaded;
    struct route_result to;
    stat_inc(c->proxy->core, counter_of(r));
    bool is_l4 = r == CLIENT_HELLO_whole && is_passed_on(c, name, &to);
    if (!is_l4 && is_all_passed_on(c)) {
        refuse(c, STAT_proxy_hello_nobody);
        return;
    }
    c->unheaded = NULL;
    c->is_hello = false;
    if (is_l4)
        l4_begin(c, s, &to, name);
    else
        proxy_conn_serve(c, s, true);
}

static void on_bytes(struct proxy_conn *c)
{
    struct slice pieces[CLIENT_HELLO_PIECES_MAX];
    struct client_hello_told told = {.server_name = ""};
    struct stream *s = c->unheaded;
    unsigned n = stream_peek(s, pieces, CLIENT_HELLO_PIECES_MAX);
    enum client_hello r = client_hello_read(&c->hello, pieces, n, &told);
    if (r == CLIENT_HELLO_partial && n == CLIENT_HELLO_PIECES_MAX)
        r = CLIENT_HELLO_long;
    if (r != CLIENT_HELLO_partial)
        go_on(c, r, told.server_name);
    else if (stream_is_ended(s)) /* what is unread is all that comes */
        refuse(c, STAT_proxy_hello_cut);
}

static void on_stream(struct stream *s, unsigned events)
{
    struct proxy_conn *c = s->owner;
    ASSERT(c->unheaded == s && c->is_hello);
    if (!proxy_conn_has_left(c, events) && (events & STREAM_READABLE) != 0)
        on_bytes(c);
}

void hello_await(struct proxy_conn *c, struct stream *s)
{
    c->is_hello = true;
    c->hello = (struct client_hello_progress){0};
    proxy_conn_await(c, s, on_stream);
}
