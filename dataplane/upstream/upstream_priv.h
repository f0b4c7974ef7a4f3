/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of upstream share. Thread: the worker. */
#pragma once

#include "base/list.h"
#include "base/pool.h"
#include "base/wheel.h"
#include "core/core.h"
#include "core/endpoint_table.h"
#include "http2/h2.h"
#include "upstream/upstream.h"

/* Lists of idle connections of an endpoint: by congestion control those that anybody may take, and
 * those that are their clients'. */
enum {
    UPSTREAM_CONGESTIONS = TCP_CONGESTION_BBR + 1,
    UPSTREAM_IDLE_KEPT = UPSTREAM_CONGESTIONS,
    UPSTREAM_IDLE_LISTS,
};

/*
 * One address and port with at least one connection. Reached by the hash table `buckets`; lives
 * from the first connection to the last.
 *
 * Invariants: it has a busy or an idle connection, or a session; the lists of `idle_conns` have
 * `idle` entries.
 */
struct upstream_endpoint {
    struct list_node link; /* in its bucket */
    struct upstream_conn_id id;
    uint32_t group; /* that led here last: who is asked whether it is still listed */
    uint32_t busy;
    uint32_t idle;
    struct list_node idle_conns[UPSTREAM_IDLE_LISTS]; /* see above; last used first */
    struct list_node sessions;                        /* struct upstream_session */
};

/* A connection of HTTP/2; lives as long as that. */
struct upstream_session {
    struct h2_session *h2;
    struct upstream *upstream;
    struct upstream_endpoint *endpoint;
    struct list_node link;    /* of endpoint->sessions */
    struct wheel_timer timer; /* while it has no stream */
    enum tcp_congestion congestion;
    enum image_proxy_header header;
    struct upstream_tls_id tls;
    bool is_closing; /* by us, and counted */
};

/* A connection, or a stream of one that speaks HTTP/2. Busy: `idle_link` and `age_link` on no list.
 * Idle: on both; with a header keep->conn is it. */
struct upstream_conn {
    struct http_client http;
    struct upstream *upstream;
    struct upstream_endpoint *endpoint;
    struct upstream_session *session; /* NULL: it is a connection of its own */
    struct upstream_keep *keep;       /* with a header: its client's; NULL: it is not kept */
    struct list_node idle_link;       /* in one of endpoint->idle_conns */
    struct list_node age_link;        /* in upstream->ages: longest idle first */
    uint64_t idle_until_us;
    enum tcp_congestion congestion;
    enum image_proxy_header header;
    struct upstream_tls_id tls;
    bool is_reused;
};

struct upstream {
    struct core *core;
    const struct endpoint_table *table;
    const struct http_env *env;
    struct h2 *h2;
    struct upstream_config config;
    struct upstream_dialer dialer;
    struct tls_context *tls; /* of all connections that are secured */
    struct pool conns;
    struct pool sessions;
    struct pool endpoints;
    struct list_node *buckets;
    uint32_t buckets_mask;
    uint32_t *turns; /* by group: whose turn it is, where that decides */
    uint32_t idle;
    struct list_node ages;
    struct wheel_timer idle_timer; /* for the first of `ages` */
    uint64_t change;        /* of the table, up to which vanished endpoints were looked for */
    uint64_t change_wanted; /* when the walk under way began */
    uint32_t walk;          /* next bucket of that walk; 0: none is under way */
};

/* The endpoint with that id; NULL: it has no connection. */
struct upstream_endpoint *upstream_endpoint_find(const struct upstream *u,
                                                 const struct upstream_conn_id *id);

/* The same, made when there is none; NULL: the pool is empty. */
struct upstream_endpoint *upstream_endpoint_get(struct upstream *u,
                                                const struct upstream_conn_id *id);

/* Gives it back when its last connection is gone. */
void upstream_endpoint_check_end(struct upstream *u, struct upstream_endpoint *e);

/* Closes one idle connection in good order and counts it as `why`. */
void upstream_close_idle(struct upstream *u, struct upstream_conn *c, enum stat_id why);

/* Closes the connection that was idle longest, if one is. */
void upstream_close_oldest_idle(struct upstream *u);

/* Counts that a request for a connection ended so; returns `r`. */
enum upstream_result upstream_count_failure(struct upstream *u, enum upstream_result r);

/* What a connection that is nobody's hears. */
extern const struct http_client_ops upstream_idle_ops;

/* Opens a connection to `e` of the kind asked for. False: no way, no port or no memory. */
bool upstream_dial(struct upstream *u, const struct upstream_endpoint *e,
                   const struct upstream_ask *ask, struct stream **ret_stream);

/* upstream_h2.c: a stream to `e`. */
enum upstream_result upstream_h2_get(struct upstream *u, struct upstream_endpoint *e,
                                     const struct upstream_ask *ask,
                                     struct upstream_conn **ret_conn);

/* Closes the endpoint's sessions without a stream; it may be gone afterwards. Returns how many. */
unsigned upstream_h2_purge(struct upstream_endpoint *e);

/* ---- upstream_tls.c ---- */

/* Secures a stream that was just opened. False: no memory, and it is gone. */
bool upstream_secure(struct upstream *u, const struct upstream_ask *ask, struct stream **stream);

/* Is a connection that is secured so one that is asked for? */
bool upstream_is_asked(const struct upstream_tls_id *tls, const struct upstream_ask *ask);

/* What the connection that is asked for will be told apart by. */
struct upstream_tls_id upstream_tls_of(const struct upstream_ask *ask);

/* Asserts the invariants. */
void check_upstream(const struct upstream *u);
