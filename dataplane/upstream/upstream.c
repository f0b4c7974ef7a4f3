/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to backends: got, put back, aged, closed. The rules are in upstream.h. */
#include "upstream/upstream.h"

#include "base/assert.h"
#include "upstream/upstream_priv.h"

/* Endpoints that are looked at for one that there is a way to. Reason: when the ways to half of
 * them are gone at once, one request in 250 still finds none; the next moment's list lacks them. */
#define UPSTREAM_PICKS_MAX 8u

static void arm_idle_timer(struct upstream *u)
{
    struct list_node *first = list_peek_front(&u->ages);
    if (first == NULL) {
        wheel_disarm(&u->core->wheel, &u->idle_timer);
        return;
    }
    const struct upstream_conn *c = container_of(first, struct upstream_conn, age_link);
    wheel_arm(&u->core->wheel, &u->idle_timer, c->idle_until_us);
}

static void on_idle_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct upstream *u = container_of(timer, struct upstream, idle_timer);
    struct list_node *first;
    while ((first = list_peek_front(&u->ages)) != NULL) {
        struct upstream_conn *c = container_of(first, struct upstream_conn, age_link);
        if (c->idle_until_us > now_us)
            break;
        upstream_close_idle(u, c, STAT_upstream_closed_idle_timeout);
    }
    arm_idle_timer(u);
}

struct upstream *upstream_new(struct core *core, const struct endpoint_table *table,
                              const struct http_env *env, struct h2 *h2,
                              const struct upstream_config *config)
{
    ASSERT(config->conns_max > 0 && config->endpoints_max > 0);
    struct upstream *u = core_memory(core, sizeof(*u), "upstream");
    *u = (struct upstream){.core = core, .table = table, .env = env, .h2 = h2, .config = *config};
    core_pool(core, &u->conns, sizeof(struct upstream_conn), config->conns_max,
              "backend connections");
    core_pool(core, &u->sessions, sizeof(struct upstream_session), config->conns_max,
              "backend connections of HTTP/2");
    core_pool(core, &u->endpoints, sizeof(struct upstream_endpoint), config->endpoints_max,
              "endpoints");
    u->buckets = core_buckets(core, config->endpoints_max, "endpoint buckets", &u->buckets_mask);
    u->turns = core_memory(core, ENDPOINT_GROUPS_MAX * sizeof(*u->turns), "turns of endpoints");
    for (uint32_t i = 0, first = (uint32_t)rng_next(&core->rng); i < ENDPOINT_GROUPS_MAX; i++)
        u->turns[i] = first; /* each worker begins elsewhere */
    list_init(&u->ages);
    u->idle_timer.on_expire = on_idle_timer;
    enum tls_fault fault = tls_back_new(&u->tls);
    ASSERT(fault == TLS_FAULT_OK);
    return u;
}

void upstream_set_dialer(struct upstream *u, const struct upstream_dialer *dialer)
{
    ASSERT(dialer->open != NULL);
    u->dialer = *dialer;
}

struct http_client *upstream_conn_http(struct upstream_conn *c)
{
    return &c->http;
}

const struct upstream_conn_id *upstream_conn_id(const struct upstream_conn *c)
{
    return &c->endpoint->id;
}

bool upstream_conn_is_reused(const struct upstream_conn *c)
{
    return c->is_reused;
}

/* Off the idle lists. */
static void leave_idle(struct upstream *u, struct upstream_conn *c)
{
    ASSERT(u->idle > 0 && c->endpoint->idle > 0);
    list_remove(&c->idle_link);
    list_remove(&c->age_link);
    if (c->keep != NULL) {
        ASSERT(c->keep->conn == c);
        c->keep->conn = NULL;
    }
    c->endpoint->idle--;
    u->idle--;
    u->core->stats->counters[STAT_upstream_idle_now]--;
}

/* The memory of a connection whose stream is gone, and which is on no list. */
static void free_conn(struct upstream *u, struct upstream_conn *c)
{
    ASSERT(c->http.stream == NULL && !list_is_linked(&c->idle_link));
    struct upstream_endpoint *e = c->endpoint;
    pool_put(&u->conns, c);
    upstream_endpoint_check_end(u, e);
}

void upstream_close_idle(struct upstream *u, struct upstream_conn *c, enum stat_id why)
{
    stat_inc(u->core, why);
    leave_idle(u, c);
    http_client_close(&c->http);
    free_conn(u, c);
}

