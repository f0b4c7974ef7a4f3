/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of one attach_run(): what was found out about each object, first for the plan, then for
 * the statuses. Private to attach. All memory is the arena's; the objects themselves are held by
 * reference, so texts may point into them.
 */
#pragma once

#include "attach/attach.h"
#include "model/arena.h"
#include "model/at.h"
#include "model/condition.h"
#include "model/types.h"

#define GATEWAY_API_GROUP "gateway.networking.k8s.io"
#define SLUICE_API_GROUP "sluice.internal"

/* The names that every object has. */
struct at_meta {
    const json_t *obj;
    const char *namespace; /* "" if cluster-scoped */
    const char *name;
    const char *uid;
    const char *created;
    const char *full_name; /* "namespace/name": the specification's tie-break */
    int64_t generation;
};

/* One of the lists that stand before something, and the others, in no order that matters. */
struct at_list {
    const struct plan_access *access;
    struct at_list *next;
};

struct at_class {
    struct at_meta meta;
    struct verdict accepted;
    bool in_use;           /* by a Gateway */
    struct at_list *lists; /* SourceLists, before all its Gateways */
};

/* Whom connections to a backend have to meet there. */
struct at_secured {
    struct plan_backend_tls tls;
    struct verdict unmet;    /* why nobody may connect; reason NULL: somebody may */
    struct verdict resolved; /* its references */
};

/*
 * A Backend. To all that only asks for ports and policies it looks like a Service: `as_service` has
 * one port for each of its protocols, without name and number. Its endpoints are its own, or what
 * DNS says now.
 */
struct at_backend {
    struct at_meta meta;
    const char *key; /* of its groups */
    const json_t *as_service;
    const char *dns_name; /* lower case; NULL: its endpoints are fixed */
    bool has_tls;
    struct at_secured secured; /* with has_tls */
    enum resolve_state state;  /* of all families together, as the next three */
    enum resolve_fault fault;  /* why DNS has no newer answer; NONE: it has */
    uint32_t n_unfit;          /* addresses that were left out */
    bool is_remembered;        /* some endpoints are those of its status, for DNS is silent yet */
    uint32_t n_endpoints;
    struct endpoint *endpoints; /* sorted, each once */
};

/* What a backendRef or a targetRef leads to. */
struct at_referent {
    bool is_backend; /* of our own kind; else a Service */
    const char *namespace;
    const char *name;
    const json_t *service;            /* what it is, or looks like; NULL: it is not there */
    const struct at_backend *backend; /* NULL: it is none, or not there */
};

/* A targetRef of a policy. */
struct at_policy_target {
    const struct at_policy *policy;
    bool is_backend; /* a Backend; else a Service, or a Gateway */
    const char *name;
    const char *section; /* listener or port; NULL: the whole target */
    const json_t *ref;
    bool is_attached;  /* it has its place, besides what other policies have */
    bool is_in_effect; /* somewhere at least */
    bool is_unfit;     /* somewhere it asks for what cannot be */
    const char *lost;  /* the first place where another policy decides, in words; NULL: nowhere */
    uint32_t n_lost;   /* how many such places */
    struct verdict accepted; /* reason NULL: a target of others, of which we say nothing */
};

struct at_policy {
    struct at_meta meta;
    const struct at_policies *of;
    enum image_congestion congestion; /* TransportPolicy, as all up to `health` */
    enum image_balancing balancing;
    enum image_hash_key hash_key;         /* NONE: not said */
    const char *hash_name;                /* HEADER: lower case; COOKIE; else NULL */
    const struct plan_proxied *proxied;   /* proxyProtocol.accept; NULL: not said */
    enum image_proxy_header proxy_header; /* proxyProtocol.send */
    enum image_forwarding forwarding;
    bool is_forwarding_said;
    uint32_t tcp_idle_ms; /* 0: not said */
    uint32_t udp_idle_ms;
    const struct plan_access
        *lists; /* AccessPolicy with targetRefs, as the next; NULL: it has none */
    const struct plan_conn_limit *limit; /* NULL: none */
    struct plan_health health;           /* HealthPolicy */
    struct at_secured secured;           /* BackendTLSPolicy */
    uint32_t n_targets;
    struct at_policy_target *targets;
};

/* All policies of a kind. */
struct at_policies {
    enum model_type_id type;
    const char *kind;
    uint32_t n;
    uint32_t n_service_targets;
    struct at_policy *all;                     /* the most preferred first */
    struct at_policy_target **service_targets; /* by Service or Backend and port, each once */
};

struct at_attachment {
    struct at_attachment *next;          /* on the listener */
    struct at_attachment *next_of_route; /* in no order */
    struct at_listener *listener;
    struct at_route *route;
    uint32_t n_hostnames;
    const char **hostnames;
};

