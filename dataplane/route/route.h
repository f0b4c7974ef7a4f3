/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Route match on the image: values in, values out. No clock, no memory, no mbuf, no counter: the
 * same function answers for a worker, for `explain` in mgmt, and for the tests.
 *
 * Owner: none. Thread: any, on an image that image_check() accepted. Cost: does not grow with the
 * number of listeners, hosts, paths and matches: a probe a label, and for the matches of one path a
 * probe a guard; see abi/image.h. Order of precedence: see match.c.
 */
#pragma once

#include "abi/image.h"
#include "base/slice.h"
#include "route/pattern.h"

#include <stdbool.h>
#include <stdint.h>

/* As struct http_field, so that a parsed head is matched without a copy. */
struct route_field {
    struct slice name;
    struct slice value;
};

/* What is known of a request when it is matched. Slices borrow. */
struct route_request {
    uint32_t bind;       /* from route_bind_find() */
    struct slice host;   /* lower case, without port; IPv6 literals with brackets */
    struct slice path;   /* begins with '/', normalized, without query */
    struct slice query;  /* without '?', may be empty */
    struct slice method; /* as on the wire */
    const struct route_field *fields;
    uint32_t n_fields;
    struct route_reader reader; /* who asks the image's patterns */
};

/* How a match can end. */
#define ROUTE_OUTCOME_LIST(X)                                                                      \
    X(RULE, "a rule takes it")                                                                     \
    X(NO_LISTENER, "no listener of this address and port has the host: 404")                       \
    X(NO_HOST, "no route of the listener has the host: 404")                                       \
    X(NO_RULE, "no rule of the host's routes matches: 404")

enum route_outcome {
#define X(name, help) ROUTE_OUTCOME_##name,
    ROUTE_OUTCOME_LIST(X)
#undef X
};

struct route_result {
    enum route_outcome outcome;
    uint32_t listener; /* valid from NO_HOST on and for RULE */
    uint32_t host;     /* these three index the image's tables; valid for RULE */
    uint32_t match;
    uint32_t rule;
};

/* The bind of a local address and port (TCP); false: nobody listens. O(1). */
bool route_bind_find(const struct image_view *v, const struct ip_addr *local, uint16_t port,
                     uint32_t *ret_bind);

/* The listener of the bind with the most specific hostname that `host` (lower case; empty: none was
 * named) has; false: there is none. */
bool route_listener_find(const struct image_view *v, uint32_t bind, struct slice host,
                         uint32_t *ret_listener);

#define ROUTE_AHEAD_MAX 4u /* labels of a host that are asked for before the first is there */

/* Hashes of the first labels of a name in a trie whose root has the hash `above`. */
struct route_hashes {
    uint64_t above;
    uint32_t n;
    uint64_t hashes[ROUTE_AHEAD_MAX];
};

/* What a match will most likely need; only route_match_ahead() looks into it. */
struct route_ahead {
    const struct image_value *listener; /* NULL: none has the host */
    struct route_hashes host;
    struct route_hashes path; /* for another trie than that of the host's exact entry: useless */
};

/* Begins to match a request: what lies in a large table is asked for from memory, and comes while
 * the caller does something else. `*ret` is good for this request and image. */
void route_look_ahead(const struct image_view *v, const struct route_request *request,
                      struct route_ahead *ret);

/* Which rule takes the request that route_look_ahead() was asked about. */
void route_match_ahead(const struct image_view *v, const struct route_request *request,
                       const struct route_ahead *ahead, struct route_result *ret);

/* Both at once. `request->bind` is of this image. */
void route_match(const struct image_view *v, const struct route_request *request,
                 struct route_result *ret);

/* Which rule takes a connection or a flow that is passed on as it is: nothing is known of it but
 * the server name that it asks for, lower case ("": none). */
void route_match_flow(const struct image_view *v, struct route_reader reader, uint32_t bind,
                      const char *server_name, struct route_result *ret);

/* Which rule takes a query of DNS, whose name and type are told as dns/dns.h has them. */
void route_match_name(const struct image_view *v, struct route_reader reader, uint32_t bind,
                      struct slice path, const char *method, struct route_result *ret);

/* "NO_HOST" and so on. */
const char *route_outcome_name(enum route_outcome outcome);

/* Why a candidate did not take a request: X(NAME, help). */
#define ROUTE_LOSS_LIST(X)                                                                         \
    X(NONE, "it takes the request")                                                                \
    X(LISTENER, "another listener's hostname is more specific, or this one's does not match")      \
    X(HOST, "the hostname does not match")                                                         \
    X(PATH, "the path does not match")                                                             \
    X(CALL, "it is no call of gRPC, a POST to /service/method")                                    \
    X(METHOD, "the method is another")                                                             \
    X(HEADER, "a header is absent or does not have the value")                                     \
    X(QUERY, "a query parameter is absent or does not have the value")                             \
    X(PRECEDENCE, "it matches, but another match comes first")

enum route_loss {
#define X(name, help) ROUTE_LOSS_##name,
    ROUTE_LOSS_LIST(X)
#undef X
};
