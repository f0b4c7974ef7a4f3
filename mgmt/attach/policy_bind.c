/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policies of Gateways and listeners come to at each address and port. TCP chooses at the
 * SYN, which names no host, and a PROXY header comes before one: so listeners that share address
 * and port have one congestion control, and all want the header or none does. Of their policies the
 * most preferred decides.
 */
#include "attach/attach_priv.h"

#include <stdlib.h>
#include <string.h>

/* A served listener, not of UDP, at one of the addresses of its Gateway. */
struct place {
    const struct at_gateway *gateway;
    struct at_listener *listener;
    uint32_t address;
};

/* A listener without a policy of its own has its Gateway's. */
static void inherit(struct attach *a, struct at_gateway *g)
{
    for (uint32_t i = 0; g->policy != NULL && i < g->n_all; i++) {
        struct at_listener *l = g->all[i];
        if (l->policy != NULL) {
            policy_lose(g->policy,
                        arena_printf(a->arena, "listener %s: TransportPolicy %s targets it by name",
                                     l->name, l->policy->policy->meta.full_name));
        } else if (l->protocol->plan != PLAN_UDP) {
            l->policy = g->policy;
        }
    }
}

static const struct ip_addr *place_address(const struct place *p)
{
    return &p->gateway->addresses[p->address];
}

static bool is_same_bind(const struct place *x, const struct place *y)
{
    return x->listener->port == y->listener->port && ip_addr_eq(place_address(x), place_address(y));
}

/* Below 0: x comes before y. Policies stand in one array, the most preferred first. */
static int compare_targets(const struct at_policy_target *x, const struct at_policy_target *y)
{
    if (x == NULL || y == NULL) {
        return (x == NULL) - (y == NULL);
    }
    if ((x->section == NULL) != (y->section == NULL)) {
        return x->section != NULL ? -1 : 1;
    }
    return x->policy < y->policy ? -1 : x->policy > y->policy;
}

static int compare_places(const void *x, const void *y)
{
    const struct place *p = x;
    const struct place *q = y;
    int by_address = memcmp(place_address(p)->bytes, place_address(q)->bytes, 16);
    if (by_address != 0) {
        return by_address;
    }
    if (p->listener->port != q->listener->port) {
        return p->listener->port < q->listener->port ? -1 : 1;
    }
    int by_policy = compare_targets(p->listener->policy, q->listener->policy);
    if (by_policy != 0) {
        return by_policy;
    }
    if (p->gateway != q->gateway) {
        return p->gateway < q->gateway ? -1 : 1;
    }
    return p->listener < q->listener ? -1 : p->listener > q->listener;
}

/* All places; also gives each listener the array that they are written to. */
static struct place *list_places(struct attach *a, uint32_t *ret_n)
{
    size_t room = 0;
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        room += (size_t)a->gateways[i].n_all * a->gateways[i].n_addresses;
    }
    struct place *places = ARENA_ARRAY(a->arena, struct place, room);
    enum image_congestion *congestions = ARENA_ARRAY(a->arena, enum image_congestion, room);
    const struct plan_proxied **proxied = ARENA_ARRAY(a->arena, const struct plan_proxied *, room);
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        struct at_gateway *g = &a->gateways[i];
        for (uint32_t j = 0; j < g->n_all; j++) {
            struct at_listener *l = g->all[j];
            l->congestions = congestions;
            congestions += g->n_addresses;
            l->proxied = proxied;
            proxied += g->n_addresses;
            bool has_connections = listener_is_served(l) && l->protocol->plan != PLAN_UDP;
            for (uint32_t k = 0; k < g->n_addresses; k++) {
                l->congestions[k] = IMAGE_CONGESTION_CUBIC;
                if (has_connections) {
                    places[n++] = (struct place){g, l, k};
                }
            }
        }
    }
    *ret_n = n;
    return places;
}

static bool is_same(const struct plan_proxied *x, const struct plan_proxied *y)
{
    if (x == NULL || y == NULL || x->n_trusted != y->n_trusted) {
        return x == y;
    }
    return x->n_trusted == 0 ||
           memcmp(x->trusted, y->trusted, x->n_trusted * sizeof(x->trusted[0])) == 0;
}

/* A policy may well stand behind another's that says the same. */
static void decide(struct attach *a, const struct place *first, const struct place *p)
{
    const struct at_policy_target *winner = first->listener->policy;
    struct at_policy_target *own = p->listener->policy;
    enum image_congestion congestion =
        winner != NULL ? winner->policy->congestion : IMAGE_CONGESTION_CUBIC;
    const struct plan_proxied *proxied = winner != NULL ? winner->policy->proxied : NULL;
    p->listener->congestions[p->address] = congestion;
    p->listener->proxied[p->address] = proxied;
    if (own == NULL) {
        return;
    }
    if (own->policy->congestion == congestion && is_same(own->policy->proxied, proxied)) {
        own->is_in_effect = true;
        return;
    }
    char text[IP_ADDR_TEXT_MAX];
    policy_lose(own, arena_printf(a->arena,
                                  "listener %s shares %s port %u with listener %s of Gateway %s, "
                                  "for which TransportPolicy %s comes first: what it says holds "
                                  "before the hostname is known",
                                  p->listener->name, ip_addr_format(place_address(p), text),
                                  (unsigned)p->listener->port, first->listener->name,
                                  first->gateway->meta.full_name, winner->policy->meta.full_name));
}

/* Where nothing is served there is nobody to lose to. */
static void attach_unserved(const struct at_gateway *g)
{
    for (uint32_t i = 0; i < g->n_all; i++) {
        const struct at_listener *l = g->all[i];
        if (l->policy != NULL && !listener_is_served(l)) {
            l->policy->is_in_effect = true;
        }
    }
}

void policy_bind_alone(struct attach *a, struct at_listener *l)
{
    uint32_t n = l->gateway->n_addresses;
    l->congestions = ARENA_ARRAY(a->arena, enum image_congestion, n);
    l->proxied = ARENA_ARRAY(a->arena, const struct plan_proxied *, n);
    for (uint32_t i = 0; i < n; i++) {
        l->congestions[i] = IMAGE_CONGESTION_CUBIC;
    }
}

void policy_bind_run(struct attach *a)
{
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        inherit(a, &a->gateways[i]);
        attach_unserved(&a->gateways[i]);
    }
    uint32_t n;
    struct place *places = list_places(a, &n);
    if (n > 0) {
        qsort(places, n, sizeof(places[0]), compare_places);
    }
    uint32_t first = 0;
    for (uint32_t i = 0; i < n; i++) {
        first = is_same_bind(&places[first], &places[i]) ? first : i;
        decide(a, &places[first], &places[i]);
    }
}