struct at_listener {
    const json_t *spec;
    const char *name;
    struct at_gateway *gateway; /* by which it is served */
    const struct at_set *set;   /* whose it is; NULL: the Gateway's own */
    uint16_t port;
    const struct protocol *protocol;
    const char *hostname; /* NULL: any */
    const char **kinds;   /* that may attach: supported and allowed */
    uint32_t n_kinds;
    struct verdict accepted;
    struct verdict resolved;
    struct verdict conflicted;
    enum plan_listener_fault fault;
    struct at_attachment *first; /* by precedence of the routes */
    struct at_attachment *last;
    const struct at_route *newest; /* the route that was put on it last */
    uint32_t n_attachments;
    uint32_t n_attached_routes;          /* of them accepted: what the status shows */
    uint32_t n_refused;                  /* of one kind, behind routes of another: see route.c */
    bool is_late;                        /* an older object's has its port or hostname */
    struct at_policy_target *policy;     /* its own, or else its Gateway's; NULL: none */
    enum image_congestion *congestions;  /* by address of its Gateway */
    const struct plan_proxied **proxied; /* likewise */
    struct plan_identity *identities;    /* as its certificateRefs; none if one is not usable */
    uint32_t n_identities;
    const struct plan_clients *clients;       /* NULL: nobody has to say who he is */
    struct at_list *lists;                    /* AccessPolicies that name it */
    struct at_policy_target *limit;           /* the one of them whose limit of connections holds */
    const struct plan_conn_limit *conn_limit; /* which holds here; NULL: none */
    uint32_t n_gates;                         /* all that stand before it, its Gateway's first */
    const struct plan_access *const *gates;
    const char
        *consumer; /* of a Service: the namespace whose clients alone come here; NULL: others */
    uint32_t kinds_asked; /* of a Service: a bit a kind of routes that want to attach */
};

/* A Gateway of one of our classes; or a Service that routes are attached to (service.c), whose
 * listeners are its ports, once for all clients and once for each namespace with routes of its own.
 */
struct at_gateway {
    struct at_meta meta;
    struct at_class *class; /* NULL: it is a Service */
    struct verdict accepted;
    struct verdict not_programmed; /* reason NULL: nothing stands against it */
    uint32_t n_addresses;
    struct ip_addr *addresses;
    bool is_listed; /* its addresses are in the plan's list */
    uint32_t n_listeners;
    struct at_listener *listeners; /* its own */
    uint32_t n_all;
    uint32_t all_room;
    struct at_listener **all;             /* its own, then those of the ListenerSets it lets in */
    uint32_t n_sets;                      /* of them accepted: what the status shows */
    uint32_t n_placed;                    /* listeners that count for the limit */
    struct at_policy_target *policy;      /* of the whole Gateway; NULL: none */
    uint32_t index;                       /* in the plan */
    const struct plan_identity *identity; /* that backends are shown who ask; NULL: none */
    struct verdict no_identity;           /* why there is none; reason NULL: none is wanted */
    struct at_list *lists;                /* AccessPolicies of the whole Gateway */
    struct at_policy_target *limit;       /* the one of them whose limit of connections holds */
    uint32_t n_gates;                     /* all that stand before it */
    const struct plan_access *const *gates;
    struct at_clients *clients; /* what was read of its spec.tls.frontend */
    uint64_t settled_version;   /* of the object whose status was seen to be as wanted, for what the
                                   next one says; 0: none was */
    uint64_t settled_for;       /* a digest of what an update or an answer of the workers changes */
};

/* A ListenerSet whose parentRef names one of our Gateways, or one that is not there. */
struct at_set {
    struct at_meta meta;
    struct at_gateway *gateway; /* NULL: it is not there */
    bool is_let_in;             /* its listeners are the Gateway's, too */
    struct verdict accepted;
    struct verdict not_programmed; /* reason NULL: nothing stands against it */
    uint32_t n_listeners;
    struct at_listener *listeners;
    uint32_t index;  /* in the plan, if it is let in */
    bool is_settled; /* its status was seen to be as wanted, for what the next two say */
    bool was_served;
    uint64_t attached; /* a digest of how many routes each listener had */
};

/* Among whom listeners have to be told apart: all of a Gateway, or all at an address. */
struct at_scope {
    const struct at_gateway *gateway; /* NULL: at the address */
    struct ip_addr addr;
};

/* A port, or a hostname on it, that listeners of one family have or would have: see place.c. */
struct at_place {
    struct at_scope scope;
    uint16_t port;
    char family;
    bool is_port;                    /* whatever the hostname */
    const char *hostname;            /* NULL: any */
    uint32_t n;                      /* listeners that have it */
    uint32_t n_late;                 /* that would, but for an older object */
    const struct at_listener *first; /* one that has it; the Gateway's own if one of them does */
    struct at_place *next;           /* in the same bucket */
};

/* What a Gateway asks of clients on some of its ports. */
struct at_clients {
    const json_t *validation;        /* by which it is known */
    const struct plan_clients *plan; /* NULL: there is no CA that is good */
    struct verdict fault;            /* reason NULL: none */
    struct at_clients *next;
};

/* A parentRef that names one of our Gateways, a ListenerSet of one, or a Service. */
struct at_parent {
    const json_t *ref;
    struct at_gateway *gateway; /* NULL: a Service that is not there */
    const struct at_set *set;   /* NULL: the Gateway or Service itself */
    uint32_t n_listeners;       /* of the parent */
    struct at_listener *listeners;
    struct verdict accepted;
};

/* A hostname of routes on a listener, or what is behind one of its dots (see host_set.c). */
struct at_host {
    const struct at_listener *listener;
    const char *name;
    struct at_host_use {
        uint32_t n_exact;           /* hostnames that are this name */
        uint32_t n_wild;            /* that are all names below it */
        uint32_t n_below;           /* that are a name, or all names, below it */
        const struct at_route *who; /* one of those that have them */
    } uses[IMAGE_ROUTE_KINDS];      /* by kind of the routes */
    struct at_host *next;           /* in the same bucket */
};

