/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCPRoute and TLSRoute: a client's connection is passed on to one endpoint, and bytes go both ways
 * as they come, under back-pressure and between two streams of TCP without a copy, until both sides
 * have ended. We read none of them; where TLS is terminated here, what was in it is passed on.
 *
 * As in a tunnel (tunnel.c) the end of one direction is passed on and the other goes on, a reset of
 * one side resets the other, and once the endpoint is connected the session holds no image: what
 * changes afterwards does not concern it. If an endpoint cannot be connected to, another is tried,
 * once: the client's bytes are unread until then, so nothing is sent twice. There is no answer of
 * ours that a client would understand, so whatever cannot be carried out is a reset.
 */
#include "proxy/l4.h"

#include "base/assert.h"
#include "core/route_stats.h"
#include "route/filter.h"

#include <stdio.h>

static bool is_half(const struct l4 *l)
{
    return l->is_up_ended || l->is_down_ended;
}

static uint64_t deadline(const struct l4 *l)
{
    const struct proxy_config *config = &l->proxy->config;
    uint32_t idle_ms = l->idle_ms != 0 ? l->idle_ms : config->tunnel_ms;
    return l->progress_us + (uint64_t)(is_half(l) ? config->body_ms : idle_ms) * 1000;
}

static void arm(struct l4 *l, uint64_t until_us)
{
    wheel_disarm(&l->proxy->core->wheel, &l->timer);
    wheel_arm(&l->proxy->core->wheel, &l->timer, until_us);
}

static void note_progress(struct l4 *l)
{
    l->progress_us = l->proxy->core->now_us;
}

static void let_image_go(struct l4 *l)
{
    if (l->image.view == NULL)
        return;
    l->image.unpin(l->image.owner);
    l->image.view = NULL;
    l->target = NULL;
}

/* Gives one of its streams back. */
static void let_go(struct stream **s, bool is_orderly)
{
    if (*s == NULL)
        return;
    if (!is_orderly)
        stream_abort(*s);
    stream_release(*s);
    *s = NULL;
}

/* Ends it, and its client. */
static void end(struct l4 *l, enum stat_id why, bool is_orderly)
{
    struct proxy *p = l->proxy;
    struct proxy_conn *c = l->client;
    ASSERT(c->l4 == l);
    let_go(&l->front, is_orderly);
    let_go(&l->back, is_orderly);
    upstream_raw_close(p->upstream, &l->upstream);
    let_image_go(l);
    wheel_disarm(&p->core->wheel, &l->timer);
    if (obs_watches(&p->core->obs, OBSERVE_REQUESTS))
        access_tell_l4(l, why);
    c->l4 = NULL;
    stat_inc(p->core, why);
    route_stats_end(p->core, l->route, route_stats_end_of(why));
    p->core->stats->counters[STAT_proxy_l4_now]--;
    pool_put(&p->l4s, l);
    stat_inc(p->core, STAT_proxy_conn_end_l4);
    proxy_conn_free(c);
}

void l4_cut(struct l4 *l, enum stat_id why)
{
    end(l, why, false);
}

/* From one side to the other, and the end after all that came before it. Returns bytes moved. */
static size_t move(struct stream *to, struct stream *from, bool *is_ended)
{
    if (*is_ended)
        return 0;
    size_t n = stream_move(to, from, SIZE_MAX);
    if (stream_is_eof(from)) {
        stream_shutdown(to);
        *is_ended = true;
    }
    return n;
}

/* Moves what there is, both ways. False: both have ended, and the session is over. */
static bool pump(struct l4 *l)
{
    ASSERT(l->is_open && l->image.view == NULL);
    bool was_half = is_half(l);
    size_t up = move(l->back, l->front, &l->is_up_ended);
    size_t down = move(l->front, l->back, &l->is_down_ended);
    stat_add(l->proxy->core, STAT_proxy_l4_bytes_up, up);
    stat_add(l->proxy->core, STAT_proxy_l4_bytes_down, down);
    l->up_bytes += up;
    l->down_bytes += down;
    if (up + down > 0) {
        route_stats_moved(l->proxy->core, l->route,
                          &(struct route_moved){.up_bytes = up, .down_bytes = down});
        note_progress(l);
    }
    if (l->is_up_ended && l->is_down_ended) {
        end(l, STAT_proxy_l4_end_complete, true);
        return false;
    }
    if (is_half(l) && !was_half)
        arm(l, deadline(l));
    return true;
}

/* Why a client's stream is over before both sides have ended. */
static void on_front_closed(struct l4 *l)
{
    if (!l->is_secure)
        end(l, STAT_proxy_l4_end_handshake, false);
    else
        end(l, STAT_proxy_l4_end_client, false);
}

