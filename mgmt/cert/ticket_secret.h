/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keys of TLS session tickets are made of (tls/tls_tickets.h). Made at first boot and
 * kept, so that sessions outlive restarts of everything; boxes that share it resume each other's
 * sessions.
 *
 * Owner: mgmtd at start. Thread: one.
 */
#pragma once

#include "tls/tls_tickets.h"

/* The secret in <state_dir>/tls/tickets.secret (mode 0600), made if it is missing. -EKEYREJECTED: a
 * file is there that is none of ours, or the errno of a failed file operation. */
int ticket_secret_ensure(const char *state_dir, uint8_t ret[TLS_TICKET_SECRET_BYTES]);
