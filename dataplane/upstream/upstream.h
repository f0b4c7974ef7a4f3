/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends of one worker: which endpoint of a group gets the next request, and connections to
 * endpoints, kept for reuse. Connections are keyed by the endpoint's address and port, by their
 * congestion control and by how they are secured, not by group or generation: a change of
 * configuration does not throw warm connections away. What is wanted decides which idle ones may be
 * taken; those that nobody wants any more age and go. So one that was opened by another policy,
 * with other CAs or another certificate of ours, is never used.
 *
 * A connection that begins with a PROXY protocol header tells one client's address, so it is that
 * client's alone (HAProxy's proxy-protocol.txt, section 2): between requests it is idle in its
 * client's struct upstream_keep, for nobody else, and it goes with its client.
 *
 * Life of a connection: opened for an exchange -> busy -> idle -> busy ... -> closed. Idle ones are
 * closed after idle_timeout_ms, when there are too many (the longest unused first), when the
 * backend closes them, and when no group lists their endpoint any more. Busy ones always finish.
 *
 * Owner: the worker. Thread: the worker. Memory: pools sized at start. Station on the path: after
 * route, before the backend's tcp.
 */
#pragma once

#include "abi/image_format.h"
#include "http/http_client.h"
#include "tcp/tcp.h"
#include "tls/tls.h"

#include <stdbool.h>
#include <stdint.h>

struct core;
struct h2;
struct image_health;
struct image_view;
struct endpoint_table;
struct flow_tuple;
struct upstream;

struct upstream_config {
    uint32_t conns_max;             /* connections of this worker, busy and idle */
    uint32_t endpoints_max;         /* distinct addresses with a connection or a request */
    uint32_t idle_max;              /* idle connections of this worker */
    uint32_t idle_per_endpoint_max; /* idle connections to one endpoint */
    uint32_t busy_per_endpoint_max; /* connections in use to one endpoint: beyond, 503 */
    uint32_t idle_timeout_ms;       /* below what backends close after: 4 s where nginx takes 75 */
    uint32_t connect_timeout_ms;
};

/* How a connection to an endpoint is opened; tcp_open() in the dataplane, memory in tests. */
struct upstream_dialer {
    enum tcp_open_fault (*open)(void *owner, const struct tcp_open_args *args,
                                struct stream **ret_stream);
    /* Is there a way to the address now? An idle connection to where there is none any more is as
     * good as dead, and nobody would hear of it for long. NULL: always. */
    bool (*has_way)(void *owner, const struct ip_addr *remote);
    void *owner;
};

/* One connection to a backend, or a stream of one that others use too (HTTP/2). `http.ops` and
 * `http.owner` belong to whoever got it. */
struct upstream_conn;

/* The part that the user of a connection works with. */
struct http_client *upstream_conn_http(struct upstream_conn *c);

struct upstream_conn_id {
    struct ip_addr addr;
    uint16_t port;
};

/* Where it leads. */
const struct upstream_conn_id *upstream_conn_id(const struct upstream_conn *c);

/* Has it answered a request before? Then a request that dies without a byte of an answer may be
 * tried once more on a fresh connection. */
bool upstream_conn_is_reused(const struct upstream_conn *c);

/* May its backend refuse a request unseen (RFC 9113, section 8.7)? Then it may be tried once more,
 * whatever it asks for. */
bool upstream_conn_may_refuse(const struct upstream_conn *c);

/* Does its backend take requests for WebSocket? By HTTP/1.1 nobody can know; one that speaks HTTP/2
 * has said so or not (RFC 8441) when on_writable comes. */
bool upstream_conn_takes_upgrade(const struct upstream_conn *c);

/* Is it secured by TLS? */
bool upstream_conn_is_secured(const struct upstream_conn *c);

/* A client's idle connection, if it has one of its own. Zero it; it may not move. */
struct upstream_keep {
    struct upstream_conn *conn; /* NULL: none */
};

/* How a request for a connection can end. */
#define UPSTREAM_LIST(X)                                                                           \
    X(OK, "a connection, idle before or being opened")                                             \
    X(NO_ENDPOINT, "the group has no endpoint that may get a request")                             \
    X(LIMIT, "every endpoint that may get a request is at its limit of connections")               \
    X(NO_CONN, "the connection pool is empty")                                                     \
    X(OPEN_FAILED, "no way, no port or no memory to open one")

enum upstream_result {
#define X(name, help) UPSTREAM_##name,
    UPSTREAM_LIST(X)
#undef X
};

/* Makes the worker's upstream. `table`: the endpoint table, read only; `env`: head buffers; `h2`:
 * for backends that speak HTTP/2. */
struct upstream *upstream_new(struct core *core, const struct endpoint_table *table,
                              const struct http_env *env, struct h2 *h2,
                              const struct upstream_config *config);

/* Says how connections are opened; before the first request. */
void upstream_set_dialer(struct upstream *u, const struct upstream_dialer *dialer);

/* Resets all connections, and gives everything back. */
void upstream_done(struct upstream *u);

/* What a connection by TLS is told apart by; zero: it is none. */
struct upstream_tls_id {
    uint64_t v[4];
};

/* How a connection is secured. */
struct upstream_tls {
    struct upstream_tls_id id; /* tells `peer` */
    struct tls_wanted_peer peer;
};

/* What an image says of it (`index` of its backend_tls; `trusts` by its bundles), without an
 * identity and a protocol. Borrows from the image and `sans`. */
void upstream_tls_read(const struct image_view *v, const struct tls_trust *const *trusts,
                       uint32_t index, struct tls_san sans[TLS_SANS_MAX], struct upstream_tls *ret);

