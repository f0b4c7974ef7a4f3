/* SPDX-License-Identifier: Apache-2.0 */
/* See http_glimpse.h. Lines end at LF here, whatever stands before it. */
#include "http/http_glimpse.h"

#include "http/http_chars.h"

#include <string.h>

/* The first line of `rest`, without its end, which is taken off with it. */
static struct slice take_line(struct slice *rest)
{
    const uint8_t *lf = memchr(rest->ptr, '\n', rest->len);
    size_t len = lf != NULL ? (size_t)(lf - rest->ptr) : rest->len;
    struct slice line = slice_of(rest->ptr, len);
    *rest = slice_skip(*rest, lf != NULL ? len + 1 : len);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* What stands before one of these bytes, or a NUL. */
static struct slice until(struct slice s, const char *ends)
{
    size_t len = 0;
    while (len < s.len && strchr(ends, s.ptr[len]) == NULL)
        len++;
    return slice_of(s.ptr, len);
}

static void look_at_request_line(struct slice line, struct http_glimpse *ret)
{
    struct slice method = until(line, " ");
    for (size_t i = 0; i < method.len; i++) {
        if (!http_char_is(method.ptr[i], HTTP_CHAR_TOKEN))
            return;
    }
    ret->method = method;
    if (method.len == line.len)
        return;
    struct slice target = until(slice_skip(line, method.len + 1), " ?#");
    if (target.len > 0 && (target.ptr[0] == '/' || target.ptr[0] == '*'))
        ret->path = target;
}

/* The value of a line "Host: value"; false: it is another. */
static bool is_host(struct slice line, struct slice *ret_host)
{
    struct slice name = SLICE_LIT("host:");
    if (line.len < name.len || !slice_eq_nocase(slice_of(line.ptr, name.len), name))
        return false;
    line = slice_skip(line, name.len);
    while (line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
        line = slice_skip(line, 1);
    *ret_host = until(line, " \t");
    return true;
}

void http_glimpse(struct slice head, struct http_glimpse *ret)
{
    *ret = (struct http_glimpse){0};
    if (head.len == 0)
        return;
    look_at_request_line(take_line(&head), ret);
    while (head.len > 0) {
        struct slice line = take_line(&head);
        if (line.len == 0 || is_host(line, &ret->host))
            return;
    }
}
