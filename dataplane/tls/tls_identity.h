/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a server is, and the proof: a certificate chain with its private key, read once and shared by
 * all connections that show it.
 *
 * Owner: whoever made it, until tls_identity_free(); connections that were shown it keep what they
 * need of it. Thread: made and freed beside the workers; read-only in between. Memory: the
 * library's; the private key in its secure heap where one was made (locked, not in core dumps).
 */
#pragma once

#include "tls/tls.h"

struct tls_identity;

/* Of private keys: two KiB each for as many as a segment can have. Pages are taken when they are
 * needed. Beyond, no more keys can be loaded. */
#define TLS_SECURE_HEAP_BYTES (128u << 20)

/* Makes the secure heap, once in a process and before the first key. False: the system does not let
 * us lock memory; keys then lie in the common heap. */
bool tls_secure_heap_new(void);

/* Reads a chain (leaf first) and its key, both PEM, and checks that they belong together. Behind
 * the chain there may be an OCSP response for the leaf (a block called OCSP RESPONSE). Cost:
 * public-key work, some 100 us. *ret is untouched unless OK. */
enum tls_fault tls_identity_new(struct slice certificate_chain, struct slice private_key,
                                struct tls_identity **ret);

/* NULL is fine. */
void tls_identity_free(struct tls_identity *identity);

/* Does the certificate hold this name, exactly or by a wildcard (RFC 6125, section 6.4)? */
bool tls_identity_has_name(const struct tls_identity *identity, const char *name);
