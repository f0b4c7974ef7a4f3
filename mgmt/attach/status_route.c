/* SPDX-License-Identifier: Apache-2.0 */
/* Status of a route: an entry for each parentRef that names a Gateway of ours. */
#include "attach/status.h"

#include <string.h>

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

json_t *status_of_route(const struct attach *a, const struct at_route *r, const json_t *obj,
                        const char *now)
{
    struct arena *arena = arena_new();
    struct status_entry *entries = ARENA_ARRAY(arena, struct status_entry, r->n_parents);
    for (uint32_t i = 0; i < r->n_parents; i++) {
        const struct at_parent *p = &r->parents[i];
        entries[i] = (struct status_entry){
            .ref = p->ref,
            .wanted = {{"Accepted", p->accepted},
                       {"ResolvedRefs", r->resolved},
                       {"PartiallyInvalid", partially_invalid(arena, r, p)}},
        };
    }
    const struct status_entries wanted = {
        .list = "parents",
        .ref_key = "parentRef",
        .n_max = PARENTS_MAX,
        .n = r->n_parents,
        .entries = entries,
        .generation = r->meta.generation,
    };
    json_t *status = status_merge(a, &wanted, obj, now);
    arena_free(arena);
    return status;
}
