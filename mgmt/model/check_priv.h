/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of one value, keyword by keyword; each appends what it finds. Private to check*.c. */
#pragma once

#include "model/walk.h"

/* Has it the schema's type? Nothing else is looked at if not. */
bool check_type(const struct walk_at *at, struct model_errors *e);

/* Is it one of the schema's values? */
void check_enum(const struct walk_at *at, struct model_errors *e);

/* Length, pattern, format of a string. */
void check_string(const struct walk_at *at, struct model_errors *e);

/* Bounds of an integer. */
void check_integer(const struct walk_at *at, struct model_errors *e);

/* Appends "Invalid value: ...: PATH in body should WHAT LIMIT UNIT". */
void check_bound_error(const struct walk_at *at, struct model_errors *e, const char *what,
                       int64_t limit, const char *unit);
