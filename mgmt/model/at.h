/* SPDX-License-Identifier: Apache-2.0 */
/* Members of JSON objects that may not be there. Pure; texts are the object's. */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* A text of an object; "" if it is not there. */
const char *text_at(const json_t *object, const char *key);

/* A number of an object; 0 if it is not there. */
int64_t int_at(const json_t *object, const char *key);

/* The member `second` of the member `first`; NULL if one is not there. */
const json_t *at_path(const json_t *object, const char *first, const char *second);
