/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk down a trie, one probe a label; then candidates on the way back up. Down is the cost,
 * and ends at the first label that no route has: a long path of a stranger costs no more than the
 * deepest route.
 */
#include "route/route_priv.h"

#include "base/assert.h"

typedef bool (*next_label)(struct slice *rest, struct slice *ret);

/* "example.com." is the same name, said in full. */
static struct slice host_rest(struct slice host)
{
    if (host.len > 1 && host.ptr[host.len - 1] == '.')
        host.len--;
    return image_host_rest(host);
}

/* The hashes of a name's first labels, whose nodes are asked for. True: the name has no more. */
static bool look_ahead(const struct image_view *v, struct route_hashes *h, uint32_t most,
                       struct slice rest, next_label next)
{
    struct slice label;
    uint64_t hash = h->above;
    h->n = 0;
    while (next(&rest, &label)) {
        if (h->n == most)
            return false;
        hash = image_edge_hash(v->header->hash_seed, hash, label);
        h->hashes[h->n++] = hash;
        image_node_prefetch(v, hash);
    }
    return true;
}

void route_walk_ahead(const struct image_view *v, uint32_t root,
                      const struct route_request *request, struct route_ahead *ret)
{
    ret->path = (struct route_hashes){.n = 0};
    ret->host.above = v->node_rests[root].hash;
    bool is_whole =
        look_ahead(v, &ret->host, ROUTE_AHEAD_MAX, host_rest(request->host), image_host_label);
    if (!is_whole || ret->host.n == 0)
        return;
    ret->path.above = image_below_hash(ret->host.hashes[ret->host.n - 1], true);
    look_ahead(v, &ret->path, v->header->path_ahead, request->path, image_path_label);
}

static bool has_children(const struct image_view *v, uint32_t node)
{
    return (v->nodes[node].flags & IMAGE_NODE_HAS_CHILDREN) != 0;
}

/* From the root down. A leaf has no child to look for. */
static void walk_down(struct route_walk *w, struct slice rest, next_label next, bool is_leaf,
                      const struct route_hashes *known)
{
    struct slice label;
    w->hash = known->above;
    w->is_exact_next = true;
    w->behind = rest;
    for (uint32_t i = 0; next(&rest, &label); i++) {
        uint32_t child = IMAGE_NONE;
        uint64_t hash = 0;
        if (!is_leaf) {
            hash = i < known->n ? known->hashes[i]
                                : image_edge_hash(w->v->header->hash_seed, w->hash, label);
            child = image_node_find(w->v, w->node, label, hash);
        }
        if (child == IMAGE_NONE) {
            w->is_exact_next = false;
            break;
        }
        w->node = child;
        w->hash = hash;
        w->behind = rest;
        is_leaf = !has_children(w->v, child);
    }
    w->deepest = w->node;
    ASSERT_HOT(w->node < w->v->n_nodes);
}

void route_walk_host(struct route_walk *w, const struct image_view *v, uint32_t root,
                     struct slice host, const struct route_hashes *ahead)
{
    struct route_hashes none = {.above = v->node_rests[root].hash};
    w->v = v;
    w->node = root;
    walk_down(w, host_rest(host), image_host_label, !has_children(v, root),
              ahead != NULL ? ahead : &none);
    /* "*.example.com" needs a label more than its node has; no hostname needs none */
    w->is_subtree_next = !w->is_exact_next || w->node == root;
}

/* The hash of the root of the paths of the host that the walk came to last. */
static uint64_t hash_below(const struct route_walk *host)
{
    uint64_t hash = host->last == host->deepest ? host->hash : host->v->node_rests[host->last].hash;
    return image_below_hash(hash, host->was_exact);
}

void route_walk_path(struct route_walk *w, const struct route_walk *host,
                     const struct image_value *value, struct slice path,
                     const struct route_hashes *ahead)
{
    struct route_hashes none = {.above = hash_below(host)};
    w->v = host->v;
    w->node = value->to;
    /* whether the root has children is in a line that is not needed otherwise */
    walk_down(w, path, image_path_label, false,
              ahead != NULL && ahead->above == none.above ? ahead : &none);
    w->is_subtree_next = true;
}

const struct image_value *route_walk_exact(struct route_walk *w)
{
    if (!w->is_exact_next || w->node == IMAGE_NONE)
        return NULL;
    w->is_exact_next = false;
    return image_node_exact(w->v, w->node);
}

const struct image_value *route_walk_next(struct route_walk *w)
{
    while (w->node != IMAGE_NONE) {
        ASSERT_HOT(w->node < w->v->n_nodes);
        const struct image_value *value = NULL;
        w->last = w->node;
        w->was_exact = w->is_exact_next;
        if (w->is_exact_next) {
            value = image_node_exact(w->v, w->node);
            w->is_exact_next = false;
        } else {
            value = w->is_subtree_next ? image_node_subtree(w->v, w->node) : NULL;
            w->is_subtree_next = true;
            w->node = w->v->nodes[w->node].parent;
        }
        if (value != NULL)
            return value;
    }
    return NULL;
}
