/* SPDX-License-Identifier: Apache-2.0 */
/* ReferenceGrants: who may refer to what across namespaces. */
#include "attach/attach_priv.h"

#include <string.h>

/* Does one of `from` stand for the referrer? */
static bool has_from(const json_t *grant, const char *group, const char *kind,
                     const char *namespace)
{
    size_t i;
    const json_t *from;
    json_array_foreach(at_path(grant, "spec", "from"), i, from)
    {
        if (strcmp(text_at(from, "group"), group) == 0 &&
            strcmp(text_at(from, "kind"), kind) == 0 &&
            strcmp(text_at(from, "namespace"), namespace) == 0) {
            return true;
        }
    }
    return false;
}

/* Does one of `to` stand for what is referred to? Without a name it stands for all of the kind. */
static bool has_to(const json_t *grant, const char *group, const char *kind, const char *name)
{
    size_t i;
    const json_t *to;
    json_array_foreach(at_path(grant, "spec", "to"), i, to)
    {
        const char *only = text_at(to, "name");
        if (strcmp(text_at(to, "group"), group) == 0 && strcmp(text_at(to, "kind"), kind) == 0 &&
            (only[0] == '\0' || strcmp(only, name) == 0)) {
            return true;
        }
    }
    return false;
}

bool grant_allows(const struct attach *a, const char *from_group, const char *from_kind,
                  const char *from_namespace, const char *to_group, const char *to_kind,
                  const char *to_namespace, const char *to_name)
{
    for (uint32_t i = 0; i < a->n_grants; i++) {
        const json_t *grant = a->grants[i];
        if (strcmp(text_at(json_object_get(grant, "metadata"), "namespace"), to_namespace) == 0 &&
            has_from(grant, from_group, from_kind, from_namespace) &&
            has_to(grant, to_group, to_kind, to_name)) {
            return true;
        }
    }
    return false;
}
