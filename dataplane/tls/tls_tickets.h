/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of session tickets (RFC 5077; RFC 8446, section 4.6.1): one seals new tickets, some
 * more open older ones and those of a box whose clock is ahead. Written rarely by one, read in
 * handshakes by all workers, who never wait: a reader that meets a change reads again.
 *
 * Owner: whoever made it. Thread: tls_tickets_set() one, reading any.
 */
#pragma once

#include "abi/keys.h"

#include <stdbool.h>
#include <stdint.h>

/* How long a key seals; it opens for as long again before and after. A session is resumed within
 * that, so what a stolen key opens is a day and a half of sessions of TLS 1.2; those of 1.3 have a
 * key exchange of their own. */
#define TLS_TICKET_EPOCH_S 43200u
#define TLS_TICKET_SECRET_BYTES 32u

struct tls_tickets;

/* None yet: sessions are not resumed. NULL: no memory. */
struct tls_tickets *tls_tickets_new(void);

/* Nobody reads any more. NULL is fine. */
void tls_tickets_free(struct tls_tickets *t);

/* These from now on, the first seals. n <= KEYS_TICKETS_MAX. */
void tls_tickets_set(struct tls_tickets *t, const struct keys_ticket *keys, unsigned n);

/* The keys now; returns how many. */
unsigned tls_tickets_get(const struct tls_tickets *t, struct keys_ticket ret[KEYS_TICKETS_MAX]);

/* The keys of a time, made of a secret: the epoch's, the last one's, the next one's. Whoever has
 * the secret has the same keys. False: the library failed. */
bool tls_tickets_derive(const uint8_t secret[TLS_TICKET_SECRET_BYTES], uint64_t unix_s,
                        struct keys_ticket ret[KEYS_TICKETS_MAX]);
