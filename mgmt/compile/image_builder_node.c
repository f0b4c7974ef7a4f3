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
    uint32_t count = SECTION(b, NODES)->count;
    if (count == 0)
        return true;
    /* both halves of a free place are zero */
    if (!image_vec_reset(b, SECTION(b, NODES), count) ||
        !image_vec_reset(b, SECTION(b, NODE_RESTS), count))
        return false; /* b->error says why */
    struct image_node *table = ENTRIES(b, NODES, struct image_node);
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

/* Has the node one pattern and nothing else? Then `*ret` is that. After the patterns. */
static bool is_lone(const struct image_builder *b, const struct builder_node *node,
                    struct image_lone *ret)
{
    const struct image_pattern_set *sets = ENTRIES(b, PATTERN_SETS, const struct image_pattern_set);
    uint32_t first = node->first_set;
    if (first == IMAGE_NONE || node->exact != IMAGE_NONE || node->subtree != IMAGE_NONE ||
        sets[first].n_patterns != 1) {
        return false;
    }
    if (first + 1 < SECTION(b, PATTERN_SETS)->count && sets[first + 1].node == sets[first].node) {
        return false;
    }
    const struct image_pattern *pattern =
        &ENTRIES(b, PATTERNS, const struct image_pattern)[sets[first].first_pattern];
    *ret = (struct image_lone){sets[first].database, pattern->value};
    return true;
}

static uint8_t flags_of(const struct builder_node *node)
{
    unsigned flags = 0;
    if (node->has_children)
        flags |= IMAGE_NODE_HAS_CHILDREN;
    if (node->exact != IMAGE_NONE)
        flags |= IMAGE_NODE_HAS_EXACT;
    if (node->subtree != IMAGE_NONE)
        flags |= IMAGE_NODE_HAS_SUBTREE;
    if (node->first_set != IMAGE_NONE)
        flags |= IMAGE_NODE_HAS_SETS;
    return (uint8_t)flags;
}

static void write_head(const struct image_builder *b, const struct builder_node *node,
                       struct image_node *e)
{
    struct slice label = image_builder_text(b, node->label);
    uint32_t most = image_node_head_bytes(e);
    ASSERT(label.len <= UINT16_MAX); /* IMAGE_PATTERN_BYTES_MAX at most */
    e->label_bytes = (uint16_t)label.len;
    if (label.len != 0)
        memcpy(e->head, label.ptr, label.len < most ? label.len : most);
}

static void write_node(const struct image_builder *b, const struct builder_node *node,
                       struct image_node *e, struct image_node_rest *rest)
{
    struct image_value exact = value_of(b, node->kind, node->exact);
    struct image_value subtree = value_of(b, node->kind, node->subtree);
    struct image_value none = value_of(b, node->kind, IMAGE_NONE);
    bool has_exact = node->exact != IMAGE_NONE;
    struct image_lone lone;
    *e = (struct image_node){
        .parent = place_of(b, node->parent),
        .value = has_exact ? exact : subtree,
        .kind = node->kind,
        .flags = flags_of(node),
    };
    *rest = (struct image_node_rest){
        .hash = node->hash,
        .label = node->label.offset,
        .first_set = node->first_set,
        .subtree = has_exact ? subtree : none,
        .depth = node->depth,
    };
    if (is_lone(b, node, &lone)) {
        e->flags |= IMAGE_NODE_IS_LONE;
        e->value = lone.value;
        memcpy(e->head + IMAGE_LONE_HEAD_BYTES, &lone.database, sizeof(lone.database));
    }
    write_head(b, node, e);
}

static void write_nodes(struct image_builder *b)
{
    for (uint32_t i = 0; i < b->nodes.count; i++) {
        const struct builder_node *node = image_builder_node(b, i);
        write_node(b, node, &ENTRIES(b, NODES, struct image_node)[node->place],
                   &ENTRIES(b, NODE_RESTS, struct image_node_rest)[node->place]);
    }
}

uint32_t image_builder_path_ahead(const struct image_builder *b)
{
    uint64_t depths = 0, n = 0;
    for (uint32_t i = 0; i < b->nodes.count; i++) {
        const struct builder_node *node = image_builder_node(b, i);
        bool has_any = node->exact != IMAGE_NONE || node->subtree != IMAGE_NONE ||
                       node->first_set != IMAGE_NONE;
        if (node->kind != IMAGE_NODE_PATHS || !has_any)
            continue;
        depths += node->depth;
        n++;
    }
    uint64_t average = n == 0 ? 0 : (depths + n / 2) / n;
    return average < IMAGE_PATH_AHEAD_MAX ? (uint32_t)average : IMAGE_PATH_AHEAD_MAX;
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
