/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of binds, listeners, hosts and of the tries that lead to them: a lookup ends, finds what
 * is there, and finds it under its own name.
 */
#include "abi/image_check.h"

enum image_fault image_local_bind(const struct image_view *v, uint32_t i)
{
    const struct image_bind *e = &v->binds[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    if (e->is_service > 1 || (e->set != IMAGE_NONE && (e->n_choices != 0 || e->is_proxied)))
        return IMAGE_FAULT_VALUE;
    if (e->port == 0 || ip_addr_is_zero(&e->addr) || !image_is_congestion(e->congestion) ||
        e->kind >= IMAGE_BIND_KINDS || e->is_proxied > 1 ||
        (e->is_proxied && image_is_udp_bind(e->kind)) || e->ends_tls > 1 ||
        (e->kind != IMAGE_BIND_TLS && e->ends_tls != (e->kind == IMAGE_BIND_HTTPS)) ||
        e->n_trusted > (e->is_proxied ? IMAGE_TRUSTED_PER_BIND_MAX : 0))
        return IMAGE_FAULT_VALUE;
    if (!image_is_range(e->first_trusted, e->n_trusted, v->n_trusted) ||
        !image_is_range(e->first_gate, e->n_gates, v->n_gate_uses) ||
        !image_is_range(e->first_choice, e->n_choices, v->n_choices) ||
        (e->set != IMAGE_NONE && e->set >= v->n_client_sets) ||
        (e->limit != IMAGE_NONE && e->limit >= v->n_conn_limits))
        return IMAGE_FAULT_INDEX;
    return e->root < v->n_nodes ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

enum image_fault image_local_trusted(const struct image_view *v, uint32_t i)
{
    const struct image_prefix *e = &v->trusted[i];
    if ((e->reserved[0] | e->reserved[1] | e->reserved[2]) != 0)
        return IMAGE_FAULT_RESERVED;
    return image_is_prefix(e) ? IMAGE_FAULT_OK : IMAGE_FAULT_VALUE;
}

enum image_fault image_cross_bind(const struct image_view *v, uint32_t i)
{
    const struct image_bind *e = &v->binds[i];
    if (!image_is_root(v, e->root, IMAGE_NODE_LISTENERS))
        return IMAGE_FAULT_TRIE;
    bool is_udp = image_is_udp_bind(e->kind);
    uint32_t found = image_bind_find(v, &e->addr, e->port, is_udp);
    if (e->set != IMAGE_NONE) /* that everybody's leads to it is checked there */
        return found != IMAGE_NONE ? IMAGE_FAULT_OK : IMAGE_FAULT_HASH;
    return found == i ? image_check_choices(v, e) : IMAGE_FAULT_HASH;
}

enum image_fault image_local_bind_slot(const struct image_view *v, uint32_t i)
{
    if (!image_is_power_of_two(v->n_bind_slots))
        return IMAGE_FAULT_HASH;
    uint32_t bind = v->bind_slots[i];
    return bind == IMAGE_NONE || bind < v->n_binds ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

/* Each bind of everybody found itself, and each choice is another bind; so as many used slots as
 * binds of everybody means that none is used twice. */
enum image_fault image_whole_bind_slots(const struct image_view *v)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < v->n_bind_slots; i++)
        used += v->bind_slots[i] != IMAGE_NONE;
    return used + v->n_choices == v->n_binds ? IMAGE_FAULT_OK : IMAGE_FAULT_HASH;
}

/* Only who terminates TLS needs to prove who it is, and then it must. */
static bool has_its_identities(const struct image_listener *e)
{
    if (image_is_terminated(e->protocol))
        return e->n_identities >= 1 && e->n_identities <= IMAGE_IDENTITIES_PER_LISTENER_MAX;
    bool is_other = e->protocol == IMAGE_PROTOCOL_HTTP || e->protocol == IMAGE_PROTOCOL_TLS ||
                    e->protocol == IMAGE_PROTOCOL_TCP || e->protocol == IMAGE_PROTOCOL_UDP ||
                    e->protocol == IMAGE_PROTOCOL_DNS;
    return is_other && e->n_identities == 0 && e->first_identity == 0;
}

/* Who asks clients for certificates must know whose. */
static bool has_its_bundle(const struct image_listener *e)
{
    bool is_asking = e->client_auth != IMAGE_CLIENT_AUTH_NONE;
    return e->client_auth < IMAGE_CLIENT_AUTHS && is_asking == (e->bundle != IMAGE_NONE) &&
           (!is_asking || e->protocol == IMAGE_PROTOCOL_HTTPS);
}

/* Without a name it is nobody's: the zeros of a gap, say. */
static enum image_fault check_name(const struct image_view *v, struct image_string name)
{
    return name.length != 0 ? image_check_text(v, name, IMAGE_TEXT_NAME) : IMAGE_FAULT_TEXT;
}

enum image_fault image_local_identity(const struct image_view *v, uint32_t i)
{
    return check_name(v, v->identities[i].name);
}

enum image_fault image_local_bundle(const struct image_view *v, uint32_t i)
{
    return check_name(v, v->bundles[i].name);
}

enum image_fault image_local_listener(const struct image_view *v, uint32_t i)
{
    const struct image_listener *e = &v->listeners[i];
    if (!has_its_identities(e) || !has_its_bundle(e) || e->port == 0)
        return IMAGE_FAULT_VALUE;
    if (e->root >= v->n_nodes || (e->bundle != IMAGE_NONE && e->bundle >= v->n_bundles) ||
        (e->identity != IMAGE_NONE && e->identity >= v->n_identities) ||
        !image_is_range(e->first_identity, e->n_identities, v->n_identities))
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

/* Place of a node in its trie. Each is one deeper than its parent, so a way up ends. */
static enum image_fault check_place(const struct image_view *v, uint32_t i)
{
    const struct image_node *e = &v->nodes[i];
    uint16_t depth = v->node_rests[i].depth;
    if (e->parent == IMAGE_NONE)
        return depth == 0 && e->label_bytes == 0 ? IMAGE_FAULT_OK : IMAGE_FAULT_TRIE;
    if (e->parent >= v->n_nodes || depth > IMAGE_DEPTH_MAX)
        return IMAGE_FAULT_TRIE;
    const struct image_node *parent = &v->nodes[e->parent];
    bool is_child = e->kind == parent->kind && depth == v->node_rests[e->parent].depth + 1;
    return is_child && (parent->flags & IMAGE_NODE_HAS_CHILDREN) != 0 ? IMAGE_FAULT_OK
                                                                      : IMAGE_FAULT_TRIE;
}

/* Is the label text, and its head the beginning of it? */
static enum image_fault check_label(const struct image_view *v, uint32_t i)
{
    const struct image_node *e = &v->nodes[i];
    enum image_fault fault = image_check_text(
        v, (struct image_string){v->node_rests[i].label, e->label_bytes}, IMAGE_TEXT_LABEL);
    if (fault != IMAGE_FAULT_OK)
        return fault;
    uint8_t head[IMAGE_HEAD_BYTES] = {0};
    uint32_t most = image_node_head_bytes(e);
    struct slice label = image_label(v, i);
    if (label.len != 0)
        memcpy(head, label.ptr, label.len < most ? label.len : most);
    return memcmp(head, e->head, most) == 0 ? IMAGE_FAULT_OK : IMAGE_FAULT_VALUE;
}

bool image_is_value_possible(const struct image_value *value, uint32_t n)
{
    if (value->index == IMAGE_NONE)
        return value->to == IMAGE_NONE && value->more == IMAGE_NONE;
    return value->index < n;
}

static enum image_fault check_free(const struct image_node *e)
{
    static const struct image_node zero;
    return memcmp(e, &zero, sizeof(zero)) == 0 ? IMAGE_FAULT_OK : IMAGE_FAULT_RESERVED;
}

/* Is it a value that is there, or one that is not? */
static bool is_value(const struct image_value *value, bool is_there, uint32_t n)
{
    return image_is_value_possible(value, n) && (value->index != IMAGE_NONE) == is_there;
}

/* Are values where the flags say, and nowhere else? */
static bool are_values_possible(const struct image_view *v, uint32_t i)
{
    const struct image_node *e = &v->nodes[i];
    bool has_exact = (e->flags & IMAGE_NODE_HAS_EXACT) != 0;
    bool has_subtree = (e->flags & IMAGE_NODE_HAS_SUBTREE) != 0;
    uint32_t n = value_count(v, e->kind);
    if (!is_value(&v->node_rests[i].subtree, has_exact && has_subtree, n))
        return false;
    if ((e->flags & IMAGE_NODE_IS_LONE) != 0) /* what it says is compared with its set's, later */
        return !has_exact && !has_subtree && (e->flags & IMAGE_NODE_HAS_SETS) != 0;
    return is_value(&e->value, has_exact || has_subtree, n);
}

static bool is_first_set_possible(const struct image_view *v, uint32_t i)
{
    uint32_t first = v->node_rests[i].first_set;
    bool has_sets = (v->nodes[i].flags & IMAGE_NODE_HAS_SETS) != 0;
    return has_sets ? first < v->n_pattern_sets : first == IMAGE_NONE;
}

enum image_fault image_local_node(const struct image_view *v, uint32_t i)
{
    const struct image_node *e = &v->nodes[i];
    if (!image_is_power_of_two(v->n_nodes) || v->n_node_rests != v->n_nodes)
        return IMAGE_FAULT_HASH;
    if (e->kind == 0)
        return check_free(e);
    if (e->kind > IMAGE_NODE_PATHS || e->flags > IMAGE_NODE_FLAGS)
        return IMAGE_FAULT_VALUE;
    if (!are_values_possible(v, i) || !is_first_set_possible(v, i))
        return IMAGE_FAULT_INDEX;
    enum image_fault fault = check_place(v, i);
    return fault != IMAGE_FAULT_OK ? fault : check_label(v, i);
}

enum image_fault image_local_node_rest(const struct image_view *v, uint32_t i)
{
    static const struct image_node_rest zero;
    const struct image_node_rest *e = &v->node_rests[i];
    if (v->n_node_rests != v->n_nodes)
        return IMAGE_FAULT_HASH;
    bool is_right = v->nodes[i].kind != 0 ? e->reserved == 0 : memcmp(e, &zero, sizeof(zero)) == 0;
    return is_right ? IMAGE_FAULT_OK : IMAGE_FAULT_RESERVED;
}

/* Do the labels from `node` up spell `host`? Gives the root that they end at. */
static bool is_host_of(const struct image_view *v, uint32_t node, struct slice host,
                       uint32_t *ret_root)
{
    while (v->nodes[node].parent != IMAGE_NONE) {
        struct slice label = image_label(v, node);
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
        struct slice label = image_label(v, node);
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

bool image_is_path_told(const struct image_view *v, const struct image_value *value)
{
    const struct image_path *path = &v->paths[value->index];
    const struct image_match *match = &v->matches[path->first_match];
    if (path->n_guards != 0 || !image_is_match_open(match))
        return value->to == IMAGE_NONE && value->more == IMAGE_NONE;
    return value->to == path->first_match && value->more == match->rule;
}

static enum image_fault check_host_value(const struct image_view *v, uint32_t node, bool is_exact,
                                         const struct image_value *value)
{
    const struct image_host *host = &v->hosts[value->index];
    uint32_t root;
    if (!is_host_value(v, node, is_exact, image_text(v, host->name), &root) ||
        v->listeners[host->listener].root != root)
        return IMAGE_FAULT_VALUE_KIND;
    if (value->to != host->root || value->more != image_host_sets(v, host))
        return IMAGE_FAULT_VALUE;
    return v->node_rests[host->root].hash == image_below_hash(v->node_rests[node].hash, is_exact)
               ? IMAGE_FAULT_OK
               : IMAGE_FAULT_HASH;
}

static enum image_fault check_value(const struct image_view *v, uint32_t node, bool is_exact)
{
    const struct image_node *e = &v->nodes[node];
    const struct image_value *value =
        is_exact ? image_node_exact(v, node) : image_node_subtree(v, node);
    uint32_t root;
    if (value == NULL)
        return IMAGE_FAULT_OK;
    if (e->kind == IMAGE_NODE_HOSTS)
        return check_host_value(v, node, is_exact, value);
    if (e->kind == IMAGE_NODE_PATHS) {
        if (!is_path_value(v, node, is_exact, &v->paths[value->index]))
            return IMAGE_FAULT_VALUE_KIND;
        return image_is_path_told(v, value) ? IMAGE_FAULT_OK : IMAGE_FAULT_VALUE;
    }
    const struct image_listener *listener = &v->listeners[value->index];
    if (!is_host_value(v, node, is_exact, image_text(v, listener->hostname), &root))
        return IMAGE_FAULT_VALUE_KIND;
    return value->to == listener->root && value->more == 0 ? IMAGE_FAULT_OK : IMAGE_FAULT_VALUE;
}

/* Is it found by its label? */
static bool is_found(const struct image_view *v, uint32_t i)
{
    uint32_t parent = v->nodes[i].parent;
    uint64_t hash = v->node_rests[i].hash;
    struct slice label = image_label(v, i);
    return hash == image_edge_hash(v->header->hash_seed, v->node_rests[parent].hash, label) &&
           image_node_find(v, parent, label, hash) == i;
}

enum image_fault image_cross_node(const struct image_view *v, uint32_t i)
{
    const struct image_node *e = &v->nodes[i];
    if (e->kind == 0)
        return IMAGE_FAULT_OK;
    if (e->parent != IMAGE_NONE && !is_found(v, i))
        return IMAGE_FAULT_HASH;
    if ((e->flags & IMAGE_NODE_HAS_SETS) != 0 &&
        v->pattern_sets[v->node_rests[i].first_set].node != i)
        return IMAGE_FAULT_OWNER;
    if ((e->flags & IMAGE_NODE_IS_LONE) != 0)
        return image_is_lone_told(v, i) ? IMAGE_FAULT_OK : IMAGE_FAULT_VALUE;
    enum image_fault fault = check_value(v, i, true);
    return fault != IMAGE_FAULT_OK ? fault : check_value(v, i, false);
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
        if (v->nodes[i].kind == IMAGE_NODE_HOSTS)
            values += (image_node_exact(v, i) != NULL) + (image_node_subtree(v, i) != NULL);
    }
    uint32_t sets = image_first_host_set(v);
    if (v->n_hosts != 0)
        sets = v->hosts[v->n_hosts - 1].first_set + v->hosts[v->n_hosts - 1].n_sets;
    return values == v->n_hosts && sets == v->n_pattern_sets ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}
