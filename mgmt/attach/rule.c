/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of a route. A rule with something that this release cannot do is never served without
 * it: requests that match it are answered 500, and the route's status names the rule. (The
 * specification calls such a rule dropped.)
 */
#include "attach/attach_priv.h"

#include "model/text.h"

#include "base/minmax.h"

#include <string.h>

#define RETRY_ATTEMPTS 2u    /* where HTTPRouteRetry says nothing */
#define RETRY_BACKOFF_MS 25u /* likewise */

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
    match_run(a, r, json, rule, &in.whole);
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
