/* SPDX-License-Identifier: Apache-2.0 */
/* The store as attach reads it. Owner: reconcile; thread: the loop's. */
#include "reconcile/reconcile_priv.h"

static const json_t *source_get(void *ctx, const struct resource_type *type, const char *namespace,
                                const char *name)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    return store_get(ctx, resource_name(type, resource), namespace, name);
}

struct visit {
    object_source_fn fn;
    void *arg;
    int result;
};

static bool visit_object(void *arg, json_t *object)
{
    struct visit *v = arg;
    v->result = v->fn(v->arg, object);
    return v->result == 0;
}

static int source_foreach(void *ctx, const struct resource_type *type, const char *namespace,
                          object_source_fn fn, void *arg)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    struct visit v = {.fn = fn, .arg = arg};
    store_foreach(ctx, resource_name(type, resource), namespace, visit_object, &v);
    return v.result;
}

struct object_source store_source(struct store *store)
{
    return (struct object_source){.ctx = store, .get = source_get, .foreach = source_foreach};
}
