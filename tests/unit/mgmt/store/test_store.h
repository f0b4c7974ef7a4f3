/* SPDX-License-Identifier: Apache-2.0 */
/* What the store's tests share: a state directory of their own and short ways to put objects. */
#pragma once

#include "store/store.h"
#include "unit.h"

#include <jansson.h>

#define PODS "pods"

/* Makes an empty state directory and opens a store in it. Removed by fixture_close(). */
struct store *fixture_open(void);

/* Closes and opens again. */
struct store *fixture_reopen(struct store *store);

/* Closes and removes the directory. */
void fixture_close(struct store *store);

/* The directory. */
const char *fixture_dir(void);

/* An object with spec.n. The caller's reference. */
json_t *object_of(const char *namespace_, const char *name, int n);

/* Puts one object in a transaction of its own; the result of the commit or of the put. */
int put_one(struct store *store, const char *namespace_, const char *name, int n);

/* A member of an object's metadata as text; "" if there is none. */
const char *meta_text(const json_t *object, const char *key);
