/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries and hash tables of the image being built. A label is a part of the whole name's string, so
 * a name is stored once.
 *
 * The tables of the image are made last. A key may stand at most IMAGE_PROBES_MAX places from home;
 * when one does not fit, another seed is tried, then a table of twice the size. The seed is tried
 * in a fixed order, so the same content gives the same bytes; somebody who chooses names so that
 * they collide under the first seeds has to find other names for each of them.
 */
#include "compile/image_builder_priv.h"

#include "base/assert.h"

#include <errno.h>

#define SEEDS_PER_SIZE 4u

struct edge_key {
    uint32_t parent;
    struct slice label;
};

static const struct image_node *node_at(const struct image_builder *b, uint32_t index)
{
    ASSERT(index < SECTION(b, NODES)->count);
    return &ENTRIES(b, NODES, const struct image_node)[index];
}

static bool is_edge_equal(const struct image_builder *b, uint32_t index, const void *key)
{
    const struct edge_key *k = key;
    const struct image_node *node = node_at(b, index);
    return node->parent == k->parent && slice_eq(image_builder_text(b, node->label), k->label);
}

static uint64_t edge_rehash(const struct image_builder *b, uint32_t index)
{
    const struct image_node *node = node_at(b, index);
    return image_edge_hash(0, node->parent, image_builder_text(b, node->label));
}

uint32_t image_builder_root(struct image_builder *b, enum image_node_kind kind)
{
    struct image_node *node = image_vec_push(b, SECTION(b, NODES));
    if (node == NULL)
        return IMAGE_NONE;
    *node = (struct image_node){
        .parent = IMAGE_NONE, .exact = IMAGE_NONE, .subtree = IMAGE_NONE, .kind = (uint8_t)kind};
    return SECTION(b, NODES)->count - 1;
}

/* The child of `parent` by a label that lies in the string section. */
static uint32_t child_of(struct image_builder *b, uint32_t parent, struct slice label)
{
    struct edge_key edge = {parent, label};
    struct image_index_key key = {image_edge_hash(0, parent, label), &edge, is_edge_equal,
                                  edge_rehash};
    uint32_t index = image_index_find(b, &b->by_edge, &key);
    if (index != IMAGE_NONE)
        return index;
    struct image_node *node = image_vec_push(b, SECTION(b, NODES));
    if (node == NULL)
        return IMAGE_NONE;
    const struct image_node *above = node_at(b, parent);
    ASSERT(above->depth < IMAGE_DEPTH_MAX);
    *node = (struct image_node){
        .parent = parent,
        .exact = IMAGE_NONE,
        .subtree = IMAGE_NONE,
        .kind = above->kind,
        .depth = (uint16_t)(above->depth + 1),
    };
    if (label.len != 0)
        node->label = (struct image_string){(uint32_t)(label.ptr - SECTION(b, STRINGS)->bytes),
                                            (uint32_t)label.len};
    index = SECTION(b, NODES)->count - 1;
    return image_index_add(b, &b->by_edge, &key, index) ? index : IMAGE_NONE;
}

/* The node below `root` that the labels of `text` lead to. */
static uint32_t node_of(struct image_builder *b, uint32_t root, struct slice text,
                        bool (*next)(struct slice *rest, struct slice *ret))
{
    uint32_t node = root;
    struct slice label;
    while (node != IMAGE_NONE && next(&text, &label))
        node = child_of(b, node, label);
    return node;
}

static uint32_t *value_of(struct image_builder *b, uint32_t node, bool is_exact)
{
    if (node == IMAGE_NONE)
        return NULL;
    struct image_node *n = &ENTRIES(b, NODES, struct image_node)[node];
    return is_exact ? &n->exact : &n->subtree;
}

uint32_t *image_builder_host_value(struct image_builder *b, uint32_t root, struct image_string host)
{
    struct slice text = image_builder_text(b, host);
    bool is_wildcard = slice_has_prefix(text, SLICE_LIT("*."));
    struct slice rest = image_host_rest(is_wildcard ? slice_skip(text, 2) : text);
    uint32_t node = node_of(b, root, rest, image_host_label);
    return value_of(b, node, text.len != 0 && !is_wildcard);
}

uint32_t *image_builder_path_value(struct image_builder *b, uint32_t root, struct image_string path,
                                   enum image_path_kind kind)
{
    struct slice text = image_builder_text(b, path);
    if (kind == IMAGE_PATH_PREFIX && text.len == 1)
        text.len = 0; /* the prefix "/" is the root's */
    return value_of(b, node_of(b, root, text, image_path_label), kind == IMAGE_PATH_EXACT);
}

/* Makes a section hold `count` entries of all ones: free slots. */
static int resize_slots(struct image_builder *b, struct image_vec *vec, uint32_t count)
{
    vec->count = 0;
    while (vec->count < count) {
        if (image_vec_push(b, vec) == NULL)
            return b->error;
    }
    if (count != 0)
        memset(vec->bytes, 0xff, (size_t)count * vec->entry_size);
    return 0;
}

