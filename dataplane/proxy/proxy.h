/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reverse proxy of one worker: accepts client connections, and carries out exchanges, one
 * request and its one response each: head -> route match on the image that the exchange pins ->
 * filters -> backend connection -> request forwarded -> response forwarded. Bodies are moved
 * between the streams without copying and under back-pressure both ways.
 *
 * Every exchange ends in exactly one of the proxy_end_* counters.
 *
 * Owner: the worker. Thread: the worker. Memory: pools sized at start; when one runs out a new
 * connection is refused or a request is answered 503, counted. Station on the path: after http and
 * route, before upstream.
 *
 * How a worker puts it together (the order of the calls):
 *   proxy_new() - proxy_upcalls() - tcp_new(upcalls) - proxy_set_dialer() - proxy_set_image() ...
 */
#pragma once

#include "route/route.h"
#include "tcp/tcp.h"
#include "upstream/upstream.h"
#include "verify/verify_lane.h"

struct core;
struct endpoint_table;
struct proxy;
struct tls_identity;
struct tls_tickets;
struct tls_trust;

struct proxy_config {
    uint32_t conns_max;     /* client connections of this worker */
    uint32_t exchanges_max; /* requests under way */
    uint32_t mirrors_max;   /* copies of requests under way; beyond: not copied */
    uint32_t tunnels_max;   /* requests that became tunnels (WebSocket); beyond: 503 */
    uint32_t l4_max;        /* connections that are passed on; beyond: reset */
    uint32_t limit_buckets; /* of rate limits, 16 bytes each; a power of two, 4 or more */
    uint32_t head_bufs_max; /* of 26 KiB: a request holds one until it is sent on */
    uint32_t keep_alive_ms; /* a client connection without a request */
    uint32_t head_ms;       /* from the first byte of a head to its end */
    uint32_t body_ms;       /* a client that owes body bytes, or room for the response */
    uint32_t response_ms;   /* a backend that owes bytes of its response, or takes none */
    uint32_t tunnel_ms;     /* a tunnel, what is passed on, or a call, in which nothing moves */
    uint32_t drain_ms;      /* a closing connection whose client still sends */
    uint32_t requests_per_conn_max; /* then the connection is closed in good order; 0: no limit */
    const struct tls_tickets *tickets; /* of TLS sessions; NULL: none is resumed */
    struct verify_lane *verify;        /* who looks at passwords; NULL: nobody, 503 */
    struct upstream_config upstream;
};

/* Defaults for a worker with so many client connections. */
void proxy_config_default(struct proxy_config *config, uint32_t conns_max);

/*
 * An image as the worker holds it. `pin` and `unpin` keep it in memory while an exchange uses it;
 * `id` tells images apart. The worker fills this in from core/generation.h; tests from memory.
 */
struct proxy_image {
    const struct image_view *view;
    struct route_reader reader; /* this worker's, of the image's regular expressions */
    const struct tls_identity *const *identities; /* by the image's index; NULL: it has none */
    const struct tls_trust *const *trusts;        /* by the index of bundles; likewise */
    void *owner;
    void (*pin)(void *owner);
    void (*unpin)(void *owner);
};

/* Makes the worker's proxy and its upstream. Serves nothing before proxy_set_image(). */
struct proxy *proxy_new(struct core *core, const struct endpoint_table *table,
                        const struct proxy_config *config);

/* What tcp_new() needs: where somebody listens (on the current image), and who accepts. */
void proxy_upcalls(struct proxy *p, struct tcp_upcalls *ret);

/* Its upstream, for who chooses endpoints beside it. */
struct upstream *proxy_upstream(struct proxy *p);

/* How connections to backends are opened. */
void proxy_set_dialer(struct proxy *p, const struct upstream_dialer *dialer);

/*
 * A new image is current: requests from now on are matched on it; those under way keep theirs.
 * Client connections live on; those whose local address and port nobody listens on any more are
 * closed, idle ones at once, others after their response. `image` is copied. Cost: one pass over
 * the client connections, spread over proxy_poll() calls.
 */
void proxy_set_image(struct proxy *p, const struct proxy_image *image);

/* Wall-clock time for Date in own answers and the age of sessions; call about once a second.
 * Without it no Date is sent and no session ends. */
void proxy_set_unix_time(struct proxy *p, uint64_t unix_s);

/* Once a poll, after tcp_poll()'s events: bounded upkeep. Returns how many things it did. */
unsigned proxy_poll(struct proxy *p);

/* Resets every connection and gives everything back. */
void proxy_done(struct proxy *p);

struct proxy_counts {
    uint32_t conns;
    uint32_t exchanges;
    uint32_t mirrors;
    uint32_t l4s;
    uint32_t head_bufs;
    uint32_t upstream_busy;
    uint32_t upstream_idle;
    uint64_t held_bytes; /* of what is out of the pools, those of upstream too */
};

/* What is out of the pools now. For tests and gauges. */
void proxy_counts(const struct proxy *p, struct proxy_counts *ret);
