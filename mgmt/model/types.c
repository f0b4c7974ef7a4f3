/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of resource types, from types.def. */
#include "model/types.h"

#include "base/assert.h"

#include <string.h>

enum { CLUSTER, NAMESPACED };
enum { NO_STATUS, STATUS };

static const struct resource_type types[MODEL_TYPE_COUNT] = {
#define TYPE(id, group_, version_, kind_, plural_, singular_, short_, scope, status, as, file)     \
    [MODEL_##id] = {                                                                               \
        .group = group_,                                                                           \
        .version = version_,                                                                       \
        .api_version = sizeof(group_) > 1 ? group_ "/" version_ : version_,                        \
        .kind = kind_,                                                                             \
        .plural = plural_,                                                                         \
        .singular = singular_,                                                                     \
        .list_kind = kind_ "List",                                                                 \
        .short_names = {short_},                                                                   \
        .namespaced = (scope) == NAMESPACED,                                                       \
        .has_status = (status) == STATUS,                                                          \
        .stored = &types[MODEL_##as],                                                              \
    },
#include "model/types.def"
#undef TYPE
};

static const char *const schema_names[MODEL_TYPE_COUNT] = {
#define TYPE(id, group, version, kind, plural, singular, short_, scope, status, as, file)          \
    [MODEL_##id] = file,
#include "model/types.def"
#undef TYPE
};

size_t model_type_count(void)
{
    return MODEL_TYPE_COUNT;
}

const struct resource_type *model_type_at(size_t i)
{
    ASSERT(i < MODEL_TYPE_COUNT);
    return &types[i];
}

const struct resource_type *model_type(enum model_type_id id)
{
    return model_type_at((size_t)id);
}

enum model_type_id model_type_id(const struct resource_type *type)
{
    ASSERT(type >= types && type < types + MODEL_TYPE_COUNT);
    return (enum model_type_id)(type - types);
}

const char *model_type_schema_name(const struct resource_type *type)
{
    return schema_names[model_type_id(type)];
}

const struct resource_type *model_type_find(const char *group, const char *version,
                                            const char *plural)
{
    for (size_t i = 0; i < MODEL_TYPE_COUNT; i++) {
        if (strcmp(types[i].group, group) == 0 && strcmp(types[i].version, version) == 0 &&
            strcmp(types[i].plural, plural) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

const struct resource_type *model_type_find_kind(const char *api_version, const char *kind)
{
    for (size_t i = 0; i < MODEL_TYPE_COUNT; i++) {
        if (strcmp(types[i].api_version, api_version) == 0 && strcmp(types[i].kind, kind) == 0) {
            return &types[i];
        }
    }
    return NULL;
}
