/* SPDX-License-Identifier: Apache-2.0 */
/* Private to explain*.c. */
#pragma once

#include "compile/explain.h"
#include "http/http.h"
#include "route/explain.h"

/* A request as it would arrive. `head` points into `bytes`. */
struct explain_request {
    bool is_https;
    bool is_udp; /* its port is one of UDP */
    uint16_t port;
    bool has_address;
    struct ip_addr address;
    bool has_client;
    struct ip_addr client;
    struct http_head head;
    size_t len;
    uint8_t bytes[EXPLAIN_HEAD_BYTES_MAX];
};

/* Reads the spec and parses what it says as the dataplane would. False: `*ret_error` is set. */
bool explain_request_read(const json_t *spec, struct explain_request *ret, const char **ret_error);

/* One explanation under way. */
struct explanation {
    const struct explain_input *in;
    const struct explain_request *request;
    struct image_view view;
    struct route_request match;
    struct route_result result;
    json_t *candidates;
    unsigned omitted;
};

/* The text of an image's string as JSON; bytes that are no UTF-8 become an empty string. */
json_t *explain_text(const struct explanation *e, struct image_string s);

/* May the asker read the namespace that a name of the image ("namespace/...") begins with? */
bool explain_may_read(const struct explanation *e, struct image_string name);

/* Adds what the rule says of time limits, retries, rate limits, sessions and mirrors: each if there
 * is any. */
void explain_rule(const struct explanation *e, const struct image_rule *rule, json_t *status);

/* Adds what stands before the bind, if there is any: lists of clients, a limit of connections. */
void explain_gates(const struct explanation *e, const struct image_bind *bind, json_t *status);

/* Adds a candidate that lost; a route_candidate_fn with a struct explanation. */
void explain_candidate(void *arg, const struct route_candidate *candidate);
