/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which Gateway gets which address. In three rounds, each by age: those that a Gateway already has
 * by its status, so that none changes under the clients' feet; those that are asked for; new ones
 * from the pools. Two Gateways share an address only if both ask for it and all their listeners can
 * be told apart (Gateway API, "Compatible Listeners"). So whatever a Gateway asks for, it takes
 * nothing away from one that is there.
 */
#include "attach/attach_priv.h"

#include <stdlib.h>
#include <string.h>

#define GATEWAY_ADDRESSES_MAX 16u /* as many as spec.addresses may have */

static bool has_address(const struct at_gateway *g, const struct ip_addr *addr)
{
    for (uint32_t i = 0; i < g->n_addresses; i++) {
        if (ip_addr_eq(&g->addresses[i], addr)) {
            return true;
        }
    }
    return false;
}

/* Keeps the list sorted, so that the same set is the same list. */
static void give(struct attach *a, struct at_gateway *g, const struct ip_addr *addr)
{
    if (g->n_addresses == GATEWAY_ADDRESSES_MAX || has_address(g, addr)) {
        return;
    }
    uint32_t at = g->n_addresses++;
    while (at > 0 && memcmp(g->addresses[at - 1].bytes, addr->bytes, 16) > 0) {
        g->addresses[at] = g->addresses[at - 1];
        at--;
    }
    g->addresses[at] = *addr;
    address_user_add(a, g, addr);
}

/* Has a Gateway other than `g` the address? */
static bool is_used(const struct attach *a, const struct at_gateway *g, const struct ip_addr *addr)
{
    const struct at_address_user *user = address_user_next(a, NULL, addr);
    if (user != NULL && user->gateway == g) {
        user = address_user_next(a, user, addr);
    }
    return user != NULL;
}

static bool are_distinct(const struct at_listener *x, uint32_t n_x, const struct at_listener *y,
                         uint32_t n_y)
{
    for (uint32_t i = 0; i < n_x; i++) {
        for (uint32_t j = 0; j < n_y; j++) {
            if (!listener_is_distinct(&x[i], &y[j])) {
                return false;
            }
        }
    }
    return true;
}

/* Could `g` have an address that `other` has? What it would take from a ListenerSet it cannot have;
 * where it is already, the ListenerSet has to stand back (set.c). */
static bool are_compatible(const struct attach *a, const struct at_gateway *other,
                           const struct at_gateway *g, bool is_kept)
{
    bool are = are_distinct(other->listeners, other->n_listeners, g->listeners, g->n_listeners);
    for (uint32_t i = 0; i < a->n_sets && are && !is_kept; i++) {
        const struct at_set *set = a->sets[i];
        are = set->gateway != other ||
              are_distinct(set->listeners, set->n_listeners, g->listeners, g->n_listeners);
    }
    return are;
}

static const json_t *asked_addresses(const struct at_gateway *g)
{
    return at_path(g->meta.obj, "spec", "addresses");
}

/* Is it left to us which addresses the Gateway gets? */
static bool is_ours_to_choose(const struct at_gateway *g)
{
    size_t i;
    const json_t *item;
    json_array_foreach(asked_addresses(g), i, item)
    {
        if (text_at(item, "value")[0] == '\0') {
            return true;
        }
    }
    return json_array_size(asked_addresses(g)) == 0;
}

/* Why `g` cannot have the address that it asks for; NULL: it can. */
static const char *asked_fault(struct attach *a, const struct at_gateway *g,
                               const struct ip_addr *addr, bool is_kept)
{
    if (pool_find(a, addr, g->class->meta.name) == NULL && !network_is_own(a, addr)) {
        return "it is in no AddressPool of the class and no address of an Interface";
    }
    for (const struct at_address_user *user = address_user_next(a, NULL, addr); user != NULL;
         user = address_user_next(a, user, addr)) {
        const struct at_gateway *other = user->gateway;
        if (other == g) {
            continue;
        }
        if (is_ours_to_choose(other)) {
            return arena_printf(a->arena, "it was given to Gateway %s", other->meta.full_name);
        }
        if (!are_compatible(a, other, g, is_kept)) {
            return arena_printf(a->arena,
                                "Gateway %s has it, and their listeners cannot be told apart",
                                other->meta.full_name);
        }
    }
    return NULL;
}

/* Does the Gateway have the address by its status? */
static bool had_address(const struct at_gateway *g, const struct ip_addr *addr)
{
    size_t i;
    const json_t *item;
    json_array_foreach(at_path(g->meta.obj, "status", "addresses"), i, item)
    {
        struct ip_addr had;
        if (ip_addr_parse(text_at(item, "value"), &had) && ip_addr_eq(&had, addr)) {
            return true;
        }
    }
    return false;
}

/* What is asked for by value: what it has already (is_kept), or all of it. */
static void give_asked(struct attach *a, struct at_gateway *g, bool is_kept)
{
    size_t i;
    const json_t *item;
    json_array_foreach(asked_addresses(g), i, item)
    {
        struct ip_addr addr;
        const char *text = text_at(item, "value");
        if (!ip_addr_parse(text, &addr) || (is_kept && !had_address(g, &addr))) {
            continue;
        }
        const char *fault = asked_fault(a, g, &addr, had_address(g, &addr));
        if (fault == NULL) {
            give(a, g, &addr);
        } else if (!is_kept && g->not_programmed.reason == NULL) {
            g->not_programmed =
                VERDICT("False", "AddressNotUsable",
                        arena_printf(a->arena, "spec.addresses[%zu]: %s cannot be used: %s", i,
                                     text, fault));
        }
    }
}

