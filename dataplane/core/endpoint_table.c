/* SPDX-License-Identifier: Apache-2.0 */
/* One pointer a group; lists are swapped, never changed. Thread: see the header. */
#include "core/endpoint_table.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/siphash.h"
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
    uint32_t maglevs;         /* groups with a table */
    uint32_t maglevs_missing; /* groups that want one, and there was no room */
    struct maglev_node nodes[ENDPOINTS_PER_GROUP_MAX]; /* of the table that is being filled */
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

uint32_t endpoint_table_maglevs(const struct endpoint_table *t)
{
    return t->maglevs;
}

uint32_t endpoint_table_maglevs_missing(const struct endpoint_table *t)
{
    return t->maglevs_missing;
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

/* The node of an endpoint: address and port make its key, on this box as on any other. */
static struct maglev_node node_of(const struct endpoint *e, uint32_t index)
{
    static const struct siphash_key of_endpoints;
    uint8_t id[sizeof(e->addr.bytes) + 2];
    memcpy(id, e->addr.bytes, sizeof(e->addr.bytes));
    id[sizeof(id) - 2] = (uint8_t)(e->port >> 8);
    id[sizeof(id) - 1] = (uint8_t)e->port;
    return (struct maglev_node){.key = siphash(&of_endpoints, id, sizeof(id)),
                                .weight = e->weight > 0 ? e->weight : 1,
                                .id = (uint16_t)index};
}

/* The nodes of those that have all of these flags; returns how many. */
static uint32_t list_nodes(struct endpoint_table *t, const struct endpoint_record *record,
                           uint32_t wanted)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < record->count; i++) {
        if ((record->endpoints[i].flags & wanted) == wanted)
            t->nodes[n++] = node_of(&record->endpoints[i], i);
    }
    return n;
}

/* How many nodes the record's table has, in t->nodes; 0: it needs none. */
static uint32_t choose_nodes(struct endpoint_table *t, const struct endpoint_record *record)
{
    if ((record->flags & ENDPOINT_RECORD_HASHED) == 0)
        return 0;
    uint32_t n = list_nodes(t, record, ENDPOINT_READY);
    return n > 0 ? n : list_nodes(t, record, ENDPOINT_SERVING | ENDPOINT_TERMINATING);
}

/* The list of a record, on the heap, with what is known of health and the table of `n_nodes` behind
 * it. */
static struct endpoint_group *list_new(struct endpoint_table *t,
                                       const struct endpoint_record *record, uint32_t n_nodes)
{
    size_t bytes = (size_t)record->count * sizeof(struct endpoint);
    size_t health_bytes = (size_t)record->count * sizeof(struct endpoint_health);
    size_t places_bytes = n_nodes > 0 ? MAGLEV_PLACES_MAX * sizeof(uint16_t) : 0;
    struct endpoint_group *list = malloc(sizeof(*list) + bytes + health_bytes + places_bytes);
    if (list == NULL)
        return NULL;
    *list = (struct endpoint_group){.group = record->group,
                                    .count = record->count,
                                    .flags = record->flags,
                                    .change = t->change + 1,
                                    .health = (void *)(list->endpoints + record->count)};
    memset(list->health, 0, health_bytes);
    memcpy(list->endpoints, record->endpoints, bytes);
    if (n_nodes > 0) {
        uint16_t *places = (uint16_t *)(void *)(list->health + list->count);
        maglev_fill(t->nodes, n_nodes, places, MAGLEV_PLACES_MAX);
        list->places = places;
    }
    return list;
}

static bool has_table(const struct endpoint_group *g)
{
    return g != NULL && g->places != NULL;
}

/* Keeps account of tables while `list` takes the place of `old` (NULL: of nothing). */
static void account(struct endpoint_table *t, const struct endpoint_group *old,
                    const struct endpoint_group *list)
{
    t->maglevs += has_table(list);
    t->maglevs -= has_table(old);
    t->maglevs_missing += list->lacks_table;
    t->maglevs_missing -= old != NULL && old->lacks_table;
    ASSERT(t->maglevs <= MAGLEV_GROUPS_MAX && t->maglevs_missing <= ENDPOINT_GROUPS_MAX);
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
    struct endpoint_group *old = t->groups[record->group];
    uint32_t n_nodes = choose_nodes(t, record);
    bool is_room = has_table(old) || t->maglevs < MAGLEV_GROUPS_MAX;
    struct endpoint_group *list = list_new(t, record, is_room ? n_nodes : 0);
    if (list == NULL)
        return false;
    list->lacks_table = n_nodes > 0 && !is_room;
    account(t, old, list);
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
