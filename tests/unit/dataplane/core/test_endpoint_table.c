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

/* A record whose group goes by hash. */
static const struct endpoint_record *make_hashed(uint32_t group, uint64_t version, uint32_t count,
                                                 uint16_t port)
{
    make(group, version, count, port);
    record.head.flags = ENDPOINT_RECORD_HASHED;
    return &record.head;
}

/* The port that the place leads to. */
static uint16_t port_at(const struct endpoint_group *g, uint32_t place)
{
    REQUIRE(g->places[place] < g->count);
    return g->endpoints[g->places[place]].port;
}

TEST(a_list_that_goes_by_hash_has_a_table_of_those_that_may_get_requests)
{
    static const uint32_t going = ENDPOINT_SERVING | ENDPOINT_TERMINATING;
    struct rcu *rcu = rcu_new(1);
    struct endpoint_table *t = endpoint_table_new(rcu);
    put(t, make(5, 1, 4, 80));
    CHECK(endpoint_group_get(t, 5)->places == NULL);
    make_hashed(5, 2, 4, 80);
    record.list[1].flags = going;
    record.list[2].weight = 0; /* as 1 */
    put(t, &record.head);
    const struct endpoint_group *g = endpoint_group_get(t, 5);
    CHECK_EQ(endpoint_table_maglevs(t), 1);
    unsigned places[4] = {0};
    for (uint32_t i = 0; i < MAGLEV_PLACES_MAX; i++)
        places[port_at(g, i) - 80]++;
    CHECK_EQ(places[1], 0);
    CHECK(places[0] > 21000 && places[2] > 21000 && places[3] > 21000);
    for (unsigned i = 0; i < 4; i++)
        record.list[i].flags = i == 1 || i == 3 ? going : 0;
    record.head.version = 3;
    put(t, &record.head);
    g = endpoint_group_get(t, 5);
    for (uint32_t i = 0; i < MAGLEV_PLACES_MAX; i++)
        CHECK(port_at(g, i) == 81 || port_at(g, i) == 83);
    put(t, make_hashed(5, 4, 0, 80)); /* nobody */
    CHECK(endpoint_group_get(t, 5)->places == NULL);
    CHECK_EQ(endpoint_table_maglevs(t), 0);
    CHECK_EQ(endpoint_table_maglevs_missing(t), 0);
    endpoint_table_free(t);
    rcu_free(rcu);
}

TEST(boxes_whose_lists_differ_in_order_have_the_same_table)
{
    struct rcu *rcu = rcu_new(1);
    struct endpoint_table *t = endpoint_table_new(rcu);
    put(t, make_hashed(5, 1, 4, 80));
    make_hashed(6, 1, 4, 80);
    for (unsigned i = 0; i < 4; i++)
        record.list[i].port = (uint16_t)(83 - i);
    put(t, &record.head);
    const struct endpoint_group *a = endpoint_group_get(t, 5), *b = endpoint_group_get(t, 6);
    for (uint32_t i = 0; i < MAGLEV_PLACES_MAX; i++)
        REQUIRE(port_at(a, i) == port_at(b, i));
    endpoint_table_free(t);
    rcu_free(rcu);
}

TEST(there_are_no_more_tables_than_their_limit_and_one_that_goes_makes_room)
{
    struct rcu *rcu = rcu_new(1);
    struct endpoint_table *t = endpoint_table_new(rcu);
    for (uint32_t group = 0; group < MAGLEV_GROUPS_MAX + 2; group++)
        put(t, make_hashed(group, 1, 1, 80));
    CHECK_EQ(endpoint_table_maglevs(t), MAGLEV_GROUPS_MAX);
    CHECK_EQ(endpoint_table_maglevs_missing(t), 2);
    CHECK(endpoint_group_get(t, MAGLEV_GROUPS_MAX - 1)->places != NULL);
    CHECK(endpoint_group_get(t, MAGLEV_GROUPS_MAX)->places == NULL);
    put(t, make_hashed(0, 2, 1, 81)); /* one that has one keeps one */
    CHECK(endpoint_group_get(t, 0)->places != NULL);
    put(t, make(0, 3, 1, 81));
    CHECK_EQ(endpoint_table_maglevs(t), MAGLEV_GROUPS_MAX - 1);
    put(t, make_hashed(MAGLEV_GROUPS_MAX, 2, 1, 80));
    CHECK(endpoint_group_get(t, MAGLEV_GROUPS_MAX)->places != NULL);
    CHECK_EQ(endpoint_table_maglevs_missing(t), 1);
    put(t, make(MAGLEV_GROUPS_MAX + 1, 2, 1, 80));
    CHECK_EQ(endpoint_table_maglevs_missing(t), 0);
    endpoint_table_free(t);
    rcu_free(rcu);
}

UNIT_MAIN("endpoint_table", T(an_unknown_group_has_no_list_and_an_empty_one_has),
          T(an_update_replaces_the_whole_list_and_counts_a_change),
          T(a_version_that_is_not_newer_is_stale_until_a_new_manager_comes),
          T(a_list_lives_until_every_online_worker_was_quiescent),
          T(updates_wait_when_too_many_old_lists_do),
          T(a_list_that_goes_by_hash_has_a_table_of_those_that_may_get_requests),
          T(boxes_whose_lists_differ_in_order_have_the_same_table),
          T(there_are_no_more_tables_than_their_limit_and_one_that_goes_makes_room))
