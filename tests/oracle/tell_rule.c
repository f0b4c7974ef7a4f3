/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of an image in the words of the Gateway API's fields. See tell.h. */
#include "tell.h"

static void set_text(json_t *o, const char *key, const struct image_view *v, struct image_string s)
{
    if (s.length != 0)
        json_object_set_new(o, key, tell_text(v, s));
}

static json_t *tell_headers(const struct image_view *v, const struct image_filter *filter)
{
    json_t *set = json_array(), *add = json_array(), *removed = json_array();
    for (uint32_t i = filter->first; i < filter->first + filter->count; i++) {
        const struct image_header_op *op = &v->header_ops[i];
        if (op->kind == IMAGE_HEADER_REMOVE)
            json_array_append_new(removed, tell_text(v, op->name));
        else
            json_array_append_new(
                op->kind == IMAGE_HEADER_SET ? set : add,
                json_pack("[o,o]", tell_text(v, op->name), tell_text(v, op->value)));
    }
    return json_pack("{s:o,s:o,s:o}", "set", set, "add", add, "remove", removed);
}

static void set_path(json_t *o, const struct image_view *v, uint8_t edit, struct image_string path)
{
    static const char *const types[] = {[IMAGE_PATH_REPLACE_FULL] = "ReplaceFullPath",
                                        [IMAGE_PATH_REPLACE_PREFIX] = "ReplacePrefixMatch"};
    if (edit != IMAGE_PATH_KEEP)
        json_object_set_new(o, "path", json_pack("[s,o]", types[edit], tell_text(v, path)));
}

static json_t *tell_redirect(const struct image_view *v, const struct image_redirect *r)
{
    json_t *o = json_pack("{s:i}", "statusCode", (int)r->status);
    set_text(o, "hostname", v, r->hostname);
    set_path(o, v, r->path_edit, r->path);
    if (r->port != 0)
        json_object_set_new(o, "port", json_integer(r->port));
    if (r->scheme != IMAGE_SCHEME_KEEP)
        json_object_set_new(o, "scheme",
                            json_string(r->scheme == IMAGE_SCHEME_HTTPS ? "https" : "http"));
    return o;
}

static json_t *tell_rewrite(const struct image_view *v, const struct image_rewrite *r)
{
    json_t *o = json_object();
    set_text(o, "hostname", v, r->hostname);
    set_path(o, v, r->path_edit, r->path);
    return o;
}

static json_t *tell_origin(const struct image_view *v, const struct image_origin *o)
{
    return json_pack("[o,s,o,i,b]", tell_text(v, o->text),
                     o->scheme == IMAGE_SCHEME_HTTPS ? "https" : "http", tell_text(v, o->host),
                     (int)o->port, (int)o->is_wildcard);
}

static json_t *tell_cors(const struct image_view *v, const struct image_cors *c)
{
    bool is_any = (c->flags & IMAGE_CORS_ANY_ORIGIN) != 0;
    json_t *origins = is_any ? json_pack("[s]", "*") : json_array();
    for (uint32_t i = 0; i < c->n_origins; i++)
        json_array_append_new(origins, tell_origin(v, &v->origins[c->first_origin + i]));
    json_t *methods =
        (c->flags & IMAGE_CORS_ANY_METHOD) != 0 ? json_string("*") : tell_text(v, c->methods);
    json_t *headers =
        (c->flags & IMAGE_CORS_ANY_HEADER) != 0 ? json_string("*") : tell_text(v, c->headers);
    return json_pack("{s:o,s:b,s:o,s:o,s:o,s:i}", "origins", origins, "credentials",
                     (c->flags & IMAGE_CORS_CREDENTIALS) != 0, "methods", methods, "headers",
                     headers, "exposed", tell_text(v, c->exposed), "maxAge", (int)c->max_age_s);
}

static json_t *tell_mirrors(const struct image_view *v, const struct image_filter *filter)
{
    json_t *mirrors = json_array();
    for (uint32_t i = filter->first; i < filter->first + filter->count; i++) {
        const struct image_mirror *m = &v->mirrors[i];
        json_array_append_new(
            mirrors, json_pack("[o,I,I,o]", tell_text(v, m->name), (json_int_t)m->numerator,
                               (json_int_t)m->denominator, tell_mirror_connections(v, m)));
    }
    return mirrors;
}

