/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions (SessionPersistence, GEP-1619): requests that carry one go to the endpoint that the
 * first one went to, as long as that endpoint may get requests. Which it is, the client carries
 * (route/session.h): in a cookie, or in a header that it repeats. So no worker knows more than
 * another, and a restart forgets nothing.
 *
 *   comes with none         any endpoint by weight; the answer tells the client its session
 *   with one                its endpoint, whatever the weights say but 0; the answer says nothing
 *                           (in a header always: there is no jar that would keep it)
 *   its endpoint is gone,   as with none. The session begins anew there.
 *   or fails
 *   not ours, or over       refused: as with none
 *
 * What came is passed on to the backend as it is. Only an answer of a backend begins, keeps or
 * moves a session: each such answer is counted as one of the three.
 */
#include "base/assert.h"
#include "proxy/proxy_priv.h"

/* A look for the session of a request. */
struct look {
    struct exchange *e;
    struct route_session session;
    unsigned values;
};

/* One value more; true: it is the session. */
static bool take_value(struct look *k, struct slice value)
{
    struct proxy *p = k->e->proxy;
    if (k->values++ < PROXY_SESSION_VALUES_MAX &&
        route_session_read(k->e->persistence, value, p->unix_s, &k->session))
        return true;
    stat_inc(p->core, STAT_proxy_session_values_refused);
    return false;
}

static bool take_cookies(struct look *k, struct slice wanted, struct slice rest)
{
    struct slice name, value;
    while (route_cookie_next(&rest, &name, &value)) {
        if (slice_eq(name, wanted) && take_value(k, value))
            return true;
    }
    return false;
}

/* The first of the request's values that counts. */
static bool look_for(struct look *k)
{
    const struct http_head *head = &k->e->client->http.request->head;
    const struct image_persistence *p = k->e->persistence;
    bool is_cookie = p->kind == IMAGE_SESSION_COOKIE;
    struct slice wanted = image_text(k->e->image.view, p->name);
    struct slice field = is_cookie ? SLICE_LIT("cookie") : wanted;
    for (uint32_t i = 0; i < head->n_fields; i++) {
        struct slice value = head->fields[i].value;
        if (slice_eq_nocase(head->fields[i].name, field) &&
            (is_cookie ? take_cookies(k, wanted, value) : take_value(k, value)))
            return true;
    }
    return false;
}

static bool is_endpoint(const void *arg, const struct upstream_conn_id *id)
{
    const struct look *k = arg;
    return route_session_is_at(k->e->persistence, &k->session, &id->addr, id->port);
}

void exchange_session_begin(struct exchange *e, const struct image_rule *rule)
{
    const struct image_view *v = e->image.view;
    struct look k = {.e = e};
    ASSERT(e->target == NULL && !e->has_session);
    if (rule->persistence == IMAGE_NONE)
        return;
    e->persistence = &v->persistence[rule->persistence];
    e->has_session = look_for(&k);
    for (uint32_t i = 0; e->has_session && i < rule->n_backends; i++) {
        const struct image_backend *backend = &v->backends[rule->first_backend + i];
        struct upstream_ask ask = {.group = backend->group,
                                   .health = proxy_health(v, backend->health)};
        if (backend->weight == 0 || backend->group == IMAGE_NONE ||
            !upstream_find(e->proxy->upstream, &ask, is_endpoint, &k, &e->session_at))
            continue;
        e->target = backend;
        e->session_salt = k.session.salt;
        return;
    }
    e->is_session_moved = e->has_session;
}

const struct upstream_conn_id *exchange_session_endpoint(const struct exchange *e)
{
    return e->has_session && !e->is_session_moved ? &e->session_at : NULL;
}

/* Does the session's own endpoint answer? */
static bool is_kept(const struct exchange *e, const struct upstream_conn_id *by)
{
    const struct upstream_conn_id *at = exchange_session_endpoint(e);
    return at != NULL && at->port == by->port && ip_addr_eq(&at->addr, &by->addr);
}

static void count(const struct exchange *e, bool kept)
{
    enum stat_id begun = e->has_session ? STAT_proxy_sessions_moved : STAT_proxy_sessions_begun;
    stat_inc(e->proxy->core, kept ? STAT_proxy_sessions_kept : begun);
}

void exchange_session_fields(struct exchange *e, struct field_list *l, struct session_text *t)
{
    struct proxy *p = e->proxy;
    if (e->persistence == NULL)
        return;
    ASSERT(e->backend != NULL);
    const struct upstream_conn_id *by = upstream_conn_id(e->backend);
    bool is_cookie = e->persistence->kind == IMAGE_SESSION_COOKIE;
    bool kept = is_kept(e, by);
    count(e, kept);
    if (kept && is_cookie)
        return;
    uint64_t salt = kept ? e->session_salt : route_session_salt(p->unix_s, rng_next(&p->core->rng));
    route_session_write(e->persistence, salt, &by->addr, by->port, t->value);
    if (is_cookie) {
        size_t n = route_session_cookie(e->image.view, e->persistence, t->value,
                                        e->client->tls != NULL, t->cookie);
        field_list_add(l, SLICE_LIT("Set-Cookie"), slice_of(t->cookie, n));
        return;
    }
    struct slice name = image_text(e->image.view, e->persistence->name);
    field_list_drop(l, name);
    field_list_add(l, name, slice_of(t->value, sizeof(t->value)));
}
