/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of guards: that the matches of a path are reached by way of them as they would be one
 * after the other. Each match names the answer that it hangs on, and that answer lists it; the
 * lists are as long as all matches together; so each match is listed once. And each has the
 * condition that its answer stands for: no request that it takes can give another.
 */
#include "abi/image_check.h"

enum image_fault image_local_guard(const struct image_view *v, uint32_t i)
{
    const struct image_guard *e = &v->guards[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    if (e->kind > IMAGE_GUARD_CALL)
        return IMAGE_FAULT_VALUE;
    if (e->path >= v->n_paths)
        return IMAGE_FAULT_INDEX;
    bool is_named = e->kind == IMAGE_GUARD_HEADER || e->kind == IMAGE_GUARD_QUERY;
    if (is_named != (e->name.length != 0))
        return IMAGE_FAULT_TEXT;
    return image_check_text(
        v, e->name, e->kind == IMAGE_GUARD_HEADER ? IMAGE_TEXT_TOKEN_LOWER : IMAGE_TEXT_ANY);
}

enum image_fault image_cross_guard(const struct image_view *v, uint32_t i)
{
    const struct image_path *path = &v->paths[v->guards[i].path];
    return i >= path->first_guard && i - path->first_guard < path->n_guards ? IMAGE_FAULT_OK
                                                                            : IMAGE_FAULT_OWNER;
}

enum image_fault image_local_guard_slot(const struct image_view *v, uint32_t i)
{
    const struct image_slot *e = &v->guard_slots[i];
    if (!image_is_power_of_two(v->n_guard_slots))
        return IMAGE_FAULT_HASH;
    if (e->node == IMAGE_NONE)
        return e->tag == 0 ? IMAGE_FAULT_OK : IMAGE_FAULT_RESERVED;
    return e->node < v->n_answers ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

/* Each answer found itself; so equal numbers mean that no slot leads elsewhere. */
enum image_fault image_whole_guard_slots(const struct image_view *v)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < v->n_guard_slots; i++)
        used += v->guard_slots[i].node != IMAGE_NONE;
    return used == v->n_answers ? IMAGE_FAULT_OK : IMAGE_FAULT_HASH;
}

enum image_fault image_local_answer(const struct image_view *v, uint32_t i)
{
    const struct image_answer *e = &v->answers[i];
    if (e->guard >= v->n_guards || e->count == 0 ||
        !image_is_range(e->first, e->count, v->n_answer_matches))
        return IMAGE_FAULT_INDEX;
    if (e->value.length > IMAGE_ANSWER_BYTES_MAX)
        return IMAGE_FAULT_STRING;
    return image_check_text(v, e->value, IMAGE_TEXT_ANY);
}

enum image_fault image_local_answer_match(const struct image_view *v, uint32_t i)
{
    return v->answer_matches[i] < v->n_matches ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

static bool has_predicate(const struct image_view *v, const struct image_match *match,
                          enum image_predicate_kind kind, struct slice name, struct slice value)
{
    for (uint32_t i = 0; i < (uint32_t)match->n_headers + match->n_queries; i++) {
        const struct image_predicate *p = &v->predicates[match->first_predicate + i];
        if (p->kind == kind && slice_eq(image_text(v, p->name), name) &&
            slice_eq(image_text(v, p->value), value))
            return true;
    }
    return false;
}

/* Can the match hold only for requests that give this answer? */
static bool needs_answer(const struct image_view *v, const struct image_match *match,
                         const struct image_answer *answer)
{
    const struct image_guard *guard = &v->guards[answer->guard];
    struct slice name = image_text(v, guard->name), value = image_text(v, answer->value);
    switch (guard->kind) {
    case IMAGE_GUARD_HEADER:
        return has_predicate(v, match, IMAGE_PREDICATE_HEADER, name, value);
    case IMAGE_GUARD_QUERY:
        return has_predicate(v, match, IMAGE_PREDICATE_QUERY, name, value);
    case IMAGE_GUARD_METHOD:
    case IMAGE_GUARD_CALL:
        return value.len != 0 && match->is_grpc == (guard->kind == IMAGE_GUARD_CALL) &&
               slice_eq(image_text(v, match->method), value);
    default:
        return value.len == 0;
    }
}

enum image_fault image_cross_answer(const struct image_view *v, uint32_t i)
{
    const struct image_answer *e = &v->answers[i];
    if (e->first != (i == 0 ? 0 : e[-1].first + e[-1].count))
        return IMAGE_FAULT_OWNER;
    for (uint32_t k = 0; k < e->count; k++) {
        const uint32_t *index = &v->answer_matches[e->first + k];
        const struct image_match *match = &v->matches[*index];
        if (k > 0 && index[-1] >= *index)
            return IMAGE_FAULT_ORDER;
        if (match->answer != i || match->path != v->guards[e->guard].path)
            return IMAGE_FAULT_OWNER;
        if (!needs_answer(v, match, e))
            return IMAGE_FAULT_VALUE;
    }
    return image_answer_find(v, e->guard, image_text(v, e->value)) == i ? IMAGE_FAULT_OK
                                                                        : IMAGE_FAULT_HASH;
}

/* No match is in two lists (it names one answer); so equal numbers mean that each is in one. */
enum image_fault image_whole_answers(const struct image_view *v)
{
    uint32_t guarded = 0, listed = 0;
    for (uint32_t i = 0; i < v->n_matches; i++)
        guarded += v->matches[i].answer != IMAGE_NONE;
    for (uint32_t i = 0; i < v->n_answers; i++)
        listed += v->answers[i].count;
    return guarded == listed && listed == v->n_answer_matches ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}
