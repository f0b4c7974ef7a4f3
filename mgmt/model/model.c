/* SPDX-License-Identifier: Apache-2.0 */
/* The public face of model: schemas loaded once, then normalize, default, validate. See model.h. */
#include "model/model.h"

#include "base/assert.h"
#include "model/check.h"
#include "model/core.h"
#include "model/errors.h"
#include "model/meta.h"
#include "model/schema_files.h"
#include "model/types.h"
#include "model/walk.h"

#include <errno.h>
#include <string.h>

static struct {
    struct arena *arena;
    struct pattern_cache *patterns;
    json_t *files; /* name: parsed file */
    const struct schema *schemas[MODEL_TYPE_COUNT];
} model;

static json_t *load_file(const char *name)
{
    for (size_t i = 0; i < schema_files_count; i++) {
        if (strcmp(schema_files[i].name, name) == 0) {
            return json_loads(schema_files[i].text, 0, NULL);
        }
    }
    return NULL;
}

/* Every object's metadata has the same schema; the files say only "object". */
static void put_metadata(json_t *file, json_t *metadata)
{
    json_t *properties = json_object_get(json_object_get(file, "schema"), "properties");
    json_object_set(properties, "metadata", json_object_get(metadata, "schema"));
}

int model_init(void)
{
    ASSERT(model.arena == NULL);
    model.arena = arena_new();
    model.patterns = pattern_cache_new();
    model.files = json_object();
    json_t *metadata = load_file("metadata");
    ASSERT(metadata != NULL);
    for (size_t i = 0; i < MODEL_TYPE_COUNT; i++) {
        const struct resource_type *type = model_type_at(i);
        if (type->stored == type) {
            json_t *file = load_file(model_type_schema_name(type));
            ASSERT(file != NULL);
            put_metadata(file, metadata);
            json_object_set_new(model.files, model_type_schema_name(type), file);
            model.schemas[i] =
                schema_compile(model.arena, model.patterns, json_object_get(file, "schema"));
        } else {
            model.schemas[i] = model.schemas[type->stored - model_type_at(0)];
            ASSERT(model.schemas[i] != NULL);
        }
    }
    json_decref(metadata);
    return 0;
}

void model_done(void)
{
    arena_free(model.arena);
    pattern_cache_free(model.patterns);
    json_decref(model.files);
    memset(&model, 0, sizeof(model));
}

const struct schema *model_schema(const struct resource_type *type)
{
    return model.schemas[model_type_id(type)];
}

static const json_t *file_of(const struct resource_type *type)
{
    return json_object_get(model.files, model_type_schema_name(type));
}

const json_t *model_type_schema(const struct resource_type *type)
{
    return json_object_get(file_of(type), "schema");
}

int model_validate(const struct resource_type *type, const json_t *obj, const json_t *old,
                   struct model_errors *ret_errors)
{
    enum model_type_id id = model_type_id(type);
    size_t before = ret_errors->n + ret_errors->n_more;
    check_structure(model_schema(type), obj, ret_errors);
    if (ret_errors->n + ret_errors->n_more > before) {
        return -EINVAL;
    }
    const char *api_version = json_string_value(json_object_get(obj, "apiVersion"));
    const char *kind = json_string_value(json_object_get(obj, "kind"));
    if (api_version == NULL || strcmp(api_version, type->api_version) != 0) {
        model_error_add(ret_errors, MODEL_INVALID, "apiVersion", "Invalid value: must be %s",
                        type->api_version);
    }
    if (kind == NULL || strcmp(kind, type->kind) != 0) {
        model_error_add(ret_errors, MODEL_INVALID, "kind", "Invalid value: must be %s", type->kind);
    }
    meta_check(type, json_object_get(obj, "metadata"), json_object_get(old, "metadata"),
               ret_errors);
    check_rules(model_schema(type), obj, old, ret_errors);
    core_check(id, obj, old, ret_errors);
    return ret_errors->n + ret_errors->n_more > before ? -EINVAL : 0;
}
