/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of an HTTPRoute's rules. One that we cannot do is never skipped. */
#include "attach/attach_priv.h"

#include "base/assert.h"

#include <string.h>

#define CORS_MAX_AGE_S 5u /* HTTPCORSFilter.maxAge: its default */

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

/* A list's members with commas between. */
static const char *join(struct attach *a, const json_t *list)
{
    const char *text = "";
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        text = arena_printf(a->arena, "%s%s%s", text, i > 0 ? ", " : "", json_string_value(item));
    }
    return text;
}

/* False: it is longer than any answer could tell; *ret_why says so. */
static bool read_cors(struct attach *a, const json_t *json, struct plan_cors *ret,
                      const char **ret_why)
{
    const json_t *origins = json_object_get(json, "allowOrigins");
    const json_t *age = json_object_get(json, "maxAge");
    ret->n_origins = (uint32_t)json_array_size(origins);
    const char **texts = ARENA_ARRAY(a->arena, const char *, ret->n_origins);
    for (uint32_t i = 0; i < ret->n_origins; i++) {
        texts[i] = json_string_value(json_array_get(origins, i));
    }
    ret->origins = texts;
    ret->has_credentials = json_is_true(json_object_get(json, "allowCredentials"));
    ret->methods = join(a, json_object_get(json, "allowMethods"));
    ret->headers = join(a, json_object_get(json, "allowHeaders"));
    ret->exposed = join(a, json_object_get(json, "exposeHeaders"));
    ret->max_age_s = age != NULL ? (uint32_t)json_integer_value(age) : CORS_MAX_AGE_S;
    if (strlen(ret->headers) > IMAGE_CORS_LIST_BYTES_MAX) {
        *ret_why = arena_printf(a->arena, "allowHeaders have more than %u bytes together",
                                IMAGE_CORS_LIST_BYTES_MAX);
        return false;
    }
    if (strlen(ret->exposed) > IMAGE_CORS_EXPOSED_BYTES_MAX) {
        *ret_why = arena_printf(a->arena, "exposeHeaders have more than %u bytes together",
                                IMAGE_CORS_EXPOSED_BYTES_MAX);
        return false;
    }
    return true;
}

/* Translates one filter; false: it is not one that we can do, *ret_why says why. */
static bool read_filter(struct attach *a, const json_t *json, struct plan_filter *ret,
                        const char **ret_why)
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
    } else if (strcmp(type, "CORS") == 0) {
        ret->type = PLAN_FILTER_CORS;
        return read_cors(a, json_object_get(json, "cors"), &ret->cors, ret_why);
    } else {
        *ret_why = arena_printf(a->arena, "type %s is not supported", type);
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
        const char *why = NULL;
        if (!read_filter(a, json_array_get(filters, i), &list[i], &why)) {
            *ret_why = arena_printf(a->arena, "filters[%zu]: %s", i, why);
            return false;
        }
    }
    rule->filters = list;
    rule->n_filters = (uint32_t)n;
    return true;
}
