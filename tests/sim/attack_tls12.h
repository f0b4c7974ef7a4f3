/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of TLS 1.2 by hand, behind a handshake that a library has done: for a client that says
 * what no library would (RFC 5246, sections 6.2.3.3 and 6.3; RFC 5288). It knows one suite.
 *
 * Owner: whoever made it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct attack_tls12;
struct ssl_ctx_st;
struct ssl_st;

/* Of a record with so much in it. */
#define ATTACK_TLS12_OVERHEAD 29u

/* Clients of the context speak 1.2 and that suite. */
void attack_tls12_only(struct ssl_ctx_st *context);

/* The records that a client says next: its handshake has just ended, and it has said nothing. */
struct attack_tls12 *attack_tls12_after(struct ssl_st *ssl);

/* NULL is fine. */
void attack_tls12_free(struct attack_tls12 *t);

/* Writes a record of that type; `ret` has room for `n` and ATTACK_TLS12_OVERHEAD. Returns its
 * bytes. */
size_t attack_tls12_seal(struct attack_tls12 *t, uint8_t type, const uint8_t *from, size_t n,
                         uint8_t *ret);