static void on_front(struct stream *s, unsigned events)
{
    struct l4 *l = s->owner;
    ASSERT(l->front == s);
    if (l->is_open && !pump(l))
        return;
    if ((events & STREAM_CLOSED) != 0)
        on_front_closed(l);
}

/* For the health policy of its group: could the endpoint be connected to? */
static void note_health(struct l4 *l, bool is_ok)
{
    ASSERT(l->target != NULL);
    if (l->target->health == IMAGE_NONE)
        return;
    struct upstream_ask ask = {.group = l->target->group,
                               .health = proxy_health(l->image.view, l->target->health)};
    upstream_note(l->proxy->upstream, &ask, &l->asked, is_ok);
}

/* A connection that was just opened has room for a header. False: it has not. */
static bool send_preface(struct l4 *l)
{
    uint8_t buf[PROXY_PROTOCOL_LINE_BYTES_MAX];
    if (l->is_back_secure) /* then it went before the handshake */
        return true;
    struct slice preface =
        conn_header_write(l->client, (enum image_proxy_header)l->target->proxy_header, buf);
    return preface.len == 0 || stream_write(l->back, &preface, 1) == preface.len;
}

/* The endpoint is connected: from here on bytes move. */
static void on_open(struct l4 *l)
{
    ASSERT(!l->is_open && l->back != NULL);
    l->connect_us = l->proxy->core->now_us - l->asked_us;
    note_health(l, true);
    if (!send_preface(l)) {
        end(l, STAT_proxy_l4_end_upstream_full, false);
        return;
    }
    let_image_go(l);
    l->is_open = true;
    note_progress(l);
    arm(l, deadline(l));
    pump(l);
}

static void try(struct l4 *l);

/* It could not be connected to. */
static void on_refused(struct l4 *l)
{
    enum stream_end why = stream_end(l->back);
    note_health(l, false);
    let_go(&l->back, true);
    upstream_raw_close(l->proxy->upstream, &l->upstream);
    if (l->tries < PROXY_TRIES_MAX) {
        stat_inc(l->proxy->core, STAT_proxy_l4_retries);
        try(l);
    } else {
        bool is_late = why == STREAM_END_TIMEOUT;
        end(l, is_late ? STAT_proxy_l4_end_backend_timeout : STAT_proxy_l4_end_backend_refused,
            false);
    }
}

static void on_back(struct stream *s, unsigned events)
{
    struct l4 *l = s->owner;
    ASSERT(l->back == s);
    bool is_closed = (events & STREAM_CLOSED) != 0;
    if (l->is_open && !pump(l))
        return;
    if (is_closed && l->is_open)
        end(l, STAT_proxy_l4_end_backend, false);
    else if (is_closed)
        on_refused(l);
    else if (!l->is_open)
        on_open(l);
}

/* Asks for TLS to the backend where its policy wants that; what the client itself has encrypted is
 * for the backend as it is. */
static void ask_secure(struct l4 *l, struct upstream_ask *ask, struct secure_backend *ret)
{
    const struct image_listener *listener = &l->image.view->listeners[l->listener];
    if (listener->protocol != IMAGE_PROTOCOL_TLS)
        secure_backend(&(struct secure_backend_ask){.client = l->client,
                                                    .image = &l->image,
                                                    .listener = l->listener,
                                                    .tls = l->target->tls},
                       ask, ret);
    l->is_back_secure = ask->tls != NULL;
}

/* Opens a connection to an endpoint of the backend that was chosen. */
static void try(struct l4 *l)
{
    ASSERT(l->back == NULL && l->is_secure && l->target != NULL);
    struct upstream_ask ask = {.group = l->target->group,
                               .congestion = proxy_congestion(l->target->congestion),
                               .header = (enum image_proxy_header)l->target->proxy_header,
                               .balancing = l->target->balancing.way,
                               .hash = hash_of_client(l->client, &l->target->balancing),
                               .health = proxy_health(l->image.view, l->target->health),
                               .is_fresh = true,
                               .avoid = l->tries > 0 ? &l->asked : NULL};
    struct secure_backend secure;
    ask_secure(l, &ask, &secure);
    enum upstream_result r = upstream_raw_open(l->proxy->upstream, &ask, &l->upstream, &l->back);
    l->tries++;
    if (r != UPSTREAM_OK) {
        bool is_nobody = r == UPSTREAM_NO_ENDPOINT;
        end(l, is_nobody ? STAT_proxy_l4_end_no_endpoint : STAT_proxy_l4_end_upstream_full, false);
        return;
    }
    l->asked = *upstream_raw_id(&l->upstream);
    l->asked_us = l->proxy->core->now_us;
    l->back->on_event = on_back;
    l->back->owner = l;
    note_progress(l);
    arm(l, deadline(l));
}

