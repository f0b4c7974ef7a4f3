/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run brought up to date with single objects. What a route, an EndpointSlice or a Node says
 * touches nothing else that was found out, and what a ListenerSet says only the routes that name
 * it, so only that is found out again; then the plan's arrays are written anew, which is little
 * work. What the old versions took in the arena stays there until the next run: hence a bound on
 * the number of updates. EndpointSlices, which never cease to change, leave nothing behind.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"

#include <string.h>

static bool take_room(struct attach *a, size_t n)
{
    if (n > ATTACH_UPDATES_MAX - a->n_updates) {
        return false;
    }
    a->n_updates += (uint32_t)n;
    ASSERT(a->n_updates <= ATTACH_UPDATES_MAX);
    return true;
}

/* A ListenerSet that changed, by its name. */
struct changed {
    const char *namespace;
    const char *name;
};

static bool is_set(const json_t *version)
{
    return strcmp(text_at(version, "kind"), model_type(MODEL_LISTENER_SET)->kind) == 0;
}

static bool names_one(const struct at_route *r, const struct changed *changed, uint32_t n)
{
    size_t i;
    const json_t *ref;
    json_array_foreach(at_path(r->meta.obj, "spec", "parentRefs"), i, ref)
    {
        const char *namespace = text_at(ref, "namespace"), *name = text_at(ref, "name");
        bool is_set = strcmp(text_at(ref, "kind"), model_type(MODEL_LISTENER_SET)->kind) == 0;
        namespace = namespace[0] != '\0' ? namespace : r->meta.namespace;
        for (uint32_t k = 0; k < n && is_set; k++) {
            if (strcmp(name, changed[k].name) == 0 &&
                strcmp(namespace, changed[k].namespace) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Judges the routes anew that name one of these ListenerSets. False: too many. */
static bool put_routes_of(struct attach *a, const struct changed *changed, uint32_t n)
{
    const json_t **routes = ARENA_ARRAY(a->plan_arena, const json_t *, a->n_routes);
    uint32_t n_routes = 0;
    for (uint32_t i = 0; i < a->n_routes; i++) {
        if (names_one(a->routes[i], changed, n)) {
            routes[n_routes++] = a->routes[i]->meta.obj;
        }
    }
    if (!take_room(a, n_routes)) {
        return false;
    }
    for (uint32_t i = 0; i < n_routes; i++) {
        route_put(a, routes[i]);
    }
    return true;
}

/* Has a Gateway begun or ceased to serve, so that the list of addresses is another one? */
static bool has_other_addresses(const struct attach *a)
{
    bool has = false;
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        has |= gateway_is_servable(&a->gateways[i]) != a->gateways[i].is_listed;
    }
    return has;
}

static bool put_sets(struct attach *a, const json_t *const *versions, size_t n)
{
    struct changed *changed = ARENA_ARRAY(a->plan_arena, struct changed, n);
    uint32_t n_changed = 0;
    bool has_any = false;
    for (size_t i = 0; i < n; i++) {
        has_any |= is_set(versions[i]);
        if (!is_set(versions[i]) || !set_put(a, versions[i])) {
            continue;
        }
        const json_t *meta = json_object_get(versions[i], "metadata");
        changed[n_changed++] = (struct changed){text_at(meta, "namespace"), text_at(meta, "name")};
    }
    if (has_any) {
        set_list(a);
    }
    if (has_any && has_other_addresses(a)) {
        address_list(a);
    }
    return n_changed == 0 || put_routes_of(a, changed, n_changed);
}

bool attach_update(struct attach *a, const struct attach_input *in, const json_t *const *versions,
                   size_t n)
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
    a->identities = in->identities != NULL ? in->identities : a->own_identities;
    bool is_done = put_sets(a, versions, n);
    for (size_t i = 0; i < n && is_done; i++) {
        if (!is_set(versions[i])) {
            route_put(a, versions[i]);
        }
    }
    if (is_done) {
        route_link(a);
        plan_run(a);
    }
    a->source = NULL;
    a->is_pattern = NULL;
    a->identities = NULL;
    return is_done && a->n_groups_unused == 0 && !a->is_stale;
}

bool attach_update_slices(struct attach *a, const struct attach_input *in,
                          const json_t *const *versions, size_t n, attach_group_fn fn, void *arg)
{
    for (size_t i = 0; i < n; i++) {
        if (service_clients_know(a, versions[i])) {
            return false;
        }
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

void attach_names_foreach(const struct attach *a, attach_name_fn fn, void *arg)
{
    for (uint32_t i = 0; i < a->n_backends; i++) {
        const struct at_backend *b = &a->backends[i];
        for (int family = 0; b->dns_name != NULL && family < RESOLVE_FAMILIES; family++) {
            if (backend_wants(b, (enum resolve_family)family)) {
                fn(arg, b->dns_name, (enum resolve_family)family);
            }
        }
    }
}

void attach_update_names(struct attach *a, const struct attach_input *in, attach_group_fn fn,
                         void *arg)
{
    for (uint32_t i = 0; i < a->n_backends; i++) {
        if (backend_look_up(&a->backends[i], in)) {
            group_read_backend(a, &a->backends[i], fn, arg);
        }
    }
}

bool attach_update_nodes(struct attach *a, const struct attach_input *in,
                         const json_t *const *versions, size_t n, attach_group_fn fn, void *arg)
{
    bool has_changed = false;
    bool is_enough = take_room(a, n);
    a->source = in->source;
    for (size_t i = 0; i < n && is_enough; i++) {
        is_enough = node_put(a, versions[i], &has_changed);
    }
    a->source = NULL;
    if (is_enough && has_changed) {
        group_read_nodes_again(a, fn, arg);
    }
    return is_enough;
}
