/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which certificates and keys the dataplane has of us. Before an image it gets those that the image
 * needs, beside those of the images before it, which serve until it does; when every worker serves
 * it, those that nobody needs any more are taken away.
 *
 * Owner: reconcile. Thread: the loop's. Errors: negative errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct plan;
struct publish;

struct reconcile_keys {
    void *
        sent; /* the segment that the dataplane has, or that is on its way; NULL: we know of none */
    size_t sent_length;
    bool has_surplus; /* it holds what the latest image does not need */
};

/* A dataplane that may have anything. */
void reconcile_keys_forget(struct reconcile_keys *k);

/* Sends what the plan's image needs and the dataplane does not have, before that image. */
int reconcile_keys_add(struct reconcile_keys *k, struct publish *publish, const struct plan *plan);

/* Every worker serves the plan's image: takes away what only earlier ones needed. */
int reconcile_keys_trim(struct reconcile_keys *k, struct publish *publish, const struct plan *plan);
