/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of Gateway API's kinds that a cluster shows, too, behind the name. Thread: the loop's. */
#pragma once

#include "model/types.h"

#include <jansson.h>

/* Appends their columns; of other kinds nothing. */
void table_gateway_columns(const struct resource_type *type, json_t *columns);

/* Appends the object's cells, as many. */
void table_gateway_cells(const struct resource_type *type, const json_t *object, json_t *cells);
