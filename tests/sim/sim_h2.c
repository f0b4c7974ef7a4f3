/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_h2.h. */
#include "sim_h2.h"

#include "base/assert.h"
#include "base/container.h"
#include "sim.h"
#include "sim_congestion.h"
#include "sim_gate.h"

#include <stdlib.h>
#include <string.h>

/* As long as a client of HTTP/1 is. */
#define CONNECT_TIMEOUT_MS 60000u

struct sim_h2 {
    struct sim_host *host;
    struct h2 *h2;
    struct http_env env;
    struct sim_pipes pipes;
    struct sim_gates gates;
    struct list_node sessions;
    unsigned heads;
    bool closes_idle; /* ends a connection as a client when nobody asks any more */
};

struct session {
    struct list_node link;
    struct sim_h2 *h;
    struct h2_session *h2;
    struct wheel_timer timer; /* of a backend that does not like to rest */
    bool is_server;
    bool is_ip6;
    uint16_t port; /* of the appliance; 0: a server's */
};

static struct http_head_buf *head_get(void *owner)
{
    struct sim_h2 *h = owner;
    struct http_head_buf *buf = malloc(sizeof(*buf));
    ASSERT(buf != NULL);
    h->heads++;
    return buf;
}

static void head_put(void *owner, struct http_head_buf *buf)
{
    struct sim_h2 *h = owner;
    ASSERT(h->heads > 0);
    h->heads--;
    free(buf);
}

/* Neither the appliance nor a host may write what the product's parser refuses. */
static void on_fault(void *owner, enum http_fault fault, bool is_backend)
{
    struct sim_h2 *h = owner;
    bool is_cut = fault == HTTP_FAULT_body_cut || fault == HTTP_FAULT_head_cut;
    if (!is_cut)
        sim_fail(h->host->sim, "host %u: a message of HTTP/2 is refused: %s", h->host->number,
                 http_fault_name(fault));
}

static void on_request(struct h2_session *s, struct stream *stream, struct http_head_buf *head,
                       enum http_fault fault, bool is_end)
{
    struct session *x = h2_session_owner(s);
    sim_gate_serve(&x->h->gates, stream, head, fault, is_end);
}

/* A backend closes what rests too long; see sim_server.c. */
static void on_phase(struct h2_session *s, enum h2_phase phase)
{
    struct session *x = h2_session_owner(s);
    struct sim_host *host = x->h->host;
    uint32_t idle_ms = host->sim->plan.backend_idle_ms;
    wheel_disarm(&host->core.wheel, &x->timer);
    if (x->is_server && phase == H2_IDLE && idle_ms > 0)
        wheel_arm(&host->core.wheel, &x->timer, host->sim->now_us + idle_ms * 1000ull);
}

static void on_rest(struct wheel_timer *timer, uint64_t now_us)
{
    struct session *x = container_of(timer, struct session, timer);
    x->h->host->is_awake = true;
    h2_session_close(x->h2);
}

static void on_end(struct h2_session *s)
{
    struct session *x = h2_session_owner(s);
    wheel_disarm(&x->h->host->core.wheel, &x->timer);
    list_remove(&x->link);
    free(x);
}

static const struct h2_session_ops ops = {
    .on_request = on_request, .on_phase = on_phase, .on_end = on_end};

/* NULL: no room, and the stream is as it was. */
static struct session *session_new(struct sim_h2 *h, struct stream *lower, bool is_server,
                                   bool is_tls)
{
    struct session *x = calloc(1, sizeof(*x));
    ASSERT(x != NULL);
    x->h = h;
    x->is_server = is_server;
    x->timer.on_expire = on_rest;
    x->h2 =
        is_server ? h2_accept(h->h2, lower, &ops, x) : h2_connect(h->h2, lower, is_tls, &ops, x);
    if (x->h2 == NULL) {
        free(x);
        return NULL;
    }
    list_push_back(&h->sessions, &x->link);
    return x;
}

bool sim_h2_accept(struct sim_h2 *h, struct stream *lower)
{
    return session_new(h, lower, true, false) != NULL;
}

