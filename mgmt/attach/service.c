/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services that routes attach to (GEP-1294, "xRoutes Mesh Binding"): traffic to a Service's
 * clusterIP that comes by this box. Such a Service is kept as a Gateway is, each of its ports as a
 * listener, so that all that follows treats them alike:
 *
 *   clients of a namespace with routes of its own to the port (consumer routes): these routes alone
 *   all others: the routes of the Service's namespace (producer routes)
 *   nobody's route is there: the port's endpoints, by a route that nobody wrote (a stand-in)
 *
 * Which Services: those that a route names as its parent, and those that kube-proxy was told to
 * leave to us. Which addresses: those in an AddressPool whose use is Services, so that it is not
 * for an application's owner to have the box answer for any address. Without such a pool a Service
 * is no parent here, and nothing is said of it in a route's status.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define CLUSTER_IPS_MAX 2u /* one of each family */

/* kube-proxy leaves a Service alone that has this label. */
#define PROXY_LABEL "service.kubernetes.io/service-proxy-name"
#define PROXY_NAME "sluice.internal"

/* Somebody wants routes on a Service. */
struct want {
    const char *namespace;
    const char *name;
    const char *consumer; /* NULL: for all clients */
};

bool service_is_parent(const json_t *ref)
{
    const json_t *group = json_object_get(ref, "group");
    return group != NULL && json_string_value(group)[0] == '\0' &&
           strcmp(text_at(ref, "kind"), "Service") == 0;
}

/* ---- who wants what ---- */

static const char *namespace_of(const struct at_route *r, const json_t *ref)
{
    const char *namespace = text_at(ref, "namespace");
    return namespace[0] != '\0' ? namespace : r->meta.namespace;
}

/* The clients that a route to a Service of the namespace is for; NULL: all others. */
static const char *consumer_of(const struct at_route *r, const char *namespace)
{
    return strcmp(namespace, r->meta.namespace) != 0 ? r->meta.namespace : NULL;
}

static size_t count_refs(const struct attach *a)
{
    size_t n = 0;
    for (uint32_t i = 0; i < a->n_routes; i++) {
        n += json_array_size(at_path(a->routes[i]->meta.obj, "spec", "parentRefs"));
    }
    return n;
}

static void add_wants_of_route(const struct at_route *r, struct want *wants, size_t *n)
{
    size_t i;
    const json_t *ref;
    json_array_foreach(at_path(r->meta.obj, "spec", "parentRefs"), i, ref)
    {
        const char *namespace = namespace_of(r, ref);
        if (service_is_parent(ref)) {
            wants[(*n)++] =
                (struct want){namespace, text_at(ref, "name"), consumer_of(r, namespace)};
        }
    }
}

static int compare_wants(const void *x, const void *y)
{
    const struct want *a = x, *b = y;
    int by_namespace = strcmp(a->namespace, b->namespace);
    int by_name = by_namespace != 0 ? by_namespace : strcmp(a->name, b->name);
    if (by_name != 0) {
        return by_name;
    }
    return strcmp(a->consumer != NULL ? a->consumer : "", b->consumer != NULL ? b->consumer : "");
}

/* What routes name, and what has the label; by Service, each once. */
static struct want *find_wants(struct attach *a, size_t *ret_n)
{
    uint32_t n_services;
    const json_t **services = collect(a, MODEL_SERVICE, &n_services);
    struct want *wants = ARENA_ARRAY(a->arena, struct want, count_refs(a) + n_services);
    size_t n = 0, kept = 0;
    for (uint32_t i = 0; i < n_services; i++) {
        const json_t *meta = json_object_get(services[i], "metadata");
        const json_t *labels = json_object_get(meta, "labels");
        if (strcmp(text_at(labels, PROXY_LABEL), PROXY_NAME) == 0) {
            wants[n++] = (struct want){text_at(meta, "namespace"), text_at(meta, "name"), NULL};
        }
    }
    for (uint32_t i = 0; i < a->n_routes; i++) {
        add_wants_of_route(a->routes[i], wants, &n);
    }
    qsort(wants, n, sizeof(wants[0]), compare_wants);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || compare_wants(&wants[kept - 1], &wants[i]) != 0) {
            wants[kept++] = wants[i];
        }
    }
    *ret_n = kept;
    return wants;
}

/* ---- Services ---- */

/* Why the Service cannot have the address; NULL: it can. */
static const char *address_fault(struct attach *a, const char *text, const struct ip_addr *addr)
{
    if (pool_find(a, addr, NULL) == NULL) {
        return arena_printf(a->arena, "clusterIP %s is in no AddressPool with use Services", text);
    }
    const struct at_address_user *user = address_user_next(a, NULL, addr);
    if (user != NULL) {
        return arena_printf(a->arena, "%s %s has the clusterIP %s",
                            user->gateway->class == NULL ? "Service" : "Gateway",
                            user->gateway->meta.full_name, text);
    }
    if (!network_can_give(a, addr)) {
        return arena_printf(a->arena,
                            "clusterIP %s is an Interface's, a next hop's, or a network's", text);
    }
    return NULL;
}

