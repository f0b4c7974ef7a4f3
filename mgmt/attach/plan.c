/* SPDX-License-Identifier: Apache-2.0 */
/* What was found, as struct plan: arrays instead of lists, indices instead of pointers. */
#include "attach/attach_priv.h"

#include "base/assert.h"

static void plan_routes(struct attach *a)
{
    struct plan_route *list = ARENA_ARRAY(a->plan_arena, struct plan_route, a->n_routes);
    a->plan.n_routes = 0;
    for (uint32_t i = 0; i < a->n_routes; i++) {
        struct at_route *r = a->routes[i];
        if (r->attachments == NULL) {
            continue;
        }
        r->index = a->plan.n_routes++;
        list[r->index] = (struct plan_route){
            .kind = route_kind(r),
            .namespace = r->meta.namespace,
            .name = r->meta.name,
            .uid = r->meta.uid,
            .created = r->meta.created,
            .generation = r->meta.generation,
            .n_rules = r->n_rules,
            .rules = r->rules,
        };
    }
    a->plan.routes = list;
}

static const struct plan_attachment *plan_attachments(struct attach *a, const struct at_listener *l)
{
    struct plan_attachment *list =
        ARENA_ARRAY(a->plan_arena, struct plan_attachment, l->n_attachments);
    uint32_t n = 0;
    for (const struct at_attachment *at = l->first; at != NULL; at = at->next) {
        list[n++] = (struct plan_attachment){
            .route = at->route->index,
            .n_hostnames = at->n_hostnames,
            .hostnames = at->hostnames,
        };
    }
    ASSERT(n == l->n_attachments);
    return list;
}

static struct plan_listener plan_listener(struct attach *a, const struct at_listener *l)
{
    return (struct plan_listener){
        .gateway = l->gateway->index,
        .name = l->name,
        .port = l->port,
        .protocol = l->protocol->plan,
        .hostname = l->hostname,
        .fault = l->fault,
        .is_served = listener_is_served(l),
        .n_attachments = l->n_attachments,
        .attachments = plan_attachments(a, l),
        .congestions = l->congestions,
        .n_identities = l->n_identities,
        .identities = l->identities,
        .clients = l->clients,
        .proxied = l->proxied,
        .n_gates = l->n_gates,
        .gates = l->gates,
        .limit = l->conn_limit,
        .consumer = l->consumer,
        .set = l->set != NULL ? &a->plan.sets[l->set->index] : NULL,
    };
}

static void plan_sets(struct attach *a)
{
    struct plan_set *sets = ARENA_ARRAY(a->plan_arena, struct plan_set, a->n_sets);
    a->plan.n_sets = 0;
    for (uint32_t i = 0; i < a->n_sets; i++) {
        struct at_set *set = a->sets[i];
        if (!set->is_let_in) {
            continue;
        }
        set->index = a->plan.n_sets++;
        sets[set->index] = (struct plan_set){
            .namespace = set->meta.namespace,
            .name = set->meta.name,
            .uid = set->meta.uid,
            .generation = set->meta.generation,
        };
    }
    a->plan.sets = sets;
}

/* Is it only there in case that a route of its namespace attaches? */
static bool is_unused(const struct at_listener *l)
{
    return l->consumer != NULL && l->kinds_asked == 0;
}

static void plan_gateways(struct attach *a)
{
    uint32_t n_listeners = 0;
    for (uint32_t i = 0; i < a->n_fronts; i++) {
        n_listeners += a->fronts[i]->n_all;
    }
    struct plan_gateway *gateways = ARENA_ARRAY(a->plan_arena, struct plan_gateway, a->n_fronts);
    struct plan_listener *listeners = ARENA_ARRAY(a->plan_arena, struct plan_listener, n_listeners);
    a->plan.n_listeners = 0;
    for (uint32_t i = 0; i < a->n_fronts; i++) {
        const struct at_gateway *g = a->fronts[i];
        gateways[i] = (struct plan_gateway){
            .is_service = g->class == NULL,
            .namespace = g->meta.namespace,
            .name = g->meta.name,
            .uid = g->meta.uid,
            .generation = g->meta.generation,
            .n_addresses = g->n_addresses,
            .addresses = g->addresses,
            .identity = g->identity,
            .n_gates = g->n_gates,
            .gates = g->gates,
        };
        for (uint32_t j = 0; j < g->n_all; j++) {
            if (!is_unused(g->all[j])) {
                listeners[a->plan.n_listeners++] = plan_listener(a, g->all[j]);
            }
        }
    }
    a->plan.gateways = gateways;
    a->plan.n_gateways = a->n_fronts;
    a->plan.listeners = listeners;
}

static void plan_groups(struct attach *a)
{
    struct plan_group *list = ARENA_ARRAY(a->plan_arena, struct plan_group, a->n_groups);
    for (uint32_t i = 0; i < AT_GROUP_BUCKETS; i++) {
        for (const struct at_group *g = a->groups[i]; g != NULL; g = g->next) {
            list[g->index] = g->plan;
        }
    }
    a->plan_groups = list;
    a->plan.groups = list;
    a->plan.n_groups = a->n_groups;
}

void plan_run(struct attach *a)
{
    arena_free(a->plan_arena);
    a->plan_arena = arena_new();
    plan_routes(a);
    plan_sets(a);
    plan_gateways(a);
    plan_groups(a);
}
