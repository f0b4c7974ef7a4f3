/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the appliance has to do, as attach found it: the Gateway API's semantics are already
 * applied, nobody who reads a plan has to look at a spec again. compile turns it into the route
 * image, publish sends the groups' endpoints, explain walks it.
 *
 * Everything is borrowed from the one arena of struct attach and dies with it. Read-only. Indices
 * refer to the arrays of struct plan. The order of every array depends on the objects alone, so the
 * same objects give the same plan.
 *
 * Thread: mgmtd's. Bound: by the objects that it is made of (the model bounds each of them).
 */
#pragma once

#include "abi/endpoints.h"
#include "abi/image_format.h"
#include "base/ip_addr.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define PLAN_NONE UINT32_MAX /* an index that refers to nothing */

enum plan_protocol {
    PLAN_HTTP,
    PLAN_HTTPS,
    PLAN_TLS,            /* passed through */
    PLAN_TLS_TERMINATED, /* what is in it is passed on */
    PLAN_TCP,
    PLAN_UDP,
    PLAN_DNS,            /* of TCP and UDP, by the names in queries */
    PLAN_PROTOCOL_OTHER, /* an implementation's own, not ours: never served */
};

/* ------------------------------------------------------------------ network */

struct plan_prefix {
    struct ip_addr addr;
    uint8_t length; /* 0..32 for IPv4, 0..128 for IPv6: of its own family */
};

/* An Interface object: what a port answers to at layers 2 and 3. */
struct plan_interface {
    const char *name; /* of the object */
    const char *port; /* the dataplane's name of the port, "port0" */
    uint16_t vlan;    /* 0: untagged */
    uint16_t mtu;
    uint32_t n_addresses;
    const struct plan_prefix *addresses; /* the appliance's own, with their on-link prefixes */
    uint8_t virtual_router;              /* VRRP: whose master has the VIPs on it; 0: none */
    struct ip_addr drained; /* the box on its link that a Drain is of, maybe ours; zero: none */
};

/* A way beyond the on-link prefixes: of a StaticRoute, of a Node to its pods, or what a BgpPeer
 * told. Of several to one destination the first is used while its gateway answers, and with it
 * those that share with it. */
struct plan_egress {
    const char *kind; /* of the object */
    const char *name;
    struct plan_prefix destination;
    struct ip_addr gateway; /* zero: on-link */
    uint32_t interface;     /* index, or PLAN_NONE: the one whose prefix holds the gateway */
    bool is_shared;         /* it and the one before it, of the same object, carry a part each */
    bool is_to_pods;        /* the daemons of the exception path do not need it */
};

/* An address on which at least one Gateway or Service listens, besides the interfaces' own: the
 * dataplane answers ARP and ND for it. Each is here once, however many Gateways share it. */
struct plan_address {
    struct ip_addr addr;
    uint32_t interface; /* index, or PLAN_NONE: the one whose prefix holds it */
    bool is_service; /* where none does, it comes by a route alone: neighbours hear nothing of it */
};

/* ------------------------------------------------------------------ backends */

/* A HealthPolicy. */
struct plan_health {
    const char *name;            /* "namespace/name" */
    struct image_health numbers; /* all of it but group and strings */
    const char *host;            /* NULL: the address, or the check has none */
    const char *path;            /* NULL but with HTTP */
    const char *service;         /* NULL but with GRPC */
};

struct plan_san {
    const char *text;
    bool is_uri;
};

/* CA certificates, PEM, that somebody is verified by. */
struct plan_bundle {
    const char *name; /* "namespace/name" of each ConfigMap, with commas between; "System" */
    struct keys_id id;
    struct slice pem;
};

/* How a backend's connections are secured (BackendTLSPolicy). */
struct plan_backend_tls {
    const char *name;     /* "namespace/name" of the policy */
    uint64_t id[2];       /* a digest of all that follows */
    const char *hostname; /* that is asked for */
    uint32_t n_sans;      /* at least one: `hostname`, if the policy says nothing else */
    const struct plan_san *sans;
    struct plan_bundle bundle; /* with an empty `pem`: it has none that is valid, and so nobody may
                                  connect */
};

