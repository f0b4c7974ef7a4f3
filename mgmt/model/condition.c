/* SPDX-License-Identifier: Apache-2.0 */
/* Merging conditions. See condition.h. */
#include "model/condition.h"

#include "base/assert.h"
#include "model/at.h"

#include <stdbool.h>
#include <string.h>

/* What the CRDs' defaults carry: nobody's transition. */
#define NEVER "1970-01-01T00:00:00Z"

/* A message that the schema takes; ours are short, names in them are bounded. */
static json_t *make(const struct wanted *w, const json_t *old, int64_t generation, const char *now)
{
    const char *since = text_at(old, "lastTransitionTime");
    bool is_same = strcmp(text_at(old, "status"), w->verdict.status) == 0 && since[0] != '\0' &&
                   strcmp(since, NEVER) != 0;
    json_t *c =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:s}", "type", w->type, "status", w->verdict.status,
                  "reason", w->verdict.reason, "message", w->verdict.message, "observedGeneration",
                  (json_int_t)generation, "lastTransitionTime", is_same ? since : now);
    ASSERT(c != NULL);
    return c;
}

static const struct wanted *find_wanted(const struct wanted *wanted, size_t n, const char *type)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(wanted[i].type, type) == 0) {
            return &wanted[i];
        }
    }
    return NULL;
}

static bool has_type(const json_t *conditions, const char *type)
{
    size_t i;
    const json_t *c;
    json_array_foreach(conditions, i, c)
    {
        if (strcmp(text_at(c, "type"), type) == 0) {
            return true;
        }
    }
    return false;
}

json_t *conditions_merge(const json_t *old, const struct wanted *wanted, size_t n,
                         int64_t generation, const char *now)
{
    json_t *ret = json_array();
    size_t i;
    json_t *c;
    json_array_foreach(old, i, c)
    {
        const struct wanted *w = find_wanted(wanted, n, text_at(c, "type"));
        if (w == NULL || int_at(c, "observedGeneration") > generation) {
            json_array_append(ret, c);
        } else if (w->verdict.reason != NULL) {
            json_array_append_new(ret, make(w, c, generation, now));
        }
    }
    for (i = 0; i < n; i++) {
        if (wanted[i].verdict.reason != NULL && !has_type(old, wanted[i].type)) {
            json_array_append_new(ret, make(&wanted[i], NULL, generation, now));
        }
    }
    return ret;
}
