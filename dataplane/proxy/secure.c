/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client connections that speak TLS: whom a server name leads to, and whether a request may come on
 * a connection that was opened for another name.
 *
 * The name in the handshake (SNI) chooses the listener whose certificates are shown. The requests
 * that follow name their hosts themselves, and one certificate may hold the names of several
 * listeners, so browsers send requests for one host on a connection that they opened for another
 * (RFC 9113, section 9.1.1). Where that is another listener, the client was not asked for what that
 * one asks for, and what it was shown says nothing of it: 421 lets it come again on a connection of
 * its own (Gateway API, HTTPS listeners and misdirected requests). So it does when the listener has
 * asked for certificates since the connection was opened.
 */
#include "base/assert.h"
#include "proxy/l4.h"
#include "tls/tls_crypto.h"
#include "tls/tls_identity.h"

/* The listener at the connection's address for a server name; NULL: there is none. */
static const struct image_listener *listener_of(const struct proxy_conn *c, struct slice name)
{
    const struct image_view *v = c->proxy->image.view;
    uint32_t bind, listener;
    if (!proxy_conn_find_bind(c, v, &bind) || !route_listener_find(v, bind, name, &listener))
        return NULL;
    return &v->listeners[listener];
}

/* Of several those that have the name; if none has it, the first: a client that does not care gets
 * an answer, and one that does will say what it wanted. */
static void choose(const struct tls_identity *const *identities, uint32_t n, const char *name,
                   struct tls_choice *ret)
{
    ASSERT(n >= 1 && n <= TLS_IDENTITIES_MAX);
    for (uint32_t i = 0; n > 1 && i < n; i++) {
        if (tls_identity_has_name(identities[i], name))
            ret->identities[ret->n++] = identities[i];
    }
    if (ret->n == 0)
        ret->identities[ret->n++] = identities[0];
}

/* Whether the client has to say who it is, too. */
static void ask(const struct proxy_image *image, const struct image_listener *l,
                struct tls_choice *ret)
{
    static const enum tls_client_auth auths[IMAGE_CLIENT_AUTHS] = {
        [IMAGE_CLIENT_AUTH_NONE] = TLS_CLIENT_AUTH_NONE,
        [IMAGE_CLIENT_AUTH_FALLBACK] = TLS_CLIENT_AUTH_FALLBACK,
        [IMAGE_CLIENT_AUTH_REQUIRED] = TLS_CLIENT_AUTH_REQUIRED,
    };
    ASSERT(l->client_auth < IMAGE_CLIENT_AUTHS);
    ret->client_auth = auths[l->client_auth];
    ret->trust = l->bundle != IMAGE_NONE ? image->trusts[l->bundle] : NULL;
}

static void pick(void *arg, const char *server_name, struct tls_choice *ret)
{
    struct proxy_conn *c = arg;
    const struct image_listener *l = listener_of(c, slice_of_str(server_name));
    uint8_t protocol = c->l4 != NULL ? IMAGE_PROTOCOL_TLS_TERMINATED : IMAGE_PROTOCOL_HTTPS;
    if (l == NULL || l->protocol != protocol)
        return;
    choose(&c->proxy->image.identities[l->first_identity], l->n_identities, server_name, ret);
    ret->unix_s = c->proxy->unix_s;
    ask(&c->proxy->image, l, ret);
    c->is_verified = ret->client_auth == TLS_CLIENT_AUTH_REQUIRED;
}

static void on_handshake(void *arg, enum tls_handshake end)
{
    static const enum stat_id counters[] = {
#define X(name, help) [TLS_HANDSHAKE_##name] = STAT_proxy_tls_##name,
        TLS_HANDSHAKE_LIST(X)
#undef X
    };
    const struct proxy_conn *c = arg;
    ASSERT((unsigned)end < array_len(counters));
    stat_inc(c->proxy->core, counters[end]);
    if (c->l4 != NULL && (end == TLS_HANDSHAKE_full || end == TLS_HANDSHAKE_resumed))
        l4_on_secure(c->l4);
}

static void on_flood(void *arg)
{
    const struct proxy_conn *c = arg;
    stat_inc(c->proxy->core, STAT_proxy_tls_floods);
}

struct tls_context *secure_front_new(const char *alpn, const struct tls_tickets *tickets)
{
    static const struct tls_front_ops ops = {
        .pick = pick, .on_handshake = on_handshake, .on_flood = on_flood};
    static_assert((unsigned)IMAGE_IDENTITIES_PER_LISTENER_MAX <= TLS_IDENTITIES_MAX,
                  "a listener's identities are a choice");
    struct tls_context *front = NULL;
    enum tls_fault fault = tls_front_new(alpn, &ops, tickets, &front);
    ASSERT(fault == TLS_FAULT_OK);
    return front;
}

struct stream *secure_accept(struct proxy_conn *c, struct stream *s)
{
    struct tls_context *front = c->l4 != NULL ? c->proxy->l4_front : c->proxy->front;
    struct stream *top = tls_accept_by_name(front, s, &c->proxy->core->wheel, c);
    c->tls = top;
    if (top != NULL) {
        tls_use_crypto(top, c->proxy->core->crypto);
        stat_inc(c->proxy->core, STAT_proxy_tls_handshakes);
    }
    return top;
}

bool secure_is_misdirected(const struct exchange *e)
{
    const struct proxy_conn *c = e->client;
    uint32_t bind, listener;
    if (c->tls == NULL)
        return false;
    if (e->image.view->listeners[e->route.listener].protocol != IMAGE_PROTOCOL_HTTPS)
        return true; /* its connections are passed on: none of its requests is ours */
    if (e->image.view->listeners[e->route.listener].client_auth == IMAGE_CLIENT_AUTH_REQUIRED &&
        !c->is_verified)
        return true;
    struct slice asked = slice_of_str(tls_server_name(c->tls));
    if (slice_eq(asked, c->http.request->head.host))
        return false;
    return !proxy_conn_find_bind(c, e->image.view, &bind) ||
           !route_listener_find(e->image.view, bind, asked, &listener) ||
           listener != e->route.listener;
}
