/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The side of HTTP that answers: of a connection of HTTP/1 (RFC 9112), where it reads one request
 * at a time from a stream, and writes its response; or of one exchange that something else carries
 * (http_carrier.h), which begins in EXCHANGE and ends with it. Embedded in place, no allocation.
 * Used by proxy over tcp and tls, and by mgmt over epoll sockets.
 *
 *   ACCEPT -> IDLE -> HEAD -> EXCHANGE -> IDLE ...
 *               |       |         |
 *               +-------+---------+--> DRAIN -> (on_end)
 *
 * IDLE: between requests, no buffer held. HEAD: some bytes of a head are there. EXCHANGE: from
 * on_request() to http_server_finish(); the next request is parsed only afterwards, so pipelining
 * is answered in order and is bounded. DRAIN: we have ended our direction and throw away what still
 * comes, so that the last response is not lost to a reset (RFC 9112, section 9.6).
 *
 * Thread: the worker or loop of the stream. Callbacks come from the stream's events, and from
 * http_server_finish() only.
 */
#pragma once

#include "http/http_body.h"
#include "http/http_carrier.h"

struct http_server;

enum http_server_phase {
    HTTP_SERVER_IDLE,
    HTTP_SERVER_HEAD,
    HTTP_SERVER_EXCHANGE,
    HTTP_SERVER_DRAIN,
};

/* What a connection of HTTP/2 begins with (RFC 9113, section 3.4). */
#define HTTP_H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* Bytes that DRAIN throws away: twice what a sender has under way on a long fast path. What comes
 * beyond is left unread, so that the peer's window closes, until the owner's timer ends the
 * connection: a reset any earlier could overtake the answer (RFC 9112, 9.6). */
#define HTTP_DRAIN_BYTES_MAX (1u * 1024u * 1024u)

/* The body of http_server_answer(). */
#define HTTP_ANSWER_BYTES_MAX 4096u

/* How a connection ended, for whoever counts; but for http_server_abort(), whose caller knows. */
#define HTTP_SERVER_END_LIST(X)                                                                    \
    X(client, "the peer ended between requests, or after our end")                                 \
    X(lost_idle, "the stream broke between requests or after our end")                             \
    X(lost_busy, "the stream broke within a request or its answer")                                \
    X(drain_bytes, "the owner's timer of DRAIN ran out, with HTTP_DRAIN_BYTES_MAX thrown away")    \
    X(drain_timeout, "it ran out, with less")                                                      \
    X(broken_off, "no buffer was left for an answer, or it fell short of its length")

enum http_server_end {
#define X(name, help) HTTP_SERVER_END_##name,
    HTTP_SERVER_END_LIST(X)
#undef X
};

struct http_server_ops {
    /* A request's head is there: s->request->head. Answer it now or later. */
    void (*on_request)(struct http_server *s);
    /* More of the request's body, or its end, or a fault in it may be there: see
     * http_server_body_ready(). Only in EXCHANGE. */
    void (*on_body)(struct http_server *s);
    /* There is room to write again. Only in EXCHANGE. */
    void (*on_writable)(struct http_server *s);
    /* The connection waits for something else now: arm the timer that fits, and nothing more. May
     * be NULL. */
    void (*on_phase)(struct http_server *s, enum http_server_phase phase);
    /* A head is refused, with the status of this fault: s->request, if it is not NULL, has what
     * came of it. To take note only. May be NULL. */
    void (*on_refusal)(struct http_server *s, enum http_fault fault);
    /* The connection begins with HTTP_H2_PREFACE, or has to, and all of it is unread:
     * http_server_leave(). NULL: nobody speaks HTTP/2 here. */
    void (*on_preface)(struct http_server *s);
    /* Did both sides agree to speak HTTP/2 before the first byte (ALPN)? With on_preface. */
    bool (*is_h2_agreed)(struct http_server *s);
    /* It is over, as s->end says: the stream is released, the buffers are given back; the last
     * callback, and `s` may be freed in it. `was_in_exchange`: a response was owed, and was not
     * finished. */
    void (*on_end)(struct http_server *s, bool was_in_exchange);
};

struct http_server {
    struct stream *stream;
    const struct http_carrier *carrier; /* NULL: the stream is a connection of HTTP/1 */
    const struct http_env *env;
    const struct http_server_ops *ops;
    void *owner;
    struct http_head_buf *request; /* HEAD, and EXCHANGE until http_server_drop_head() */
    struct http_body_in in;
    struct http_body_out out;
    enum http_server_phase phase;
    enum http_server_end end; /* for on_end() */
    bool *is_over;            /* set while its own event runs: finish() only takes note */
    bool is_owed;             /* a response is owed: on_request came, and it is not finished */
    bool is_finishing;        /* the response is complete, and what is left of it waits for room */
    bool is_head_sent;        /* of the final response */
    bool is_head_request;     /* the request's method is HEAD */
    bool wants_trailers;      /* the client says that it takes some */
    bool is_modern;           /* HTTP/1.1: understands chunks and informational answers */
    bool is_willing;          /* the client is willing to go on after this exchange */
    bool is_body_dropped;     /* this response has no body, whatever is written */
    bool is_closing;          /* the connection ends after this exchange */
    bool is_broken_off;       /* the stream was aborted by us */
    bool is_switched;         /* a 101 went out: no HTTP any more */
    uint32_t drained_bytes;
    uint64_t requests; /* heads parsed on this connection */
};

