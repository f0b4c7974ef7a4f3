/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoint groups: one a Service port and protocol that we speak to it, with the endpoints of its
 * EndpointSlices, and one a Backend and protocol, with the Backend's own. So a group's connections
 * are alike, also while the port's protocol changes and requests of before are under way; what
 * TCPRoutes pass on has a group of its own, for it is balanced in another way. A slice's port
 * belongs to the Service's port of the same name and has the real number (targetPort is already
 * applied by whoever made the slice). Of a cluster whose pods cannot be reached the endpoints are
 * Nodes (group_nodes.c).
 */
#include "attach/attach_priv.h"

#include "base/assert.h"
#include "base/siphash.h"

#include <stdlib.h>
#include <string.h>

#define SERVICE_LABEL "kubernetes.io/service-name"

static const char *slice_name(const json_t *slice)
{
    return text_at(json_object_get(slice, "metadata"), "name");
}

/* "namespace/service" of the Service that it belongs to; the caller frees it. */
static char *slice_key(const json_t *slice)
{
    char *key;
    const json_t *meta = json_object_get(slice, "metadata");
    int n = asprintf(&key, "%s/%s", text_at(meta, "namespace"),
                     text_at(json_object_get(meta, "labels"), SERVICE_LABEL));
    ASSERT(n >= 0);
    return key;
}

static int compare_slices(const void *x, const void *y)
{
    return strcmp(((const struct at_slice *)x)->key, ((const struct at_slice *)y)->key);
}

/* Puts a slice at its place, and those behind it further on. */
static void insert_slice(struct attach *a, uint32_t at, const json_t *slice)
{
    ASSERT(at <= a->n_slices);
    if (a->n_slices == a->slices_room) {
        a->slices_room = a->slices_room < 16 ? 16 : 2 * a->slices_room;
        a->slices = realloc(a->slices, a->slices_room * sizeof(a->slices[0]));
        ASSERT(a->slices != NULL);
    }
    memmove(&a->slices[at + 1], &a->slices[at], (a->n_slices - at) * sizeof(a->slices[0]));
    a->slices[at] =
        (struct at_slice){.obj = json_incref((json_t *)(uintptr_t)slice), .key = slice_key(slice)};
    a->n_slices++;
}

static void slice_done(const struct at_slice *slice)
{
    json_decref(slice->obj);
    free(slice->key);
}

static int add_slice_object(void *arg, const json_t *slice)
{
    struct attach *a = arg;
    if (!is_going(slice)) {
        insert_slice(a, a->n_slices, slice);
    }
    return 0;
}

void group_init(struct attach *a)
{
    a->source->foreach(a->source->ctx, model_type(MODEL_ENDPOINT_SLICE), NULL, add_slice_object, a);
    if (a->n_slices > 0) {
        qsort(a->slices, a->n_slices, sizeof(a->slices[0]), compare_slices);
    }
}

void group_done(struct attach *a)
{
    for (uint32_t i = 0; i < a->n_slices; i++) {
        slice_done(&a->slices[i]);
    }
    free(a->slices);
}

