/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching routes to listeners (Gateway API, "Attaching Routes to Gateways"): for each parentRef
 * the listeners that it selects, then those of them that let the route in, then those with a
 * hostname in common, then those where no older route of another kind has it: of an HTTPRoute and a
 * GRPCRoute that share a host of a listener it takes one (GRPCRouteSpec.hostnames). The first step
 * that leaves none over is the reason that the status gives.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define HOSTNAMES_PER_ROUTE_MAX 1024u /* of a TLSRoute; others have 16 */

/* A bit a listener: a Gateway or ListenerSet has at most 64. */
typedef uint64_t listener_set;

/* The parent that the reference means; false: it is none of ours. */
static bool find_parent(const struct attach *a, const struct at_route *r, const json_t *ref,
                        struct at_parent *ret)
{
    const char *namespace = text_at(ref, "namespace");
    const char *kind = text_at(ref, "kind"), *name = text_at(ref, "name");
    if (namespace[0] == '\0') {
        namespace = r->meta.namespace;
    }
    if (a->has_services && service_is_parent(ref)) {
        struct at_gateway *service = service_find(a, namespace, name);
        *ret = (struct at_parent){.ref = ref, .gateway = service};
        return true;
    }
    if (strcmp(text_at(ref, "group"), GATEWAY_API_GROUP) != 0) {
        return false;
    }
    struct at_gateway *g = strcmp(kind, "Gateway") == 0 ? gateway_find(a, namespace, name) : NULL;
    struct at_set *set = strcmp(kind, "ListenerSet") == 0 ? set_find(a, namespace, name) : NULL;
    if (g != NULL) {
        *ret = (struct at_parent){ref, g, NULL, g->n_listeners, g->listeners, {0}};
        return true;
    }
    if (set != NULL && set->gateway != NULL) {
        *ret = (struct at_parent){ref, set->gateway, set, set->n_listeners, set->listeners, {0}};
        return true;
    }
    return false;
}

/* The parentRefs that name Gateways of ours, ListenerSets of them, or Services. */
static void find_parents(struct attach *a, struct at_route *r)
{
    const json_t *refs = at_path(r->meta.obj, "spec", "parentRefs");
    r->parents = ARENA_ARRAY(a->arena, struct at_parent, json_array_size(refs));
    size_t i;
    const json_t *ref;
    json_array_foreach(refs, i, ref)
    {
        r->n_parents += find_parent(a, r, ref, &r->parents[r->n_parents]);
    }
}

/* In words: "Gateway infra/shared-gw". */
static const char *parent_name(struct attach *a, const struct at_parent *p)
{
    return arena_printf(a->arena, "%s %s", p->set != NULL ? "ListenerSet" : "Gateway",
                        p->set != NULL ? p->set->meta.full_name : p->gateway->meta.full_name);
}

/* The listeners that the reference means: all of the parent, or those of the name and port. */
static listener_set select_listeners(const struct at_parent *p)
{
    const char *section = text_at(p->ref, "sectionName");
    int64_t port = int_at(p->ref, "port");
    listener_set set = 0;
    ASSERT(p->n_listeners <= 64);
    for (uint32_t i = 0; i < p->n_listeners; i++) {
        const struct at_listener *l = &p->listeners[i];
        if ((section[0] == '\0' || strcmp(l->name, section) == 0) &&
            (port == 0 || l->port == port)) {
            set |= UINT64_C(1) << i;
        }
    }
    return set;
}

/* The types of routes, by kind. */
static const enum model_type_id types[IMAGE_ROUTE_KINDS] = {
    [IMAGE_ROUTE_HTTP] = MODEL_HTTP_ROUTE, [IMAGE_ROUTE_GRPC] = MODEL_GRPC_ROUTE,
    [IMAGE_ROUTE_TLS] = MODEL_TLS_ROUTE,   [IMAGE_ROUTE_TCP] = MODEL_TCP_ROUTE,
    [IMAGE_ROUTE_UDP] = MODEL_UDP_ROUTE,   [IMAGE_ROUTE_DNS] = MODEL_DNS_ROUTE,
};

