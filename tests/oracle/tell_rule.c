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

static json_t *tell_cors(const struct image_view *v, const struct image_cors *c)
{
    bool is_any = (c->flags & IMAGE_CORS_ANY_ORIGIN) != 0;
    json_t *origins = is_any ? json_pack("[s]", "*") : json_array();
    for (uint32_t i = 0; i < c->n_origins; i++)
        json_array_append_new(origins, tell_text(v, v->origins[c->first_origin + i].text));
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
        json_array_append_new(mirrors,
                              json_pack("[o,I,I]", tell_text(v, m->name), (json_int_t)m->numerator,
                                        (json_int_t)m->denominator));
    }
    return mirrors;
}

static json_t *tell_limits(const struct image_view *v, const struct image_filter *filter)
{
    json_t *limits = json_array();
    for (uint32_t i = filter->first; i < filter->first + filter->count; i++) {
        const struct image_limit *l = &v->limits[i];
        json_array_append_new(limits, json_pack("[o,I,I,I,o]", tell_text(v, l->name),
                                                (json_int_t)l->requests, (json_int_t)l->burst,
                                                (json_int_t)l->period_ms, tell_text(v, l->header)));
    }
    return limits;
}

static json_t *tell_ranges(const struct image_range *ranges, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        char first[IP_ADDR_TEXT_MAX], last[IP_ADDR_TEXT_MAX];
        json_array_append_new(list, json_pack("[s,s]", ip_addr_format(&ranges[i].first, first),
                                              ip_addr_format(&ranges[i].last, last)));
    }
    return list;
}

/* [realm, names, is hidden], or null. */
static json_t *tell_basic(const struct image_view *v, uint32_t basic)
{
    if (basic == IMAGE_NONE)
        return json_null();
    const struct image_basic *b = &v->basics[basic];
    json_t *names = json_array();
    for (uint32_t i = 0; i < b->n_users; i++)
        json_array_append_new(names, tell_text(v, v->users[b->first_user + i].name));
    return json_pack("[o,o,b]", tell_text(v, b->realm), names, (int)b->hides_authorization);
}

/* [realm, issuer, audiences, [kid, algorithms, bytes of the key] of each, is hidden], or null. */
static json_t *tell_jwt(const struct image_view *v, uint32_t jwt)
{
    if (jwt == IMAGE_NONE)
        return json_null();
    const struct image_jwt *j = &v->jwts[jwt];
    json_t *audiences = json_array(), *keys = json_array();
    for (uint32_t i = 0; i < j->n_audiences; i++)
        json_array_append_new(audiences, tell_text(v, v->jwt_audiences[j->first_audience + i]));
    for (uint32_t i = 0; i < j->n_keys; i++) {
        const struct image_jwt_key *key = &v->jwt_keys[j->first_key + i];
        json_array_append_new(keys, json_pack("[o,i,i]", tell_text(v, key->kid), (int)key->algs,
                                              (int)key->spki.length));
    }
    return json_pack("[o,o,o,o,b]", tell_text(v, j->realm), tell_text(v, j->issuer), audiences,
                     keys, (int)j->hides_authorization);
}

static json_t *tell_access(const struct image_view *v, const struct image_access *a)
{
    const struct image_range *ranges = &v->ranges[a->first_range];
    return json_pack("[o,o,o,o,o]", tell_text(v, a->name), tell_ranges(ranges, a->n_allowed),
                     tell_ranges(ranges + a->n_allowed, a->n_denied), tell_basic(v, a->basic),
                     tell_jwt(v, a->jwt));
}

static json_t *tell_accesses(const struct image_view *v, const struct image_filter *filter)
{
    json_t *accesses = json_array();
    for (uint32_t i = filter->first; i < filter->first + filter->count; i++)
        json_array_append_new(accesses, tell_access(v, &v->accesses[v->access_uses[i]]));
    return accesses;
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

json_t *tell_rule(const struct image_view *v, const struct image_rule *rule)
{
    json_t *filters = tell_filters(v, rule->first_filter, rule->n_filters);
    json_t *backends = json_array();
    for (uint32_t i = 0; i < rule->n_backends; i++) {
        const struct image_backend *b = &v->backends[rule->first_backend + i];
        json_array_append_new(backends, json_pack("[o,I,i,o]", tell_text(v, b->name),
                                                  (json_int_t)b->weight, (int)b->fault_status,
                                                  tell_filters(v, b->first_filter, b->n_filters)));
    }
    return json_pack("{s:i,s:i,s:[I,I],s:o,s:o,s:o}", "rule", (int)rule->index, "fault",
                     (int)rule->fault_status, "timeouts", (json_int_t)rule->request_timeout_ms,
                     (json_int_t)rule->backend_request_timeout_ms, "retry",
                     tell_retry(v, rule->retry), "filters", filters, "backends", backends);
}
