/* SPDX-License-Identifier: Apache-2.0 */
/* backendRefs: which port of a Service or Backend each means, or what is wrong with it
 * (HTTPBackendRef). */
#include "attach/attach_priv.h"

#include <string.h>
#include <strings.h>

/* The Service's port with this number, of the route's protocol; NULL: none. A Backend has one a
 * protocol. */
static const json_t *find_port(const struct at_route *r, const struct at_referent *to,
                               int64_t number)
{
    size_t i;
    const json_t *port;
    json_array_foreach(at_path(to->service, "spec", "ports"), i, port)
    {
        if ((to->is_backend || int_at(port, "port") == number) &&
            (route_is_by_udp(r) ? port_is_udp(port) : port_is_tcp(port))) {
            return port;
        }
    }
    return NULL;
}

/* What the route speaks to the port's backends; false: what the port says is not for such a route,
 * or something that we do not speak. A GRPCRoute implies HTTP/2; what is passed on we do not speak.
 * WebSocket is not refused to those who do not say so either: a backend that does not speak it will
 * not agree. */
static bool protocol_of(const struct at_route *r, const json_t *port,
                        enum image_backend_protocol *ret)
{
    const char *protocol = text_at(port, "appProtocol");
    *ret = IMAGE_BACKEND_HTTP1;
    if (!route_is_of_requests(r)) {
        return true;
    }
    if (strcmp(protocol, "kubernetes.io/h2c") == 0) {
        *ret = IMAGE_BACKEND_HTTP2;
        return true;
    }
    if (route_kind(r) == IMAGE_ROUTE_GRPC) {
        *ret = IMAGE_BACKEND_HTTP2;
        return protocol[0] == '\0' || strcasecmp(protocol, "grpc") == 0;
    }
    return protocol[0] == '\0' || strcasecmp(protocol, "http") == 0 ||
           strcmp(protocol, "kubernetes.io/ws") == 0;
}

/* What the route has the port's endpoints get. */
static enum plan_carried carried_of(const struct at_route *r)
{
    static const enum plan_carried carried[IMAGE_ROUTE_KINDS] = {
        [IMAGE_ROUTE_TCP] = PLAN_CARRIED_TCP,
        [IMAGE_ROUTE_UDP] = PLAN_CARRIED_UDP,
        [IMAGE_ROUTE_DNS] = PLAN_CARRIED_DNS};
    return carried[route_kind(r)];
}

/* HTTP/1.1, or a WebSocket over it, by TLS: whom to expect there a policy has to say. */
static bool wants_tls(const json_t *port)
{
    const char *protocol = text_at(port, "appProtocol");
    return strcasecmp(protocol, "https") == 0 || strcmp(protocol, "kubernetes.io/wss") == 0;
}

/* Is it a Service or Backend (or nothing that we know), and may the route refer to it? */
static enum plan_backend_fault judge_ref(struct attach *a, const struct at_route *r,
                                         const json_t *ref, const char *namespace,
                                         const char **ret_why)
{
    const char *kind = text_at(ref, "kind");
    if (!referent_is_known(ref)) {
        *ret_why = arena_printf(a->arena,
                                "kind %s of group \"%s\" is not supported, Service is, and Backend "
                                "of group " SLUICE_API_GROUP,
                                kind, text_at(ref, "group"));
        return PLAN_BACKEND_INVALID_KIND;
    }
    if (strcmp(namespace, r->meta.namespace) != 0 && !service_has_all_parents(r) &&
        !grant_allows(a, route_group(r), route_kind_name(r), r->meta.namespace,
                      text_at(ref, "group"), kind, namespace, text_at(ref, "name"))) {
        *ret_why =
            arena_printf(a->arena, "no ReferenceGrant in %s lets %ss of %s use %s %s", namespace,
                         route_kind_name(r), r->meta.namespace, kind, text_at(ref, "name"));
        return PLAN_BACKEND_NOT_PERMITTED;
    }
    return PLAN_BACKEND_OK;
}

/* Does the port's protocol suit the route? */
static enum plan_backend_fault judge_protocol(struct attach *a, const struct at_route *r,
                                              const struct at_referent *to, const json_t *port,
                                              enum image_backend_protocol *ret_protocol,
                                              const char **ret_why)
{
    const char *help = to->is_backend ? " without its spec.tls" : " without a BackendTLSPolicy";
    bool is_secured = to->is_backend ? to->backend->has_tls
                                     : policy_of_port(a, &a->tls_policies, to, port) != NULL;
    if (!protocol_of(r, port, ret_protocol) && !(is_secured && wants_tls(port))) {
        *ret_why = arena_printf(a->arena, "appProtocol %s of %s is not supported by %ss%s",
                                text_at(port, "appProtocol"), referent_words(a, to),
                                route_kind_name(r), wants_tls(port) ? help : "");
        return PLAN_BACKEND_PROTOCOL;
    }
    return PLAN_BACKEND_OK;
}

