/* SPDX-License-Identifier: Apache-2.0 */
/* The types by id, for modules that know the kinds they mean (attach). */
#pragma once

#include "model/model.h"

enum model_type_id {
#define TYPE(id, ...) MODEL_##id,
#include "model/types.def"
#undef TYPE
    MODEL_TYPE_COUNT
};

/* The type with this id. */
const struct resource_type *model_type(enum model_type_id id);

/* The id of a type. */
enum model_type_id model_type_id(const struct resource_type *type);

/* The name of the embedded schema of a type. */
const char *model_type_schema_name(const struct resource_type *type);