/* Gives the Service its clusterIPs. NULL, or why it has none; one that is good is enough. */
static const char *give_addresses(struct attach *a, struct at_gateway *g, const json_t *list)
{
    const char *why = "it has no clusterIP";
    for (size_t i = 0; i < json_array_size(list) && i < CLUSTER_IPS_MAX; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        struct ip_addr addr;
        if (!ip_addr_parse(text, &addr)) {
            why = arena_printf(a->arena, "clusterIP %s is no address", text);
            continue;
        }
        const char *fault = address_fault(a, text, &addr);
        if (fault != NULL) {
            why = fault;
            continue;
        }
        g->addresses[g->n_addresses++] = addr;
        address_user_add(a, g, &addr);
    }
    return g->n_addresses == 0 ? why : NULL;
}

/* NULL, or why no traffic could be sent to it. */
static const char *read_addresses(struct attach *a, struct at_gateway *g)
{
    const json_t *spec = json_object_get(g->meta.obj, "spec");
    const json_t *list = json_object_get(spec, "clusterIPs");
    const char *one = text_at(spec, "clusterIP");
    g->addresses = ARENA_ARRAY(a->arena, struct ip_addr, CLUSTER_IPS_MAX);
    if (strcmp(text_at(spec, "type"), "ExternalName") == 0) {
        return "it is an ExternalName, which has no address of its own";
    }
    if (strcmp(one, "None") == 0 ||
        strcmp(json_array_size(list) > 0 ? json_string_value(json_array_get(list, 0)) : "",
               "None") == 0) {
        return "it is headless: it has no clusterIP that traffic could be sent to";
    }
    if (json_array_size(list) > 0 || one[0] == '\0') {
        return give_addresses(a, g, list);
    }
    json_t *alone = json_pack("[s]", one);
    const char *why = give_addresses(a, g, alone);
    json_decref(alone);
    return why;
}

static void judge(struct attach *a, struct at_gateway *g)
{
    const char *why = read_addresses(a, g);
    if (why == NULL && g->n_listeners == 0) {
        why = "it has no port of TCP or UDP";
    }
    g->accepted = why == NULL
                      ? VERDICT("True", "Accepted", "the Service is served")
                      : VERDICT("False", "NoMatchingParent",
                                arena_printf(a->arena, "routes cannot attach to Service %s: %s",
                                             g->meta.full_name, why));
}

static uint32_t count_ports(const json_t *ports)
{
    uint32_t n = 0;
    size_t i;
    const json_t *port;
    json_array_foreach(ports, i, port)
    {
        n += port_is_tcp(port) || port_is_udp(port);
    }
    return n;
}

/* The ports, once for each of the wants, that for all clients first. */
static void read_listeners(struct attach *a, struct at_gateway *g, const struct want *wants,
                           size_t n_wants)
{
    const json_t *ports = at_path(g->meta.obj, "spec", "ports");
    bool has_all = n_wants > 0 && wants[0].consumer == NULL;
    size_t n_sides = n_wants + !has_all;
    g->listeners = ARENA_ARRAY(a->arena, struct at_listener, count_ports(ports) * n_sides);
    for (size_t side = 0; side < n_sides; side++) {
        size_t i;
        const json_t *port;
        json_array_foreach(ports, i, port)
        {
            if (port_is_tcp(port) || port_is_udp(port)) {
                g->listeners[g->n_listeners++] = (struct at_listener){
                    .spec = port,
                    .name = text_at(port, "name"),
                    .port = (uint16_t)int_at(port, "port"),
                    .consumer = side == 0 ? NULL : wants[side - !has_all].consumer,
                };
            }
        }
    }
}

/* The Service of these wants, if it is there. */
static void add_service(struct attach *a, const struct want *wants, size_t n)
{
    const json_t *obj = find_object(a, MODEL_SERVICE, wants[0].namespace, wants[0].name);
    if (obj == NULL || is_going(obj)) {
        return;
    }
    struct at_gateway *g = &a->services[a->n_services++];
    meta_read(a, &g->meta, obj);
    read_listeners(a, g, wants, n);
}

static bool is_same_service(const struct want *x, const struct want *y)
{
    return strcmp(x->namespace, y->namespace) == 0 && strcmp(x->name, y->name) == 0;
}

