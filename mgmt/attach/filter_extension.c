/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters by ExtensionRef: objects of ours in the route's namespace, RateLimits and AccessPolicies
 * (filter_access.c). Nothing of the kind is ever skipped. One that is not there is a reference that
 * does not resolve, and its rule answers 500; a kind that we do not know is that too, and nothing
 * that this release can do.
 *
 * To add a kind: a row in types.def with its schema, one in kinds[], a type of filter in plan.h and
 * image_format.h.
 */
#include "attach/attach_priv.h"

#include "model/text.h"

#include <string.h>

#define CLIENT_PREFIX4_LEN 32u /* where a RateLimit says nothing: an address is a client */
#define CLIENT_PREFIX6_LEN 64u /* likewise: a link is, for a host can have all its addresses */

static void read_key(struct attach *a, const json_t *json, struct plan_limit *ret)
{
    const char *type = text_at(json, "type");
    int64_t prefix4 = int_at(json, "ipv4PrefixLength"), prefix6 = int_at(json, "ipv6PrefixLength");
    ret->key = IMAGE_LIMIT_ROUTE;
    if (strcmp(type, "ClientAddress") == 0) {
        ret->key = IMAGE_LIMIT_CLIENT;
        ret->prefix4_len = prefix4 != 0 ? (uint8_t)prefix4 : CLIENT_PREFIX4_LEN;
        ret->prefix6_len = prefix6 != 0 ? (uint8_t)prefix6 : CLIENT_PREFIX6_LEN;
    } else if (strcmp(type, "Header") == 0) {
        ret->key = IMAGE_LIMIT_HEADER;
        ret->header = lower_of(a, text_at(json, "name"));
    }
}

static const char *read_limit(struct attach *a, const char *namespace, const json_t *obj,
                              struct plan_filter *ret, bool *ret_is_unresolved)
{
    const json_t *spec = json_object_get(obj, "spec");
    const json_t *burst = json_object_get(spec, "burst");
    uint64_t period_ms = 0;
    text_parse_duration(text_at(spec, "per"), &period_ms);
    struct plan_limit limit = {
        .name = arena_printf(a->arena, "%s/%s", namespace,
                             text_at(json_object_get(obj, "metadata"), "name")),
        .requests = (uint32_t)int_at(spec, "requests"),
        .period_ms = (uint32_t)period_ms,
    };
    limit.burst = burst != NULL ? (uint32_t)json_integer_value(burst) : limit.requests;
    read_key(a, json_object_get(spec, "key"), &limit);
    ret->type = PLAN_FILTER_LIMIT;
    ret->limit = limit;
    return NULL;
}

/* A kind of object that can be a filter, and what reads one that is there: NULL, or why it cannot
 * be done, and whether that is because something else is not there. */
struct extension {
    const char *kind;
    enum model_type_id type;
    const char *(*read)(struct attach *a, const char *namespace, const json_t *obj,
                        struct plan_filter *ret, bool *ret_is_unresolved);
};

static const struct extension kinds[] = {
    {"RateLimit", MODEL_RATE_LIMIT, read_limit},
    {"AccessPolicy", MODEL_ACCESS_POLICY, access_read},
};

/* NULL: no such kind. */
static const struct extension *find_kind(const char *group, const char *kind)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(group, SLUICE_API_GROUP) == 0 && strcmp(kind, kinds[i].kind) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

bool filter_extension_run(struct rule_reading *in, const json_t *ref, size_t i,
                          struct plan_filter *ret, const char **ret_why)
{
    struct attach *a = in->a;
    const char *namespace = in->route->meta.namespace;
    const char *group = text_at(ref, "group"), *kind = text_at(ref, "kind");
    const char *place = arena_printf(a->arena, "filters[%zu].extensionRef", i);
    const struct extension *extension = find_kind(group, kind);
    if (extension == NULL) {
        *ret_why = arena_printf(a->arena,
                                "kind %s of group \"%s\" is no filter that is supported, "
                                "RateLimit and AccessPolicy of " SLUICE_API_GROUP " are",
                                kind, group);
        rule_note_unresolved(in, place, PLAN_BACKEND_INVALID_KIND, *ret_why);
        in->is_refused = true;
        return false;
    }
    const char *name = text_at(ref, "name"), *why = "does not exist";
    const json_t *obj = find_object(a, extension->type, namespace, name);
    bool is_unresolved = obj == NULL || is_going(obj);
    if (!is_unresolved) {
        why = extension->read(a, namespace, obj, ret, &is_unresolved);
    }
    if (is_unresolved) {
        rule_note_unresolved(in, place, PLAN_BACKEND_NOT_FOUND,
                             arena_printf(a->arena, "%s %s/%s %s, requests are answered 500", kind,
                                          namespace, name, why));
        in->is_refused = true;
    } else if (why != NULL) {
        *ret_why = arena_printf(a->arena, "%s %s/%s %s", kind, namespace, name, why);
    }
    return why == NULL;
}
