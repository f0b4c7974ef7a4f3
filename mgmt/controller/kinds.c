/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kinds. */
#include "controller/kinds.h"

#include "base/assert.h"

#include <string.h>

enum { CLUSTER, NAMESPACED };
enum { WATCHED, MESH, NAMED };
enum { BUILT_IN, CUSTOM };

static const struct kind_info infos[] = {
#define KIND(id, group_, kind_, plural_, scope, how, by)                                           \
    {.group = (group_),                                                                            \
     .name = (kind_),                                                                              \
     .plural = (plural_),                                                                          \
     .is_namespaced = (scope) == NAMESPACED,                                                       \
     .is_named = (how) == NAMED,                                                                   \
     .is_custom = (by) == CUSTOM,                                                                  \
     .is_of_mesh = (how) == MESH},
#include "controller/kinds.def"
#undef KIND
};

const struct kind_info *kind_info(enum kind kind)
{
    ASSERT((unsigned)kind < KIND_COUNT);
    return &infos[kind];
}

enum kind kind_find(const char *group, const char *name)
{
    unsigned i = 0;
    while (i < KIND_COUNT &&
           (strcmp(infos[i].group, group) != 0 || strcmp(infos[i].name, name) != 0))
        i++;
    return (enum kind)i;
}
