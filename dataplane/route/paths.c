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

/* The nodes from the deepest up that have patterns. One needs a slash behind it, but for the root,
 * whose patterns are asked about the whole path. */
static void begin_patterns(struct route_paths *p)
{
    const struct image_view *v = p->v;
    struct slice behind = p->walk.behind;
    uint32_t node = p->host.more == 0 ? IMAGE_NONE : p->walk.node; /* has it any? */
    while (node != IMAGE_NONE) {
        const struct image_node *e = &v->nodes[node];
        bool is_root = e->parent == IMAGE_NONE;
        if (e->first_set != IMAGE_NONE && (is_root || behind.len != 0)) {
            ASSERT_HOT(p->n_asked <= IMAGE_PATTERN_DEPTH_MAX);
            struct route_asked *a = &p->asked[p->n_asked++];
            a->node = node;
            a->set = e->first_set;
            a->next_pattern = 0;
            a->text = is_root ? p->request->path : slice_skip(behind, 1);
        }
        behind.ptr -= e->label_bytes + !is_root;
        behind.len += e->label_bytes + !is_root;
        node = e->parent;
    }
}

/* The next pattern of the node that hits, and stays the next; IMAGE_NONE: no more. */
static uint32_t next_hit(const struct route_paths *p, struct route_asked *a)
{
    const struct image_view *v = p->v;
    uint32_t end = v->hosts[p->host.index].first_set + p->host.more;
    for (; a->set < end && v->pattern_sets[a->set].node == a->node; a->set++) {
        const struct image_pattern_set *set = &v->pattern_sets[a->set];
        if (a->next_pattern == 0)
            route_pattern_ask(v, &p->request->reader, a->set, a->text, &a->hits);
        for (; a->next_pattern < set->n_patterns; a->next_pattern++) {
            if (route_hits_has(&a->hits, a->next_pattern))
                return set->first_pattern + a->next_pattern;
        }
        a->next_pattern = 0;
    }
    return IMAGE_NONE;
}

static bool is_before(const struct image_view *v, uint32_t pattern, uint32_t other)
{
    return image_pattern_order(image_text(v, v->patterns[pattern].text),
                               image_text(v, v->patterns[other].text)) < 0;
}

/* The most preferred of those that hit; it is not the next any more. NULL: no more. */
static const struct image_value *next_by_pattern(struct route_paths *p)
{
    struct route_asked *from = NULL;
    uint32_t best = IMAGE_NONE;
    for (uint32_t i = 0; i < p->n_asked; i++) {
        uint32_t pattern = next_hit(p, &p->asked[i]);
        if (pattern == IMAGE_NONE || (from != NULL && !is_before(p->v, pattern, best)))
            continue;
        best = pattern;
        from = &p->asked[i];
    }
    if (from == NULL)
        return NULL;
    from->next_pattern++;
    p->by_pattern = (struct image_value){p->v->patterns[best].path, IMAGE_NONE, IMAGE_NONE};
    return &p->by_pattern;
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
