/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AccessPolicies as filters. One is read once in a run, however many rules name it: its lists may
 * be long. What it says changes only with the object, its Secret or its ConfigMap, and then all is
 * found out anew.
 */
#include "attach/attach_priv.h"

#include "model/text.h"

#include "base/siphash.h"

#include <string.h>

#define DEFAULT_REALM "restricted" /* what a browser shows: it tells nothing of us */

const struct image_range *access_ranges(struct attach *a, const json_t *list, uint32_t *ret_n)
{
    size_t size = json_array_size(list);
    struct image_range *ranges = ARENA_ARRAY(a->arena, struct image_range, size);
    uint32_t n = 0;
    for (size_t i = 0; i < size; i++) {
        n += text_parse_range(json_string_value(json_array_get(list, i)), &ranges[n].first,
                              &ranges[n].last);
    }
    *ret_n = n;
    return ranges;
}

static struct at_access **bucket_of(struct attach *a, const char *name)
{
    static const struct siphash_key no_key;
    return &a->accesses[siphash(&no_key, name, strlen(name)) % AT_ACCESS_BUCKETS];
}

/* The passwords that it asks for. */
static void read_basic(struct attach *a, const char *namespace, const json_t *json,
                       struct at_access *ret)
{
    const char *secret = text_at(json_object_get(json, "secretRef"), "name");
    const char *realm = text_at(json, "realm");
    if (json == NULL) {
        return;
    }
    struct plan_basic *basic = ARENA_NEW(a->arena, struct plan_basic);
    basic->realm = realm[0] != '\0' ? realm : DEFAULT_REALM;
    basic->hides_authorization = json_is_false(json_object_get(json, "forwardAuthorization"));
    ret->plan.basic = basic;
    ret->fault = users_read(a, ret, namespace, secret, basic, &ret->is_unresolved);
}

static const struct at_access *read_access(struct attach *a, const char *namespace,
                                           const json_t *obj)
{
    const char *name = arena_printf(a->arena, "%s/%s", namespace,
                                    text_at(json_object_get(obj, "metadata"), "name"));
    const json_t *addresses = at_path(obj, "spec", "addresses");
    struct at_access **bucket = bucket_of(a, name);
    for (const struct at_access *known = *bucket; known != NULL; known = known->next) {
        if (strcmp(known->plan.name, name) == 0) {
            return known;
        }
    }
    struct at_access *access = ARENA_NEW(a->arena, struct at_access);
    struct plan_access *plan = &access->plan;
    plan->name = name;
    plan->allowed = access_ranges(a, json_object_get(addresses, "allow"), &plan->n_allowed);
    plan->denied = access_ranges(a, json_object_get(addresses, "deny"), &plan->n_denied);
    read_basic(a, namespace, at_path(obj, "spec", "basic"), access);
    const json_t *jwt = at_path(obj, "spec", "jwt");
    if (jwt != NULL) {
        access->fault = jwt_read(a, namespace, jwt, access);
    }
    access->next = *bucket;
    *bucket = access;
    return access;
}

const struct plan_access *access_find(struct attach *a, const char *namespace, const json_t *obj)
{
    return &read_access(a, namespace, obj)->plan;
}

const char *access_read(struct attach *a, const char *namespace, const json_t *obj,
                        struct plan_filter *ret, bool *ret_is_unresolved)
{
    const struct at_access *access = read_access(a, namespace, obj);
    ret->type = PLAN_FILTER_ACCESS;
    ret->access = &access->plan;
    *ret_is_unresolved = access->is_unresolved;
    return access->fault;
}