static void idle_on_writable(struct http_client *h)
{
    ASSERT_HOT(h->phase == HTTP_CLIENT_READY);
}

static void idle_on_answer(struct http_client *h)
{
    ASSERT(h->phase == HTTP_CLIENT_ASKING); /* and so never of an idle connection */
    ASSERT(!"an idle connection has no answer");
}

static void idle_on_end(struct http_client *h, enum http_client_end end)
{
    struct upstream_conn *c = container_of(h, struct upstream_conn, http);
    struct upstream *u = c->upstream;
    stat_inc(u->core, end == HTTP_CLIENT_END_IDLE_BYTES ? STAT_upstream_closed_idle_bytes
                                                        : STAT_upstream_closed_by_backend);
    leave_idle(u, c);
    free_conn(u, c);
    arm_idle_timer(u);
}

const struct http_client_ops upstream_idle_ops = {.on_writable = idle_on_writable,
                                                  .on_response = idle_on_answer,
                                                  .on_body = idle_on_answer,
                                                  .on_end = idle_on_end};

static void become_busy(struct upstream *u, struct upstream_conn *c,
                        const struct http_client_ops *ops, void *owner)
{
    c->endpoint->busy++;
    c->http.ops = ops;
    c->http.owner = owner;
    u->core->stats->counters[STAT_upstream_busy_now]++;
}

static void leave_busy(struct upstream *u, struct upstream_conn *c)
{
    ASSERT(c->endpoint->busy > 0);
    c->endpoint->busy--;
    u->core->stats->counters[STAT_upstream_busy_now]--;
}

/* The client's own idle connection, if it is as asked for and leads to `e`. */
static struct upstream_conn *find_kept(const struct upstream_endpoint *e,
                                       const struct upstream_ask *ask)
{
    struct upstream_conn *c = ask->keep != NULL ? ask->keep->conn : NULL;
    bool is_it = c != NULL && c->endpoint == e && c->congestion == ask->congestion &&
                 c->header == ask->header && upstream_is_asked(&c->tls, ask);
    return is_it ? c : NULL;
}

/* The connection to `e` of that kind that was used last; NULL: none is idle, or it has to be a
 * fresh one. */
static struct upstream_conn *find_idle(const struct upstream_endpoint *e,
                                       const struct upstream_ask *ask)
{
    if (ask->is_fresh)
        return NULL;
    if (ask->header != IMAGE_PROXY_HEADER_NONE)
        return find_kept(e, ask);
    LIST_EACH (it, &e->idle_conns[ask->congestion]) {
        struct upstream_conn *c = container_of(it, struct upstream_conn, idle_link);
        if (upstream_is_asked(&c->tls, ask)) /* mostly the first: one policy a port */
            return c;
    }
    return NULL;
}

static struct upstream_conn *take_idle(struct upstream *u, struct upstream_endpoint *e,
                                       const struct upstream_ask *ask)
{
    struct upstream_conn *c = find_idle(e, ask);
    if (c == NULL)
        return NULL;
    ASSERT(c->http.phase == HTTP_CLIENT_READY && c->congestion == ask->congestion);
    ASSERT(c->header == ask->header && upstream_is_asked(&c->tls, ask));
    leave_idle(u, c);
    c->is_reused = true;
    stat_inc(u->core, STAT_upstream_reused);
    return c;
}

bool upstream_dial(struct upstream *u, const struct upstream_endpoint *e,
                   const struct upstream_ask *ask, struct stream **ret_stream)
{
    ASSERT(u->dialer.open != NULL);
    struct tcp_open_args args = {.remote = e->id.addr,
                                 .remote_port = e->id.port,
                                 .connect_timeout_ms = u->config.connect_timeout_ms,
                                 .congestion = ask->congestion};
    struct stream *stream;
    if (u->dialer.open(u->dialer.owner, &args, &stream) != TCP_OPEN_OK ||
        (ask->tls != NULL && !upstream_secure(u, ask, &stream)))
        return false;
    *ret_stream = stream;
    return true;
}

static enum upstream_result open_conn(struct upstream *u, struct upstream_endpoint *e,
                                      const struct upstream_ask *ask,
                                      struct upstream_conn **ret_conn)
{
    struct upstream_conn *c = pool_get(&u->conns);
    struct stream *stream;
    if (c == NULL)
        return UPSTREAM_NO_CONN;
    if (!upstream_dial(u, e, ask, &stream)) {
        pool_put(&u->conns, c);
        return UPSTREAM_OPEN_FAILED;
    }
    bool has_header = ask->header != IMAGE_PROXY_HEADER_NONE;
    *c = (struct upstream_conn){.upstream = u,
                                .endpoint = e,
                                .keep = has_header ? ask->keep : NULL,
                                .congestion = ask->congestion,
                                .header = ask->header,
                                .tls = upstream_tls_of(ask)};
    http_client_init(&c->http, stream, u->env, &upstream_idle_ops, u);
    stat_inc(u->core, STAT_upstream_opened);
    *ret_conn = c;
    return UPSTREAM_OK;
}

