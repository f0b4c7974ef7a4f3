/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows as they are named on the command line:
 *
 *   MATCH  END | END,END        one end of the flow, or both
 *   END    [ADDRESS][/LENGTH][:PORT], IPv6 with a port in brackets: [2001:db8::1]:443
 *
 * "198.18.0.10", "198.18.0.0/24:80", ":443", "2001:db8::/64", "198.18.0.10:40000,198.18.0.141:80".
 * Pure.
 */
#pragma once

#include "abi/observe.h"

#include <stdbool.h>

#define MATCH_END_TEXT_BYTES 56u /* the longest address, brackets, colon, port, NUL */

/* Reads one match. False: it is none; *ret is untouched. */
bool match_parse(const char *text, struct observe_match *ret);

/* Address and port as an END. Returns buf. */
const char *match_end_format(const struct ip_addr *address, uint16_t port,
                             char buf[MATCH_END_TEXT_BYTES]);
