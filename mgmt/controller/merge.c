/* SPDX-License-Identifier: Apache-2.0 */
/* Who has something to say of an object, and whether it is news. See merge.h. */
#include "controller/merge_priv.h"

#include "base/assert.h"

#include <string.h>

/* Do all of these conditions speak of that generation? False of an empty list. */
static bool are_of(const json_t *conditions, int64_t generation)
{
    size_t i;
    const json_t *c;
    json_array_foreach(conditions, i, c)
    {
        if (int_at(c, "observedGeneration") != generation) {
            return false;
        }
    }
    return json_array_size(conditions) > 0;
}

/* A route with a parent of ours has an entry as soon as the appliance has looked at it; but of a
 * Service only if the appliance serves Services. */
static bool needs_entry(const struct merge_question *q)
{
    size_t i;
    const json_t *ref;
    json_array_foreach(at_path(q->object, "spec", "parentRefs"), i, ref)
    {
        bool is_service = strcmp(text_at(ref, "kind"), "Service") == 0;
        if (q->shape == MERGE_PARENTS && !is_service && q->is_ours(q->ctx, ref)) {
            return true;
        }
    }
    return false;
}

static bool are_entries_of(const struct merge_question *q, const json_t *status, int64_t generation)
{
    bool has_ours = false;
    size_t i;
    const json_t *entry;
    json_array_foreach(json_object_get(status, merge_list(q->shape)), i, entry)
    {
        if (strcmp(text_at(entry, "controllerName"), q->controller_name) != 0) {
            continue;
        }
        has_ours = true;
        if (!are_of(json_object_get(entry, "conditions"), generation)) {
            return false;
        }
    }
    return has_ours || !needs_entry(q);
}

/* Has the appliance looked at its copy as it is now, and is that the object as it is now? */
static bool has_decided(const struct merge_question *q, const struct merge_voice *v)
{
    if (v->copy == NULL || !v->is_current) {
        return false;
    }
    int64_t generation = int_at(json_object_get(v->copy, "metadata"), "generation");
    const json_t *status = json_object_get(v->copy, "status");
    bool is_list = q->shape == MERGE_PARENTS || q->shape == MERGE_ANCESTORS;
    return is_list ? are_entries_of(q, status, generation)
                   : are_of(json_object_get(status, "conditions"), generation);
}

static void hear(struct merge *m)
{
    const struct merge_question *q = m->q;
    ASSERT(q->n_voices <= MERGE_VOICES_MAX);
    for (uint32_t i = 0; i < q->n_voices; i++) {
        const struct merge_voice *v = &q->voices[i];
        struct merge_said *said = &m->said[m->n];
        if (v->refusal != NULL) {
            json_t *status = merge_refusal(m, v);
            json_array_append_new(m->held, status);
            *said = (struct merge_said){v->appliance, status, true};
            m->n++;
        } else if (has_decided(q, v)) {
            *said = (struct merge_said){v->appliance, json_object_get(v->copy, "status"), false};
            m->n++;
        } else {
            m->pending = m->pending == NULL
                             ? v->appliance
                             : arena_printf(m->arena, "%s, %s", m->pending, v->appliance);
        }
    }
}

static json_t *put_together(struct merge *m)
{
    bool is_list = m->q->shape == MERGE_PARENTS || m->q->shape == MERGE_ANCESTORS;
    if (m->n == 0 && (m->q->n_voices > 0 || !is_list)) {
        return NULL; /* nobody has decided yet */
    }
    if (is_list) {
        return merge_entries(m);
    }
    return m->q->shape == MERGE_CLASS ? merge_class(m) : merge_gateway(m);
}

json_t *merge_status(const struct merge_question *q)
{
    struct merge m = {
        .q = q,
        .arena = arena_new(),
        .held = json_array(),
        .generation = int_at(json_object_get(q->object, "metadata"), "generation"),
    };
    const json_t *old = json_object_get(q->object, "status");
    hear(&m);
    json_t *status = put_together(&m);
    if (status != NULL && old != NULL && json_equal(old, status)) {
        json_decref(status);
        status = NULL;
    }
    json_decref(m.held);
    arena_free(m.arena);
    return status;
}
