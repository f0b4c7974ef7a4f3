/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Route match on the image: values in, values out. No clock, no memory, no mbuf, no counter: the
 * same function answers for a worker, for `explain` in mgmt, and for the tests.
 *
 * Owner: none. Thread: any, on an image that image_check() accepted. Cost: does not grow with the
 * number of routes (hash probes on host and path segments). Order of precedence: Gateway API,
 * HTTPRouteRule.matches.
 */
#pragma once

#include "abi/image.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>


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

/* Which rule takes the request. */
void route_match(const struct image_view *v, const struct route_request *request,
                 struct route_result *ret);