/* What a group's endpoints get. */
enum plan_carried {
    PLAN_CARRIED_REQUESTS, /* of HTTPRoutes and GRPCRoutes, and what TLSRoutes pass on */
    PLAN_CARRIED_TCP,      /* what TCPRoutes pass on: connections, or their packets */
    PLAN_CARRIED_UDP,      /* the datagrams of UDPRoutes */
    PLAN_CARRIED_DNS,      /* the queries of DNSRoutes, by UDP and by TCP, at a port of UDP */
};

/* One port of a Service, by one protocol, with its endpoints now. In the order of first use by the
 * routes. */
struct plan_group {
    const char
        *name; /* "namespace/service:port", and behind it "/h2" with HTTP2, "/tcp", "/udp" and
                         "/dns" where that is carried: the key of the group's number */
    enum plan_carried carried;
    enum image_backend_protocol protocol;
    uint32_t n_endpoints;
    const struct endpoint *endpoints; /* as for abi/endpoints.h; sorted; none: 503 */
    enum image_congestion congestion;
    enum image_balancing balancing;
    enum image_hash_key hash_key;     /* MAGLEV; else NONE */
    const char *hash_name;            /* HEADER: lower case; COOKIE; else NULL */
    const struct plan_health *health; /* NULL: none */
    enum image_proxy_header proxy_header;
    enum image_forwarding forwarding;   /* PROXY with a header or TLS, and of requests */
    uint32_t idle_ms;                   /* of TCP and UDP; 0: as usual, and of requests */
    const struct plan_backend_tls *tls; /* NULL: in the clear */
};

#define PLAN_BACKEND_FAULT_LIST(X)                                                                 \
    X(OK, "")                                                                                      \
    X(INVALID_KIND, "InvalidKind")                                                                 \
    X(NOT_FOUND, "BackendNotFound")                                                                \
    X(NOT_PERMITTED, "RefNotPermitted")                                                            \
    X(PROTOCOL, "UnsupportedProtocol")                                                             \
    X(UNSUPPORTED_FILTER, "UnsupportedValue")

enum plan_backend_fault {
#define X(name, reason) PLAN_BACKEND_##name,
    PLAN_BACKEND_FAULT_LIST(X)
#undef X
};

struct plan_filter;

/* A backendRef. One with a fault keeps its weight: its share of the requests is answered 500. */
struct plan_backend {
    uint32_t weight; /* 0: gets nothing */
    enum plan_backend_fault fault;
    uint32_t group; /* index into groups; PLAN_NONE with a fault */
    uint32_t n_filters;
    const struct plan_filter *filters; /* header modifiers, after the rule's */
};

/* ------------------------------------------------------------------ rules */

enum plan_string_match {
    PLAN_MATCH_EXACT,
    PLAN_MATCH_PREFIX, /* paths only; by whole segments: "/a" takes /a and /a/b, not /ab */
    PLAN_MATCH_REGEX,
};

struct plan_pair {
    const char *name; /* a header's in lower case */
    const char *value;
    enum plan_string_match type;
};

/* All given conditions must hold. A name occurs once in headers and once in queries. Of a GRPCRoute
 * the path is "/service/method", and `method` the one that is called; of a DNSRoute a name from its
 * last label, and `method` the type that is asked for, as dns/dns.h has them. */
struct plan_match {
    uint32_t index; /* in the rule's matches; those that cannot be told are not here */
    enum plan_string_match path_type;
    const char *path;   /* "/" with PREFIX: any; other prefixes do not end in '/' */
    const char *method; /* NULL: any */
    uint32_t n_headers;
    uint32_t n_queries;
    const struct plan_pair *headers;
    const struct plan_pair *queries;
};

