/* SPDX-License-Identifier: Apache-2.0 */
/* From what a client sent to what may be stored: names and versions against the URL, what belongs
 * to the server, defaults, validation. Unknown fields are refused unless told
 * otherwise. */
#include "api/api_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMESPACES "namespaces"
#define AGE "creationTimestamp"

static json_t *metadata_of(json_t *object)
{
    return json_object_get(object, "metadata");
}

/* Does the body say what the URL says? False: answered. */
static bool check_identity(struct api_call *call, const struct resource_type *type,
                           const char *namespace_, json_t *object)
{
    const char *version = json_string_value(json_object_get(object, "apiVersion"));
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const char *own = meta_text(object, "namespace");
    if (version == NULL || kind == NULL || !json_is_object(metadata_of(object)))
        api_call_fail(call, 400, "BadRequest",
                      "the body needs apiVersion, kind and metadata of a %s", type->kind);
    else if (strcmp(version, type->api_version) != 0 || strcmp(kind, type->kind) != 0)
        api_call_fail(call, 400, "BadRequest",
                      "the body is a %s of %s, but the request is for a %s of %s", kind, version,
                      type->kind, type->api_version);
    else if (own[0] != '\0' && strcmp(own, namespace_) != 0)
        api_call_fail(call, 400, "BadRequest",
                      "the namespace of the provided object does not match the namespace sent on"
                      " the request");
    else
        return true;
    return false;
}

static void keep(json_t *to, const json_t *from, const char *key, bool always)
{
    json_t *value = json_object_get(from, key);
    if (value != NULL && (always || json_object_get(to, key) == NULL))
        json_object_set(to, key, value);
    else if (value == NULL && always)
        json_object_del(to, key);
}

/* A copy of a cluster's object is as old as that: age decides between routes that conflict, and it
 * has to decide alike in every appliance, and in one that is filled anew. An object that was
 * deleted and made again under its name is younger than its copy was: so a change may tell it, too.
 */
static bool may_tell_age(const struct api_call *call)
{
    return call->who.role == API_CONTROLLER;
}

/* The object as old as another one says it is: what is there, when its age may change. Takes
 * `object`. */
static json_t *with_age_of(json_t *object, const json_t *other)
{
    json_t *age = json_object_get(metadata_of((json_t *)(uintptr_t)other), AGE);
    if (object == NULL || age == NULL)
        return object;
    json_t *copy = json_copy(object);
    json_t *metadata = json_copy(metadata_of(object));
    json_object_set(metadata, AGE, age);
    json_object_set_new(copy, "metadata", metadata);
    json_decref(object);
    return copy;
}

/* What only the server sets: from the old object, or away. */
static void set_server_part(struct api_call *call, const struct resource_type *type,
                            const char *namespace_, json_t *object, const json_t *old)
{
    static const char *const ours[] = {"generation", "deletionTimestamp",
                                       "deletionGracePeriodSeconds", "resourceVersion"};
    static const char *const checked[] = {"uid", AGE};
    json_t *metadata = metadata_of(object);
    const json_t *old_metadata = json_object_get(old, "metadata");
    for (size_t i = 0; i < array_len(ours); i++)
        keep(metadata, old_metadata, ours[i], true);
    for (size_t i = 0; i < array_len(checked); i++) {
        if (old != NULL || !may_tell_age(call) || strcmp(checked[i], AGE) != 0)
            keep(metadata, old_metadata, checked[i], old == NULL);
    }
    if (namespace_[0] != '\0')
        json_object_set_new(metadata, "namespace", json_string(namespace_));
    if (type->has_status && !call->target.is_status)
        keep(object, old, "status", true);
}

