/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that became a tunnel: the client asked for WebSocket, the backend agreed (101), and
 * from then on bytes go both ways as they come, under back-pressure and without a copy, until both
 * sides have ended. We read none of them. The exchange lives on as the tunnel's record; it ends in
 * one of proxy_end_tunnel*.
 *
 * The end of one direction is passed on, and the other goes on; a reset of one side resets the
 * other. A tunnel may last for days, so it does not hold its image: it was matched, and what
 * changes afterwards does not concern it. For the access log it keeps the image's number and the
 * places in it.
 *
 * That the backend's answer fits the client's key is checked, though the client will do so too: a
 * backend that can be made to say 101 to what it took for another request would otherwise give its
 * client a way past us to its connection. By HTTP/2 (RFC 8441) neither key nor digest exist: there
 * the answer is on the request's own stream. Who asked by HTTP/1.1 gets a digest of ours then.
 */
#include "base/assert.h"
#include "base/base64.h"
#include "proxy/proxy_priv.h"
#include "tls/digest.h"

static_assert(TUNNEL_ACCEPT_BYTES == BASE64_BYTES(DIGEST_SHA1_BYTES), "it is that in base64");

/* RFC 6455, section 4.2.2. */
bool tunnel_accept(const struct exchange *e, char ret[TUNNEL_ACCEPT_BYTES])
{
    uint8_t sum[DIGEST_SHA1_BYTES];
    struct slice key;
    bool is_asked = http_asks_websocket(&e->client->http.request->head, &key);
    ASSERT(is_asked);
    struct slice v[] = {key, SLICE_LIT("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")};
    if (!digest_sha1(v, 2, sum))
        return false;
    base64_encode(slice_of(sum, sizeof(sum)), ret);
    return true;
}

void tunnel_ask(struct exchange *e)
{
    struct slice key;
    const struct http_head *head = &e->client->http.request->head;
    e->is_upgrade = head->is_upgrade_asked && http_asks_websocket(head, &key);
    e->needs_head |= e->is_upgrade;
}

bool tunnel_is_full(const struct exchange *e)
{
    struct proxy *p = e->proxy;
    return e->is_upgrade && p->tunnels >= p->config.tunnels_max;
}

bool tunnel_is_agreed(const struct exchange *e, const struct http_head *head)
{
    char accept[TUNNEL_ACCEPT_BYTES];
    const struct http_client *backend = upstream_conn_http(e->backend);
    ASSERT(e->is_upgrade && e->client->http.request != NULL);
    if (!http_client_is_sent(backend))
        return false;
    return backend->carrier != NULL ||
           (tunnel_accept(e, accept) &&
            http_agrees_to_websocket(head, slice_of(accept, TUNNEL_ACCEPT_BYTES)));
}

/* Has one side ended? Then the other has little left to say. */
static bool is_half(const struct exchange *e)
{
    return e->client->http.out.is_ended || upstream_conn_http(e->backend)->out.is_ended;
}

static uint64_t deadline(const struct exchange *e)
{
    const struct proxy_config *config = &e->proxy->config;
    return e->progress_us + (uint64_t)(is_half(e) ? config->body_ms : config->tunnel_ms) * 1000;
}

static void arm(struct exchange *e)
{
    wheel_disarm(&e->proxy->core->wheel, &e->timer);
    wheel_arm(&e->proxy->core->wheel, &e->timer, deadline(e));
}

/* Nothing moved for too long. */
static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct exchange *e = container_of(timer, struct exchange, timer);
    ASSERT(e->is_tunnel);
    if (now_us < deadline(e))
        arm(e);
    else
        exchange_cut(e, STAT_proxy_end_tunnel_idle);
}

/* Both sides have ended. */
static void complete(struct exchange *e)
{
    struct proxy_conn *c = e->client;
    e->is_answered = true;
    exchange_end(e, STAT_proxy_end_tunnel, true);
    proxy_conn_arm_rest(c);
    http_server_finish(&c->http);
}

void tunnel_pump(struct exchange *e)
{
    ASSERT(e->is_tunnel && e->backend != NULL);
    struct http_server *client = &e->client->http;
    struct http_client *backend = upstream_conn_http(e->backend);
    bool was_half = is_half(e);
    size_t up = http_move_up(backend, client);
    size_t down = http_move_down(client, backend);
    stat_add(e->proxy->core, STAT_proxy_tunnel_bytes_up, up);
    stat_add(e->proxy->core, STAT_proxy_tunnel_bytes_down, down);
    e->request_bytes += up;
    e->response_bytes += down;
    if (up + down > 0)
        exchange_note_progress(e);
    if (client->out.is_ended && backend->out.is_ended)
        complete(e);
    else if (is_half(e) && !was_half)
        arm(e);
}

static void on_room_or_bytes(struct http_client *h)
{
    tunnel_pump(h->owner);
}

/* The backend's connection is over: in good order only after both have ended, with all that came
 * moved on. */
static void on_end(struct http_client *h, enum http_client_end end)
{
    struct exchange *e = h->owner;
    struct proxy_conn *c = e->client;
    bool is_orderly = h->end == STREAM_END_ORDERLY;
    e->failed = *upstream_conn_id(e->backend);
    upstream_drop(e->proxy->upstream, e->backend);
    e->backend = NULL;
    e->is_answered = is_orderly;
    if (!is_orderly) {
        exchange_cut(e, STAT_proxy_end_tunnel_backend);
        return;
    }
    exchange_end(e, STAT_proxy_end_tunnel, false);
    proxy_conn_arm_rest(c);
    http_server_finish(&c->http);
}

static const struct http_client_ops ops = {
    .on_writable = on_room_or_bytes, .on_body = on_room_or_bytes, .on_end = on_end};

void tunnel_on_client_end(struct exchange *e, bool is_orderly)
{
    e->is_answered = is_orderly;
    exchange_end(e, is_orderly ? STAT_proxy_end_tunnel : STAT_proxy_end_tunnel_client, is_orderly);
}

/* The image may go; what the log wants of it is kept. */
static void let_image_go(struct exchange *e)
{
    e->generation = e->image.view->header->generation;
    e->backend_index = (uint32_t)(e->target - e->image.view->backends);
    e->image.unpin(e->image.owner);
    e->image.view = NULL;
    e->target = NULL;
    e->retry = NULL;
    e->cors = NULL;
    e->persistence = NULL;
}

void tunnel_begin(struct exchange *e)
{
    struct http_client *backend = upstream_conn_http(e->backend);
    struct proxy *p = e->proxy;
    ASSERT(e->is_upgrade && e->has_response_head && !e->is_tunnel);
    http_client_switch(backend);
    http_server_drop_head(&e->client->http);
    route_stats_count(e);
    let_image_go(e);
    e->is_tunnel = true;
    backend->ops = &ops; /* its on_body comes next, and moves what both have said already */
    e->timer.on_expire = on_timer;
    p->tunnels++;
    p->core->stats->counters[STAT_proxy_tunnels_now]++;
    stat_inc(p->core, STAT_proxy_tunnels);
    exchange_note_progress(e);
    arm(e);
}
