/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Full handshakes of a front in memory, each with a request and an answer: what a server's TLS
 * costs, for callgrind, which counts what happens inside serve(). Set up as the proxy does it:
 * tickets, a certificate by name, P-256. The first few are not counted.
 *
 * usage: front_cost HANDSHAKES
 */
#include "fake_pair.h"
#include "test_certs.h"

#include "base/assert.h"
#include "base/wheel.h"
#include "tls/tls.h"
#include "tls/tls_identity.h"
#include "tls/tls_tickets.h"

#include <stdio.h>
#include <stdlib.h>

#define WARM 8       /* what the library makes once is made by then */
#define TURNS_MAX 32 /* of one connection */

static const struct slice request = SLICE_LIT("GET /r HTTP/1.1\r\nHost: a.example.com\r\n\r\n");
static const struct slice answer = SLICE_LIT(
    "HTTP/1.1 302 Found\r\nlocation: http://other.example.com/r\r\ncontent-length: 0\r\n\r\n");

struct connection {
    struct fake_end low_client, low_server;
    struct wheel client_wheel, server_wheel;
    uint64_t now_us;
    struct stream *client, *server;
    bool is_asked, is_answered;
};

static struct tls_context *client_context, *front;
static struct tls_identity *identity;

static void pick(void *arg, const char *server_name, struct tls_choice *ret)
{
    ret->identities[ret->n++] = identity;
}

static void on_handshake(void *arg, enum tls_handshake end)
{
    ASSERT(end == TLS_HANDSHAKE_full);
}

static void set_up(void)
{
    static const struct tls_front_ops ops = {.pick = pick, .on_handshake = on_handshake};
    static const uint8_t secret[TLS_TICKET_SECRET_BYTES] = {1};
    static const struct tls_client_config config = {.alpn = NULL};
    struct keys_ticket keys[KEYS_TICKETS_MAX];
    struct tls_tickets *tickets = tls_tickets_new();
    const struct test_cert *cert = &test_certs()->server;
    tls_tickets_derive(secret, 1, keys);
    tls_tickets_set(tickets, keys, KEYS_TICKETS_MAX);
    bool is_made = tls_identity_new(cert->certificate, cert->key, &identity) == TLS_FAULT_OK &&
                   tls_front_new("h2,http/1.1", &ops, tickets, &front) == TLS_FAULT_OK &&
                   tls_client_new(&config, &client_context) == TLS_FAULT_OK;
    ASSERT(is_made);
}

/* Reads all there is. True: there was something. */
static bool take(struct stream *s)
{
    struct slice v;
    bool was_there = false;
    for (; stream_peek(s, &v, 1) > 0; was_there = true)
        stream_consume(s, v.len);
    return was_there;
}

static void on_client(struct stream *s, unsigned events)
{
    struct connection *c = s->owner;
    if ((events & STREAM_WRITABLE) != 0 && !c->is_asked)
        c->is_asked = stream_write(s, &request, 1) == request.len;
    c->is_answered |= take(s);
}

static void on_server(struct stream *s, unsigned events)
{
    if ((events & STREAM_READABLE) != 0 && take(s))
        stream_write(s, &answer, 1);
}

static void turn(struct connection *c)
{
    if (c->server == NULL) {
        c->server = tls_accept_by_name(front, &c->low_server.stream, &c->server_wheel, c);
        c->server->on_event = on_server;
    }
    fake_dispatch(&c->low_server);
    wheel_run(&c->server_wheel, c->now_us, 100);
    if (c->is_answered)
        stream_release(c->server);
}

/* The server's part that is counted. */
static __attribute__((noinline)) void serve(struct connection *c)
{
    turn(c);
    __asm__ volatile(""); /* a call, and no jump into turn() */
}

static void shake_hands(void (*server)(struct connection *c))
{
    struct connection *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    wheel_init(&c->client_wheel, 0);
    wheel_init(&c->server_wheel, 0);
    fake_join(&c->low_client, &c->low_server, FAKE_CAPACITY_MAX);
    c->client =
        tls_connect(client_context, &c->low_client.stream, &c->client_wheel, "a.example.com");
    ASSERT(c->client != NULL);
    c->client->owner = c;
    c->client->on_event = on_client;
    for (unsigned i = 0; i < TURNS_MAX && !c->is_answered; i++) {
        c->now_us += 1000;
        fake_dispatch(&c->low_client);
        wheel_run(&c->client_wheel, c->now_us, 100);
        server(c);
    }
    ASSERT(c->is_answered);
    stream_release(c->client);
    free(c);
}

int main(int argc, char **argv)
{
    int n = argc == 2 ? atoi(argv[1]) : 0;
    if (n < 1) {
        fprintf(stderr, "usage: front_cost HANDSHAKES\n");
        return 2;
    }
    set_up();
    for (int i = 0; i < WARM; i++)
        shake_hands(turn);
    for (int i = 0; i < n; i++)
        shake_hands(serve);
    printf("handshakes %d\n", n);
    return 0;
}
