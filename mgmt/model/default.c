/* SPDX-License-Identifier: Apache-2.0 */
/* Normalizing and defaulting: two visitors, and what core kinds need besides. See model.h. */
#include "model/core.h"
#include "model/walk.h"

#include <errno.h>

/* The schema's defaults of one object's fields; those that come in are visited in turn. */
static bool default_fields(void *arg, const struct walk_at *at)
{
    const struct schema *s = at->schema;
    if (s == NULL || !json_is_object(at->value)) {
        return s != NULL;
    }
    for (uint32_t i = 0; i < s->n_properties; i++) {
        const struct schema_property *p = &s->properties[i];
        if (p->schema->default_value != NULL && json_object_get(at->value, p->name) == NULL) {
            json_object_set_new(at->value, p->name, json_deep_copy(p->schema->default_value));
        }
    }
    return true;
}

int model_default(const struct resource_type *type, json_t *obj)
{
    if (!json_is_object(obj)) {
        return -EINVAL;
    }
    model_walk(model_schema(type), obj, NULL, default_fields, NULL);
    core_default(model_type_id(type), obj);
    return 0;
}

/* `null` says "not given" where it is not a value of its own. */
static bool drop_nulls(void *arg, const struct walk_at *at)
{
    if (at->schema == NULL || !json_is_object(at->value)) {
        return at->schema != NULL;
    }
    void *tmp;
    const char *key;
    json_t *value;
    json_object_foreach_safe(at->value, tmp, key, value)
    {
        const struct schema *s = schema_property(at->schema, key);
        if (json_is_null(value) && (s == NULL || !s->nullable)) {
            json_object_del(at->value, key);
        }
    }
    return true;
}

int model_normalize(const struct resource_type *type, json_t *obj)
{
    if (!json_is_object(obj)) {
        return -EINVAL;
    }
    json_t *meta = json_object_get(obj, "metadata");
    json_object_del(meta, "managedFields");
    json_object_del(meta, "selfLink");
    model_walk(model_schema(type), obj, NULL, drop_nulls, NULL);
    core_normalize(model_type_id(type), obj);
    return 0;
}
