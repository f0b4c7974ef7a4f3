/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the matcher and explain share: the order in which a trie's values are candidates, and the
 * conditions of a match. There is no second opinion: explain asks these functions, too.
 */
#pragma once

#include "route/route.h"

/* The values of a trie that hold for a name, the most specific first. */
struct route_walk {
    const struct image_view *v;
    uint32_t node;        /* the next to be asked; IMAGE_NONE: the end */
    bool is_exact_next;   /* its `exact` is to come, and everything after it */
    bool is_subtree_next; /* its `subtree` holds */
    struct slice behind;  /* of the name: what the deepest node has no label for */
};

/* Candidates for a host: exact, wildcards from the longest to the shortest, no hostname. */
void route_walk_host(struct route_walk *w, const struct image_view *v, uint32_t root,
                     struct slice host);

/* Candidates for a path: exact, prefixes from the longest to the shortest. */
void route_walk_path(struct route_walk *w, const struct image_view *v, uint32_t root,
                     struct slice path);

/* Of the candidates that are still to come the exact one; IMAGE_NONE: there is none. */
uint32_t route_walk_exact(struct route_walk *w);

/* The next candidate; IMAGE_NONE: there is no more. */
uint32_t route_walk_next(struct route_walk *w);

/* A node on the way down that has patterns, and which of them match. */
struct route_asked {
    uint32_t node;
    uint32_t set;          /* that `hits` is of, or (with next_pattern 0) that is asked next */
    uint32_t next_pattern; /* of the set */
    struct slice text;     /* what its patterns are asked about */
    struct route_hits hits;
};

/* The paths of a host that a request's path is one of: the exact one, patterns in their order,
 * prefixes from the longest to the shortest. */
struct route_paths {
    const struct image_view *v;
    const struct route_request *request;
    struct route_walk walk;
    const struct image_host *host;
    enum { ROUTE_PATHS_EXACT, ROUTE_PATHS_PATTERNS, ROUTE_PATHS_PREFIXES } stage;
    uint32_t n_asked; /* before the stage of patterns: 0 */
    struct route_asked asked[IMAGE_PATTERN_DEPTH_MAX + 1];
};

/* Ready for route_paths_next(); nothing is asked yet. Borrows all three. */
void route_paths_begin(struct route_paths *p, const struct image_view *v,
                       const struct image_host *host, const struct route_request *request);

/* The next path; IMAGE_NONE: there is no more. */
uint32_t route_paths_next(struct route_paths *p);

/* Do method, headers and query parameters of a match hold? If not, `*ret_loss` says which of them
 * is the first that does not, and `*ret_predicate` which header or parameter. */
bool route_match_holds(const struct image_view *v, const struct image_match *match,
                       const struct route_request *request, enum route_loss *ret_loss,
                       uint32_t *ret_predicate);

/* What a request answers to a guard: `*ret` points into the request or into `buf`, which has
 * IMAGE_ANSWER_BYTES_MAX bytes. False: nothing, or more than any match can need. */
bool route_guard_answer(const struct image_view *v, const struct image_guard *guard,
                        const struct route_request *request, uint8_t *buf, struct slice *ret);