enum upstream_result upstream_count_failure(struct upstream *u, enum upstream_result r)
{
    static const enum stat_id counters[] = {
        [UPSTREAM_NO_ENDPOINT] = STAT_upstream_no_endpoint,
        [UPSTREAM_LIMIT] = STAT_upstream_limit,
        [UPSTREAM_NO_CONN] = STAT_upstream_no_conn,
        [UPSTREAM_OPEN_FAILED] = STAT_upstream_open_failed,
    };
    ASSERT(r != UPSTREAM_OK && (unsigned)r < array_len(counters));
    stat_inc(u->core, counters[r]);
    return r;
}

void upstream_close_oldest_idle(struct upstream *u)
{
    struct list_node *first = list_peek_front(&u->ages);
    if (first == NULL)
        return;
    upstream_close_idle(u, container_of(first, struct upstream_conn, age_link),
                        STAT_upstream_closed_idle_limit);
}

/* A new connection to `id` will be needed, and a pool is empty: an idle one to elsewhere goes. */
static void make_room(struct upstream *u, const struct upstream_ask *ask,
                      const struct upstream_conn_id *id)
{
    bool is_full = u->conns.used == u->conns.capacity || u->endpoints.used == u->endpoints.capacity;
    if (!is_full || u->idle == 0)
        return;
    const struct upstream_endpoint *e = upstream_endpoint_find(u, id);
    if (e == NULL || find_idle(e, ask) == NULL)
        upstream_close_oldest_idle(u);
}

/* Chooses an endpoint that there is a way to: routes to pods come and go with their nodes. */
static enum upstream_result pick_with_way(struct upstream *u, const struct upstream_ask *ask,
                                          struct upstream_conn_id *ret)
{
    struct upstream_ask another = *ask;
    struct upstream_conn_id without;
    for (unsigned i = 0; i < UPSTREAM_PICKS_MAX; i++) {
        enum upstream_result r = upstream_pick(u, &another, ret);
        if (r != UPSTREAM_OK || u->dialer.has_way == NULL ||
            u->dialer.has_way(u->dialer.owner, &ret->addr))
            return r;
        without = *ret;
        another.avoid = &without;
        another.wanted = NULL;
    }
    return UPSTREAM_OPEN_FAILED;
}

enum upstream_result upstream_get(struct upstream *u, const struct upstream_ask *ask,
                                  const struct http_client_ops *ops, void *owner,
                                  struct upstream_conn **ret_conn)
{
    struct upstream_conn_id id;
    ASSERT((unsigned)ask->congestion < UPSTREAM_CONGESTIONS);
    stat_inc(u->core, STAT_upstream_asked);
    enum upstream_result r = pick_with_way(u, ask, &id);
    if (r != UPSTREAM_OK)
        return upstream_count_failure(u, r);
    make_room(u, ask, &id);
    struct upstream_endpoint *e = upstream_endpoint_get(u, &id);
    if (e == NULL)
        return upstream_count_failure(u, UPSTREAM_NO_CONN);
    e->group = ask->group;
    bool is_h2 = ask->protocol == IMAGE_BACKEND_HTTP2;
    struct upstream_conn *c = is_h2 ? NULL : take_idle(u, e, ask);
    if (is_h2)
        r = upstream_h2_get(u, e, ask, &c);
    else if (c == NULL)
        r = open_conn(u, e, ask, &c);
    if (r != UPSTREAM_OK) {
        upstream_endpoint_check_end(u, e);
        return upstream_count_failure(u, r);
    }
    ASSERT(upstream_is_asked(&c->tls, ask)); /* whoever it was opened for */
    become_busy(u, c, ops, owner);
    *ret_conn = c;
    return UPSTREAM_OK;
}

