/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy of a worker: made, configured, asked by tcp, kept up, ended. */
#include "proxy/proxy.h"

#include "base/assert.h"
#include "core/flow_table.h"
#include "proxy/l4.h"

enum { WALK_CONNS_PER_POLL = 64 };

/* Buckets of rate limits: some for each client connection, since clients come and go while theirs
 * are not full. */
static uint32_t limit_buckets(uint32_t conns_max)
{
    uint32_t n = 1024;
    while (n < PROXY_LIMIT_BUCKETS_MAX && n / 4 < conns_max)
        n *= 2;
    return n;
}

void proxy_config_default(struct proxy_config *config, uint32_t conns_max)
{
    ASSERT(conns_max > 0);
    *config = (struct proxy_config){
        .conns_max = conns_max,
        .exchanges_max = conns_max / 2 + 1,
        .mirrors_max = conns_max / 8 + 16,
        .l4_max = conns_max / 2 + 1, /* each has a connection to a backend of its own */
        .tunnels_max = conns_max - conns_max / 2 - conns_max / 16, /* some requests have room */
        .limit_buckets = limit_buckets(conns_max),
        .head_bufs_max = conns_max / 4 + 64,
        .keep_alive_ms = 75 * 1000,
        .head_ms = 15 * 1000,
        .body_ms = 60 * 1000,
        .response_ms = 60 * 1000,
        .tunnel_ms = PROXY_TUNNEL_IDLE_MS_MAX,
        .drain_ms = 5 * 1000,
        .upstream = {.conns_max = conns_max / 2 + 64,
                     .endpoints_max = 4096,
                     .idle_max = conns_max / 4 + 1,
                     .idle_per_endpoint_max = 128,
                     .busy_per_endpoint_max = conns_max / 2 + 1,
                     .idle_timeout_ms = 4 * 1000,
                     .connect_timeout_ms = 5 * 1000},
    };
}

struct proxy *proxy_new(struct core *core, const struct endpoint_table *table,
                        const struct proxy_config *config)
{
    struct proxy *p = core_memory(core, sizeof(*p), "proxy");
    *p = (struct proxy){.core = core, .config = *config};
    core_pool(core, &p->conns, sizeof(struct proxy_conn), config->conns_max, "client connections");
    core_pool(core, &p->streams, sizeof(struct proxy_conn), config->exchanges_max,
              "streams of clients");
    core_pool(core, &p->exchanges, sizeof(struct exchange), config->exchanges_max, "exchanges");
    core_pool(core, &p->head_bufs, sizeof(struct http_head_buf), config->head_bufs_max,
              "head buffers");
    list_init(&p->heads);
    list_init(&p->asked);
    mirrors_init(p, config->mirrors_max);
    limits_init(p, config->limit_buckets);
    verifications_init(p);
    access_init(p, config->exchanges_max);
    proxy_env_init(p);
    core_pool(core, &p->l4s, sizeof(struct l4), config->l4_max, "connections passed on");
    p->front = secure_front_new("h2,http/1.1", config->tickets);
    p->l4_front = secure_front_new(NULL, config->tickets);
    for (unsigned i = 0; i < PROXY_SHARES; i++)
        p->shares[i].state = rng_next(&core->rng);
    struct h2_config h2 = conn_h2_config(config);
    p->h2 = h2_new(core, &p->env, &h2);
    p->upstream = upstream_new(core, table, &p->env, p->h2, &config->upstream);
    p->walk = config->conns_max;
    return p;
}

enum tcp_congestion proxy_congestion(uint8_t congestion)
{
    static const enum tcp_congestion of_image[] = {
        [IMAGE_CONGESTION_CUBIC] = TCP_CONGESTION_CUBIC,
        [IMAGE_CONGESTION_BBR] = TCP_CONGESTION_BBR,
    };
    ASSERT(image_is_congestion(congestion));
    return of_image[congestion];
}

static bool listen(void *owner, const struct ip_addr *local, uint16_t port,
                   struct tcp_listening *ret)
{
    const struct proxy *p = owner;
    if (p->image.view == NULL || !route_bind_find(p->image.view, local, port, &ret->bind))
        return false;
    ret->congestion = proxy_congestion(p->image.view->binds[ret->bind].congestion);
    return true;
}

