/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 of a host: what its clients and servers write and read stays the text of HTTP/1, made and
 * checked byte by byte; between that and the host's TCP stand the sessions of this file. Each
 * exchange is translated by a gate (sim_gate.h). Clients of one host and address family share a
 * connection, so that their streams run beside each other.
 *
 * The sessions are the product's own, as the hosts' TCP is. Owner: its host.
 */
#pragma once

#include "http2/h2.h"
#include "sim_pipe.h"

#include <stdbool.h>

struct sim_client;
struct sim_h2;
struct sim_host;

/* HTTP/2 for a host. */
struct sim_h2 *sim_h2_new(struct sim_host *host);

/* A stream for the client's requests: text that goes by HTTP/2. NULL: no connection can be opened.
 * STREAM_WRITABLE comes at once: whatever keeps the connection from opening breaks the exchange. */
struct stream *sim_h2_connect(struct sim_h2 *h, struct sim_client *asker);

/* A connection to a backend that speaks HTTP/2. False: there is no room for it. */
bool sim_h2_accept(struct sim_h2 *h, struct stream *lower);

/* Tells what is to be told; true: there was something. */
bool sim_h2_poll(struct sim_h2 *h);

/* Is there no session, exchange, pipe or head left? */
bool sim_h2_is_empty(const struct sim_h2 *h);

/* Ends all that there is, and frees it. */
void sim_h2_free(struct sim_h2 *h);

/* A stream for a request of a client's; NULL: there is none. For sim_gate.c. */
struct stream *sim_h2_open(struct sim_h2 *h, const struct sim_client *asker, bool *ret_is_open);
