/* SPDX-License-Identifier: Apache-2.0 */
/* A visitor of model_walk() that looks at paths. See reference.h. */
#include "model/reference.h"

#include "model/walk.h"

#include <string.h>

#define CLASS_FIELD "spec.gatewayClassName"

struct looking {
    reference_fn fn;
    void *arg;
    bool is_over;
};

static bool ends_with(const char *text, size_t n, const char *ending)
{
    size_t m = strlen(ending);
    return n >= m && strncmp(text + n - m, ending, m) == 0;
}

/* "...parentRefs[0].namespace", "...extensionRef.namespace"? */
static bool is_namespace_of_reference(const char *path)
{
    static const char member[] = ".namespace";
    size_t n = strlen(path);
    if (!ends_with(path, n, member)) {
        return false;
    }
    n -= strlen(member);
    if (n > 0 && path[n - 1] == ']') {
        while (n > 0 && path[n - 1] != '[') {
            n--;
        }
        return n > 0 && ends_with(path, n - 1, "Refs");
    }
    return ends_with(path, n, "Ref");
}

static bool look(void *arg, const struct walk_at *at)
{
    struct looking *l = arg;
    const char *name = json_string_value(at->value);
    if (l->is_over) {
        return false;
    }
    if (name != NULL &&
        (is_namespace_of_reference(at->path) || strcmp(at->path, CLASS_FIELD) == 0)) {
        l->is_over = !l->fn(l->arg, at->path, name);
    }
    return true;
}

void reference_each(const struct resource_type *type, const json_t *object, reference_fn fn,
                    void *arg)
{
    struct looking l = {fn, arg, false};
    model_walk(model_schema(type), (json_t *)(uintptr_t)object, NULL, look, &l);
}
