/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that begin with a SYN cookie, as seen from the wire: for clients that give one back
 * and endpoints that are asked then, and for the oracle, which finds packets by their numbers: of
 * these connections those of what an endpoint says are shifted.
 */
#pragma once

#include "core/flow_table.h"

#include <stdbool.h>
#include <stdint.h>

/* `client` and `server` are their ends as the box has them. */
struct l4_cookie {
    struct flow_tuple client;
    struct flow_tuple server; /* zero: no endpoint was asked yet */
    uint32_t iss;             /* the client's first number, */
    uint32_t number;          /* and the cookie */
    uint32_t delta; /* by which the endpoint's numbers are shifted, when both are joined */
};

/* None. */
void l4_cookies_begin(void);

/* A segment of the box's own went to a client: a cookie? */
void l4_cookies_down(const struct flow_tuple *client, const uint8_t *tcp);

/* A segment went to an endpoint. Not NULL: the box has said it in the client's name to join them,
 * or the client has said the same. */
const struct l4_cookie *l4_cookies_up(const struct flow_tuple *server, const uint8_t *tcp);

/* The `back`-th last; that of a client's ends; that of an endpoint's. NULL: there is none. */
const struct l4_cookie *l4_cookies_last(unsigned back);
const struct l4_cookie *l4_cookies_of_client(const struct flow_tuple *client);
const struct l4_cookie *l4_cookies_of_server(const struct flow_tuple *server);
