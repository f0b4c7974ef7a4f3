/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions. Changes gather beside the store, in a table of their own; commit makes room in
 * memory first, then writes the disk, then moves them over, which cannot fail any more. So there is
 * no moment at which memory and disk disagree.
 */
#include "store/store_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_KEY_BYTES_MAX (STORE_NAME_BYTES_MAX + 1 + KEY_BYTES_MAX)

int store_begin(struct store *store, struct store_txn **ret)
{
    ASSERT(!store->is_notifying);
    if (store->txn != NULL)
        return store_fail(store, -EBUSY, "a transaction is open already");
    struct store_txn *txn = calloc(1, sizeof(*txn));
    if (txn == NULL)
        return -ENOMEM;
    txn->store = store;
    txn->version = store->version;
    txn->groups_next = store->groups_next;
    txn->releases = store->releases;
    store->txn = txn;
    *ret = txn;
    return 0;
}

static void object_free(struct store_object *object)
{
    if (object == NULL)
        return;
    json_decref(object->object);
    free(object->row.key);
    free(object);
}

static void pending_free(struct store_pending *p)
{
    if (p == NULL)
        return;
    object_free(p->fresh);
    json_decref(p->old);
    json_decref(p->now);
    free(p->text);
    free(p->row.key);
    free(p);
}

static void txn_free(struct store_txn *txn)
{
    ASSERT(txn->store->txn == txn);
    for (size_t i = 0; i < txn->pending.n; i++)
        pending_free((struct store_pending *)txn->pending.rows[i]);
    table_done(&txn->pending);
    store_value_drop(txn);
    store_group_drop(txn);
    txn->store->txn = NULL;
    free(txn);
}

void store_rollback(struct store_txn *txn)
{
    txn_free(txn);
}

static void pending_key(char buf[PENDING_KEY_BYTES_MAX], const char *resource, const char *key)
{
    snprintf(buf, PENDING_KEY_BYTES_MAX, "%s/%s", resource, key);
}

static struct store_pending *pending_find(const struct store_txn *txn, const char *resource,
                                          const char *key)
{
    char both[PENDING_KEY_BYTES_MAX];
    pending_key(both, resource, key);
    return (struct store_pending *)table_find(&txn->pending, both);
}

json_t *store_txn_get(const struct store_txn *txn, const char *resource, const char *namespace_,
                      const char *name)
{
    char key[KEY_BYTES_MAX];
    if (!store_key(key, namespace_, name))
        return NULL;
    const struct store_pending *p = pending_find(txn, resource, key);
    if (p != NULL)
        return p->is_removal ? NULL : p->now;
    return store_get(txn->store, resource, namespace_, name);
}

struct overlay {
    const struct store_txn *txn;
    const char *resource;
    store_visit_fn visit;
    void *arg;
    bool is_stopped;
};

/* A committed object, unless the transaction has something newer. */
static bool visit_committed(void *arg, json_t *object)
{
    struct overlay *o = arg;
    const json_t *metadata = json_object_get(object, "metadata");
    char key[KEY_BYTES_MAX];
    bool valid = store_key(key, json_string_value(json_object_get(metadata, "namespace")),
                           json_string_value(json_object_get(metadata, "name")));
    ASSERT(valid);
    if (pending_find(o->txn, o->resource, key) != NULL)
        return true;
    o->is_stopped = !o->visit(o->arg, object);
    return !o->is_stopped;
}

void store_txn_foreach(const struct store_txn *txn, const char *resource, const char *namespace_,
                       store_visit_fn visit, void *arg)
{
    struct overlay o = {.txn = txn, .resource = resource, .visit = visit, .arg = arg};
    store_foreach(txn->store, resource, namespace_, visit_committed, &o);
    for (size_t i = 0; i < txn->pending.n && !o.is_stopped; i++) {
        const struct store_pending *p = (struct store_pending *)txn->pending.rows[i];
        const json_t *metadata = json_object_get(p->now, "metadata");
        const char *own = json_string_value(json_object_get(metadata, "namespace"));
        if (p->is_removal || strcmp(p->resource->name, resource) != 0)
            continue;
        if (namespace_ != NULL && strcmp(own != NULL ? own : "", namespace_) != 0)
            continue;
        o.is_stopped = !visit(arg, p->now);
    }
}

/* The row of this object's change, made if need be. NULL and *ret_error set: no room. */
static struct store_pending *pending_get(struct store_txn *txn, struct store_resource *resource,
                                         const char *key, int *ret_error)
{
    struct store_pending *p = pending_find(txn, resource->name, key);
    if (p != NULL)
        return p;
    if (txn->pending.n == STORE_TXN_CHANGES_MAX) {
        *ret_error = store_fail(txn->store, -ENOSPC, "more than %u changes in one transaction",
                                STORE_TXN_CHANGES_MAX);
        return NULL;
    }
    char both[PENDING_KEY_BYTES_MAX];
    pending_key(both, resource->name, key);
    struct store_object *committed = (struct store_object *)table_find(&resource->objects, key);
    p = calloc(1, sizeof(*p));
    char *own_key = strdup(both);
    if (p == NULL || own_key == NULL || table_reserve(&txn->pending, 1) != 0) {
        free(p);
        free(own_key);
        *ret_error = -ENOMEM;
        return NULL;
    }
    p->row.key = own_key;
    p->resource = resource;
    p->old = committed != NULL ? json_incref(committed->object) : NULL;
    p->version = ++txn->version;
    table_insert(&txn->pending, &p->row);
    return p;
}

