/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ListenerSet in another version, in a run that was there. It touches no other object, unless
 * somebody waited for a port or hostname that goes, or somebody younger has one that it would have,
 * or what stands before its Gateway's ports depends on who else is there: then all are judged anew.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"

#include <string.h>

/* Have its Gateway's addresses no other, and its ports no policy that weighs listeners against
 * each other? */
static bool stands_alone(const struct attach *a, const struct at_gateway *g)
{
    bool is = g->policy == NULL;
    for (uint32_t i = 0; i < g->n_listeners; i++) {
        is &= g->listeners[i].policy == NULL;
    }
    for (uint32_t i = 0; i < g->n_addresses; i++) {
        const struct at_address_user *user = address_user_next(a, NULL, &g->addresses[i]);
        is &= user == NULL || address_user_next(a, user, &g->addresses[i]) == NULL;
    }
    return is;
}

static void take_listener_out(struct attach *a, struct at_listener *l)
{
    struct at_gateway *g = l->gateway;
    const struct at_scope scope = {.gateway = g};
    if (l->is_late) {
        place_wait(a, &scope, l, false);
        return;
    }
    ASSERT(g->n_placed > 0 && a->n_listeners > 0);
    g->n_placed--;
    a->n_listeners--;
    if (l->protocol->family == 0) {
        return;
    }
    if (place_leave(a, &scope, l)) {
        ASSERT(a->n_binds >= g->n_addresses);
        a->n_binds -= g->n_addresses;
    }
    a->is_stale |= place_is_waited_for(a, &scope, l);
}

/* The first place in the array whose ListenerSet does not come before `set`. */
static uint32_t place_of(struct at_set *const *sets, uint32_t n, const struct at_set *set,
                         int (*compare)(const struct at_set *, const struct at_set *))
{
    uint32_t low = 0;
    uint32_t high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(sets[middle], set) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int by_age(const struct at_set *x, const struct at_set *y)
{
    return meta_compare(&x->meta, &y->meta);
}

static int by_name(const struct at_set *x, const struct at_set *y)
{
    return strcmp(x->meta.full_name, y->meta.full_name);
}

static void remove_from(struct at_set **sets, uint32_t n, const struct at_set *set,
                        int (*compare)(const struct at_set *, const struct at_set *))
{
    uint32_t at = place_of(sets, n, set, compare);
    ASSERT(at < n && sets[at] == set);
    memmove(&sets[at], &sets[at + 1], (n - at - 1) * sizeof(sets[0]));
}

static void insert_into(struct at_set **sets, uint32_t n, struct at_set *set,
                        int (*compare)(const struct at_set *, const struct at_set *))
{
    uint32_t at = place_of(sets, n, set, compare);
    memmove(&sets[at + 1], &sets[at], (n - at) * sizeof(sets[0]));
    sets[at] = set;
}

static void take_out(struct attach *a, struct at_set *set)
{
    remove_from(a->sets, a->n_sets, set, by_age);
    remove_from(a->sets_by_name, a->n_sets, set, by_name);
    a->n_sets--;
    if (!set->is_let_in) {
        return;
    }
    a->is_stale |= !stands_alone(a, set->gateway) || a->has_too_many;
    for (uint32_t i = 0; i < set->n_listeners && !a->is_stale; i++) {
        take_listener_out(a, &set->listeners[i]);
    }
    set->gateway->n_sets -= strcmp(set->accepted.status, "True") == 0;
}

static struct at_set **grown(struct attach *a, struct at_set *const *old, uint32_t room)
{
    struct at_set **sets = ARENA_ARRAY(a->arena, struct at_set *, room);
    if (a->n_sets > 0) {
        memcpy(sets, old, a->n_sets * sizeof(old[0]));
    }
    return sets;
}

static void bring_in(struct attach *a, struct at_set *set)
{
    if (a->n_sets == a->sets_room) {
        a->sets_room = a->sets_room < 16 ? 16 : 2 * a->sets_room;
        a->sets = grown(a, a->sets, a->sets_room);
        a->sets_by_name = grown(a, a->sets_by_name, a->sets_room);
    }
    insert_into(a->sets, a->n_sets, set, by_age);
    insert_into(a->sets_by_name, a->n_sets, set, by_name);
    a->n_sets++;
    if (set->is_let_in) {
        a->is_stale |= !stands_alone(a, set->gateway);
        a->is_stale |= set_place(a, set) || a->has_too_many || a->is_cut;
        for (uint32_t i = 0; i < set->n_listeners; i++) {
            policy_bind_alone(a, &set->listeners[i]);
            policy_access_settle(a, &set->listeners[i]);
        }
    }
    set_settle(a, set);
}

bool set_put(struct attach *a, const json_t *version)
{
    const json_t *meta = json_object_get(version, "metadata");
    const char *namespace = text_at(meta, "namespace"), *name = text_at(meta, "name");
    const json_t *now = find_object(a, MODEL_LISTENER_SET, namespace, name);
    struct at_set *old = set_find(a, namespace, name);
    if (old != NULL && old->meta.obj == now && !is_going(now)) {
        return false;
    }
    if (old != NULL) {
        take_out(a, old);
    }
    if (now == NULL || is_going(now) || a->is_stale) {
        return old != NULL;
    }
    struct at_set *set = set_new(a, now);
    if (set != NULL) {
        bring_in(a, set);
    }
    return old != NULL || set != NULL;
}