/* Takes over an accepted stream. Bytes that are there already are looked at with the next event;
 * so call it from the accept callback. */
void http_server_init(struct http_server *s, struct stream *stream, const struct http_env *env,
                      const struct http_server_ops *ops, void *owner);

/* Serves one exchange over a stream that `carrier` knows. `request` has the text of its head, as
 * http_parse_request() takes it, and is the server's from now on; `fault`: it is refused.
 * `is_end`: it has no body. Calls on_request, and on_end if that ends it, before it returns. */
void http_server_carry(struct http_server *s, struct stream *stream,
                       const struct http_carrier *carrier, const struct http_env *env,
                       const struct http_server_ops *ops, void *owner,
                       struct http_head_buf *request, enum http_fault fault, bool is_end);

/* In on_preface: gives the stream back to the owner. No callback comes. */
struct stream *http_server_leave(struct http_server *s);

/* The request's head is needed no more: gives its buffer back before the exchange ends, so that a
 * long response does not hold it. */
void http_server_drop_head(struct http_server *s);

/* --- the request's body ------------------------------------------------------------------- */

/* How many body bytes are at the front of the stream. 0: none now; ask http_server_body_is_done()
 * and http_server_body_fault() why. */
size_t http_server_body_ready(struct http_server *s);

/* These bytes as at most `n_max` slices, valid until consumed or moved. Returns how many slices. */
unsigned http_server_body_peek(struct http_server *s, struct slice *ret, unsigned n_max);

/* Drops the first `bytes` of them; opens the window for more. */
void http_server_body_consume(struct http_server *s, size_t bytes);

/* Has the whole body been consumed? True from the start when there is none. */
bool http_server_body_is_done(const struct http_server *s);

/* HTTP_FAULT_none, or why the rest of the body can never be read. */
enum http_fault http_server_body_fault(const struct http_server *s);

/* --- the response -------------------------------------------------------------------------- */

/* Head of a response. `fields` are end-to-end fields; framing, Connection and (when it is not among
 * them) Date are added here. */
struct http_response {
    uint16_t status;
    struct slice reason; /* .ptr NULL: the standard phrase */
    const struct http_field *fields;
    uint32_t n_fields;
    enum http_body body; /* UNTIL_CLOSE: of unknown length; becomes chunked where the client
                            understands that */
    uint64_t length;     /* of HTTP_BODY_LENGTH */
    bool has_trailers;   /* some may come behind its body */
};

/* Sends an informational head (100 to 199 but 101). Not sent to HTTP/1.0. False: as below. */
bool http_server_send_informational(struct http_server *s, const struct http_response *r);

/* Sends the final head; once an exchange. Body bytes are dropped for HEAD, 204 and 304. False: it
 * is too long, or no buffer was left: http_server_abort(). */
bool http_server_send_head(struct http_server *s, const struct http_response *r);

/* Sends 101 to a request for WebSocket: no HTTP from here on. Body bytes both ways are all bytes
 * until the end of each direction, moved by http_move.h. The connection stays in EXCHANGE; when
 * both directions have ended: http_server_finish(). False: as above. */
bool http_server_switch(struct http_server *s, const struct http_response *r);

/* How many body bytes would be taken now. */
size_t http_server_write_room(const struct http_server *s);

/* Copies body bytes into the response. Returns bytes taken; fewer than given: on_writable comes. */
size_t http_server_write(struct http_server *s, struct slice bytes);

/* A whole small answer: head, Content-Length, body, and finish. The same rules as
 * http_server_finish(). Closes the connection afterwards when the request's body has not arrived
 * yet. */
void http_server_answer(struct http_server *s, const struct http_response *r, struct slice body);

/*
 * The response is complete: writes the last chunk; when all is with the stream the connection goes
 * on to the next request, drains and closes, or ends. Called from a callback of this connection it
 * only takes note; called from elsewhere it may call on_request or on_end before it returns: make
 * it the last thing that you do. A body shorter than announced makes it an abort.
 */
void http_server_finish(struct http_server *s);

/* The connection ends after this exchange; when idle, at once (then it may call on_end before it
 * returns). */
void http_server_close(struct http_server *s);

/* Ends it now by a reset: for a response that cannot be completed. No callback comes; the stream is
 * released, the buffers are given back. Also the way to let go of a connection in any phase. */
void http_server_abort(struct http_server *s);

/* The owner's timer of this phase ran out: IDLE closes, HEAD answers 408, DRAIN ends; nothing in
 * EXCHANGE. May call on_end before it returns. */
void http_server_timeout(struct http_server *s);

/* HEAD: others need its buffer, which is given back at once; the answer is 408. May call on_end
 * before it returns. */
void http_server_shed_head(struct http_server *s);

/* Asserts the invariants of a connection. */
void check_http_server(const struct http_server *s);
