/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a body: which bytes at the front of a stream belong to it (RFC 9112, sections 6.3, 7.1).
 * The chunk framing is read byte by byte as the grammar has it, with no white space anywhere: what
 * is optional there is where readers differ. Trailer fields are checked; those that may pass
 * (http_trailers.h) are kept for the next hop, if their owner wants them and there is a buffer.
 */
#include "base/assert.h"
#include "http/http_body.h"
#include "http/http_chars.h"
#include "http/http_trailers.h"

#include <string.h>

/* X(name): what the next byte is. */
enum chunk_state {
    CHUNK_SIZE_FIRST,
    CHUNK_SIZE,
    CHUNK_EXT_NAME_FIRST,
    CHUNK_EXT_NAME,
    CHUNK_EXT_VALUE_FIRST,
    CHUNK_EXT_VALUE,
    CHUNK_EXT_QUOTED,
    CHUNK_EXT_ESCAPED,
    CHUNK_EXT_END,
    CHUNK_SIZE_LF,
    CHUNK_DATA, /* no framing: body bytes */
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_FIRST,
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_LAST_LF,
};

enum { CHUNK_SIZE_LIMIT_BITS = 56, PEEK_SLICES = 8 };

void http_body_in_init(struct http_body_in *b, enum http_body kind, uint64_t length)
{
    *b = (struct http_body_in){.kind = kind, .left = kind == HTTP_BODY_LENGTH ? length : 0};
    b->is_done = kind == HTTP_BODY_NONE || (kind == HTTP_BODY_LENGTH && length == 0);
}

static enum http_fault take_size_digit(struct http_body_in *b, uint8_t c)
{
    int digit = http_hex_value(c);
    if (digit < 0 || b->left >> (CHUNK_SIZE_LIMIT_BITS - 4) != 0)
        return HTTP_FAULT_chunk_size;
    b->left = b->left << 4 | (uint64_t)digit;
    b->state = CHUNK_SIZE;
    return HTTP_FAULT_none;
}

/* After something that may be followed by another extension or the line's end. */
static enum http_fault take_size_end(struct http_body_in *b, uint8_t c, enum http_fault otherwise)
{
    if (c != ';' && c != '\r')
        return otherwise;
    b->state = c == ';' ? CHUNK_EXT_NAME_FIRST : CHUNK_SIZE_LF;
    return HTTP_FAULT_none;
}

/* chunk-ext = *( ";" token [ "=" ( token / quoted-string ) ] ) */
static enum http_fault take_extension(struct http_body_in *b, uint8_t c)
{
    bool is_token = http_char_is(c, HTTP_CHAR_TOKEN);
    switch ((enum chunk_state)b->state) {
    case CHUNK_EXT_NAME_FIRST:
        b->state = CHUNK_EXT_NAME;
        return is_token ? HTTP_FAULT_none : HTTP_FAULT_chunk_extension;
    case CHUNK_EXT_NAME:
        if (c == '=')
            b->state = CHUNK_EXT_VALUE_FIRST;
        else if (!is_token)
            return take_size_end(b, c, HTTP_FAULT_chunk_extension);
        return HTTP_FAULT_none;
    case CHUNK_EXT_VALUE_FIRST:
        b->state = c == '"' ? CHUNK_EXT_QUOTED : CHUNK_EXT_VALUE;
        return is_token || c == '"' ? HTTP_FAULT_none : HTTP_FAULT_chunk_extension;
    case CHUNK_EXT_VALUE:
        return is_token ? HTTP_FAULT_none : take_size_end(b, c, HTTP_FAULT_chunk_extension);
    case CHUNK_EXT_QUOTED:
        if (c == '"')
            b->state = CHUNK_EXT_END;
        else if (c == '\\')
            b->state = CHUNK_EXT_ESCAPED;
        return http_char_is(c, HTTP_CHAR_VALUE) ? HTTP_FAULT_none : HTTP_FAULT_chunk_extension;
    case CHUNK_EXT_ESCAPED:
        b->state = CHUNK_EXT_QUOTED;
        return http_char_is(c, HTTP_CHAR_VALUE) ? HTTP_FAULT_none : HTTP_FAULT_chunk_extension;
    default:
        ASSERT(b->state == CHUNK_EXT_END);
        return take_size_end(b, c, HTTP_FAULT_chunk_extension);
    }
}

void http_body_in_keep_trailers(struct http_body_in *b, const struct http_env *env)
{
    ASSERT(b->trailers == NULL);
    b->env = env;
}

struct http_head_buf *http_body_in_take_trailers(struct http_body_in *b)
{
    struct http_head_buf *trailers = b->trailers;
    if (!b->is_done || trailers == NULL || trailers->len == 0)
        return NULL;
    b->trailers = NULL;
    return trailers;
}

