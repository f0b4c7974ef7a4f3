/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a value and its schema together, parents before children, without recursion, and knows
 * the path of where it is. Defaulting, normalizing and checking are visitors.
 *
 * Private to model. Bound: MODEL_DEPTH_MAX levels (the schemas are not recursive and unknown parts
 * are not entered, so valid schemas never reach it).
 */
#pragma once

#include "model/model.h"
#include "model/schema.h"

/* What the visitor sees. */
struct walk_at {
    const struct schema *schema; /* NULL: a field that the schema does not know */
    json_t *value;
    const json_t
        *old; /* the value at the same path of the old object, or NULL; not known within lists */
    const char *path; /* "spec.listeners[0].port"; "" at the root */
    const char *key;  /* the last name of the path; NULL at the root and for items of lists */
};

/* Called for each value. The visitor may add and remove the fields of the value itself. False: do
 * not go into this value. */
typedef bool (*walk_fn)(void *arg, const struct walk_at *at);

/* The compiled schema of a type. */
const struct schema *model_schema(const struct resource_type *type);

/* Walks `value` from the root. */
void model_walk(const struct schema *schema, json_t *value, const json_t *old, walk_fn fn,
                void *arg);
