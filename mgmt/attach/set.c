/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ListenerSets (GEP-1713): which of them a Gateway lets in, and which of their listeners have a
 * place beside its own. In the specification's precedence: the Gateway, then its ListenerSets by
 * age, then by "namespace/name". Who comes late stands back and the others never notice; within one
 * object none of those in conflict wins, as in a Gateway.
 *
 * Where Gateways share an address, what another one has there counts, too. So nobody takes from
 * anybody what he has: a Gateway does not get an address where ListenerSets have its ports and
 * hostnames (address.c), and these do not get what a Gateway has that is there.
 *
 * What a status says of others' listeners is that they are there, and not whose or what they are.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_ages(const void *x, const void *y)
{
    return meta_compare(&(*(struct at_set *const *)x)->meta, &(*(struct at_set *const *)y)->meta);
}

static int compare_names(const void *x, const void *y)
{
    return strcmp((*(struct at_set *const *)x)->meta.full_name,
                  (*(struct at_set *const *)y)->meta.full_name);
}

struct at_set *set_find(const struct attach *a, const char *namespace, const char *name)
{
    char full_name[512];
    int n = snprintf(full_name, sizeof(full_name), "%s/%s", namespace, name);
    if (n < 0 || (size_t)n >= sizeof(full_name) || a->n_sets == 0) {
        return NULL;
    }
    struct at_set key = {.meta.full_name = full_name};
    const struct at_set *wanted = &key;
    struct at_set **found =
        bsearch(&wanted, a->sets_by_name, a->n_sets, sizeof(a->sets_by_name[0]), compare_names);
    return found != NULL ? *found : NULL;
}

/* ---- what a ListenerSet says by itself ---- */

/* The Gateway that it names; false: it is none of ours. *ret NULL: there is no such Gateway. */
static bool find_gateway(struct attach *a, const json_t *obj, struct at_gateway **ret)
{
    const json_t *ref = at_path(obj, "spec", "parentRef");
    const char *namespace = text_at(ref, "namespace"), *name = text_at(ref, "name");
    if (strcmp(text_at(ref, "group"), GATEWAY_API_GROUP) != 0 ||
        strcmp(text_at(ref, "kind"), "Gateway") != 0) {
        return false;
    }
    if (namespace[0] == '\0') {
        namespace = text_at(json_object_get(obj, "metadata"), "namespace");
    }
    *ret = gateway_find(a, namespace, name);
    if (*ret != NULL) {
        return true;
    }
    const json_t *other = find_object(a, MODEL_GATEWAY, namespace, name);
    return other == NULL || is_going(other);
}

struct at_set *set_new(struct attach *a, const json_t *obj)
{
    struct at_gateway *g;
    if (!find_gateway(a, obj, &g)) {
        return NULL;
    }
    struct at_set *set = ARENA_NEW(a->arena, struct at_set);
    meta_read(a, &set->meta, obj);
    set->gateway = g;
    if (g == NULL) {
        return set;
    }
    const json_t *allowed = at_path(g->meta.obj, "spec", "allowedListeners");
    set->is_let_in = namespace_is_allowed(a, json_object_get(allowed, "namespaces"),
                                          g->meta.namespace, set->meta.namespace);
    if (set->is_let_in) {
        set->listeners =
            listener_read_all(a, at_path(obj, "spec", "listeners"), g, set, &set->n_listeners);
    }
    return set;
}

void set_run(struct attach *a)
{
    uint32_t n;
    const json_t **objects = collect(a, MODEL_LISTENER_SET, &n);
    a->sets_room = n;
    a->sets = ARENA_ARRAY(a->arena, struct at_set *, n);
    a->sets_by_name = ARENA_ARRAY(a->arena, struct at_set *, n);
    for (uint32_t i = 0; i < n; i++) {
        struct at_set *set = set_new(a, objects[i]);
        if (set != NULL) {
            a->sets[a->n_sets++] = set;
        }
    }
    for (uint32_t i = 0; i < a->n_sets; i++) {
        a->sets_by_name[i] = a->sets[i];
    }
    if (a->n_sets > 0) {
        qsort(a->sets, a->n_sets, sizeof(a->sets[0]), compare_ages);
        qsort(a->sets_by_name, a->n_sets, sizeof(a->sets_by_name[0]), compare_names);
    }
}

/* ---- who comes first ---- */

static void be_late(struct at_listener *l, enum plan_listener_fault fault, const char *message)
{
    l->is_late = true;
    l->fault = fault;
    l->accepted = VERDICT("False", plan_listener_fault_reason(fault), message);
}

