/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mirrored requests (HTTPRequestMirrorFilter): a rule's requests, or a share of them, go to further
 * backends too, whose answers nobody sees. The copy is what the backend gets: head after filters,
 * then the body, copied as it moves.
 *
 * A mirror must never cost the request anything but the copying: it is not waited for, not tried
 * again, and one that does not take the body as fast as the backend does is given up. So that it
 * need not be waited for its head is written before its connection is established.
 *
 * Life of a mirror: begun with its exchange -> (request whole) on its own -> answer read and thrown
 * away -> connection back to the pool. Each ends in exactly one proxy_mirror_end_* counter.
 */
#include "base/assert.h"
#include "base/container.h"
#include "proxy/proxy_priv.h"
#include "route/filter.h"

/* One copy of a request. */
struct mirror {
    struct proxy *proxy;
    struct exchange *exchange; /* NULL: it has all of the request */
    struct upstream_conn *backend;
    struct list_node link;        /* in the proxy's mirrors */
    struct list_node of_exchange; /* in the exchange's, while it has one */
    struct wheel_timer timer;
};

/* Its connection is gone or back. */
static void free_mirror(struct mirror *m, enum stat_id why)
{
    struct proxy *p = m->proxy;
    if (m->exchange != NULL)
        list_remove(&m->of_exchange);
    list_remove(&m->link);
    wheel_disarm(&p->core->wheel, &m->timer);
    stat_inc(p->core, why);
    p->core->stats->counters[STAT_proxy_mirrors_now]--;
    pool_put(&p->mirrors, m);
}

static void give_up(struct mirror *m, enum stat_id why)
{
    upstream_abort(m->proxy->upstream, m->backend);
    free_mirror(m, why);
}

static void on_writable(struct http_client *h)
{
    ASSERT_HOT(h->owner != NULL); /* what there is was written already */
}

static void on_response(struct http_client *h)
{
    ASSERT_HOT(h->response != NULL); /* nobody sees it */
}

/* Throws the answer away; with its end the connection is free. */
static void on_body(struct http_client *h)
{
    struct mirror *m = h->owner;
    size_t n;
    while ((n = http_client_body_ready(h)) > 0)
        http_client_body_consume(h, n);
    if (http_client_body_fault(h) != HTTP_FAULT_none) {
        give_up(m, STAT_proxy_mirror_end_broken);
    } else if (http_client_body_is_done(h) && m->exchange != NULL) {
        give_up(m, STAT_proxy_mirror_end_early);
    } else if (http_client_body_is_done(h)) {
        upstream_put(m->proxy->upstream, m->backend);
        free_mirror(m, STAT_proxy_mirror_end_complete);
    }
}

static void on_end(struct http_client *h, enum http_client_end end)
{
    struct mirror *m = h->owner;
    upstream_drop(m->proxy->upstream, m->backend);
    free_mirror(m, STAT_proxy_mirror_end_broken);
}

static const struct http_client_ops mirror_ops = {
    .on_writable = on_writable, .on_response = on_response, .on_body = on_body, .on_end = on_end};

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    give_up(container_of(timer, struct mirror, timer), STAT_proxy_mirror_end_timeout);
}

/* Begins one copy, if its backend can be asked at all. */
static void begin(struct exchange *e, const struct image_mirror *to, const struct http_request *r)
{
    struct proxy *p = e->proxy;
    struct mirror *m = pool_get(&p->mirrors);
    if (m == NULL) {
        stat_inc(p->core, STAT_proxy_mirrors_refused);
        return;
    }
    *m = (struct mirror){.proxy = p, .exchange = e, .timer = {.on_expire = on_timer}};
    struct upstream_ask ask = {.group = to->group,
                               .congestion = proxy_congestion(to->congestion),
                               .header = (enum image_proxy_header)to->proxy_header,
                               .protocol = (enum image_backend_protocol)to->protocol,
                               .balancing = to->balancing.way,
                               .hash = exchange_hash(e, &to->balancing),
                               .health = proxy_health(e->image.view, to->health)};
    struct secure_backend secure;
    secure_backend_of(e, to->tls, &ask, &secure);
    if (upstream_get(p->upstream, &ask, &mirror_ops, m, &m->backend) != UPSTREAM_OK) {
        stat_inc(p->core, STAT_proxy_mirrors_refused);
        pool_put(&p->mirrors, m);
        return;
    }
    stat_inc(p->core, STAT_proxy_mirrors);
    p->core->stats->counters[STAT_proxy_mirrors_now]++;
    list_push_back(&p->all_mirrors, &m->link);
    list_push_back(&e->mirrors, &m->of_exchange);
    wheel_arm(&p->core->wheel, &m->timer, p->core->now_us + (uint64_t)p->config.response_ms * 1000);
    uint8_t header[PROXY_PROTOCOL_LINE_BYTES_MAX];
    struct http_request copy = *r;
    copy.preface = conn_header_preface(e->client, m->backend, ask.header, header);
    if (!http_client_send_head(upstream_conn_http(m->backend), &copy))
        give_up(m, STAT_proxy_mirror_end_slow);
}

void mirrors_begin(struct exchange *e, const struct http_request *r)
{
    const struct image_view *v = e->image.view;
    const struct image_filter *filter =
        route_filter_find(v, &v->rules[e->route.rule], IMAGE_FILTER_MIRROR);
    for (uint32_t i = 0; filter != NULL && i < filter->count; i++) {
        const struct image_mirror *to = &v->mirrors[filter->first + i];
        uint32_t chance = even_next(&e->proxy->mirror_shares[(filter->first + i) % PROXY_SHARES]);
        if (route_mirror_takes(to, chance))
            begin(e, to, r);
    }
}

void mirrors_write(struct exchange *e, struct slice bytes)
{
    LIST_EACH_SAFE (it, next, &e->mirrors) {
        struct mirror *m = container_of(it, struct mirror, of_exchange);
        if (http_client_write(upstream_conn_http(m->backend), bytes) < bytes.len)
            give_up(m, STAT_proxy_mirror_end_slow);
    }
}

void mirrors_end_request(struct exchange *e)
{
    struct list_node *it;
    while ((it = list_take_front(&e->mirrors)) != NULL) {
        struct mirror *m = container_of(it, struct mirror, of_exchange);
        m->exchange = NULL;
        http_client_end_request(upstream_conn_http(m->backend));
    }
}

void mirrors_cut(struct exchange *e)
{
    struct list_node *it;
    while ((it = list_peek_front(&e->mirrors)) != NULL)
        give_up(container_of(it, struct mirror, of_exchange), STAT_proxy_mirror_end_cut);
}

void mirrors_init(struct proxy *p, uint32_t n)
{
    struct core *core = p->core;
    core_pool(core, &p->mirrors, sizeof(struct mirror), n, "mirrors");
    list_init(&p->all_mirrors);
    for (unsigned i = 0; i < PROXY_SHARES; i++)
        p->mirror_shares[i].state = rng_next(&core->rng);
}

void mirrors_done(struct proxy *p)
{
    struct list_node *it;
    while ((it = list_peek_front(&p->all_mirrors)) != NULL)
        give_up(container_of(it, struct mirror, link), STAT_proxy_mirror_end_cut);
    ASSERT(p->mirrors.used == 0);
}