static json_t *tell_filter(const struct image_view *v, const struct image_filter *filter)
{
    switch ((enum image_filter_type)filter->type) {
    case IMAGE_FILTER_REQUEST_HEADERS:
        return json_pack("[s,o]", "RequestHeaderModifier", tell_headers(v, filter));
    case IMAGE_FILTER_RESPONSE_HEADERS:
        return json_pack("[s,o]", "ResponseHeaderModifier", tell_headers(v, filter));
    case IMAGE_FILTER_REDIRECT:
        return json_pack("[s,o]", "RequestRedirect",
                         tell_redirect(v, &v->redirects[filter->first]));
    case IMAGE_FILTER_REWRITE:
        return json_pack("[s,o]", "URLRewrite", tell_rewrite(v, &v->rewrites[filter->first]));
    case IMAGE_FILTER_CORS:
        return json_pack("[s,o]", "CORS", tell_cors(v, &v->cors[filter->first]));
    case IMAGE_FILTER_MIRROR:
        return json_pack("[s,o]", "RequestMirror", tell_mirrors(v, filter));
    case IMAGE_FILTER_LIMIT:
        return json_pack("[s,o]", "RateLimit", tell_limits(v, filter));
    case IMAGE_FILTER_ACCESS:
        return json_pack("[s,o]", "AccessPolicy", tell_accesses(v, filter));
    }
    return json_null();
}

static json_t *tell_filters(const struct image_view *v, uint32_t first, uint32_t n)
{
    json_t *filters = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(filters, tell_filter(v, &v->filters[first + i]));
    return filters;
}

/* [attempts, backoff in ms, codes], or null. */
static json_t *tell_retry(const struct image_view *v, uint32_t retry)
{
    if (retry == IMAGE_NONE)
        return json_null();
    const struct image_retry *r = &v->retries[retry];
    json_t *codes = json_array();
    for (uint16_t status = IMAGE_RETRY_CODE_MIN; status <= IMAGE_RETRY_CODE_MAX; status++) {
        if (image_retry_has(r, status))
            json_array_append_new(codes, json_integer(status));
    }
    return json_pack("[i,I,o]", (int)r->attempts, (json_int_t)r->backoff_ms, codes);
}

/* {kind, name, path, lifetime, is permanent, keys}, or null. */
static json_t *tell_persistence(const struct image_view *v, uint32_t persistence)
{
    if (persistence == IMAGE_NONE)
        return json_null();
    const struct image_persistence *p = &v->persistence[persistence];
    uint64_t keys[] = {p->token_key[0], p->token_key[1], p->seal_key[0], p->seal_key[1]};
    return json_pack(
        "{s:s,s:o,s:o,s:I,s:b,s:o}", "kind", p->kind == IMAGE_SESSION_COOKIE ? "Cookie" : "Header",
        "name", tell_text(v, p->name), "path", tell_text(v, p->path), "lifetime",
        (json_int_t)p->lifetime_s, "permanent", (int)p->is_permanent, "keys", tell_words(keys, 4));
}

static json_t *tell_backend(const struct image_view *v, const struct image_backend *b)
{
    return json_pack("[o,I,i,o,o]", tell_text(v, b->name), (json_int_t)b->weight,
                     (int)b->fault_status, tell_filters(v, b->first_filter, b->n_filters),
                     tell_backend_connections(v, b));
}

json_t *tell_rule(const struct image_view *v, const struct image_rule *rule)
{
    json_t *filters = tell_filters(v, rule->first_filter, rule->n_filters);
    json_t *backends = json_array();
    for (uint32_t i = 0; i < rule->n_backends; i++)
        json_array_append_new(backends, tell_backend(v, &v->backends[rule->first_backend + i]));
    return json_pack("{s:i,s:i,s:[I,I],s:o,s:o,s:o,s:o,s:I}", "rule", (int)rule->index, "fault",
                     (int)rule->fault_status, "timeouts", (json_int_t)rule->request_timeout_ms,
                     (json_int_t)rule->backend_request_timeout_ms, "retry",
                     tell_retry(v, rule->retry), "session", tell_persistence(v, rule->persistence),
                     "filters", filters, "backends", backends, "weights",
                     (json_int_t)rule->weight_total);
}
