/* SPDX-License-Identifier: Apache-2.0 */
/* See world.h. */
#include "world.h"

#include "attach/attach.h"
#include "compile/compile.h"
#include "compile/regex_cache.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static const char *meta_of(const json_t *object, const char *key)
{
    return text_of(json_object_get(object, "metadata"), key);
}

/* ---- the objects as attach reads them ---- */

static bool is_in(const json_t *object, const struct resource_type *type, const char *namespace)
{
    return strcmp(text_of(object, "kind"), type->kind) == 0 &&
           (namespace == NULL || strcmp(meta_of(object, "namespace"), namespace) == 0);
}

static const json_t *source_get(void *ctx, const struct resource_type *type, const char *namespace,
                                const char *name)
{
    const struct world *w = ctx;
    size_t i;
    const json_t *object;
    json_array_foreach(w->objects, i, object)
    {
        if (is_in(object, type, namespace) && strcmp(meta_of(object, "name"), name) == 0)
            return object;
    }
    return NULL;
}

static int source_foreach(void *ctx, const struct resource_type *type, const char *namespace,
                          object_source_fn fn, void *arg)
{
    const struct world *w = ctx;
    int rc = 0;
    for (size_t i = 0; i < json_array_size(w->objects) && rc == 0; i++) {
        const json_t *object = json_array_get(w->objects, i);
        if (is_in(object, type, namespace))
            rc = fn(arg, object);
    }
    return rc;
}

/* ---- from objects to an image ---- */

/* What the API does with an object that comes in. */
static bool admit(struct world *w, const json_t *object, json_t **ret_why)
{
    static struct model_errors errors;
    const struct resource_type *type =
        model_type_find_kind(text_of(object, "apiVersion"), text_of(object, "kind"));
    if (type == NULL) {
        *ret_why = json_sprintf("no such kind: %s", text_of(object, "kind"));
        return false;
    }
    json_t *copy = json_deep_copy(object);
    json_object_set_new(copy, "apiVersion", json_string(type->stored->api_version));
    memset(&errors, 0, sizeof(errors));
    model_normalize(type->stored, copy);
    model_default(type->stored, copy);
    model_validate(type->stored, copy, NULL, &errors);
    if (errors.n != 0)
        *ret_why = json_sprintf("%s %s is not valid: %s: %s", type->kind, meta_of(copy, "name"),
                                errors.items[0].field, errors.items[0].message);
    json_array_append_new(w->objects, copy);
    return errors.n == 0;
}

static void take_note(void *arg, const char *text)
{
    json_array_append_new(arg, json_string(text));
}

static int compile(struct world *w, struct regex_cache *patterns, const struct plan *plan)
{
    struct compile_input in = {
        .plan = plan,
        .patterns = patterns,
        .generation = 1,
        .on_note = take_note,
        .arg = w->notes,
    };
    uint32_t *ids = calloc(plan->n_groups + 1, sizeof(*ids));
    for (uint32_t i = 0; ids != NULL && i < plan->n_groups; i++)
        ids[i] = i + 1;
    in.group_ids = ids;
    int error = ids == NULL ? -1 : compile_image(&in, &w->image, &w->len);
    free(ids);
    return error;
}

static int attach_and_compile(struct world *w, struct regex_cache *patterns)
{
    struct object_source source = {.ctx = w, .get = source_get, .foreach = source_foreach};
    struct attach_input in = {
        .source = &source, .is_pattern = regex_cache_check, .is_pattern_arg = patterns};
    struct attach *a;
    int error = attach_run(&in, &a);
    if (error == 0) {
        error = compile(w, patterns, attach_plan(a));
        attach_free(a);
    }
    return error;
}

/* What a worker does before it serves an image. */
static bool load(struct world *w, json_t **ret_why)
{
    char fault[128];
    enum image_fault image_fault = image_check(w->image, w->len, NULL);
    if (image_fault != IMAGE_FAULT_OK) {
        *ret_why = json_sprintf("image_check() refuses the image: fault %d", (int)image_fault);
        return false;
    }
    image_view_init(&w->v, w->image);
    if (!route_patterns_new(&w->v, 1, &w->patterns, fault, sizeof(fault))) {
        *ret_why = json_sprintf("the patterns cannot be loaded: %s", fault);
        return false;
    }
    return true;
}

static bool make(struct world *w, struct regex_cache *patterns, const json_t *objects,
                 json_t **ret_why)
{
    size_t i;
    json_t *object;
    json_array_foreach(objects, i, object)
    {
        if (!admit(w, object, ret_why))
            return false;
    }
    int error = attach_and_compile(w, patterns);
    if (error != 0) {
        *ret_why = json_sprintf("no image: error %d", error);
        return false;
    }
    return load(w, ret_why);
}

bool world_open(struct world *w, struct regex_cache *patterns, const json_t *objects,
                json_t **ret_why)
{
    *w = (struct world){.objects = json_array(), .notes = json_array()};
    if (make(w, patterns, objects, ret_why))
        return true;
    world_close(w);
    return false;
}

void world_close(struct world *w)
{
    json_decref(w->objects);
    json_decref(w->notes);
    route_patterns_free(w->patterns);
    free(w->image);
    *w = (struct world){0};
}
