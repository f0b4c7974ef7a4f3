/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways beyond the prefixes of our interfaces: StaticRoutes, Nodes of clusters whose pods are
 * reached by them, and what BgpPeers have told (mgmt/routing keeps it in their status). Of several
 * ways to one destination the first in this order is used while its gateway answers.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"

#include <string.h>

/* The list while it grows: first it is counted, then written. */
struct egress_list {
    struct plan_egress *list; /* NULL: counting */
    uint32_t n;
};

static void add(struct egress_list *l, const struct plan_egress *egress)
{
    if (l->list != NULL) {
        l->list[l->n] = *egress;
    }
    l->n++;
}

static const char *name_of(const json_t *object)
{
    return text_at(json_object_get(object, "metadata"), "name");
}

/* ---- StaticRoutes ---- */

static void add_static_route(const struct attach *a, const json_t *object, struct egress_list *l)
{
    const json_t *spec = json_object_get(object, "spec");
    struct plan_egress e = {
        .kind = "StaticRoute",
        .name = name_of(object),
        .destination = network_prefix(text_at(spec, "destination")),
        .interface = network_interface_named(a, text_at(spec, "interface")),
    };
    const json_t *gateways = json_object_get(spec, "gateways");
    if (gateways == NULL) {
        ip_addr_parse(text_at(spec, "gateway"), &e.gateway); /* zero without one: on-link */
        add(l, &e);
        return;
    }
    size_t i;
    const json_t *gateway;
    json_array_foreach(gateways, i, gateway)
    {
        bool ok = ip_addr_parse(json_string_value(gateway), &e.gateway);
        ASSERT(ok);
        e.is_shared = i > 0;
        add(l, &e);
    }
}

/* ---- Nodes ---- */

/* One without an address of the family leads nowhere. */
static void add_node(const struct at_node *n, struct egress_list *l)
{
    for (uint32_t i = 0; i < n->n_pods; i++) {
        struct plan_egress e = {
            .kind = "Node",
            .name = n->name,
            .destination = n->pods[i],
            .gateway = n->addresses[ip_addr_is_v4(&n->pods[i].addr) ? AT_V4 : AT_V6],
            .interface = PLAN_NONE,
            .is_to_pods = true,
        };
        if (!ip_addr_is_zero(&e.gateway)) {
            add(l, &e);
        }
    }
}

/* ---- BgpPeers ---- */

/* The routes that BIRD holds for the best, or the others. */
static void add_peer(const struct attach *a, const json_t *object, bool is_best,
                     struct egress_list *l)
{
    size_t i;
    const json_t *route;
    if (at_path(object, "spec", "accept") == NULL) {
        return;
    }
    json_array_foreach(at_path(object, "status", "routes"), i, route)
    {
        struct plan_egress e = {
            .kind = "BgpPeer",
            .name = name_of(object),
            .destination = network_prefix(text_at(route, "destination")),
            .interface = network_interface_named(a, text_at(route, "interface")),
            .is_to_pods = true,
        };
        bool ok = ip_addr_parse(text_at(route, "gateway"), &e.gateway);
        ASSERT(ok);
        if (json_is_true(json_object_get(route, "best")) == is_best) {
            add(l, &e);
        }
    }
}

/* ---- all ---- */

struct sources {
    const json_t **static_routes;
    const json_t **peers;
    uint32_t n_static_routes;
    uint32_t n_peers;
};

static void add_all(const struct attach *a, const struct sources *s, struct egress_list *l)
{
    for (uint32_t i = 0; i < s->n_static_routes; i++) {
        add_static_route(a, s->static_routes[i], l);
    }
    for (uint32_t i = 0; i < a->n_nodes; i++) {
        const struct at_cluster *cluster = a->nodes[i].cluster;
        if (cluster != NULL && cluster->has_pod_routes) {
            add_node(&a->nodes[i], l);
        }
    }
    for (uint32_t i = 0; i < 2 * s->n_peers; i++) {
        add_peer(a, s->peers[i % s->n_peers], i < s->n_peers, l);
    }
}

void egress_run(struct attach *a)
{
    struct sources s;
    struct egress_list l = {0};
    s.static_routes = collect_by_name(a, MODEL_STATIC_ROUTE, &s.n_static_routes);
    s.peers = collect_by_name(a, MODEL_BGP_PEER, &s.n_peers);
    add_all(a, &s, &l);
    l.list = ARENA_ARRAY(a->arena, struct plan_egress, l.n);
    a->plan.n_egress = l.n;
    l.n = 0;
    if (a->plan.n_egress > 0) {
        add_all(a, &s, &l);
    }
    ASSERT(l.n == a->plan.n_egress);
    a->plan.egress = l.list;
}