static void pending_drop(struct store_txn *txn, struct store_pending *p)
{
    size_t at = table_lower_bound(&txn->pending, p->row.key);
    ASSERT(txn->pending.rows[at] == &p->row);
    table_remove_at(&txn->pending, at);
    pending_free(p);
}

/* Prepares the row that a new object will have in its table. */
static struct store_object *object_new(const char *key)
{
    struct store_object *fresh = calloc(1, sizeof(*fresh));
    if (fresh != NULL)
        fresh->row.key = strdup(key);
    if (fresh != NULL && fresh->row.key == NULL) {
        free(fresh);
        return NULL;
    }
    return fresh;
}

static int check_room(struct store_txn *txn, bool is_new)
{
    size_t n = txn->store->objects_n + txn->added - txn->removed;
    if (is_new && n >= STORE_OBJECTS_MAX)
        return store_fail(txn->store, -ENOSPC, "the store holds its maximum of %u objects",
                          STORE_OBJECTS_MAX);
    return 0;
}

/* Text of an object as it goes to disk; *ret is malloc'ed. */
static int object_text(struct store *store, const json_t *object, char **ret, size_t *ret_len)
{
    char *text = json_dumps(object, JSON_COMPACT);
    if (text == NULL)
        return store_fail(store, -ENOMEM, "out of memory");
    size_t len = strlen(text);
    if (len > STORE_OBJECT_BYTES_MAX) {
        free(text);
        return store_fail(store, -E2BIG, "the object is larger than %u bytes",
                          STORE_OBJECT_BYTES_MAX);
    }
    *ret = text;
    *ret_len = len;
    return 0;
}

/* Makes `now` (taken) what the object will be. `seen` is what it was in this transaction, or NULL.
 */
static int program_put(struct store_txn *txn, struct store_resource *resource, const char *key,
                       const json_t *seen, json_t *now, json_t **ret)
{
    int error = check_room(txn, seen == NULL);
    struct store_pending *p = error == 0 ? pending_get(txn, resource, key, &error) : NULL;
    struct store_object *fresh = NULL;
    char *text = NULL;
    size_t bytes = 0;
    if (p != NULL)
        error = store_meta_set_version(now, p->version);
    if (error == 0)
        error = object_text(txn->store, now, &text, &bytes);
    if (error == 0 && p->old == NULL && p->fresh == NULL) {
        fresh = object_new(key);
        error = fresh != NULL ? 0 : -ENOMEM;
    }
    if (error != 0) {
        if (p != NULL && p->now == NULL)
            pending_drop(txn, p);
        free(text);
        json_decref(now);
        return error;
    }
    if (fresh != NULL)
        p->fresh = fresh;
    if (seen == NULL) {
        txn->added += 1;
        ASSERT(p->now == NULL || p->is_removal);
    }
    json_decref(p->now);
    free(p->text);
    p->now = now;
    p->text = text;
    p->bytes = bytes;
    p->is_removal = false;
    if (ret != NULL)
        *ret = now;
    return 0;
}

int store_put(struct store_txn *txn, const char *resource, const json_t *object, json_t **ret)
{
    char key[KEY_BYTES_MAX];
    const json_t *metadata = json_object_get(object, "metadata");
    const char *namespace_ = json_string_value(json_object_get(metadata, "namespace"));
    const char *name = json_string_value(json_object_get(metadata, "name"));
    if (!json_is_object(metadata) || !store_key(key, namespace_, name))
        return store_fail(txn->store, -EINVAL, "the object has no valid name");
    struct store_resource *r = store_resource_get(txn->store, resource);
    if (r == NULL)
        return store_fail(txn->store, -ENOSPC, "no room for resource %.64s", resource);
    json_t *seen = store_txn_get(txn, resource, namespace_, name);
    json_t *now = store_meta_copy(object, seen);
    if (now == NULL)
        return store_fail(txn->store, -ENOMEM, "out of memory");
    if (seen != NULL && json_equal(seen, now)) {
        json_decref(now);
        if (ret != NULL)
            *ret = seen;
        return 0;
    }
    return program_put(txn, r, key, seen, now, ret);
}

int store_put_status(struct store_txn *txn, const char *resource, const char *namespace_,
                     const char *name, const json_t *status)
{
    char key[KEY_BYTES_MAX];
    json_t *seen = store_txn_get(txn, resource, namespace_, name);
    if (seen == NULL || !store_key(key, namespace_, name))
        return -ENOENT;
    if (json_equal(json_object_get(seen, "status"), status))
        return 0;
    json_t *now = store_meta_with_status(seen, status);
    if (now == NULL)
        return store_fail(txn->store, -ENOMEM, "out of memory");
    return program_put(txn, store_resource_find(txn->store, resource), key, seen, now, NULL);
}

int store_remove(struct store_txn *txn, const char *resource, const char *namespace_,
                 const char *name, json_t **ret)
{
    char key[KEY_BYTES_MAX];
    json_t *seen = store_txn_get(txn, resource, namespace_, name);
    if (seen == NULL || !store_key(key, namespace_, name))
        return -ENOENT;
    int error = 0;
    json_t *last = store_meta_own(seen);
    struct store_resource *r = store_resource_get(txn->store, resource);
    struct store_pending *p = last != NULL ? pending_get(txn, r, key, &error) : NULL;
    if (p == NULL || store_meta_set_version(last, p->version) != 0) {
        if (p != NULL && p->now == NULL)
            pending_drop(txn, p);
        json_decref(last);
        return error != 0 ? error : -ENOMEM;
    }
    json_decref(p->now);
    free(p->text);
    p->now = last;
    p->text = NULL;
    p->is_removal = true;
    txn->removed += 1;
    if (ret != NULL)
        *ret = last;
    return 0;
}
