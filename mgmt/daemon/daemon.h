/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of mgmtd share while it runs, and the order in which they are made: a row a part
 * in main.c, init down the list, done up. A part is made when all above it are there.
 *
 * Owner: main(). Thread: the loop's.
 */
#pragma once

#include "daemon/options.h"
#include "tls/tls_tickets.h"

struct api;
struct loop;
struct reconcile;
struct resolve;
struct routing;
struct store;
struct tls_context;

struct daemon {
    struct options options;
    struct loop *loop;
    struct store *store;
    struct tls_context *tls;
    uint8_t ticket_secret[TLS_TICKET_SECRET_BYTES];
    struct slice system_cas; /* owned */
    struct api *api;
    struct resolve *resolve;
    struct reconcile *reconcile;
    struct routing *routing;
};