enum image_route_kind route_kind(const struct at_route *r)
{
    uint32_t kind = 0;
    while (types[kind] != r->type) {
        kind++;
        ASSERT(kind < IMAGE_ROUTE_KINDS);
    }
    return (enum image_route_kind)kind;
}

bool route_is_of_requests(const struct at_route *r)
{
    return r->type == MODEL_HTTP_ROUTE || r->type == MODEL_GRPC_ROUTE;
}

bool route_kinds_meet(const struct attach *a)
{
    return a->n_of_kind[IMAGE_ROUTE_HTTP] > 0 && a->n_of_kind[IMAGE_ROUTE_GRPC] > 0;
}

const char *route_kind_name(const struct at_route *r)
{
    return model_type(r->type)->kind;
}

const char *route_group(const struct at_route *r)
{
    return model_type(r->type)->group;
}

bool route_is_by_udp(const struct at_route *r)
{
    return r->type == MODEL_UDP_ROUTE || r->type == MODEL_DNS_ROUTE;
}

static listener_set keep_allowing(struct attach *a, const struct at_route *r,
                                  const struct at_parent *p, listener_set set)
{
    for (uint32_t i = 0; i < p->n_listeners; i++) {
        if ((set >> i & 1) != 0 &&
            !listener_allows(a, &p->listeners[i], route_kind_name(r), r->meta.namespace)) {
            set &= ~(UINT64_C(1) << i);
        }
    }
    return set;
}

static int compare_texts(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/*
 * The route's hostnames that have a host in common with the listener's, sorted, each once; how
 * many. A single NULL is any. They stay as the route has them, also where the listener's is
 * narrower: of two routes on "a.example.com" the one that says so precedes the one of
 * "*.example.com" (HTTPRouteSpec.hostnames). The listener sees to it that no other host comes.
 */
static uint32_t hostnames_on(const struct at_route *r, const struct at_listener *l,
                             const char *ret_hostnames[HOSTNAMES_PER_ROUTE_MAX])
{
    const json_t *list = at_path(r->meta.obj, "spec", "hostnames");
    uint32_t n = 0;
    if (json_array_size(list) == 0) {
        ret_hostnames[0] = NULL;
        return 1;
    }
    for (size_t i = 0; i < json_array_size(list) && i < HOSTNAMES_PER_ROUTE_MAX; i++) {
        const char *hostname = json_string_value(json_array_get(list, i));
        if (l->hostname == NULL || hostname_intersects(l->hostname, hostname)) {
            ret_hostnames[n++] = hostname;
        }
    }
    qsort(ret_hostnames, n, sizeof(ret_hostnames[0]), compare_texts);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (kept == 0 || strcmp(ret_hostnames[kept - 1], ret_hostnames[i]) != 0) {
            ret_hostnames[kept++] = ret_hostnames[i];
        }
    }
    return kept;
}

void route_put_on_listener(struct attach *a, struct at_route *r, struct at_listener *l,
                           const char *const *hostnames, uint32_t n)
{
    if (l->newest == r || r->n_rules == 0) {
        return;
    }
    struct at_attachment *at = ARENA_NEW(a->arena, struct at_attachment);
    at->listener = l;
    at->route = r;
    at->n_hostnames = n;
    at->hostnames = ARENA_ARRAY(a->arena, const char *, n);
    memcpy(at->hostnames, hostnames, n * sizeof(hostnames[0]));
    at->next_of_route = r->attachments;
    r->attachments = at;
    l->newest = r;
    if (a->hosts != NULL && route_is_of_requests(r)) {
        host_set_add(a, at);
    }
}

