/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel TCP sockets as streams (core/stream.h) in the mgmt loop: what `tls`
 * and `http` stand on in mgmt, as they stand on `tcp` in the dataplane.
 *
 * A connection has a receive and a send buffer of SOCK_BUFFER_BYTES each: who
 * does not consume stops the reading, so the kernel's window closes and the
 * peer waits.
 *
 * Owner of a stream: whoever accepted or opened it, until stream_release().
 * Thread: the loop's.
 */
#pragma once

#include "base/ip_addr.h"
#include "core/stream.h"

#include <stdint.h>

struct loop;
struct sock_listener;

/* Bytes of each buffer of a connection: one TLS record and a request's header
 * fit with room. */
#define SOCK_BUFFER_BYTES 65536u
/* After stream_release(): how long what was written may take to leave. */
#define SOCK_LINGER_MS_MAX 10000u
/* An open that got no answer. */
#define SOCK_CONNECT_MS_MAX 10000u
/* Connections taken from one listener in a round. */
#define SOCK_ACCEPTS_PER_ROUND 16u

/* Called from the loop with a new stream that the owner of the listener now
 * owns. */
typedef void (*sock_accept_fn)(void *owner, struct stream *s);

struct sock_listen_config {
    struct ip_addr addr; /* all zero: any, IPv4 and IPv6 */
    uint16_t port;       /* 0: the kernel chooses */
    unsigned conns_max;  /* open at once; above it a new one is closed at once, and
                            counted */
    sock_accept_fn on_accept;
    void *owner;
};

/* What a listener saw. */
struct sock_listener_stats {
    uint64_t accepted;
    uint64_t refused_full; /* conns_max or descriptors were used up */
    unsigned open;         /* now, with those that linger */
};

/* Listens. -EADDRINUSE and the like; -ENOMEM. */
int sock_listen(struct loop *loop, const struct sock_listen_config *config,
                struct sock_listener **ret);

/* Stops accepting and frees the listener once its last connection has gone;
 * those stay usable. */
void sock_listener_close(struct sock_listener *listener);

/* The port that it listens on. */
uint16_t sock_listener_port(const struct sock_listener *listener);

/* What it saw until now. */
void sock_listener_stats(const struct sock_listener *listener, struct sock_listener_stats *ret);

/* Opens a connection. The stream comes at once; STREAM_WRITABLE says that it is
 * established, STREAM_CLOSED that it failed. */
int sock_connect(struct loop *loop, const struct ip_addr *addr, uint16_t port, struct stream **ret);
