/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of an HTTPRoute. A rule with something that this release cannot do is never served without
 * it: requests that match it are answered 500, and the route's status names the rule. (The
 * specification calls such a rule dropped.)
 */
#include "attach/attach_priv.h"

#include "model/text.h"

#include "base/minmax.h"

#include <string.h>

#define RETRY_ATTEMPTS 2u    /* where HTTPRouteRetry says nothing */
#define RETRY_BACKOFF_MS 25u /* likewise */

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
static bool read_match(struct attach *a, const json_t *json, uint32_t index, struct plan_match *ret,
                       const char **ret_why)
{
    const json_t *path = json_object_get(json, "path");
    const char *method = text_at(json, "method");
    const char *value = path != NULL ? text_at(path, "value") : "/";
    enum plan_string_match type = path_type(path);
    if (type == PLAN_MATCH_REGEX && !check_pattern(a, value, ret_why)) {
        return false;
    }
    *ret = (struct plan_match){
        .index = index,
        .path_type = type,
        .path = type == PLAN_MATCH_PREFIX ? prefix_path(a, value) : value,
        .method = method[0] != '\0' ? method : NULL,
    };
    return read_pairs(a, json_object_get(json, "headers"), true, &ret->headers, &ret->n_headers,
                      ret_why) &&
           read_pairs(a, json_object_get(json, "queryParams"), false, &ret->queries,
                      &ret->n_queries, ret_why);
}

/* The matches that can be told; *ret_why says so if one cannot. */
static void read_matches(struct attach *a, const json_t *json, struct plan_rule *rule,
                         const char **ret_why)
{
    const json_t *list = json_object_get(json, "matches");
    size_t n = json_array_size(list);
    struct plan_match *matches = ARENA_ARRAY(a->arena, struct plan_match, n > 0 ? n : 1);
    if (n == 0) {
        matches[rule->n_matches++] =
            (struct plan_match){.path_type = PLAN_MATCH_PREFIX, .path = "/"};
    }
    for (size_t i = 0; i < n; i++) {
        const char *why = NULL;
        if (read_match(a, json_array_get(list, i), (uint32_t)i, &matches[rule->n_matches], &why)) {
            rule->n_matches++;
        } else {
            *ret_why = arena_printf(a->arena, "matches[%zu]: %s", i, why);
        }
    }
    rule->matches = matches;
}

