/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The side of HTTP that asks: of a connection of HTTP/1 (RFC 9112), where it writes one request at
 * a time to a stream, and reads its response, as strictly as requests are read; or of one exchange
 * that something else carries (http_carrier.h). Embedded in place, no allocation.
 *
 *   OPENING -> READY -> ASKING -> READY ...     ASKING: from http_client_send_head() until request
 * and |                    response are both complete
 *                          v
 *                       (on_end)
 *
 * Thread: the worker of the stream. Callbacks come from the stream's events only.
 */
#pragma once

#include "http/http_body.h"
#include "http/http_carrier.h"

struct http_client;

enum http_client_phase {
    HTTP_CLIENT_OPENING, /* the stream is not established */
    HTTP_CLIENT_READY,   /* may take a request */
    HTTP_CLIENT_ASKING,
};

/* How a connection can end without being asked to. */
#define HTTP_CLIENT_END_LIST(X)                                                                    \
    X(OPEN_FAILED, "never established: see stream_end()")                                          \
    X(IDLE_CLOSED, "the backend closed an idle connection")                                        \
    X(IDLE_BYTES, "the backend sent bytes that nobody asked for")                                  \
    X(NO_RESPONSE, "closed or reset before the first byte of a response")                          \
    X(CUT, "closed or reset within a response")                                                    \
    X(FAULT, "the response breaks the rules: http_client.fault")

enum http_client_end {
#define X(name, help) HTTP_CLIENT_END_##name,
    HTTP_CLIENT_END_LIST(X)
#undef X
};

struct http_client_ops {
    /* Room to write: established, or room again after less was taken than given. */
    void (*on_writable)(struct http_client *c);
    /* An informational head (1xx) or the final head is there: c->response->head, for use in this
     * callback only: a long body does not hold a buffer. 101 comes only where the request asks for
     * it, and has the callback call http_client_switch() or end the connection. */
    void (*on_response)(struct http_client *c);
    /* More of the response's body, or its end, may be there: see http_client_body_ready(). Also
     * comes once right after the final on_response. */
    void (*on_body)(struct http_client *c);
    /* It is over. The stream is released, buffers are given back; the last callback, and `c` may be
     * freed in it. c->fault is set for HTTP_CLIENT_END_FAULT. */
    void (*on_end)(struct http_client *c, enum http_client_end end);
};

struct http_client {
    struct stream *stream;
    const struct http_carrier *carrier; /* NULL: the stream is a connection of HTTP/1 */
    const struct http_env *env;
    const struct http_client_ops *ops; /* the owner may change: pool, exchange */
    void *owner;
    struct http_head_buf *response; /* from its first byte until on_response of the final head */
    struct http_body_in in;
    struct http_body_out out;
    enum http_client_phase phase;
    enum http_fault fault;
    enum stream_end end;    /* of the stream, set before on_end */
    bool *is_over;          /* set while its own event runs */
    bool is_head_request;   /* the response has no body */
    bool is_final_head;     /* the final response head was parsed */
    bool is_response_begun; /* at least one byte came */
    bool is_keep_alive;     /* the backend is willing */
    bool is_switch_asked;   /* the request asks to leave HTTP */
    uint8_t informationals;
    uint64_t requests; /* asked on this connection */
};

/* Takes over a stream that was opened just now. */
void http_client_init(struct http_client *c, struct stream *stream, const struct http_env *env,
                      const struct http_client_ops *ops, void *owner);

/* The same for one exchange over a stream that `carrier` knows; `is_open`: it is READY at once. */
void http_client_carry(struct http_client *c, struct stream *stream,
                       const struct http_carrier *carrier, const struct http_env *env,
                       const struct http_client_ops *ops, void *owner, bool is_open);

/* Head of a request. `fields` are end-to-end fields without Host; Host, framing and nothing else
 * are added here. One write with the preface. */
struct http_request {
    struct slice preface; /* goes before the head: what the connection has to begin with */
    struct slice method;
    struct slice path; /* begins with '/', or "*" */
    struct slice query;
    bool has_query;
    struct slice authority;
    const struct http_field *fields;
    uint32_t n_fields;
    enum http_body body; /* NONE, LENGTH, CHUNKED */
    uint64_t length;
    bool wants_trailers; /* its client does */
    bool is_upgrade;     /* to WebSocket: Connection and Upgrade are added; no body */
};

/* Sends a request's head; the connection is READY, or OPENING, then it goes out when that is done
 * (and a connection that is never established ends by NO_RESPONSE). False: too long, or no buffer
 * was left: nothing was sent. */
bool http_client_send_head(struct http_client *c, const struct http_request *r);

/* How many body bytes would be taken now. */
size_t http_client_write_room(const struct http_client *c);

/* Copies body bytes into the request. Returns bytes taken; fewer than given: on_writable comes. */
size_t http_client_write(struct http_client *c, struct slice bytes);

/* The request is complete: writes the last chunk. */
void http_client_end_request(struct http_client *c);

/* Is everything of the request with the stream? */
bool http_client_is_sent(const struct http_client *c);

/* How many bytes of the response's body can be read now. The same as for http_server. */
size_t http_client_body_ready(struct http_client *c);

/* Up to `n_max` pieces of them, in place; returns how many. */
unsigned http_client_body_peek(struct http_client *c, struct slice *ret, unsigned n_max);

/* The first `bytes` of them are done with. */
void http_client_body_consume(struct http_client *c, size_t bytes);

/* Has the whole response been consumed? */
bool http_client_body_is_done(const struct http_client *c);

/* HTTP_FAULT_none, or why the rest of the response can never be read. */
enum http_fault http_client_body_fault(const struct http_client *c);

/* After a complete exchange. True: the connection is READY for
 * another request; false: it must be let go by http_client_abort() or _close(). */
bool http_client_finish(struct http_client *c);

/* The 101 is taken: no HTTP from here on. Body bytes both ways are all bytes until the end of each
 * direction, moved by http_move.h. The connection cannot be used again. */
void http_client_switch(struct http_client *c);

/* The 101 does not fit the request: ends it by a fault. on_end comes. */
void http_client_refuse_switch(struct http_client *c);

/* Lets go in good order (FIN after what is queued). No callback comes. */
void http_client_close(struct http_client *c);

/* Lets go by a reset. No callback comes. */
void http_client_abort(struct http_client *c);

/* Asserts the invariants of a connection. */
void check_http_client(const struct http_client *c);
