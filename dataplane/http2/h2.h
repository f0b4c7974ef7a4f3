/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 (RFC 9113) over a stream, on either side, by nghttp2: a session is a connection of HTTP/2,
 * and each of its streams is one core/stream.h that carries the body of one exchange, while its
 * heads go by h2_carrier (http/http_carrier.h). So whoever exchanges messages sees the same
 * http_server or http_client as over HTTP/1.
 *
 * Bytes are copied once on their way: what comes is looked at where the lower stream has it, and
 * kept only if nobody takes it at once; what goes is written through to the lower stream at once,
 * or not taken. A stream's window is opened by consuming, so a slow receiver holds his own stream
 * up and no other.
 *
 * A peer whose frames cost more than they are good for (resets, pings, settings, empty frames) is
 * told ENHANCE_YOUR_CALM: each such frame takes from a credit that bytes and time give back.
 *
 * Owner: the worker; a session its owner's, until on_end. Thread: the worker. Memory: pools sized
 * at start; nghttp2's own from a block that each session has, where sessions are short and few, or
 * from the heap within a budget. Station on the path: after tcp or tls, before proxy.
 */
#pragma once

#include "core/stream.h"
#include "http/http_carrier.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core;
struct h2;
struct h2_session;

/* Streams of a client at once: what browsers ask for (section 6.5.2 recommends 100 or more). */
#define H2_STREAMS_MAX 128u
/* And of ours, at a backend that has not told yet how many it takes: likewise. */
#define H2_STREAMS_UNTOLD 100u
/* Of a stream, unread: a client that is 100 ms away can send 20 Mbit/s. */
#define H2_STREAM_WINDOW_BYTES 262144u
/* Of a connection, under way. */
#define H2_SESSION_WINDOW_BYTES 1048576u
/* Of a buffer for unread bytes. */
#define H2_PIECE_BYTES 4096u
/* Fields of a head that is too long are thrown away so far; what is longer ends the connection. */
#define H2_WASTE_BYTES_MAX 65536u
/* How long a client has to hear that it should ask no more, before what it asks then is refused. */
#define H2_DRAIN_MS 1000u
/* How long a client may still send when our last answer has gone out, and how much of that is
 * thrown away; as with HTTP/1 (http_server.h, DRAIN). */
#define H2_LINGER_MS 5000u
#define H2_LINGER_BYTES_MAX (1u * 1024u * 1024u)
/* Bytes of a turn, when several streams want to write (RFC 9218): a frame of the usual size. */
#define H2_TURN_BYTES 16384u
/* Every so many turns one goes to the stream that waits longest, however urgent others are. */
#define H2_TURNS_OF_OTHERS 8u
/* Priorities that are remembered of requests that have not come yet; beyond, the oldest goes. */
#define H2_EARLY_MAX 8u
/* Fields of a head that goes out. */
#define H2_FIELDS_OUT_MAX 320u
/* What frames may cost: two hundred resets at once, and then five a second; or 400 pings, and ten a
 * second. An honest client never has so many for so few bytes. */
#define H2_CREDIT_MAX 2000u
#define H2_CREDIT_PER_SECOND 50u
/* A request that was answered whole gives as much as goes along with it: gRPC's libraries measure
 * the way by a PING or two a call, and make room by a WINDOW_UPDATE or two. */
#define H2_CREDIT_PER_STREAM 14u
#define H2_COST_RESET 10u
#define H2_COST_PING 5u /* and SETTINGS: they want an answer */
#define H2_COST_FRAME 1u

struct h2_config {
    uint32_t sessions_max;
    uint32_t streams_max;   /* of all sessions */
    uint32_t pieces_max;    /* buffers for unread bytes, H2_PIECE_BYTES each */
    uint32_t session_bytes; /* nghttp2's memory for a session, in a block of its own; 0: it is the
                               heap's, for all sessions together within */
    size_t heap_bytes_max;  /* that */
};

/* What a session waits for. */
enum h2_phase {
    H2_IDLE, /* it has no stream */
    H2_BUSY,
    H2_HEAD, /* for the rest of a head */
};

