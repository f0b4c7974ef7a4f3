/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Change sets: POST of a List to /apis/sluice.internal/v1/changesets. Each item is made to be as it
 * says, created or replaced; all of them in one transaction, or none. Namespaces go first, so that
 * a whole installation may stand in any order. The answer is the List as it was stored.
 */
#include "api/api_priv.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

#define PREFIX_BYTES 32

struct item {
    const struct resource_type *type;
    const char *namespace_;
    const char *name;
    char resource[RESOURCE_NAME_BYTES_MAX];
    char prefix[PREFIX_BYTES];
};

/* What the item is, and may the caller put it? False: answered. */
static bool read_item(struct api_call *call, size_t i, json_t *object, struct item *ret)
{
    const char *version = json_string_value(json_object_get(object, "apiVersion"));
    const char *kind = json_string_value(json_object_get(object, "kind"));
    snprintf(ret->prefix, sizeof(ret->prefix), "items[%zu].", i);
    ret->type = version != NULL && kind != NULL ? model_type_find_kind(version, kind) : NULL;
    ret->namespace_ = meta_text(object, "namespace");
    ret->name = meta_text(object, "name");
    if (ret->type == NULL || is_token_type(ret->type))
        api_call_fail(call, 400, "BadRequest", "items[%zu]: no kind that a change set may have", i);
    else if (ret->name[0] == '\0')
        api_call_fail(call, 422, "Invalid", "items[%zu].metadata.name: Required value", i);
    else if (ret->type->namespaced != (ret->namespace_[0] != '\0'))
        api_call_fail(call, 422, "Invalid", "items[%zu].metadata.namespace: %s", i,
                      ret->type->namespaced ? "Required value" : "Forbidden: cluster-scoped");
    else if (!role_may(&call->who, VERB_CREATE, ret->type, ret->namespace_, false) ||
             !role_may(&call->who, VERB_UPDATE, ret->type, ret->namespace_, false))
        role_refuse(call, VERB_UPDATE, ret->type, ret->namespace_, ret->name);
    else
        return resource_name(ret->type, ret->resource) != NULL;
    return false;
}

/* Each object once: the second would hide the first. False: answered. */
static bool note_seen(struct api_call *call, json_t *seen, const struct item *item)
{
    char key[RESOURCE_NAME_BYTES_MAX + 2 * NAME_BYTES];
    snprintf(key, sizeof(key), "%s/%s/%s", item->resource, item->namespace_, item->name);
    if (json_object_get(seen, key) == NULL)
        return json_object_set_new(seen, key, json_true()) == 0;
    api_call_fail(call, 422, "Invalid", "%smetadata.name: Duplicate value: \"%s\"", item->prefix,
                  item->name);
    return false;
}

static bool put_item(struct api_call *call, struct store_txn *txn, const struct item *item,
                     json_t *object, json_t *answers, size_t i)
{
    json_t *old = store_txn_get(txn, item->resource, item->namespace_, item->name);
    json_t *stored = NULL;
    bool is_gone = false;
    if (old == NULL && !admit_namespace(call, txn, item->type, item->namespace_))
        return false;
    if (old != NULL && !check_preconditions(call, item->type, old, meta_text(object, "uid"),
                                            meta_text(object, "resourceVersion")))
        return false;
    if (!admit(call, item->type, item->namespace_, object, old, item->prefix))
        return false;
    int error = store_put(txn, item->resource, object, &stored);
    if (error == 0)
        json_array_set_new(answers, i, object_as(item->type, stored));
    if (error == 0)
        error = remove_if_finished(txn, item->type, stored, &is_gone);
    if (error != 0)
        call_fail_store(call, error);
    return error == 0;
}

/* One walk over the items: the Namespaces, or all others. False: answered. */
static bool put_items(struct api_call *call, struct store_txn *txn, json_t *items, json_t *seen,
                      json_t *answers, bool namespaces)
{
    size_t i;
    json_t *object;
    json_array_foreach(items, i, object)
    {
        struct item item;
        if (!read_item(call, i, object, &item))
            return false;
        if ((strcmp(item.resource, "namespaces") == 0) != namespaces)
            continue;
        if (!note_seen(call, seen, &item) || !put_item(call, txn, &item, object, answers, i))
            return false;
    }
    return true;
}

/* A List with items; NULL: answered. */
static json_t *items_of(struct api_call *call)
{
    const char *kind = json_string_value(json_object_get(call->body, "kind"));
    json_t *items = json_object_get(call->body, "items");
    if (kind == NULL || strcmp(kind, "List") != 0 || !json_is_array(items))
        api_call_fail(call, 400, "BadRequest", "a change set is a List with items");
    else if (json_array_size(items) > STORE_TXN_CHANGES_MAX)
        api_call_fail(call, 413, "RequestEntityTooLarge", "a change set has at most %u items",
                      STORE_TXN_CHANGES_MAX);
    else
        return items;
    return NULL;
}

void changeset_run(struct api_call *call)
{
    json_t *items = items_of(call);
    struct store_txn *txn = NULL;
    if (items == NULL)
        return;
    int error = store_begin(call->api->store, &txn);
    if (error != 0) {
        call_fail_store(call, error);
        return;
    }
    json_t *seen = json_object();
    json_t *answers = json_array();
    for (size_t i = 0; i < json_array_size(items); i++)
        json_array_append_new(answers, json_null());
    bool is_done = put_items(call, txn, items, seen, answers, true) &&
                   put_items(call, txn, items, seen, answers, false);
    json_decref(seen);
    if (!is_done) {
        store_rollback(txn);
        json_decref(answers);
    } else if (call_commit(call, txn) == 0) {
        api_call_answer(call, 200,
                        json_pack("{s:s,s:s,s:{},s:o}", "kind", "List", "apiVersion", "v1",
                                  "metadata", "items", answers));
    } else {
        json_decref(answers);
    }
}
