/* SPDX-License-Identifier: Apache-2.0 */
/* Wanted statuses into the store: only what differs, many in one transaction. Owner: reconcile;
 * thread: the loop's. */
#include "model/text.h"
#include "reconcile/reconcile_priv.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* Changes in one transaction: well below STORE_TXN_CHANGES_MAX, of a table of any size. */
#define STATUSES_AT_ONCE 4096u

struct write {
    struct store *store;
    struct store_txn *txn; /* NULL until there is something to write */
    uint32_t n;            /* changes in it, at most */
};

static bool is_served(void *arg, const char *uid, int64_t generation)
{
    const json_t *served = json_object_get((const json_t *)arg, uid);
    return json_is_integer(served) && json_integer_value(served) >= generation;
}

static int need_txn(struct write *w)
{
    return w->txn != NULL ? 0 : store_begin(w->store, &w->txn);
}

static int commit(struct write *w)
{
    struct store_txn *txn = w->txn;
    w->txn = NULL;
    w->n = 0;
    return txn != NULL ? store_commit(txn) : 0;
}

static bool has_finalizer(const json_t *finalizers, const char *name, size_t *ret_index)
{
    size_t i;
    const json_t *finalizer;
    json_array_foreach(finalizers, i, finalizer)
    {
        const char *text = json_string_value(finalizer);
        if (text != NULL && strcmp(text, name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/* An object that waits for deletion goes with its last finalizer. */
static int put_finalizers(struct write *w, const char *resource, const struct attach_status *s,
                          const json_t *object, json_t *finalizers)
{
    const json_t *metadata = json_object_get(object, "metadata");
    if (json_array_size(finalizers) == 0 && json_object_get(metadata, "deletionTimestamp") != NULL)
        return store_remove(w->txn, resource, s->namespace, s->name, NULL);
    json_t *changed = json_copy((json_t *)(uintptr_t)object);
    json_t *changed_metadata = json_copy(json_object_get(changed, "metadata"));
    json_object_set(changed_metadata, "finalizers", finalizers);
    json_object_set_new(changed, "metadata", changed_metadata);
    int result = store_put(w->txn, resource, changed, NULL);
    json_decref(changed);
    return result;
}

static int write_finalizer(struct write *w, const char *resource, const struct attach_status *s)
{
    size_t index = 0;
    const json_t *object = w->txn != NULL ? store_txn_get(w->txn, resource, s->namespace, s->name)
                                          : store_get(w->store, resource, s->namespace, s->name);
    const json_t *old = json_object_get(json_object_get(object, "metadata"), "finalizers");
    bool is_there = has_finalizer(old, ATTACH_CLASS_FINALIZER, &index);
    if (object == NULL || s->finalizer == ATTACH_FINALIZER_KEEP ||
        is_there == (s->finalizer == ATTACH_FINALIZER_ADD))
        return 0;
    int result = need_txn(w);
    if (result != 0)
        return result;
    json_t *finalizers = old != NULL ? json_deep_copy(old) : json_array();
    if (s->finalizer == ATTACH_FINALIZER_ADD)
        json_array_append_new(finalizers, json_string(ATTACH_CLASS_FINALIZER));
    else
        json_array_remove(finalizers, index);
    result = put_finalizers(w, resource, s, object, finalizers);
    json_decref(finalizers);
    return result;
}

static int write_one(void *arg, const struct attach_status *s)
{
    struct write *w = arg;
    char resource[RESOURCE_NAME_BYTES_MAX];
    resource_name(s->type, resource);
    int result = w->n < STATUSES_AT_ONCE ? 0 : commit(w);
    if (result == 0 && s->differs && s->status != NULL) {
        result = need_txn(w);
        if (result == 0)
            result = store_put_status(w->txn, resource, s->namespace, s->name, s->status);
        if (result == -ENOENT)
            result = 0; /* deleted since attach looked */
    }
    w->n += 2; /* the status, and the finalizers */
    return result == 0 ? write_finalizer(w, resource, s) : result;
}

int statuses_write(struct store *store, struct attach *attach, const json_t *served,
                   enum attach_status_only which)
{
    char now[TEXT_TIME_BYTES];
    text_of_time(time(NULL), now);
    struct object_source source = store_source(store);
    struct write w = {.store = store};
    struct attach_status_input input = {.source = &source,
                                        .now = now,
                                        .is_served = is_served,
                                        .is_served_arg = (void *)(uintptr_t)served,
                                        .only = which};
    int result = attach_status_foreach(attach, &input, write_one, &w);
    if (result == 0)
        return commit(&w);
    if (w.txn != NULL)
        store_rollback(w.txn);
    return result;
}
