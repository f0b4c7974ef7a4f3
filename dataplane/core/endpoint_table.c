/* SPDX-License-Identifier: Apache-2.0 */
/* One pointer a group; lists are swapped, never changed. Thread: see the header. */
#include "core/endpoint_table.h"

#include "base/assert.h"
#include "base/container.h"
#include "core/endpoint_health.h"
#include "core/rcu.h"

#include <stdlib.h>
#include <string.h>

/* A list that was taken out, and since when. */
struct retired {
    struct endpoint_group *list;
    uint64_t mark;
};

struct endpoint_table {
    struct rcu *rcu;
    uint64_t change;
    uint32_t n_retired;
    uint32_t first_retired; /* a queue: marks grow */
    struct retired retired[ENDPOINT_RETIRED_MAX];
    uint64_t versions[ENDPOINT_GROUPS_MAX]; /* of this manager's connection; 0: nothing yet */
    struct endpoint_group *groups[ENDPOINT_GROUPS_MAX];
};

struct endpoint_table *endpoint_table_new(struct rcu *rcu)
{
    ASSERT(rcu != NULL);
    struct endpoint_table *t = calloc(1, sizeof(*t));
    if (t != NULL)
        t->rcu = rcu;
    return t;
}

void endpoint_table_free(struct endpoint_table *t)
{
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < t->n_retired; i++)
        free(t->retired[(t->first_retired + i) % ENDPOINT_RETIRED_MAX].list);
    for (uint32_t group = 0; group < ENDPOINT_GROUPS_MAX; group++)
        free(t->groups[group]);
    free(t);
}

const struct endpoint_group *endpoint_group_get(const struct endpoint_table *t, uint32_t group)
{
    ASSERT_HOT(group < ENDPOINT_GROUPS_MAX);
    return __atomic_load_n(&t->groups[group], __ATOMIC_ACQUIRE);
}

uint32_t endpoint_group_find(const struct endpoint_group *g, const struct ip_addr *addr,
                             uint16_t port)
{
    for (uint32_t i = 0; i < g->count; i++) {
        if (g->endpoints[i].port == port && ip_addr_eq(&g->endpoints[i].addr, addr))
            return i;
    }
    return UINT32_MAX;
}

uint64_t endpoint_table_change(const struct endpoint_table *t)
{
    return __atomic_load_n(&t->change, __ATOMIC_ACQUIRE);
}

/* The list of a record, on the heap. */
static struct endpoint_group *list_new(const struct endpoint_record *record, uint64_t change)
{
    size_t bytes = (size_t)record->count * sizeof(struct endpoint);
    size_t health_bytes = (size_t)record->count * sizeof(struct endpoint_health);
    struct endpoint_group *list = malloc(sizeof(*list) + bytes + health_bytes);
    if (list == NULL)
        return NULL;
    list->health = (void *)(list->endpoints + record->count);
    memset(list->health, 0, health_bytes);
    list->group = record->group;
    list->count = record->count;
    list->change = change;
    memcpy(list->endpoints, record->endpoints, bytes);
    return list;
}

static void retire(struct endpoint_table *t, struct endpoint_group *list)
{
    ASSERT(t->n_retired < ENDPOINT_RETIRED_MAX);
    struct retired *place = &t->retired[(t->first_retired + t->n_retired) % ENDPOINT_RETIRED_MAX];
    *place = (struct retired){.list = list, .mark = rcu_mark(t->rcu)};
    t->n_retired++;
}

bool endpoint_table_put(struct endpoint_table *t, const struct endpoint_record *record,
                        uint64_t now_us, enum endpoints_fault *ret_fault)
{
    ASSERT(record->group < ENDPOINT_GROUPS_MAX && record->count <= ENDPOINTS_PER_GROUP_MAX);
    if (record->version <= t->versions[record->group]) {
        *ret_fault = ENDPOINTS_FAULT_STALE;
        return true;
    }
    if (t->n_retired == ENDPOINT_RETIRED_MAX)
        return false;
    struct endpoint_group *list = list_new(record, t->change + 1);
    if (list == NULL)
        return false;
    struct endpoint_group *old = t->groups[record->group];
    if (old != NULL)
        endpoint_health_carry(old, list, now_us);
    t->versions[record->group] = record->version;
    __atomic_store_n(&t->groups[record->group], list, __ATOMIC_RELEASE);
    __atomic_store_n(&t->change, t->change + 1, __ATOMIC_RELEASE);
    if (old != NULL)
        retire(t, old);
    *ret_fault = ENDPOINTS_FAULT_OK;
    return true;
}

void endpoint_table_forget_versions(struct endpoint_table *t)
{
    memset(t->versions, 0, sizeof(t->versions));
}

void endpoint_table_forget_version(struct endpoint_table *t, uint32_t group)
{
    ASSERT(group < ENDPOINT_GROUPS_MAX);
    t->versions[group] = 0;
}

unsigned endpoint_table_reap(struct endpoint_table *t)
{
    while (t->n_retired > 0 && rcu_is_past(t->rcu, t->retired[t->first_retired].mark)) {
        free(t->retired[t->first_retired].list);
        t->first_retired = (t->first_retired + 1) % ENDPOINT_RETIRED_MAX;
        t->n_retired--;
    }
    return t->n_retired;
}
