/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners: protocol, kinds of routes, certificates, and which of one object cannot be told apart
 * (Gateway API, GatewaySpec.listeners, "Distinct Listeners"). Of those in conflict none wins; those
 * of several objects are set.c's.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"

#include <string.h>

#define DNS_PROTOCOL "sluice.internal/DNS"

/* A protocol that is not ours is refused by itself, and conflicts with nothing. */
static const struct protocol protocols[] = {
    {"HTTP", PLAN_HTTP, {"HTTPRoute", "GRPCRoute"}, 'c', true, false},
    {"HTTPS", PLAN_HTTPS, {"HTTPRoute", "GRPCRoute"}, 't', true, true},
    {"TLS", PLAN_TLS_TERMINATED, {"TLSRoute", "TCPRoute"}, 't', true, true},
    {"TCP", PLAN_TCP, {"TCPRoute"}, 'p', true, false},
    {"UDP", PLAN_UDP, {"UDPRoute"}, FAMILY_UDP, true, false},
    {DNS_PROTOCOL, PLAN_DNS, {"DNSRoute"}, FAMILY_DNS, true, false},
};
static const struct protocol passed_tls = {"TLS", PLAN_TLS, {"TLSRoute"}, 't', true, false};
static const struct protocol other_protocol = {"", PLAN_PROTOCOL_OTHER, {NULL}, 0, false, false};

const struct protocol *protocol_find(const char *name, bool is_passed)
{
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        if (strcmp(protocols[i].name, name) == 0) {
            return protocols[i].plan == PLAN_TLS_TERMINATED && is_passed ? &passed_tls
                                                                         : &protocols[i];
        }
    }
    return &other_protocol;
}

bool family_is_rival(char x, char y)
{
    if (x == y) {
        return false;
    }
    return x == FAMILY_DNS || y == FAMILY_DNS || (x == FAMILY_UDP) == (y == FAMILY_UDP);
}

const char *protocol_kind_group(const char *kind)
{
    return strcmp(kind, "DNSRoute") == 0 ? SLUICE_API_GROUP : GATEWAY_API_GROUP;
}

/* The kind of the protocol that a member of allowedRoutes.kinds names; NULL: none. */
static const char *find_kind(const struct at_listener *l, const json_t *kind)
{
    const char *const *kinds = l->protocol->kinds;
    for (uint32_t i = 0; i < PROTOCOL_KINDS_MAX && kinds[i] != NULL; i++) {
        if (strcmp(text_at(kind, "kind"), kinds[i]) == 0 &&
            strcmp(text_at(kind, "group"), protocol_kind_group(kinds[i])) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

/* May attach, from now on. */
static void allow_kind(struct at_listener *l, const char *kind)
{
    for (uint32_t i = 0; i < l->n_kinds; i++) {
        if (strcmp(l->kinds[i], kind) == 0) {
            return;
        }
    }
    l->kinds[l->n_kinds++] = kind;
}

/* The kinds that may attach: those asked for that the protocol has, or all that it has. */
static void judge_kinds(struct attach *a, struct at_listener *l)
{
    const json_t *asked = at_path(l->spec, "allowedRoutes", "kinds");
    l->kinds = ARENA_ARRAY(a->arena, const char *, PROTOCOL_KINDS_MAX);
    for (uint32_t i = 0; json_array_size(asked) == 0 && i < PROTOCOL_KINDS_MAX; i++) {
        if (l->protocol->kinds[i] != NULL) {
            allow_kind(l, l->protocol->kinds[i]);
        }
    }
    size_t i;
    const json_t *kind;
    json_array_foreach(asked, i, kind)
    {
        const char *known = find_kind(l, kind);
        if (known == NULL) {
            l->resolved =
                VERDICT("False", "InvalidRouteKinds",
                        arena_printf(a->arena,
                                     "allowedRoutes.kinds[%zu]: %s is not supported on "
                                     "a listener of protocol %s",
                                     i, text_at(kind, "kind"), text_at(l->spec, "protocol")));
        } else {
            allow_kind(l, known);
        }
    }
    if (l->n_kinds == 0 && l->protocol->kinds[0] != NULL) {
        l->fault = PLAN_LISTENER_INVALID_KINDS;
    }
}

bool listener_has_host(const struct at_listener *l, const char *hostname)
{
    return l->hostname == hostname ||
           (l->hostname != NULL && hostname != NULL && strcmp(l->hostname, hostname) == 0);
}

bool listener_is_distinct(const struct at_listener *x, const struct at_listener *y)
{
    if (x->port != y->port || x->protocol->family == 0 || y->protocol->family == 0) {
        return true;
    }
    if (x->protocol->family != y->protocol->family) {
        return !family_is_rival(x->protocol->family, y->protocol->family);
    }
    return !listener_has_host(x, y->hostname);
}

/* A conflict with another listener of the same object, if there is one. */
static void judge_conflict(struct attach *a, const struct at_listener *all, uint32_t n,
                           struct at_listener *l)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct at_listener *other = &all[i];
        if (other == l || other->is_late || listener_is_distinct(l, other)) {
            continue;
        }
        bool by_protocol = l->protocol->family != other->protocol->family;
        l->fault = by_protocol ? PLAN_LISTENER_PROTOCOL_CONFLICT : PLAN_LISTENER_HOSTNAME_CONFLICT;
        l->conflicted =
            VERDICT("True", plan_listener_fault_reason(l->fault),
                    arena_printf(a->arena, "listener %s has the same port %u and %s", other->name,
                                 (unsigned)l->port,
                                 by_protocol ? "another protocol" : "the same hostname"));
        l->accepted = VERDICT("False", l->conflicted.reason, l->conflicted.message);
        return;
    }
}

void listener_judge_conflicts(struct attach *a, struct at_listener *listeners, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!listeners[i].is_late) {
            judge_conflict(a, listeners, n, &listeners[i]);
        }
    }
}

