/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which certificates and keys the dataplane has of us. Before an image it gets those that the image
 * needs, beside those of the images before it, which serve until it does; when every worker serves
 * it, those that nobody needs any more are taken away. The keys of session tickets go along, and
 * again when their time is over.
 *
 * Owner: reconcile. Thread: the loop's. Errors: negative errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECONCILE_TICKETS_LOOK_US 60000000u /* how often ticket keys are looked at */

struct plan;
struct publish;

struct reconcile_keys {
    const uint8_t *ticket_secret; /* TLS_TICKET_SECRET_BYTES; NULL: sessions are not resumed */
    void *
        sent; /* the segment that the dataplane has, or that is on its way; NULL: we know of none */
    uint64_t of;      /* a digest of the ids and ticket keys that it was made for */
    bool has_surplus; /* it holds what the latest image does not need */
};

/* A dataplane that may have anything. */
void reconcile_keys_forget(struct reconcile_keys *k);

/* Sends what the plan's image needs, and the ticket keys of now, if the dataplane does not have
 * them; nothing as long as nobody needs an identity. Before that image, and at times. Cost: a hash
 * of the ids, unless something changed. */
int reconcile_keys_add(struct reconcile_keys *k, struct publish *publish, const struct plan *plan);

/* Every worker serves the plan's image: takes away what only earlier ones needed. */
int reconcile_keys_trim(struct reconcile_keys *k, struct publish *publish, const struct plan *plan);
