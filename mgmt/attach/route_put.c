/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One route in another version, in a run that was there. It touches no other route, but for those
 * of another kind on the same listeners: where one of them stands back, or this one would have to,
 * all are judged anew. So are they where it names a Service: nothing may be listening there yet.
 */
#include "attach/attach_priv.h"

#include <string.h>

/* Where the route stands or would stand. */
static uint32_t place_of(const struct attach *a, const struct at_route *r)
{
    uint32_t low = 0;
    uint32_t high = a->n_routes;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (route_compare(a->routes[middle], r) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct attach *a, uint32_t place, const struct at_route *r)
{
    return place < a->n_routes && route_compare(a->routes[place], r) == 0;
}

/* Could the route's being there, or not, decide of others? */
static bool concerns_others(const struct attach *a, const struct at_route *r)
{
    bool does = r->rival != NULL;
    for (const struct at_attachment *at = r->attachments; at != NULL; at = at->next_of_route) {
        does |= at->listener->n_refused > 0;
    }
    return does;
}

static void take_out(struct attach *a, uint32_t place)
{
    struct at_route **at = &a->routes[place];
    group_unuse(a, *at);
    a->is_stale |= concerns_others(a, *at);
    bool is_counted = a->hosts != NULL && route_is_of_requests(*at);
    for (const struct at_attachment *on = (*at)->attachments; on != NULL && is_counted;
         on = on->next_of_route) {
        host_set_remove(a, on);
    }
    a->n_of_kind[route_kind(*at)]--;
    a->n_routes--;
    memmove(at, at + 1, (a->n_routes - place) * sizeof(*at));
}

static void bring_in(struct attach *a, uint32_t place, struct at_route *r)
{
    route_make_room(a);
    struct at_route **at = &a->routes[place];
    memmove(at + 1, at, (a->n_routes - place) * sizeof(*at));
    *at = r;
    a->n_routes++;
    a->n_of_kind[route_kind(r)]++;
    /* while there was one kind nobody kept the hostnames of each */
    a->is_stale |= a->hosts == NULL && route_kinds_meet(a);
    route_judge(a, r);
    a->is_stale |= concerns_others(a, r);
}

/* Does it name a Service? Who has the Service's ports may be another then. */
static bool names_service(const struct attach *a, const json_t *version)
{
    bool does = false;
    size_t i;
    const json_t *ref;
    json_array_foreach(at_path(version, "spec", "parentRefs"), i, ref)
    {
        does |= a->has_services && service_is_parent(ref);
    }
    return does;
}

void route_put(struct attach *a, const json_t *version)
{
    hold(a, version);
    if (names_service(a, version)) {
        a->is_stale = true;
        return;
    }
    struct at_route *r = route_new(a, version);
    uint32_t place = place_of(a, r);
    if (is_at(a, place, r)) {
        take_out(a, place);
    }
    const json_t *now = find_object(a, r->type, r->meta.namespace, r->meta.name);
    if (now == NULL || is_going(now)) {
        return;
    }
    r = route_new(a, now);
    place = place_of(a, r);
    if (!is_at(a, place, r)) {
        bring_in(a, place, r);
    }
}