/* Is its cluster reached by Nodes, which have no port for it? */
static const struct at_cluster *lacks_node_port(const struct attach *a, const char *namespace,
                                                const json_t *port)
{
    const struct at_cluster *cluster = cluster_of(a, namespace);
    bool is_by_node = cluster != NULL && cluster->is_by_node;
    return is_by_node && int_at(port, "nodePort") == 0 ? cluster : NULL;
}

/* The Service and its port; a fault if one is not there or not usable. */
static enum plan_backend_fault judge_service(struct attach *a, const struct at_route *r,
                                             const struct at_referent *to, const json_t *port,
                                             int64_t number, const char **ret_why)
{
    if (strcmp(text_at(json_object_get(to->service, "spec"), "type"), "ExternalName") == 0) {
        *ret_why = arena_printf(a->arena, "%s is an ExternalName, which is not served",
                                referent_words(a, to));
        return PLAN_BACKEND_INVALID_KIND;
    }
    if (port == NULL) {
        *ret_why = arena_printf(a->arena, "%s has no %s port %lld", referent_words(a, to),
                                route_is_by_udp(r) ? "UDP" : "TCP", (long long)number);
        return PLAN_BACKEND_NOT_FOUND;
    }
    const struct at_cluster *cluster = lacks_node_port(a, to->namespace, port);
    if (cluster != NULL) {
        *ret_why =
            arena_printf(a->arena,
                         "port %lld of %s has no nodePort, and ClusterNetwork %s says "
                         "endpoints: Node; a Service of type NodePort or LoadBalancer has one",
                         (long long)number, referent_words(a, to), cluster->name);
        return PLAN_BACKEND_NOT_FOUND;
    }
    return PLAN_BACKEND_OK;
}

/* The same of a Backend, whose port need not be given. */
static enum plan_backend_fault judge_backend(struct attach *a, const struct at_route *r,
                                             const struct at_referent *to, const json_t *port,
                                             int64_t number, const char **ret_why)
{
    if (port == NULL) {
        *ret_why = arena_printf(a->arena, "%s is not for %s (spec.protocols)",
                                referent_words(a, to), route_is_by_udp(r) ? "UDP" : "TCP");
        return PLAN_BACKEND_PROTOCOL;
    }
    if (number != 0 && !backend_has_port(to->backend, number)) {
        *ret_why = arena_printf(a->arena,
                                "%s is not at port %lld with all that it has; port can be left out",
                                referent_words(a, to), (long long)number);
        return PLAN_BACKEND_NOT_FOUND;
    }
    return PLAN_BACKEND_OK;
}

/* What the reference leads to, and its port; a fault if one is not there or not usable. */
static enum plan_backend_fault judge_referent(struct attach *a, const struct at_route *r,
                                              const struct at_referent *to, const json_t *port,
                                              int64_t number, const char **ret_why)
{
    if (to->service == NULL) {
        *ret_why = arena_printf(a->arena, "%s does not exist", referent_words(a, to));
        return PLAN_BACKEND_NOT_FOUND;
    }
    return to->is_backend ? judge_backend(a, r, to, port, number, ret_why)
                          : judge_service(a, r, to, port, number, ret_why);
}

struct plan_backend backend_run(struct attach *a, struct at_route *r, const json_t *ref,
                                const char **ret_why)
{
    const json_t *weight = json_object_get(ref, "weight");
    struct plan_backend b = {
        .weight = weight != NULL ? (uint32_t)json_integer_value(weight) : 1,
        .group = PLAN_NONE,
    };
    const char *namespace = text_at(ref, "namespace");
    namespace = namespace[0] != '\0' ? namespace : r->meta.namespace;
    b.fault = judge_ref(a, r, ref, namespace, ret_why);
    if (b.fault != PLAN_BACKEND_OK) {
        return b;
    }
    const struct at_referent to = referent_find(a, ref, namespace);
    const json_t *port = find_port(r, &to, int_at(ref, "port"));
    enum image_backend_protocol protocol = IMAGE_BACKEND_HTTP1;
    b.fault = judge_referent(a, r, &to, port, int_at(ref, "port"), ret_why);
    if (b.fault == PLAN_BACKEND_OK) {
        b.fault = judge_protocol(a, r, &to, port, &protocol, ret_why);
    }
    if (b.fault == PLAN_BACKEND_OK) {
        struct at_group *group = group_of(a, &to, port, carried_of(r), protocol);
        b.group = group->index;
        group_use(a, r, group);
    }
    return b;
}
