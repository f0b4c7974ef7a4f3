/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the matcher and explain share: the order in which a trie's values are candidates, and the
 * conditions of a match. There is no second opinion: explain asks these functions, too.
 */
#pragma once

#include "route/route.h"

#include <assert.h>

static_assert(IMAGE_PATH_AHEAD_MAX <= ROUTE_AHEAD_MAX, "their hashes have room");

/* Asks for the nodes of host and path at once; memory is slow, not narrow. `root` is that of the
 * trie of hosts. */
void route_walk_ahead(const struct image_view *v, uint32_t root,
                      const struct route_request *request, struct route_ahead *ret);

/* The values of a trie that hold for a name, the most specific first. */
struct route_walk {
    const struct image_view *v;
    uint32_t node;        /* the next to be asked; IMAGE_NONE: the end */
    bool is_exact_next;   /* its `exact` is to come, and everything after it */
    bool is_subtree_next; /* its `subtree` holds */
    struct slice behind;  /* of the name: what the deepest node has no label for */
    uint32_t deepest;     /* the node that it went down to */
    uint64_t hash;        /* of the deepest node */
    uint32_t last;        /* the node whose value came last, and whether that was its `exact` */
    bool was_exact;
};

/* Candidates for a host: exact, wildcards from the longest to the shortest, no hostname. `ahead`
 * may be NULL. */
void route_walk_host(struct route_walk *w, const struct image_view *v, uint32_t root,
                     struct slice host, const struct route_hashes *ahead);

/* Candidates for a path: exact, prefixes from the longest to the shortest. Of the host that is the
 * last value of the walk `host`. `ahead` may be NULL. */
void route_walk_path(struct route_walk *w, const struct route_walk *host,
                     const struct image_value *value, struct slice path,
                     const struct route_hashes *ahead);

/* Of the candidates that are still to come the exact one; NULL: there is none. */
const struct image_value *route_walk_exact(struct route_walk *w);

/* The next candidate; NULL: there is no more. */
const struct image_value *route_walk_next(struct route_walk *w);

/* A node on the way down that has patterns, and which of them match. */
struct route_asked {
    bool is_lone;          /* the node says it all; then it has no next set */
    bool is_asked;         /* `hits` is the set's */
    uint32_t next_pattern; /* of the set */
    uint32_t set_index;
    struct image_pattern_set set; /* of the node's the one that is asked */
    struct image_value lone;      /* of a lone pattern */
    struct slice text;            /* what its patterns are asked about */
    struct route_hits hits;
};

/* The paths of a host that a request's path is one of: the exact one, patterns in their order,
 * prefixes from the longest to the shortest. */
struct route_paths {
    const struct image_view *v;
    const struct route_request *request;
    struct route_walk walk;
    struct image_value host;
    enum { ROUTE_PATHS_EXACT, ROUTE_PATHS_PATTERNS, ROUTE_PATHS_PREFIXES } stage;
    uint32_t n_asked; /* before the stage of patterns: 0 */
    struct route_asked asked[IMAGE_PATTERN_DEPTH_MAX + 1];
};

/* Ready for route_paths_next(); nothing is asked yet. `host` is where `walk` is; `ahead` may be
 * NULL. Borrows all but the host. */
void route_paths_begin(struct route_paths *p, const struct route_walk *walk,
                       const struct image_value *host, const struct route_request *request,
                       const struct route_hashes *ahead);

/* The next path, valid until the next call; NULL: there is no more. */
const struct image_value *route_paths_next(struct route_paths *p);

/* Do method, headers and query parameters of a match hold? If not, `*ret_loss` says which of them
 * is the first that does not, and `*ret_predicate` which header or parameter. */
bool route_match_holds(const struct image_view *v, const struct image_match *match,
                       const struct route_request *request, enum route_loss *ret_loss,
                       uint32_t *ret_predicate);

/* What a request answers to a guard: `*ret` points into the request or into `buf`, which has
 * IMAGE_ANSWER_BYTES_MAX bytes. False: nothing, or more than any match can need. */
bool route_guard_answer(const struct image_view *v, const struct image_guard *guard,
                        const struct route_request *request, uint8_t *buf, struct slice *ret);