static void find_services(struct attach *a)
{
    size_t n;
    const struct want *wants = find_wants(a, &n);
    a->services = ARENA_ARRAY(a->arena, struct at_gateway, n);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && is_same_service(&wants[first], &wants[end]);) {
            end++;
        }
        add_service(a, &wants[first], end - first);
    }
    a->services_by_name = gateway_list_sort(a, a->services, a->n_services);
    for (uint32_t i = 0; i < a->n_services; i++) {
        a->services[i].index = a->n_gateways + i;
        judge(a, &a->services[i]);
    }
}

struct at_gateway *service_find(const struct attach *a, const char *namespace, const char *name)
{
    return gateway_list_find(a->services_by_name, a->n_services, namespace, name);
}

/* ---- listeners ---- */

static void ask(struct attach *a, const struct at_route *r)
{
    size_t i;
    const json_t *ref;
    json_array_foreach(at_path(r->meta.obj, "spec", "parentRefs"), i, ref)
    {
        const char *namespace = namespace_of(r, ref);
        struct at_gateway *g =
            service_is_parent(ref) ? service_find(a, namespace, text_at(ref, "name")) : NULL;
        for (uint32_t j = 0; g != NULL && j < g->n_listeners; j++) {
            if (service_is_meant(r, ref, &g->listeners[j], consumer_of(r, namespace))) {
                g->listeners[j].kinds_asked |= UINT32_C(1) << route_kind(r);
            }
        }
    }
}

/* What clients speak: what the routes are of, and without any whatever the endpoints do. */
static void choose_protocol(struct attach *a, const struct at_gateway *g, struct at_listener *l)
{
    enum image_route_kind kind = service_kind_of(l);
    bool is_http = kind == IMAGE_ROUTE_HTTP || kind == IMAGE_ROUTE_GRPC;
    l->protocol = protocol_find(port_is_udp(l->spec) ? "UDP" : is_http ? "HTTP" : "TCP", false);
    l->congestions = ARENA_ARRAY(a->arena, enum image_congestion, g->n_addresses);
    l->proxied = ARENA_ARRAY(a->arena, const struct plan_proxied *, g->n_addresses);
    for (uint32_t i = 0; i < g->n_addresses; i++) {
        l->congestions[i] = IMAGE_CONGESTION_CUBIC;
    }
}

/* A route to the Service itself, as if somebody had written it; its name can be nobody's. */
static void stand_in(struct attach *a, const struct at_gateway *g, struct at_listener *l)
{
    const char *name = arena_printf(a->arena, "%s:%u", g->meta.name, (unsigned)l->port);
    json_t *obj = json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:s, s:I}, s:{s:[{s:[{s:s, s:s, s:s, s:i, s:i}]}]}}", "kind",
        port_is_udp(l->spec) ? "UDPRoute" : "TCPRoute", "metadata", "namespace", g->meta.namespace,
        "name", name, "uid", g->meta.uid, "creationTimestamp", g->meta.created, "generation",
        (json_int_t)g->meta.generation, "spec", "rules", "backendRefs", "group", "", "kind",
        "Service", "name", g->meta.name, "port", (int)l->port, "weight", 1);
    ASSERT(obj != NULL);
    hold(a, obj);
    struct at_route *r = route_new(a, obj);
    json_decref(obj);
    r->stands_for = l;
    route_make_room(a);
    a->routes[a->n_routes++] = r;
    a->n_of_kind[route_kind(r)]++;
}

static void settle(struct attach *a, struct at_gateway *g)
{
    g->all = ARENA_ARRAY(a->arena, struct at_listener *, g->n_listeners);
    for (uint32_t i = 0; i < g->n_listeners; i++) {
        struct at_listener *l = &g->listeners[i];
        l->gateway = g;
        g->all[g->n_all++] = l;
        choose_protocol(a, g, l);
        if (l->consumer == NULL && l->kinds_asked == 0 && g->n_addresses > 0) {
            stand_in(a, g, l);
        }
    }
}

/* Gateways, and behind them Services. */
static void list_fronts(struct attach *a)
{
    a->fronts = ARENA_ARRAY(a->arena, struct at_gateway *, a->n_gateways + a->n_services);
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        a->fronts[a->n_fronts++] = &a->gateways[i];
    }
    for (uint32_t i = 0; i < a->n_services; i++) {
        a->fronts[a->n_fronts++] = &a->services[i];
    }
}

void service_run(struct attach *a)
{
    if (a->has_services) {
        find_services(a);
    }
    uint32_t n_written = a->n_routes;
    for (uint32_t i = 0; i < n_written && a->n_services > 0; i++) {
        ask(a, a->routes[i]);
    }
    for (uint32_t i = 0; i < a->n_services; i++) {
        settle(a, &a->services[i]);
    }
    list_fronts(a);
    service_clients_run(a);
}
