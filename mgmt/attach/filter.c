/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of an HTTPRoute's rules. One that we cannot do is never skipped. */
#include "attach/attach_priv.h"

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

/* Sets *ret_why if it is longer than any answer could tell. */
static void read_cors(struct attach *a, const json_t *json, struct plan_cors *ret,
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
    }
    if (strlen(ret->exposed) > IMAGE_CORS_EXPOSED_BYTES_MAX) {
        *ret_why = arena_printf(a->arena, "exposeHeaders have more than %u bytes together",
                                IMAGE_CORS_EXPOSED_BYTES_MAX);
    }
}

/* How many of how many requests: all unless said. */
static void read_share(const json_t *json, struct plan_mirror *ret)
{
    const json_t *percent = json_object_get(json, "percent");
    const json_t *fraction = json_object_get(json, "fraction");
    const json_t *denominator = json_object_get(fraction, "denominator");
    ret->denominator = 100;
    ret->numerator = percent != NULL ? (uint32_t)json_integer_value(percent) : 100;
    if (fraction != NULL) {
        ret->numerator = (uint32_t)int_at(fraction, "numerator");
        ret->denominator = denominator != NULL ? (uint32_t)json_integer_value(denominator) : 100;
    }
}

/* False: its backendRef leads nowhere. */
static bool read_mirror(struct rule_reading *in, const json_t *json, size_t i,
                        struct plan_mirror *ret)
{
    const char *why = NULL;
    struct plan_backend b =
        backend_run(in->a, in->route, json_object_get(json, "backendRef"), &why);
    if (b.fault != PLAN_BACKEND_OK) {
        rule_note_unresolved(in,
                             arena_printf(in->a->arena, "filters[%zu].requestMirror.backendRef", i),
                             b.fault, why);
        return false;
    }
    read_share(json, ret);
    ret->group = b.group;
    return true;
}

static bool is_header_modifier(const char *type)
{
    return strcmp(type, "RequestHeaderModifier") == 0 ||
           strcmp(type, "ResponseHeaderModifier") == 0;
}

/* Translates filter number `i` and counts it in, unless there is nothing to do. NULL, or why it is
 * not one that we can do. */
static const char *read_filter(struct rule_reading *in, const json_t *json, size_t i,
                               struct plan_filter *ret, uint32_t *n)
{
    struct attach *a = in->a;
    const char *type = text_at(json, "type");
    const char *why = NULL;
    (*n)++;
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
        read_cors(a, json_object_get(json, "cors"), &ret->cors, &why);
    } else if (strcmp(type, "RequestMirror") == 0) {
        ret->type = PLAN_FILTER_MIRROR;
        *n -= !read_mirror(in, json_object_get(json, "requestMirror"), i, &ret->mirror);
    } else if (strcmp(type, "ExtensionRef") == 0) {
        *n -= !filter_extension_run(in, json_object_get(json, "extensionRef"), i, ret, &why);
    } else {
        why = arena_printf(a->arena, "type %s is not supported", type);
    }
    return why;
}

const char *filter_run(struct rule_reading *in, const json_t *filters, bool is_of_backend,
                       uint32_t *ret_n, const struct plan_filter **ret_filters)
{
    size_t size = json_array_size(filters);
    struct plan_filter *list = ARENA_ARRAY(in->a->arena, struct plan_filter, size);
    uint32_t n = 0;
    for (size_t i = 0; i < size; i++) {
        const json_t *json = json_array_get(filters, i);
        const char *type = text_at(json, "type");
        const char *why = is_of_backend && !is_header_modifier(type)
                              ? arena_printf(in->a->arena, "type %s is not supported here", type)
                              : read_filter(in, json, i, &list[n], &n);
        if (why != NULL) {
            return arena_printf(in->a->arena, "filters[%zu]: %s", i, why);
        }
    }
    *ret_n = n;
    *ret_filters = list;
    return NULL;
}
