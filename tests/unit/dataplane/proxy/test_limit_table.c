/* SPDX-License-Identifier: Apache-2.0 */
/* The table of buckets: what is found, and what goes when a set is full. */
#include "proxy/limit_table.h"
#include "unit.h"

#include <string.h>

enum { BUCKETS = 16, NOW = 1000 };

static _Alignas(64) struct limit_bucket memory[BUCKETS];
static struct limit_table t;

static void begin(void)
{
    memset(memory, 0, sizeof(memory));
    REQUIRE(sizeof(memory) == limit_table_bytes(BUCKETS));
    limit_table_init(&t, memory, BUCKETS);
}

/* The i-th key of a set. */
static uint64_t key_of(unsigned set, unsigned i)
{
    return (uint64_t)(i + 1) << 32 | set * LIMIT_WAYS | i % LIMIT_WAYS;
}

TEST(a_bucket_that_is_not_there_is_full)
{
    begin();
    for (unsigned i = 0; i < 100; i++)
        CHECK_EQ(limit_table_due(&t, key_of(i % 4, i)), 0);
}

TEST(as_many_buckets_as_there_is_room_are_kept)
{
    begin();
    for (unsigned i = 0; i < BUCKETS; i++)
        CHECK(!limit_table_put(&t, key_of(i % 4, i / 4), NOW + i + 1, NOW));
    for (unsigned i = 0; i < BUCKETS; i++)
        CHECK_EQ(limit_table_due(&t, key_of(i % 4, i / 4)), NOW + i + 1);
    for (unsigned i = 0; i < BUCKETS; i++)
        CHECK(!limit_table_put(&t, key_of(i % 4, i / 4), NOW + 2 * i + 1, NOW));
    for (unsigned i = 0; i < BUCKETS; i++)
        CHECK_EQ(limit_table_due(&t, key_of(i % 4, i / 4)), NOW + 2 * i + 1);
}

TEST(in_a_full_set_the_bucket_that_is_full_soonest_goes)
{
    begin();
    for (unsigned i = 0; i < LIMIT_WAYS; i++)
        limit_table_put(&t, key_of(1, i), NOW + 100 - i, NOW);
    CHECK(limit_table_put(&t, key_of(1, 4), NOW + 50, NOW));
    CHECK_EQ(limit_table_due(&t, key_of(1, 3)), 0);
    CHECK_EQ(limit_table_due(&t, key_of(1, 0)), NOW + 100);
    CHECK_EQ(limit_table_due(&t, key_of(1, 4)), NOW + 50);
    /* the newcomer has most left in its bucket now: the next one takes its place */
    CHECK(limit_table_put(&t, key_of(1, 5), NOW + 51, NOW));
    CHECK_EQ(limit_table_due(&t, key_of(1, 4)), 0);
    CHECK_EQ(limit_table_due(&t, key_of(1, 2)), NOW + 98);
}

TEST(a_bucket_that_is_full_by_now_is_no_loss)
{
    begin();
    for (unsigned i = 0; i < LIMIT_WAYS; i++)
        limit_table_put(&t, key_of(2, i), NOW + i, NOW);
    CHECK(!limit_table_put(&t, key_of(2, 4), NOW + 9, NOW));
    CHECK(!limit_table_put(&t, key_of(2, 5), NOW + 9, NOW + 1));
    CHECK(limit_table_put(&t, key_of(2, 6), NOW + 9, NOW + 1));
}

TEST(a_flood_of_new_keys_does_not_make_those_be_forgotten_who_are_far_over)
{
    begin();
    limit_table_put(&t, key_of(3, 0), NOW + 1000000, NOW);
    for (unsigned i = 1; i < 10000; i++)
        limit_table_put(&t, key_of(3, i), NOW + 10, NOW);
    CHECK_EQ(limit_table_due(&t, key_of(3, 0)), NOW + 1000000);
}

UNIT_MAIN("proxy/limit_table", T(a_bucket_that_is_not_there_is_full),
          T(as_many_buckets_as_there_is_room_are_kept),
          T(in_a_full_set_the_bucket_that_is_full_soonest_goes),
          T(a_bucket_that_is_full_by_now_is_no_loss),
          T(a_flood_of_new_keys_does_not_make_those_be_forgotten_who_are_far_over))
