/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The paths of a host in the order in which they are asked. Gateway API leaves it to us where
 * patterns stand: behind the exact path, which is the most specific, and before prefixes, which are
 * mostly there for what nothing else takes. A host's sets are asked one by one, as they are needed.
 */
#include "route/route_priv.h"

#include "base/assert.h"

void route_paths_begin(struct route_paths *p, const struct image_view *v,
                       const struct image_host *host, const struct route_request *request)
{
    p->v = v;
    p->request = request;
    p->stage = ROUTE_PATHS_EXACT;
    p->set = host->first_set;
    p->end_set = host->first_set + host->n_sets;
    p->next_pattern = 0;
    route_walk_path(&p->walk, v, host->root, request->path);
    ASSERT_HOT(p->end_set <= v->n_pattern_sets);
}

/* The next pattern of the set that hits; IMAGE_NONE: no more. */
static uint32_t next_hit(struct route_paths *p, const struct image_pattern_set *set)
{
    if (p->next_pattern == 0)
        route_pattern_ask(p->v, &p->request->reader, p->set, p->request->path, &p->hits);
    while (p->next_pattern < set->n_patterns) {
        uint32_t i = p->next_pattern++;
        if (route_hits_has(&p->hits, i))
            return set->first_pattern + i;
    }
    return IMAGE_NONE;
}

static uint32_t next_by_pattern(struct route_paths *p)
{
    for (; p->set < p->end_set; p->set++, p->next_pattern = 0) {
        uint32_t pattern = next_hit(p, &p->v->pattern_sets[p->set]);
        if (pattern != IMAGE_NONE)
            return p->v->patterns[pattern].path;
    }
    return IMAGE_NONE;
}

uint32_t route_paths_next(struct route_paths *p)
{
    uint32_t path = IMAGE_NONE;
    if (p->stage == ROUTE_PATHS_EXACT) {
        p->stage = ROUTE_PATHS_PATTERNS;
        path = route_walk_exact(&p->walk);
    }
    if (path == IMAGE_NONE && p->stage == ROUTE_PATHS_PATTERNS) {
        path = next_by_pattern(p);
        if (path == IMAGE_NONE)
            p->stage = ROUTE_PATHS_PREFIXES;
    }
    return path != IMAGE_NONE ? path : route_walk_next(&p->walk);
}
