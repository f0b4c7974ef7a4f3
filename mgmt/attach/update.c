/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run brought up to date with single objects. What a route or an EndpointSlice says touches
 * nothing else that was found out, so only that is found out again; then the plan's arrays are
 * written anew, which is little work. What the old versions took in the arena stays there until the
 * next run: hence a bound on the number of updates.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"

static bool take_room(struct attach *a, size_t n)
{
    if (n > ATTACH_UPDATES_MAX - a->n_updates) {
        return false;
    }
    a->n_updates += (uint32_t)n;
    ASSERT(a->n_updates <= ATTACH_UPDATES_MAX);
    return true;
}

bool attach_update_routes(struct attach *a, const struct attach_input *in,
                          const json_t *const *versions, size_t n)
{
    if (n == 0) {
        return true;
    }
    if (!take_room(a, n)) {
        return false;
    }
    a->source = in->source;
    a->is_pattern = in->is_pattern;
    a->is_pattern_arg = in->is_pattern_arg;
    for (size_t i = 0; i < n; i++) {
        route_put(a, versions[i]);
    }
    route_link(a);
    plan_run(a);
    a->source = NULL;
    a->is_pattern = NULL;
    return a->n_groups_unused == 0 && !a->is_stale;
}

bool attach_update_slices(struct attach *a, const struct attach_input *in,
                          const json_t *const *versions, size_t n, attach_group_fn fn, void *arg)
{
    if (!take_room(a, n)) {
        return false;
    }
    a->source = in->source;
    for (size_t i = 0; i < n; i++) {
        group_put_slice(a, versions[i]);
    }
    a->source = NULL;
    for (size_t i = 0; i < n; i++) {
        group_read_again(a, versions[i], fn, arg);
    }
    return true;
}
