/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom one believes: a bundle of CA certificates, read once and shared by all connections that
 * verify their peer by it. Each of them is believed by itself, whoever signed it: a bundle may be
 * one intermediate CA, or a server's own certificate.
 *
 * Owner: whoever made it, until tls_trust_free(); connections that verify by it keep what they need
 * of it. Thread: made and freed beside the workers; read-only in between, but for the library's own
 * lock, which a handshake that verifies takes for a look-up. Memory: the library's.
 */
#pragma once

#include "tls/tls.h"

struct tls_trust;

/* Clients are told so many names of CAs, that they may choose among their certificates; of a bundle
 * with more, none: a client with one certificate need not choose. */
#define TLS_TRUST_NAMES_MAX 64u

/* Reads all certificates of the PEM text; one at least, and no text that is none. *ret is untouched
 * unless OK. Cost: some 20 us a certificate. */
enum tls_fault tls_trust_new(struct slice pem, struct tls_trust **ret);

/* NULL is fine. */
void tls_trust_free(struct tls_trust *trust);
