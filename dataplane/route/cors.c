/* SPDX-License-Identifier: Apache-2.0 */
/* See cors.h. Scheme and host are compared without case; a port left out is the scheme's. */
#include "route/cors.h"

#include <stdint.h>
#include <string.h>

/* An origin taken apart. */
struct parts {
    enum image_scheme scheme;
    struct slice host;
    uint32_t port;
};

static bool take_scheme(struct slice *rest, struct slice text)
{
    if (rest->len < text.len || !slice_eq_nocase(slice_of(rest->ptr, text.len), text))
        return false;
    *rest = slice_skip(*rest, text.len);
    return true;
}

/* ":8080" behind the host; brackets of IPv6 literals hold colons of their own. */
static bool take_port(struct slice *host, uint32_t *ret_port)
{
    size_t digits = 0;
    uint32_t port = 0, unit = 1;
    while (digits < host->len && digits < 5) {
        uint8_t c = host->ptr[host->len - 1 - digits];
        if (c < '0' || c > '9')
            break;
        port += (uint32_t)(c - '0') * unit;
        unit *= 10;
        digits++;
    }
    if (digits == 0 || digits == host->len || host->ptr[host->len - 1 - digits] != ':')
        return false;
    host->len -= digits + 1;
    *ret_port = port;
    return true;
}

/* False: it is none that a web page can have, as "null" is. */
static bool parse(struct slice origin, struct parts *ret)
{
    if (take_scheme(&origin, SLICE_LIT("https://")))
        *ret = (struct parts){IMAGE_SCHEME_HTTPS, origin, 443};
    else if (take_scheme(&origin, SLICE_LIT("http://")))
        *ret = (struct parts){IMAGE_SCHEME_HTTP, origin, 80};
    else
        return false;
    take_port(&ret->host, &ret->port);
    return ret->host.len > 0;
}

/* Is there at least one label before `end`, which is the rest of the host? */
static bool is_below(struct slice host, struct slice end)
{
    if (end.len == 0)
        return true;
    if (host.len < end.len + 2 || host.ptr[host.len - end.len - 1] != '.')
        return false;
    return slice_eq_nocase(slice_skip(host, host.len - end.len), end);
}

static bool is_origin(const struct image_view *v, const struct image_origin *allowed,
                      const struct parts *p)
{
    struct slice host = image_text(v, allowed->host);
    if (allowed->scheme != p->scheme || allowed->port != p->port)
        return false;
    return allowed->is_wildcard ? is_below(p->host, host) : slice_eq_nocase(p->host, host);
}

bool route_cors_varies(const struct image_cors *cors)
{
    return (cors->flags & (IMAGE_CORS_ANY_ORIGIN | IMAGE_CORS_CREDENTIALS)) !=
           IMAGE_CORS_ANY_ORIGIN;
}

bool route_cors_allows(const struct image_view *v, const struct image_cors *cors,
                       struct slice origin, struct slice *ret_told)
{
    struct parts p;
    if (cors->flags & IMAGE_CORS_ANY_ORIGIN) {
        *ret_told = route_cors_varies(cors) ? origin : SLICE_LIT("*");
        return true;
    }
    if (!parse(origin, &p))
        return false;
    for (uint32_t i = 0; i < cors->n_origins; i++) {
        const struct image_origin *allowed = &v->origins[cors->first_origin + i];
        struct slice text = image_text(v, allowed->text);
        if (!is_origin(v, allowed, &p))
            continue;
        *ret_told = slice_eq(text, origin) ? text : origin;
        return true;
    }
    return false;
}
