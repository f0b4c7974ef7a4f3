/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds that are mirrored (kinds.def). Pure. Not the model's table: a cluster, the controller
 * and an appliance may each be of another release. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Also the order in which copies are made. */
enum kind {
#define KIND(id, ...) KIND_##id,
#include "controller/kinds.def"
#undef KIND
    KIND_COUNT
};

struct kind_info {
    const char *group; /* "" for core */
    const char *name;  /* "HTTPRoute" */
    const char *plural;
    bool is_namespaced;
    bool is_named;   /* read one by one by name */
    bool is_custom;  /* of a CustomResourceDefinition, in a cluster */
    bool is_of_mesh; /* read only where routes of Services are mirrored */
};

/* What there is to know of a kind; lives for ever. */
const struct kind_info *kind_info(enum kind kind);

/* The kind of a group and a kind's name. KIND_COUNT: none of ours. */
enum kind kind_find(const char *group, const char *name);