struct plan_header_mod {
    uint32_t n_set;
    uint32_t n_add;
    uint32_t n_remove;
    const struct plan_pair *set; /* names as written, for they go onto the wire */
    const struct plan_pair *add;
    const char *const *remove;
};

enum plan_path_mod {
    PLAN_PATH_KEEP,
    PLAN_PATH_FULL,   /* the whole path becomes `path` */
    PLAN_PATH_PREFIX, /* the matched prefix becomes `path` */
};

struct plan_redirect {
    const char *scheme;   /* NULL: the request's */
    const char *hostname; /* NULL: the request's */
    enum plan_path_mod path_mod;
    const char *path;
    uint16_t port;   /* 0: the scheme's well-known one if a scheme is given, else the listener's */
    uint16_t status; /* 301, 302, 303, 307, 308 */
};

struct plan_rewrite {
    const char *hostname; /* NULL: keep */
    enum plan_path_mod path_mod;
    const char *path;
};

struct plan_cors {
    uint32_t n_origins;
    const char *const *origins; /* as written; "*" alone: all */
    bool has_credentials;
    const char *methods; /* as the fields tell them: "GET, PUT", or "*"; "": none */
    const char *headers;
    const char *exposed;
    uint32_t max_age_s;
};

/* One whose backendRef has a fault is not here: it is left out, and the status says so. */
struct plan_mirror {
    uint32_t group; /* index into groups */
    uint32_t numerator;
    uint32_t denominator; /* not 0 */
};

/* A RateLimit. One that is not there is not here: its rule has a fault. */
struct plan_limit {
    const char *name; /* "namespace/name" */
    enum image_limit_key key;
    const char *header;  /* HEADER: lower case; else NULL */
    uint8_t prefix4_len; /* CLIENT; else 0 */
    uint8_t prefix6_len;
    uint32_t requests;
    uint32_t burst;
    uint32_t period_ms;
};

struct plan_user {
    const char *name;
    const char *hash; /* never shown to anybody */
};

/* Who may ask with a name and password. */
struct plan_basic {
    uint64_t id[2]; /* a digest of the policy's name and of all users */
    const char *realm;
    bool hides_authorization;
    uint32_t n_users;
    const struct plan_user *users; /* by name, each once */
};

struct plan_jwt_key {
    const char *kid; /* NULL: it has none */
    struct slice spki;
    uint32_t algs; /* of enum image_jwt_alg */
};

/* Who may ask with a token. */
struct plan_jwt {
    uint64_t id[2]; /* a digest of the policy's name and of all that follows */
    const char *realm;
    const char *issuer;
    bool hides_authorization;
    uint32_t n_audiences; /* 0: whoever a token is for */
    uint32_t n_keys;
    const char **audiences;
    const struct plan_jwt_key *keys; /* as the set has them */
};

/* An AccessPolicy, shared by all rules that name it and all Gateways and listeners that it stands
 * before; or a SourceList. One that is not there is not here, either. */
struct plan_access {
    const char *name;   /* "namespace/name"; of a SourceList "name" */
    uint32_t n_allowed; /* 0: all that are not denied */
    uint32_t n_denied;
    const struct image_range *allowed; /* of client addresses, as written */
    const struct image_range *denied;
    const struct plan_basic *basic; /* NULL: nobody is asked for a password */
    const struct plan_jwt *jwt;     /* NULL: nobody is asked for a token */
};

/* How many connections and flows may be open at once (AccessPolicy). */
struct plan_conn_limit {
    const char *name;          /* "namespace/name" */
    uint32_t conns_max;        /* at a listener's port; 0: any number */
    uint32_t client_conns_max; /* of a client, at all listeners of the policy; likewise */
};

enum plan_filter_type {
    PLAN_FILTER_REQUEST_HEADERS,
    PLAN_FILTER_RESPONSE_HEADERS,
    PLAN_FILTER_REDIRECT,
    PLAN_FILTER_REWRITE,
    PLAN_FILTER_CORS,
    PLAN_FILTER_MIRROR, /* there may be several */
    PLAN_FILTER_LIMIT,  /* likewise */
    PLAN_FILTER_ACCESS, /* likewise */
};