/* What is wanted. */
struct upstream_ask {
    uint32_t group;
    enum tcp_congestion congestion; /* of the group: the connection has it */
    enum image_proxy_header header; /* likewise: what its user has it begin with */
    enum image_backend_protocol protocol;
    const struct upstream_tls *tls;    /* NULL: it is in the clear */
    struct slice preface;              /* with a header and TLS: that header, which goes before */
    struct upstream_keep *keep;        /* of the client that the header tells; NULL: not kept */
    enum image_balancing balancing;    /* of the group; NONE as LEAST */
    uint64_t hash;                     /* MAGLEV: of the key; the same hash, the same endpoint */
    bool is_upgrade;                   /* the request will be one for WebSocket */
    bool is_fresh;                     /* never an idle connection: it is a second try */
    const struct image_health *health; /* the group's policy; NULL: it has none */
    const struct upstream_conn_id
        *avoid; /* it just failed: only if it is the only one; NULL: none */
    const struct upstream_conn_id *wanted; /* it, as long as it may get a request; NULL: any */
};

/* For upstream_ask.hash: what a request says. Without a secret, so that every box has the same. */
uint64_t upstream_hash(struct slice key);

/* The same of a client's address. */
uint64_t upstream_hash_client(const struct ip_addr *client);

/* The same of a flow's ends (local: where the client went) and its protocol. */
uint64_t upstream_hash_ends(const struct flow_tuple *ends, uint8_t proto);

/* Is this endpoint the one that is looked for? */
typedef bool (*upstream_is_fn)(const void *arg, const struct upstream_conn_id *id);

/* The endpoint of the group (with its health) that is it and that may get a request now: see
 * upstream_get(). False: there is none. Cost: linear in the group's endpoints, a call each. */
bool upstream_find(const struct upstream *u, const struct upstream_ask *ask, upstream_is_fn is,
                   const void *arg, struct upstream_conn_id *ret);

/*
 * A connection to an endpoint of the group: an idle one of the kind asked for unless `is_fresh`
 * (with a header: the client's own, if it leads to the endpoint that is chosen), else one that is
 * being opened. Endpoints: those that are READY and usable by the health policy; READY ones when
 * too few are usable; when there is none, those that still serve while they terminate. The one
 * that is wanted, if it is among them; of two chosen at random by weight, the one with fewer
 * requests under way for its weight (power of two choices), or as the balancing says: MAGLEV looks
 * the hash up in the group's table, and further on in it as long as an endpoint may not get the
 * request. Where that leads nowhere, and without a table (MAGLEV_GROUPS_MAX), each endpoint draws
 * for the key, by its weight: the same one for the same key until it goes. http.ops and http.owner
 * are set to the given ones. Cost: linear in the group's endpoints, a nanosecond each; O(1) in the
 * number of connections.
 */
enum upstream_result upstream_get(struct upstream *u, const struct upstream_ask *ask,
                                  const struct http_client_ops *ops, void *owner,
                                  struct upstream_conn **ret_conn);

/* Chooses one endpoint of the group that may get a request and is not at its limit, as
 * upstream_get() does. For who sends to it without a connection of ours. */
enum upstream_result upstream_pick(struct upstream *u, const struct upstream_ask *ask,
                                   struct upstream_conn_id *ret);

/* How a request to an endpoint of the asked group went, for its health policy. Cost: linear in the
 * group's endpoints where the policy ejects, else nothing. */
void upstream_note(struct upstream *u, const struct upstream_ask *ask,
                   const struct upstream_conn_id *id, bool is_ok);

/* The exchange is complete: keeps the connection for reuse when it can be reused, else closes it.
 * Not after on_end: then upstream_conn_drop(). */
void upstream_put(struct upstream *u, struct upstream_conn *c);

/* The client is gone: so does its idle connection, if it has one. */
void upstream_keep_drop(struct upstream *u, struct upstream_keep *keep);

/* The exchange is broken off: resets the connection. */
void upstream_abort(struct upstream *u, struct upstream_conn *c);

/* After on_end of the connection: gives its memory back. */
void upstream_drop(struct upstream *u, struct upstream_conn *c);

/* A connection whose bytes are not ours to read: opened for one client, and nobody's after it. It
 * counts as one in use to its endpoint. Zero it; it may not move while it is open. */
struct upstream_raw {
    struct upstream_endpoint *endpoint; /* NULL: it is not open */
};

/* Opens one to an endpoint of the group, which is chosen as upstream_get() does. The stream is the
 * caller's, who sets its on_event and owner. */
enum upstream_result upstream_raw_open(struct upstream *u, const struct upstream_ask *ask,
                                       struct upstream_raw *raw, struct stream **ret_stream);

/* Where it leads; NULL: it is not open. */
const struct upstream_conn_id *upstream_raw_id(const struct upstream_raw *raw);

/* Its stream was released, or will be at once. Nothing if it is not open. */
void upstream_raw_close(struct upstream *u, struct upstream_raw *raw);

/* The endpoint table changed: idle connections to endpoints that no group lists are closed, a
 * bounded number each time. Called once a poll; returns how many things it did. */
unsigned upstream_poll(struct upstream *u);

/* How many connections are not idle. For tests and gauges. */
uint32_t upstream_busy_count(const struct upstream *u);

/* How many connections wait for a request. For tests and gauges. */
uint32_t upstream_idle_count(const struct upstream *u);

/* Memory of the connections and endpoints that there are. For tests. */
size_t upstream_used_bytes(const struct upstream *u);