/* The slices of a Service: the first, and how many. O(log slices). */
static const struct at_slice *find_slices(const struct attach *a, const char *key, uint32_t *ret_n)
{
    uint32_t low = 0;
    uint32_t high = a->n_slices;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(a->slices[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    uint32_t end = low;
    while (end < a->n_slices && strcmp(a->slices[end].key, key) == 0) {
        end++;
    }
    *ret_n = end - low;
    return &a->slices[low];
}

/* Is its port one of UDP? */
static bool is_by_udp(const struct plan_group *group)
{
    return group->carried == PLAN_CARRIED_UDP || group->carried == PLAN_CARRIED_DNS;
}

uint16_t group_slice_port(const json_t *slice, const struct at_group *g)
{
    bool is_udp = is_by_udp(&g->plan);
    size_t i;
    const json_t *port;
    json_array_foreach(json_object_get(slice, "ports"), i, port)
    {
        if (strcmp(text_at(port, "name"), g->port_name) == 0 &&
            (is_udp ? port_is_udp(port) : port_is_tcp(port))) {
            return (uint16_t)int_at(port, "port");
        }
    }
    return 0;
}

uint32_t group_endpoint_flags(const json_t *endpoint)
{
    const json_t *conditions = json_object_get(endpoint, "conditions");
    const json_t *serving = json_object_get(conditions, "serving");
    bool is_ready = !json_is_false(json_object_get(conditions, "ready"));
    bool is_serving = serving != NULL ? json_is_true(serving) : is_ready;
    bool is_terminating = json_is_true(json_object_get(conditions, "terminating"));
    return (is_ready ? (uint32_t)ENDPOINT_READY : 0) |
           (is_serving ? (uint32_t)ENDPOINT_SERVING : 0) |
           (is_terminating ? (uint32_t)ENDPOINT_TERMINATING : 0);
}

static int compare_endpoints(const void *x, const void *y)
{
    const struct endpoint *a = x;
    const struct endpoint *b = y;
    int by_addr = memcmp(a->addr.bytes, b->addr.bytes, 16);
    return by_addr != 0 ? by_addr : (int)a->port - (int)b->port;
}

/* Adds the endpoints of a slice: of each the first address, others have no meaning. */
static uint32_t add_slice(const json_t *slice, const struct at_group *g, struct endpoint *list)
{
    uint16_t port = group_slice_port(slice, g);
    uint32_t n = 0;
    size_t i;
    const json_t *endpoint;
    json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint)
    {
        const json_t *address = json_array_get(json_object_get(endpoint, "addresses"), 0);
        struct endpoint e = {.port = port, .weight = 1, .flags = group_endpoint_flags(endpoint)};
        if (port != 0 && address != NULL && ip_addr_parse(json_string_value(address), &e.addr) &&
            !ip_addr_is_zero(&e.addr)) {
            list[n++] = e;
        }
    }
    return n;
}

/* Sorted, each once: while slices are rebuilt an endpoint may be in two; then what either says of
 * it holds. */
static uint32_t sort_endpoints(struct endpoint *list, uint32_t n)
{
    uint32_t kept = 0;
    qsort(list, n, sizeof(list[0]), compare_endpoints);
    for (uint32_t i = 0; i < n; i++) {
        if (kept > 0 && compare_endpoints(&list[kept - 1], &list[i]) == 0) {
            list[kept - 1].flags |= list[i].flags;
        } else {
            list[kept++] = list[i];
        }
    }
    return kept < ENDPOINTS_PER_GROUP_MAX ? kept : ENDPOINTS_PER_GROUP_MAX;
}

/* The group's endpoints, where the old ones stand if there is room. */
static void read_endpoints(struct attach *a, struct at_group *g)
{
    uint32_t n_slices;
    if (g->backend != NULL) {
        g->plan.endpoints = g->backend->endpoints;
        g->plan.n_endpoints = g->backend->n_endpoints;
        return;
    }
    const struct at_slice *slices = find_slices(a, g->key, &n_slices);
    size_t room = g->by_nodes != NULL ? (size_t)a->n_nodes * AT_FAMILIES : 0;
    for (uint32_t i = 0; i < n_slices && g->by_nodes == NULL; i++) {
        room += json_array_size(json_object_get(slices[i].obj, "endpoints"));
    }
    if (room > g->endpoints_room) {
        g->endpoints_room = g->endpoints != NULL ? 2 * room : room;
        g->endpoints = ARENA_ARRAY(a->arena, struct endpoint, g->endpoints_room);
    }
    uint32_t n = 0;
    if (g->by_nodes != NULL) {
        n = group_nodes_read(a, g, slices, n_slices, g->endpoints);
    }
    for (uint32_t i = 0; i < n_slices && g->by_nodes == NULL; i++) {
        n += add_slice(slices[i].obj, g, g->endpoints + n);
    }
    g->plan.endpoints = g->endpoints;
    g->plan.n_endpoints = n > 0 ? sort_endpoints(g->endpoints, n) : 0;
}

/* Names of Services are chosen by people who may configure the appliance anyway. */
static struct at_group **bucket_of(struct attach *a, const char *key)
{
    static const struct siphash_key no_key;
    return &a->groups[siphash(&no_key, key, strlen(key)) % AT_GROUP_BUCKETS];
}

const struct at_group *group_first(struct attach *a, const char *key)
{
    return *bucket_of(a, key);
}

/*
 * Which endpoint is next, and how what comes for it gets there. Packets go on without a connection
 * of ours unless something needs one; and where a flow comes out at another box, that has to choose
 * the same endpoint: so by a hash of what all boxes know, unless the policy says otherwise. What is
 * passed on goes by both of its ends, so that clients behind one address are shared, too.
 */
static void read_ways(const struct at_policy *policy, struct plan_group *group)
{
    bool is_balancing_said = policy != NULL && policy->balancing != IMAGE_BALANCING_NONE;
    bool is_way_said = policy != NULL && policy->is_forwarding_said;
    bool needs_connection = group->proxy_header != IMAGE_PROXY_HEADER_NONE || group->tls != NULL;
    bool is_passed_on = group->carried != PLAN_CARRIED_REQUESTS;
    if (is_balancing_said) {
        group->balancing = policy->balancing;
        group->hash_key = policy->hash_key;
        group->hash_name = policy->hash_name;
    } else if (is_passed_on) {
        group->balancing = IMAGE_BALANCING_MAGLEV;
    }
    if (group->balancing == IMAGE_BALANCING_MAGLEV && group->hash_key == IMAGE_HASH_KEY_NONE) {
        group->hash_key = is_passed_on ? IMAGE_HASH_KEY_CONNECTION : IMAGE_HASH_KEY_CLIENT;
    }
    if (is_passed_on && !needs_connection) {
        group->forwarding = is_way_said ? policy->forwarding : IMAGE_FORWARDING_NAT;
    }
    if (group->carried == PLAN_CARRIED_UDP && group->forwarding == IMAGE_FORWARDING_PROXY) {
        group->forwarding = IMAGE_FORWARDING_NAT; /* UDP has no connections */
    }
    if (group->carried == PLAN_CARRIED_DNS) {
        group->forwarding = IMAGE_FORWARDING_NAT; /* each query's answer has to come by us */
    }
}

/* How the port's connections are secured: a Backend says so itself. */
static const struct plan_backend_tls *find_tls(struct attach *a, const struct at_referent *to,
                                               const json_t *port)
{
    if (to->backend != NULL) {
        return to->backend->has_tls ? &to->backend->secured.tls : NULL;
    }
    const struct at_policy *tls = policy_of_port(a, &a->tls_policies, to, port);
    return tls != NULL ? &tls->secured.tls : NULL;
}

/* What the policies of the port say of the group, or what holds without them. */
static void read_policies(struct attach *a, struct plan_group *group, const struct at_referent *to,
                          const json_t *port)
{
    const struct at_policy *policy = policy_of_port(a, &a->transport_policies, to, port);
    const struct at_policy *health = policy_of_port(a, &a->health_policies, to, port);
    group->health = health != NULL ? &health->health : NULL;
    group->tls = find_tls(a, to, port);
    group->congestion = policy != NULL ? policy->congestion : IMAGE_CONGESTION_CUBIC;
    group->balancing = IMAGE_BALANCING_LEAST;
    group->proxy_header = policy != NULL ? policy->proxy_header : IMAGE_PROXY_HEADER_NONE;
    read_ways(policy, group);
    if (policy != NULL && group->carried == PLAN_CARRIED_TCP) {
        group->idle_ms = policy->tcp_idle_ms;
    } else if (policy != NULL && is_by_udp(group)) {
        group->idle_ms = policy->udp_idle_ms;
    }
}

/* What tells groups of one port apart. */
static const char *suffix_of(enum plan_carried carried, enum image_backend_protocol protocol)
{
    static const char *const suffixes[] = {[PLAN_CARRIED_REQUESTS] = "",
                                           [PLAN_CARRIED_TCP] = "/tcp",
                                           [PLAN_CARRIED_UDP] = "/udp",
                                           [PLAN_CARRIED_DNS] = "/dns"};
    return protocol == IMAGE_BACKEND_HTTP2 ? "/h2" : suffixes[carried];
}

const char *backend_key(struct attach *a, const char *namespace, const char *name)
{
    return arena_printf(a->arena, "Backend:%s/%s", namespace, name);
}

struct at_group *group_of(struct attach *a, const struct at_referent *to, const json_t *port,
                          enum plan_carried carried, enum image_backend_protocol protocol)
{
    const char *suffix = suffix_of(carried, protocol);
    const char *key = to->is_backend ? backend_key(a, to->namespace, to->name)
                                     : arena_printf(a->arena, "%s/%s", to->namespace, to->name);
    const char *name = to->is_backend ? arena_printf(a->arena, "%s%s", key, suffix)
                                      : arena_printf(a->arena, "%s:%lld%s", key,
                                                     (long long)int_at(port, "port"), suffix);
    struct at_group **bucket = bucket_of(a, key);
    for (struct at_group *g = *bucket; g != NULL; g = g->next) {
        if (strcmp(g->plan.name, name) == 0) {
            return g;
        }
    }
    struct at_group *g = ARENA_NEW(a->arena, struct at_group);
    g->plan.name = name;
    g->plan.carried = carried;
    g->plan.protocol = protocol;
    read_policies(a, &g->plan, to, port);
    g->key = key;
    g->backend = to->backend;
    g->port_name = text_at(port, "name");
    if (!to->is_backend) {
        group_nodes_set(a, g, to->namespace, to->service, port);
    }
    g->index = a->n_groups++;
    g->next = *bucket;
    *bucket = g;
    a->n_groups_unused++;
    read_endpoints(a, g);
    return g;
}

void group_use(struct attach *a, struct at_route *r, struct at_group *g)
{
    struct at_use *use = ARENA_NEW(a->arena, struct at_use);
    *use = (struct at_use){.next = r->uses, .group = g};
    r->uses = use;
    a->n_groups_unused -= g->n_uses++ == 0;
}

void group_unuse(struct attach *a, const struct at_route *r)
{
    for (const struct at_use *use = r->uses; use != NULL; use = use->next) {
        ASSERT(use->group->n_uses > 0);
        a->n_groups_unused += --use->group->n_uses == 0;
    }
}

/* ---- one slice ---- */

static void take_out(struct attach *a, const char *key, const char *name)
{
    uint32_t n;
    uint32_t first = (uint32_t)(find_slices(a, key, &n) - a->slices);
    for (uint32_t i = first; i < first + n; i++) {
        if (strcmp(slice_name(a->slices[i].obj), name) == 0) {
            slice_done(&a->slices[i]);
            a->n_slices--;
            memmove(&a->slices[i], &a->slices[i + 1], (a->n_slices - i) * sizeof(a->slices[0]));
            return;
        }
    }
}

void group_put_slice(struct attach *a, const json_t *version)
{
    uint32_t n;
    const char *name = slice_name(version);
    char *key = slice_key(version);
    take_out(a, key, name);
    free(key);
    const json_t *now =
        a->source->get(a->source->ctx, model_type(MODEL_ENDPOINT_SLICE),
                       text_at(json_object_get(version, "metadata"), "namespace"), name);
    if (now == NULL || is_going(now)) {
        return;
    }
    key = slice_key(now);
    take_out(a, key, name);
    insert_slice(a, (uint32_t)(find_slices(a, key, &n) - a->slices), now);
    free(key);
}

static void read_again(struct attach *a, struct at_group *g, attach_group_fn fn, void *arg)
{
    read_endpoints(a, g);
    a->plan_groups[g->index] = g->plan;
    fn(arg, &g->plan);
}

/* The endpoints of all groups with the key again. */
static void read_key_again(struct attach *a, const char *key, attach_group_fn fn, void *arg)
{
    for (struct at_group *g = *bucket_of(a, key); g != NULL; g = g->next) {
        if (strcmp(g->key, key) == 0) {
            read_again(a, g, fn, arg);
        }
    }
}

void group_read_nodes_again(struct attach *a, attach_group_fn fn, void *arg)
{
    for (uint32_t i = 0; i < AT_GROUP_BUCKETS; i++) {
        for (struct at_group *g = a->groups[i]; g != NULL; g = g->next) {
            if (g->by_nodes != NULL) {
                read_again(a, g, fn, arg);
            }
        }
    }
}

void group_read_again(struct attach *a, const json_t *slice, attach_group_fn fn, void *arg)
{
    char *key = slice_key(slice);
    read_key_again(a, key, fn, arg);
    free(key);
}

void group_read_backend(struct attach *a, const struct at_backend *b, attach_group_fn fn, void *arg)
{
    read_key_again(a, b->key, fn, arg);
}