static void judge_protocol(struct attach *a, struct at_listener *l)
{
    bool is_dns = l->protocol->plan == PLAN_DNS;
    if (is_dns && (l->hostname != NULL || json_object_get(l->spec, "tls") != NULL)) {
        l->fault = PLAN_LISTENER_UNSUPPORTED_PROTOCOL;
        l->accepted = VERDICT("False", "UnsupportedProtocol",
                              "a listener of protocol " DNS_PROTOCOL " has no hostname and no tls: "
                              "names are those of DNSRoutes, and queries are in the clear");
        return;
    }
    if (l->protocol->is_supported) {
        l->accepted = VERDICT("True", "Accepted", "the listener is valid");
        return;
    }
    l->fault = PLAN_LISTENER_UNSUPPORTED_PROTOCOL;
    l->accepted = VERDICT(
        "False", "UnsupportedProtocol",
        arena_printf(a->arena,
                     "protocol %s is not supported, HTTP, HTTPS, TLS, TCP, UDP and " DNS_PROTOCOL
                     " are",
                     text_at(l->spec, "protocol")));
}

static void read_listener(struct at_listener *l, const json_t *spec)
{
    const char *hostname = text_at(spec, "hostname");
    l->spec = spec;
    l->name = text_at(spec, "name");
    l->port = (uint16_t)int_at(spec, "port");
    bool is_passed = strcmp(text_at(json_object_get(spec, "tls"), "mode"), "Passthrough") == 0;
    l->protocol = protocol_find(text_at(spec, "protocol"), is_passed);
    l->hostname = hostname[0] != '\0' ? hostname : NULL;
}

static void judge_alone(struct attach *a, struct at_listener *l)
{
    l->resolved = VERDICT("True", "ResolvedRefs", "all references are resolved");
    l->conflicted = VERDICT("False", "NoConflicts", "no other listener is in its way");
    judge_kinds(a, l);
    judge_protocol(a, l);
    certificate_run(a, l);
    if (l->protocol->needs_identity && l->n_identities == 0 && l->fault == PLAN_LISTENER_OK) {
        l->fault = PLAN_LISTENER_INVALID_REFS;
    }
    clients_run(a, l);
    ASSERT(l->accepted.reason != NULL);
}

struct at_listener *listener_read_all(struct attach *a, const json_t *specs, struct at_gateway *g,
                                      const struct at_set *set, uint32_t *ret_n)
{
    uint32_t n = (uint32_t)json_array_size(specs);
    struct at_listener *listeners = ARENA_ARRAY(a->arena, struct at_listener, n);
    for (uint32_t i = 0; i < n; i++) {
        listeners[i].gateway = g;
        listeners[i].set = set;
        read_listener(&listeners[i], json_array_get(specs, i));
        judge_alone(a, &listeners[i]);
    }
    *ret_n = n;
    return listeners;
}

bool listener_is_served(const struct at_listener *l)
{
    const struct at_gateway *g = l->gateway;
    return g->accepted.status[0] == 'T' && l->fault == PLAN_LISTENER_OK && g->n_addresses > 0;
}

const struct at_meta *listener_owner(const struct at_listener *l)
{
    return l->set != NULL ? &l->set->meta : &l->gateway->meta;
}

const char *listener_owner_kind(const struct at_listener *l)
{
    return l->set != NULL ? "ListenerSet" : "Gateway";
}

bool namespace_is_allowed(struct attach *a, const json_t *rules, const char *own,
                          const char *namespace)
{
    const char *from = text_at(rules, "from");
    if (strcmp(from, "All") == 0) {
        return true;
    }
    if (strcmp(from, "Selector") != 0) {
        return strcmp(from, "Same") == 0 && strcmp(namespace, own) == 0;
    }
    const json_t *object = find_object(a, MODEL_NAMESPACE, NULL, namespace);
    const json_t *labels = at_path(object, "metadata", "labels");
    json_t *own_labels = NULL;
    if (labels == NULL) {
        /* Every namespace has this label by itself, also one of which no object was sent. */
        own_labels = json_pack("{s:s}", "kubernetes.io/metadata.name", namespace);
        labels = own_labels;
    }
    bool matches = selector_selects(json_object_get(rules, "selector"), labels);
    json_decref(own_labels);
    return matches;
}

bool listener_allows(struct attach *a, const struct at_listener *l, const char *kind,
                     const char *namespace)
{
    bool has_kind = false;
    for (uint32_t i = 0; i < l->n_kinds; i++) {
        has_kind |= strcmp(l->kinds[i], kind) == 0;
    }
    return has_kind && namespace_is_allowed(a, at_path(l->spec, "allowedRoutes", "namespaces"),
                                            listener_owner(l)->namespace, namespace);
}