/* A Gateway that was given an address. */
struct at_address_user {
    struct ip_addr addr;
    const struct at_gateway *gateway;
    struct at_address_user *next; /* in the same bucket, a younger Gateway */
};

/* A route needs the endpoints of a group; also for a rule that is not carried out in the end. */
struct at_use {
    struct at_use *next;
    struct at_group *group;
};

struct at_route {
    struct at_meta meta;
    enum model_type_id type; /* of one of ROUTE_TYPES */
    uint32_t n_parents;
    struct at_parent *parents;
    struct verdict resolved;
    const char *unsupported;    /* NULL: all rules are sound; else what is not, in words */
    bool is_wholly_unsupported; /* no rule is sound */
    uint32_t n_rules;
    struct plan_rule *rules;
    struct at_use *uses;
    struct at_attachment *attachments; /* NULL: it is on no listener */
    const struct at_route *rival;      /* of another kind, for which a listener refuses it */
    uint32_t index;                    /* in the plan, if it is on one */
    bool is_settled;                   /* its status was seen to be as wanted */
    struct at_listener *stands_for; /* nobody wrote it: it has a Service's port lead to the Service,
                                          for no other route does; NULL: it is an object */
};

/* All EndpointSlices of one Service stand together. */
struct at_slice {
    json_t *obj; /* a reference of its own: one that is replaced must not stay */
    char *key;   /* "namespace/service"; likewise */
};

/* A ClusterNetwork. */
struct at_cluster {
    const char *name;
    const char *prefix;  /* what the names of its Nodes and namespaces begin with */
    bool is_by_node;     /* its Services are reached by their ports of its Nodes */
    bool has_pod_routes; /* each Node is the way to its pods */
};

enum at_family { AT_V4, AT_V6, AT_FAMILIES };

#define AT_NODE_PODS_MAX 3u /* podCIDR, and podCIDRs: one a family */

struct at_node {
    const char *name;
    const struct at_cluster *cluster;      /* NULL: none is for it */
    uint32_t flags;                        /* as endpoint's: of the traffic that it is to get */
    struct ip_addr addresses[AT_FAMILIES]; /* zero: none */
    uint32_t local[AT_FAMILIES]; /* flags of the endpoints on it, of the group being read */
    uint32_t n_pods;
    struct plan_prefix pods[AT_NODE_PODS_MAX];
};

#define AT_GROUP_GATEWAYS_MAX 16u /* Gateway API's bound on status.ancestors */

struct at_group {
    struct plan_group plan;
    const char *key;                  /* of its slices, or its Backend */
    const struct at_backend *backend; /* whose endpoints they are; NULL: its slices' */
    const char *port_name;            /* of the Service's port */
    const struct at_cluster
        *by_nodes;      /* endpoints are this cluster's Nodes; NULL: EndpointSlices' */
    uint16_t node_port; /* with by_nodes, as the next ones */
    bool is_local;      /* only Nodes that have one of the slices' endpoints */
    bool has_family[AT_FAMILIES];
    struct endpoint *endpoints; /* the plan's */
    size_t endpoints_room;
    uint32_t n_uses;     /* by routes */
    uint32_t n_gateways; /* by which it is reached: see policy_tls_find_gateways() */
    const struct at_gateway *gateways[AT_GROUP_GATEWAYS_MAX];
    uint32_t index;        /* in the plan */
    struct at_group *next; /* in the same bucket: those of a Service are in one */
};

#define AT_GROUP_BUCKETS 4096u

/* An AccessPolicy that a rule names. */
struct at_access {
    struct plan_access plan;
    const char *fault;      /* what of it leads nowhere or cannot be done; NULL: nothing */
    bool is_unresolved;     /* the fault is a reference */
    struct at_access *next; /* in the same bucket */
};

#define AT_ACCESS_BUCKETS 256u

struct at_range {
    struct ip_addr first;
    struct ip_addr last;
    struct ip_addr next; /* all before it are in use */
    bool is_used_up;
};

struct at_pool {
    const char *name;
    const json_t *classes; /* array of names, NULL: all */
    bool is_of_services;
    uint32_t interface; /* index or PLAN_NONE */
    uint32_t n_ranges;
    struct at_range *ranges;
};

