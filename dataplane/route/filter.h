/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rule that took a request does to it, as values: which backend, which path, which
 * Location, which header fields go. The proxy walks the rule's filters (struct image_filter) in
 * order and asks here.
 *
 * Owner: none, pure. Thread: any, on an image that image_check() accepted.
 */
#pragma once

#include "abi/image.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The filter of that type of a rule; NULL: it has none. */
const struct image_filter *route_filter_find(const struct image_view *v,
                                             const struct image_rule *rule,
                                             enum image_filter_type type);

/* The same of a backend. */
const struct image_filter *route_backend_filter_find(const struct image_view *v,
                                                     const struct image_backend *backend,
                                                     enum image_filter_type type);

/*
 * Chooses a backend by weight. `chance` is from all 32-bit numbers alike: even_next(). False: the
 * rule has none, all weights are zero, or it has a fault: the answer is 500, as it is when the
 * chosen backend's group is IMAGE_NONE.
 */
bool route_backend_pick(const struct image_view *v, const struct image_rule *rule, uint32_t chance,
                        const struct image_backend **ret);

/* Is the request one that is mirrored? `chance` as above. */
bool route_mirror_takes(const struct image_mirror *mirror, uint32_t chance);

/* Does the filter (of a header type) set or remove this field, so that what came is not passed on?
 * Its SET and ADD operations are then written as fields of their own. `filter` may be NULL. */
bool route_filter_drops(const struct image_view *v, const struct image_filter *filter,
                        struct slice name);

/*
 * The path of a request after an edit, written to `buf`; the query is not part of it. `match` is
 * the one that took the request. False: it does not fit.
 */
bool route_path_edit(const struct image_view *v, const struct image_match *match,
                     enum image_path_edit edit, struct image_string replacement, struct slice path,
                     uint8_t *buf, size_t cap, size_t *ret_len);

/* What a redirect needs to know of the request. */
struct route_redirect_request {
    bool is_https;          /* the listener's protocol */
    uint16_t listener_port; /* of the Gateway's listener */
    struct slice host;      /* as in struct route_request */
    struct slice path;
    struct slice query;
    bool has_query;
};

/* The Location of a redirect, written to `buf`. `match` as above. False: it does not fit. */
bool route_redirect_location(const struct image_view *v, const struct image_match *match,
                             const struct image_redirect *redirect,
                             const struct route_redirect_request *request, uint8_t *buf, size_t cap,
                             size_t *ret_len);
