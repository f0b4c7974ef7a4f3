/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's and a server's session with nothing between them but two streams in memory, of which
 * the test says how much they take at once. The server answers each request with its own body, or
 * as the path says:
 *
 *   /echo        200 and the request's body, with a length
 *   /open        the same, of unknown length
 *   /early       204 before the request's body has come
 *   /never       nothing
 *   /give        200 and PAIR_GIVEN_BYTES of unknown length
 *   /socket      101, if it is asked for WebSocket as HTTP/1.1 is; then what comes, until that ends
 */
#pragma once

#include "core/core.h"
#include "fake_env.h"
#include "fake_stream.h"
#include "http/http_client.h"
#include "http/http_server.h"
#include "http2/h2.h"

#define PAIR_CALLS_MAX 300u
#define PAIR_BODY_BYTES_MAX (1u << 20)
#define PAIR_GIVEN_BYTES 200000u

/* A request of the client's, and what came of it. */
struct pair_call {
    struct pair *pair;
    struct http_client http;
    struct slice body; /* to be sent */
    size_t sent;
    size_t got;           /* bytes of the answer's body, which are compared with `body` */
    bool is_same;         /* so far */
    uint16_t status;      /* 0: none came */
    bool is_done;         /* answered whole */
    bool is_held;         /* it reads nothing of the answer's body */
    unsigned place;       /* of those that are done, from 1 */
    const char *priority; /* its field; NULL: none */
    bool is_over;         /* ended by itself, as `end` says */
    enum http_client_end end;
};

/* A request at the server. */
struct pair_served {
    struct pair *pair;
    struct http_server http;
    uint8_t *body;
    size_t len;
    size_t answered;
    bool is_answering;
    bool is_socket;
    bool is_used;
};

struct pair {
    struct stats_worker stats;
    struct core core;
    struct fake_env env;
    struct h2 *h2;
    struct fake_stream server_lower;
    struct fake_stream client_lower;
    struct h2_session *server; /* NULL: it has ended */
    struct h2_session *client;
    enum h2_phase server_phase;
    unsigned client_rests; /* how often it heard that it has no stream */
    struct pair_call calls[PAIR_CALLS_MAX];
    unsigned n_calls;
    struct pair_served served[PAIR_CALLS_MAX];
    unsigned n_served; /* heard of */
    unsigned n_done;
    size_t step; /* bytes that go over at once */
    bool is_cut; /* nothing goes over */
};

/* Both sides, whose lower streams take `room` bytes each; `config` NULL: enough of everything. */
void pair_init(struct pair *p, size_t room, const struct h2_config *config);

/* The same, and neither has heard of the other: nothing goes over until is_cut is taken back. */
void pair_init_cut(struct pair *p, size_t room, const struct h2_config *config);

/* All must be over, and everything given back. */
void pair_done(struct pair *p);

/* Asks. NULL: the session has no room. */
struct pair_call *pair_ask(struct pair *p, const char *path, struct slice body);

/* The same with a Priority field. */
struct pair_call *pair_ask_as(struct pair *p, const char *path, struct slice body,
                              const char *priority);

/* One step of the loop. True: something moved. */
bool pair_step(struct pair *p);

/* Until nothing moves any more. */
void pair_run(struct pair *p);

/* Time passes. */
void pair_wait(struct pair *p, unsigned ms);

/* Reads of the answer what there is, from now on. */
void pair_read(struct pair_call *c);
