/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a transaction: room in memory, then the disk, then memory, then the listeners. Only
 * the first two can fail. */
#include "store/store_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct store_txn *txn)
{
    for (size_t i = 0; i < txn->pending.n; i++) {
        struct store_resource *r = ((struct store_pending *)txn->pending.rows[i])->resource;
        int error = table_reserve(&r->objects, txn->added);
        if (error != 0)
            return error;
    }
    int error = store_value_reserve(txn);
    return error == 0 ? store_group_reserve(txn) : error;
}

static int by_version(const void *a, const void *b)
{
    const struct store_change *x = a;
    const struct store_change *y = b;
    return x->version < y->version ? -1 : x->version > y->version;
}

/* What the transaction changes, oldest first; holds a reference to each object, because the rows
 * that held them go. Returns how many. */
static size_t list_changes(const struct store_txn *txn, struct store_change *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < txn->pending.n; i++) {
        const struct store_pending *p = (struct store_pending *)txn->pending.rows[i];
        if (p->is_removal && p->old == NULL)
            continue; /* came and went within the transaction */
        struct store_change *c = &ret[n++];
        *c = (struct store_change){
            .kind = p->is_removal ? STORE_DELETED : STORE_MODIFIED,
            .version = p->version,
            .resource = p->resource->name,
            .object = json_incref(p->now),
            .old = json_incref(p->old),
        };
        if (p->old == NULL)
            c->kind = STORE_ADDED;
        if (c->kind == STORE_MODIFIED)
            c->is_status_only = store_meta_is_status_only(p->old, p->now);
    }
    qsort(ret, n, sizeof(ret[0]), by_version);
    return n;
}

static void apply_removal(struct store *store, const struct store_pending *p, const char *key)
{
    struct table *t = &p->resource->objects;
    if (p->old == NULL)
        return;
    size_t at = table_lower_bound(t, key);
    ASSERT(at < t->n && strcmp(t->rows[at]->key, key) == 0);
    struct store_object *row = (struct store_object *)t->rows[at];
    table_remove_at(t, at);
    json_decref(row->object);
    free(row->row.key);
    free(row);
    store->objects_n -= 1;
}

static void apply(struct store *store, struct store_pending *p)
{
    const char *key = strchr(p->row.key, '/') + 1;
    if (p->is_removal) {
        apply_removal(store, p, key);
        return;
    }
    struct store_object *row = p->fresh;
    if (p->old == NULL) {
        ASSERT(row != NULL && row->object == NULL);
        table_insert(&p->resource->objects, &row->row);
        p->fresh = NULL;
        store->objects_n += 1;
    } else {
        row = (struct store_object *)table_find(&p->resource->objects, key);
        ASSERT(row != NULL && row->object == p->old);
        json_decref(row->object);
    }
    row->object = json_incref(p->now);
    row->bytes = p->bytes;
}

/* Bytes that an event keeps alive: about the texts of both objects. */
static size_t event_bytes(const struct store_txn *txn)
{
    size_t bytes = 0;
    for (size_t i = 0; i < txn->pending.n; i++)
        bytes += ((const struct store_pending *)txn->pending.rows[i])->bytes;
    return txn->pending.n > 0 ? 2 * bytes / txn->pending.n + 512 : 0;
}

static bool is_empty(const struct store_txn *txn)
{
    return txn->pending.n == 0 && txn->values.n == 0 && txn->groups.n == 0;
}

static void publish(struct store *store, struct store_txn *txn, struct store_change *changes,
                    size_t n)
{
    size_t bytes = event_bytes(txn);
    for (size_t i = 0; i < txn->pending.n; i++)
        apply(store, (struct store_pending *)txn->pending.rows[i]);
    store_value_commit(txn);
    store_group_commit(txn);
    store->version = txn->version;
    for (size_t i = 0; i < n; i++)
        store_log_add(store, &changes[i], bytes);
    store_rollback(txn); /* frees what is left of it; nothing of it is undone */
    if (n > 0)
        store_log_notify(store, changes, n);
}

int store_commit(struct store_txn *txn)
{
    struct store *store = txn->store;
    ASSERT(store->txn == txn);
    if (is_empty(txn)) {
        store_rollback(txn);
        return 0;
    }
    struct store_change *changes = calloc(txn->pending.n + 1, sizeof(changes[0]));
    int error = changes != NULL ? reserve(txn) : -ENOMEM;
    if (error == 0)
        error = store_db_write(store, txn);
    if (error != 0) {
        store_rollback(txn);
        free(changes);
        return error;
    }
    size_t n = list_changes(txn, changes);
    publish(store, txn, changes, n);
    for (size_t i = 0; i < n; i++) {
        json_decref(changes[i].object);
        json_decref(changes[i].old);
    }
    free(changes);
    return 0;
}
