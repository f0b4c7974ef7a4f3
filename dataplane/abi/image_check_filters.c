/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of filters and what they change. Fields that frame a message or belong to one connection
 * are out of a filter's reach: an image that tries to set them is refused, so that no route can
 * make the proxy lie about where a message ends.
 */
#include "abi/endpoints.h"
#include "abi/image_check.h"

/* RFC 9110, section 7.6.1, and RFC 9112, section 6. */
static const char *const framing_fields[] = {
    "connection", "content-length", "keep-alive",        "proxy-connection",
    "te",         "trailer",        "transfer-encoding", "upgrade",
};

bool image_is_framing_field(struct slice name)
{
    for (size_t i = 0; i < sizeof(framing_fields) / sizeof(framing_fields[0]); i++) {
        if (slice_eq_nocase(name, slice_of_str(framing_fields[i])))
            return true;
    }
    return false;
}

enum image_fault image_local_filter(const struct image_view *v, uint32_t i)
{
    const struct image_filter *e = &v->filters[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    uint32_t n = 0, count_max = 1;
    switch (e->type) {
    case IMAGE_FILTER_REQUEST_HEADERS:
    case IMAGE_FILTER_RESPONSE_HEADERS:
        n = v->n_header_ops;
        count_max = IMAGE_HEADER_OPS_PER_FILTER_MAX;
        break;
    case IMAGE_FILTER_REDIRECT:
        n = v->n_redirects;
        break;
    case IMAGE_FILTER_REWRITE:
        n = v->n_rewrites;
        break;
    case IMAGE_FILTER_CORS:
        n = v->n_cors;
        break;
    case IMAGE_FILTER_MIRROR:
        n = v->n_mirrors;
        count_max = IMAGE_MIRRORS_PER_RULE_MAX;
        break;
    case IMAGE_FILTER_LIMIT:
        n = v->n_limits;
        count_max = IMAGE_LIMITS_PER_RULE_MAX;
        break;
    case IMAGE_FILTER_ACCESS:
        n = v->n_access_uses;
        count_max = IMAGE_ACCESSES_PER_RULE_MAX;
        break;
    default:
        return IMAGE_FAULT_VALUE;
    }
    if (e->count == 0 || e->count > count_max)
        return IMAGE_FAULT_VALUE;
    return image_is_range(e->first, e->count, n) ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

enum image_fault image_local_header_op(const struct image_view *v, uint32_t i)
{
    const struct image_header_op *e = &v->header_ops[i];
    if (e->kind < IMAGE_HEADER_SET || e->kind > IMAGE_HEADER_REMOVE)
        return IMAGE_FAULT_VALUE;
    if (e->kind == IMAGE_HEADER_REMOVE && e->value.length != 0)
        return IMAGE_FAULT_VALUE;
    if (e->name.length == 0)
        return IMAGE_FAULT_TEXT;
    enum image_fault fault = image_check_text(v, e->name, IMAGE_TEXT_TOKEN);
    if (fault == IMAGE_FAULT_OK && image_is_framing_field(image_text(v, e->name)))
        return IMAGE_FAULT_TEXT;
    return fault != IMAGE_FAULT_OK ? fault : image_check_text(v, e->value, IMAGE_TEXT_VALUE);
}

static enum image_fault check_edit(const struct image_view *v, uint8_t edit,
                                   struct image_string path)
{
    if (edit > IMAGE_PATH_REPLACE_PREFIX || (edit == IMAGE_PATH_KEEP && path.length != 0))
        return IMAGE_FAULT_VALUE;
    return image_check_text(v, path, IMAGE_TEXT_PATH);
}

/* A name to write into a message: no wildcard. */
static enum image_fault check_hostname(const struct image_view *v, struct image_string hostname)
{
    enum image_fault fault = image_check_text(v, hostname, IMAGE_TEXT_HOST);
    if (fault == IMAGE_FAULT_OK && slice_has_prefix(image_text(v, hostname), SLICE_LIT("*")))
        return IMAGE_FAULT_TEXT;
    return fault;
}

bool image_is_redirect(const struct image_redirect *e)
{
    bool is_status = (e->status >= 301 && e->status <= 303) || e->status == 307 || e->status == 308;
    return is_status && e->scheme <= IMAGE_SCHEME_HTTPS;
}

enum image_fault image_local_redirect(const struct image_view *v, uint32_t i)
{
    const struct image_redirect *e = &v->redirects[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    if (!image_is_redirect(e))
        return IMAGE_FAULT_VALUE;
    enum image_fault fault = check_hostname(v, e->hostname);
    return fault != IMAGE_FAULT_OK ? fault : check_edit(v, e->path_edit, e->path);
}

enum image_fault image_local_rewrite(const struct image_view *v, uint32_t i)
{
    const struct image_rewrite *e = &v->rewrites[i];
    if ((e->reserved[0] | e->reserved[1] | e->reserved[2]) != 0)
        return IMAGE_FAULT_RESERVED;
    enum image_fault fault = check_hostname(v, e->hostname);
    return fault != IMAGE_FAULT_OK ? fault : check_edit(v, e->path_edit, e->path);
}

static enum image_fault check_cors_value(const struct image_view *v, struct image_string value,
                                         uint32_t bytes_max)
{
    if (value.length > bytes_max)
        return IMAGE_FAULT_VALUE;
    return image_check_text(v, value, IMAGE_TEXT_VALUE);
}

enum image_fault image_local_cors(const struct image_view *v, uint32_t i)
{
    const struct image_cors *e = &v->cors[i];
    const unsigned known = IMAGE_CORS_ANY_ORIGIN | IMAGE_CORS_CREDENTIALS | IMAGE_CORS_ANY_METHOD |
                           IMAGE_CORS_ANY_HEADER;
    if ((e->flags & ~known) != 0 || e->n_origins > IMAGE_ORIGINS_PER_CORS_MAX || e->max_age_s == 0)
        return IMAGE_FAULT_VALUE;
    if (((e->flags & IMAGE_CORS_ANY_ORIGIN) != 0 && e->n_origins != 0) ||
        ((e->flags & IMAGE_CORS_ANY_METHOD) != 0 && e->methods.length != 0) ||
        ((e->flags & IMAGE_CORS_ANY_HEADER) != 0 && e->headers.length != 0))
        return IMAGE_FAULT_VALUE;
    if (!image_is_range(e->first_origin, e->n_origins, v->n_origins))
        return IMAGE_FAULT_INDEX;
    enum image_fault fault = check_cors_value(v, e->methods, IMAGE_CORS_LIST_BYTES_MAX);
    if (fault == IMAGE_FAULT_OK)
        fault = check_cors_value(v, e->headers, IMAGE_CORS_LIST_BYTES_MAX);
    return fault != IMAGE_FAULT_OK ? fault
                                   : check_cors_value(v, e->exposed, IMAGE_CORS_EXPOSED_BYTES_MAX);
}

enum image_fault image_local_origin(const struct image_view *v, uint32_t i)
{
    const struct image_origin *e = &v->origins[i];
    if ((e->scheme != IMAGE_SCHEME_HTTP && e->scheme != IMAGE_SCHEME_HTTPS) || e->port == 0 ||
        e->is_wildcard > 1)
        return IMAGE_FAULT_VALUE;
    if (e->text.length == 0 || (e->host.length == 0 && e->is_wildcard == 0))
        return IMAGE_FAULT_TEXT;
    enum image_fault fault = image_check_text(v, e->text, IMAGE_TEXT_VALUE);
    return fault != IMAGE_FAULT_OK ? fault : check_hostname(v, e->host);
}

enum image_fault image_local_mirror(const struct image_view *v, uint32_t i)
{
    const struct image_mirror *e = &v->mirrors[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    if (e->denominator == 0 || e->numerator > e->denominator ||
        !image_is_congestion(e->congestion) || e->proxy_header >= IMAGE_PROXY_HEADERS ||
        e->protocol >= IMAGE_BACKEND_PROTOCOLS)
        return IMAGE_FAULT_VALUE;
    enum image_fault fault = image_check_balance(v, &e->balancing, true);
    if (fault != IMAGE_FAULT_OK)
        return fault;
    if (e->group >= ENDPOINT_GROUPS_MAX || (e->tls != IMAGE_NONE && e->tls >= v->n_backend_tls))
        return IMAGE_FAULT_INDEX;
    return image_check_text(v, e->name, IMAGE_TEXT_NAME);
}

enum image_fault image_cross_mirror(const struct image_view *v, uint32_t i)
{
    const struct image_mirror *e = &v->mirrors[i];
    return image_check_health_of(v, e->health, e->group, e->protocol);
}

static bool is_limit_key(const struct image_limit *e)
{
    bool has_header = e->header.length != 0, has_prefixes = (e->prefix4_len | e->prefix6_len) != 0;
    switch (e->key) {
    case IMAGE_LIMIT_ROUTE:
        return !has_header && !has_prefixes;
    case IMAGE_LIMIT_CLIENT:
        return !has_header && e->prefix4_len > 0 && e->prefix4_len <= 32 && e->prefix6_len > 0 &&
               e->prefix6_len <= 128;
    case IMAGE_LIMIT_HEADER:
        return has_header && !has_prefixes;
    default:
        return false;
    }
}

bool image_is_limit(const struct image_limit *e)
{
    if (e->requests == 0 || e->requests > IMAGE_LIMIT_REQUESTS_MAX || e->burst == 0 ||
        e->burst > IMAGE_LIMIT_REQUESTS_MAX || e->period_ms < IMAGE_LIMIT_PERIOD_MS_MIN ||
        e->period_ms > IMAGE_LIMIT_PERIOD_MS_MAX)
        return false;
    return is_limit_key(e) &&
           (uint64_t)e->burst * e->period_ms <= IMAGE_LIMIT_FILL_MS_MAX * e->requests;
}

enum image_fault image_local_limit(const struct image_view *v, uint32_t i)
{
    const struct image_limit *e = &v->limits[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    if (!image_is_limit(e))
        return IMAGE_FAULT_VALUE;
    enum image_fault fault = image_check_text(v, e->name, IMAGE_TEXT_NAME);
    return fault != IMAGE_FAULT_OK ? fault : image_check_text(v, e->header, IMAGE_TEXT_TOKEN_LOWER);
}

bool image_rule_replaces_prefix(const struct image_view *v, const struct image_rule *rule)
{
    for (uint32_t k = 0; k < rule->n_filters; k++) {
        const struct image_filter *f = &v->filters[rule->first_filter + k];
        if (f->type == IMAGE_FILTER_REDIRECT &&
            v->redirects[f->first].path_edit == IMAGE_PATH_REPLACE_PREFIX)
            return true;
        if (f->type == IMAGE_FILTER_REWRITE &&
            v->rewrites[f->first].path_edit == IMAGE_PATH_REPLACE_PREFIX)
            return true;
    }
    return false;
}
