/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a request goes where it goes, and why nowhere else: the matcher's own answer, and every other
 * candidate with the reason that it lost. For people, not for workers: it looks at the whole image.
 *
 * Owner: none, pure. Thread: any (mgmtd's). Cost: linear in the image.
 */
#pragma once

#include "route/route.h"

/* Somebody who could have taken the request. Indices are of the image's tables. */
struct route_candidate {
    enum route_loss loss; /* NONE: took it */
    uint32_t listener;
    uint32_t host;      /* IMAGE_NONE with LISTENER */
    uint32_t match;     /* IMAGE_NONE with LISTENER and HOST: all of them lost */
    uint32_t predicate; /* with HEADER and QUERY: the first that does not hold; else IMAGE_NONE */
};

typedef void (*route_candidate_fn)(void *arg, const struct route_candidate *candidate);

/*
 * Gives the result of route_match(), and each candidate of the request's bind once: first those
 * whose hostname and path hold, in order of precedence; for each of these hostnames the matches of
 * its other paths; then hostnames that do not hold; then other listeners.
 */
void route_explain(const struct image_view *v, const struct route_request *request,
                   struct route_result *ret, route_candidate_fn fn, void *arg);

/* "HEADER" and so on; pure. */
const char *route_loss_name(enum route_loss loss);

/* The sentence that explains it; pure. */
const char *route_loss_help(enum route_loss loss);
