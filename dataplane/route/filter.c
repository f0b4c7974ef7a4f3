/* SPDX-License-Identifier: Apache-2.0 */
/* See filter.h. The tables of the Gateway API's HTTPPathModifier and HTTPRequestRedirectFilter are
 * test cases of tests/unit/dataplane/route. */
#include "route/filter.h"

#include "base/assert.h"

#include <stdio.h>

/* Text that grows in a buffer of the caller; once it does not fit, it never does. */
struct text {
    uint8_t *buf;
    size_t cap;
    size_t len;
    bool is_full;
};

static void put(struct text *t, struct slice s)
{
    if (t->is_full || s.len > t->cap - t->len) {
        t->is_full = true;
        return;
    }
    if (s.len != 0)
        memcpy(t->buf + t->len, s.ptr, s.len);
    t->len += s.len;
}

static const struct image_filter *find(const struct image_view *v, uint32_t first, uint32_t n,
                                       enum image_filter_type type)
{
    for (uint32_t i = 0; i < n; i++) {
        if (v->filters[first + i].type == type)
            return &v->filters[first + i];
    }
    return NULL;
}

const struct image_filter *route_filter_find(const struct image_view *v,
                                             const struct image_rule *rule,
                                             enum image_filter_type type)
{
    return find(v, rule->first_filter, rule->n_filters, type);
}

const struct image_filter *route_backend_filter_find(const struct image_view *v,
                                                     const struct image_backend *backend,
                                                     enum image_filter_type type)
{
    return find(v, backend->first_filter, backend->n_filters, type);
}

bool route_backend_pick(const struct image_view *v, const struct image_rule *rule, uint32_t chance,
                        const struct image_backend **ret)
{
    if (rule->fault_status != 0 || rule->weight_total == 0)
        return false;
    uint32_t ticket = (uint32_t)(((uint64_t)chance * rule->weight_total) >> 32);
    for (uint32_t i = 0; i < rule->n_backends; i++) {
        const struct image_backend *backend = &v->backends[rule->first_backend + i];
        if (ticket < backend->weight) {
            *ret = backend;
            return true;
        }
        ticket -= backend->weight;
    }
    ASSERT(!"weights add up to the total: image_check() saw to it");
    return false;
}

bool route_mirror_takes(const struct image_mirror *mirror, uint32_t chance)
{
    return ((uint64_t)chance * mirror->denominator) >> 32 < mirror->numerator;
}

bool route_filter_drops(const struct image_view *v, const struct image_filter *filter,
                        struct slice name)
{
    for (uint32_t i = 0; filter != NULL && i < filter->count; i++) {
        const struct image_header_op *op = &v->header_ops[filter->first + i];
        if (op->kind != IMAGE_HEADER_ADD && slice_eq_nocase(image_text(v, op->name), name))
            return true;
    }
    return false;
}

/* `path` with the prefix that `match` matched replaced; the rest keeps its slash, and neither "//"
 * nor an empty path comes out. */
static void put_prefix_replaced(struct text *t, const struct image_view *v,
                                const struct image_match *match, struct slice replacement,
                                struct slice path)
{
    struct slice prefix = image_text(v, v->paths[match->path].text);
    ASSERT(v->paths[match->path].kind == IMAGE_PATH_PREFIX);
    if (prefix.len == 1)
        prefix.len = 0; /* "/": everything is the rest */
    ASSERT(slice_has_prefix(path, prefix));
    if (replacement.len != 0 && replacement.ptr[replacement.len - 1] == '/')
        replacement.len--;
    struct slice rest = slice_skip(path, prefix.len);
    put(t, replacement);
    put(t, rest);
    if (replacement.len + rest.len == 0)
        put(t, SLICE_LIT("/"));
}

static void put_path(struct text *t, const struct image_view *v, const struct image_match *match,
                     enum image_path_edit edit, struct image_string replacement, struct slice path)
{
    struct slice to = image_text(v, replacement);
    switch (edit) {
    case IMAGE_PATH_KEEP:
        put(t, path);
        break;
    case IMAGE_PATH_REPLACE_FULL:
        put(t, to.len == 0 ? SLICE_LIT("/") : to);
        break;
    case IMAGE_PATH_REPLACE_PREFIX:
        put_prefix_replaced(t, v, match, to, path);
        break;
    }
}

bool route_path_edit(const struct image_view *v, const struct image_match *match,
                     enum image_path_edit edit, struct image_string replacement, struct slice path,
                     uint8_t *buf, size_t cap, size_t *ret_len)
{
    struct text t = {.buf = buf, .cap = cap};
    put_path(&t, v, match, edit, replacement, path);
    if (t.is_full)
        return false;
    *ret_len = t.len;
    return true;
}

/* HTTPRequestRedirectFilter.port: given, or of the given scheme, or the listener's; and left out
 * where it is the scheme's own. */
static void put_port(struct text *t, const struct image_redirect *redirect, bool is_https,
                     uint16_t listener_port)
{
    uint16_t well_known = is_https ? 443 : 80;
    uint16_t port = redirect->port;
    if (port == 0)
        port = redirect->scheme == IMAGE_SCHEME_KEEP ? listener_port : well_known;
    if (port == well_known)
        return;
    char digits[8];
    int len = snprintf(digits, sizeof(digits), ":%u", (unsigned)port);
    put(t, slice_of(digits, (size_t)len));
}

bool route_redirect_location(const struct image_view *v, const struct image_match *match,
                             const struct image_redirect *redirect,
                             const struct route_redirect_request *request, uint8_t *buf, size_t cap,
                             size_t *ret_len)
{
    struct text t = {.buf = buf, .cap = cap};
    struct slice hostname = image_text(v, redirect->hostname);
    bool is_https = redirect->scheme == IMAGE_SCHEME_KEEP ? request->is_https
                                                          : redirect->scheme == IMAGE_SCHEME_HTTPS;
    put(&t, is_https ? SLICE_LIT("https://") : SLICE_LIT("http://"));
    put(&t, hostname.len != 0 ? hostname : request->host);
    put_port(&t, redirect, is_https, request->listener_port);
    put_path(&t, v, match, redirect->path_edit, redirect->path, request->path);
    if (request->has_query) {
        put(&t, SLICE_LIT("?"));
        put(&t, request->query);
    }
    if (t.is_full)
        return false;
    *ret_len = t.len;
    return true;
}