static bool can_allocate(const struct attach *a, const struct at_gateway *g,
                         const struct ip_addr *addr)
{
    return !is_used(a, g, addr) && network_can_give(a, addr);
}

/* What it was given before, of addresses that are left to us. */
static void give_kept(struct attach *a, struct at_gateway *g)
{
    size_t i;
    const json_t *item;
    json_array_foreach(at_path(g->meta.obj, "status", "addresses"), i, item)
    {
        struct ip_addr addr;
        if (strcmp(text_at(item, "type"), "IPAddress") == 0 &&
            ip_addr_parse(text_at(item, "value"), &addr) &&
            pool_find(a, &addr, g->class->meta.name) != NULL && can_allocate(a, g, &addr)) {
            give(a, g, &addr);
        }
    }
}

/* Gives the first free address of the range. */
static bool give_from_range(struct attach *a, struct at_gateway *g, struct at_range *range)
{
    struct ip_addr addr;
    while (pool_next(range, &addr)) {
        if (can_allocate(a, g, &addr)) {
            give(a, g, &addr);
            return true;
        }
    }
    return false;
}

/* Gives one address of a family from the pools of the class, by name. */
static bool give_new(struct attach *a, struct at_gateway *g, bool want_v4)
{
    for (uint32_t i = 0; i < a->n_pools; i++) {
        struct at_pool *pool = &a->pools[i];
        for (uint32_t j = 0; pool_serves(pool, g->class->meta.name) && j < pool->n_ranges; j++) {
            if (ip_addr_is_v4(&pool->ranges[j].first) == want_v4 &&
                give_from_range(a, g, &pool->ranges[j])) {
                return true;
            }
        }
    }
    return false;
}

static bool has_family(const struct at_gateway *g, bool want_v4)
{
    for (uint32_t i = 0; i < g->n_addresses; i++) {
        if (ip_addr_is_v4(&g->addresses[i]) == want_v4) {
            return true;
        }
    }
    return false;
}

/* One of each family that the pools have. */
static void give_missing(struct attach *a, struct at_gateway *g)
{
    if (is_ours_to_choose(g)) {
        if (!has_family(g, true)) {
            give_new(a, g, true);
        }
        if (!has_family(g, false)) {
            give_new(a, g, false);
        }
    }
    if (g->n_addresses == 0 && g->not_programmed.reason == NULL) {
        g->not_programmed = VERDICT("False", "AddressNotAssigned",
                                    "no AddressPool of the class has a free address: make or "
                                    "enlarge one, or ask for an address in spec.addresses");
    }
}

/* Also a Gateway whose listeners are all wrong keeps its address until they are mended. */
static bool has_class(const struct at_gateway *g)
{
    return strcmp(g->class->accepted.status, "True") == 0;
}

static void run_round(struct attach *a, uint32_t round)
{
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        struct at_gateway *g = &a->gateways[i];
        if (!has_class(g)) {
            continue;
        }
        if (round < 2) {
            give_asked(a, g, round == 0);
        }
        if (round == 0 && is_ours_to_choose(g)) {
            give_kept(a, g);
        }
        if (round == 2) {
            give_missing(a, g);
        }
    }
}

static int compare_addresses(const void *x, const void *y)
{
    return memcmp(((const struct plan_address *)x)->addr.bytes,
                  ((const struct plan_address *)y)->addr.bytes, 16);
}

/* NULL: it is a Service. */
static const char *class_name(const struct at_gateway *g)
{
    return g->class != NULL ? g->class->meta.name : NULL;
}

/* The interface that an address belongs to: the pool's, or the one with its prefix. */
static uint32_t find_interface(const struct attach *a, const struct at_gateway *g,
                               const struct ip_addr *addr)
{
    const struct at_pool *pool = pool_find(a, addr, class_name(g));
    bool is_said = pool != NULL && pool->interface != PLAN_NONE;
    return is_said ? pool->interface : network_interface_of(a, addr);
}

void address_list(struct attach *a)
{
    struct plan_address *list =
        ARENA_ARRAY(a->arena, struct plan_address, (size_t)a->n_fronts * GATEWAY_ADDRESSES_MAX);
    uint32_t n = 0;
    a->plan.n_addresses = 0;
    for (uint32_t i = 0; i < a->n_fronts; i++) {
        struct at_gateway *g = a->fronts[i];
        g->is_listed = gateway_is_servable(g);
        for (uint32_t j = 0; g->is_listed && j < g->n_addresses; j++) {
            const struct ip_addr *addr = &g->addresses[j];
            if (!network_is_own(a, addr)) {
                list[n++] = (struct plan_address){.addr = *addr,
                                                  .is_service = g->class == NULL,
                                                  .interface = find_interface(a, g, addr)};
            }
        }
    }
    qsort(list, n, sizeof(list[0]), compare_addresses);
    for (uint32_t i = 0; i < n; i++) {
        if (i == 0 || compare_addresses(&list[i], &list[a->plan.n_addresses - 1]) != 0) {
            list[a->plan.n_addresses++] = list[i];
        }
    }
    a->plan.addresses = list;
}

void address_run(struct attach *a)
{
    address_user_init(a);
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        a->gateways[i].addresses = ARENA_ARRAY(a->arena, struct ip_addr, GATEWAY_ADDRESSES_MAX);
    }
    for (uint32_t round = 0; round < 3; round++) {
        run_round(a, round);
    }
}