struct h2_session_ops {
    /* Of a server: a request on a stream of its own, whose head is in `head`, the callee's from now
     * on, or which is refused for `fault`: http_server_carry() takes them all. */
    void (*on_request)(struct h2_session *s, struct stream *stream, struct http_head_buf *head,
                       enum http_fault fault, bool is_end);
    /* It waits for something else now, or for another head; to arm a timer. */
    void (*on_phase)(struct h2_session *s, enum h2_phase phase);
    /* It is over; all its streams were told. The last callback. */
    void (*on_end)(struct h2_session *s);
};

/* The worker's. `http`: head buffers, and where faults are counted. */
struct h2 *h2_new(struct core *core, const struct http_env *http, const struct h2_config *config);

/* Frees what h2_new() took from the heap; there is no session any more. */
void h2_done(struct h2 *h);

/* Memory of what is out of the pools, and of the library. */
size_t h2_used_bytes(const struct h2 *h);

/* A server's session over `lower`, whose bytes from the preface on are unread. NULL: no memory, and
 * `lower` is as it was. Bytes that are there are looked at in the loop's next step. */
struct h2_session *h2_accept(struct h2 *h, struct stream *lower, const struct h2_session_ops *ops,
                             void *owner);

/* A client's session over `lower`, which was opened just now. `is_tls`: its requests are of https.
 * NULL: as above. */
struct h2_session *h2_connect(struct h2 *h, struct stream *lower, bool is_tls,
                              const struct h2_session_ops *ops, void *owner);

/* Of a client: a stream for one request. NULL: there is no memory. STREAM_WRITABLE comes when the
 * session is open, if it is not (h2_session_is_open()). `is_connect`: the request will be one for
 * WebSocket, and STREAM_WRITABLE comes when the peer has said whether it takes them
 * (h2_session_has_settings()). */
struct stream *h2_open(struct h2_session *s, bool is_connect);

/* Is its lower stream established? */
bool h2_session_is_open(const struct h2_session *s);

/* Of a client: is it open, and did the peer's settings come? */
bool h2_session_has_settings(const struct h2_session *s);

/* Of a client: does the peer take requests for WebSocket (RFC 8441, section 3)? */
bool h2_session_takes_connect(const struct h2_session *s);

/* Of a client: can one more request go by it now? Not when it is at the peer's limit of streams,
 * or says goodbye. */
bool h2_session_has_room(const struct h2_session *s);

/* How many streams it has. */
uint32_t h2_session_streams(const struct h2_session *s);

/* Of a client: has the peer answered anything? */
bool h2_session_has_answered(const struct h2_session *s);

/* Does it end because its peer breaks the rules, or asks for more than it gets? */
bool h2_session_is_faulty(const struct h2_session *s);

/* In on_end: did it end in good order? Of a client: its peer said goodbye or ended, or it was told
 * to end, when no request was under way. */
bool h2_session_is_done(const struct h2_session *s);

/* What goes before all else on the connection of a client's session; before the first request. */
bool h2_session_put_preface(struct h2_session *s, struct slice bytes);

/* Whose it is. */
void *h2_session_owner(const struct h2_session *s);

/* Says goodbye (GOAWAY): streams that there are go on, and when the last one has ended, so does the
 * session: on_end comes from the loop, of a server when the peer has ended, too, or H2_LINGER_MS
 * later: what it still sends would be answered by a reset, which takes our last answers with it. */
void h2_session_shutdown(struct h2_session *s);

/* Was it told to? */
bool h2_session_is_draining(const struct h2_session *s);

/* Ends it at once, in good order if it has no stream, else with all of them; on_end comes before it
 * returns, or if its own event is under way, after that. */
void h2_session_close(struct h2_session *s);

/* The same with ENHANCE_YOUR_CALM: its peer keeps others from what they need. */
void h2_session_calm(struct h2_session *s);

/* The same by a reset of the connection, without a word. */
void h2_session_abort(struct h2_session *s);

/* A field of what came behind the body of a stream, which was read to its end. False: there is none
 * of that name. */
bool h2_find_trailer(const struct stream *stream, struct slice name, struct slice *ret_value);

/* The heads of its streams. */
extern const struct http_carrier h2_carrier;
