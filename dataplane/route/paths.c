/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The paths of a host in the order in which they are asked. Gateway API leaves it to us where
 * patterns stand: behind the exact path, which is the most specific, and before prefixes, which are
 * mostly there for what nothing else takes. Patterns hang on several nodes of the way down, each of
 * which gives its own in order; its sets are asked one by one, as they are needed.
 */
#include "route/route_priv.h"

#include "base/assert.h"

void route_paths_begin(struct route_paths *p, const struct route_walk *walk,
                       const struct image_value *host, const struct route_request *request,
                       const struct route_hashes *ahead)
{
    p->v = walk->v;
    p->request = request;
    p->host = *host;
    p->stage = ROUTE_PATHS_EXACT;
    p->n_asked = 0;
    route_walk_path(&p->walk, walk, host, request->path, ahead);
}

static void add_asked(struct route_paths *p, uint32_t node, struct slice text)
{
    const struct image_node *e = &p->v->nodes[node];
    if ((e->flags & IMAGE_NODE_HAS_SETS) == 0)
        return;
    ASSERT_HOT(p->n_asked <= IMAGE_PATTERN_DEPTH_MAX);
    struct route_asked *a = &p->asked[p->n_asked++];
    a->is_lone = (e->flags & IMAGE_NODE_IS_LONE) != 0;
    a->is_asked = false;
    a->next_pattern = 0;
    a->text = text;
    if (a->is_lone) {
        struct image_lone lone = image_node_lone(e);
        a->set = (struct image_pattern_set){IMAGE_NONE, 1, lone.database, node};
        a->lone = lone.value;
    } else {
        a->set_index = p->v->node_rests[node].first_set;
        a->set = p->v->pattern_sets[a->set_index];
    }
}

/* The nodes from the deepest up that have patterns, which a slash has to follow; then the root,
 * whose patterns are asked about the whole path. A line that has nothing to say is not read. */
static void begin_patterns(struct route_paths *p)
{
    const struct image_view *v = p->v;
    struct slice behind = p->walk.behind;
    uint32_t node = p->walk.node, root = p->host.to;
    if (p->host.more == IMAGE_HOST_SETS_NONE)
        return;
    while (node != root) {
        const struct image_node *e = &v->nodes[node];
        if (behind.len != 0)
            add_asked(p, node, slice_skip(behind, 1));
        behind.ptr -= e->label_bytes + 1;
        behind.len += e->label_bytes + 1;
        node = e->parent;
    }
    if (p->host.more == IMAGE_HOST_SETS_ROOT)
        add_asked(p, root, p->request->path);
}

/* Goes on to the node's next set; false: it has no more. */
static bool next_set(const struct image_view *v, struct route_asked *a)
{
    if (a->is_lone)
        return false;
    uint32_t next = a->set_index + 1;
    if (next == v->n_pattern_sets || v->pattern_sets[next].node != a->set.node)
        return false;
    a->set = v->pattern_sets[next];
    a->set_index = next;
    a->next_pattern = 0;
    a->is_asked = false;
    return true;
}

/* The path of the next pattern of the node that hits, which stays the next; NULL: no more. */
static const struct image_value *next_hit(const struct route_paths *p, struct route_asked *a)
{
    do {
        if (!a->is_asked)
            route_pattern_ask(&p->request->reader, &a->set, a->text, &a->hits);
        a->is_asked = true;
        for (; a->next_pattern < a->set.n_patterns; a->next_pattern++) {
            if (route_hits_has(&a->hits, a->next_pattern))
                return a->is_lone ? &a->lone
                                  : &p->v->patterns[a->set.first_pattern + a->next_pattern].value;
        }
    } while (next_set(p->v, a));
    return NULL;
}

static bool is_before(const struct image_view *v, const struct image_value *path,
                      const struct image_value *other)
{
    return image_pattern_order(image_text(v, v->paths[path->index].text),
                               image_text(v, v->paths[other->index].text)) < 0;
}

/* The most preferred of those that hit; it is not the next any more. NULL: no more. */
static const struct image_value *next_by_pattern(struct route_paths *p)
{
    struct route_asked *from = NULL;
    const struct image_value *best = NULL;
    for (uint32_t i = 0; i < p->n_asked; i++) {
        const struct image_value *path = next_hit(p, &p->asked[i]);
        if (path == NULL || (best != NULL && !is_before(p->v, path, best)))
            continue;
        best = path;
        from = &p->asked[i];
    }
    if (from != NULL)
        from->next_pattern++;
    return best;
}

const struct image_value *route_paths_next(struct route_paths *p)
{
    const struct image_value *path = NULL;
    if (p->stage == ROUTE_PATHS_EXACT) {
        p->stage = ROUTE_PATHS_PATTERNS;
        path = route_walk_exact(&p->walk);
        begin_patterns(p);
    }
    if (path == NULL && p->stage == ROUTE_PATHS_PATTERNS) {
        path = next_by_pattern(p);
        if (path == NULL)
            p->stage = ROUTE_PATHS_PREFIXES;
    }
    return path != NULL ? path : route_walk_next(&p->walk);
}
