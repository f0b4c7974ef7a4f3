/* SPDX-License-Identifier: Apache-2.0 */
/* The flow table against a list that remembers everything. */
#include "base/rng.h"
#include "core/flow_table.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define FLOWS 512u
static_assert(FLOWS > FLOW_TABLE_PROBES * FLOW_TABLE_PLACES, "enough to fill a neighbourhood");

static struct flow_tuple tuples[FLOWS];

static const struct flow_tuple *tuple_of(const void *owner, flow_entry_t e)
{
    return &tuples[flow_entry_index(e)];
}

static void make(struct flow_table *t, uint32_t buckets)
{
    static const struct siphash_key key = {7, 8};
    struct flow_bucket *memory = aligned_alloc(64, buckets * sizeof(*memory));
    memset(memory, 0, buckets * sizeof(*memory));
    flow_table_init(t, memory, buckets, &key, tuple_of, NULL);
    for (uint32_t i = 0; i < FLOWS; i++) {
        memset(&tuples[i], 0, sizeof(tuples[i]));
        tuples[i].local_port = (uint16_t)i;
        tuples[i].remote_port = (uint16_t)(i * 7);
    }
}

TEST(what_was_inserted_is_found_until_it_is_removed)
{
    struct flow_table t;
    make(&t, flow_table_buckets(FLOWS));
    bool is_in[FLOWS] = {false};
    struct rng rng = {42};
    uint32_t used = 0;
    for (unsigned step = 0; step < 100000; step++) {
        uint32_t i = rng_below(&rng, FLOWS);
        uint64_t hash = flow_table_hash(&t, &tuples[i]);
        flow_entry_t e = flow_table_find(&t, hash, &tuples[i]);
        CHECK((e.v != FLOW_ENTRY_NONE.v) == is_in[i]);
        if (is_in[i]) {
            flow_table_remove(&t, hash, e);
            used--;
        } else {
            REQUIRE(flow_table_insert(&t, hash, flow_entry(i, (uint8_t)step, false)));
            used++;
        }
        is_in[i] = !is_in[i];
        CHECK_EQ(t.used, used);
    }
    free(t.buckets);
}

TEST(a_full_neighbourhood_refuses_and_recovers)
{
    struct flow_table t;
    make(&t, FLOW_TABLE_PROBES);
    uint32_t n = 0;
    while (flow_table_insert(&t, flow_table_hash(&t, &tuples[n]), flow_entry(n, 0, false)))
        n++;
    CHECK_EQ(n, FLOW_TABLE_PROBES * FLOW_TABLE_PLACES);
    for (uint32_t i = 0; i < n; i++)
        CHECK_EQ(flow_entry_index(flow_table_find(&t, flow_table_hash(&t, &tuples[i]), &tuples[i])),
                 i);
    for (uint32_t i = 0; i < n; i++)
        flow_table_remove(&t, flow_table_hash(&t, &tuples[i]), flow_entry(i, 0, false));
    for (uint32_t i = 0; i <= t.mask; i++)
        CHECK_EQ(t.buckets[i].passed, 0);
    CHECK_EQ(t.used, 0);
    free(t.buckets);
}

TEST(an_entry_is_replaced_in_its_place)
{
    struct flow_table t;
    make(&t, 64);
    uint64_t hash = flow_table_hash(&t, &tuples[3]);
    flow_entry_t conn = flow_entry(3, 5, false), timewait = flow_entry(3, 9, true);
    REQUIRE(flow_table_insert(&t, hash, conn));
    flow_table_replace(&t, hash, conn, timewait);
    flow_entry_t e = flow_table_find(&t, hash, &tuples[3]);
    CHECK(flow_entry_mark(e));
    CHECK_EQ(flow_entry_generation(e), 9);
    CHECK_EQ(t.used, 1);
    free(t.buckets);
}

TEST(what_is_guessed_is_what_is_found_while_it_lies_in_its_first_bucket)
{
    struct flow_table t;
    make(&t, flow_table_buckets(FLOWS));
    unsigned guessed = 0;
    for (uint32_t i = 0; i < FLOWS; i++) {
        uint64_t hash = flow_table_hash(&t, &tuples[i]);
        CHECK_EQ(flow_table_guess(&t, hash).v, FLOW_ENTRY_NONE.v);
        REQUIRE(flow_table_insert(&t, hash, flow_entry(i, 0, false)));
    }
    for (uint32_t i = 0; i < FLOWS; i++) {
        flow_entry_t e = flow_table_guess(&t, flow_table_hash(&t, &tuples[i]));
        CHECK(e.v == FLOW_ENTRY_NONE.v || flow_entry_index(e) == i);
        guessed += e.v != FLOW_ENTRY_NONE.v;
    }
    CHECK(guessed > FLOWS * 9 / 10);
    free(t.buckets);
}

TEST(tables_are_sized_for_half_load)
{
    CHECK_EQ(flow_table_buckets(1), 16);
    CHECK_EQ(flow_table_buckets(64), 16);
    CHECK_EQ(flow_table_buckets(65), 32);
    CHECK_EQ(flow_table_buckets(1 << 20), 1 << 18);
}

/* The number in place of the flow: the table asks nobody for a tuple while it is filled. */
TEST(four_million_flows_find_their_places_in_a_table_made_for_them)
{
    enum { MANY = 1 << 22 };
    struct flow_table t;
    make(&t, flow_table_buckets(MANY));
    uint32_t refused = 0, passed = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        struct flow_tuple tuple = {.remote_port = (uint16_t)i, .local_port = 80};
        memcpy(tuple.remote.bytes, &i, sizeof(i));
        refused += !flow_table_insert(&t, flow_table_hash(&t, &tuple), flow_entry(i, 0, false));
    }
    for (uint32_t i = 0; i <= t.mask; i++)
        passed += t.buckets[i].passed;
    CHECK_EQ(refused, 0);
    CHECK_EQ(t.used, MANY);
    CHECK(passed < MANY / 100); /* steps beyond the first bucket, of all flows */
    free(t.buckets);
}

UNIT_MAIN("flow_table", T(what_was_inserted_is_found_until_it_is_removed),
          T(a_full_neighbourhood_refuses_and_recovers), T(an_entry_is_replaced_in_its_place),
          T(what_is_guessed_is_what_is_found_while_it_lies_in_its_first_bucket),
          T(tables_are_sized_for_half_load),
          T(four_million_flows_find_their_places_in_a_table_made_for_them))
