/* SPDX-License-Identifier: Apache-2.0 */
/* The flow table against a list that remembers everything. */
#include "base/rng.h"
#include "tcp/table.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define FLOWS 512u
static_assert(FLOWS > TCP_TABLE_PROBES * TCP_TABLE_PLACES, "enough to fill a neighbourhood");

static struct tcp_tuple tuples[FLOWS];

static const struct tcp_tuple *tuple_of(const void *owner, tcp_entry_t e)
{
    return &tuples[tcp_entry_index(e)];
}

static void make(struct tcp_table *t, uint32_t buckets)
{
    static const struct siphash_key key = {7, 8};
    struct tcp_bucket *memory = aligned_alloc(64, buckets * sizeof(*memory));
    memset(memory, 0, buckets * sizeof(*memory));
    tcp_table_init(t, memory, buckets, &key, tuple_of, NULL);
    for (uint32_t i = 0; i < FLOWS; i++) {
        memset(&tuples[i], 0, sizeof(tuples[i]));
        tuples[i].local_port = (uint16_t)i;
        tuples[i].remote_port = (uint16_t)(i * 7);
    }
}

TEST(what_was_inserted_is_found_until_it_is_removed)
{
    struct tcp_table t;
    make(&t, tcp_table_buckets(FLOWS));
    bool is_in[FLOWS] = {false};
    struct rng rng = {42};
    uint32_t used = 0;
    for (unsigned step = 0; step < 100000; step++) {
        uint32_t i = rng_below(&rng, FLOWS);
        uint64_t hash = tcp_table_hash(&t, &tuples[i]);
        tcp_entry_t e = tcp_table_find(&t, hash, &tuples[i]);
        CHECK((e.v != TCP_ENTRY_NONE.v) == is_in[i]);
        if (is_in[i]) {
            tcp_table_remove(&t, hash, e);
            used--;
        } else {
            REQUIRE(tcp_table_insert(&t, hash, tcp_entry(i, (uint8_t)step, false)));
            used++;
        }
        is_in[i] = !is_in[i];
        CHECK_EQ(t.used, used);
    }
    free(t.buckets);
}

TEST(a_full_neighbourhood_refuses_and_recovers)
{
    struct tcp_table t;
    make(&t, TCP_TABLE_PROBES);
    uint32_t n = 0;
    while (tcp_table_insert(&t, tcp_table_hash(&t, &tuples[n]), tcp_entry(n, 0, false)))
        n++;
    CHECK_EQ(n, TCP_TABLE_PROBES * TCP_TABLE_PLACES);
    for (uint32_t i = 0; i < n; i++)
        CHECK_EQ(tcp_entry_index(tcp_table_find(&t, tcp_table_hash(&t, &tuples[i]), &tuples[i])),
                 i);
    for (uint32_t i = 0; i < n; i++)
        tcp_table_remove(&t, tcp_table_hash(&t, &tuples[i]), tcp_entry(i, 0, false));
    for (uint32_t i = 0; i <= t.mask; i++)
        CHECK_EQ(t.buckets[i].passed, 0);
    CHECK_EQ(t.used, 0);
    free(t.buckets);
}

TEST(an_entry_is_replaced_in_its_place)
{
    struct tcp_table t;
    make(&t, 64);
    uint64_t hash = tcp_table_hash(&t, &tuples[3]);
    tcp_entry_t conn = tcp_entry(3, 5, false), timewait = tcp_entry(3, 9, true);
    REQUIRE(tcp_table_insert(&t, hash, conn));
    tcp_table_replace(&t, hash, conn, timewait);
    tcp_entry_t e = tcp_table_find(&t, hash, &tuples[3]);
    CHECK(tcp_entry_is_timewait(e));
    CHECK_EQ(tcp_entry_generation(e), 9);
    CHECK_EQ(t.used, 1);
    free(t.buckets);
}

TEST(what_is_guessed_is_what_is_found_while_it_lies_in_its_first_bucket)
{
    struct tcp_table t;
    make(&t, tcp_table_buckets(FLOWS));
    unsigned guessed = 0;
    for (uint32_t i = 0; i < FLOWS; i++) {
        uint64_t hash = tcp_table_hash(&t, &tuples[i]);
        CHECK_EQ(tcp_table_guess(&t, hash).v, TCP_ENTRY_NONE.v);
        REQUIRE(tcp_table_insert(&t, hash, tcp_entry(i, 0, false)));
    }
    for (uint32_t i = 0; i < FLOWS; i++) {
        tcp_entry_t e = tcp_table_guess(&t, tcp_table_hash(&t, &tuples[i]));
        CHECK(e.v == TCP_ENTRY_NONE.v || tcp_entry_index(e) == i);
        guessed += e.v != TCP_ENTRY_NONE.v;
    }
    CHECK(guessed > FLOWS * 9 / 10);
    free(t.buckets);
}

TEST(tables_are_sized_for_half_load)
{
    CHECK_EQ(tcp_table_buckets(1), 16);
    CHECK_EQ(tcp_table_buckets(64), 16);
    CHECK_EQ(tcp_table_buckets(65), 32);
    CHECK_EQ(tcp_table_buckets(1 << 20), 1 << 18);
}

/* The number in place of the flow: the table asks nobody for a tuple while it is filled. */
TEST(four_million_flows_find_their_places_in_a_table_made_for_them)
{
    enum { MANY = 1 << 22 };
    struct tcp_table t;
    make(&t, tcp_table_buckets(MANY));
    uint32_t refused = 0, passed = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        struct tcp_tuple tuple = {.remote_port = (uint16_t)i, .local_port = 80};
        memcpy(tuple.remote.bytes, &i, sizeof(i));
        refused += !tcp_table_insert(&t, tcp_table_hash(&t, &tuple), tcp_entry(i, 0, false));
    }
    for (uint32_t i = 0; i <= t.mask; i++)
        passed += t.buckets[i].passed;
    CHECK_EQ(refused, 0);
    CHECK_EQ(t.used, MANY);
    CHECK(passed < MANY / 100); /* steps beyond the first bucket, of all flows */
    free(t.buckets);
}

UNIT_MAIN("tcp/table", T(what_was_inserted_is_found_until_it_is_removed),
          T(a_full_neighbourhood_refuses_and_recovers), T(an_entry_is_replaced_in_its_place),
          T(what_is_guessed_is_what_is_found_while_it_lies_in_its_first_bucket),
          T(tables_are_sized_for_half_load),
          T(four_million_flows_find_their_places_in_a_table_made_for_them))