/* Something else of its Gateway has its port or hostname. */
static void judge_among(struct attach *a, const struct at_scope *scope, struct at_listener *l,
                        const struct at_listener *first, bool by_protocol)
{
    be_late(l, by_protocol ? PLAN_LISTENER_PROTOCOL_CONFLICT : PLAN_LISTENER_HOSTNAME_CONFLICT,
            arena_printf(a->arena, "a listener of %s has the same port %u and %s",
                         first->set == NULL ? "the Gateway" : "another ListenerSet that is older",
                         (unsigned)l->port,
                         by_protocol ? "another protocol" : "the same hostname"));
    l->conflicted = VERDICT("True", l->accepted.reason, l->accepted.message);
    place_wait(a, scope, l, true);
}

/* Another Gateway has the address, too. */
static bool is_shared(const struct attach *a, const struct at_gateway *g,
                      const struct ip_addr *addr)
{
    const struct at_address_user *user = address_user_next(a, NULL, addr);
    return user != NULL && (user->gateway != g || address_user_next(a, user, addr) != NULL);
}

/* Something of another Gateway has them at an address that both have. */
static void judge_at_addresses(struct attach *a, struct at_listener *l)
{
    const struct at_gateway *g = l->gateway;
    for (uint32_t i = 0; i < g->n_addresses && !l->is_late; i++) {
        const struct at_scope scope = {.addr = g->addresses[i]};
        bool by_protocol;
        if (!is_shared(a, g, &g->addresses[i]) || place_find(a, &scope, l, &by_protocol) == NULL) {
            continue;
        }
        char text[IP_ADDR_TEXT_MAX];
        be_late(l, PLAN_LISTENER_PORT_UNAVAILABLE,
                arena_printf(a->arena, "another Gateway has %s port %u with %s",
                             ip_addr_format(&g->addresses[i], text), (unsigned)l->port,
                             by_protocol ? "another protocol" : "the same hostname"));
    }
}

static void take_place(struct attach *a, const struct at_listener *l)
{
    const struct at_gateway *g = l->gateway;
    const struct at_scope scope = {.gateway = g};
    if (place_take(a, &scope, l)) {
        a->n_binds += g->n_addresses;
    }
    for (uint32_t i = 0; i < g->n_addresses; i++) {
        const struct at_scope at = {.addr = g->addresses[i]};
        if (is_shared(a, g, &g->addresses[i])) {
            place_take(a, &at, l);
        }
    }
}

/* Is there room for one more? If not, which room is full. */
static const char *full_room(const struct attach *a, const struct at_gateway *g)
{
    if (g->n_placed >= ATTACH_GATEWAY_LISTENERS_MAX) {
        return "the Gateway has as many listeners as one can have";
    }
    if (a->n_listeners >= ATTACH_LISTENERS_MAX) {
        return "the appliance has as many listeners as it can have";
    }
    /* as if it had ports of its own */
    return a->n_binds + g->n_addresses > ATTACH_BINDS_MAX
               ? "the appliance listens at as many addresses and ports as it can"
               : NULL;
}

static void bring_in(struct attach *a, struct at_listener *l)
{
    struct at_gateway *g = l->gateway;
    const char *full = full_room(a, g);
    if (full != NULL) {
        a->has_too_many = true;
        be_late(l, PLAN_LISTENER_TOO_MANY, full);
        return;
    }
    g->n_placed++;
    a->n_listeners++;
    if (l->protocol->family != 0) {
        take_place(a, l);
    }
}

bool set_place(struct attach *a, struct at_set *set)
{
    const struct at_scope scope = {.gateway = set->gateway};
    bool is_behind_set = false;
    for (uint32_t i = 0; i < set->n_listeners; i++) {
        struct at_listener *l = &set->listeners[i];
        bool by_protocol;
        const struct at_listener *first =
            l->protocol->family != 0 ? place_find(a, &scope, l, &by_protocol) : NULL;
        if (first != NULL) {
            judge_among(a, &scope, l, first, by_protocol);
            is_behind_set |= first->set != NULL;
        } else if (l->protocol->family != 0) {
            judge_at_addresses(a, l);
        }
    }
    listener_judge_conflicts(a, set->listeners, set->n_listeners);
    for (uint32_t i = 0; i < set->n_listeners; i++) {
        if (!set->listeners[i].is_late) {
            bring_in(a, &set->listeners[i]);
        }
    }
    return is_behind_set;
}

/* ---- what a ListenerSet comes to ---- */

static const char *faulty_names(struct attach *a, const struct at_set *set)
{
    const char *names = "";
    for (uint32_t i = 0; i < set->n_listeners; i++) {
        if (set->listeners[i].fault != PLAN_LISTENER_OK) {
            names = arena_printf(a->arena, "%s%s%s", names, names[0] != '\0' ? ", " : "",
                                 set->listeners[i].name);
        }
    }
    return names;
}

