/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes, as far as traffic goes to them: their addresses, whether they are to get any, and which
 * pods are behind them. They change often (a status every few minutes, a label, an image list), so
 * what is read of one is compared with what was read before.
 *
 * As a cluster's own load balancers have it: a Node that is not Ready, or has the label
 * node.kubernetes.io/exclude-from-external-load-balancers, gets nothing. One that is cordoned keeps
 * what it has, and gets nothing new while another is there.
 */
#include "attach/attach_priv.h"

#include <string.h>

#define EXCLUDE_LABEL "node.kubernetes.io/exclude-from-external-load-balancers"

/* Without any word of it, a Node is ready: somebody wrote it by hand. */
static bool is_ready(const json_t *node)
{
    size_t i;
    const json_t *condition;
    json_array_foreach(at_path(node, "status", "conditions"), i, condition)
    {
        if (strcmp(text_at(condition, "type"), "Ready") == 0) {
            return strcmp(text_at(condition, "status"), "True") == 0;
        }
    }
    return true;
}

static uint32_t flags_of(const json_t *node)
{
    const json_t *labels = at_path(node, "metadata", "labels");
    if (!is_ready(node) || json_object_get(labels, EXCLUDE_LABEL) != NULL) {
        return 0;
    }
    bool is_cordoned = json_is_true(at_path(node, "spec", "unschedulable"));
    return ENDPOINT_SERVING | (is_cordoned ? ENDPOINT_TERMINATING : ENDPOINT_READY);
}

/* The first InternalIP of each family. */
static void read_addresses(const json_t *node, struct ip_addr ret[AT_FAMILIES])
{
    size_t i;
    const json_t *item;
    json_array_foreach(at_path(node, "status", "addresses"), i, item)
    {
        struct ip_addr addr;
        if (strcmp(text_at(item, "type"), "InternalIP") != 0 ||
            !ip_addr_parse(text_at(item, "address"), &addr)) {
            continue;
        }
        struct ip_addr *place = &ret[ip_addr_is_v4(&addr) ? AT_V4 : AT_V6];
        if (ip_addr_is_zero(place)) {
            *place = addr;
        }
    }
}

static void add_pods(struct at_node *n, const char *cidr)
{
    if (cidr[0] == '\0' || n->n_pods == AT_NODE_PODS_MAX) {
        return;
    }
    struct plan_prefix p = network_prefix(cidr);
    for (uint32_t i = 0; i < n->n_pods; i++) {
        if (n->pods[i].length == p.length && ip_addr_eq(&n->pods[i].addr, &p.addr)) {
            return;
        }
    }
    n->pods[n->n_pods++] = p;
}

static struct at_node read_node(const struct attach *a, const json_t *node)
{
    struct at_node n = {.name = text_at(json_object_get(node, "metadata"), "name"),
                        .flags = flags_of(node)};
    n.cluster = cluster_of(a, n.name);
    read_addresses(node, n.addresses);
    const json_t *spec = json_object_get(node, "spec");
    size_t i;
    const json_t *cidr;
    add_pods(&n, text_at(spec, "podCIDR"));
    json_array_foreach(json_object_get(spec, "podCIDRs"), i, cidr)
    {
        add_pods(&n, json_string_value(cidr));
    }
    return n;
}

void node_run(struct attach *a)
{
    const json_t **objects = collect_by_name(a, MODEL_NODE, &a->n_nodes);
    a->nodes_room = a->n_nodes;
    a->nodes = ARENA_ARRAY(a->arena, struct at_node, a->n_nodes);
    for (uint32_t i = 0; i < a->n_nodes; i++) {
        a->nodes[i] = read_node(a, objects[i]);
    }
}

/* Where the node of that name is, or would be. O(log nodes). */
static uint32_t place_of(const struct attach *a, const char *name)
{
    uint32_t low = 0;
    uint32_t high = a->n_nodes;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(a->nodes[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t node_find(const struct attach *a, const char *name)
{
    uint32_t at = place_of(a, name);
    return at < a->n_nodes && strcmp(a->nodes[at].name, name) == 0 ? at : PLAN_NONE;
}

/* Do the same ways lead to its pods? `NULL`: it is not there. */
static bool has_same_ways(const struct at_node *x, const struct at_node *y)
{
    bool x_has = x != NULL && x->cluster != NULL && x->cluster->has_pod_routes && x->n_pods > 0;
    bool y_has = y != NULL && y->cluster != NULL && y->cluster->has_pod_routes && y->n_pods > 0;
    if (!x_has || !y_has) {
        return x_has == y_has;
    }
    for (uint32_t i = 0; i < x->n_pods && x->n_pods == y->n_pods; i++) {
        if (x->pods[i].length != y->pods[i].length ||
            !ip_addr_eq(&x->pods[i].addr, &y->pods[i].addr)) {
            return false;
        }
    }
    return x->n_pods == y->n_pods && memcmp(x->addresses, y->addresses, sizeof(x->addresses)) == 0;
}

static void make_room(struct attach *a)
{
    const struct at_node *old = a->nodes;
    if (a->n_nodes < a->nodes_room) {
        return;
    }
    a->nodes_room = a->nodes_room < 16 ? 16 : 2 * a->nodes_room;
    a->nodes = ARENA_ARRAY(a->arena, struct at_node, a->nodes_room);
    if (a->n_nodes > 0) {
        memcpy(a->nodes, old, a->n_nodes * sizeof(old[0]));
    }
}

/* Puts what is there now in the place of what was; NULL: nothing. */
static void replace(struct attach *a, const char *name, const struct at_node *now)
{
    uint32_t at = place_of(a, name);
    bool was_there = node_find(a, name) != PLAN_NONE;
    if (now != NULL && !was_there) {
        make_room(a);
        memmove(&a->nodes[at + 1], &a->nodes[at], (a->n_nodes - at) * sizeof(a->nodes[0]));
        a->n_nodes++;
    } else if (now == NULL && was_there) {
        a->n_nodes--;
        memmove(&a->nodes[at], &a->nodes[at + 1], (a->n_nodes - at) * sizeof(a->nodes[0]));
    }
    if (now != NULL) {
        a->nodes[at] = *now;
    }
}

bool node_put(struct attach *a, const json_t *version, bool *ret_has_changed)
{
    const char *name = text_at(json_object_get(version, "metadata"), "name");
    const json_t *object = find_object(a, MODEL_NODE, NULL, name);
    uint32_t at = node_find(a, name);
    struct at_node now = {0};
    const struct at_node *was = at != PLAN_NONE ? &a->nodes[at] : NULL;
    bool is_there = object != NULL && !is_going(object);
    if (is_there) {
        now = read_node(a, object);
    }
    if (!has_same_ways(was, is_there ? &now : NULL)) {
        return false;
    }
    bool is_same = is_there == (was != NULL) &&
                   (!is_there || (was->flags == now.flags && memcmp(was->addresses, now.addresses,
                                                                    sizeof(now.addresses)) == 0));
    if (!is_same || is_there) { /* its texts are the new object's */
        replace(a, name, is_there ? &now : NULL);
    }
    *ret_has_changed |= !is_same;
    return true;
}
