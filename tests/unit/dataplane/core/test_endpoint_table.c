/* SPDX-License-Identifier: Apache-2.0 */
/* dataplane/core/endpoint_table and rcu: what a reader may see, and when memory goes. */
#include "base/container.h"
#include "core/endpoint_table.h"
#include "core/rcu.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct {
    struct endpoint_record head;
    struct endpoint list[4];
} record;

/* A record of `count` endpoints whose ports begin at `port`. */
static const struct endpoint_record *make(uint32_t group, uint64_t version, uint32_t count,
                                          uint16_t port)
{
    memset(&record, 0, sizeof(record));
    for (uint32_t i = 0; i < count; i++) {
        record.list[i].addr = ip_addr_from_v4("\x0a\0\0\1");
        record.list[i].port = (uint16_t)(port + i);
        record.list[i].weight = 1;
        record.list[i].flags = ENDPOINT_READY;
    }
    record.head = (struct endpoint_record){.group = group, .count = count, .version = version};
    record.head.checksum = endpoints_checksum(record.list, count);
    return &record.head;
}

static enum endpoints_fault put(struct endpoint_table *t, const struct endpoint_record *r)
{
    enum endpoints_fault fault = ENDPOINTS_FAULT_OK;
    CHECK(endpoint_table_put(t, r, 0, &fault));
    return fault;
}

TEST(an_unknown_group_has_no_list_and_an_empty_one_has)
{
    struct rcu *rcu = rcu_new(1);
    struct endpoint_table *t = endpoint_table_new(rcu);
    CHECK(endpoint_group_get(t, 5) == NULL);
    CHECK(endpoint_group_get(t, ENDPOINT_GROUPS_MAX - 1) == NULL);
    CHECK_EQ(put(t, make(5, 1, 0, 0)), ENDPOINTS_FAULT_OK);
    REQUIRE(endpoint_group_get(t, 5) != NULL);
    CHECK_EQ(endpoint_group_get(t, 5)->count, 0);
    endpoint_table_free(t);
    rcu_free(rcu);
}

TEST(an_update_replaces_the_whole_list_and_counts_a_change)
{
    struct rcu *rcu = rcu_new(1);
    struct endpoint_table *t = endpoint_table_new(rcu);
    put(t, make(5, 1, 3, 80));
    CHECK_EQ(endpoint_table_change(t), 1);
    put(t, make(5, 2, 1, 90));
    const struct endpoint_group *g = endpoint_group_get(t, 5);
    CHECK_EQ(g->group, 5);
    CHECK_EQ(g->count, 1);
    CHECK_EQ(g->endpoints[0].port, 90);
    CHECK_EQ(g->change, 2);
    CHECK_EQ(endpoint_table_change(t), 2);
    endpoint_table_free(t);
    rcu_free(rcu);
}

TEST(a_version_that_is_not_newer_is_stale_until_a_new_manager_comes)
{
    struct rcu *rcu = rcu_new(1);
    struct endpoint_table *t = endpoint_table_new(rcu);
    CHECK_EQ(put(t, make(5, 7, 1, 80)), ENDPOINTS_FAULT_OK);
    CHECK_EQ(put(t, make(5, 7, 1, 81)), ENDPOINTS_FAULT_STALE);
    CHECK_EQ(put(t, make(5, 6, 1, 82)), ENDPOINTS_FAULT_STALE);
    CHECK_EQ(put(t, make(6, 1, 1, 83)), ENDPOINTS_FAULT_OK);
    CHECK_EQ(put(t, make(7, 0, 1, 83)), ENDPOINTS_FAULT_STALE);
    CHECK_EQ(endpoint_group_get(t, 5)->endpoints[0].port, 80);
    endpoint_table_forget_versions(t);
    CHECK_EQ(put(t, make(5, 1, 1, 84)), ENDPOINTS_FAULT_OK);
    CHECK_EQ(endpoint_group_get(t, 5)->endpoints[0].port, 84);
    endpoint_table_free(t);
    rcu_free(rcu);
}

TEST(a_list_lives_until_every_online_worker_was_quiescent)
{
    struct rcu *rcu = rcu_new(2);
    struct endpoint_table *t = endpoint_table_new(rcu);
    rcu_online(rcu, 0);
    rcu_online(rcu, 1);
    put(t, make(5, 1, 1, 80));
    const struct endpoint_group *old = endpoint_group_get(t, 5);
    put(t, make(5, 2, 1, 81));
    CHECK_EQ(endpoint_table_reap(t), 1);
    CHECK_EQ(old->endpoints[0].port, 80); /* the sanitizer knows whether it lives */
    rcu_quiescent(rcu, 0);
    CHECK_EQ(endpoint_table_reap(t), 1);
    CHECK_EQ(old->endpoints[0].port, 80);
    rcu_quiescent(rcu, 1);
    CHECK_EQ(endpoint_table_reap(t), 0);
    put(t, make(5, 3, 1, 82));
    rcu_quiescent(rcu, 0);
    rcu_offline(rcu, 1); /* a worker that ended holds nothing */
    CHECK_EQ(endpoint_table_reap(t), 0);
    endpoint_table_free(t);
    rcu_free(rcu);
}

TEST(updates_wait_when_too_many_old_lists_do)
{
    struct rcu *rcu = rcu_new(1);
    struct endpoint_table *t = endpoint_table_new(rcu);
    enum endpoints_fault fault = ENDPOINTS_FAULT_OK;
    rcu_online(rcu, 0);
    for (unsigned i = 0; i <= ENDPOINT_RETIRED_MAX; i++)
        CHECK_EQ(put(t, make(9, i + 1, 1, (uint16_t)(i + 1))), ENDPOINTS_FAULT_OK);
    CHECK(!endpoint_table_put(t, make(9, 5000, 1, 80), 0, &fault));
    CHECK_EQ(endpoint_group_get(t, 9)->endpoints[0].port, ENDPOINT_RETIRED_MAX + 1);
    CHECK_EQ(endpoint_table_reap(t), ENDPOINT_RETIRED_MAX);
    rcu_quiescent(rcu, 0);
    CHECK_EQ(endpoint_table_reap(t), 0);
    CHECK_EQ(put(t, make(9, 5000, 1, 80)), ENDPOINTS_FAULT_OK);
    endpoint_table_free(t);
    rcu_free(rcu);
}

UNIT_MAIN("endpoint_table", T(an_unknown_group_has_no_list_and_an_empty_one_has),
          T(an_update_replaces_the_whole_list_and_counts_a_change),
          T(a_version_that_is_not_newer_is_stale_until_a_new_manager_comes),
          T(a_list_lives_until_every_online_worker_was_quiescent),
          T(updates_wait_when_too_many_old_lists_do))
