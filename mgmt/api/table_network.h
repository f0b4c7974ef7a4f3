/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of `kubectl get` for the kinds that the network is made of, between name and age. Pure.
 * Private to api. */
#pragma once

#include "model/model.h"

#include <jansson.h>

/* Adds the type's columns; none for other kinds. */
void table_network_columns(const struct resource_type *type, json_t *ret_columns);

/* Adds an object's cells for them. */
void table_network_cells(const struct resource_type *type, const json_t *object, json_t *ret_cells);
