/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of heads that are none: as much as is there, never a query, never out of bounds. */
#include "base/container.h"
#include "http/http_glimpse.h"
#include "unit.h"

#include <string.h>

static const char *text(struct slice s)
{
    static char texts[4][64];
    static unsigned at;
    char *to = texts[at++ % 4];
    REQUIRE(s.len < sizeof(texts[0]));
    if (s.len > 0)
        memcpy(to, s.ptr, s.len);
    to[s.len] = '\0';
    return to;
}

TEST(what_is_there_is_told_and_what_is_not_is_empty)
{
    static const struct {
        const char *head, *method, *path, *host;
    } rows[] = {
        {"GET /a HTTP/1.1\r\nX: y\r\nhOsT: \t a.example:80 \r\n\r\n", "GET", "/a", "a.example:80"},
        {"GET /a?secret HTTP/1.1\r\nHost: a\r\n", "GET", "/a", "a"},
        {"GET /a#secret", "GET", "/a", ""},
        {"GET /par", "GET", "/par", ""},
        {"GE", "GE", "", ""},
        {"", "", "", ""},
        {"GET  /a", "GET", "", ""},
        {"G(T /a HTTP/1.1\r\nHost: a\r\n", "", "", "a"},
        {"\x16\x03\x01\x02", "", "", ""}, /* TLS where none is spoken */
        {"GET http://user:secret@a/ HTTP/1.1\r\n", "GET", "", ""},
        {"OPTIONS * HTTP/3.0\nHost: a\nHost: b\n", "OPTIONS", "*", "a"},
        {"GET / HTTP/1.1\r\n\r\nHost: body\r\n", "GET", "/", ""},
        {"GET / HTTP/1.1\r\nHost", "GET", "/", ""},
        {"GET / HTTP/1.1\r\nHost:", "GET", "/", ""},
    };
    struct http_glimpse got;
    for (unsigned i = 0; i < array_len(rows); i++) {
        http_glimpse(slice_of_str(rows[i].head), &got);
        CHECK_STR(text(got.method), rows[i].method);
        CHECK_STR(text(got.path), rows[i].path);
        CHECK_STR(text(got.host), rows[i].host);
    }
    http_glimpse(SLICE_LIT("GET /a\0b HTTP/1.1"), &got);
    CHECK_EQ(got.path.len, 2);
}

UNIT_MAIN("http/glimpse", T(what_is_there_is_told_and_what_is_not_is_empty))
