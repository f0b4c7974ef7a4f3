/* SPDX-License-Identifier: Apache-2.0 */
/* What backendRefs and targetRefs lead to: Services, and Backends of our own. */
#include "attach/attach_priv.h"

#include <stdlib.h>
#include <string.h>

static bool is_of(const json_t *ref, const char *group, const char *kind)
{
    return strcmp(text_at(ref, "group"), group) == 0 && strcmp(text_at(ref, "kind"), kind) == 0;
}

bool referent_is_known(const json_t *ref)
{
    return is_of(ref, "", "Service") || is_of(ref, SLUICE_API_GROUP, "Backend");
}

static int compare_name(const void *key, const void *item)
{
    return strcmp(key, ((const struct at_backend *)item)->meta.full_name);
}

static const struct at_backend *find_backend(struct attach *a, const char *namespace,
                                             const char *name)
{
    const char *full_name = arena_printf(a->arena, "%s/%s", namespace, name);
    return a->n_backends > 0 ? bsearch(full_name, a->backends, a->n_backends,
                                       sizeof(a->backends[0]), compare_name)
                             : NULL;
}

struct at_referent referent_find(struct attach *a, const json_t *ref, const char *namespace)
{
    struct at_referent to = {
        .is_backend = is_of(ref, SLUICE_API_GROUP, "Backend"),
        .namespace = namespace,
        .name = text_at(ref, "name"),
    };
    if (to.is_backend) {
        to.backend = find_backend(a, namespace, to.name);
        to.service = to.backend != NULL ? to.backend->as_service : NULL;
    } else {
        to.service = find_object(a, MODEL_SERVICE, namespace, to.name);
    }
    return to;
}

const char *referent_words(struct attach *a, const struct at_referent *to)
{
    return arena_printf(a->arena, "%s %s/%s", to->is_backend ? "Backend" : "Service", to->namespace,
                        to->name);
}
