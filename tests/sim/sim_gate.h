/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A translator between HTTP/1 in memory and HTTP/2 on the wire. On a client's host it reads the
 * requests of a pipe one after the other, and asks each on a stream; on a backend's host it has the
 * request of one stream, and asks it through a pipe. What ends badly on one side does so on the
 * other. Owner: sim_h2.c.
 */
#pragma once

#include "base/list.h"
#include "http/http_client.h"
#include "http/http_server.h"

struct sim_client;
struct sim_h2;
struct sim_host;

/* What the gates of a host share. */
struct sim_gates {
    struct sim_h2 *h2;
    struct sim_host *host;
    struct sim_pipes *pipes;
    const struct http_env *env;
    struct list_node all;
};

/* Begins one whose requests come through a pipe, from `asker`. */
void sim_gate_ask(struct sim_gates *all, struct sim_client *asker, struct stream *pipe);

/* Begins one for a request that came on a stream of HTTP/2. */
void sim_gate_serve(struct sim_gates *all, struct stream *stream, struct http_head_buf *head,
                    enum http_fault fault, bool is_end);

/* Frees those that are over. */
void sim_gates_reap(struct sim_gates *all);

/* Ends those that are not. */
void sim_gates_end(struct sim_gates *all);