struct attach {
    struct arena *arena;
    struct arena *plan_arena;           /* of the plan's arrays, which plan_run() makes anew */
    json_t *held;                       /* array: the objects that texts point into */
    const struct object_source *source; /* only during attach_run() */
    attach_pattern_fn is_pattern;       /* likewise */
    void *is_pattern_arg;
    const char *controller_name;
    uint32_t n_classes;
    uint32_t n_gateways;
    uint32_t n_routes;
    uint32_t n_pools;
    uint32_t n_slices;
    uint32_t n_grants;
    uint32_t n_groups;
    uint32_t n_groups_unused; /* of them, since a route went */
    uint32_t n_backends;
    struct at_backend *backends;          /* by "namespace/name" */
    struct at_class *classes;             /* ours */
    struct at_gateway *gateways;          /* of our classes, by age */
    struct at_gateway **gateways_by_name; /* the same by "namespace/name" */
    bool has_services; /* routes may attach to Services: there is a pool of them */
    uint32_t n_services;
    uint32_t n_fronts;
    struct at_gateway *services;          /* that routes name, by age */
    struct at_gateway **services_by_name; /* the same by "namespace/name" */
    struct at_gateway **fronts;           /* all Gateways, then all Services */
    struct ip_addr *known_clients;        /* pods of namespaces with routes of their own, sorted */
    uint32_t n_known_clients;
    struct at_route **routes; /* of all kinds, by precedence */
    uint32_t routes_room;
    uint32_t n_of_kind[IMAGE_ROUTE_KINDS]; /* routes */
    struct at_host **hosts; /* buckets; NULL: there are no HTTPRoutes, or no GRPCRoutes */
    uint32_t n_host_buckets;
    struct at_address_user **address_users; /* buckets; of address_run() */
    uint32_t n_address_buckets;
    struct at_set **sets; /* ListenerSets of our Gateways, by age */
    struct at_set **sets_by_name;
    uint32_t n_sets;
    uint32_t sets_room;
    struct at_place **places; /* buckets */
    uint32_t n_place_buckets;
    uint32_t n_listeners; /* that have a place, or are their Gateway's own */
    uint32_t n_binds;     /* addresses and ports that they listen on */
    bool has_too_many;    /* one was refused for a limit */
    bool is_stale;        /* an update changed more than it found out again */
    struct at_pool *pools;
    struct at_slice *slices; /* by key */
    uint32_t slices_room;
    uint32_t n_updates; /* of single objects, since the run */
    const json_t **grants;
    uint32_t n_clusters;
    uint32_t n_nodes;
    uint32_t nodes_room;
    struct at_cluster *clusters; /* by name */
    struct at_node *nodes;       /* by name */
    struct at_policies transport_policies;
    struct at_policies health_policies;
    struct at_policies tls_policies;
    struct at_policies access_policies;
    struct identity_cache *identities;     /* likewise: what was read */
    struct identity_cache *own_identities; /* the same; NULL: the caller's */
    bool is_cut;             /* more Secrets would have to be read than may be in one run */
    struct slice system_cas; /* PEM; only during attach_run(); empty: there are none */
    struct at_group *groups[AT_GROUP_BUCKETS];
    struct at_access *accesses[AT_ACCESS_BUCKETS];
    struct plan_group *plan_groups; /* the plan's, by index */
    struct plan plan;
};

/* ---- reading objects (object.c) ---- */

/* Is it a port for TCP, of a Service or an EndpointSlice? */
bool port_is_tcp(const json_t *port);

/* Is it one for UDP? */
bool port_is_udp(const json_t *port);

/* A duration of the object; 0: it is not there. For those that a schema keeps within 32 bits. */
uint32_t ms_at(const json_t *object, const char *key);

/* A copy of the text in lower case. */
const char *lower_of(struct attach *a, const char *text);

/* Keeps a reference to the object as long as `a` lives. */
void hold(struct attach *a, const json_t *obj);

/* Fills in the names. */
void meta_read(struct attach *a, struct at_meta *ret, const json_t *obj);

/* By age, then by "namespace/name": the specification's order of precedence. */
int meta_compare(const struct at_meta *x, const struct at_meta *y);

/* Is it being deleted? */
bool is_going(const json_t *obj);

/* All objects of a type that are not being deleted (GatewayClasses: all), as an arena array. */
const json_t **collect(struct attach *a, enum model_type_id type, uint32_t *ret_n);

/* The same for a cluster-scoped type, sorted by name. */
const json_t **collect_by_name(struct attach *a, enum model_type_id type, uint32_t *ret_n);

/* One object, held; NULL: there is none. */
const json_t *find_object(struct attach *a, enum model_type_id type, const char *namespace,
                          const char *name);

/* ---- verdicts ---- */

/* A verdict as a value; the texts must outlive it. */
#define VERDICT(status_, reason_, message_)                                                        \
    ((struct verdict){.status = (status_), .reason = (reason_), .message = (message_)})

/* ---- the steps of a run, in this order ---- */

/* ClusterNetworks. */
void cluster_run(struct attach *a);
/* Nodes; before: cluster_run(). */
void node_run(struct attach *a);
/* Interfaces and egress routes; before: node_run(). */
void network_run(struct attach *a);
/* Egress routes; part of network_run(). */
void egress_run(struct attach *a);
/* Address pools; before: network_run(). */
void pool_run(struct attach *a);
/* Our GatewayClasses. */
void class_run(struct attach *a);
/* Gateways of these classes and their listeners. */
void gateway_run(struct attach *a);
/* One of them; NULL: it is not there or not ours. O(log Gateways). */
struct at_gateway *gateway_find(const struct attach *a, const char *namespace, const char *name);
/* Sorts a list of Gateways, or of Services, by age; its members sorted by "namespace/name". */
struct at_gateway **gateway_list_sort(struct attach *a, struct at_gateway *list, uint32_t n);
/* One of those, by what gateway_list_sort() gave; NULL: it is not there. O(log n). */
struct at_gateway *gateway_list_find(struct at_gateway *const *by_name, uint32_t n,
                                     const char *namespace, const char *name);
/* ListenerSets of these Gateways, and what their listeners say; before: gateway_run(). */
void set_run(struct attach *a);
/* One of them; NULL: it is not there, or of a Gateway that is not ours. O(log ListenerSets). */
struct at_set *set_find(const struct attach *a, const char *namespace, const char *name);
/* Addresses for the Gateways; before: set_run(). */
void address_run(struct attach *a);
/* Which listeners of ListenerSets are in the way of others, and what each Gateway has in all;
 * before: address_run(). */
