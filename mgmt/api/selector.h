/* SPDX-License-Identifier: Apache-2.0 */
/* Label selectors in Kubernetes' text form: "a=b,c!=d,e in (f,g),h notin (i),j,!k". Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#define SELECTOR_TERMS_MAX 32u
#define SELECTOR_VALUES_MAX 64u /* of one term */

struct selector;

/* -EINVAL: it breaks the grammar or is too long; -ENOMEM. The empty text selects everything. */
int selector_parse(const char *text, struct selector **ret);

/* Frees; NULL is fine. */
void selector_free(struct selector *s);

/* Do the object's labels fit all terms? NULL selects everything. */
bool selector_matches(const struct selector *s, const json_t *object);
