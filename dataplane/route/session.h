/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client carries so that its session stays at one endpoint: made, read and told apart.
 *
 *   salt (64 bits)   when the session began, in seconds since 1970, and 24 bits by chance
 *   token (64 bits)  SipHash under token_key of the salt and the endpoint's address and port
 *   seal (64 bits)   SipHash under seal_key of the two
 *
 * as 48 hexadecimal digits, lower case. Known ways: a table from sessions to endpoints (would have
 * to be the same in all workers and outlive them), the address itself, hidden or not (a client
 * could choose, and whoever sees two can tell how many endpoints there are), a hash of the session
 * over the list of endpoints (sessions move when the list changes). So the value names its endpoint
 * to who has the keys and nobody else: it is looked for among the endpoints that the group has, one
 * hash each. The seal tells what was never ours before anything is looked for, so that a forged
 * value costs one hash; and it makes the beginning something to rely on. Each value has a salt of
 * its own: two clients cannot see that they share an endpoint. Groups of many thousand endpoints
 * would change our mind: then the address would be encrypted, and looking would be comparing.
 *
 * Owner: none, pure. Thread: any, on an image that image_check() accepted. Memory: the caller's.
 * Bound: linear in what is given. Station on the path: 7, who answers.
 */
#pragma once

#include "abi/image.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTE_SESSION_VALUE_BYTES 48u
/* Of Set-Cookie: name, value and path, and what stands around them. */
#define ROUTE_SESSION_COOKIE_BYTES_MAX                                                             \
    (IMAGE_SESSION_NAME_BYTES_MAX + ROUTE_SESSION_VALUE_BYTES + IMAGE_COOKIE_PATH_BYTES_MAX + 96u)

/* A value that was ours. */
struct route_session {
    uint64_t salt;
    uint64_t token;
};

/*
 * The next pair of a Cookie field (RFC 6265, section 4.2.1), taken off `*rest`. False: no more. As
 * section 5.4 has clients that send what they were told, and many are told nonsense, parts without
 * a name are passed over instead of spoiling the field: what is strict is how our own value is
 * read.
 */
bool route_cookie_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value);

/* Is it a value that we made under this persistence, and is its session not over? Without a clock
 * (`unix_s` 0) none is. Cost: a hash. */
bool route_session_read(const struct image_persistence *p, struct slice value, uint64_t unix_s,
                        struct route_session *ret);

/* Is the endpoint the session's? Cost: a hash. */
bool route_session_is_at(const struct image_persistence *p, const struct route_session *session,
                         const struct ip_addr *addr, uint16_t port);

/* The salt of a session that begins now. `chance`: from all numbers alike. */
uint64_t route_session_salt(uint64_t unix_s, uint64_t chance);

/* Writes the value for a session with that salt at the endpoint. */
void route_session_write(const struct image_persistence *p, uint64_t salt,
                         const struct ip_addr *addr, uint16_t port,
                         char ret[ROUTE_SESSION_VALUE_BYTES]);

/* Writes the Set-Cookie that tells a client the value, Secure or not; returns its length. Only for
 * COOKIE. */
size_t route_session_cookie(const struct image_view *v, const struct image_persistence *p,
                            const char value[ROUTE_SESSION_VALUE_BYTES], bool is_secure,
                            char ret[ROUTE_SESSION_COOKIE_BYTES_MAX]);