void set_judge(struct attach *a);
/* What each Gateway has in all; again after a change. */
void set_list(struct attach *a);
/* All addresses of all served Gateways and Services but the interfaces' own, each once, as struct
 * plan has them; before: route_run(). */
void address_list(struct attach *a);
/* Backends: what they are, and where now; before the policies, which may be for them. */
void backend_kind_run(struct attach *a, const struct attach_input *in);
/* TransportPolicies and HealthPolicies: what each decides; before: set_judge(). */
void policy_run(struct attach *a);
/* Routes: rules, backends, parents; before: gateway_run(), policy_run(). */
void route_run(struct attach *a);
/* One route: takes the one of its name and age from the routes and brings in what the source has
 * now under its name; before: route_run(); after: route_link(). Sets is_stale if that may decide of
 * other routes, too. */
void route_put(struct attach *a, const json_t *version);
/* One ListenerSet: the same; before: set_list(). Sets is_stale if that may decide of the listeners
 * of others. True: routes that name it have to be put again. */
bool set_put(struct attach *a, const json_t *version);
/* Puts all attachments on their listeners, in the order of the routes. */
void route_link(struct attach *a);
/* All of it as struct plan; again after a change. */
void plan_run(struct attach *a);

/* ---- parts of the steps ---- */

#define PROTOCOL_KINDS_MAX 2u

/* Families of protocols. Those that go by TCP (in the clear, TLS, whatever comes) have a port of
 * one family; UDP has ports of its own; DNS has the ports of both. */
#define FAMILIES "ctpud"
#define FAMILY_UDP 'u'
#define FAMILY_DNS 'd'

/* A protocol of listeners. */
struct protocol {
    const char *name;
    enum plan_protocol plan;
    const char *kinds[PROTOCOL_KINDS_MAX]; /* of routes that it takes; NULL: no more */
    char family;                           /* one of FAMILIES; 0: conflicts with nothing */
    bool is_supported;
    bool needs_identity; /* TLS ends at it */
};

/* The row of a listener's protocol; never NULL. `is_passed`: its tls.mode is Passthrough. */
const struct protocol *protocol_find(const char *name, bool is_passed);

/* Could both listeners be told apart on one address? */
bool listener_is_distinct(const struct at_listener *x, const struct at_listener *y);

/* Have they the same hostname, or both none? */
bool listener_has_host(const struct at_listener *l, const char *hostname);

/* Can something be served on the Gateway, once it has an address? */
bool gateway_is_servable(const struct at_gateway *g);

/* Nobody has an address; before: gateway_run(). */
void address_user_init(struct attach *a);

/* The Gateway has the address now. */
void address_user_add(struct attach *a, const struct at_gateway *g, const struct ip_addr *addr);

/* The oldest Gateway that has the address, or the next one after `before`; NULL: no more. */
const struct at_address_user *address_user_next(const struct attach *a,
                                                const struct at_address_user *before,
                                                const struct ip_addr *addr);

/* The ClusterNetwork for a Node or namespace: that with the longest prefix of its name, of two the
 * first by their own names; NULL: none. */
const struct at_cluster *cluster_of(const struct attach *a, const char *name);

/* The index of the Node, or PLAN_NONE. O(log Nodes). */
uint32_t node_find(const struct attach *a, const char *name);

/* One Node as the source has it now. Sets *ret_has_changed if traffic to it has. False: ways to
 * pods are others now, so a new run is needed; nothing was changed. */
bool node_put(struct attach *a, const json_t *version, bool *ret_has_changed);

/* Is it one of the appliance's own addresses? */
bool network_is_own(const struct attach *a, const struct ip_addr *addr);

/* Could a Gateway be given the address: no interface's, no next hop's, no network's first or last?
 */
bool network_can_give(const struct attach *a, const struct ip_addr *addr);

/* A prefix as text, which the model has checked. */
struct plan_prefix network_prefix(const char *text);

/* The interface with this name, or PLAN_NONE. */
uint32_t network_interface_named(const struct attach *a, const char *name);

/* The interface whose prefix holds the address, or PLAN_NONE. */
uint32_t network_interface_of(const struct attach *a, const struct ip_addr *addr);

/* Is the class among those that an array names? NULL and an empty one name all. */
bool names_class(const json_t *classes, const char *class);

/* May Gateways of the class have addresses of the pool? NULL: may Services? */
bool pool_serves(const struct at_pool *pool, const char *class);

/* The pool of the class, or (NULL) of Services, that has the address; NULL: none. */
const struct at_pool *pool_find(const struct attach *a, const struct ip_addr *addr,
                                const char *class);

/* The next address of the range that was not looked at in this run; false: there is none. */
bool pool_next(struct at_range *range, struct ip_addr *ret);

/* Can listeners of these families not have one port? */
bool family_is_rival(char x, char y);

/* The group of a kind of routes that a protocol takes. */
const char *protocol_kind_group(const char *kind);

/* Reads the listeners of a spec: all but what depends on others. `set` NULL: the Gateway's own. */
struct at_listener *listener_read_all(struct attach *a, const json_t *specs, struct at_gateway *g,
                                      const struct at_set *set, uint32_t *ret_n);

