/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The normal form of paths. A route is matched on this form, and the backend gets this form: what
 * two programs may read in two ways is either brought to one form or refused.
 *
 *   %41 -> A             unreserved characters are decoded (RFC 3986, section 6.2.2.2)
 *   %c3 -> %C3           others stay, in upper case; so %2F stays data, it is no separator
 *   /a//b -> /a/b        empty segments go
 *   /a/./b/../c -> /a/c  dot segments go, also those that came encoded; above the root is the root
 *   /a/..%2Fb, /..;/b    refused: a backend that decodes twice, or drops parameters, would climb
 *   %00, %4, %zz         refused
 *
 * Pure. One pass; writes behind what it reads.
 */
#include "base/assert.h"
#include "http/http_chars.h"
#include "http/http_priv.h"

struct path_writer {
    uint8_t *out;
    size_t len;
    size_t segment;     /* where this segment's slash is */
    bool has_separator; /* this segment has an encoded separator */
};

static uint8_t hex_digit(unsigned v)
{
    return (uint8_t) "0123456789ABCDEF"[v & 15u];
}

/* Copies or decodes one percent-encoding at in[0..2]. */
static enum http_fault put_encoded(struct path_writer *w, const uint8_t *in, size_t left)
{
    int high = left >= 3 ? http_hex_value(in[1]) : -1;
    int low = left >= 3 ? http_hex_value(in[2]) : -1;
    if (high < 0 || low < 0 || high + low == 0)
        return HTTP_FAULT_path_encoding;
    uint8_t c = (uint8_t)(high << 4 | low);
    if (http_char_is(c, HTTP_CHAR_UNRESERVED)) {
        w->out[w->len++] = c;
        return HTTP_FAULT_none;
    }
    w->has_separator |= c == '/' || c == '\\';
    w->out[w->len++] = '%';
    w->out[w->len++] = hex_digit((unsigned)high);
    w->out[w->len++] = hex_digit((unsigned)low);
    return HTTP_FAULT_none;
}

static bool is_dots(struct slice s)
{
    return slice_eq(s, SLICE_LIT(".")) || slice_eq(s, SLICE_LIT(".."));
}

/* "..;x": a dot segment for a reader that drops parameters. */
static bool is_dots_with_parameter(struct slice s)
{
    return slice_has_prefix(s, SLICE_LIT(".;")) || slice_has_prefix(s, SLICE_LIT("..;"));
}

static bool is_dots_for_somebody(struct slice s)
{
    return is_dots(s) || is_dots_with_parameter(s);
}

/* Is there a dot segment for a reader that takes %2F and %5C as separators? */
static bool has_hidden_dots(struct slice segment)
{
    size_t begin = 0;
    for (size_t i = 0; i + 2 < segment.len; i++) {
        if (memcmp(segment.ptr + i, "%2F", 3) != 0 && memcmp(segment.ptr + i, "%5C", 3) != 0)
            continue;
        if (is_dots_for_somebody(slice_of(segment.ptr + begin, i - begin)))
            return true;
        begin = i + 3;
    }
    return is_dots_for_somebody(slice_skip(segment, begin));
}

/* Takes the segment before this one away too. */
static void drop_parent(struct path_writer *w)
{
    while (w->len > 0 && w->out[--w->len] != '/')
        continue;
}

/* The segment is complete: keeps it, or carries out what its dots say. */
static enum http_fault end_segment(struct path_writer *w, bool is_last)
{
    ASSERT_HOT(w->out[w->segment] == '/' && w->segment < w->len);
    struct slice text = slice_of(w->out + w->segment + 1, w->len - w->segment - 1);
    if (is_dots_with_parameter(text) || (w->has_separator && has_hidden_dots(text)))
        return HTTP_FAULT_path_dots;
    if (!is_dots(text))
        return HTTP_FAULT_none;
    w->len = w->segment;
    if (text.len == 2)
        drop_parent(w);
    if (is_last)
        w->out[w->len++] = '/';
    return HTTP_FAULT_none;
}

enum http_fault http_path_normalize(uint8_t *path, size_t *len)
{
    ASSERT(*len > 0 && path[0] == '/');
    size_t n = *len;
    struct path_writer w = {.out = path};
    for (size_t r = 0; r < n;) {
        while (r < n && path[r] == '/')
            r++;
        w.segment = w.len;
        w.has_separator = false;
        w.out[w.len++] = '/';
        while (r < n && path[r] != '/') {
            if (path[r] != '%') {
                w.out[w.len++] = path[r++];
                continue;
            }
            enum http_fault fault = put_encoded(&w, path + r, n - r);
            if (fault != HTTP_FAULT_none)
                return fault;
            r += 3;
        }
        enum http_fault fault = end_segment(&w, r == n);
        if (fault != HTTP_FAULT_none)
            return fault;
    }
    ASSERT(w.len >= 1 && w.len <= n && path[0] == '/');
    *len = w.len;
    return HTTP_FAULT_none;
}
