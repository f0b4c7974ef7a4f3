/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects, and the image that mgmtd would make of them: by model, attach and compile, in its order.
 */
#pragma once

#include "abi/image.h"
#include "route/pattern.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct regex_cache;

struct world {
    json_t *objects; /* array: normalized, defaulted, valid, of the stored version */
    json_t *notes;   /* array: what compile left out, and why */
    void *image;     /* accepted by image_check() */
    size_t len;
    struct image_view v;
    struct route_patterns *patterns; /* NULL: it has none */
};

/* Makes the image of an array of objects, as a user writes them. False: *ret_why is a new string
 * that says why not, and `w` is empty. */
bool world_open(struct world *w, struct regex_cache *patterns, const json_t *objects,
                json_t **ret_why);

/* Gives it back. An empty one is fine. */
void world_close(struct world *w);
