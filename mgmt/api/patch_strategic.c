/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' strategic merge patch, as `kubectl apply` and `kubectl patch` send it for core kinds:
 * a merge patch that knows which lists are maps by a key. "$patch": "delete" and "replace",
 * "$deleteFromPrimitiveList/..." and null are done; "$setElementOrder/..." and "$retainKeys" say
 * only how things are ordered, or what a union keeps, and none of our kinds has a union.
 */
#include "api/api_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <string.h>

#define DELETE_FROM "$deleteFromPrimitiveList/"

/* Lists with a merge key, by the name of their member: the same wherever our core kinds have it. */
static const struct {
    const char *member, *key; /* key NULL: a set of strings */
} merge_lists[] = {
    {"ports", "port"},
    {"ownerReferences", "uid"},
    {"conditions", "type"},
    {"finalizers", NULL},
};

struct frame {
    json_t *target; /* a reference: a later element may take it out of its list */
    json_t *patch;
    void *at; /* iterator within patch */
};

struct stack {
    unsigned depth; /* how many frames */
    struct frame frames[API_DEPTH_MAX * 2];
};

static int push(struct stack *s, json_t *target, json_t *patch)
{
    if (s->depth == array_len(s->frames))
        return -EINVAL; /* a list of very many elements at every level: no real patch */
    s->frames[s->depth++] = (struct frame){json_incref(target), patch, json_object_iter(patch)};
    return 0;
}

static void pop(struct stack *s)
{
    s->depth -= 1;
    json_decref(s->frames[s->depth].target);
}

static bool is_directive(const json_t *patch, const char *wanted)
{
    const char *text = json_string_value(json_object_get(patch, "$patch"));
    return text != NULL && strcmp(text, wanted) == 0;
}

static size_t find_by_key(const json_t *list, const char *key, const json_t *element)
{
    const json_t *wanted = key != NULL ? json_object_get(element, key) : element;
    size_t i;
    const json_t *other;
    json_array_foreach(list, i, other)
    {
        if (json_equal(key != NULL ? json_object_get(other, key) : other, wanted))
            return i;
    }
    return json_array_size(list);
}

/* A copy without directives, for what is not there yet. */
static json_t *plain_copy(json_t *patch)
{
    json_t *copy = json_deep_copy(patch);
    json_object_del(copy, "$patch");
    return copy;
}

static int merge_element(struct stack *s, json_t *list, const char *key, json_t *element)
{
    size_t at = find_by_key(list, key, element);
    bool is_there = at < json_array_size(list);
    if (is_directive(element, "delete"))
        return is_there ? json_array_remove(list, at) : 0;
    if (is_there && json_is_object(element))
        return push(s, json_array_get(list, at), element);
    return is_there ? 0 : json_array_append_new(list, plain_copy(element));
}

/* A list that is a map by a key, or a set. */
static int merge_list(struct stack *s, json_t *target, const char *member, const char *key,
                      json_t *patch)
{
    json_t *list = json_object_get(target, member);
    size_t i;
    json_t *element;
    if (!json_is_array(list)) {
        list = json_array();
        if (json_object_set_new(target, member, list) != 0)
            return -ENOMEM;
    }
    json_array_foreach(patch, i, element)
    {
        int error = merge_element(s, list, key, element);
        if (error != 0)
            return error == -1 ? -ENOMEM : error;
    }
    return 0;
}

static void delete_from(json_t *target, const char *member, const json_t *values)
{
    json_t *list = json_object_get(target, member);
    size_t i;
    json_t *value;
    json_array_foreach(values, i, value)
    {
        size_t at = find_by_key(list, NULL, value);
        if (at < json_array_size(list))
            json_array_remove(list, at);
    }
}

static int merge_object(struct stack *s, json_t *target, const char *member, json_t *value)
{
    json_t *old = json_object_get(target, member);
    if (is_directive(value, "delete")) {
        json_object_del(target, member);
        return 0;
    }
    if (!json_is_object(old) || is_directive(value, "replace")) {
        old = json_object();
        if (json_object_set_new(target, member, old) != 0)
            return -ENOMEM;
    }
    return push(s, old, value);
}

static int merge_member(struct stack *s, json_t *target, const char *member, json_t *value)
{
    if (strncmp(member, DELETE_FROM, strlen(DELETE_FROM)) == 0)
        delete_from(target, member + strlen(DELETE_FROM), value);
    if (member[0] == '$')
        return 0;
    for (size_t i = 0; i < array_len(merge_lists); i++) {
        if (json_is_array(value) && strcmp(member, merge_lists[i].member) == 0)
            return merge_list(s, target, member, merge_lists[i].key, value);
    }
    if (json_is_null(value)) {
        json_object_del(target, member);
        return 0;
    }
    if (json_is_object(value))
        return merge_object(s, target, member, value);
    return json_object_set_new(target, member, json_deep_copy(value)) == 0 ? 0 : -ENOMEM;
}

int patch_strategic(json_t *target, json_t *patch)
{
    struct stack s = {0};
    ASSERT(json_is_object(target) && json_is_object(patch));
    int error = push(&s, target, patch);
    while (error == 0 && s.depth > 0) {
        struct frame *f = &s.frames[s.depth - 1];
        if (f->at == NULL) {
            pop(&s);
            continue;
        }
        void *at = f->at;
        f->at = json_object_iter_next(f->patch, at);
        error = merge_member(&s, f->target, json_object_iter_key(at), json_object_iter_value(at));
    }
    while (s.depth > 0)
        pop(&s);
    return error;
}
