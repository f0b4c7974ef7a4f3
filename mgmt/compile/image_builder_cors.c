/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's CORS filters: configured origins are taken apart once, here. */
#include "compile/image_builder_priv.h"

#include <ctype.h>
#include <errno.h>

enum { ORIGIN_BYTES_MAX = 253 }; /* Gateway API: an item of allowOrigins */

static bool is_star(const char *text)
{
    return slice_eq(image_arg(text), SLICE_LIT("*"));
}

/* "*.example.com" to "example.com", "*" to "". */
static bool take_wildcard(struct slice *host)
{
    if (host->len == 0 || host->ptr[0] != '*')
        return false;
    *host = slice_skip(*host, host->len > 1 && host->ptr[1] == '.' ? 2 : 1);
    return true;
}

/* Adds one origin. -EINVAL: it is none. */
static int push_origin(struct image_builder *b, const char *text)
{
    char lower[ORIGIN_BYTES_MAX + 1];
    size_t len = image_arg(text).len;
    if (len == 0 || len > ORIGIN_BYTES_MAX)
        return -EINVAL;
    for (size_t i = 0; i <= len; i++)
        lower[i] = (char)tolower((unsigned char)text[i]);
    struct image_origin_parts parts;
    if (!image_origin_parse(slice_of_str(lower), &parts))
        return -EINVAL;
    struct slice host = parts.host;
    struct image_origin entry = {.scheme = (uint8_t)parts.scheme, .port = parts.port};
    entry.is_wildcard = take_wildcard(&host);
    bool is_host = host.len == 0 ? entry.is_wildcard : image_is_text(host, IMAGE_TEXT_HOST);
    if (!is_host || (host.len > 0 && host.ptr[0] == '*'))
        return -EINVAL;
    struct image_origin *e = NULL;
    if (image_builder_string(b, image_arg(text), &entry.text) &&
        image_builder_string(b, host, &entry.host))
        e = image_vec_push(b, SECTION(b, ORIGINS));
    if (e == NULL)
        return b->error;
    *e = entry;
    return 0;
}

/* All of them, or none. */
static int push_origins(struct image_builder *b, const struct image_cors_spec *spec)
{
    uint32_t first = SECTION(b, ORIGINS)->count;
    if (spec->n_origins > IMAGE_ORIGINS_PER_CORS_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < spec->n_origins; i++) {
        int error = push_origin(b, spec->origins[i]);
        if (error != 0) {
            SECTION(b, ORIGINS)->count = first;
            return error;
        }
    }
    return 0;
}

static bool is_value(const char *text, size_t bytes_max)
{
    return image_arg_is(text, IMAGE_TEXT_VALUE) && image_arg(text).len <= bytes_max;
}

/* The list as it is told; a star is a flag, or, where credentials forbid to tell it, nothing. */
static bool push_value(struct image_builder *b, const char *text, bool is_told,
                       struct image_string *ret)
{
    return image_builder_string(b, image_arg(is_told ? text : NULL), ret);
}

int image_builder_cors(struct image_builder *b, const struct image_cors_spec *spec)
{
    bool is_any = spec->n_origins == 1 && is_star(spec->origins[0]);
    if (!image_builder_takes_filter(b, IMAGE_FILTER_CORS) || spec->max_age_s == 0 ||
        !is_value(spec->methods, IMAGE_CORS_LIST_BYTES_MAX) ||
        !is_value(spec->headers, IMAGE_CORS_LIST_BYTES_MAX) ||
        !is_value(spec->exposed, IMAGE_CORS_EXPOSED_BYTES_MAX))
        return -EINVAL;
    uint32_t first = SECTION(b, ORIGINS)->count;
    int error = is_any ? 0 : push_origins(b, spec);
    if (error != 0)
        return error;
    struct image_cors entry = {.first_origin = first,
                               .n_origins = (uint16_t)(SECTION(b, ORIGINS)->count - first),
                               .max_age_s = spec->max_age_s};
    entry.flags = (uint16_t)((is_any ? IMAGE_CORS_ANY_ORIGIN : 0) |
                             (spec->has_credentials ? IMAGE_CORS_CREDENTIALS : 0) |
                             (is_star(spec->methods) ? IMAGE_CORS_ANY_METHOD : 0) |
                             (is_star(spec->headers) ? IMAGE_CORS_ANY_HEADER : 0));
    bool is_exposed = !is_star(spec->exposed) || !spec->has_credentials;
    struct image_cors *e = NULL;
    if (push_value(b, spec->methods, !is_star(spec->methods), &entry.methods) &&
        push_value(b, spec->headers, !is_star(spec->headers), &entry.headers) &&
        push_value(b, spec->exposed, is_exposed, &entry.exposed))
        e = image_vec_push(b, SECTION(b, CORS));
    if (e == NULL)
        return b->error;
    *e = entry;
    return image_builder_push_filter(b, IMAGE_FILTER_CORS, SECTION(b, CORS)->count - 1, 1);
}