/* The route of another kind that has one of the hostnames on the listener; NULL: none has. */
static const struct at_route *find_rival(const struct attach *a, const struct at_route *r,
                                         const struct at_listener *l, const char *const *hostnames,
                                         uint32_t n)
{
    const struct at_route *rival = NULL;
    bool has_rivals = a->hosts != NULL && route_is_of_requests(r);
    for (uint32_t kind = 0; kind < IMAGE_ROUTE_KINDS && has_rivals; kind++) {
        for (uint32_t i = 0; i < n && kind != route_kind(r) && rival == NULL; i++) {
            rival = host_set_find(a, l, kind, hostnames[i]);
        }
    }
    return rival;
}

/* Attaches where a hostname is in common, and no route of another kind has it; on how many
 * listeners. *ret_rival: such a route; NULL: none was in the way. */
static uint32_t attach_route(struct attach *a, struct at_route *r, const struct at_parent *p,
                             listener_set set, const struct at_route **ret_rival)
{
    uint32_t n = 0;
    *ret_rival = NULL;
    for (uint32_t i = 0; i < p->n_listeners; i++) {
        const char *hostnames[HOSTNAMES_PER_ROUTE_MAX];
        struct at_listener *l = &p->listeners[i];
        uint32_t n_hostnames = (set >> i & 1) != 0 ? hostnames_on(r, l, hostnames) : 0;
        const struct at_route *rival = find_rival(a, r, l, hostnames, n_hostnames);
        if (rival != NULL) {
            l->n_refused++;
            *ret_rival = r->rival = rival;
        } else if (n_hostnames > 0) {
            route_put_on_listener(a, r, l, hostnames, n_hostnames);
            n++;
        }
    }
    return n;
}

/* Where a route of another kind came first. */
static struct verdict judge_refused(struct attach *a, const struct at_route *rival)
{
    return VERDICT("False", "HostnameConflict",
                   arena_printf(a->arena,
                                "%s %s comes first and has hostnames in common: on one listener a "
                                "host belongs to HTTPRoutes or to GRPCRoutes",
                                route_kind_name(rival), rival->meta.full_name));
}

static struct verdict judge_parent(struct attach *a, struct at_route *r, struct at_parent *p)
{
    if (p->set != NULL && !p->set->is_let_in) {
        return VERDICT("False", "NoMatchingParent",
                       arena_printf(a->arena, "%s is not attached: its Gateway does not let it in",
                                    parent_name(a, p)));
    }
    listener_set selected = select_listeners(p);
    if (selected == 0) {
        return VERDICT("False", "NoMatchingParent",
                       arena_printf(a->arena,
                                    "%s has no listener with the sectionName and port of the "
                                    "parentRef",
                                    parent_name(a, p)));
    }
    listener_set allowing = keep_allowing(a, r, p, selected);
    if (allowing == 0) {
        return VERDICT("False", "NotAllowedByListeners",
                       arena_printf(a->arena,
                                    "no listener of %s lets %ss of namespace %s in (allowedRoutes)",
                                    parent_name(a, p), route_kind_name(r), r->meta.namespace));
    }
    const struct at_route *rival;
    if (attach_route(a, r, p, allowing, &rival) == 0) {
        return rival != NULL
                   ? judge_refused(a, rival)
                   : VERDICT(
                         "False", "NoMatchingListenerHostname",
                         arena_printf(a->arena,
                                      "no hostname of the route is one of a listener of %s that "
                                      "lets it in",
                                      parent_name(a, p)));
    }
    if (r->is_wholly_unsupported) {
        return VERDICT("False", "UnsupportedValue",
                       arena_printf(a->arena,
                                    "no rule can be carried out, requests are answered "
                                    "500: %s",
                                    r->unsupported));
    }
    if (rival != NULL) {
        return VERDICT("True", "Accepted",
                       arena_printf(a->arena,
                                    "the route is attached, but not where %s %s comes first and "
                                    "has hostnames in common",
                                    route_kind_name(rival), rival->meta.full_name));
    }
    return VERDICT("True", "Accepted", "the route is attached");
}

