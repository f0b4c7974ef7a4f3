/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by connections: all are established as they should be, and then used badly. */
#include "attack.h"

#include "base/assert.h"
#include "frame.h"
#include "net/net_wire.h"
#include "tcp/tcp_types.h"

#include <stdio.h>
#include <string.h>

#define FIRST_PORT 20000u
#define WSCALE 7u
#define PORTS 40000u
#define FIRST_HOST 200u
#define HOSTS 16u

static const char question[] = "GET /a/%u HTTP/1.1\r\nHost: www.sim.test\r\nX-Sim-Id: %u\r\n\r\n";
static const char upload[] =
    "POST /a/%u HTTP/1.1\r\nHost: www.sim.test\r\nX-Sim-Id: %u\r\nContent-Length: %u\r\n\r\n";

uint32_t attack_request(const struct attack *a)
{
    return a->sim->plan.n_requests - 1;
}

static struct frame_ends ends_of(struct attack *a, const struct attack_conn *c)
{
    struct frame_ends ends = attack_ends(a, false);
    ends.src.bytes[15] = c->host;
    return ends;
}

void attack_conn_send(struct attack *a, struct attack_conn *c, uint8_t flags, uint16_t window,
                      const void *payload, size_t bytes)
{
    static const uint8_t options[] = {2, 4, 5, 0xb4, 1, 3, 3, WSCALE};
    struct frame_ends ends = ends_of(a, c);
    bool is_syn = (flags & TCP_SYN) != 0;
    attack_send_tcp(
        a, &ends,
        &(struct frame_tcp){.src_port = c->port,
                            .dst_port = attack_is_tls(a->name) ? SIM_TLS_PORT : SIM_PORT,
                            .seq = c->seq,
                            .ack = c->ack,
                            .flags = flags,
                            .window = window,
                            .options = options,
                            .options_bytes = is_syn ? sizeof(options) : 0,
                            .payload = payload,
                            .payload_bytes = bytes});
    c->seq += (uint32_t)bytes + is_syn;
}

struct attack_conn *attack_conn_at(struct attack *a, uint32_t i)
{
    ASSERT(i < a->n_conns);
    struct attack_conn *c = &a->conns[i];
    if (c->port != 0)
        return c->is_established ? c : NULL;
    *c = (struct attack_conn){.port = (uint16_t)(FIRST_PORT + i % PORTS),
                              .host = (uint8_t)(FIRST_HOST + i % HOSTS + i / PORTS * HOSTS),
                              .seq = (uint32_t)rng_next(&a->rng)};
    attack_conn_send(a, c, TCP_SYN, 65535, NULL, 0);
    return NULL;
}

struct attack_conn *attack_next_conn(struct attack *a)
{
    return attack_conn_at(a, a->turn++ % a->n_conns);
}

static struct attack_conn *any_conn(struct attack *a)
{
    return attack_conn_at(a, rng_below(&a->rng, a->n_conns));
}

static uint16_t window_of(const struct attack *a)
{
    switch (a->name) {
    case ATTACK_zero_window:
        return 0;
    case ATTACK_slow_reading:
        return 1; /* 128 bytes */
    default:
        return 65535;
    }
}

/* His request, once the connection is up. */
static void ask(struct attack *a, struct attack_conn *c)
{
    char text[256];
    uint32_t id = attack_request(a);
    if (attack_is_tls(a->name)) {
        attack_tls_open(a, c);
        return;
    }
    bool is_upload = a->name == ATTACK_tiny_segments;
    int n = (int)attack_http_begin(a, text, sizeof(text));
    if (n == 0)
        n = is_upload ? snprintf(text, sizeof(text), upload, id, id, ATTACK_BODY_BYTES)
                      : snprintf(text, sizeof(text), question, id, id);
    attack_conn_send(a, c, TCP_ACK | TCP_PSH, window_of(a), text, (size_t)n);
    c->body = c->seq;
}

void attack_tcp_receive(struct attack *a, uint8_t *frame, size_t len)
{
    struct frame_view v;
    if (!frame_look(frame, len, &v) || v.proto != IPPROTO_NUM_TCP || v.l4_bytes < 20)
        return;
    unsigned i = frame_get16(v.l4 + 2) - FIRST_PORT + (v.ip[19] - FIRST_HOST) / HOSTS * PORTS;
    if (v.ip[19] < FIRST_HOST || i >= a->n_conns || a->conns[i].port == 0)
        return;
    struct attack_conn *c = &a->conns[i];
    uint8_t flags = v.l4[13];
    uint32_t seq = frame_get32(v.l4 + 4);
    if ((flags & TCP_RST) != 0) { /* and again */
        c->port = 0;
        return;
    }
    if ((flags & TCP_SYN) != 0) {
        c->ack = seq + 1;
        if (!c->is_established)
            ask(a, c);
        c->is_established = true;
        return;
    }
    uint32_t head = (v.l4[12] >> 4) * 4u;
    uint32_t bytes = v.l4_bytes - head;
    bool is_next = seq == c->ack;
    if (is_next)
        c->ack += bytes;
    if (attack_is_tls(a->name))
        attack_tls_answer(a, c, flags, v.l4 + head, is_next ? bytes : 0);
    else if (a->name >= ATTACK_idle_crowd)
        attack_http_answer(a, c, flags, bytes);
}

/* Half of it in order, half of it behind gaps. */
void attack_tiny_segments_send(struct attack *a)
{
    struct attack_conn *c = any_conn(a);
    if (c == NULL)
        return;
    uint8_t byte;
    uint32_t seq = c->seq;
    uint32_t gap = rng_below(&a->rng, 2) * 2 * (1 + rng_below(&a->rng, 20000));
    c->seq += gap;
    sim_pattern_fill(sim_up_key(attack_request(a)), c->seq - c->body, &byte, 1);
    attack_conn_send(a, c, TCP_ACK, 65535, &byte, 1);
    if (gap != 0)
        c->seq = seq;
}

void attack_zero_window_send(struct attack *a)
{
    struct attack_conn *c = any_conn(a);
    if (c != NULL)
        attack_conn_send(a, c, TCP_ACK, 0, NULL, 0);
}

void attack_slow_reading_send(struct attack *a)
{
    struct attack_conn *c = any_conn(a);
    if (c != NULL)
        attack_conn_send(a, c, TCP_ACK, 1, NULL, 0);
}

/* He claims some segments that he has not got. What was never sent is claimed too, now and then. */
void attack_optimistic_ack_send(struct attack *a)
{
    struct attack_conn *c = any_conn(a);
    if (c == NULL)
        return;
    c->ack += rng_below(&a->rng, 4) * 1460;
    attack_conn_send(a, c, TCP_ACK, 65535, NULL, 0);
}
