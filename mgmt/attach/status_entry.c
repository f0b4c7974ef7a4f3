/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in a status in which each controller has entries (Gateway API, RouteStatus.parents,
 * PolicyStatus.ancestors). See status.h. */
#include "attach/status.h"

#include "base/assert.h"

#include <string.h>

static json_t *make_entry(const struct attach *a, const struct status_entries *w, uint32_t i,
                          const json_t *old, const char *now)
{
    const struct status_entry *e = &w->entries[i];
    size_t n = 0;
    while (n < STATUS_ENTRY_CONDITIONS_MAX && e->wanted[n].type != NULL) {
        n++;
    }
    return json_pack(
        "{s:O, s:s, s:o}", w->ref_key, (json_t *)(uintptr_t)e->ref, "controllerName",
        a->controller_name, "conditions",
        conditions_merge(json_object_get(old, "conditions"), e->wanted, n, w->generation, now));
}

/* The wanted entry that an old one of ours speaks of: its number, or n. */
static uint32_t find_entry(const struct status_entries *w, const json_t *old)
{
    uint32_t i = 0;
    while (i < w->n && !json_equal(w->entries[i].ref, json_object_get(old, w->ref_key))) {
        i++;
    }
    return i;
}

json_t *status_merge(const struct attach *a, const struct status_entries *w, const json_t *obj,
                     const char *now)
{
    uint64_t done = 0; /* a bit an entry */
    bool has_ours = w->n > 0;
    json_t *list = json_array();
    size_t i;
    json_t *old;
    ASSERT(w->n <= 64);
    json_array_foreach(at_path(obj, "status", w->list), i, old)
    {
        bool is_ours = strcmp(text_at(old, "controllerName"), a->controller_name) == 0;
        uint32_t e = find_entry(w, old);
        has_ours |= is_ours;
        if (!is_ours) {
            json_array_append(list, old);
        } else if (e < w->n && (done >> e & 1) == 0) {
            json_array_append_new(list, make_entry(a, w, e, old, now));
            done |= UINT64_C(1) << e;
        }
    }
    for (uint32_t e = 0; e < w->n && json_array_size(list) < w->n_max; e++) {
        if ((done >> e & 1) == 0) {
            json_array_append_new(list, make_entry(a, w, e, NULL, now));
        }
    }
    if (!has_ours) {
        json_decref(list);
        return NULL;
    }
    return json_pack("{s:o}", w->list, list);
}
