/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tries as the image has them: nodes are made in some order and named by it, and in the image
 * they lie where their hashes say. A host's node tells where that of its paths begins, so it comes
 * first.
 */
#include "compile/image_builder_priv.h"

#include "base/assert.h"

/* The hash of the roots that a host's node leads to. */
static void hash_below(struct image_builder *b, const struct builder_node *node)
{
    const struct image_host *hosts = ENTRIES(b, HOSTS, const struct image_host);
    if (node->exact != IMAGE_NONE)
        image_builder_node(b, hosts[node->exact].root)->hash = image_below_hash(node->hash, true);
    if (node->subtree != IMAGE_NONE)
        image_builder_node(b, hosts[node->subtree].root)->hash =
            image_below_hash(node->hash, false);
}

static void hash_nodes(struct image_builder *b, uint64_t seed)
{
    for (uint32_t i = 0; i < b->nodes.count; i++) {
        struct builder_node *node = image_builder_node(b, i);
        struct slice label = image_builder_text(b, node->label);
        if (node->parent != IMAGE_NONE)
            node->hash = image_edge_hash(seed, image_builder_node(b, node->parent)->hash, label);
        else if (node->kind != IMAGE_NODE_PATHS)
            node->hash = image_edge_hash(seed, i, label); /* any will do */
        if (node->kind == IMAGE_NODE_HOSTS)
            hash_below(b, node);
    }
}

/* The first free of the places that a hash may have; IMAGE_NONE: there is none. */
static uint32_t free_place(const struct image_node *table, uint32_t count, uint64_t hash)
{
    for (uint32_t i = 0; i < IMAGE_PROBES_MAX; i++) {
        uint32_t place = image_node_place(hash, i, count);
        if (table[place].kind == 0)
            return place;
    }
    return IMAGE_NONE;
}

bool image_builder_place_nodes(struct image_builder *b, uint64_t seed)
{
    struct image_node *table = ENTRIES(b, NODES, struct image_node);
    uint32_t count = SECTION(b, NODES)->count;
    if (count == 0)
        return true;
    memset(table, 0, (size_t)count * sizeof(*table));
    hash_nodes(b, seed);
    for (uint32_t i = 0; i < b->nodes.count; i++) {
        struct builder_node *node = image_builder_node(b, i);
        node->place = free_place(table, count, node->hash);
        if (node->place == IMAGE_NONE)
            return false;
        table[node->place].kind = node->kind;
    }
    return true;
}

static uint32_t place_of(const struct image_builder *b, uint32_t node)
{
    return node == IMAGE_NONE ? IMAGE_NONE : image_builder_node(b, node)->place;
}

static struct image_value path_value(const struct image_builder *b, uint32_t index)
{
    const struct image_path *path = &ENTRIES(b, PATHS, const struct image_path)[index];
    const struct image_match *match =
        &ENTRIES(b, MATCHES, const struct image_match)[path->first_match];
    if (path->n_guards != 0 || !image_is_match_open(match)) {
        return (struct image_value){index, IMAGE_NONE, IMAGE_NONE};
    }
    return (struct image_value){index, path->first_match, match->rule};
}

static enum image_host_sets host_sets(const struct image_builder *b, const struct image_host *host)
{
    if (host->n_sets == 0) {
        return IMAGE_HOST_SETS_NONE;
    }
    return image_builder_node(b, host->root)->first_set == IMAGE_NONE ? IMAGE_HOST_SETS_BELOW
                                                                      : IMAGE_HOST_SETS_ROOT;
}

static struct image_value value_of(const struct image_builder *b, uint8_t kind, uint32_t index)
{
    if (index == IMAGE_NONE) {
        return (struct image_value){IMAGE_NONE, IMAGE_NONE, IMAGE_NONE};
    }
    if (kind == IMAGE_NODE_PATHS) {
        return path_value(b, index);
    }
    if (kind == IMAGE_NODE_LISTENERS) {
        const struct image_listener *e = ENTRIES(b, LISTENERS, const struct image_listener);
        return (struct image_value){index, place_of(b, e[index].root), 0};
    }
    const struct image_host *e = ENTRIES(b, HOSTS, const struct image_host);
    return (struct image_value){index, place_of(b, e[index].root), host_sets(b, &e[index])};
}