static uint32_t read_timeout(const json_t *json, const char *key)
{
    uint64_t ms;
    if (!text_parse_duration(text_at(json_object_get(json, "timeouts"), key), &ms)) {
        return 0;
    }
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

void rule_note_unresolved(struct rule_reading *in, const char *place, enum plan_backend_fault fault,
                          const char *why)
{
    if (in->unresolved != NULL) {
        return;
    }
    in->unresolved = arena_printf(in->a->arena, "rules[%u].%s: %s", in->index, place, why);
    in->fault = fault;
}

static struct plan_backend read_backend(struct rule_reading *in, const json_t *ref, uint32_t i)
{
    struct attach *a = in->a;
    const char *why = NULL;
    struct plan_backend b = backend_run(a, in->route, ref, &why);
    if (b.fault != PLAN_BACKEND_OK) {
        rule_note_unresolved(in, arena_printf(a->arena, "backendRefs[%u]", i), b.fault, why);
        return b;
    }
    why = filter_run(in, json_object_get(ref, "filters"), true, &b.n_filters, &b.filters);
    if (why != NULL) {
        b.fault = PLAN_BACKEND_UNSUPPORTED_FILTER;
        b.group = PLAN_NONE;
        in->part = arena_printf(a->arena, "backendRefs[%u]: %s; its share is answered 500", i, why);
    }
    return b;
}

static void read_backends(struct rule_reading *in, const json_t *json, struct plan_rule *rule)
{
    const json_t *refs = json_object_get(json, "backendRefs");
    rule->n_backends = (uint32_t)json_array_size(refs);
    struct plan_backend *list = ARENA_ARRAY(in->a->arena, struct plan_backend, rule->n_backends);
    for (uint32_t i = 0; i < rule->n_backends; i++) {
        list[i] = read_backend(in, json_array_get(refs, i), i);
    }
    rule->backends = list;
}

/* HTTPRouteRetry; what it leaves open is ours to say. */
static void read_retry(struct rule_reading *in, const json_t *json, struct plan_rule *rule)
{
    if (json == NULL) {
        return;
    }
    const json_t *attempts = json_object_get(json, "attempts");
    const json_t *codes = json_object_get(json, "codes");
    struct plan_retry *retry = ARENA_ARRAY(in->a->arena, struct plan_retry, 1);
    uint64_t backoff_ms;
    bool has_backoff = text_parse_duration(text_at(json, "backoff"), &backoff_ms);
    uint64_t n = attempts != NULL ? (uint64_t)json_integer_value(attempts) : RETRY_ATTEMPTS;
    if (n > IMAGE_RETRY_ATTEMPTS_MAX) {
        in->whole = arena_printf(in->a->arena, "retry.attempts of more than %u are not supported",
                                 IMAGE_RETRY_ATTEMPTS_MAX);
        return;
    }
    retry->attempts = (uint32_t)n;
    retry->backoff_ms = has_backoff ? (uint32_t)min64(backoff_ms, UINT32_MAX) : RETRY_BACKOFF_MS;
    retry->n_codes = (uint32_t)json_array_size(codes);
    uint16_t *list = ARENA_ARRAY(in->a->arena, uint16_t, retry->n_codes);
    for (uint32_t i = 0; i < retry->n_codes; i++) {
        list[i] = (uint16_t)json_integer_value(json_array_get(codes, i));
    }
    retry->codes = list;
    rule->retry = retry;
}

/* One rule; *ret_why: what is not supported in it, or NULL. */
static void read_rule(struct attach *a, struct at_route *r, const json_t *json,
                      struct plan_rule *rule, const char **ret_why)
{
    struct rule_reading in = {.a = a, .route = r, .index = rule->index};
    const char *name = text_at(json, "name");
    rule->name = name[0] != '\0' ? name : NULL;
    rule->request_timeout_ms = read_timeout(json, "request");
    rule->backend_request_timeout_ms = read_timeout(json, "backendRequest");
    read_backends(&in, json, rule);
    in.whole =
        filter_run(&in, json_object_get(json, "filters"), false, &rule->n_filters, &rule->filters);
    if (in.unresolved != NULL && strcmp(r->resolved.status, "True") == 0) {
        r->resolved = VERDICT("False", plan_backend_fault_reason(in.fault), in.unresolved);
    }
    read_matches(a, json, rule, &in.whole);
    read_retry(&in, json_object_get(json, "retry"), rule);
    const char *session =
        session_run(&in, json_object_get(json, "sessionPersistence"), &rule->persistence);
    in.whole = session != NULL ? session : in.whole;
    *ret_why = in.whole != NULL ? in.whole : in.part;
    if (in.whole != NULL || in.is_refused) {
        rule->fault = in.whole != NULL ? PLAN_RULE_UNSUPPORTED : PLAN_RULE_UNRESOLVED;
        rule->n_filters = rule->n_backends = 0;
    }
}

void rule_run(struct attach *a, struct at_route *r)
{
    const json_t *list = at_path(r->meta.obj, "spec", "rules");
    size_t n = json_array_size(list);
    size_t n_unsupported = 0;
    r->rules = ARENA_ARRAY(a->arena, struct plan_rule, n);
    r->resolved = VERDICT("True", "ResolvedRefs", "all references are resolved");
    for (size_t i = 0; i < n; i++) {
        struct plan_rule *rule = &r->rules[r->n_rules];
        const char *why = NULL;
        *rule = (struct plan_rule){.index = (uint32_t)i};
        read_rule(a, r, json_array_get(list, i), rule, &why);
        if (why != NULL) {
            n_unsupported++;
            r->unsupported =
                arena_printf(a->arena, "%s%srules[%zu]: %s", r->unsupported ? r->unsupported : "",
                             r->unsupported ? "; " : "", i, why);
        }
        r->n_rules += rule->n_matches > 0;
    }
    r->is_wholly_unsupported = n > 0 && n_unsupported == n;
}