void l4_on_secure(struct l4 *l)
{
    ASSERT(!l->is_secure && l->back == NULL);
    l->is_secure = true;
    arm(l, 0); /* we are within the client's stream, which must not be ended here */
}

/* The handshake is done, or nothing moved for too long. */
static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct l4 *l = container_of(timer, struct l4, timer);
    if (l->is_secure && l->back == NULL)
        try(l);
    else if (now_us < deadline(l))
        arm(l, deadline(l));
    else
        end(l, STAT_proxy_l4_end_idle, false);
}

/* Takes the stream, in TLS where that ends here. False: no memory. */
static bool take_front(struct l4 *l, struct stream *s, uint8_t protocol)
{
    l->front = s;
    l->is_secure = protocol != IMAGE_PROTOCOL_TLS_TERMINATED;
    struct stream *top = l->is_secure ? s : secure_accept(l->client, s);
    if (top == NULL)
        return false;
    l->front = top;
    top->on_event = on_front;
    top->owner = l;
    note_progress(l);
    arm(l, deadline(l));
    return true;
}

/* A backend by weight. False: the rule has none, or chose none that can be asked. */
static bool choose(struct l4 *l)
{
    const struct image_view *v = l->image.view;
    const struct image_backend *backend;
    uint32_t chance = even_next(&l->proxy->shares[l->rule % PROXY_SHARES]);
    const struct image_rule *rule = &v->rules[l->rule];
    if (rule->fault_status != 0 || !route_backend_pick(v, rule, chance, &backend) ||
        backend->group == IMAGE_NONE)
        return false;
    l->target = backend;
    l->idle_ms = backend->idle_ms;
    l->backend = (uint32_t)(backend - v->backends);
    return true;
}

/* A session of the client, which has none. NULL: there are too many. */
static struct l4 *get(struct proxy_conn *c, const struct route_result *to, const char *server_name)
{
    struct proxy *p = c->proxy;
    struct l4 *l = pool_get(&p->l4s);
    ASSERT(c->l4 == NULL && c->exchange == NULL && p->image.view != NULL);
    stat_inc(p->core, STAT_proxy_l4_begun);
    bool has_rule = to->outcome == ROUTE_OUTCOME_RULE;
    uint64_t route = has_rule ? route_stats_begin(p->core, p->image.view, to->rule) : 0;
    if (l == NULL) {
        route_stats_end(p->core, route, STATS_ROUTE_END_refused);
        return NULL;
    }
    *l = (struct l4){.proxy = p,
                     .client = c,
                     .timer = {.on_expire = on_timer},
                     .image = p->image,
                     .generation = p->image.view->header->generation,
                     .route = route,
                     .listener =
                         to->outcome == ROUTE_OUTCOME_NO_LISTENER ? ACCESS_NONE : to->listener,
                     .rule = has_rule ? to->rule : ACCESS_NONE,
                     .backend = ACCESS_NONE,
                     .begin_us = p->core->now_us,
                     .connect_us = ACCESS_NO_TIME};
    snprintf(l->server_name, sizeof(l->server_name), "%s", server_name);
    p->image.pin(p->image.owner);
    p->core->stats->counters[STAT_proxy_l4_now]++;
    wheel_disarm(&p->core->wheel, &c->timer);
    c->l4 = l;
    return l;
}

/* The client is in nobody's hands yet: back to where a reset is all that it needs. */
static void refuse(struct proxy_conn *c, struct stream *s, enum stat_id why)
{
    stat_inc(c->proxy->core, why);
    c->unheaded = s;
    proxy_conn_abort(c, STAT_proxy_conn_end_l4);
}

bool l4_begin(struct proxy_conn *c, struct stream *s, const struct route_result *to,
              const char *server_name)
{
    struct l4 *l = get(c, to, server_name);
    if (l == NULL) {
        refuse(c, s, STAT_proxy_l4_end_full);
        return false;
    }
    if (to->outcome != ROUTE_OUTCOME_RULE || !choose(l)) {
        bool is_fault = to->outcome == ROUTE_OUTCOME_RULE;
        l->front = s;
        end(l, is_fault ? STAT_proxy_l4_end_rule_fault : STAT_proxy_l4_end_no_route, false);
        return false;
    }
    if (!take_front(l, s, l->image.view->listeners[l->listener].protocol)) {
        end(l, STAT_proxy_l4_end_full, false);
        return false;
    }
    if (l->is_secure)
        try(l);
    return c->l4 != NULL;
}

bool l4_accept(struct proxy_conn *c, struct stream *s, uint32_t bind)
{
    struct route_result to;
    route_match_flow(c->proxy->image.view, c->proxy->image.reader, bind, "", &to);
    return l4_begin(c, s, &to, "");
}