/* Judges which listeners of one object are in each other's way; late ones are in nobody's. */
void listener_judge_conflicts(struct attach *a, struct at_listener *listeners, uint32_t n);

/* Is it in the image, so that somebody may connect to it? */
bool listener_is_served(const struct at_listener *l);

/* The object that it stands in: its Gateway, or a ListenerSet. */
const struct at_meta *listener_owner(const struct at_listener *l);

/* "Gateway" or "ListenerSet". */
const char *listener_owner_kind(const struct at_listener *l);

/* Does the listener take routes of this kind and namespace? */
bool listener_allows(struct attach *a, const struct at_listener *l, const char *kind,
                     const char *namespace);

/* Do the rules of a Gateway's allowedRoutes.namespaces or allowedListeners.namespaces let in what
 * is in the namespace? `own`: that of the object that lets in. */
bool namespace_is_allowed(struct attach *a, const json_t *rules, const char *own,
                          const char *namespace);

/* ---- ListenerSets one by one (set.c) ---- */

/* The ListenerSet of an object, and what its listeners say by themselves; NULL: it is of a Gateway
 * that is not ours. */
struct at_set *set_new(struct attach *a, const json_t *obj);

/* Gives its listeners their places, or none; it is let in. True: one of them stands behind another
 * ListenerSet's. */
bool set_place(struct attach *a, struct at_set *set);

/* What it comes to; after set_place(). */
void set_settle(struct attach *a, struct at_set *set);

/* ---- who has which port and hostname (place.c) ---- */

/* Nobody has one; room for that many listeners. */
void place_init(struct attach *a, uint32_t n_listeners);

/* A listener that has the port with another family, or the hostname on it; NULL: there is none.
 * *ret_by_protocol: it is the former. */
const struct at_listener *place_find(const struct attach *a, const struct at_scope *scope,
                                     const struct at_listener *l, bool *ret_by_protocol);

/* The listener has them from now on. True: it is the first that has the port. */
bool place_take(struct attach *a, const struct at_scope *scope, const struct at_listener *l);

/* Has them no more. True: it was the last on the port. */
bool place_leave(struct attach *a, const struct at_scope *scope, const struct at_listener *l);

/* One more (or less) that would have them, but for an older object. */
void place_wait(struct attach *a, const struct at_scope *scope, const struct at_listener *l,
                bool is_more);

/* Is there one that could have what the listener had, which has left? */
bool place_is_waited_for(const struct attach *a, const struct at_scope *scope,
                         const struct at_listener *l);

/* Does the selector (matchLabels, matchExpressions) select these labels? */
bool selector_selects(const json_t *selector, const json_t *labels);

/* Reads what a listener's certificateRefs lead to; `resolved` says so if one is not usable. */
void certificate_run(struct attach *a, struct at_listener *l);

/* Reads what the Gateway shows to backends, by its spec.tls.backend. */
void certificate_run_backend(struct attach *a, struct at_gateway *g);

/* Who reads CA certificates, and how faults are told. */
struct authority_reading {
    const char *kind; /* "Gateway": of whom the references are, */
    const char *namespace;
    const char *place;          /* and where, in words */
    const char *reason_of_kind; /* of a reference to something else */
};

/* The certificates that the references lead to, one good one at least; false: none is. The first
 * one that is not good is *ret_fault, which the caller has zeroed. */
bool authority_read(struct attach *a, const struct authority_reading *in, const json_t *refs,
                    struct plan_bundle *ret, struct verdict *ret_fault);

/* Gives the bundle its id. */
void authority_name(struct plan_bundle *bundle);

/* What clients of the listener have to show, by its Gateway's spec.tls.frontend. */
void clients_run(struct attach *a, struct at_listener *l);

/* The condition InsecureFrontendValidationMode of a Gateway; reason NULL: it has none. */
struct verdict clients_insecure(const struct at_gateway *g);

/* May `from_kind` of `from_group` in `from_namespace` refer to the object in another namespace? */
bool grant_allows(const struct attach *a, const char *from_group, const char *from_kind,
                  const char *from_namespace, const char *to_group, const char *to_kind,
                  const char *to_namespace, const char *to_name);

/* Is there a host that both allow? */
bool hostname_intersects(const char *listener, const char *route);

/* Room for the hostnames of that many routes. */
void host_set_init(struct attach *a, uint32_t n_routes);

/* The hostnames of an attachment come to its listener's. */
void host_set_add(struct attach *a, const struct at_attachment *at);

/* They go again. */
void host_set_remove(struct attach *a, const struct at_attachment *at);

/* A route of the kind on the listener with a host in common with the hostname (NULL: any); NULL:
 * there is none. Cost: the hostname's labels. */
const struct at_route *host_set_find(const struct attach *a, const struct at_listener *l,
                                     enum image_route_kind kind, const char *hostname);

/* ---- Services that routes attach to (service.c, service_parent.c, service_clients.c) ---- */

/* Is it a parentRef to a Service? */
bool service_is_parent(const json_t *ref);

/* Finds the Services that routes attach to, who wants to attach where, and whose clients are where;
 * has their other ports lead to them, by routes that come to `routes`; before: address_run(), all
 * of `routes`, in no order. Makes `fronts`. */
void service_run(struct attach *a);

/* One of them; NULL: it is not there, or no route named it when they were looked for. */
struct at_gateway *service_find(const struct attach *a, const char *namespace, const char *name);

