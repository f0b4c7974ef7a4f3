/* SPDX-License-Identifier: Apache-2.0 */
/* Collecting a head from a stream, in however many pieces it comes, and composing one. */
#include "http/h1_head.h"

#include "base/assert.h"

enum { PEEK_SLICES = 8 };

/* Drops the empty line before a request line. */
static void skip_empty_line(struct http_head_buf *buf)
{
    ASSERT(buf->len >= 2 && !buf->is_skipped);
    buf->is_skipped = true;
    buf->len -= 2;
    memmove(buf->bytes, buf->bytes + 2, buf->len);
    buf->scanned = 0;
}

/* Looks at what is new: the offset behind the empty line that ends the head; 0: not there yet. A
 * bare LF is found here, so that a head of nothing else does not wait for its end for ever. */
static uint32_t find_end(struct http_head_buf *buf, bool is_request, enum http_fault *ret_fault)
{
    while (buf->scanned < buf->len) {
        const uint8_t *b = buf->bytes;
        const uint8_t *lf = memchr(b + buf->scanned, '\n', buf->len - buf->scanned);
        if (lf == NULL)
            break;
        uint32_t at = (uint32_t)(lf - b);
        if (at == 0 || b[at - 1] != '\r') {
            *ret_fault = HTTP_FAULT_bare_lf;
            return 0;
        }
        buf->scanned = at + 1;
        if (at == 1 && is_request && !buf->is_skipped) {
            skip_empty_line(buf);
        } else if (at == 1) {
            *ret_fault = is_request ? HTTP_FAULT_request_line : HTTP_FAULT_status_line;
            return 0;
        } else if (at >= 3 && b[at - 2] == '\n') {
            return at + 1;
        }
    }
    buf->scanned = buf->len;
    return 0;
}

/* The buffer is full and the end has not come. */
static enum http_fault full_fault(const struct http_head_buf *buf, bool is_request)
{
    bool is_line_open = memchr(buf->bytes, '\n', buf->len) == NULL;
    return is_line_open && is_request ? HTTP_FAULT_target_long : HTTP_FAULT_head_long;
}

enum h1_head_state h1_head_read(struct http_head_buf *buf, struct stream *s, bool is_request,
                                enum http_fault *ret_fault)
{
    struct slice v;
    while (stream_peek(s, &v, 1) > 0) {
        uint32_t before = buf->len;
        uint32_t room = HTTP_HEAD_BYTES_MAX - before;
        uint32_t take = v.len < room ? (uint32_t)v.len : room;
        ASSERT(take > 0);
        memcpy(buf->bytes + before, v.ptr, take);
        buf->len += take;
        bool was_skipped = buf->is_skipped;
        enum http_fault fault = HTTP_FAULT_none;
        uint32_t end = find_end(buf, is_request, &fault);
        uint32_t dropped = buf->is_skipped && !was_skipped ? 2 : 0;
        stream_consume(s, end > 0 ? end + dropped - before : take);
        if (end > 0)
            buf->len = end;
        else if (fault == HTTP_FAULT_none && buf->len == HTTP_HEAD_BYTES_MAX)
            fault = full_fault(buf, is_request);
        if (fault != HTTP_FAULT_none) {
            *ret_fault = fault;
            return H1_HEAD_BAD;
        }
        if (end > 0)
            return H1_HEAD_WHOLE;
    }
    return H1_HEAD_PARTIAL;
}

void h1_text_put(struct h1_text *t, struct slice v)
{
    ASSERT_HOT(t->len <= sizeof(t->bytes));
    if (v.len > sizeof(t->bytes) - t->len) {
        t->is_full = true;
        return;
    }
    if (v.len > 0)
        memcpy(t->bytes + t->len, v.ptr, v.len);
    t->len += v.len;
}

void h1_text_put_number(struct h1_text *t, uint64_t v)
{
    uint8_t text[20];
    size_t at = sizeof(text);
    do {
        text[--at] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    h1_text_put(t, slice_of(text + at, sizeof(text) - at));
}

/* A line, whole or not at all. */
static void put_field(struct h1_text *t, struct slice name, struct slice value)
{
    ASSERT_HOT(name.len > 0 && t->len <= sizeof(t->bytes));
    size_t room = sizeof(t->bytes) - t->len;
    if (name.len > room || value.len > room || name.len + value.len + 4 > room) {
        t->is_full = true;
        return;
    }
    uint8_t *to = t->bytes + t->len;
    memcpy(to, name.ptr, name.len);
    to += name.len;
    memcpy(to, ": ", 2);
    if (value.len > 0)
        memcpy(to + 2, value.ptr, value.len);
    memcpy(to + 2 + value.len, "\r\n", 2);
    t->len += name.len + value.len + 4;
}

void h1_text_put_fields(struct h1_text *t, const struct http_field *fields, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        put_field(t, fields[i].name, fields[i].value);
}

void h1_text_put_framing(struct h1_text *t, enum http_body body, uint64_t length)
{
    if (body == HTTP_BODY_LENGTH) {
        h1_text_put(t, SLICE_LIT("Content-Length: "));
        h1_text_put_number(t, length);
        h1_text_put(t, SLICE_LIT("\r\n"));
    } else if (body == HTTP_BODY_CHUNKED) {
        h1_text_put(t, SLICE_LIT("Transfer-Encoding: chunked\r\n"));
    }
}