struct plan_filter {
    enum plan_filter_type type;
    union {
        struct plan_header_mod headers;
        struct plan_redirect redirect;
        struct plan_rewrite rewrite;
        struct plan_cors cors;
        struct plan_mirror mirror;
        struct plan_limit limit;
        const struct plan_access *access;
    };
};

struct plan_retry {
    uint32_t attempts; /* after the first */
    uint32_t backoff_ms;
    uint32_t n_codes;
    const uint16_t *codes;
};

/* Requests of a session go where its first one went. */
struct plan_persistence {
    enum image_session_kind kind;
    const char *name;    /* the rule's own if the object gives none */
    uint32_t lifetime_s; /* 0: no end */
    bool is_permanent;   /* a cookie that outlives the browser */
};

/* What a rule answers instead of going to its backends. */
enum plan_rule_fault {
    PLAN_RULE_OK,
    PLAN_RULE_UNSUPPORTED, /* has something that this release cannot do: 500, never skipped */
    PLAN_RULE_UNRESOLVED,  /* a filter of its own leads nowhere: 500, never skipped */
};

struct plan_rule {
    uint32_t index;   /* in spec.rules: the order that breaks ties within a route */
    const char *name; /* NULL: none */
    enum plan_rule_fault fault;
    uint32_t n_matches; /* at least 1 */
    uint32_t n_filters;
    uint32_t n_backends; /* 0 without a redirect: 500 */
    const struct plan_match *matches;
    const struct plan_filter *filters;
    const struct plan_backend *backends;
    uint32_t request_timeout_ms;                /* 0: none */
    uint32_t backend_request_timeout_ms;        /* 0: none */
    const struct plan_retry *retry;             /* NULL: none */
    const struct plan_persistence *persistence; /* NULL: none */
};

/* A route that at least one listener serves. The routes are sorted by the specification's
 * precedence: the older first, then by "namespace/name". So of two equal matches the one of the
 * route with the lower index wins, then the rule with the lower index, then the match. Rules that
 * must not serve at all (spec: dropped) are not here, so indices may have gaps. */
struct plan_route {
    enum image_route_kind kind;
    const char *namespace;
    const char *name;
    const char *uid;
    const char *created; /* RFC 3339, UTC */
    int64_t generation;
    uint32_t n_rules;
    const struct plan_rule *rules;
};

/* ------------------------------------------------------------------ listeners */

/* A route on a listener. The hostnames are those of the route that have a host in common with the
 * listener's, lower case, sorted, each once: "www.example.com", "*.example.com", or NULL = any
 * (then it is alone). They may be wider than the listener's: a request has to fit both. */
struct plan_attachment {
    uint32_t route; /* index */
    uint32_t n_hostnames;
    const char *const *hostnames;
};

#define PLAN_LISTENER_FAULT_LIST(X)                                                                \
    X(OK, "")                                                                                      \
    X(UNSUPPORTED_PROTOCOL, "UnsupportedProtocol")                                                 \
    X(PROTOCOL_CONFLICT, "ProtocolConflict")                                                       \
    X(HOSTNAME_CONFLICT, "HostnameConflict")                                                       \
    X(INVALID_REFS, "InvalidCertificateRef")                                                       \
    X(NO_CA, "NoValidCACertificate")                                                               \
    X(PORT_UNAVAILABLE, "PortUnavailable")                                                         \
    X(TOO_MANY, "TooManyListeners")                                                                \
    X(INVALID_KINDS, "InvalidRouteKinds")

/* Why a listener is not served; the names are the reasons that its status shows. */
enum plan_listener_fault {
#define X(name, reason) PLAN_LISTENER_##name,
    PLAN_LISTENER_FAULT_LIST(X)
#undef X
};