/* With what their paths lead to, as the paths of nodes. */
static void write_patterns(struct image_builder *b)
{
    struct image_pattern *patterns = ENTRIES(b, PATTERNS, struct image_pattern);
    for (uint32_t i = 0; i < SECTION(b, PATTERNS)->count; i++) {
        if (patterns[i].value.index != IMAGE_NONE) {
            patterns[i].value = path_value(b, patterns[i].value.index);
        }
    }
}

/* If the node has one pattern and nothing else, tells that in the node. After the patterns. */
static void write_lone(const struct image_builder *b, const struct builder_node *node,
                       struct image_node *e)
{
    const struct image_pattern_set *sets = ENTRIES(b, PATTERN_SETS, const struct image_pattern_set);
    uint32_t first = node->first_set;
    if (first == IMAGE_NONE || node->exact != IMAGE_NONE || node->subtree != IMAGE_NONE ||
        sets[first].n_patterns != 1) {
        return;
    }
    if (first + 1 < SECTION(b, PATTERN_SETS)->count && sets[first + 1].node == sets[first].node) {
        return;
    }
    const struct image_pattern *pattern =
        &ENTRIES(b, PATTERNS, const struct image_pattern)[sets[first].first_pattern];
    image_node_set_lone(e, &(struct image_lone){sets[first].database, pattern->value});
}

static void write_nodes(struct image_builder *b)
{
    struct image_node *table = ENTRIES(b, NODES, struct image_node);
    for (uint32_t i = 0; i < b->nodes.count; i++) {
        const struct builder_node *node = image_builder_node(b, i);
        struct slice label = image_builder_text(b, node->label);
        struct image_node *e = &table[node->place];
        *e = (struct image_node){
            .hash = node->hash,
            .parent = place_of(b, node->parent),
            .label = node->label.offset,
            .label_bytes = (uint16_t)label.len, /* IMAGE_PATTERN_BYTES_MAX at most */
            .depth = node->depth,
            .kind = node->kind,
            .has_children = node->has_children,
            .exact = value_of(b, node->kind, node->exact),
            .subtree = value_of(b, node->kind, node->subtree),
            .first_set = node->first_set,
        };
        ASSERT(label.len <= UINT16_MAX);
        if (label.len != 0)
            memcpy(e->head, label.ptr, label.len < sizeof(e->head) ? label.len : sizeof(e->head));
        write_lone(b, node, e);
    }
}

void image_builder_write_values(struct image_builder *b)
{
    write_patterns(b);
    write_nodes(b);
}

void image_builder_name_places(const struct image_builder *b, const struct image_view *image)
{
    struct image_bind *binds = (struct image_bind *)(uintptr_t)image->binds;
    struct image_listener *listeners = (struct image_listener *)(uintptr_t)image->listeners;
    struct image_host *hosts = (struct image_host *)(uintptr_t)image->hosts;
    struct image_pattern_set *sets = (struct image_pattern_set *)(uintptr_t)image->pattern_sets;
    for (uint32_t i = 0; i < image->n_binds; i++) {
        binds[i].root = place_of(b, binds[i].root);
    }
    for (uint32_t i = 0; i < image->n_listeners; i++) {
        listeners[i].root = place_of(b, listeners[i].root);
    }
    for (uint32_t i = 0; i < image->n_hosts; i++) {
        hosts[i].root = place_of(b, hosts[i].root);
    }
    for (uint32_t i = 0; i < image->n_pattern_sets; i++) {
        sets[i].node = place_of(b, sets[i].node);
    }
}
