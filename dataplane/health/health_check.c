/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One check: opened, begun as its type wants it, let go.
 *
 * It leaves as a well-behaved client would, so that no backend's log fills: a TCP check by a FIN, a
 * TLS check by close_notify and FIN, one that asks when it has its answer (health_http.c). A reset
 * would spare us the TIME_WAIT, but accept() of many servers reports it as an error, once an
 * interval. What is too long or too late is reset.
 */
#include "base/assert.h"
#include "health/health_priv.h"
#include "tls/tls_crypto.h"

void health_check_free(struct health *h, struct health_check *c)
{
    struct health_probe *p = c->probe;
    ASSERT(c->is_decided && p->check == c);
    ASSERT(c->http.stream == NULL && c->session == NULL && c->tls.stream == NULL);
    p->check = NULL;
    pool_put(&h->checks, c);
    h->core->stats->counters[STAT_health_checks_now]--;
    health_probe_rest(h, p);
}

void health_check_leave(struct health *h, struct health_check *c)
{
    http_client_close(&c->http);
    if (c->session != NULL)
        h2_session_close(c->session); /* and when it has ended it frees the check */
    else
        health_check_free(h, c);
}

void health_check_break_off(struct health *h, struct health_check *c)
{
    if (c->tls.stream != NULL)
        health_tls_abort(&c->tls);
    else
        http_client_abort(&c->http);
    if (c->session != NULL)
        h2_session_abort(c->session);
    else
        health_check_free(h, c);
}

static void on_tls_verdict(struct health_tls *t, enum health_end end)
{
    struct health_check *c = container_of(t, struct health_check, tls);
    health_check_decide(c->probe->health, c, end);
}

static void on_tls_gone(struct health_tls *t)
{
    struct health_check *c = container_of(t, struct health_check, tls);
    health_check_free(c->probe->health, c);
}

static const struct health_tls_ops tls_ops = {.on_verdict = on_tls_verdict, .on_gone = on_tls_gone};

/* Begins what the check asks for. False: there was no memory for it. */
static bool begin(struct health *h, struct health_check *c, struct stream *stream,
                  const struct image_health *policy)
{
    if (c->type == IMAGE_HEALTH_CHECK_TLS)
        return health_tls_begin(&c->tls, h->tls, stream, h->core, image_text(h->view, policy->host),
                                &tls_ops);
    return health_http_begin(h, c, stream, policy);
}

bool health_is_secured(const struct image_health *policy)
{
    bool is_groups = policy->tls != IMAGE_NONE && policy->port == 0;
    return is_groups &&
           (policy->check == IMAGE_HEALTH_CHECK_HTTP || policy->check == IMAGE_HEALTH_CHECK_GRPC);
}

/* TLS over the stream, where the group's connections have it. False: there was no memory for it. */
static bool secure(struct health *h, const struct image_health *policy, struct stream **stream)
{
    struct tls_san sans[TLS_SANS_MAX];
    struct upstream_tls tls;
    if (!health_is_secured(policy))
        return true;
    upstream_tls_read(h->view, h->trusts, policy->tls, sans, &tls);
    tls.peer.alpn = health_speaks_h2(policy) ? "h2" : "http/1.1"; /* as requests do */
    struct stream *top = tls_connect_to(h->back, *stream, &h->core->wheel, &tls.peer);
    if (top == NULL)
        return false;
    tls_use_crypto(top, h->core->crypto);
    *stream = top;
    return true;
}

void health_check_begin(struct health *h, struct health_probe *p, const struct health_place *at)
{
    ASSERT(p->check == NULL && !list_is_linked(&p->due));
    const struct image_health *policy = at->policy;
    struct tcp_open_args args = {.remote = p->id.addr,
                                 .remote_port = policy->port != 0 ? policy->port : p->id.port,
                                 .connect_timeout_ms = policy->timeout_ms};
    struct stream *stream;
    stat_inc(h->core, STAT_health_started);
    if (h->dialer.open(h->dialer.owner, &args, &stream) != TCP_OPEN_OK) {
        stat_inc(h->core, STAT_health_end_not_asked);
        health_probe_rest(h, p);
        return;
    }
    struct health_check *c = pool_get(&h->checks);
    ASSERT(c != NULL); /* the caller looked */
    *c = (struct health_check){.probe = p, .type = policy->check};
    p->check = c;
    h->core->stats->counters[STAT_health_checks_now]++;
    wheel_arm(&h->core->wheel, &p->timer, h->core->now_us + (uint64_t)policy->timeout_ms * 1000);
    if (secure(h, policy, &stream) && begin(h, c, stream, policy))
        return;
    stream_abort(stream);
    stream_release(stream);
    health_check_decide(h, c, HEALTH_END_not_asked);
    health_check_free(h, c);
}

void health_check_expire(struct health *h, struct health_check *c)
{
    if (!c->is_decided)
        health_check_decide(h, c, HEALTH_END_timeout);
    health_check_break_off(h, c);
}

void health_check_stop(struct health *h, struct health_check *c)
{
    if (!c->is_decided)
        health_check_decide(h, c, HEALTH_END_gone);
    health_check_break_off(h, c);
}