/* A certificate with its key, both PEM: the certificate chain leaf first. */
struct plan_identity {
    const char *name; /* "namespace/name" of the Secret */
    struct keys_id id;
    struct slice certificate;
    struct slice key; /* secret: for the segment of keys, and nowhere else */
};

/* Clients are asked for a certificate. */
struct plan_clients {
    enum image_client_auth auth; /* not NONE */
    struct plan_bundle bundle;
};

/* Connections have to begin with a PROXY header. */
struct plan_proxied {
    uint32_t n_trusted;
    const struct plan_prefix *trusted; /* from where they may come; none: from anywhere */
};

/* A ListenerSet that a Gateway of ours lets in. Sorted as Gateways are. */
struct plan_set {
    const char *namespace;
    const char *name;
    const char *uid;
    int64_t generation;
};

struct plan_listener {
    uint32_t gateway; /* index */
    const char *name; /* it is told apart by it within the Gateway or ListenerSet where it stands */
    uint16_t port;
    enum plan_protocol protocol;
    const char *hostname; /* lower case; "*.example.com" is a wildcard; NULL: any */
    enum plan_listener_fault fault;
    bool is_served; /* false: compile leaves it out (a fault, or its Gateway has no address) */
    uint32_t n_attachments;
    const struct plan_attachment *attachments; /* in the order of the routes */
    /* Of each of its Gateway's addresses. Listeners that share address and port have the same. */
    const enum image_congestion *congestions;
    const struct plan_proxied *const *proxied; /* likewise; NULL: no PROXY header is read */
    uint32_t n_identities;                     /* HTTPS that is served: at least one */
    const struct plan_identity *identities;
    const struct plan_clients *clients; /* NULL: nobody has to say who he is */
    uint32_t n_gates;                   /* lists of which each has to let a client in */
    const struct plan_access *const *gates;
    const struct plan_conn_limit *limit; /* NULL: any number of connections */
    const struct plan_set *set;          /* where it stands; NULL: its Gateway's own */
    const char *consumer; /* of a Service: clients of this namespace alone come here, and to none of
                             the others of its port; one of `client_sets`. NULL: all others do */
};

/*
 * A Gateway of one of our classes, sorted by age, then namespace and name; or behind these, sorted
 * likewise, a Service that routes are attached to. Its addresses are its clusterIPs, and each of
 * its ports a listener: one for all clients, first, then one for each namespace with routes of its
 * own.
 */
struct plan_gateway {
    const char *namespace;
    const char *name;
    const char *uid;
    int64_t generation;
    uint32_t n_addresses;
    const struct ip_addr *addresses;      /* sorted */
    const struct plan_identity *identity; /* that backends are shown who ask; NULL: none */
    uint32_t n_gates;                     /* lists before its addresses */
    const struct plan_access *const *gates;
    bool is_service;
};

/* Where a client of a namespace is that has routes of its own to Services of others. */
struct plan_client {
    struct ip_addr addr;
    uint32_t set; /* index of the namespace */
};

struct plan {
    uint32_t n_gateways;
    uint32_t n_sets;
    uint32_t n_listeners;
    uint32_t n_routes;
    uint32_t n_groups;
    uint32_t n_interfaces;
    uint32_t n_egress;
    uint32_t n_addresses;
    uint32_t n_client_sets;
    uint32_t n_clients;
    const struct plan_gateway *gateways;
    const struct plan_set *sets;
    const struct plan_listener *listeners; /* by Gateway, its own first, then by ListenerSet; as in
                                              the spec */
    const struct plan_route *routes;
    const struct plan_group *groups;
    const struct plan_interface *interfaces; /* by name */
    const struct plan_egress *egress;        /* StaticRoutes by name, Nodes by name, peers */
    const struct plan_address *addresses;    /* by address */
    const char *const *client_sets;          /* namespaces, sorted */
    const struct plan_client *clients;       /* by address, each once */
};