/* Does the reference of the route mean the listener? `consumer`: the clients that it is for. */
bool service_is_meant(const struct at_route *r, const json_t *ref, const struct at_listener *l,
                      const char *consumer);

/* The kind of routes that a port's listener serves, of those that asked; IMAGE_ROUTE_KINDS: none
 * did. */
enum image_route_kind service_kind_of(const struct at_listener *l);

/* Attaches a route to the ports that the reference means. */
struct verdict service_judge(struct attach *a, struct at_route *r, const struct at_parent *p);

/* Says which clients are of which namespace, where one has routes of its own. */
void service_clients_run(struct attach *a);

/* Could the slice, in this version, change what that says? */
bool service_clients_know(const struct attach *a, const json_t *slice);

/* Does the route lead to Services from Services alone? Then it needs no ReferenceGrants (GEP-1294,
 * "Namespace boundaries"): its clients can reach these anyway. */
bool service_has_all_parents(const struct at_route *r);

/* ---- routes one by one (route.c) ---- */

/* Has the route on the listener; once, also if two references lead there. */
void route_put_on_listener(struct attach *a, struct at_route *r, struct at_listener *l,
                           const char *const *hostnames, uint32_t n);

/* Makes room for one more in `routes`. */
void route_make_room(struct attach *a);

/* The route of an object, not judged yet. */
struct at_route *route_new(struct attach *a, const json_t *obj);

/* By precedence; 0: they are one. */
int route_compare(const struct at_route *x, const struct at_route *y);

/* What the route means, and where it attaches. */
void route_judge(struct attach *a, struct at_route *r);

/* The kind as the image has it. */
enum image_route_kind route_kind(const struct at_route *r);

/* Is it one of requests, of which a host on a listener has one kind? Others share hosts. */
bool route_is_of_requests(const struct at_route *r);

/* Are there HTTPRoutes and GRPCRoutes, so that they could be in each other's way? */
bool route_kinds_meet(const struct attach *a);

/* The group of its kind. */
const char *route_group(const struct at_route *r);

/* Does it mean ports of UDP? */
bool route_is_by_udp(const struct at_route *r);

/* "HTTPRoute" and so on. */
const char *route_kind_name(const struct at_route *r);

/* Judges and translates the rules of a route. */
void rule_run(struct attach *a, struct at_route *r);

/* A rule's matches that can be told; *ret_why says so if one cannot. */
void match_run(struct attach *a, const struct at_route *r, const json_t *rule,
               struct plan_rule *ret, const char **ret_why);

/* One rule while it is read, and what is wrong with it. */
struct rule_reading {
    struct attach *a;
    struct at_route *route;
    uint32_t index;
    const char *whole;             /* why the rule cannot be carried out; NULL: it can */
    const char *part;              /* why a backend's share cannot; NULL: all can */
    const char *unresolved;        /* the first reference that leads nowhere; NULL: none */
    enum plan_backend_fault fault; /* of that */
    bool is_refused;               /* it is a filter's that must not be skipped: 500 */
};

/* Filters of a rule, or (is_of_backend) of one of its backends. NULL, or what of it cannot be done.
 * A mirror whose backendRef leads nowhere is left out, and noted. */
const char *filter_run(struct rule_reading *in, const json_t *filters, bool is_of_backend,
                       uint32_t *ret_n, const struct plan_filter **ret_filters);

/* Translates filter number `i`, an ExtensionRef. False: it leads nowhere, which is noted, and the
 * rule is refused. A kind of filter that we do not know is *ret_why, too. */
bool filter_extension_run(struct rule_reading *in, const json_t *ref, size_t i,
                          struct plan_filter *ret, const char **ret_why);

/* Translates a rule's sessionPersistence; NULL: there is none. Gives why it cannot be carried out,
 * or NULL. */
const char *session_run(const struct rule_reading *in, const json_t *json,
                        const struct plan_persistence **ret);

/* A list of ranges of addresses, or none (0). What the schema lets in can be parsed. */
const struct image_range *access_ranges(struct attach *a, const json_t *list, uint32_t *ret_n);

/* The lists of an AccessPolicy that is there. */
const struct plan_access *access_find(struct attach *a, const char *namespace, const json_t *obj);

/* Translates an AccessPolicy that is there. NULL, or what is wrong with it; *ret_is_unresolved: a
 * reference of it leads nowhere. */
const char *access_read(struct attach *a, const char *namespace, const json_t *obj,
                        struct plan_filter *ret, bool *ret_is_unresolved);

/* The tokens that a policy asks for. NULL, or why it cannot; ret->is_unresolved: its ConfigMap is
 * not there. */
const char *jwt_read(struct attach *a, const char *namespace, const json_t *json,
                     struct at_access *ret);

/* The users of a policy's Secret. NULL, or why it has none; *ret_is_unresolved: it is not there. */
const char *users_read(struct attach *a, const struct at_access *access, const char *namespace,
                       const char *secret, struct plan_basic *ret, bool *ret_is_unresolved);

/* Notes a reference that leads nowhere, at a place within the rule. */
void rule_note_unresolved(struct rule_reading *in, const char *place, enum plan_backend_fault fault,
                          const char *why);

/* Judges and translates one backendRef of the route; on a fault *ret_why says what is wrong. */
struct plan_backend backend_run(struct attach *a, struct at_route *r, const json_t *ref,
                                const char **ret_why);

