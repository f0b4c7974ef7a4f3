/* SPDX-License-Identifier: Apache-2.0 */
/* Origins taken apart, for whoever writes them into an image and for whoever compares with them. */
#include "abi/image.h"

enum { PORT_DIGITS_MAX = 5 };

static bool take_scheme(struct slice *rest, struct slice text)
{
    if (rest->len < text.len || !slice_eq_nocase(slice_of(rest->ptr, text.len), text))
        return false;
    *rest = slice_skip(*rest, text.len);
    return true;
}

/* Where ":port" begins, behind the brackets of an IPv6 literal, which hold colons of their own; the
 * length of the host: there is none. */
static size_t find_colon(struct slice host)
{
    size_t at = 0;
    if (host.len > 0 && host.ptr[0] == '[') {
        while (at < host.len && host.ptr[at] != ']')
            at++;
    }
    while (at < host.len && host.ptr[at] != ':')
        at++;
    return at;
}

/* Cuts ":port" off the end, if it is there. False: what is there is no port. */
static bool take_port(struct slice *host, uint16_t *port)
{
    size_t colon = find_colon(*host);
    struct slice digits = slice_skip(*host, colon);
    uint32_t number = 0;
    if (digits.len == 0)
        return true;
    digits = slice_skip(digits, 1);
    if (digits.len == 0 || digits.len > PORT_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        number = number * 10 + (uint32_t)(digits.ptr[i] - '0');
    }
    host->len = colon;
    *port = (uint16_t)number;
    return number > 0 && number <= UINT16_MAX;
}

bool image_origin_parse(struct slice origin, struct image_origin_parts *ret)
{
    struct image_origin_parts parts = {.port = 443, .scheme = IMAGE_SCHEME_HTTPS};
    if (!take_scheme(&origin, SLICE_LIT("https://"))) {
        parts = (struct image_origin_parts){.port = 80, .scheme = IMAGE_SCHEME_HTTP};
        if (!take_scheme(&origin, SLICE_LIT("http://")))
            return false;
    }
    parts.host = origin;
    if (!take_port(&parts.host, &parts.port) || parts.host.len == 0)
        return false;
    *ret = parts;
    return true;
}
