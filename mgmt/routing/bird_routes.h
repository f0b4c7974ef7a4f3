/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What BIRD 2 says to `show route`, line by line: a destination with its best route, below it the
 * others, below each the gateways.
 *
 *   10.244.1.0/24        unicast [peer-a 18:51:30.271] * (100) [AS65010i]
 *   <tab>via 198.18.0.2 on p0
 *                        unicast [peer-b 18:51:30.271] (100) [AS65010i]
 *   <tab>via 198.18.0.3 on p0
 *
 * Pure. Thread: any.
 */
#pragma once

#include "base/ip_addr.h"

#include <stdbool.h>
#include <stdint.h>

#define BIRD_NAME_BYTES 64u /* of protocols, with the NUL */
#define BIRD_LINK_BYTES 24u /* of the kernel's links */

/* A way that a protocol told. */
struct bird_route {
    struct ip_addr destination;
    uint8_t length; /* of its own family */
    bool is_best;   /* of those to the destination */
    struct ip_addr gateway;
    char link[BIRD_LINK_BYTES];
    char protocol[BIRD_NAME_BYTES];
};

/* Where a reader is; zero at first. */
struct bird_routes {
    struct bird_route route; /* but for the gateway */
    bool has_destination;
    bool has_way; /* the route leads somewhere */
};

/* Takes a line without code and newline. True: it ends a route, in *ret. What is none of the above
 * is passed over. */
bool bird_routes_line(struct bird_routes *r, const char *line, struct bird_route *ret);
