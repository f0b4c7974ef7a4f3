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
};

/* Candidates for a host: exact, wildcards from the longest to the shortest, no hostname. */
void route_walk_host(struct route_walk *w, const struct image_view *v, uint32_t root,
                     struct slice host);

/* Candidates for a path: exact, prefixes from the longest to the shortest. */
void route_walk_path(struct route_walk *w, const struct image_view *v, uint32_t root,
                     struct slice path);

/* The next candidate; IMAGE_NONE: there is no more. */
uint32_t route_walk_next(struct route_walk *w);

/* Do method, headers and query parameters of a match hold? If not, `*ret_loss` says which of them
 * is the first that does not, and `*ret_predicate` which header or parameter. */
bool route_match_holds(const struct image_view *v, const struct image_match *match,
                       const struct route_request *request, enum route_loss *ret_loss,
                       uint32_t *ret_predicate);

/* What a request answers to a guard: `*ret` points into the request or into `buf`, which has
 * IMAGE_ANSWER_BYTES_MAX bytes. False: nothing, or more than any match can need. */
bool route_guard_answer(const struct image_view *v, const struct image_guard *guard,
                        const struct route_request *request, uint8_t *buf, struct slice *ret);
