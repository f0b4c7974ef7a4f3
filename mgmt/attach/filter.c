/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of an HTTPRoute's rules. One that we cannot do is never skipped. */
#include "attach/attach_priv.h"

#include "base/assert.h"

#include <string.h>

/* "set" and "add" of a header modifier. */
static const struct plan_pair *read_headers(struct attach *a, const json_t *list, uint32_t *ret_n)
{
    *ret_n = (uint32_t)json_array_size(list);
    struct plan_pair *pairs = ARENA_ARRAY(a->arena, struct plan_pair, *ret_n);
    for (uint32_t i = 0; i < *ret_n; i++) {
        const json_t *item = json_array_get(list, i);
        pairs[i] = (struct plan_pair){.name = text_at(item, "name"),
                                      .value = text_at(item, "value"),
                                      .type = PLAN_MATCH_EXACT};
    }
    return pairs;
}

static struct plan_header_mod read_header_mod(struct attach *a, const json_t *json)
{
    struct plan_header_mod mod = {0};
    const json_t *remove = json_object_get(json, "remove");
    mod.set = read_headers(a, json_object_get(json, "set"), &mod.n_set);
    mod.add = read_headers(a, json_object_get(json, "add"), &mod.n_add);
    mod.n_remove = (uint32_t)json_array_size(remove);
    const char **names = ARENA_ARRAY(a->arena, const char *, mod.n_remove);
    for (uint32_t i = 0; i < mod.n_remove; i++) {
        names[i] = json_string_value(json_array_get(remove, i));
    }
    mod.remove = names;
    return mod;
}

/* A member that may be missing: NULL then. */
static const char *optional(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static enum plan_path_mod read_path_mod(const json_t *json, const char **ret_path)
{
    const json_t *path = json_object_get(json, "path");
    if (strcmp(text_at(path, "type"), "ReplaceFullPath") == 0) {
        *ret_path = text_at(path, "replaceFullPath");
        return PLAN_PATH_FULL;
    }
    if (strcmp(text_at(path, "type"), "ReplacePrefixMatch") == 0) {
        *ret_path = text_at(path, "replacePrefixMatch");
        return PLAN_PATH_PREFIX;
    }
    return PLAN_PATH_KEEP;
}

static struct plan_redirect read_redirect(const json_t *json)
{
    struct plan_redirect r = {
        .scheme = optional(json, "scheme"),
        .hostname = optional(json, "hostname"),
        .port = (uint16_t)int_at(json, "port"),
        .status = (uint16_t)int_at(json, "statusCode"),
    };
    r.path_mod = read_path_mod(json, &r.path);
    r.status = r.status != 0 ? r.status : 302;
    return r;
}

static struct plan_rewrite read_rewrite(const json_t *json)
{
    struct plan_rewrite r = {.hostname = optional(json, "hostname")};
    r.path_mod = read_path_mod(json, &r.path);
    return r;
}

/* Translates one filter; false: not a type that we can do. */
static bool read_filter(struct attach *a, const json_t *json, struct plan_filter *ret)
{
    const char *type = text_at(json, "type");
    if (strcmp(type, "RequestHeaderModifier") == 0) {
        ret->type = PLAN_FILTER_REQUEST_HEADERS;
        ret->headers = read_header_mod(a, json_object_get(json, "requestHeaderModifier"));
    } else if (strcmp(type, "ResponseHeaderModifier") == 0) {
        ret->type = PLAN_FILTER_RESPONSE_HEADERS;
        ret->headers = read_header_mod(a, json_object_get(json, "responseHeaderModifier"));
    } else if (strcmp(type, "RequestRedirect") == 0) {
        ret->type = PLAN_FILTER_REDIRECT;
        ret->redirect = read_redirect(json_object_get(json, "requestRedirect"));
    } else if (strcmp(type, "URLRewrite") == 0) {
        ret->type = PLAN_FILTER_REWRITE;
        ret->rewrite = read_rewrite(json_object_get(json, "urlRewrite"));
    } else {
        return false;
    }
    return true;
}

bool filter_run(struct attach *a, const json_t *filters, struct plan_rule *rule,
                const char **ret_why)
{
    size_t n = json_array_size(filters);
    struct plan_filter *list = ARENA_ARRAY(a->arena, struct plan_filter, n);
    ASSERT(rule->n_filters == 0);
    for (size_t i = 0; i < n; i++) {
        const json_t *json = json_array_get(filters, i);
        if (!read_filter(a, json, &list[i])) {
            *ret_why = arena_printf(a->arena, "filters[%zu]: type %s is not supported", i,
                                    text_at(json, "type"));
            return false;
        }
    }
    rule->filters = list;
    rule->n_filters = (uint32_t)n;
    return true;
}
