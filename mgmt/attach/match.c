/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matches of a rule: path, method, headers, query parameters. GRPCRoutes differ from HTTPRoutes
 * here and hardly anywhere else: what they say of a call is said of its path.
 */
#include "attach/attach_priv.h"
#include "model/text.h"

#include <string.h>

static bool is_regex(const json_t *json)
{
    return strcmp(text_at(json, "type"), "RegularExpression") == 0;
}

/* Is the value one that the dataplane can have? If not, *ret_why has the compiler's reason. */
static bool check_pattern(struct attach *a, const char *pattern, const char **ret_why)
{
    const char *why;
    if (a->is_pattern == NULL || a->is_pattern(a->is_pattern_arg, pattern, &why)) {
        return true;
    }
    *ret_why = arena_printf(a->arena, "RegularExpression \"%s\": %s", pattern, why);
    return false;
}

/* Header or query parameter conditions. Of two with the same name only the first counts. False: one
 * is no regular expression, *ret_why says why. */
static bool read_pairs(struct attach *a, const json_t *list, bool is_header,
                       const struct plan_pair **ret_pairs, uint32_t *ret_n, const char **ret_why)
{
    struct plan_pair *pairs = ARENA_ARRAY(a->arena, struct plan_pair, json_array_size(list));
    uint32_t n = 0;
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *name = text_at(item, "name"), *value = text_at(item, "value");
        name = is_header ? lower_of(a, name) : name;
        bool is_known = false;
        for (uint32_t j = 0; j < n; j++) {
            is_known |= strcmp(pairs[j].name, name) == 0;
        }
        if (!is_known && is_regex(item) && !check_pattern(a, value, ret_why)) {
            return false;
        }
        if (!is_known) {
            pairs[n++] =
                (struct plan_pair){.name = name,
                                   .value = value,
                                   .type = is_regex(item) ? PLAN_MATCH_REGEX : PLAN_MATCH_EXACT};
        }
    }
    *ret_pairs = pairs;
    *ret_n = n;
    return true;
}

/* "/a/" as a prefix takes what "/a" takes. */
static const char *prefix_path(struct attach *a, const char *path)
{
    char *copy = arena_strdup(a->arena, path);
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/') {
        copy[--n] = '\0';
    }
    return copy;
}

static enum plan_string_match path_type(const json_t *path)
{
    if (is_regex(path)) {
        return PLAN_MATCH_REGEX;
    }
    return strcmp(text_at(path, "type"), "Exact") == 0 ? PLAN_MATCH_EXACT : PLAN_MATCH_PREFIX;
}

/* False: it has what is no regular expression, *ret_why says why. */
static bool read_http(struct attach *a, const json_t *json, struct plan_match *ret,
                      const char **ret_why)
{
    const json_t *path = json_object_get(json, "path");
    const char *method = text_at(json, "method");
    const char *value = path != NULL ? text_at(path, "value") : "/";
    enum plan_string_match type = path_type(path);
    if (type == PLAN_MATCH_REGEX && !check_pattern(a, value, ret_why)) {
        return false;
    }
    ret->path_type = type;
    ret->path = type == PLAN_MATCH_PREFIX ? prefix_path(a, value) : value;
    ret->method = method[0] != '\0' ? method : NULL;
    return true;
}

/* All of a name has to match, so anchors at its ends say nothing; within a path nothing would match
 * them. */
static const char *without_anchors(struct attach *a, const char *pattern)
{
    size_t first = pattern[0] == '^' ? 1 : 0;
    size_t n = strlen(pattern) - first, n_escapes = 0;
    pattern += first;
    while (n > n_escapes + 1 && pattern[n - 2 - n_escapes] == '\\') {
        n_escapes++;
    }
    if (n > 0 && pattern[n - 1] == '$' && n_escapes % 2 == 0) {
        n--;
    }
    return arena_printf(a->arena, "%.*s", (int)n, pattern);
}

