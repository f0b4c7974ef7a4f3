/* SPDX-License-Identifier: Apache-2.0 */
/* Writing down errors, in a cluster's words. Private to model. */
#pragma once

#include "model/model.h"

/* Text of a value for a message: strings quoted and cut, numbers plain, others by their type. */
#define MODEL_VALUE_TEXT_MAX 96

/* Appends an error; counts it only when the list is full. */
__attribute__((format(printf, 4, 5))) void model_error_add(struct model_errors *e,
                                                           enum model_reason reason,
                                                           const char *field, const char *format,
                                                           ...);

/* The value as a message shows it. Returns buf. */
const char *model_value_text(const json_t *value, char buf[MODEL_VALUE_TEXT_MAX]);

/* "Invalid value: VALUE: detail". */
void model_error_invalid(struct model_errors *e, const char *field, const json_t *value,
                         const char *detail);

/* The same for the key of a map. */
void model_error_invalid_key(struct model_errors *e, const char *field, const char *key,
                             const char *detail);

/* "Required value". */
void model_error_required(struct model_errors *e, const char *field, const char *name);

/* "Duplicate value: TEXT". */
void model_error_duplicate(struct model_errors *e, const char *field, const char *text);