int route_compare(const struct at_route *x, const struct at_route *y)
{
    int by_meta = meta_compare(&x->meta, &y->meta);
    return by_meta != 0 ? by_meta : (int)route_kind(x) - (int)route_kind(y);
}

static int compare_routes(const void *x, const void *y)
{
    return route_compare(*(const struct at_route *const *)x, *(const struct at_route *const *)y);
}

struct at_route *route_new(struct attach *a, const json_t *obj)
{
    struct at_route *r = ARENA_NEW(a->arena, struct at_route);
    uint32_t kind = 0;
    while (strcmp(text_at(obj, "kind"), model_type(types[kind])->kind) != 0) {
        kind++;
        ASSERT(kind < IMAGE_ROUTE_KINDS);
    }
    r->type = types[kind];
    meta_read(a, &r->meta, obj);
    return r;
}

/* Nobody asks for its status. */
static void judge_stand_in(struct attach *a, struct at_route *r)
{
    static const char *const any[] = {NULL};
    rule_run(a, r);
    route_put_on_listener(a, r, r->stands_for, any, 1);
    r->is_settled = true;
}

void route_judge(struct attach *a, struct at_route *r)
{
    if (r->stands_for != NULL) {
        judge_stand_in(a, r);
        return;
    }
    find_parents(a, r);
    if (r->n_parents > 0) {
        rule_run(a, r);
    }
    for (uint32_t i = 0; i < r->n_parents; i++) {
        struct at_parent *p = &r->parents[i];
        bool is_gateway = p->gateway != NULL && p->gateway->class != NULL;
        p->accepted = is_gateway ? judge_parent(a, r, p) : service_judge(a, r, p);
    }
}

void route_make_room(struct attach *a)
{
    if (a->n_routes < a->routes_room) {
        return;
    }
    struct at_route **old = a->routes;
    a->routes_room = a->routes_room < 16 ? 16 : 2 * a->routes_room;
    a->routes = ARENA_ARRAY(a->arena, struct at_route *, a->routes_room);
    if (a->n_routes > 0) {
        memcpy(a->routes, old, a->n_routes * sizeof(old[0]));
    }
}

void route_run(struct attach *a)
{
    const json_t **objects[IMAGE_ROUTE_KINDS];
    for (uint32_t kind = 0; kind < IMAGE_ROUTE_KINDS; kind++) {
        objects[kind] = collect(a, types[kind], &a->n_of_kind[kind]);
        a->routes_room += a->n_of_kind[kind];
    }
    a->routes = ARENA_ARRAY(a->arena, struct at_route *, a->routes_room);
    for (uint32_t kind = 0; kind < IMAGE_ROUTE_KINDS; kind++) {
        for (uint32_t i = 0; i < a->n_of_kind[kind]; i++) {
            a->routes[a->n_routes++] = route_new(a, objects[kind][i]);
        }
    }
    service_run(a);
    if (route_kinds_meet(a)) {
        host_set_init(a, a->n_routes);
    }
    qsort(a->routes, a->n_routes, sizeof(a->routes[0]), compare_routes);
    for (uint32_t i = 0; i < a->n_routes; i++) {
        route_judge(a, a->routes[i]);
    }
    route_link(a);
}

void route_link(struct attach *a)
{
    for (uint32_t i = 0; i < a->n_fronts; i++) {
        for (uint32_t j = 0; j < a->fronts[i]->n_all; j++) {
            struct at_listener *l = a->fronts[i]->all[j];
            l->first = l->last = NULL;
            l->n_attachments = l->n_attached_routes = 0;
        }
    }
    for (uint32_t i = 0; i < a->n_routes; i++) {
        struct at_attachment *at = a->routes[i]->attachments;
        for (; at != NULL; at = at->next_of_route) {
            struct at_listener *l = at->listener;
            *(l->last != NULL ? &l->last->next : &l->first) = at;
            at->next = NULL;
            l->last = at;
            l->n_attachments++;
            l->n_attached_routes += !at->route->is_wholly_unsupported;
        }
    }
}
