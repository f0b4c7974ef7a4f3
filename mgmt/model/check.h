/* SPDX-License-Identifier: Apache-2.0 */
/* Checking a value against its schema. Private to model. */
#pragma once

#include "model/model.h"
#include "model/schema.h"

/* Types, bounds, patterns, required and unknown fields, duplicates. */
void check_structure(const struct schema *schema, const json_t *value, struct model_errors *e);

/* The rules that span fields; only for values that check_structure() found no fault with. */
void check_rules(const struct schema *schema, const json_t *value, const json_t *old,
                 struct model_errors *e);
