/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deleting. An object with finalizers is only marked (deletionTimestamp) and goes when the last of
 * them is taken off; a Namespace takes all that is in it along, and waits for what has finalizers.
 */
#include "api/api_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMESPACES "namespaces"

static bool has_finalizers(const json_t *object)
{
    return json_array_size(json_object_get(json_object_get(object, "metadata"), "finalizers")) > 0;
}

static bool is_terminating(const json_t *object)
{
    return meta_text(object, "deletionTimestamp")[0] != '\0';
}

static bool is_namespace_type(const struct resource_type *type)
{
    return type->group[0] == '\0' && strcmp(type->plural, NAMESPACES) == 0;
}

/* Puts the object with a deletionTimestamp; a Namespace says so in its status, too. */
static int mark(struct store_txn *txn, const struct resource_type *type, json_t *object,
                json_t **ret)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    char text[32];
    struct tm parts;
    time_t now = time(NULL);
    *ret = object;
    if (is_terminating(object))
        return 0;
    gmtime_r(&now, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    json_t *copy = json_deep_copy(object);
    json_t *metadata = json_object_get(copy, "metadata");
    int error = json_object_set_new(metadata, "deletionTimestamp", json_string(text));
    if (error == 0 && is_namespace_type(type))
        error = json_object_set_new(copy, "status", json_pack("{s:s}", "phase", "Terminating"));
    error = error != 0 ? -ENOMEM : store_put(txn, resource_name(type, resource), copy, ret);
    json_decref(copy);
    return error;
}

/* Marks it, or takes it out. */
static int remove_one(struct store_txn *txn, const struct resource_type *type, json_t *object,
                      json_t **ret)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    if (has_finalizers(object))
        return mark(txn, type, object, ret);
    return store_remove(txn, resource_name(type, resource), meta_text(object, "namespace"),
                        meta_text(object, "name"), ret);
}

static bool collect(void *arg, json_t *object)
{
    return json_array_append(arg, object) == 0;
}

/* Removes all objects of one type in a namespace. *ret_left: some stay for their finalizers. */
static int empty_of(struct store_txn *txn, const struct resource_type *type, const char *namespace_,
                    bool *ret_left)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    json_t *objects = json_array();
    int error = 0;
    size_t i;
    json_t *object;
    store_txn_foreach(txn, resource_name(type, resource), namespace_, collect, objects);
    json_array_foreach(objects, i, object)
    {
        json_t *last = NULL;
        if (error == 0)
            error = remove_one(txn, type, object, &last);
        *ret_left = *ret_left || has_finalizers(object);
    }
    json_decref(objects);
    return error;
}

static bool is_stored_in_namespaces(const struct resource_type *type)
{
    return type->stored == type && type->namespaced;
}

static int remove_namespace(struct store_txn *txn, const struct resource_type *type, json_t *object,
                            json_t **ret)
{
    const char *name = meta_text(object, "name");
    bool is_left = false;
    if (strcmp(name, "default") == 0)
        return -EPERM;
    for (size_t i = 0; i < model_type_count(); i++) {
        const struct resource_type *t = model_type_at(i);
        int error = is_stored_in_namespaces(t) ? empty_of(txn, t, name, &is_left) : 0;
        if (error != 0)
            return error;
    }
    return is_left ? mark(txn, type, object, ret) : remove_one(txn, type, object, ret);
}

int remove_object(struct store_txn *txn, const struct resource_type *type, const char *namespace_,
                  const char *name, json_t **ret)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    json_t *object = store_txn_get(txn, resource_name(type, resource), namespace_, name);
    if (object == NULL)
        return -ENOENT;
    if (is_namespace_type(type))
        return remove_namespace(txn, type, object, ret);
    return remove_one(txn, type, object, ret);
}

static bool note_any(void *arg, json_t *object)
{
    *(bool *)arg = true;
    return false;
}

/* The namespace that waited for its last object. */
static int finish_namespace(struct store_txn *txn, const char *name)
{
    json_t *object = store_txn_get(txn, NAMESPACES, NULL, name);
    bool any = false;
    if (object == NULL || !is_terminating(object) || has_finalizers(object))
        return 0;
    for (size_t i = 0; i < model_type_count() && !any; i++) {
        char resource[RESOURCE_NAME_BYTES_MAX];
        const struct resource_type *t = model_type_at(i);
        if (is_stored_in_namespaces(t))
            store_txn_foreach(txn, resource_name(t, resource), name, note_any, &any);
    }
    return any ? 0 : store_remove(txn, NAMESPACES, NULL, name, NULL);
}

int remove_if_finished(struct store_txn *txn, const struct resource_type *type, json_t *object,
                       bool *ret_gone)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    *ret_gone = is_terminating(object) && !has_finalizers(object);
    if (!*ret_gone)
        return 0;
    if (is_namespace_type(type)) {
        *ret_gone = false;
        return finish_namespace(txn, meta_text(object, "name"));
    }
    json_t *last = NULL;
    int error = store_remove(txn, resource_name(type, resource), meta_text(object, "namespace"),
                             meta_text(object, "name"), &last);
    return error == 0 ? finish_namespace(txn, meta_text(last, "namespace")) : error;
}
