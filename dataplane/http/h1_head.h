/* SPDX-License-Identifier: Apache-2.0 */
/* Heads on the wire: collecting one from a stream, and composing one. Private to http. */
#pragma once

#include "core/stream.h"
#include "http/http_env.h"

enum h1_head_state {
    H1_HEAD_PARTIAL, /* more must arrive */
    H1_HEAD_WHOLE,   /* buf->bytes[0..len) is one head, and consumed from the stream */
    H1_HEAD_BAD,
};

/* Copies bytes of a head from `s` into `buf`, up to and not beyond its end. An empty line before a
 * request line is dropped once (RFC 9112, section 2.2). *ret_fault is set for H1_HEAD_BAD. */
enum h1_head_state h1_head_read(struct http_head_buf *buf, struct stream *s, bool is_request,
                                enum http_fault *ret_fault);

/* What asks for WebSocket, and agrees to it, beside its own fields. */
#define H1_UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"

/* Text that is put together in memory of a fixed size. */
struct h1_text {
    size_t len;
    bool is_full; /* something did not fit */
    uint8_t bytes[HTTP_HEAD_OUT_BYTES_MAX];
};

/* Empty. What is not used is not touched: it is large, and one is made for each head. */
static inline void h1_text_init(struct h1_text *t)
{
    t->len = 0;
    t->is_full = false;
}

/* Appends; sets is_full instead when it does not fit. */
void h1_text_put(struct h1_text *t, struct slice v);

/* As h1_text_put(), the number in decimal. */
void h1_text_put_number(struct h1_text *t, uint64_t v);

/* "name: value" CR LF for each. */
void h1_text_put_fields(struct h1_text *t, const struct http_field *fields, uint32_t n);

/* Content-Length or Transfer-Encoding, as `body` needs it. */
void h1_text_put_framing(struct h1_text *t, enum http_body body, uint64_t length);
