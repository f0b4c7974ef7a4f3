/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk down a trie, one probe a label; then candidates on the way back up. Down is the cost,
 * and ends at the first label that no route has: a long path of a stranger costs no more than the
 * deepest route.
 */
#include "route/route_priv.h"

#include "base/assert.h"

static void walk_down(struct route_walk *w, uint32_t root, struct slice rest,
                      bool (*next)(struct slice *rest, struct slice *ret))
{
    struct slice label;
    w->node = root;
    w->is_exact_next = true;
    w->behind = rest;
    while (next(&rest, &label)) {
        uint32_t child = image_edge_find(w->v, w->node, label);
        if (child == IMAGE_NONE) {
            w->is_exact_next = false;
            break;
        }
        w->node = child;
        w->behind = rest;
    }
    ASSERT_HOT(w->node < w->v->n_nodes);
}

void route_walk_host(struct route_walk *w, const struct image_view *v, uint32_t root,
                     struct slice host)
{
    w->v = v;
    if (host.len > 1 && host.ptr[host.len - 1] == '.')
        host.len--; /* "example.com." is the same name, said in full */
    walk_down(w, root, image_host_rest(host), image_host_label);
    /* "*.example.com" needs a label more than its node has; no hostname needs none */
    w->is_subtree_next = !w->is_exact_next || w->node == root;
}

void route_walk_path(struct route_walk *w, const struct image_view *v, uint32_t root,
                     struct slice path)
{
    w->v = v;
    walk_down(w, root, path, image_path_label);
    w->is_subtree_next = true;
}

uint32_t route_walk_exact(struct route_walk *w)
{
    if (!w->is_exact_next || w->node == IMAGE_NONE)
        return IMAGE_NONE;
    w->is_exact_next = false;
    return w->v->nodes[w->node].exact;
}

uint32_t route_walk_next(struct route_walk *w)
{
    while (w->node != IMAGE_NONE) {
        ASSERT_HOT(w->node < w->v->n_nodes);
        const struct image_node *node = &w->v->nodes[w->node];
        uint32_t value = IMAGE_NONE;
        if (w->is_exact_next) {
            value = node->exact;
            w->is_exact_next = false;
        } else {
            value = w->is_subtree_next ? node->subtree : IMAGE_NONE;
            w->is_subtree_next = true;
            w->node = node->parent;
        }
        if (value != IMAGE_NONE)
            return value;
    }
    return IMAGE_NONE;
}
