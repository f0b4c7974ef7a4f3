/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of binds, listeners, hosts and of the tries that lead to them: a lookup ends, finds what
 * is there, and finds it under its own name.
 */
#include "abi/image_check.h"

#define VALUE_KIND_UNLESS(cond) ((cond) ? IMAGE_FAULT_OK : IMAGE_FAULT_VALUE_KIND)

enum image_fault image_local_bind(const struct image_view *v, uint32_t i)
{
    const struct image_bind *e = &v->binds[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    if (e->port == 0 || ip_addr_is_zero(&e->addr) || !image_is_congestion(e->congestion))
        return IMAGE_FAULT_VALUE;
    return e->root < v->n_nodes ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

enum image_fault image_cross_bind(const struct image_view *v, uint32_t i)
{
    const struct image_bind *e = &v->binds[i];
    if (!image_is_root(v, e->root, IMAGE_NODE_LISTENERS))
        return IMAGE_FAULT_TRIE;
    return image_bind_find(v, &e->addr, e->port) == i ? IMAGE_FAULT_OK : IMAGE_FAULT_HASH;
}

enum image_fault image_local_bind_slot(const struct image_view *v, uint32_t i)
{
    if (!image_is_power_of_two(v->n_bind_slots))
        return IMAGE_FAULT_HASH;
    uint32_t bind = v->bind_slots[i];
    return bind == IMAGE_NONE || bind < v->n_binds ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

/* Each bind found itself; so as many used slots as binds means that none is used twice. */
enum image_fault image_whole_bind_slots(const struct image_view *v)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < v->n_bind_slots; i++)
        used += v->bind_slots[i] != IMAGE_NONE;
    return used == v->n_binds ? IMAGE_FAULT_OK : IMAGE_FAULT_HASH;
}

enum image_fault image_local_listener(const struct image_view *v, uint32_t i)
{
    const struct image_listener *e = &v->listeners[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    if (e->protocol != IMAGE_PROTOCOL_HTTP || e->port == 0)
        return IMAGE_FAULT_VALUE;
    if (e->root >= v->n_nodes)
        return IMAGE_FAULT_INDEX;
    enum image_fault fault = image_check_text(v, e->name, IMAGE_TEXT_NAME);
    return fault != IMAGE_FAULT_OK ? fault : image_check_text(v, e->hostname, IMAGE_TEXT_HOST);
}

enum image_fault image_cross_listener(const struct image_view *v, uint32_t i)
{
    return image_is_root(v, v->listeners[i].root, IMAGE_NODE_HOSTS) ? IMAGE_FAULT_OK
                                                                    : IMAGE_FAULT_TRIE;
}

static uint32_t value_count(const struct image_view *v, uint8_t kind)
{
    switch (kind) {
    case IMAGE_NODE_LISTENERS:
        return v->n_listeners;
    case IMAGE_NODE_HOSTS:
        return v->n_hosts;
    case IMAGE_NODE_PATHS:
        return v->n_paths;
    default:
        return 0;
    }
}

/* Place of a node in its trie. The parent stands before it, so it was checked already. */
static enum image_fault check_place(const struct image_view *v, uint32_t i)
{
    const struct image_node *e = &v->nodes[i];
    if (e->parent == IMAGE_NONE)
        return e->depth == 0 && e->label.length == 0 ? IMAGE_FAULT_OK : IMAGE_FAULT_TRIE;
    if (e->parent >= i || e->depth > IMAGE_DEPTH_MAX)
        return IMAGE_FAULT_TRIE;
    const struct image_node *parent = &v->nodes[e->parent];
    return e->kind == parent->kind && e->depth == parent->depth + 1 ? IMAGE_FAULT_OK
                                                                    : IMAGE_FAULT_TRIE;
}

enum image_fault image_local_node(const struct image_view *v, uint32_t i)
{
    const struct image_node *e = &v->nodes[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    if (e->kind < IMAGE_NODE_LISTENERS || e->kind > IMAGE_NODE_PATHS)
        return IMAGE_FAULT_VALUE;
    uint32_t n_values = value_count(v, e->kind);
    if (e->exact != IMAGE_NONE && e->exact >= n_values)
        return IMAGE_FAULT_INDEX;
    if (e->subtree != IMAGE_NONE && e->subtree >= n_values)
        return IMAGE_FAULT_INDEX;
    if (e->first_set != IMAGE_NONE && e->first_set >= v->n_pattern_sets)
        return IMAGE_FAULT_INDEX;
    enum image_fault fault = check_place(v, i);
    return fault != IMAGE_FAULT_OK ? fault : image_check_text(v, e->label, IMAGE_TEXT_LABEL);
}

/* Do the labels from `node` up spell `host`? Gives the root that they end at. */
static bool is_host_of(const struct image_view *v, uint32_t node, struct slice host,
                       uint32_t *ret_root)
{
    while (v->nodes[node].parent != IMAGE_NONE) {
        struct slice label = image_text(v, v->nodes[node].label);
        if (!slice_has_prefix(host, label))
            return false;
        host = slice_skip(host, label.len);
        node = v->nodes[node].parent;
        if (v->nodes[node].parent == IMAGE_NONE)
            break;
        if (host.len == 0 || host.ptr[0] != '.')
            return false;
        host = slice_skip(host, 1);
    }
    *ret_root = node;
    return host.len == 0;
}

bool image_is_path_of(const struct image_view *v, uint32_t node, struct slice path)
{
    while (v->nodes[node].parent != IMAGE_NONE) {
        struct slice label = image_text(v, v->nodes[node].label);
        if (path.len < label.len + 1)
            return false;
        size_t before = path.len - label.len;
        if (path.ptr[before - 1] != '/' || !slice_eq(slice_skip(path, before), label))
            return false;
        path.len = before - 1;
        node = v->nodes[node].parent;
    }
    return path.len == 0;
}

/* Is a hostname at home in this field of this node? */
static bool is_host_value(const struct image_view *v, uint32_t node, bool is_exact,
                          struct slice host, uint32_t *ret_root)
{
    bool is_wildcard = slice_has_prefix(host, SLICE_LIT("*."));
    bool is_root = v->nodes[node].parent == IMAGE_NONE;
    if (is_exact)
        return host.len != 0 && !is_wildcard && is_host_of(v, node, host, ret_root);
    if (host.len == 0) {
        *ret_root = node;
        return is_root;
    }
    return is_wildcard && is_host_of(v, node, slice_skip(host, 2), ret_root);
}

static bool is_path_value(const struct image_view *v, uint32_t node, bool is_exact,
                          const struct image_path *path)
{
    struct slice text = image_text(v, path->text);
    if (path->kind != (is_exact ? IMAGE_PATH_EXACT : IMAGE_PATH_PREFIX))
        return false;
    if (!is_exact && text.len == 1)
        text.len = 0; /* the prefix "/" is the root's */
    return image_is_path_of(v, node, text);
}

static enum image_fault check_value(const struct image_view *v, uint32_t node, bool is_exact)
{
    const struct image_node *e = &v->nodes[node];
    uint32_t value = is_exact ? e->exact : e->subtree;
    uint32_t root;
    if (value == IMAGE_NONE)
        return IMAGE_FAULT_OK;
    if (e->kind == IMAGE_NODE_PATHS)
        return VALUE_KIND_UNLESS(is_path_value(v, node, is_exact, &v->paths[value]));
    if (e->kind == IMAGE_NODE_LISTENERS) {
        struct slice hostname = image_text(v, v->listeners[value].hostname);
        return VALUE_KIND_UNLESS(is_host_value(v, node, is_exact, hostname, &root));
    }
    const struct image_host *host = &v->hosts[value];
    return VALUE_KIND_UNLESS(is_host_value(v, node, is_exact, image_text(v, host->name), &root) &&
                             v->listeners[host->listener].root == root);
}

enum image_fault image_cross_node(const struct image_view *v, uint32_t i)
{
    const struct image_node *e = &v->nodes[i];
    if (e->parent != IMAGE_NONE && image_edge_find(v, e->parent, image_text(v, e->label)) != i)
        return IMAGE_FAULT_HASH;
    if (e->first_set != IMAGE_NONE && v->pattern_sets[e->first_set].node != i)
        return IMAGE_FAULT_OWNER;
    enum image_fault fault = check_value(v, i, true);
    return fault != IMAGE_FAULT_OK ? fault : check_value(v, i, false);
}

enum image_fault image_local_node_slot(const struct image_view *v, uint32_t i)
{
    const struct image_slot *e = &v->node_slots[i];
    if (!image_is_power_of_two(v->n_node_slots))
        return IMAGE_FAULT_HASH;
    if (e->node == IMAGE_NONE)
        return e->tag == 0 ? IMAGE_FAULT_OK : IMAGE_FAULT_RESERVED;
    return e->node < v->n_nodes ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

/* Each node but the roots found itself; so equal numbers mean that no slot leads elsewhere. */
enum image_fault image_whole_node_slots(const struct image_view *v)
{
    uint32_t used = 0, edges = 0;
    for (uint32_t i = 0; i < v->n_node_slots; i++)
        used += v->node_slots[i].node != IMAGE_NONE;
    for (uint32_t i = 0; i < v->n_nodes; i++)
        edges += v->nodes[i].parent != IMAGE_NONE;
    return used == edges ? IMAGE_FAULT_OK : IMAGE_FAULT_HASH;
}

enum image_fault image_local_host(const struct image_view *v, uint32_t i)
{
    const struct image_host *e = &v->hosts[i];
    if (e->listener >= v->n_listeners || e->root >= v->n_nodes ||
        !image_is_range(e->first_set, e->n_sets, v->n_pattern_sets))
        return IMAGE_FAULT_INDEX;
    return image_check_text(v, e->name, IMAGE_TEXT_HOST);
}

enum image_fault image_cross_host(const struct image_view *v, uint32_t i)
{
    const struct image_host *e = &v->hosts[i];
    if (!image_is_root(v, e->root, IMAGE_NODE_PATHS))
        return IMAGE_FAULT_TRIE;
    uint32_t first = i == 0 ? image_first_host_set(v) : e[-1].first_set + e[-1].n_sets;
    return e->first_set == first ? image_check_host_sets(v, e) : IMAGE_FAULT_OWNER;
}

/* A host's value stands at one node only (its name's, in its listener's trie): equal numbers mean
 * that each host can be reached. */
enum image_fault image_whole_hosts(const struct image_view *v)
{
    uint32_t values = 0;
    for (uint32_t i = 0; i < v->n_nodes; i++) {
        const struct image_node *e = &v->nodes[i];
        if (e->kind == IMAGE_NODE_HOSTS)
            values += (e->exact != IMAGE_NONE) + (e->subtree != IMAGE_NONE);
    }
    uint32_t sets = image_first_host_set(v);
    if (v->n_hosts != 0)
        sets = v->hosts[v->n_hosts - 1].first_set + v->hosts[v->n_hosts - 1].n_sets;
    return values == v->n_hosts && sets == v->n_pattern_sets ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}
