/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proxy with nothing real around it: client and backend streams in memory, an image from the
 * builder, time that the test moves. Clients push bytes and read answers; backends are played by
 * the test, or by an automaton that answers each request with what it got.
 *
 * The image: port 80 of 198.18.0.1; / -> group 1; /two -> groups 1 and 2 by weight 1:3; /none ->
 * group 9 (no endpoints); /fault -> a fault; /redirect -> 302; /headers -> header filters; /rewrite
 * -> URL rewrite; /cors -> CORS for https://a.example and below b.example; /cors-moved -> CORS for
 * all, and 302; /mirror -> group 1, with mirrors to groups 3 and 4 (no endpoints unless the test
 * puts some); /backend-headers -> header filters of a rule and of its backend; /retry -> three
 * retries of 500 and 503, 100 ms apart; /retry-late -> nine, 500 ms apart, of no status, a second
 * each, three in all; /retry-mirror -> three of 503, with a mirror to group 3; /session,
 * /session-split (groups 1 and 2), /session-drained (the same, group 1 with weight 0) and
 * /session-hour -> sessions in the cookie sid, /session-header -> in X-Session; /three-seconds,
 * /one-second -> group 1 with time limits; host other.example has no route but /any -> group 1; of
 * host limit.example all is group 1, too, within rate limits: /route -> 2 a second, /client -> 1 a
 * second by IPv4 /24 or IPv6 /64, /key -> 1 a second by header X-Key, /both -> 2 a second and by
 * X-Key 1 in 10 s, /script -> 1 in 10 s behind CORS for all, and then 302; of host access.example
 * all is group 1 for clients that its policies take: /deny -> all but 192.0.2.0/24, /allow -> just
 * these, but not 192.0.2.9, /both -> those that both take, /script -> as /allow, behind CORS for
 * all and with 1 request in 10 s, /basic -> for ada with her password, realm "the office", behind
 * CORS for all, /hidden -> for bob, whose credentials the backend does not get, /two-doors -> for
 * who is let in by both, /token -> for who has a token, realm "api", /token-hidden -> likewise, the
 * backend does not get it. Nobody looks at passwords and tokens unless the test does
 * (world_verdict()).
 * Endpoints: group 1 = 10.0.0.1:8080 and 10.0.0.2:8080.
 */
#pragma once

#include "abi/image.h"
#include "core/core.h"
#include "core/endpoint_table.h"
#include "fake_stream.h"
#include "proxy/proxy.h"

#include <stdbool.h>

#define WORLD_STREAMS_MAX 64
#define WORLD_ROUTES 3 /* places for what routes had: of two, and of all others */

/* A backend connection and what plays its other end. */
struct world_backend {
    struct fake_stream f;
    struct tcp_open_args args;
    size_t parsed; /* of what was written, already answered */
};

struct world {
    struct stats_worker stats;
    struct stats_route routes[WORLD_ROUTES];
    struct core core;
    struct rcu *rcu;
    struct endpoint_table *table;
    struct proxy *proxy;
    struct verify_lane *lane;
    const char *ada;       /* her hash in the next image; NULL: one */
    uint64_t token_id;     /* of /token's policy in the next image */
    bool is_drained;       /* the box is, by what world_publish() publishes */
    uint32_t token_from_s; /* what world_verdict() tells of times */
    uint32_t token_to_s;
    void *image;
    struct image_view view;
    unsigned pins;
    const struct image_health *health; /* of group 1 in the next image; NULL: it has no policy */
    enum image_congestion congestion;  /* of the bind and of group 1 in the next image */
    uint32_t idle_ms;                  /* of what is passed on to group 1; 0: as usual */
    enum image_hash_key hash_key;      /* what group 1 goes by in the next image; NONE: by load */
    const char *hash_name;
    bool is_proxied;                      /* the bind, likewise */
    bool is_all_passed_on;                /* of TLS: no listener terminates it */
    bool is_tls;                          /* likewise; nobody has a certificate */
    const char *trusted;                  /* who then is, a /24, likewise; NULL: everybody */
    enum image_proxy_header proxy_header; /* of groups 1 and 3, likewise */
    struct tcp_upcalls upcalls;
    struct fake_stream clients[WORLD_STREAMS_MAX];
    unsigned n_clients;
    struct world_backend backends[WORLD_STREAMS_MAX];
    unsigned n_backends;
    size_t out_room;            /* of new streams */
    bool is_manual;             /* backends do nothing by themselves */
    bool is_opening_held;       /* new backend connections stay unestablished */
    enum tcp_open_fault refuse; /* what an open gives */
};

/* Makes it. `config` may be NULL: small defaults. */
void world_init(struct world *w, const struct proxy_config *config);

/* Ends it: everything must be back in its pool. */
void world_done(struct world *w);

/* A client connects, from 192.0.2.7 or another address; the stream belongs to the proxy from now
 * on. */
struct fake_stream *world_connect(struct world *w);
struct fake_stream *world_connect_from(struct world *w, const char *address);

/* The client says something; then all goes on until nothing moves any more. */
void world_say(struct world *w, struct fake_stream *client, const char *text);

/* Delivers events, lets automatic backends answer, until nothing moves. */
void world_run(struct world *w);

/* Time passes, in steps of 10 ms. */
void world_wait(struct world *w, unsigned ms);

/* What the client has got so far, as text; takes it out of the stream. */
const char *world_got(struct world *w, struct fake_stream *client);

/* The newest backend connection, which the test plays. */
struct world_backend *world_last(struct world *w);

/* What the backend has got so far and not taken, as text. */
const char *world_asked(struct world_backend *b);

/* The backend answers. */
void world_reply(struct world *w, struct world_backend *b, const char *text);

/* Puts the group's endpoints: 10.0.0.<n> port 8080, with these flags, for each n of `last`. */
void world_endpoints(struct world *w, uint32_t group, const uint8_t *last, unsigned n,
                     uint32_t flags);

/* A new image that listens on this port in place of 80, or on 80 again. */
void world_publish(struct world *w, uint16_t port);

/* A new image in which port 80 is passed on. TCP: to group 1. TLS: the names below example, as an
 * HTTPS listener for www.secure.example lets them be: www.example to group 1, none.example to group
 * 9, no other has a route. */
void world_publish_l4(struct world *w, enum image_protocol protocol);

/* One with a TCP listener that has no route. */
void world_publish_nothing(struct world *w);

/* Answers the password that was asked first and has no answer yet; false: nobody asks. */
bool world_verdict(struct world *w, bool is_good);

/* A counter. */
uint64_t world_stat(const struct world *w, enum stat_id id);
