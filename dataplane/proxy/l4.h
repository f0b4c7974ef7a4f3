/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client connections that are passed on whole: TCPRoute and TLSRoute. Private to proxy. Thread: the
 * worker.
 *
 * A session is a client's stream and one to an endpoint, and bytes moved between them. Reached from
 * its proxy_conn and, as owner, from both streams; lives from l4_begin() to one of proxy_l4_end_*.
 *
 * Invariants: while it lives its client's own timer is off, and http and `unheaded` of that have no
 * stream; `back` is NULL before the first try and between two; is_open implies back != NULL and
 * image.view == NULL.
 */
#pragma once

#include "proxy/proxy_priv.h"
#include "tls/client_hello.h"

struct l4 {
    struct proxy *proxy;
    struct proxy_conn *client;
    struct stream *front; /* the client's: TCP's, or TLS over it */
    struct stream *back;  /* to the endpoint */
    struct upstream_raw upstream;
    struct wheel_timer timer;
    struct proxy_image image;           /* pinned until its endpoint is connected */
    const struct image_backend *target; /* of `image`; NULL: none, or no more */
    uint64_t generation;                /* of that image, for the access log, */
    uint64_t route;                     /* as it is counted by; 0: it is not */
    uint32_t listener;                  /* and the places in it */
    uint32_t rule;
    uint32_t backend;
    uint32_t idle_ms;              /* as its backend says; 0: as usual */
    struct upstream_conn_id asked; /* the last endpoint that was tried; zero: none */
    uint64_t begin_us;
    uint64_t asked_us;    /* when this try began */
    uint64_t connect_us;  /* how long it took, or ACCESS_NO_TIME */
    uint64_t progress_us; /* when something moved last */
    uint64_t up_bytes;
    uint64_t down_bytes;
    uint8_t tries;
    bool is_secure;      /* the TLS handshake is done, or there is none */
    bool is_back_secure; /* it is connected to by TLS */
    bool is_open;        /* the endpoint is connected: bytes move */
    bool is_up_ended;    /* the client has ended, and the endpoint has all and knows */
    bool is_down_ended;  /* the same the other way round */
    char server_name[CLIENT_HELLO_NAME_BYTES_MAX + 1];
};

/* Passes the connection on as the rule says that it was routed to, and takes the stream. May free
 * the client; false: it did. */
bool l4_begin(struct proxy_conn *c, struct stream *s, const struct route_result *to,
              const char *server_name);

/* A connection to a bind of kind TCP: passed on, or reset without a route. As l4_begin(). */
bool l4_accept(struct proxy_conn *c, struct stream *s, uint32_t bind);

/* Its TLS handshake is done: goes on in the next step of the loop. */
void l4_on_secure(struct l4 *l);

/* Resets both ends, and frees the client. */
void l4_cut(struct l4 *l, enum stat_id why);

/* Tells the access log that it has ended so. */
void access_tell_l4(const struct l4 *l, enum stat_id why);
