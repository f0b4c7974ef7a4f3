/* SPDX-License-Identifier: Apache-2.0 */
/* The walk: a stack of frames, one a level. See walk.h. */
#include "model/walk.h"

#include "base/assert.h"
#include "model/text.h"

#include <stdio.h>
#include <string.h>

struct frame {
    const struct schema *schema;
    json_t *value;
    const json_t *old;
    size_t path_length; /* of the value's own path */
    void *iter;         /* objects: the next field */
    size_t index;       /* arrays: the next item */
};

struct walk {
    size_t depth;
    char path[MODEL_PATH_MAX];
    struct frame frames[MODEL_DEPTH_MAX];
};

/* Does it have children that the schema tells something about? */
static bool can_enter(const struct schema *s, const json_t *value)
{
    if (s == NULL) {
        return false;
    }
    return (s->type == SCHEMA_OBJECT && json_is_object(value)) ||
           (s->type == SCHEMA_ARRAY && json_is_array(value) && s->items != NULL);
}

static void enter(struct walk *w, const struct walk_at *at)
{
    ASSERT(w->depth < MODEL_DEPTH_MAX);
    w->frames[w->depth++] = (struct frame){
        .schema = at->schema,
        .value = at->value,
        .old = at->old,
        .path_length = strlen(w->path),
        .iter = json_is_object(at->value) ? json_object_iter(at->value) : NULL,
    };
}

/* The next field of the object on top of the stack; false: no more. */
static bool next_field(struct walk *w, struct frame *f, struct walk_at *ret)
{
    if (f->iter == NULL) {
        return false;
    }
    const char *key = json_object_iter_key(f->iter);
    ret->key = key;
    ret->value = json_object_iter_value(f->iter);
    ret->old = f->old != NULL ? json_object_get(f->old, key) : NULL;
    const struct schema *known = schema_property(f->schema, key);
    ret->schema = known != NULL ? known : f->schema->additional;
    bool is_map = known == NULL && f->schema->additional != NULL;
    const char *open = is_map ? "[" : (f->path_length > 0 ? "." : "");
    snprintf(w->path + f->path_length, MODEL_PATH_MAX - f->path_length, "%s%s%s", open, key,
             is_map ? "]" : "");
    text_trim(w->path);
    f->iter = json_object_iter_next(f->value, f->iter);
    return true;
}

/* The next item of the array on top of the stack; false: no more. */
static bool next_item(struct walk *w, struct frame *f, struct walk_at *ret)
{
    if (f->index >= json_array_size(f->value)) {
        return false;
    }
    ret->key = NULL;
    ret->value = json_array_get(f->value, f->index);
    ret->old = NULL;
    ret->schema = f->schema->items;
    snprintf(w->path + f->path_length, MODEL_PATH_MAX - f->path_length, "[%zu]", f->index);
    f->index++;
    return true;
}

void model_walk(const struct schema *schema, json_t *value, const json_t *old, walk_fn fn,
                void *arg)
{
    struct walk w = {0};
    struct walk_at at = {.schema = schema, .value = value, .old = old, .path = w.path};
    if (!fn(arg, &at) || !can_enter(schema, value)) {
        return;
    }
    enter(&w, &at);
    while (w.depth > 0) {
        struct frame *f = &w.frames[w.depth - 1];
        w.path[f->path_length] = '\0';
        bool more = json_is_object(f->value) ? next_field(&w, f, &at) : next_item(&w, f, &at);
        if (!more) {
            w.depth--;
        } else if (fn(arg, &at) && can_enter(at.schema, at.value)) {
            enter(&w, &at);
        }
    }
}