/* The first free of the places that a key may have; IMAGE_NONE: there is none. */
static uint32_t free_slot(const struct image_vec *vec, size_t node_offset, uint64_t hash)
{
    for (uint32_t i = 0; i < IMAGE_PROBES_MAX; i++) {
        uint32_t slot = ((uint32_t)hash + i) & (vec->count - 1);
        uint32_t taken;
        memcpy(&taken, vec->bytes + (size_t)slot * vec->entry_size + node_offset, sizeof(taken));
        if (taken == IMAGE_NONE)
            return slot;
    }
    return IMAGE_NONE;
}

/* Puts an index into a table of struct image_slot. False: there is no place near enough. */
static bool place_slot(struct image_vec *vec, uint64_t hash, uint32_t index)
{
    uint32_t at = free_slot(vec, offsetof(struct image_slot, node), hash);
    if (at == IMAGE_NONE)
        return false;
    struct image_slot *slots = (struct image_slot *)(void *)vec->bytes;
    slots[at] = (struct image_slot){(uint32_t)(hash >> 32), index};
    return true;
}

/* A free slot has tag 0. */
static void clear_free_tags(struct image_vec *vec)
{
    struct image_slot *slots = (struct image_slot *)(void *)vec->bytes;
    for (uint32_t i = 0; i < vec->count; i++) {
        if (slots[i].node == IMAGE_NONE)
            slots[i].tag = 0;
    }
}

static bool fill_node_slots(struct image_builder *b, uint64_t seed)
{
    for (uint32_t i = 0; i < SECTION(b, NODES)->count; i++) {
        const struct image_node *node = node_at(b, i);
        if (node->parent == IMAGE_NONE)
            continue;
        uint64_t hash = image_edge_hash(seed, node->parent, image_builder_text(b, node->label));
        if (!place_slot(SECTION(b, NODE_SLOTS), hash, i))
            return false;
    }
    clear_free_tags(SECTION(b, NODE_SLOTS));
    return true;
}

static bool fill_guard_slots(struct image_builder *b, uint64_t seed)
{
    const struct image_answer *answers = ENTRIES(b, ANSWERS, const struct image_answer);
    for (uint32_t i = 0; i < SECTION(b, ANSWERS)->count; i++) {
        uint64_t hash =
            image_edge_hash(seed, answers[i].guard, image_builder_text(b, answers[i].value));
        if (!place_slot(SECTION(b, GUARD_SLOTS), hash, i))
            return false;
    }
    clear_free_tags(SECTION(b, GUARD_SLOTS));
    return true;
}

static bool fill_bind_slots(struct image_builder *b, uint64_t seed)
{
    const struct image_bind *binds = ENTRIES(b, BINDS, const struct image_bind);
    uint32_t *slots = ENTRIES(b, BIND_SLOTS, uint32_t);
    for (uint32_t i = 0; i < SECTION(b, BINDS)->count; i++) {
        uint64_t hash = image_bind_hash(seed, &binds[i].addr, binds[i].port);
        uint32_t slot = free_slot(SECTION(b, BIND_SLOTS), 0, hash);
        if (slot == IMAGE_NONE)
            return false;
        slots[slot] = i;
    }
    return true;
}

/* The smallest power of two that leaves half of the table free; 0 for no keys. */
static uint32_t table_size(uint32_t keys)
{
    uint32_t size = keys == 0 ? 0 : 2;
    while (size < 2 * keys)
        size *= 2;
    return size;
}

struct table {
    enum image_section_type section;
    uint32_t size;
    bool (*fill)(struct image_builder *b, uint64_t seed);
};

#define TABLES 3u

/* Empties and fills all tables. Returns the first that has a key too far from home; TABLES: none. */
static uint32_t fill_tables(struct image_builder *b, const struct table *tables, uint64_t seed)
{
    for (uint32_t i = 0; i < TABLES; i++) {
        if (resize_slots(b, &b->sections[tables[i].section], tables[i].size) != 0 ||
            !tables[i].fill(b, seed))
            return i;
    }
    return TABLES;
}

int image_builder_hash(struct image_builder *b, uint64_t *ret_seed)
{
    struct table tables[TABLES] = {
        {IMAGE_SECTION_NODE_SLOTS, table_size(b->by_edge.used), fill_node_slots},
        {IMAGE_SECTION_BIND_SLOTS, table_size(SECTION(b, BINDS)->count), fill_bind_slots},
        {IMAGE_SECTION_GUARD_SLOTS, table_size(SECTION(b, ANSWERS)->count), fill_guard_slots},
    };
    for (uint64_t seed = 0;; seed++) {
        uint32_t crowded = fill_tables(b, tables, seed);
        if (b->error != 0)
            return b->error;
        if (crowded == TABLES) {
            *ret_seed = seed;
            return 0;
        }
        if (seed % SEEDS_PER_SIZE == SEEDS_PER_SIZE - 1)
            tables[crowded].size *= 2;
    }
}
