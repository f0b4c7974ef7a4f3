/* SPDX-License-Identifier: Apache-2.0 */
/* backendRefs: which Service port each means, or what is wrong with it (HTTPBackendRef). */
#include "attach/attach_priv.h"

#include <string.h>
#include <strings.h>

/* The Service's port with this number, of the route's protocol; NULL: none. */
static const json_t *find_port(const struct at_route *r, const json_t *service, int64_t number)
{
    size_t i;
    const json_t *port;
    json_array_foreach(at_path(service, "spec", "ports"), i, port)
    {
        if (int_at(port, "port") == number &&
            (route_kind(r) == IMAGE_ROUTE_UDP ? port_is_udp(port) : port_is_tcp(port))) {
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
        [IMAGE_ROUTE_TCP] = PLAN_CARRIED_TCP, [IMAGE_ROUTE_UDP] = PLAN_CARRIED_UDP};
    return carried[route_kind(r)];
}

/* HTTP/1.1, or a WebSocket over it, by TLS: whom to expect there a policy has to say. */
static bool wants_tls(const json_t *port)
{
    const char *protocol = text_at(port, "appProtocol");
    return strcasecmp(protocol, "https") == 0 || strcmp(protocol, "kubernetes.io/wss") == 0;
}

/* Is it a Service (or nothing that we know), and may the route refer to it? */
static enum plan_backend_fault judge_ref(struct attach *a, const struct at_route *r,
                                         const json_t *ref, const char *namespace,
                                         const char **ret_why)
{
    if (text_at(ref, "group")[0] != '\0' || strcmp(text_at(ref, "kind"), "Service") != 0) {
        *ret_why = arena_printf(a->arena, "kind %s of group \"%s\" is not supported, Service is",
                                text_at(ref, "kind"), text_at(ref, "group"));
        return PLAN_BACKEND_INVALID_KIND;
    }
    if (strcmp(namespace, r->meta.namespace) != 0 &&
        !grant_allows(a, route_kind_name(r), r->meta.namespace, "", "Service", namespace,
                      text_at(ref, "name"))) {
        *ret_why =
            arena_printf(a->arena, "no ReferenceGrant in %s lets %ss of %s use Service %s",
                         namespace, route_kind_name(r), r->meta.namespace, text_at(ref, "name"));
        return PLAN_BACKEND_NOT_PERMITTED;
    }
    return PLAN_BACKEND_OK;
}

/* The Service and its port; a fault if one is not there or not usable. */
static enum plan_backend_fault judge_service(struct attach *a, const struct at_route *r,
                                             const json_t *ref, const char *namespace,
                                             const json_t *service, const json_t *port,
                                             enum image_backend_protocol *ret_protocol,
                                             const char **ret_why)
{
    const char *name = text_at(ref, "name");
    if (service == NULL) {
        *ret_why = arena_printf(a->arena, "Service %s/%s does not exist", namespace, name);
        return PLAN_BACKEND_NOT_FOUND;
    }
    if (strcmp(text_at(json_object_get(service, "spec"), "type"), "ExternalName") == 0) {
        *ret_why = arena_printf(a->arena, "Service %s/%s is an ExternalName, which is not served",
                                namespace, name);
        return PLAN_BACKEND_INVALID_KIND;
    }
    if (port == NULL) {
        *ret_why = arena_printf(a->arena, "Service %s/%s has no %s port %lld", namespace, name,
                                route_kind(r) == IMAGE_ROUTE_UDP ? "UDP" : "TCP",
                                (long long)int_at(ref, "port"));
        return PLAN_BACKEND_NOT_FOUND;
    }
    bool is_secured = policy_of_service(a, &a->tls_policies, namespace, name, port) != NULL;
    if (!protocol_of(r, port, ret_protocol) && !(is_secured && wants_tls(port))) {
        *ret_why =
            arena_printf(a->arena, "appProtocol %s of Service %s/%s is not supported by %ss%s",
                         text_at(port, "appProtocol"), namespace, name, route_kind_name(r),
                         wants_tls(port) ? " without a BackendTLSPolicy" : "");
        return PLAN_BACKEND_PROTOCOL;
    }
    return PLAN_BACKEND_OK;
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
    const json_t *service = find_object(a, MODEL_SERVICE, namespace, text_at(ref, "name"));
    const json_t *port = find_port(r, service, int_at(ref, "port"));
    enum image_backend_protocol protocol = IMAGE_BACKEND_HTTP1;
    b.fault = judge_service(a, r, ref, namespace, service, port, &protocol, ret_why);
    if (b.fault == PLAN_BACKEND_OK) {
        struct at_group *group = group_of(a, namespace, service, port, carried_of(r), protocol);
        b.group = group->index;
        group_use(a, r, group);
    }
    return b;
}
