/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a head and a body: framing around bytes that are copied or moved into a stream (RFC 9112,
 * sections 6.2, 7.1). A stream takes what it has room for; what was begun and did not fit waits
 * here: a head in a pooled buffer, framing in the few bytes of `frame`.
 */
#include "base/assert.h"
#include "http/h1_head.h"
#include "http/http_body.h"
#include "http/http_chars.h"
#include "http/http_trailers.h"

#include <string.h>

/* A chunk is announced as large as the room promises, but not tiny: then the bytes of it wait in
 * their source for more room. */
enum { CHUNK_BYTES_MIN = 1024 };

void http_body_out_init(struct http_body_out *o, enum http_body kind, uint64_t length)
{
    ASSERT(o->frame_len == 0);
    o->kind = kind;
    o->is_ended = false;
    o->left = kind == HTTP_BODY_LENGTH ? length : 0;
}

static bool get_spill(struct http_body_out *o, const struct http_env *env)
{
    ASSERT(o->spill == NULL);
    o->spill = env->head_get(env->owner);
    if (o->spill == NULL)
        return false;
    o->spill->len = 0;
    o->spill_sent = 0;
    return true;
}

bool http_body_out_head(struct http_body_out *o, struct stream *s, const struct http_env *env,
                        struct slice bytes)
{
    ASSERT(o->frame_len == 0 && bytes.len <= HTTP_HEAD_OUT_BYTES_MAX);
    if (o->spill == NULL) {
        if (stream_write_room(s) < bytes.len && !get_spill(o, env))
            return false;
        if (o->spill == NULL)
            bytes = slice_skip(bytes, stream_write(s, &bytes, 1));
        if (bytes.len == 0)
            return true;
        if (o->spill == NULL && !get_spill(o, env)) /* less was taken than promised */
            return false;
    }
    if (bytes.len > HTTP_HEAD_OUT_BYTES_MAX - o->spill->len)
        return false;
    memcpy(o->spill->bytes + o->spill->len, bytes.ptr, bytes.len);
    o->spill->len += (uint32_t)bytes.len;
    http_body_out_flush(o, s, env);
    return true;
}

/* Framing that waits; false: it still does, or a head is before it. */
static bool flush_frame(struct http_body_out *o, struct stream *s)
{
    if (o->spill != NULL)
        return false;
    if (o->frame_len == 0)
        return true;
    struct slice v = slice_of(o->frame, o->frame_len);
    size_t taken = stream_write(s, &v, 1);
    ASSERT(taken <= o->frame_len);
    memmove(o->frame, o->frame + taken, o->frame_len - taken);
    o->frame_len = (uint8_t)(o->frame_len - taken);
    return o->frame_len == 0;
}

static void put_frame(struct http_body_out *o, struct slice v)
{
    ASSERT(o->frame_len + v.len <= H1_FRAME_BYTES_MAX);
    memcpy(o->frame + o->frame_len, v.ptr, v.len);
    o->frame_len = (uint8_t)(o->frame_len + v.len);
}

/* chunk-size CR LF; without leading zeros. */
static void put_chunk_size(struct http_body_out *o, uint64_t bytes)
{
    uint8_t text[18];
    size_t at = sizeof(text);
    text[--at] = '\n';
    text[--at] = '\r';
    do {
        text[--at] = (uint8_t) "0123456789abcdef"[bytes & 15];
        bytes >>= 4;
    } while (bytes > 0);
    put_frame(o, slice_of(text + at, sizeof(text) - at));
}

/* How many of `bytes` body bytes may go into the stream now; opens a chunk when none is open. 0:
 * framing or a head waits for room. */
static size_t begin_bytes(struct http_body_out *o, struct stream *s, size_t bytes)
{
    ASSERT(!o->is_ended && o->kind != HTTP_BODY_NONE);
    if (bytes == 0 || !flush_frame(o, s))
        return 0;
    if (o->kind == HTTP_BODY_UNTIL_CLOSE)
        return bytes;
    if (o->kind == HTTP_BODY_CHUNKED && o->left == 0) {
        size_t room = stream_write_room(s);
        size_t chunk = room > CHUNK_BYTES_MIN + 2 * H1_FRAME_BYTES_MAX
                           ? room - 2 * H1_FRAME_BYTES_MAX
                           : CHUNK_BYTES_MIN;
        o->left = bytes < chunk ? bytes : chunk;
        put_chunk_size(o, o->left);
        if (!flush_frame(o, s))
            return 0;
    }
    return bytes < o->left ? bytes : o->left;
}

