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
    }
    return json_null();
}

json_t *tell_rule(const struct image_view *v, const struct image_rule *rule)
{
    json_t *filters = json_array(), *backends = json_array();
    for (uint32_t i = 0; i < rule->n_filters; i++)
        json_array_append_new(filters, tell_filter(v, &v->filters[rule->first_filter + i]));
    for (uint32_t i = 0; i < rule->n_backends; i++) {
        const struct image_backend *b = &v->backends[rule->first_backend + i];
        json_array_append_new(backends, json_pack("[o,I,i]", tell_text(v, b->name),
                                                  (json_int_t)b->weight, (int)b->fault_status));
    }
    return json_pack("{s:i,s:i,s:[I,I],s:o,s:o}", "rule", (int)rule->index, "fault",
                     (int)rule->fault_status, "timeouts", (json_int_t)rule->request_timeout_ms,
                     (json_int_t)rule->backend_request_timeout_ms, "filters", filters, "backends",
                     backends);
}
