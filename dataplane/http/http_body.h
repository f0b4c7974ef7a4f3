/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of one HTTP/1 message, both ways (RFC 9112, sections 6 and 7). Reading: finds where the
 * body's bytes lie in a stream and removes the chunk framing between them; the bytes themselves are
 * peeked, consumed or moved on without a copy. Writing: puts framing around bytes that are copied
 * or moved in.
 *
 * Owner: the connection that embeds it. Thread: its own. Bound: no byte of a body is kept here.
 */
#pragma once

#include "core/stream.h"
#include "http/http_env.h"

/* Reading. */
struct http_body_in {
    enum http_body kind;
    uint8_t state;              /* enum chunk_state of http_body_in.c, for CHUNKED */
    bool is_done;               /* the last byte of the message was consumed */
    bool is_reported;           /* the fault was counted */
    enum http_fault fault;      /* sticky: the framing is broken */
    uint16_t line_bytes;        /* of this chunk-size line or, at the end, of the trailer section */
    uint64_t left;              /* bytes of this chunk, or of the whole body, not yet consumed */
    const struct http_env *env; /* trailers are kept; NULL: they are dropped */
    struct http_head_buf *trailers; /* those that may pass (http_trailers.h); NULL: none came */
    uint32_t field_at;              /* where in there the field under way begins */
    uint16_t name_len;
    bool is_lost; /* there was no buffer for them */
};

/* Begins a body of that kind. */
void http_body_in_init(struct http_body_in *b, enum http_body kind, uint64_t length);

/* Trailers of it are kept, if any come, from the first one on in a buffer of `env`. */
void http_body_in_keep_trailers(struct http_body_in *b, const struct http_env *env);

/* Those of a body that is done; the caller's now. NULL: none. */
struct http_head_buf *http_body_in_take_trailers(struct http_body_in *b);

/* Gives them back. */
void http_body_in_done(struct http_body_in *b);

/* Consumes framing at the front of `s`, and returns how many body bytes lie at the front now. 0
 * with !is_done and no fault: more must arrive. Idempotent. */
size_t http_body_in_ready(struct http_body_in *b, struct stream *s);

/* These bytes as at most `n_max` slices, valid until consumed or moved. Returns how many slices. */
unsigned http_body_in_peek(struct http_body_in *b, struct stream *s, struct slice *ret,
                           unsigned n_max);

/* Takes note that `bytes` of those http_body_in_ready() told of were consumed or moved out of the
 * stream. */
void http_body_in_took(struct http_body_in *b, size_t bytes);

/* Counts a fault, once. */
void http_body_in_report(struct http_body_in *b, const struct http_env *env, bool is_backend);

/* Writing. */
#define H1_FRAME_BYTES_MAX 24u /* CR LF, 16 digits, CR LF, and the last chunk */

struct http_body_out {
    enum http_body kind;
    bool is_ended;     /* the end was asked for */
    uint8_t frame_len; /* framing bytes that wait for room */
    uint8_t frame[H1_FRAME_BYTES_MAX];
    uint64_t left; /* bytes of the open chunk, or of the whole body, still to be written */
    struct http_head_buf *spill; /* a head, or the rest of one, that waits for room */
    uint32_t spill_sent;
};

/* Begins a body of that kind behind what is already waiting. */
void http_body_out_init(struct http_body_out *o, enum http_body kind, uint64_t length);

/* Writes a head (or any bytes that must go whole); what the stream does not take waits in a buffer
 * of `env`. False: no buffer, nothing can be sent any more. */
bool http_body_out_head(struct http_body_out *o, struct stream *s, const struct http_env *env,
                        struct slice bytes);

/* Copies body bytes in, as many as there is room for. Returns bytes taken. */
size_t http_body_out_write(struct http_body_out *o, struct stream *s, struct slice bytes);

/* Moves body bytes from `in` at the front of `src`, without a copy where the streams can. Returns
 * bytes moved. */
size_t http_body_out_move(struct http_body_out *o, struct stream *dst, struct http_body_in *in,
                          struct stream *src);

/* The body is complete: writes the last chunk. Nothing may be written afterwards. */
void http_body_out_end(struct http_body_out *o, struct stream *s);

/* The same with these trailers behind it where the framing has a place for them, and `trailers` is
 * given back. Those that may not pass are left out. */
void http_body_out_end_with(struct http_body_out *o, struct stream *s, const struct http_env *env,
                            struct http_head_buf *trailers);

/* Writes what waits (head, framing). True: nothing waits any more. */
bool http_body_out_flush(struct http_body_out *o, struct stream *s, const struct http_env *env);

/* Gives a waiting buffer back. */
void http_body_out_done(struct http_body_out *o, const struct http_env *env);