/* Removes the field at a path like "spec.rules[0].nonsense". False: there is none. */
static bool prune_path(json_t *object, const char *path)
{
    json_t *at = object;
    char word[MODEL_PATH_MAX];
    for (;;) {
        size_t len = strcspn(path, ".[");
        snprintf(word, sizeof(word), "%.*s", (int)len, path);
        if (path[len] == '\0')
            return json_object_del(at, word) == 0;
        at = len > 0 ? json_object_get(at, word) : at;
        path += len;
        while (*path == '[') {
            char *end = NULL;
            at = json_array_get(at, strtoul(path + 1, &end, 10));
            if (at == NULL || *end != ']')
                return false;
            path = end + 1;
        }
        if (at == NULL || *path != '.')
            return false;
        path += 1;
    }
}

/* Takes the unknown fields out that validation found. True: there were some, and all are gone. */
static bool prune(json_t *object, const struct model_errors *errors)
{
    bool any = false;
    for (size_t i = 0; i < errors->n; i++) {
        if (errors->items[i].reason != MODEL_UNKNOWN_FIELD)
            continue;
        if (!prune_path(object, errors->items[i].field))
            return false;
        any = true;
    }
    return any;
}

/* Strict (our default), Warn, Ignore. False: answered. */
static bool read_field_validation(struct api_call *call, bool *ret_strict)
{
    const char *text = params_get(&call->params, "fieldValidation");
    *ret_strict = text == NULL || text[0] == '\0' || strcmp(text, "Strict") == 0;
    if (*ret_strict || strcmp(text, "Warn") == 0 || strcmp(text, "Ignore") == 0)
        return true;
    api_call_fail(
        call, 400, "BadRequest",
        "fieldValidation: Unsupported value: supported: \"Ignore\", \"Strict\", \"Warn\"");
    return false;
}

static int validate(struct api_call *call, const struct resource_type *type, const json_t *object,
                    const json_t *old)
{
    struct model_errors *errors = &call->api->errors;
    errors->n = errors->n_more = 0;
    return model_validate(type, object, old, errors);
}

bool admit(struct api_call *call, const struct resource_type *type, const char *namespace_,
           json_t *object, const json_t *old, const char *prefix)
{
    bool is_strict = true;
    if (!check_identity(call, type, namespace_, object) ||
        !scope_admit(call, type, namespace_, object, prefix) ||
        !read_field_validation(call, &is_strict))
        return false;
    json_t *before = old != NULL ? object_as(type, (json_t *)(uintptr_t)old) : NULL;
    if (may_tell_age(call))
        before = with_age_of(before, object);
    set_server_part(call, type, namespace_, object, before);
    int error = model_normalize(type, object);
    if (error == 0)
        error = model_default(type, object);
    if (error == 0)
        error = validate(call, type, object, before);
    for (unsigned i = 0; error == -EINVAL && !is_strict && i < API_DEPTH_MAX; i++) {
        if (!prune(object, &call->api->errors))
            break;
        call->warning = "299 - \"unknown fields were dropped\"";
        error = validate(call, type, object, before);
    }
    json_decref(before);
    if (error == -EINVAL && call->api->errors.n > 0)
        call_fail_invalid(call, type, meta_text(object, "name"), &call->api->errors, prefix);
    else if (error != 0)
        api_call_fail(call, error == -EINVAL ? 400 : 500,
                      error == -EINVAL ? "BadRequest" : "InternalError",
                      "%sthe object cannot be read", prefix);
    else
        json_object_set_new(object, "apiVersion", json_string(type->stored->api_version));
    return error == 0;
}

bool admit_namespace(struct api_call *call, const struct store_txn *txn,
                     const struct resource_type *type, const char *namespace_)
{
    if (!type->namespaced)
        return true;
    const json_t *object = store_txn_get(txn, NAMESPACES, NULL, namespace_);
    if (object == NULL)
        call_fail_missing(call, model_type_find("", "v1", NAMESPACES), namespace_);
    else if (meta_text(object, "deletionTimestamp")[0] != '\0')
        api_call_fail(call, 403, "Forbidden",
                      "unable to create new content in namespace %s because it is being terminated",
                      namespace_);
    else
        return true;
    return false;
}
