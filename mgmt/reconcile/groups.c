/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoint groups: an id for life each, and only the lists that changed on the wire. Owner:
 * reconcile; thread: the loop's; cost of a run: the endpoints of the plan, once.
 */
#include "reconcile/reconcile_priv.h"

#include "base/assert.h"
#include "publish/publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int groups_number(struct store *store, const struct plan *plan, uint32_t *ret_ids)
{
    struct store_txn *txn = NULL;
    int result = 0;
    for (uint32_t i = 0; i < plan->n_groups && result == 0; i++) {
        if (store_group_find(store, plan->groups[i].name, &ret_ids[i]) == 0)
            continue;
        if (txn == NULL)
            result = store_begin(store, &txn);
        if (result == 0)
            result = store_group_take(txn, plan->groups[i].name, &ret_ids[i]);
    }
    if (txn == NULL)
        return result;
    if (result == 0)
        return store_commit(txn);
    store_rollback(txn);
    return result;
}

/* 0 means "nothing was sent", so no list may have it. */
static uint64_t list_checksum(const struct endpoint *endpoints, uint32_t count, uint16_t flags)
{
    uint64_t checksum = endpoints_checksum(endpoints, count) + flags;
    return checksum != 0 ? checksum : 1;
}

/* What the record says besides its endpoints. */
static uint16_t record_flags(const struct plan_group *g)
{
    return g->balancing == IMAGE_BALANCING_MAGLEV ? ENDPOINT_RECORD_HASHED : 0;
}

static int publish_list(struct group_table *table, struct publish *publish,
                        const struct plan_group *g, uint32_t id)
{
    uint32_t count =
        g->n_endpoints < ENDPOINTS_PER_GROUP_MAX ? g->n_endpoints : ENDPOINTS_PER_GROUP_MAX;
    uint16_t flags = record_flags(g);
    uint64_t checksum = list_checksum(g->endpoints, count, flags);
    ASSERT(id < ENDPOINT_GROUPS_MAX);
    if (table->sent[id] == checksum)
        return 0;
    int result = publish_endpoints(publish, id, flags, g->endpoints, count);
    if (result == 0)
        table->sent[id] = checksum;
    return result;
}

int groups_publish(struct group_table *table, struct publish *publish, const struct plan *plan,
                   const uint32_t *ids)
{
    int result = 0;
    for (uint32_t i = 0; i < plan->n_groups && result == 0; i++)
        result = publish_list(table, publish, &plan->groups[i], ids[i]);
    return result;
}

int groups_publish_one(struct group_table *table, struct publish *publish, struct store *store,
                       const struct plan_group *group)
{
    uint32_t id;
    if (store_group_find(store, group->name, &id) != 0)
        return 0; /* the run that numbers it sends it, too */
    return publish_list(table, publish, group, id);
}

void groups_forget(struct group_table *table, uint64_t group)
{
    if (group < ENDPOINT_GROUPS_MAX)
        table->sent[group] = 0;
}

struct unused {
    bool is_used[ENDPOINT_GROUPS_MAX]; /* by id */
    char **names;                      /* copies: releasing changes what is walked */
    uint32_t *ids;
    size_t n;
    size_t size;
    bool is_out_of_memory;
};

static void collect_unused(void *arg, const char *name, uint32_t id)
{
    struct unused *u = arg;
    if (u->is_out_of_memory || u->is_used[id])
        return;
    if (u->n == u->size) {
        u->size = u->size != 0 ? u->size * 2 : 16;
        char **names = realloc(u->names, u->size * sizeof(*names));
        u->names = names != NULL ? names : u->names;
        uint32_t *ids = realloc(u->ids, u->size * sizeof(*ids));
        u->ids = ids != NULL ? ids : u->ids;
        u->is_out_of_memory = names == NULL || ids == NULL;
    }
    if (!u->is_out_of_memory && (u->names[u->n] = strdup(name)) != NULL)
        u->ids[u->n++] = id;
}

static int release_all(struct group_table *table, struct publish *publish, struct store *store,
                       const struct unused *u)
{
    struct store_txn *txn;
    int result = store_begin(store, &txn);
    if (result != 0)
        return result;
    for (size_t i = 0; i < u->n && result == 0; i++) {
        result = publish_endpoints(publish, u->ids[i], 0, NULL, 0);
        table->sent[u->ids[i]] = 0;
        if (result == 0)
            result = store_group_release(txn, u->names[i]);
    }
    if (result == 0)
        return store_commit(txn);
    store_rollback(txn);
    return result;
}

int groups_release(struct group_table *table, struct publish *publish, struct store *store,
                   const struct plan *plan)
{
    struct unused *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < plan->n_groups; i++) {
        uint32_t id;
        if (store_group_find(store, plan->groups[i].name, &id) == 0)
            u->is_used[id] = true;
    }
    store_group_foreach(store, collect_unused, u);
    int result = u->n > 0 ? release_all(table, publish, store, u) : 0;
    for (size_t i = 0; i < u->n; i++)
        free(u->names[i]);
    free(u->names);
    free(u->ids);
    free(u);
    return result;
}
