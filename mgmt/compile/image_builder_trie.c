/* SPDX-License-Identifier: Apache-2.0 */
/* Tries of the image being built. A label is a part of the whole name's string, so a name is stored
 * once. */
#include "compile/image_builder_priv.h"

#include "base/assert.h"

struct edge_key {
    uint32_t parent;
    struct slice label;
};

struct builder_node *image_builder_node(const struct image_builder *b, uint32_t index)
{
    ASSERT(index < b->nodes.count);
    return &((struct builder_node *)(void *)b->nodes.bytes)[index];
}

static bool is_edge_equal(const struct image_builder *b, uint32_t index, const void *key)
{
    const struct edge_key *k = key;
    const struct builder_node *node = image_builder_node(b, index);
    return node->parent == k->parent && slice_eq(image_builder_text(b, node->label), k->label);
}

uint32_t image_builder_root(struct image_builder *b, enum image_node_kind kind)
{
    struct builder_node *node = image_vec_push(b, &b->nodes);
    if (node == NULL)
        return IMAGE_NONE;
    *node = (struct builder_node){
        .parent = IMAGE_NONE,
        .exact = IMAGE_NONE,
        .subtree = IMAGE_NONE,
        .first_set = IMAGE_NONE,
        .kind = (uint8_t)kind,
    };
    return b->nodes.count - 1;
}

/* The child of `parent` by a label that lies in the string section. */
static uint32_t child_of(struct image_builder *b, uint32_t parent, struct slice label)
{
    struct edge_key edge = {parent, label};
    struct image_index_key key = {image_edge_hash(0, parent, label), &edge, is_edge_equal};
    uint32_t index = image_index_find(b, &b->by_edge, &key);
    if (index != IMAGE_NONE)
        return index;
    struct builder_node *node = image_vec_push(b, &b->nodes);
    if (node == NULL)
        return IMAGE_NONE;
    struct builder_node *above = image_builder_node(b, parent);
    ASSERT(above->depth < IMAGE_DEPTH_MAX);
    above->has_children = true;
    *node = (struct builder_node){
        .parent = parent,
        .exact = IMAGE_NONE,
        .subtree = IMAGE_NONE,
        .first_set = IMAGE_NONE,
        .kind = above->kind,
        .depth = (uint16_t)(above->depth + 1),
    };
    if (label.len != 0)
        node->label = (struct image_string){(uint32_t)(label.ptr - SECTION(b, STRINGS)->bytes),
                                            (uint32_t)label.len};
    index = b->nodes.count - 1;
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
    struct builder_node *n = image_builder_node(b, node);
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

uint32_t image_builder_path_node(struct image_builder *b, uint32_t root, struct image_string path)
{
    return node_of(b, root, image_builder_text(b, path), image_path_label);
}
