/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoint-group ids. An id outlives the configuration that names it: an image with it may still be
 * in use, or lie on the dataplane's disk. So ids count up, and those that were released come back
 * only when the numbers are used up, the longest released first.
 */
#include "store/store_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The group as the transaction sees it. */
static const struct store_group *group_seen(const struct store_txn *txn, const char *name)
{
    const struct row *row = table_find(&txn->groups, name);
    if (row == NULL)
        row = table_find(&txn->store->groups, name);
    return (const struct store_group *)row;
}

/* Sets what a group will be. -ENOMEM. */
static int program_group(struct store_txn *txn, const char *name, uint32_t id, uint64_t released)
{
    struct store_group *pending = (struct store_group *)table_find(&txn->groups, name);
    if (pending != NULL) {
        pending->released = released;
        return 0;
    }
    pending = calloc(1, sizeof(*pending));
    char *key = strdup(name);
    if (pending == NULL || key == NULL || table_reserve(&txn->groups, 1) != 0) {
        free(pending);
        free(key);
        return -ENOMEM;
    }
    *pending = (struct store_group){.row.key = key, .id = id, .released = released};
    table_insert(&txn->groups, &pending->row);
    return 0;
}

static bool is_id_pending(const struct store_txn *txn, uint32_t id)
{
    for (size_t i = 0; i < txn->groups.n; i++) {
        if (((const struct store_group *)txn->groups.rows[i])->id == id)
            return true;
    }
    return false;
}

/* The committed group that was released longest ago and that this transaction does not touch. */
static const struct store_group *longest_released(const struct store_txn *txn)
{
    const struct store_group *best = NULL;
    const struct table *t = &txn->store->groups;
    for (size_t i = 0; i < t->n; i++) {
        const struct store_group *g = (const struct store_group *)t->rows[i];
        if (g->released != 0 && (best == NULL || g->released < best->released) &&
            !is_id_pending(txn, g->id))
            best = g;
    }
    return best;
}

int store_group_take(struct store_txn *txn, const char *name, uint32_t *ret)
{
    if (name[0] == '\0' || strlen(name) > STORE_GROUP_NAME_BYTES_MAX)
        return store_fail(txn->store, -EINVAL, "bad name of an endpoint group");
    const struct store_group *seen = group_seen(txn, name);
    uint32_t id;
    if (seen != NULL && seen->released == 0) {
        *ret = seen->id;
        return 0;
    }
    if (seen != NULL) {
        id = seen->id;
    } else if (txn->groups_next < ENDPOINT_GROUPS_MAX) {
        id = txn->groups_next;
    } else {
        const struct store_group *oldest = longest_released(txn);
        if (oldest == NULL)
            return store_fail(txn->store, -ENOSPC, "all %u endpoint groups are in use",
                              ENDPOINT_GROUPS_MAX);
        id = oldest->id;
    }
    int error = program_group(txn, name, id, 0);
    if (error != 0)
        return error;
    if (id == txn->groups_next)
        txn->groups_next += 1;
    *ret = id;
    return 0;
}

int store_group_release(struct store_txn *txn, const char *name)
{
    const struct store_group *seen = group_seen(txn, name);
    if (seen == NULL || seen->released != 0)
        return -ENOENT;
    int error = program_group(txn, name, seen->id, txn->releases + 1);
    if (error == 0)
        txn->releases += 1;
    return error;
}

int store_group_find(const struct store *store, const char *name, uint32_t *ret)
{
    const struct store_group *group = (struct store_group *)table_find(&store->groups, name);
    if (group == NULL || group->released != 0)
        return -ENOENT;
    *ret = group->id;
    return 0;
}

void store_group_foreach(const struct store *store,
                         void (*visit)(void *arg, const char *name, uint32_t id), void *arg)
{
    for (size_t i = 0; i < store->groups.n; i++) {
        const struct store_group *g = (const struct store_group *)store->groups.rows[i];
        if (g->released == 0)
            visit(arg, g->row.key, g->id);
    }
}

int store_group_reserve(struct store_txn *txn)
{
    return table_reserve(&txn->store->groups, txn->groups.n);
}

/* Takes out the group of another name that had this id, if any: it was given on. */
static void drop_former(struct store *store, uint32_t id, const char *name)
{
    for (size_t i = 0; i < store->groups.n; i++) {
        struct store_group *g = (struct store_group *)store->groups.rows[i];
        if (g->id != id || strcmp(g->row.key, name) == 0)
            continue;
        ASSERT(g->released != 0);
        table_remove_at(&store->groups, i);
        free(g->row.key);
        free(g);
        return;
    }
}

void store_group_commit(struct store_txn *txn)
{
    struct store *store = txn->store;
    for (size_t i = 0; i < txn->groups.n; i++) {
        struct store_group *fresh = (struct store_group *)txn->groups.rows[i];
        struct store_group *known =
            (struct store_group *)table_find(&store->groups, fresh->row.key);
        if (known != NULL) {
            known->released = fresh->released;
            free(fresh->row.key);
            free(fresh);
            continue;
        }
        if (fresh->id < store->groups_next)
            drop_former(store, fresh->id, fresh->row.key);
        table_insert(&store->groups, &fresh->row);
    }
    store->groups_next = txn->groups_next;
    store->releases = txn->releases;
    table_done(&txn->groups);
}

void store_group_drop(struct store_txn *txn)
{
    store_rows_free(&txn->groups);
}
