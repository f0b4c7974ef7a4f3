/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over the kernel's loopback: both ends are ours, in one loop. */
#include "test_loop.h"

#include "loop/loop.h"
#include "loop/sock.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define PATTERN_BYTES (1024u * 1024u)

/* One end and what it saw. */
struct end {
    struct stream *s;
    size_t sent, received;
    size_t send_total;
    unsigned events;
    bool is_reading;
    bool is_wrong;
};

struct pair {
    struct loop *loop;
    struct sock_listener *listener;
    struct end client, server;
};

static uint8_t pattern_at(size_t i)
{
    return (uint8_t)(i * 131 + (i >> 8));
}

static void send_more(struct end *e)
{
    uint8_t piece[4096];
    while (e->sent < e->send_total) {
        size_t n =
            e->send_total - e->sent < sizeof(piece) ? e->send_total - e->sent : sizeof(piece);
        for (size_t i = 0; i < n; i++)
            piece[i] = pattern_at(e->sent + i);
        struct slice v = slice_of(piece, n);
        size_t taken = stream_write(e->s, &v, 1);
        e->sent += taken;
        if (taken < n)
            return;
    }
}

static void receive(struct end *e)
{
    struct slice v[2];
    unsigned n;
    while ((n = stream_peek(e->s, v, 2)) > 0) {
        size_t bytes = 0;
        for (unsigned i = 0; i < n; i++) {
            for (size_t j = 0; j < v[i].len; j++)
                e->is_wrong |= v[i].ptr[j] != pattern_at(e->received + bytes + j);
            bytes += v[i].len;
        }
        e->received += bytes;
        stream_consume(e->s, bytes);
    }
}

static void on_event(struct stream *s, unsigned events)
{
    struct end *e = s->owner;
    e->events |= events;
    if ((events & STREAM_WRITABLE) != 0)
        send_more(e);
    if ((events & STREAM_READABLE) != 0 && e->is_reading)
        receive(e);
}

static void own(struct end *e, struct stream *s)
{
    e->s = s;
    s->owner = e;
    s->on_event = on_event;
}

static void on_accept(void *owner, struct stream *s)
{
    struct pair *p = owner;
    own(&p->server, s);
    send_more(&p->server);
}

static void rounds(struct pair *p, int n)
{
    for (int i = 0; i < n; i++)
        loop_round(p->loop, 1000);
}

static struct pair open_pair(void)
{
    struct pair p = {0};
    p.client.is_reading = p.server.is_reading = true;
    REQUIRE(loop_new(&p.loop) == 0);
    return p;
}

static void start(struct pair *p, unsigned conns_max)
{
    struct ip_addr local = ip_addr_from_v4("\x7f\0\0\1");
    struct sock_listen_config config = {
        .addr = local, .conns_max = conns_max, .on_accept = on_accept, .owner = p};
    struct stream *s = NULL;
    REQUIRE(sock_listen(p->loop, &config, &p->listener) == 0);
    REQUIRE(sock_connect(p->loop, &local, sock_listener_port(p->listener), &s) == 0);
    own(&p->client, s);
    for (int i = 0; i < 100 && p->server.s == NULL; i++)
        loop_round(p->loop, 1000);
    REQUIRE(p->server.s != NULL);
    rounds(p, 2);
}

static void finish(struct pair *p)
{
    if (p->client.s != NULL)
        stream_release(p->client.s);
    if (p->server.s != NULL)
        stream_release(p->server.s);
    sock_listener_close(p->listener);
    rounds(p, 20);
    loop_free(p->loop);
}

void bytes_arrive_in_order_and_intact_through_full_buffers(void)
{
    struct pair p = open_pair();
    p.client.send_total = p.server.send_total = PATTERN_BYTES;
    start(&p, 4);
    for (int i = 0;
         i < 5000 && (p.client.received < PATTERN_BYTES || p.server.received < PATTERN_BYTES); i++)
        loop_round(p.loop, 1000);
    CHECK_EQ(p.client.received, PATTERN_BYTES);
    CHECK_EQ(p.server.received, PATTERN_BYTES);
    CHECK(!p.client.is_wrong && !p.server.is_wrong);
    struct stream_addrs a;
    struct stream_addrs b;
    stream_addrs(p.client.s, &a);
    stream_addrs(p.server.s, &b);
    CHECK_EQ(a.local_port, b.remote_port);
    CHECK(ip_addr_eq(&a.remote, &b.local));
    finish(&p);
}

