/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status of a route: an entry for each parentRef that names a Gateway of ours. Entries of other
 * controllers are kept as and where they are (Gateway API, RouteStatus.parents).
 */
#include "attach/condition.h"
#include "attach/status.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Gateway API's bound on status.parents. */
#define PARENTS_MAX 32u

/* Set only when some rules are sound and some are not. */
static struct verdict partially_invalid(struct arena *arena, const struct at_route *r,
                                        const struct at_parent *p)
{
    if (r->unsupported == NULL || strcmp(p->accepted.status, "True") != 0) {
        return (struct verdict){0};
    }
    return VERDICT(
        "True", "UnsupportedValue",
        arena_printf(arena, "Dropped Rule, requests to it are answered 500: %s", r->unsupported));
}

static json_t *status_of_parent(const struct attach *a, const struct at_route *r,
                                const struct at_parent *p, const json_t *old, const char *now)
{
    struct arena *arena = arena_new();
    const struct wanted wanted[] = {
        {"Accepted", p->accepted},
        {"ResolvedRefs", r->resolved},
        {"PartiallyInvalid", partially_invalid(arena, r, p)},
    };
    json_t *status = json_pack("{s:O, s:s, s:o}", "parentRef", (json_t *)(uintptr_t)p->ref,
                               "controllerName", a->controller_name, "conditions",
                               conditions_merge(json_object_get(old, "conditions"), wanted,
                                                COUNT(wanted), r->meta.generation, now));
    arena_free(arena);
    return status;
}

/* The parent that an old entry of ours speaks of, if the route still has it: its number, or
 * n_parents. */
static uint32_t find_parent(const struct at_route *r, const json_t *entry)
{
    uint32_t i = 0;
    while (i < r->n_parents &&
           !json_equal(r->parents[i].ref, json_object_get(entry, "parentRef"))) {
        i++;
    }
    return i;
}

static bool is_ours(const struct attach *a, const json_t *entry)
{
    return strcmp(text_at(entry, "controllerName"), a->controller_name) == 0;
}

json_t *status_of_route(const struct attach *a, const struct at_route *r, const json_t *obj,
                        const char *now)
{
    const json_t *old = at_path(obj, "status", "parents");
    uint64_t done = 0; /* a bit a parent */
    bool has_ours = r->n_parents > 0;
    json_t *parents = json_array();
    size_t i;
    json_t *entry;
    json_array_foreach(old, i, entry)
    {
        uint32_t p = find_parent(r, entry);
        has_ours |= is_ours(a, entry);
        if (!is_ours(a, entry)) {
            json_array_append(parents, entry);
        } else if (p < r->n_parents && (done >> p & 1) == 0) {
            json_array_append_new(parents, status_of_parent(a, r, &r->parents[p], entry, now));
            done |= UINT64_C(1) << p;
        }
    }
    for (uint32_t p = 0; p < r->n_parents && json_array_size(parents) < PARENTS_MAX; p++) {
        if ((done >> p & 1) == 0) {
            json_array_append_new(parents, status_of_parent(a, r, &r->parents[p], NULL, now));
        }
    }
    if (!has_ours) {
        json_decref(parents);
        return NULL;
    }
    return json_pack("{s:o}", "parents", parents);
}