void upstream_put(struct upstream *u, struct upstream_conn *c)
{
    if (c->keep != NULL && c->keep->conn != NULL) /* while `c` still holds its endpoint */
        upstream_close_idle(u, c->keep->conn, STAT_upstream_closed_idle_limit);
    leave_busy(u, c);
    bool is_somebodys = c->header != IMAGE_PROXY_HEADER_NONE;
    bool is_reusable = http_client_finish(&c->http) && (!is_somebodys || c->keep != NULL);
    bool is_room = c->endpoint->idle < u->config.idle_per_endpoint_max && u->config.idle_max > 0;
    if (!is_reusable || !is_room) {
        if (c->session == NULL) /* of a stream the connection lives on */
            stat_inc(u->core,
                     is_reusable ? STAT_upstream_closed_idle_limit : STAT_upstream_closed_done);
        http_client_close(&c->http);
        free_conn(u, c);
        return;
    }
    if (is_somebodys)
        c->keep->conn = c;
    c->http.ops = &upstream_idle_ops;
    c->http.owner = u;
    c->idle_until_us = u->core->now_us + (uint64_t)u->config.idle_timeout_ms * 1000;
    unsigned list = is_somebodys ? UPSTREAM_IDLE_KEPT : (unsigned)c->congestion;
    list_push_front(&c->endpoint->idle_conns[list], &c->idle_link);
    list_push_back(&u->ages, &c->age_link);
    c->endpoint->idle++;
    u->idle++;
    u->core->stats->counters[STAT_upstream_idle_now]++;
    if (u->idle > u->config.idle_max)
        upstream_close_oldest_idle(u);
    if (!wheel_timer_is_armed(&u->idle_timer))
        arm_idle_timer(u);
}

void upstream_keep_drop(struct upstream *u, struct upstream_keep *keep)
{
    if (keep->conn == NULL)
        return;
    upstream_close_idle(u, keep->conn, STAT_upstream_closed_client_gone);
    ASSERT(keep->conn == NULL);
    arm_idle_timer(u);
}

void upstream_abort(struct upstream *u, struct upstream_conn *c)
{
    if (c->session == NULL)
        stat_inc(u->core, STAT_upstream_aborted);
    http_client_abort(&c->http);
    leave_busy(u, c);
    free_conn(u, c);
}

/* A backend may end what has rested, and a request may be on its way at that moment: that is no
 * break. What a reset means nobody knows. */
static bool is_stale(const struct upstream_conn *c)
{
    bool is_reset = c->http.end != STREAM_END_OPEN && c->http.end != STREAM_END_ORDERLY;
    return c->is_reused && !c->http.is_response_begun && !is_reset;
}

void upstream_drop(struct upstream *u, struct upstream_conn *c)
{
    ASSERT(c->http.stream == NULL);
    if (c->session == NULL)
        stat_inc(u->core, is_stale(c) ? STAT_upstream_closed_stale : STAT_upstream_broken);
    leave_busy(u, c);
    free_conn(u, c);
}

void upstream_done(struct upstream *u)
{
    struct list_node *first;
    while ((first = list_peek_front(&u->ages)) != NULL) {
        struct upstream_conn *c = container_of(first, struct upstream_conn, age_link);
        leave_idle(u, c);
        http_client_abort(&c->http);
        free_conn(u, c);
    }
    for (uint32_t i = 0; i <= u->buckets_mask; i++) {
        LIST_EACH_SAFE (it, next, &u->buckets[i])
            upstream_h2_purge(container_of(it, struct upstream_endpoint, link));
    }
    wheel_disarm(&u->core->wheel, &u->idle_timer);
    tls_context_free(u->tls);
    ASSERT(u->conns.used == 0 && u->endpoints.used == 0); /* whoever has busy ones let go before */
}

uint32_t upstream_busy_count(const struct upstream *u)
{
    return u->conns.used - u->idle;
}

uint32_t upstream_idle_count(const struct upstream *u)
{
    return u->idle;
}

size_t upstream_used_bytes(const struct upstream *u)
{
    return pool_used_bytes(&u->conns) + pool_used_bytes(&u->sessions) +
           pool_used_bytes(&u->endpoints);
}

void check_upstream(const struct upstream *u)
{
    uint32_t idle = 0;
    LIST_EACH (it, &u->ages) {
        const struct upstream_conn *c = container_of(it, struct upstream_conn, age_link);
        ASSERT(c->http.phase == HTTP_CLIENT_READY && c->http.response == NULL);
        ASSERT(list_is_linked(&c->idle_link));
        idle++;
    }
    ASSERT(idle == u->idle && idle <= u->conns.used && idle <= u->config.idle_max);
    ASSERT(idle == 0 || wheel_timer_is_armed(&u->idle_timer));
}