void peer_that_is_not_consumed_from_is_held_back(void)
{
    struct pair p = open_pair();
    p.client.send_total = 64 * PATTERN_BYTES;
    p.server.is_reading = false;
    start(&p, 4);
    rounds(&p, 300);
    size_t stalled_at = p.client.sent;
    CHECK(stalled_at < p.client.send_total);
    CHECK_EQ(stream_readable(p.server.s), SOCK_BUFFER_BYTES);
    rounds(&p, 20);
    CHECK_EQ(p.client.sent, stalled_at);
    p.server.is_reading = true;
    receive(&p.server);
    rounds(&p, 20);
    CHECK(p.client.sent > stalled_at);
    CHECK(!p.server.is_wrong);
    finish(&p);
}

void end_of_peer_is_told_and_orderly_close_comes_after_both_ends(void)
{
    struct pair p = open_pair();
    p.client.send_total = 10;
    start(&p, 4);
    stream_shutdown(p.client.s);
    CHECK_EQ(stream_write_room(p.client.s), 0);
    rounds(&p, 20);
    CHECK_EQ(p.server.received, 10);
    CHECK(stream_is_eof(p.server.s));
    CHECK_EQ(p.server.events & STREAM_CLOSED, 0);
    stream_shutdown(p.server.s);
    rounds(&p, 20);
    CHECK(p.server.events & STREAM_CLOSED);
    CHECK(p.client.events & STREAM_CLOSED);
    CHECK_EQ(stream_end(p.server.s), STREAM_END_ORDERLY);
    CHECK_EQ(stream_end(p.client.s), STREAM_END_ORDERLY);
    finish(&p);
}

void release_sends_what_was_written_then_ends(void)
{
    struct pair p = open_pair();
    start(&p, 4);
    p.client.send_total = 50000;
    send_more(&p.client);
    stream_release(p.client.s);
    p.client.s = NULL;
    rounds(&p, 30);
    CHECK_EQ(p.server.received, 50000);
    CHECK(stream_is_eof(p.server.s));
    CHECK(!p.server.is_wrong);
    finish(&p);
}

void release_with_unread_bytes_is_a_reset(void)
{
    struct pair p = open_pair();
    p.client.send_total = 1000;
    p.server.is_reading = false;
    start(&p, 4);
    rounds(&p, 10);
    CHECK_EQ(stream_readable(p.server.s), 1000);
    stream_release(p.server.s);
    p.server.s = NULL;
    rounds(&p, 20);
    CHECK(p.client.events & STREAM_CLOSED);
    CHECK_EQ(stream_end(p.client.s), STREAM_END_RESET);
    finish(&p);
}

void abort_is_told_by_the_loop_and_resets_the_peer(void)
{
    struct pair p = open_pair();
    start(&p, 4);
    stream_abort(p.client.s);
    CHECK_EQ(p.client.events & STREAM_CLOSED, 0);
    rounds(&p, 20);
    CHECK(p.client.events & STREAM_CLOSED);
    CHECK_EQ(stream_end(p.client.s), STREAM_END_ABORTED);
    CHECK_EQ(stream_end(p.server.s), STREAM_END_RESET);
    finish(&p);
}

void connect_to_closed_port_is_refused(void)
{
    struct pair p = open_pair();
    start(&p, 4);
    struct ip_addr local = ip_addr_from_v4("\x7f\0\0\1");
    struct end lone = {0};
    struct stream *s = NULL;
    REQUIRE(sock_connect(p.loop, &local, 1, &s) == 0);
    own(&lone, s);
    rounds(&p, 20);
    CHECK_EQ(lone.events, STREAM_CLOSED);
    CHECK_EQ(stream_end(s), STREAM_END_REFUSED);
    stream_release(s);
    finish(&p);
}

void listener_closes_what_is_above_its_limit_and_counts_it(void)
{
    struct pair p = open_pair();
    start(&p, 1);
    struct ip_addr local = ip_addr_from_v4("\x7f\0\0\1");
    struct end second = {.is_reading = true};
    struct stream *s = NULL;
    REQUIRE(sock_connect(p.loop, &local, sock_listener_port(p.listener), &s) == 0);
    own(&second, s);
    rounds(&p, 20);
    struct sock_listener_stats stats;
    sock_listener_stats(p.listener, &stats);
    CHECK_EQ(stats.open, 1);
    CHECK_EQ(stats.accepted, 1);
    CHECK_EQ(stats.refused_full, 1);
    CHECK(stream_is_eof(s) || stream_end(s) != STREAM_END_OPEN);
    stream_release(s);
    finish(&p);
}