void http_body_in_done(struct http_body_in *b)
{
    if (b->trailers != NULL)
        b->env->head_put(b->env->owner, b->trailers);
    b->trailers = NULL;
}

/* A trailer begins. */
static void begin_field(struct http_body_in *b)
{
    bool can_have = b->env != NULL && b->env->spare_get != NULL && !b->is_lost;
    if (b->trailers == NULL && can_have) {
        b->trailers = b->env->spare_get(b->env->owner);
        b->is_lost = b->trailers == NULL;
        if (b->trailers != NULL)
            b->trailers->len = 0;
    }
    if (b->trailers == NULL)
        return;
    static_assert(HTTP_TRAILER_BYTES_MAX * (1 + HTTP_TRAILER_LENGTHS_BYTES) <=
                      HTTP_HEAD_OUT_BYTES_MAX,
                  "a section has room in a buffer, whatever is in it");
    b->field_at = b->trailers->len;
    b->trailers->len += HTTP_TRAILER_LENGTHS_BYTES;
}

/* A byte of its name or value. */
static void add_byte(struct http_body_in *b, uint8_t c)
{
    bool is_name = b->state == CHUNK_TRAILER_NAME;
    if (b->trailers == NULL)
        return;
    ASSERT_HOT(b->trailers->len < HTTP_HEAD_OUT_BYTES_MAX);
    b->trailers->bytes[b->trailers->len++] = is_name && c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Its name is whole. */
static void end_name(struct http_body_in *b)
{
    if (b->trailers != NULL)
        b->name_len = (uint16_t)(b->trailers->len - b->field_at - HTTP_TRAILER_LENGTHS_BYTES);
}

/* It is whole: kept, if it may pass, without the white space around its value. */
static void end_field(struct http_body_in *b)
{
    struct http_head_buf *buf = b->trailers;
    if (buf == NULL)
        return;
    uint8_t *name = buf->bytes + b->field_at + HTTP_TRAILER_LENGTHS_BYTES;
    uint8_t *value = name + b->name_len;
    size_t len = (size_t)(buf->bytes + buf->len - value);
    size_t skip = 0;
    while (len > 0 && http_char_is(value[len - 1], HTTP_CHAR_SPACE))
        len--;
    while (skip < len && http_char_is(value[skip], HTTP_CHAR_SPACE))
        skip++;
    len -= skip;
    if (!http_trailer_may_pass(slice_of(name, b->name_len))) {
        buf->len = b->field_at;
        return;
    }
    uint16_t lengths[2] = {b->name_len, (uint16_t)len};
    memmove(value, value + skip, len);
    memcpy(buf->bytes + b->field_at, lengths, sizeof(lengths));
    buf->len = (uint32_t)(value + len - buf->bytes);
}

/* trailer-section = *( field-line CR LF ) CR LF */
static enum http_fault take_trailer(struct http_body_in *b, uint8_t c)
{
    switch ((enum chunk_state)b->state) {
    case CHUNK_TRAILER_FIRST:
        b->state = c == '\r' ? CHUNK_LAST_LF : CHUNK_TRAILER_NAME;
        if (c != '\r') {
            begin_field(b);
            add_byte(b, c);
        }
        return c == '\r' || http_char_is(c, HTTP_CHAR_TOKEN) ? HTTP_FAULT_none : HTTP_FAULT_trailer;
    case CHUNK_TRAILER_NAME:
        if (c != ':') {
            add_byte(b, c);
        } else {
            end_name(b);
            b->state = CHUNK_TRAILER_VALUE;
        }
        return c == ':' || http_char_is(c, HTTP_CHAR_TOKEN) ? HTTP_FAULT_none : HTTP_FAULT_trailer;
    case CHUNK_TRAILER_VALUE:
        if (c != '\r') {
            add_byte(b, c);
        } else {
            end_field(b);
            b->state = CHUNK_TRAILER_LF;
        }
        return c == '\r' || http_char_is(c, HTTP_CHAR_VALUE) ? HTTP_FAULT_none : HTTP_FAULT_trailer;
    case CHUNK_TRAILER_LF:
        b->state = CHUNK_TRAILER_FIRST;
        return c == '\n' ? HTTP_FAULT_none : HTTP_FAULT_trailer;
    default:
        ASSERT(b->state == CHUNK_LAST_LF);
        b->is_done = c == '\n';
        return b->is_done ? HTTP_FAULT_none : HTTP_FAULT_trailer;
    }
}

/* The LF of a chunk-size line: what follows is data, or after the last chunk the trailer. */
static enum http_fault take_size_lf(struct http_body_in *b, uint8_t c)
{
    b->state = b->left > 0 ? CHUNK_DATA : CHUNK_TRAILER_FIRST;
    b->line_bytes = 0;
    return c == '\n' ? HTTP_FAULT_none : HTTP_FAULT_chunk_size;
}

/* One byte of framing. */
static enum http_fault take_framing(struct http_body_in *b, uint8_t c)
{
    ASSERT_HOT(b->state != CHUNK_DATA && !b->is_done);
    b->line_bytes++;
    if (b->state >= CHUNK_TRAILER_FIRST)
        return b->line_bytes > HTTP_TRAILER_BYTES_MAX ? HTTP_FAULT_trailer_long
                                                      : take_trailer(b, c);
    if (b->line_bytes > HTTP_CHUNK_LINE_BYTES_MAX)
        return HTTP_FAULT_chunk_long;
    switch ((enum chunk_state)b->state) {
    case CHUNK_SIZE_FIRST:
        return take_size_digit(b, c);
    case CHUNK_SIZE:
        return http_hex_value(c) >= 0 ? take_size_digit(b, c)
                                      : take_size_end(b, c, HTTP_FAULT_chunk_size);
    case CHUNK_SIZE_LF:
        return take_size_lf(b, c);
    case CHUNK_DATA_CR:
        b->state = CHUNK_DATA_LF;
        return c == '\r' ? HTTP_FAULT_none : HTTP_FAULT_chunk_end;
    case CHUNK_DATA_LF:
        b->state = CHUNK_SIZE_FIRST;
        b->line_bytes = 0;
        return c == '\n' ? HTTP_FAULT_none : HTTP_FAULT_chunk_end;
    default:
        return take_extension(b, c);
    }
}

/* Consumes framing until body bytes, the end, a fault, or the end of what is there. */
static void skip_framing(struct http_body_in *b, struct stream *s)
{
    struct slice v[PEEK_SLICES];
    while (b->state != CHUNK_DATA && !b->is_done && b->fault == HTTP_FAULT_none) {
        unsigned n = stream_peek(s, v, PEEK_SLICES);
        size_t used = 0;
        for (unsigned i = 0; i < n; i++) {
            for (size_t k = 0; k < v[i].len; k++) {
                if (b->state == CHUNK_DATA || b->is_done || b->fault != HTTP_FAULT_none)
                    break;
                b->fault = take_framing(b, v[i].ptr[k]);
                used++;
            }
        }
        stream_consume(s, used);
        if (used == 0)
            break;
    }
}

size_t http_body_in_ready(struct http_body_in *b, struct stream *s)
{
    if (b->is_done || b->fault != HTTP_FAULT_none)
        return 0;
    ASSERT_HOT(b->kind != HTTP_BODY_NONE);
    if (b->kind == HTTP_BODY_CHUNKED)
        skip_framing(b, s);
    if (b->is_done || b->fault != HTTP_FAULT_none)
        return 0;
    size_t there = stream_readable(s);
    if (there == 0 && stream_is_eof(s)) {
        if (b->kind == HTTP_BODY_UNTIL_CLOSE)
            b->is_done = true;
        else
            b->fault = HTTP_FAULT_body_cut;
    }
    if (b->kind != HTTP_BODY_UNTIL_CLOSE && there > b->left)
        there = b->left;
    ASSERT_HOT(b->kind != HTTP_BODY_CHUNKED || b->state == CHUNK_DATA || there == 0);
    return there;
}

unsigned http_body_in_peek(struct http_body_in *b, struct stream *s, struct slice *ret,
                           unsigned n_max)
{
    size_t left = http_body_in_ready(b, s);
    unsigned n = left > 0 ? stream_peek(s, ret, n_max) : 0;
    unsigned used = 0;
    while (used < n && left > 0) {
        if (ret[used].len > left)
            ret[used].len = left;
        left -= ret[used++].len;
    }
    return used;
}

void http_body_in_took(struct http_body_in *b, size_t bytes)
{
    if (b->kind == HTTP_BODY_UNTIL_CLOSE)
        return;
    ASSERT(bytes <= b->left);
    b->left -= bytes;
    if (b->left > 0 || bytes == 0)
        return;
    if (b->kind == HTTP_BODY_LENGTH)
        b->is_done = true;
    else
        b->state = CHUNK_DATA_CR;
}

void http_body_in_report(struct http_body_in *b, const struct http_env *env, bool is_backend)
{
    if (b->fault == HTTP_FAULT_none || b->is_reported)
        return;
    b->is_reported = true;
    env->on_fault(env->owner, b->fault, is_backend);
}
