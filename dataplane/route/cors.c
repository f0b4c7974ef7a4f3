/* SPDX-License-Identifier: Apache-2.0 */
/* See cors.h. Scheme and host are compared without case; a port left out is the scheme's. */
#include "route/cors.h"

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
                      const struct image_origin_parts *p)
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
    struct image_origin_parts p;
    if (cors->flags & IMAGE_CORS_ANY_ORIGIN) {
        *ret_told = route_cors_varies(cors) ? origin : SLICE_LIT("*");
        return true;
    }
    if (!image_origin_parse(origin, &p))
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
