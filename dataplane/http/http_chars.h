/* SPDX-License-Identifier: Apache-2.0 */
/* What each byte may be a part of: one table, one load a byte. Private to http. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum http_char {
    HTTP_CHAR_TOKEN = 1u << 0,      /* RFC 9110, section 5.6.2 */
    HTTP_CHAR_VALUE = 1u << 1,      /* field value: VCHAR, obs-text, SP, HTAB */
    HTTP_CHAR_PATH = 1u << 2,       /* what browsers leave unencoded in a path, and '%' */
    HTTP_CHAR_QUERY = 1u << 3,      /* the same in a query */
    HTTP_CHAR_HOST = 1u << 4,       /* letters, digits, '-', '_', '.' */
    HTTP_CHAR_UNRESERVED = 1u << 5, /* RFC 3986, section 2.3 */
    HTTP_CHAR_SPACE = 1u << 6,      /* SP, HTAB */
};

extern const uint8_t http_chars[256];

/* Is `c` one of `classes` (a set of enum http_char)? */
static inline bool http_char_is(uint8_t c, unsigned classes)
{
    return (http_chars[c] & classes) != 0;
}

/* The value of a hexadecimal digit; -1: it is none. */
static inline int http_hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}
