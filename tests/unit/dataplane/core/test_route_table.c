/* SPDX-License-Identifier: Apache-2.0 */
/* Which place counts a route: found again, shared when there is none, given away when it is old. */
#include "core/route_table.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

enum { PLACES = 5, NOW = 1000 };

static struct stats_route places[PLACES];
static struct route_slot slots[64];
static struct route_table t;

static void begin(void)
{
    memset(places, 0, sizeof(places));
    memset(slots, 0, sizeof(slots));
    REQUIRE(route_table_slots(PLACES) <= sizeof(slots) / sizeof(slots[0]));
    route_table_init(&t, places, PLACES, slots);
}

static enum route_found get(uint64_t id, uint64_t now_us, struct stats_route **ret)
{
    enum route_found found;
    *ret = route_table_get(&t, id, SLICE_LIT("a/route"), now_us, &found);
    return found;
}

TEST(a_route_has_the_place_that_it_had_before)
{
    struct stats_route *first, *other, *again;
    begin();
    CHECK_EQ(get(7ull << 32 | 1, NOW, &first), ROUTE_NEW);
    CHECK_EQ(get(8ull << 32 | 1, NOW, &other), ROUTE_NEW); /* the same slots */
    CHECK_EQ(get(7ull << 32 | 1, NOW, &again), ROUTE_FOUND);
    CHECK(first == again && first != other && first != &places[0]);
    CHECK_STR(first->name, "a/route");
    CHECK_EQ(first->version, 2);
    CHECK_EQ(first->id, 7ull << 32 | 1);
}

TEST(when_there_is_no_place_left_it_is_that_of_all_others)
{
    struct stats_route *at;
    begin();
    for (uint64_t i = 1; i < PLACES; i++)
        CHECK_EQ(get(i, NOW, &at), ROUTE_NEW);
    CHECK_EQ(get(PLACES, NOW, &at), ROUTE_NO_PLACE);
    CHECK(at == &places[0]);
    CHECK_STR(at->name, "(others)");
    for (uint64_t i = 1; i < PLACES; i++)
        CHECK_EQ(get(i, NOW, &at), ROUTE_FOUND);
}

TEST(a_route_without_a_request_for_long_makes_room_and_is_begun_anew_when_it_returns)
{
    struct stats_route *at, *old = NULL;
    begin();
    for (uint64_t i = 1; i < PLACES; i++) {
        get(i, NOW, &at);
        at->requests[2] = 5;
        at->used_us = i == 3 ? NOW : NOW + ROUTE_KEEP_US;
        old = i == 3 ? at : old;
    }
    CHECK_EQ(get(100, NOW + ROUTE_KEEP_US - 1, &at), ROUTE_NO_PLACE);
    CHECK_EQ(get(100, NOW + ROUTE_KEEP_US, &at), ROUTE_REPLACED);
    CHECK(at == old);
    CHECK_EQ(at->requests[2], 0);
    CHECK_EQ(at->version, 4);
    CHECK_EQ(get(3, NOW + ROUTE_KEEP_US, &at), ROUTE_NO_PLACE);
    CHECK_EQ(get(4, NOW + ROUTE_KEEP_US, &at), ROUTE_FOUND);
    CHECK_EQ(at->requests[2], 5);
}

TEST(names_that_aim_at_the_same_slots_take_no_place_from_others)
{
    enum { MANY = 2 * ROUTE_PROBES_MAX };
    struct stats_route *many = aligned_alloc(64, MANY * sizeof(*many));
    struct route_slot *more = calloc(route_table_slots(MANY), sizeof(*more));
    struct stats_route *at;
    REQUIRE(many != NULL && more != NULL);
    memset(many, 0, MANY * sizeof(*many));
    route_table_init(&t, many, MANY, more);
    for (uint64_t i = 1; i <= ROUTE_PROBES_MAX; i++)
        CHECK_EQ(get(i << 32, NOW, &at), ROUTE_NEW);
    CHECK_EQ(get((ROUTE_PROBES_MAX + 1ull) << 32, NOW, &at), ROUTE_NO_PLACE);
    CHECK_EQ(t.used, ROUTE_PROBES_MAX + 1);
    CHECK_EQ(get(ROUTE_PROBES_MAX, NOW, &at), ROUTE_NEW); /* the slot behind them */
    free(many);
    free(more);
}

TEST(each_time_is_counted_below_the_next_bound)
{
    for (unsigned i = 0; i + 1 < STATS_TIME_BUCKETS; i++) {
        uint64_t bound = stats_time_bound_us(i);
        CHECK_EQ(stats_time_bucket(bound), i);
        CHECK_EQ(stats_time_bucket(bound + 1), i + 1);
    }
    CHECK_EQ(stats_time_bucket(0), 0);
    CHECK_EQ(stats_time_bucket(UINT64_MAX), STATS_TIME_BUCKETS - 1);
    CHECK(stats_time_bound_us(STATS_TIME_BUCKETS - 2) > 60 * 1000000);
}

UNIT_MAIN("core/route_table", T(a_route_has_the_place_that_it_had_before),
          T(when_there_is_no_place_left_it_is_that_of_all_others),
          T(a_route_without_a_request_for_long_makes_room_and_is_begun_anew_when_it_returns),
          T(names_that_aim_at_the_same_slots_take_no_place_from_others),
          T(each_time_is_counted_below_the_next_bound))
