/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who would get a request, and why nobody else: what `sluicectl explain` shows. The request goes
 * through the parser and the matcher of the dataplane (http_parse_request(), route_explain()), on
 * the image that the workers have, so the answer is theirs. Nothing is sent.
 *
 *   spec                                   status
 *     method   "GET" if not given            outcome, explanation    of route/route.h
 *     url      "http://a.example.com/x?q"    address, port, listener, hostname, path
 *              "tcp://db:5432" "udp://dns:53" "dns://dns/www.example.com"
 *     address  Gateway's or Service's        congestionControl       of what the client is sent
 *              address; without it, the      route, rule, match      "namespace/name", places
 *              Gateway's that answers best   answer                  what the client would get
 *                                            clientNamespace         whose routes alone count for
 *                                                                    the client (of a Service)
 *                                            proxyProtocol           "Require", if it is required
 *     client   address of who asks           access                  AccessPolicies: policy, says
 *              (without: nobody's)                                   (of the client), realm
 *     headers  [{name, value}]               backends                name, weight, share,
 *                                                                    congestionControl, balancing,
 *                                                                    hashOn if it is by a hash,
 *                                                                    proxyProtocol if one is sent,
 *                                                                    forwarding if it is no
 *                                                                    request's
 *                                            lists                   before the port: list, says;
 *                                            dropped                 one is against the client
 *                                            connections             policy, max, maxPerClient
 *                                            timeouts, retry,        of the rule, as its objects
 *                                            rateLimits,             say; left out where it has
 *                                            sessionPersistence,     none
 *                                            mirrors
 *                                            candidates              who lost, and because of what
 *                                            candidatesOmitted       beyond EXPLAIN_CANDIDATES_MAX
 *
 * Who may not read a namespace is told that something of it takes the request or comes before, but
 * not what it is.
 *
 * Thread: mgmtd's; pure. Cost: linear in the image.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#define EXPLAIN_CANDIDATES_MAX 100u   /* what somebody may want to read */
#define EXPLAIN_HEAD_BYTES_MAX 16384u /* the dataplane's limit of a request head */

struct explain_input {
    const void *image; /* that image_check() accepted */
    const json_t *spec;
    /* May the asker read objects of this namespace? NULL: of all. */
    bool (*may_read)(void *arg, const char *namespace);
    void *arg;
};

/* The status, a new object; NULL: the spec is no request, `*ret_error` says why (static text). */
json_t *explain_request(const struct explain_input *in, const char **ret_error);
