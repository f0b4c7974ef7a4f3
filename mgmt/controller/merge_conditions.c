/* SPDX-License-Identifier: Apache-2.0 */
/* One condition of several appliances' ones. See merge.h. */
#include "controller/merge_priv.h"

#include "base/assert.h"
#include "model/text.h"

#include <stdio.h>
#include <string.h>

/* The CRDs' bound on a list of conditions, twice: what is wanted, and what has to go. */
#define CONDITIONS_MAX 8u
/* Of a message, well below the CRDs' bound of 32768. */
#define MESSAGE_BYTES_MAX 4096u

/* Types of which True is the bad news. */
static bool is_negative(const char *type)
{
    static const char *const types[] = {"Conflicted", "PartiallyInvalid", "OverlappingTLSConfig",
                                        "InsecureFrontendValidationMode"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i], type) == 0) {
            return true;
        }
    }
    return false;
}

/* 0: the good status of its type. */
static int badness(const char *type, const char *status)
{
    const char *bad = is_negative(type) ? "True" : "False";
    return strcmp(status, bad) == 0 ? 2 : strcmp(status, "Unknown") == 0 ? 1 : 0;
}

static const json_t *find_type(const json_t *conditions, const char *type)
{
    size_t i;
    const json_t *c;
    json_array_foreach(conditions, i, c)
    {
        if (strcmp(text_at(c, "type"), type) == 0) {
            return c;
        }
    }
    return NULL;
}

static bool is_same_verdict(const json_t *a, const json_t *b)
{
    return strcmp(text_at(a, "status"), text_at(b, "status")) == 0 &&
           strcmp(text_at(a, "reason"), text_at(b, "reason")) == 0 &&
           strcmp(text_at(a, "message"), text_at(b, "message")) == 0;
}

static char *bounded(struct merge *m, const char *text)
{
    char *copy = arena_strdup(m->arena, text);
    if (strlen(copy) > MESSAGE_BYTES_MAX) {
        copy[MESSAGE_BYTES_MAX] = '\0';
        text_trim(copy);
    }
    return copy;
}

/* What is not everywhere yet is not Programmed, and what is accepted says so. */
static void hold_back(struct merge *m, struct wanted *w)
{
    if (m->pending == NULL || strcmp(w->verdict.status, "True") != 0) {
        return;
    }
    if (strcmp(w->type, "Programmed") == 0) {
        w->verdict = (struct verdict){
            "Unknown", "Pending", arena_printf(m->arena, "not confirmed yet by %s", m->pending)};
    } else if (strcmp(w->type, "Accepted") == 0) {
        w->verdict.message =
            arena_printf(m->arena, "%s; not looked at yet by %s", w->verdict.message, m->pending);
    }
}

/* The worst of this type. */
static struct wanted worst_of(struct merge *m, const json_t *const lists[], const char *type)
{
    const json_t *worst = NULL;
    const char *appliance = "";
    bool is_unanimous = true;
    for (uint32_t i = 0; i < m->n; i++) {
        const json_t *c = find_type(lists[i], type);
        if (c == NULL) {
            continue;
        }
        is_unanimous = is_unanimous && (worst == NULL || is_same_verdict(worst, c));
        if (worst == NULL ||
            badness(type, text_at(c, "status")) > badness(type, text_at(worst, "status"))) {
            worst = c;
            appliance = m->said[i].appliance;
        }
    }
    const char *message = bounded(m, text_at(worst, "message"));
    struct wanted w = {
        .type = type,
        .verdict = {text_at(worst, "status"), text_at(worst, "reason"),
                    is_unanimous ? message : arena_printf(m->arena, "%s: %s", appliance, message)},
    };
    hold_back(m, &w);
    return w;
}

static bool is_listed(const struct wanted *wanted, size_t n, const char *type)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(wanted[i].type, type) == 0) {
            return true;
        }
    }
    return false;
}

json_t *merge_conditions(struct merge *m, const json_t *const lists[MERGE_VOICES_MAX],
                         const json_t *old)
{
    struct wanted wanted[2 * CONDITIONS_MAX];
    size_t n = 0;
    size_t at;
    const json_t *c;
    for (uint32_t i = 0; i < m->n; i++) {
        json_array_foreach(lists[i], at, c)
        {
            const char *type = text_at(c, "type");
            if (n < CONDITIONS_MAX && !is_listed(wanted, n, type)) {
                wanted[n++] = worst_of(m, lists, type);
            }
        }
    }
    json_array_foreach(old, at, c)
    {
        const char *type = text_at(c, "type");
        bool is_ours = strchr(type, '/') == NULL;
        if (is_ours && n < 2 * CONDITIONS_MAX && !is_listed(wanted, n, type)) {
            wanted[n++] = (struct wanted){.type = type}; /* it is not said any more */
        }
    }
    return conditions_merge(old, wanted, n, m->generation, m->q->now);
}

static json_t *condition(const char *type, const char *reason, const char *message)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "type", type, "status", "False", "reason", reason,
                     "message", message);
}

/* What is wrong, and what is still served. */
static const char *refusal_text(const struct merge *m, const struct merge_voice *v)
{
    if (v->copy == NULL) {
        return v->refusal;
    }
    return arena_printf(m->arena, "%s (an older generation of it is still in effect)", v->refusal);
}

/* What an entry refers to; as the appliance has it, with the namespace of a policy's target. New
 * reference. */
static json_t *refused_ref(const struct merge *m, const json_t *ref, bool is_route)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)ref);
    if (!is_route) {
        json_object_set(copy, "namespace",
                        json_object_get(json_object_get(m->q->object, "metadata"), "namespace"));
    }
    return copy;
}

json_t *merge_refusal(const struct merge *m, const struct merge_voice *v)
{
    const char *text = refusal_text(m, v);
    const json_t *object = m->q->object;
    enum merge_shape shape = m->q->shape;
    if (shape == MERGE_CLASS) {
        return json_pack("{s:[o]}", "conditions", condition("Accepted", "Unsupported", text));
    }
    if (shape == MERGE_GATEWAY) {
        return json_pack("{s:[o, o]}", "conditions", condition("Accepted", "Invalid", text),
                         condition("Programmed", "Invalid", text));
    }
    bool is_route = shape == MERGE_PARENTS;
    json_t *entries = json_array();
    size_t i;
    const json_t *ref;
    json_array_foreach(at_path(object, "spec", is_route ? "parentRefs" : "targetRefs"), i, ref)
    {
        if (!is_route || m->q->is_ours(m->q->ctx, ref)) {
            json_array_append_new(
                entries,
                json_pack("{s:o, s:s, s:[o]}", merge_ref_key(shape), refused_ref(m, ref, is_route),
                          "controllerName", m->q->controller_name, "conditions",
                          condition("Accepted", is_route ? "UnsupportedValue" : "Invalid", text)));
        }
    }
    return json_pack("{s:o}", merge_list(shape), entries);
}