static struct session *connect_session(struct sim_h2 *h, const struct sim_client *asker)
{
    struct sim *sim = h->host->sim;
    bool is_ip6 = asker->plan->is_ip6;
    bool is_tls = asker->plan->is_tls;
    struct stream *lower;
    struct tcp_open_args args = {.remote = is_ip6 ? sim->vip6 : sim->vip4,
                                 .remote_port = sim_client_port(asker),
                                 .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    args.congestion = sim_congestion_of(&sim->plan, asker->plan->first_request);
    if (tcp_open(h->host->tcp, &args, &lower) != TCP_OPEN_OK)
        return NULL;
    if (is_tls)
        lower = sim_client_secure(asker, lower);
    struct session *x = session_new(h, lower, false, is_tls);
    ASSERT(x != NULL); /* there are as many as connections */
    x->is_ip6 = is_ip6;
    x->port = args.remote_port;
    return x;
}

struct stream *sim_h2_open(struct sim_h2 *h, const struct sim_client *asker, bool *ret_is_open)
{
    struct session *found = NULL;
    LIST_EACH (it, &h->sessions) {
        struct session *x = container_of(it, struct session, link);
        bool is_kind =
            !x->is_server && x->is_ip6 == asker->plan->is_ip6 && x->port == sim_client_port(asker);
        if (is_kind && h2_session_has_room(x->h2))
            found = x;
    }
    if (found == NULL)
        found = connect_session(h, asker);
    if (found == NULL)
        return NULL;
    *ret_is_open = h2_session_is_open(found->h2);
    return h2_open(found->h2, false);
}

struct stream *sim_h2_connect(struct sim_h2 *h, struct sim_client *asker)
{
    struct stream *stream, *other;
    sim_pipe_new(&h->pipes, &stream, &other);
    sim_gate_ask(&h->gates, asker, other);
    h->host->is_awake = true;
    return stream;
}

/* Those of clients that nobody will use soon. */
static void close_idle(struct sim_h2 *h)
{
    LIST_EACH_SAFE (it, next, &h->sessions) {
        struct session *x = container_of(it, struct session, link);
        if (!x->is_server && h2_session_is_open(x->h2) && h2_session_streams(x->h2) == 0)
            h2_session_close(x->h2);
    }
}

bool sim_h2_poll(struct sim_h2 *h)
{
    bool did = sim_pipes_poll(&h->pipes);
    sim_gates_reap(&h->gates);
    if (h->closes_idle && list_is_empty(&h->gates.all))
        close_idle(h);
    return did;
}

bool sim_h2_is_empty(const struct sim_h2 *h)
{
    return list_is_empty(&h->sessions) && list_is_empty(&h->gates.all) && h->pipes.n == 0 &&
           h->heads == 0;
}

struct sim_h2 *sim_h2_new(struct sim_host *host)
{
    static const struct h2_config config = {
        .sessions_max = 512, .streams_max = 1024, .pieces_max = 2048, .heap_bytes_max = 256u << 20};
    struct sim_h2 *h = calloc(1, sizeof(*h));
    ASSERT(h != NULL);
    h->host = host;
    h->env = (struct http_env){
        .head_get = head_get, .head_put = head_put, .on_fault = on_fault, .owner = h};
    h->closes_idle = host->sim->plan.h2_closes_idle;
    sim_pipes_init(&h->pipes);
    h->gates = (struct sim_gates){.h2 = h, .host = host, .pipes = &h->pipes, .env = &h->env};
    list_init(&h->gates.all);
    list_init(&h->sessions);
    h->h2 = h2_new(&host->core, &h->env, &config);
    return h;
}

void sim_h2_free(struct sim_h2 *h)
{
    while (!list_is_empty(&h->sessions)) /* each ends its streams, and those their gates */
        h2_session_close(container_of(list_peek_front(&h->sessions), struct session, link)->h2);
    sim_gates_end(&h->gates);
    sim_pipes_free(&h->pipes);
    ASSERT(h->heads == 0);
    h2_done(h->h2);
    free(h);
}