/* GRPCMethodMatch with regular expressions: one of the whole path, of which each part is one. */
static bool read_grpc_patterns(struct attach *a, const char *service, const char *method,
                               struct plan_match *ret, const char **ret_why)
{
    const char *any = "[^/]+";
    service = service[0] != '\0' ? service : any;
    method = method[0] != '\0' ? method : any;
    ret->path_type = PLAN_MATCH_REGEX;
    ret->path = arena_printf(a->arena, "/(?:%s)/(?:%s)", without_anchors(a, service),
                             without_anchors(a, method));
    return check_pattern(a, service, ret_why) && check_pattern(a, method, ret_why) &&
           check_pattern(a, ret->path, ret_why);
}

/*
 * GRPCMethodMatch: "/service/method" is a path, so a service by itself is a prefix. What is left is
 * a method by itself, below any service: a condition as HTTP's method is, so that it comes behind
 * all services (the specification counts their characters first) and before what takes all calls.
 */
static bool read_grpc(struct attach *a, const json_t *json, struct plan_match *ret,
                      const char **ret_why)
{
    const json_t *call = json_object_get(json, "method");
    const char *service = text_at(call, "service"), *method = text_at(call, "method");
    bool has_service = service[0] != '\0', has_method = method[0] != '\0';
    if (is_regex(call) && (has_service || has_method)) {
        return read_grpc_patterns(a, service, method, ret, ret_why);
    }
    ret->path_type = has_service && has_method ? PLAN_MATCH_EXACT : PLAN_MATCH_PREFIX;
    ret->path = arena_printf(a->arena, "/%s%s%s", service, has_service && has_method ? "/" : "",
                             has_service ? method : "");
    ret->method = !has_service && has_method ? method : NULL;
    return true;
}

/* DNSQueryMatch: a name with all below it is a prefix of whole segments, a type a method. */
static void read_dns(struct attach *a, const json_t *json, struct plan_match *ret)
{
    const json_t *name = json_object_get(json, "name");
    const char *value = name != NULL ? text_at(name, "value") : ".";
    const char *type = text_at(json, "type");
    bool is_exact = strcmp(text_at(name, "type"), "Exact") == 0;
    char path[TEXT_DNS_PATH_BYTES], method[TEXT_DNS_TYPE_BYTES];
    text_dns_path(value, path);
    ret->path_type = is_exact ? PLAN_MATCH_EXACT : PLAN_MATCH_PREFIX;
    ret->path = arena_strdup(a->arena, path);
    ret->method = text_dns_type(type, method) ? arena_strdup(a->arena, method) : NULL;
}

/* False: it has what is no regular expression, *ret_why says why. */
static bool read_match(struct attach *a, const struct at_route *r, const json_t *json,
                       struct plan_match *ret, const char **ret_why)
{
    if (route_kind(r) == IMAGE_ROUTE_DNS) {
        read_dns(a, json, ret);
        return true;
    }
    bool is_read = route_kind(r) == IMAGE_ROUTE_GRPC ? read_grpc(a, json, ret, ret_why)
                                                     : read_http(a, json, ret, ret_why);
    return is_read &&
           read_pairs(a, json_object_get(json, "headers"), true, &ret->headers, &ret->n_headers,
                      ret_why) &&
           read_pairs(a, json_object_get(json, "queryParams"), false, &ret->queries,
                      &ret->n_queries, ret_why);
}

void match_run(struct attach *a, const struct at_route *r, const json_t *rule,
               struct plan_rule *ret, const char **ret_why)
{
    const json_t *list = json_object_get(rule, "matches");
    size_t n = json_array_size(list);
    struct plan_match *matches = ARENA_ARRAY(a->arena, struct plan_match, n > 0 ? n : 1);
    if (n == 0) {
        matches[ret->n_matches++] =
            (struct plan_match){.path_type = PLAN_MATCH_PREFIX, .path = "/"};
    }
    for (size_t i = 0; i < n; i++) {
        const char *why = NULL;
        struct plan_match *match = &matches[ret->n_matches];
        *match = (struct plan_match){.index = (uint32_t)i};
        if (read_match(a, r, json_array_get(list, i), match, &why)) {
            ret->n_matches++;
        } else {
            *ret_why = arena_printf(a->arena, "matches[%zu]: %s", i, why);
        }
    }
    ret->matches = matches;
}
