/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in which each controller has entries: status.parents of routes, status.ancestors of
 * policies. See merge.h. */
#include "controller/merge_priv.h"

#include "base/assert.h"

#include <string.h>

/* The CRDs' bounds on the lists. */
#define PARENTS_MAX 32u
#define ANCESTORS_MAX 16u

/* An entry that we want: what it refers to, and what each appliance says of it. */
struct entry {
    json_t *ref; /* with the cluster's names */
    const json_t *lists[MERGE_VOICES_MAX];
    bool is_done;
};

struct entries {
    uint32_t n;
    struct entry all[PARENTS_MAX];
};

const char *merge_list(enum merge_shape shape)
{
    return shape == MERGE_PARENTS ? "parents" : "ancestors";
}

const char *merge_ref_key(enum merge_shape shape)
{
    return shape == MERGE_PARENTS ? "parentRef" : "ancestorRef";
}

/* The reference as the cluster has it. New reference. */
static json_t *ref_here(const struct merge_question *q, const json_t *ref)
{
    char name[MERGE_NAME_BYTES];
    json_t *copy = json_copy((json_t *)(uintptr_t)ref);
    const char *namespace = text_at(ref, "namespace");
    if (namespace[0] != '\0' && q->name_here != NULL && q->name_here(q->ctx, namespace, name)) {
        json_object_set_new(copy, "namespace", json_string(name));
    }
    return copy;
}

static uint32_t find_entry(const struct entries *to, const json_t *ref)
{
    uint32_t i = 0;
    while (i < to->n && !json_equal(to->all[i].ref, ref)) {
        i++;
    }
    return i;
}

/* What the appliance number `v` says. */
static void collect(struct merge *m, uint32_t v, size_t n_max, struct entries *to)
{
    const struct merge_question *q = m->q;
    size_t i;
    const json_t *entry;
    json_array_foreach(json_object_get(m->said[v].status, merge_list(q->shape)), i, entry)
    {
        if (strcmp(text_at(entry, "controllerName"), q->controller_name) != 0) {
            continue;
        }
        json_t *theirs = json_object_get(entry, merge_ref_key(q->shape));
        json_t *ref = m->said[v].is_refusal ? json_incref(theirs) : ref_here(q, theirs);
        uint32_t e = find_entry(to, ref);
        json_array_append_new(m->held, ref);
        if (e == to->n && e < n_max) {
            to->all[to->n++] = (struct entry){.ref = ref};
        }
        if (e < to->n) {
            to->all[e].lists[v] = json_object_get(entry, "conditions");
        }
    }
}

static json_t *make_entry(struct merge *m, struct entry *e, const json_t *old)
{
    e->is_done = true;
    return json_pack("{s:O, s:s, s:o}", merge_ref_key(m->q->shape), e->ref, "controllerName",
                     m->q->controller_name, "conditions",
                     merge_conditions(m, e->lists, json_object_get(old, "conditions")));
}

json_t *merge_entries(struct merge *m)
{
    const struct merge_question *q = m->q;
    const char *list_name = merge_list(q->shape);
    size_t n_max = q->shape == MERGE_PARENTS ? PARENTS_MAX : ANCESTORS_MAX;
    struct entries wanted = {0};
    bool has_ours = false;
    json_t *list = json_array();
    size_t i;
    json_t *old;
    for (uint32_t v = 0; v < m->n; v++) {
        collect(m, v, n_max, &wanted);
    }
    json_array_foreach(at_path(q->object, "status", list_name), i, old)
    {
        bool is_ours = strcmp(text_at(old, "controllerName"), q->controller_name) == 0;
        uint32_t e = find_entry(&wanted, json_object_get(old, merge_ref_key(q->shape)));
        has_ours = has_ours || is_ours;
        if (!is_ours) {
            json_array_append(list, old);
        } else if (e < wanted.n && !wanted.all[e].is_done) {
            json_array_append_new(list, make_entry(m, &wanted.all[e], old));
        }
    }
    for (uint32_t e = 0; e < wanted.n && json_array_size(list) < n_max; e++) {
        if (!wanted.all[e].is_done) {
            json_array_append_new(list, make_entry(m, &wanted.all[e], NULL));
        }
    }
    if (!has_ours && wanted.n == 0) {
        json_decref(list);
        return NULL;
    }
    return json_pack("{s:o}", list_name, list);
}