/* `bytes` are in the stream. */
static void end_bytes(struct http_body_out *o, struct stream *s, size_t bytes)
{
    if (o->kind == HTTP_BODY_UNTIL_CLOSE || bytes == 0)
        return;
    ASSERT(bytes <= o->left);
    o->left -= bytes;
    if (o->kind == HTTP_BODY_CHUNKED && o->left == 0) {
        put_frame(o, SLICE_LIT("\r\n"));
        flush_frame(o, s);
    }
}

size_t http_body_out_write(struct http_body_out *o, struct stream *s, struct slice bytes)
{
    size_t done = 0;
    while (done < bytes.len) {
        struct slice v = slice_skip(bytes, done);
        v.len = begin_bytes(o, s, v.len);
        size_t taken = v.len > 0 ? stream_write(s, &v, 1) : 0;
        end_bytes(o, s, taken);
        done += taken;
        if (taken == 0 || taken < v.len)
            break;
    }
    return done;
}

size_t http_body_out_move(struct http_body_out *o, struct stream *dst, struct http_body_in *in,
                          struct stream *src)
{
    size_t done = 0;
    for (;;) {
        size_t want = begin_bytes(o, dst, http_body_in_ready(in, src));
        size_t moved = want > 0 ? stream_move(dst, src, want) : 0;
        ASSERT(moved <= want);
        http_body_in_took(in, moved);
        end_bytes(o, dst, moved);
        done += moved;
        if (moved == 0 || moved < want)
            break;
    }
    return done;
}

void http_body_out_end(struct http_body_out *o, struct stream *s)
{
    ASSERT(!o->is_ended && o->left == 0);
    o->is_ended = true;
    if (o->kind == HTTP_BODY_CHUNKED)
        put_frame(o, SLICE_LIT("0\r\n\r\n"));
    flush_frame(o, s);
}

static bool is_value(struct slice v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (!http_char_is(v.ptr[i], HTTP_CHAR_VALUE))
            return false;
    }
    return true;
}

/* The last chunk with the trailers that may pass, behind framing that waits. */
static void put_last_chunk(struct http_body_out *o, const struct http_head_buf *trailers,
                           struct h1_text *t)
{
    struct slice name, value;
    h1_text_put(t, slice_of(o->frame, o->frame_len));
    h1_text_put(t, SLICE_LIT("0\r\n"));
    for (uint32_t at = 0; http_trailers_next(trailers, &at, &name, &value);) {
        struct http_field field = {name, value};
        if (http_trailer_may_pass(name) && is_value(value))
            h1_text_put_fields(t, &field, 1);
    }
    h1_text_put(t, SLICE_LIT("\r\n"));
}

/* Their buffer holds the text then, as one that waits for room: nothing can fail. */
void http_body_out_end_with(struct http_body_out *o, struct stream *s, const struct http_env *env,
                            struct http_head_buf *trailers)
{
    struct h1_text t;
    ASSERT(!o->is_ended && o->left == 0);
    h1_text_init(&t);
    bool has_place = o->kind == HTTP_BODY_CHUNKED && o->spill == NULL;
    if (has_place)
        put_last_chunk(o, trailers, &t);
    if (!has_place || t.is_full) {
        env->head_put(env->owner, trailers);
        http_body_out_end(o, s);
        return;
    }
    memcpy(trailers->bytes, t.bytes, t.len);
    trailers->len = (uint32_t)t.len;
    o->spill = trailers;
    o->spill_sent = 0;
    o->frame_len = 0;
    o->is_ended = true;
    http_body_out_flush(o, s, env);
}

bool http_body_out_flush(struct http_body_out *o, struct stream *s, const struct http_env *env)
{
    if (o->spill != NULL) {
        struct slice v = slice_of(o->spill->bytes + o->spill_sent, o->spill->len - o->spill_sent);
        size_t taken = stream_write(s, &v, 1);
        o->spill_sent += (uint32_t)taken;
        ASSERT(o->spill_sent <= o->spill->len);
        if (taken < v.len)
            return false;
        http_body_out_done(o, env);
    }
    return flush_frame(o, s);
}

void http_body_out_done(struct http_body_out *o, const struct http_env *env)
{
    if (o->spill == NULL)
        return;
    env->head_put(env->owner, o->spill);
    o->spill = NULL;
}
