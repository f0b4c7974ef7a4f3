/* SPDX-License-Identifier: Apache-2.0 */
/* Version 1: one line of text (section 2.1). The line's end is looked for first, so that the
 * verdict on its fields is of all of them. */
#include "base/assert.h"
#include "base/minmax.h"
#include "base/slice.h"
#include "proxy_protocol/proxy_protocol_priv.h"

enum {
    ADDRESS_BYTES_MAX = 39, /* eight groups of four digits */
    PORT_BYTES_MAX = 5,
};

/* Is the line there, and how long is it without its CR LF? */
static enum proxy_protocol find_end(const uint8_t *bytes, size_t len, size_t *ret_len)
{
    size_t n = min64(len, PROXY_PROTOCOL_LINE_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        bool is_after_cr = i > 0 && bytes[i - 1] == '\r';
        if ((bytes[i] == '\n') != is_after_cr)
            return PROXY_PROTOCOL_line_end;
        if (bytes[i] == '\n') {
            *ret_len = i - 1;
            return PROXY_PROTOCOL_whole;
        }
    }
    return n < PROXY_PROTOCOL_LINE_BYTES_MAX ? PROXY_PROTOCOL_partial : PROXY_PROTOCOL_long;
}

/* Takes the text up to the next space, and the space. False: there is no space. */
static bool take_field(struct slice *rest, struct slice *ret)
{
    const uint8_t *space = memchr(rest->ptr, ' ', rest->len);
    if (space == NULL)
        return false;
    *ret = slice_of(rest->ptr, (size_t)(space - rest->ptr));
    *rest = slice_skip(*rest, ret->len + 1);
    return true;
}

/* Digits of such a base and one separator, nothing else: inet_pton() takes more, such as IPv4 at
 * the end of IPv6. */
static bool is_made_of(struct slice text, bool is_v6)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool is_hex = is_v6 && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'));
        if (!is_hex && !(c >= '0' && c <= '9') && c != (is_v6 ? ':' : '.'))
            return false;
    }
    return true;
}

static bool read_address(struct slice text, bool is_v6, struct ip_addr *ret)
{
    char copy[ADDRESS_BYTES_MAX + 1];
    if (text.len > ADDRESS_BYTES_MAX || !is_made_of(text, is_v6))
        return false;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return ip_addr_parse(copy, ret);
}

static bool read_port(struct slice text, uint16_t *ret)
{
    uint32_t port = 0;
    if (text.len == 0 || text.len > PORT_BYTES_MAX || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        port = port * 10 + text.ptr[i] - '0';
    }
    *ret = (uint16_t)port;
    return port <= UINT16_MAX;
}

/* What follows "PROXY TCP4 " or "PROXY TCP6 ". */
static enum proxy_protocol read_ends(struct slice rest, bool is_v6, struct proxy_protocol_ends *ret)
{
    struct slice source, destination, source_port;
    if (!take_field(&rest, &source) || !take_field(&rest, &destination) ||
        !take_field(&rest, &source_port) || memchr(rest.ptr, ' ', rest.len) != NULL)
        return PROXY_PROTOCOL_fields;
    if (!read_address(source, is_v6, &ret->source) ||
        !read_address(destination, is_v6, &ret->destination))
        return PROXY_PROTOCOL_address;
    if (!read_port(source_port, &ret->source_port) || !read_port(rest, &ret->destination_port))
        return PROXY_PROTOCOL_port;
    return PROXY_PROTOCOL_whole;
}

enum proxy_protocol proxy_protocol_read_v1(const uint8_t *bytes, size_t len,
                                           struct proxy_protocol_header *ret)
{
    static const uint8_t begin[6] = "PROXY ";
    if (memcmp(bytes, begin, min64(len, sizeof(begin))) != 0)
        return PROXY_PROTOCOL_foreign;
    size_t line_len;
    enum proxy_protocol r = find_end(bytes, len, &line_len);
    if (r != PROXY_PROTOCOL_whole)
        return r;
    ASSERT(line_len >= sizeof(begin));
    struct proxy_protocol_header header = {.bytes = (uint32_t)line_len + 2};
    struct slice line = slice_of(bytes + sizeof(begin), line_len - sizeof(begin));
    struct slice rest = slice_skip(line, min64(line.len, 5));
    if (slice_eq(line, SLICE_LIT("UNKNOWN")) || slice_has_prefix(line, SLICE_LIT("UNKNOWN ")))
        header.is_local = true; /* what follows is to be ignored */
    else if (slice_has_prefix(line, SLICE_LIT("TCP4 ")))
        r = read_ends(rest, false, &header.ends);
    else if (slice_has_prefix(line, SLICE_LIT("TCP6 ")))
        r = read_ends(rest, true, &header.ends);
    else
        r = PROXY_PROTOCOL_fields;
    if (r == PROXY_PROTOCOL_whole)
        *ret = header;
    return r;
}
