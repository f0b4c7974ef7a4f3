/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Service as the parent of a route (GEP-1294): which of its ports take the route. Kinds of routes
 * do not share a port: the most specific one that is asked for has it, the others are Conflicted
 * ("Route types"). Hostnames of routes say nothing here ("hostnames field").
 *
 * What the port says of itself counts: appProtocol, or without it the part of the port's name
 * before the first '-'. Where that is something else than HTTP, HTTPRoutes and GRPCRoutes do not
 * attach, and one that names no port leaves it to its endpoints.
 */
#include "attach/attach_priv.h"

#include "base/container.h"

#include <string.h>
#include <strings.h>

/* The first that is asked for is served. */
static const enum image_route_kind by_preference[] = {IMAGE_ROUTE_GRPC, IMAGE_ROUTE_HTTP,
                                                      IMAGE_ROUTE_TCP, IMAGE_ROUTE_UDP};

enum image_route_kind service_kind_of(const struct at_listener *l)
{
    for (size_t i = 0; i < array_len(by_preference); i++) {
        if ((l->kinds_asked >> by_preference[i] & 1) != 0) {
            return by_preference[i];
        }
    }
    return IMAGE_ROUTE_KINDS;
}

/* Is it one of the texts, which are in lower case? */
static bool is_one_of(const char *text, size_t len, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(list[i]) == len && strncasecmp(text, list[i], len) == 0) {
            return true;
        }
    }
    return false;
}

/* May requests be what clients of the port send, by what it says? */
static bool may_be_http(const json_t *port)
{
    static const char *const http[] = {
        "http", "http2", "grpc", "grpc-web", "kubernetes.io/h2c", "kubernetes.io/ws"};
    static const char *const others[] = {"https", "tls",   "tcp",   "wss",  "udp",
                                         "mongo", "mysql", "redis", "smtp", "ldap"};
    const char *protocol = text_at(port, "appProtocol");
    const char *name = text_at(port, "name");
    if (protocol[0] != '\0') {
        return is_one_of(protocol, strlen(protocol), http, array_len(http));
    }
    return !is_one_of(name, strcspn(name, "-"), others, array_len(others));
}

static bool takes(const json_t *port, enum image_route_kind kind)
{
    switch (kind) {
    case IMAGE_ROUTE_HTTP:
    case IMAGE_ROUTE_GRPC:
        return port_is_tcp(port) && may_be_http(port);
    case IMAGE_ROUTE_TCP:
        return port_is_tcp(port);
    case IMAGE_ROUTE_UDP:
        return port_is_udp(port);
    default:
        return false; /* TLSRoutes choose by hostnames */
    }
}

static bool is_same(const char *x, const char *y)
{
    return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

bool service_is_meant(const struct at_route *r, const json_t *ref, const struct at_listener *l,
                      const char *consumer)
{
    const char *section = text_at(ref, "sectionName");
    int64_t port = int_at(ref, "port");
    return is_same(l->consumer, consumer) && (section[0] == '\0' || is_same(l->name, section)) &&
           (port == 0 || l->port == port) && takes(l->spec, route_kind(r));
}

/* Attaches where its kind is the one that is served; on how many of the ports that are meant. */
static uint32_t attach_to(struct attach *a, struct at_route *r, const struct at_parent *p,
                          uint32_t *ret_meant)
{
    static const char *const any[] = {NULL};
    struct at_gateway *g = p->gateway;
    const char *consumer =
        strcmp(g->meta.namespace, r->meta.namespace) != 0 ? r->meta.namespace : NULL;
    uint32_t n = 0;
    *ret_meant = 0;
    for (uint32_t i = 0; i < g->n_listeners; i++) {
        struct at_listener *l = &g->listeners[i];
        if (!service_is_meant(r, p->ref, l, consumer)) {
            continue;
        }
        ++*ret_meant;
        if (service_kind_of(l) == route_kind(r)) {
            route_put_on_listener(a, r, l, any, 1);
            n++;
        }
    }
    return n;
}

/* It is on some port. */
static struct verdict judge_attached(struct attach *a, const struct at_route *r,
                                     const struct at_gateway *g)
{
    if (r->is_wholly_unsupported) {
        return VERDICT("False", "UnsupportedValue",
                       arena_printf(a->arena,
                                    "no rule can be carried out, requests are answered 500: %s",
                                    r->unsupported));
    }
    if (strcmp(g->meta.namespace, r->meta.namespace) == 0) {
        return VERDICT("True", "Accepted", "the route is attached, for clients of all namespaces");
    }
    return VERDICT("True", "Accepted",
                   arena_printf(a->arena, "the route is attached, for clients of namespace %s",
                                r->meta.namespace));
}

struct verdict service_judge(struct attach *a, struct at_route *r, const struct at_parent *p)
{
    const struct at_gateway *g = p->gateway;
    uint32_t n_meant;
    if (g == NULL) {
        const char *namespace = text_at(p->ref, "namespace");
        return VERDICT("False", "NoMatchingParent",
                       arena_printf(a->arena, "Service %s/%s does not exist",
                                    namespace[0] != '\0' ? namespace : r->meta.namespace,
                                    text_at(p->ref, "name")));
    }
    if (g->accepted.status[0] != 'T') {
        return g->accepted;
    }
    if (attach_to(a, r, p, &n_meant) > 0) {
        return judge_attached(a, r, g);
    }
    if (n_meant > 0) {
        return VERDICT("False", "Conflicted",
                       arena_printf(a->arena,
                                    "routes of a kind that comes before %ss have all ports of "
                                    "Service %s that are meant",
                                    route_kind_name(r), g->meta.full_name));
    }
    return VERDICT("False", "NoMatchingParent",
                   arena_printf(a->arena,
                                "Service %s has no port with the sectionName and port of the "
                                "parentRef that takes %ss (appProtocol, or the port's name)",
                                g->meta.full_name, route_kind_name(r)));
}

bool service_has_all_parents(const struct at_route *r)
{
    const json_t *refs = at_path(r->meta.obj, "spec", "parentRefs");
    bool has = json_array_size(refs) > 0;
    size_t i;
    const json_t *ref;
    json_array_foreach(refs, i, ref)
    {
        has &= service_is_parent(ref);
    }
    return has;
}