/* What stands against all of it, whatever its listeners are; reason NULL: nothing. */
static struct verdict judge_parent(struct attach *a, const struct at_set *set)
{
    const struct at_gateway *g = set->gateway;
    const json_t *ref = at_path(set->meta.obj, "spec", "parentRef");
    if (g == NULL) {
        return VERDICT("False", "ParentNotAccepted",
                       arena_printf(a->arena, "spec.parentRef: Gateway %s does not exist",
                                    text_at(ref, "name")));
    }
    if (!set->is_let_in) {
        return VERDICT("False", "NotAllowed",
                       arena_printf(a->arena,
                                    "spec.parentRef: Gateway %s lets no ListenerSets of namespace "
                                    "%s in (allowedListeners)",
                                    g->meta.full_name, set->meta.namespace));
    }
    if (strcmp(g->accepted.status, "True") != 0) {
        bool is_pending = strcmp(g->accepted.status, "Unknown") == 0;
        return VERDICT(g->accepted.status, is_pending ? "Pending" : "ParentNotAccepted",
                       arena_printf(a->arena, "Gateway %s is not accepted", g->meta.full_name));
    }
    return (struct verdict){0};
}

void set_settle(struct attach *a, struct at_set *set)
{
    const struct verdict against = judge_parent(a, set);
    if (against.reason != NULL) {
        set->accepted = against;
        set->not_programmed = against;
        if (strcmp(against.reason, "ParentNotAccepted") == 0) {
            set->not_programmed.reason = "ParentNotProgrammed";
        }
        return;
    }
    uint32_t n_bad = 0;
    for (uint32_t i = 0; i < set->n_listeners; i++) {
        n_bad += set->listeners[i].fault != PLAN_LISTENER_OK;
    }
    set->accepted = VERDICT("True", "Accepted", "the ListenerSet is attached");
    if (n_bad > 0) {
        bool is_served = n_bad < set->n_listeners;
        set->accepted =
            VERDICT(is_served ? "True" : "False", "ListenersNotValid",
                    arena_printf(a->arena, "listeners not valid: %s", faulty_names(a, set)));
        if (!is_served) {
            set->not_programmed = set->accepted;
            return;
        }
    }
    set->gateway->n_sets++;
    if (set->gateway->n_addresses == 0) {
        set->not_programmed = VERDICT(
            "False", "ParentNotProgrammed",
            arena_printf(a->arena, "Gateway %s has no address", set->gateway->meta.full_name));
    }
}

/* The Gateways' own come before all. */
static void place_own(struct attach *a)
{
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        struct at_gateway *g = &a->gateways[i];
        a->n_listeners += g->n_listeners;
        g->n_placed = g->n_listeners;
        for (uint32_t j = 0; j < g->n_listeners; j++) {
            if (g->listeners[j].protocol->family != 0) {
                take_place(a, &g->listeners[j]);
            }
        }
    }
}

void set_list(struct attach *a)
{
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        a->gateways[i].n_all = a->gateways[i].n_listeners;
    }
    for (uint32_t i = 0; i < a->n_sets; i++) {
        if (a->sets[i]->is_let_in) {
            a->sets[i]->gateway->n_all += a->sets[i]->n_listeners;
        }
    }
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        struct at_gateway *g = &a->gateways[i];
        if (g->n_all > g->all_room) {
            g->all_room = g->n_all + g->n_all / 2;
            g->all = ARENA_ARRAY(a->arena, struct at_listener *, g->all_room);
        }
        for (g->n_all = 0; g->n_all < g->n_listeners; g->n_all++) {
            g->all[g->n_all] = &g->listeners[g->n_all];
        }
    }
    for (uint32_t i = 0; i < a->n_sets; i++) {
        struct at_set *set = a->sets[i];
        for (uint32_t j = 0; set->is_let_in && j < set->n_listeners; j++) {
            set->gateway->all[set->gateway->n_all++] = &set->listeners[j];
        }
    }
}

void set_judge(struct attach *a)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        n += a->gateways[i].n_listeners;
    }
    for (uint32_t i = 0; i < a->n_sets; i++) {
        n += a->sets[i]->n_listeners;
    }
    place_init(a, n);
    place_own(a);
    for (uint32_t i = 0; i < a->n_sets; i++) {
        if (a->sets[i]->is_let_in) {
            set_place(a, a->sets[i]);
        }
        set_settle(a, a->sets[i]);
    }
    set_list(a);
}
