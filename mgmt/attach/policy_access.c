/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of client addresses before Gateways and listeners: AccessPolicies that target them, and
 * SourceLists, which are the appliance's and stand before all Gateways of their classes. All of
 * them hold: who wants in has to be let through by each. So none of them is ever in conflict with
 * another, and nobody opens what another one has shut. Of limits of connections one holds at each
 * listener: that of a policy that names it, before one of its Gateway's.
 */
#include "attach/attach_priv.h"

#include <string.h>

static const struct plan_conn_limit *read_limit(struct attach *a, const struct at_policy *p)
{
    const json_t *json = at_path(p->meta.obj, "spec", "connections");
    if (json == NULL) {
        return NULL;
    }
    struct plan_conn_limit *limit = ARENA_NEW(a->arena, struct plan_conn_limit);
    *limit = (struct plan_conn_limit){
        .name = p->meta.full_name,
        .conns_max = (uint32_t)int_at(json, "max"),
        .client_conns_max = (uint32_t)int_at(json, "maxPerClient"),
    };
    return limit;
}

void policy_access_read(struct attach *a, struct at_policy *p)
{
    if (at_path(p->meta.obj, "spec", "targetRefs") == NULL) {
        return;
    }
    const struct plan_access *lists = access_find(a, p->meta.namespace, p->meta.obj);
    p->lists = lists->n_allowed + lists->n_denied > 0 ? lists : NULL;
    p->limit = read_limit(a, p);
}

/* Of those of a target the first has its limit. */
static void claim_limit(struct attach *a, struct at_policy_target **place,
                        struct at_policy_target *t)
{
    if (*place == NULL) {
        *place = t;
        t->is_in_effect = true;
        return;
    }
    policy_lose(t, arena_printf(a->arena,
                                "connections: AccessPolicy %s has the same target and "
                                "comes first",
                                (*place)->policy->meta.full_name));
}

void policy_access_claim(struct attach *a, struct at_list **lists, struct at_policy_target **limit,
                         struct at_policy_target *t)
{
    t->is_attached = true;
    if (t->policy->lists != NULL) {
        struct at_list *list = ARENA_NEW(a->arena, struct at_list);
        *list = (struct at_list){.access = t->policy->lists, .next = *lists};
        *lists = list;
        t->is_in_effect = true;
    }
    if (t->policy->limit != NULL) {
        claim_limit(a, limit, t);
    }
}

static uint32_t count(const struct at_list *lists)
{
    uint32_t n = 0;
    for (; lists != NULL; lists = lists->next) {
        n++;
    }
    return n;
}

static struct plan_access *read_source_list(struct attach *a, const json_t *obj)
{
    const json_t *spec = json_object_get(obj, "spec");
    struct plan_access *list = ARENA_NEW(a->arena, struct plan_access);
    list->name = text_at(json_object_get(obj, "metadata"), "name");
    list->allowed = access_ranges(a, json_object_get(spec, "allow"), &list->n_allowed);
    list->denied = access_ranges(a, json_object_get(spec, "deny"), &list->n_denied);
    return list;
}

/* The lists of the box that stand before Gateways of the class. */
static struct at_list *lists_of_class(struct attach *a, const char *class, const json_t **objects,
                                      struct plan_access **read, uint32_t n)
{
    struct at_list *lists = NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (!names_class(at_path(objects[i], "spec", "gatewayClassNames"), class)) {
            continue;
        }
        struct at_list *list = ARENA_NEW(a->arena, struct at_list);
        *list = (struct at_list){.access = read[i], .next = lists};
        lists = list;
    }
    return lists;
}

/* Writes the lists behind `to`. */
static uint32_t append(const struct plan_access **to, const struct at_list *lists)
{
    uint32_t n = 0;
    for (; lists != NULL; lists = lists->next) {
        to[n++] = lists->access;
    }
    return n;
}

void policy_access_settle(struct attach *a, struct at_listener *l)
{
    const struct at_gateway *g = l->gateway;
    const struct at_policy_target *limit = l->limit != NULL ? l->limit : g->limit;
    l->conn_limit = limit != NULL ? limit->policy->limit : NULL;
    l->gates = g->gates;
    l->n_gates = g->n_gates;
    if (l->lists == NULL) {
        return;
    }
    const struct plan_access **own =
        ARENA_ARRAY(a->arena, const struct plan_access *, g->n_gates + count(l->lists));
    memcpy(own, g->gates, g->n_gates * sizeof(*own));
    l->n_gates += append(own + g->n_gates, l->lists);
    l->gates = own;
}

/* As arrays: a listener's begin with those of its Gateway. */
static void settle(struct attach *a, struct at_gateway *g)
{
    uint32_t n_class = count(g->class->lists), n_gateway = count(g->lists);
    const struct plan_access **all =
        ARENA_ARRAY(a->arena, const struct plan_access *, n_class + n_gateway);
    g->n_gates = append(all, g->class->lists);
    g->n_gates += append(all + g->n_gates, g->lists);
    g->gates = all;
    for (uint32_t i = 0; i < g->n_all; i++) {
        policy_access_settle(a, g->all[i]);
    }
}

void policy_access_run(struct attach *a)
{
    uint32_t n;
    const json_t **objects = collect_by_name(a, MODEL_SOURCE_LIST, &n);
    struct plan_access **read = ARENA_ARRAY(a->arena, struct plan_access *, n);
    for (uint32_t i = 0; i < n; i++) {
        read[i] = read_source_list(a, objects[i]);
    }
    for (uint32_t i = 0; i < a->n_classes; i++) {
        struct at_class *class = &a->classes[i];
        class->lists = lists_of_class(a, class->meta.name, objects, read, n);
    }
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        settle(a, &a->gateways[i]);
    }
}