/* What the reference is of: a Service, a Backend; false: neither. */
bool referent_is_known(const json_t *ref);

/* What a reference that is known leads to. O(log Backends). */
struct at_referent referent_find(struct attach *a, const json_t *ref, const char *namespace);

/* "Service ns/name", "Backend ns/name". */
const char *referent_words(struct attach *a, const struct at_referent *to);

/* Is that number the port of all its endpoints? */
bool backend_has_port(const struct at_backend *b, int64_t port);

/* What groups of a Backend have as their key. */
const char *backend_key(struct attach *a, const char *namespace, const char *name);

/* Is its name asked for in this family? */
bool backend_wants(const struct at_backend *b, enum resolve_family family);

/* Takes what DNS says now; false: its endpoints are fixed. */
bool backend_look_up(struct at_backend *b, const struct attach_input *in);

/* The groups that may be of a Service ("namespace/name") or Backend, by `next`: their keys tell. */
const struct at_group *group_first(struct attach *a, const char *key);

/* The endpoint group of a port for what is carried to it, requests by this protocol. */
struct at_group *group_of(struct attach *a, const struct at_referent *to, const json_t *port,
                          enum plan_carried carried, enum image_backend_protocol protocol);

/* Puts the endpoints of a Backend's groups into the plan again, and tells each. */
void group_read_backend(struct attach *a, const struct at_backend *b, attach_group_fn fn,
                        void *arg);

/* The route needs the group. */
void group_use(struct attach *a, struct at_route *r, struct at_group *g);

/* The route needs none any more. */
void group_unuse(struct attach *a, const struct at_route *r);

/* Another version of a slice counts: takes the old one (any version of it) from the list and
 * brings in what the source has now, without a look at the groups. */
void group_put_slice(struct attach *a, const json_t *version);

/* Reads the endpoints of a Service's groups again, and tells each. */
void group_read_again(struct attach *a, const json_t *slice, attach_group_fn fn, void *arg);

/* The same for all groups whose endpoints are Nodes. */
void group_read_nodes_again(struct attach *a, attach_group_fn fn, void *arg);

/* The number of the slice's port for the group; 0: it has none. */
uint16_t group_slice_port(const json_t *slice, const struct at_group *g);

/* Kubernetes, EndpointConditions: ready not given is true, serving not given is as ready. */
uint32_t group_endpoint_flags(const json_t *endpoint);

/* Sets whether the group's endpoints are Nodes, by the ClusterNetwork of its namespace. */
void group_nodes_set(const struct attach *a, struct at_group *g, const char *namespace,
                     const json_t *service, const json_t *port);

/* The endpoints of such a group into `list`, which has room for all Nodes in both families; returns
 * how many. `slices` are its Service's. */
uint32_t group_nodes_read(struct attach *a, const struct at_group *g, const struct at_slice *slices,
                          uint32_t n_slices, struct endpoint *list);

/* Sorts the EndpointSlices by Service. */
void group_init(struct attach *a);

/* Gives them back. */
void group_done(struct attach *a);

/* ---- policies ---- */

/* Gives the target its place, or tells it who has it. Most preferred policies come first. */
void policy_claim(struct attach *a, struct at_policy_target **place, struct at_policy_target *t);

/* Another policy decides there; the first time the sentence is kept. */
void policy_lose(struct at_policy_target *t, const char *why);

/* What an AccessPolicy lets through, if it stands before something. */
void policy_access_read(struct attach *a, struct at_policy *p);

/* The policy stands before its target, whose lists these are and whose limit that is. */
void policy_access_claim(struct attach *a, struct at_list **lists, struct at_policy_target **limit,
                         struct at_policy_target *t);

/* SourceLists; and of each Gateway and listener all that stands before it. */
void policy_access_run(struct attach *a);

/* What stands before a listener: its Gateway's lists and its own, and the limit that holds. */
void policy_access_settle(struct attach *a, struct at_listener *l);

/* Which policy decides of each listener, and what holds for each address and port. */
void policy_bind_run(struct attach *a);

/* What holds for a listener where no policy decides. */
void policy_bind_alone(struct attach *a, struct at_listener *l);

/* Sorts the Services' and Backends' targets of a kind: which policy decides of each port. */
void policy_service_run(struct attach *a, struct at_policies *policies);

/* Is the target a Service or Backend that is there and takes connections? With a verdict if not. */
bool policy_service_check(struct attach *a, struct at_policy_target *t);

/* What a HealthPolicy says. */
void policy_health_read(struct attach *a, struct at_policy *p);

/* What `validation` says, which stands at `place` in an object of this kind. */
void secured_read(struct attach *a, const struct at_meta *meta, const char *kind, const char *place,
                  const json_t *validation, struct at_secured *ret);

/* What a BackendTLSPolicy says. */
void policy_tls_read(struct attach *a, struct at_policy *p);

/* Finds by which Gateways each group is reached, the first AT_GROUP_GATEWAYS_MAX; nothing where
 * there is no BackendTLSPolicy. Cost: the routes' backends. */
void policy_tls_find_gateways(struct attach *a);

/* The policy of a kind that decides of the port; NULL: none does. O(log targets). */
const struct at_policy *policy_of_port(struct attach *a, const struct at_policies *policies,
                                       const struct at_referent *to, const json_t *port);
