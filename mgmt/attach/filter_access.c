/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AccessPolicies as filters. One is read once in a run, however many rules name it: its lists may
 * be long. What it says changes only with the object, and then all is found out anew.
 */
#include "attach/attach_priv.h"

#include "model/text.h"

#include "base/siphash.h"

#include <string.h>

/* A list of ranges, or none. What the schema lets in can be parsed. */
static const struct image_range *read_ranges(struct attach *a, const json_t *list, uint32_t *ret_n)
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

static const struct plan_access *read_access(struct attach *a, const char *name, const json_t *obj)
{
    const json_t *addresses = at_path(obj, "spec", "addresses");
    struct at_access **bucket = bucket_of(a, name);
    for (const struct at_access *known = *bucket; known != NULL; known = known->next) {
        if (strcmp(known->plan.name, name) == 0) {
            return &known->plan;
        }
    }
    struct at_access *access = ARENA_NEW(a->arena, struct at_access);
    struct plan_access *plan = &access->plan;
    plan->name = name;
    plan->allowed = read_ranges(a, json_object_get(addresses, "allow"), &plan->n_allowed);
    plan->denied = read_ranges(a, json_object_get(addresses, "deny"), &plan->n_denied);
    access->next = *bucket;
    *bucket = access;
    return plan;
}

void access_read(struct attach *a, const char *namespace, const json_t *obj,
                 struct plan_filter *ret)
{
    const char *name = text_at(json_object_get(obj, "metadata"), "name");
    ret->type = PLAN_FILTER_ACCESS;
    ret->access = read_access(a, arena_printf(a->arena, "%s/%s", namespace, name), obj);
}