static bool admits(void *owner, const struct flow_tuple *ends, uint32_t bind)
{
    const struct proxy *p = owner;
    enum stat_id against = census_against(p->core, p->image.view, bind, &ends->remote);
    if (against != STAT_COUNT)
        stat_inc(p->core, against);
    return against == STAT_COUNT;
}

static unsigned delivered(void *owner)
{
    return exchanges_route(owner);
}

void proxy_upcalls(struct proxy *p, struct tcp_upcalls *ret)
{
    *ret = (struct tcp_upcalls){
        .listen = listen,
        .accept = proxy_conn_accept,
        .owner = p,
        .admits = admits,
        .delivered = delivered,
    };
}

struct upstream *proxy_upstream(struct proxy *p)
{
    return p->upstream;
}

void proxy_set_dialer(struct proxy *p, const struct upstream_dialer *dialer)
{
    upstream_set_dialer(p->upstream, dialer);
}

void proxy_set_image(struct proxy *p, const struct proxy_image *image)
{
    ASSERT(image->view != NULL && image->pin != NULL && image->unpin != NULL);
    p->image = *image;
    p->is_drained = image_is_drained(image->view);
    p->walk = 0;
}

void proxy_set_unix_time(struct proxy *p, uint64_t unix_s)
{
    p->unix_s = unix_s;
    http_env_set_time(&p->env, unix_s);
}

/* Ends the connection, and what is asked on it. */
static void cut(struct proxy_conn *c)
{
    if (c->l4 != NULL)
        l4_cut(c->l4, STAT_proxy_l4_end_cut);
    else if (c->exchange != NULL)
        exchange_cut(c->exchange, STAT_proxy_end_client_gone);
    else
        proxy_conn_abort(c, STAT_proxy_conn_end_cut);
}

/* Closes the connection if nobody listens on its address any more, or its client may not come in
 * now. If the box is drained clients of HTTP/2 are told to go, at once: else those whose streams
 * are long, or that have none, would stay. HTTP/1 has no word for that but in an answer. */
static void follow_image(struct proxy *p, struct proxy_conn *c)
{
    uint32_t bind;
    if (!c->is_open)
        return;
    if (conn_header_is_denied(c)) {
        stat_inc(p->core, STAT_gate_cut_conns);
        cut(c);
        return;
    }
    if (c->l4 == NULL && !c->http.is_closing && !proxy_conn_find_bind(c, p->image.view, &bind))
        proxy_conn_unbind(c);
    else if (p->is_drained && c->h2 != NULL)
        conn_h2_drain(c);
}

unsigned proxy_poll(struct proxy *p)
{
    unsigned did = upstream_poll(p->upstream) + verifications_poll(p);
    did += exchanges_route(p); /* of requests that came otherwise than by an event of tcp's */
    for (unsigned i = 0; i < WALK_CONNS_PER_POLL && p->walk < p->config.conns_max; i++) {
        follow_image(p, pool_at(&p->conns, p->walk++));
        did++;
    }
    return did;
}

void proxy_done(struct proxy *p)
{
    for (uint32_t i = 0; i < p->config.conns_max; i++) {
        struct proxy_conn *c = pool_at(&p->conns, i);
        if (c->is_open)
            cut(c);
    }
    mirrors_done(p);
    upstream_done(p->upstream);
    tls_context_free(p->front);
    tls_context_free(p->l4_front);
    ASSERT(p->l4s.used == 0);
    h2_done(p->h2);
    ASSERT(p->streams.used == 0);
    ASSERT(p->conns.used == 0 && p->exchanges.used == 0 && p->head_bufs.used == 0);
}

void proxy_counts(const struct proxy *p, struct proxy_counts *ret)
{
    *ret = (struct proxy_counts){.conns = p->conns.used,
                                 .exchanges = p->exchanges.used,
                                 .mirrors = p->mirrors.used,
                                 .l4s = p->l4s.used,
                                 .head_bufs = p->head_bufs.used,
                                 .upstream_busy = upstream_busy_count(p->upstream),
                                 .upstream_idle = upstream_idle_count(p->upstream)};
    ret->held_bytes = pool_used_bytes(&p->conns) + pool_used_bytes(&p->exchanges) +
                      pool_used_bytes(&p->l4s) + pool_used_bytes(&p->mirrors) +
                      pool_used_bytes(&p->head_bufs) + pool_used_bytes(&p->streams) +
                      h2_used_bytes(p->h2) + upstream_used_bytes(p->upstream);
}
