/* SPDX-License-Identifier: Apache-2.0 */
/* The name under which the store keeps the objects of a type of the model: "plural.group", and the
 * plural alone for the core group. Versions of one kind share their objects. */
#pragma once

#include "model/model.h"

#include <stdio.h>

#define RESOURCE_NAME_BYTES_MAX 160

/* Writes the name into `buf` and returns it. */
static inline const char *resource_name(const struct resource_type *type,
                                        char buf[RESOURCE_NAME_BYTES_MAX])
{
    const struct resource_type *stored = type->stored;
    snprintf(buf, RESOURCE_NAME_BYTES_MAX, "%s%s%s", stored->plural,
             stored->group[0] != '\0' ? "." : "", stored->group);
    return buf;
}
