/* SPDX-License-Identifier: Apache-2.0 */
/* Which trailers pass, and who wants some; see http_trailers.h. */
#include "http/http_trailers.h"

#include "base/assert.h"
#include "base/container.h"
#include "http/http_chars.h"
#include "http/http_priv.h"

#include <string.h>

bool http_trailers_next(const struct http_head_buf *buf, uint32_t *at, struct slice *name,
                        struct slice *value)
{
    uint16_t lengths[2];
    if (*at == buf->len)
        return false;
    ASSERT(*at + HTTP_TRAILER_LENGTHS_BYTES <= buf->len);
    memcpy(lengths, buf->bytes + *at, HTTP_TRAILER_LENGTHS_BYTES);
    const uint8_t *text = buf->bytes + *at + HTTP_TRAILER_LENGTHS_BYTES;
    *name = slice_of(text, lengths[0]);
    *value = slice_of(text + lengths[0], lengths[1]);
    *at += HTTP_TRAILER_LENGTHS_BYTES + (uint32_t)lengths[0] + lengths[1];
    ASSERT(*at <= buf->len);
    return true;
}

/* Fields of heads only, besides those that http knows (HTTP_KNOWN_LIST); and families of such. */
static const char *const of_heads[] = {
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "alt-svc",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "early-data",
    "expires",
    "forwarded",
    "from",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "priority",
    "range",
    "referer",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
};
static const char *const families[] = {
    "access-control-", "content-security-", "if-",    "proxy-", "sec-",
    "x-forwarded-",    "x-http-method-",    "x-real-"};

static bool begins_with(struct slice name, struct slice with)
{
    return name.len >= with.len && slice_eq_nocase(slice_of(name.ptr, with.len), with);
}

bool http_trailer_may_pass(struct slice name)
{
    if (name.len == 0 || http_known_of(name) != HTTP_KNOWN_NONE)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!http_char_is(name.ptr[i], HTTP_CHAR_TOKEN))
            return false;
    }
    for (unsigned i = 0; i < array_len(of_heads); i++) {
        if (slice_eq_nocase(name, slice_of_str(of_heads[i])))
            return false;
    }
    for (unsigned i = 0; i < array_len(families); i++) {
        if (begins_with(name, slice_of_str(families[i])))
            return false;
    }
    return true;
}

/* Is it "trailers", which has no parameters? */
static bool is_trailers(struct slice v)
{
    while (v.len > 0 && http_char_is(v.ptr[0], HTTP_CHAR_SPACE))
        v = slice_skip(v, 1);
    while (v.len > 0 && http_char_is(v.ptr[v.len - 1], HTTP_CHAR_SPACE))
        v.len--;
    return slice_eq_nocase(v, SLICE_LIT("trailers"));
}

bool http_wants_trailers(const struct http_head *head)
{
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (head->known[i] != HTTP_KNOWN_TE)
            continue;
        struct slice rest = head->fields[i].value;
        for (size_t n = 0; rest.len > 0; rest = slice_skip(rest, n < rest.len ? n + 1 : n)) {
            for (n = 0; n < rest.len && rest.ptr[n] != ',';)
                n++;
            if (is_trailers(slice_of(rest.ptr, n)))
                return true;
        }
    }
    return false;
}
