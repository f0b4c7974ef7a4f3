/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of all workers together, and what is read out of their times. */
#include "publish/route_totals.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORKERS = 2, PLACES = 3 };

static struct segment {
    struct stats_header header;
    uint64_t blocks[WORKERS + 1][8];
    struct stats_route routes[WORKERS][PLACES];
} segment;

static struct stats_map map;

static void put(unsigned worker, unsigned place, const char *name, uint64_t requests, uint64_t us)
{
    struct stats_route *r = &segment.routes[worker][place];
    r->version += 2;
    memset(r->name, 0, sizeof(r->name));
    strcpy(r->name, name);
    r->requests[2] = requests;
    r->total.buckets[stats_time_bucket(us)] = requests;
    r->total.sum_us = requests * us;
}

static void open_segment(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    segment.header = (struct stats_header){.magic = STATS_MAGIC,
                                           .version = STATS_VERSION,
                                           .n_workers = WORKERS + 1,
                                           .names_offset = 64,
                                           .workers_offset = offsetof(struct segment, blocks),
                                           .worker_stride = 64,
                                           .routes_offset = offsetof(struct segment, routes),
                                           .routes_per_worker = PLACES,
                                           .route_bytes = sizeof(struct stats_route)};
    REQUIRE(fd >= 0 && write(fd, &segment, sizeof(segment)) == (ssize_t)sizeof(segment));
    REQUIRE(stats_map_open(fd, &map) == 0);
    close(fd);
}

static void begin(void)
{
    memset(&segment, 0, sizeof(segment));
    put(0, 0, "(others)", 0, 0);
    put(0, 1, "b/two", 3, 100);
    put(0, 2, "a/one", 5, 100);
    put(1, 0, "(others)", 1, 10);
    put(1, 1, "a/one", 7, 300000);
    open_segment();
}

static bool is_in_a(void *arg, const char *name)
{
    return strncmp(name, arg, 2) == 0;
}

TEST(workers_are_added_up_and_routes_stand_by_name)
{
    struct route_totals t;
    begin();
    REQUIRE(route_totals_read(&map, NULL, NULL, 10, &t) == 0);
    REQUIRE(t.count == 3);
    CHECK_STR(t.routes[0].name, "(others)");
    CHECK_STR(t.routes[1].name, "a/one");
    CHECK_EQ(route_totals_requests(&t.routes[1]), 12);
    CHECK_EQ(t.routes[1].total.sum_us, 500 + 7 * 300000);
    CHECK(route_totals_find(&t, "b/two") == &t.routes[2]);
    CHECK(route_totals_find(&t, "c/none") == NULL);
    route_totals_free(&t);
    stats_map_close(&map);
}

TEST(only_what_is_wanted_is_read_and_what_is_beyond_the_bound_is_told)
{
    struct route_totals t;
    char prefix[] = "a/";
    begin();
    REQUIRE(route_totals_read(&map, is_in_a, prefix, 10, &t) == 0);
    CHECK_EQ(t.count, 1);
    CHECK_EQ(t.left_out, 0);
    route_totals_free(&t);
    REQUIRE(route_totals_read(&map, NULL, NULL, 1, &t) == 0);
    CHECK_EQ(t.count, 1);
    CHECK_EQ(t.left_out, 2);
    route_totals_free(&t);
    stats_map_close(&map);
}

TEST(a_place_that_is_being_given_away_is_not_told)
{
    struct route_totals t;
    begin();
    stats_map_close(&map);
    segment.routes[0][1].version++;
    open_segment();
    REQUIRE(route_totals_read(&map, NULL, NULL, 10, &t) == 0);
    CHECK_EQ(t.count, 2);
    CHECK(route_totals_find(&t, "b/two") == NULL);
    route_totals_free(&t);
    stats_map_close(&map);
}

TEST(areas_that_do_not_lie_within_the_segment_are_refused)
{
    static const uint32_t lies[] = {UINT32_MAX, 0x7fffffc0, 1u << 20};
    begin();
    stats_map_close(&map);
    for (unsigned field = 0; field < 3; field++) {
        for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
            struct segment bad = segment;
            struct stats_map got;
            int fd = memfd_create("test", MFD_CLOEXEC);
            memcpy(&bad.header.routes_offset + field, &lies[i], sizeof(lies[i]));
            REQUIRE(fd >= 0 && write(fd, &bad, sizeof(bad)) == (ssize_t)sizeof(bad));
            CHECK(stats_map_open(fd, &got) != 0);
            close(fd);
        }
    }
}

TEST(what_was_before_is_taken_off_unless_the_place_began_anew)
{
    struct stats_route before = {.requests = {[2] = 5}, .total = {.buckets = {[3] = 5}}};
    struct stats_route now = {.requests = {[2] = 7}, .total = {.buckets = {[3] = 6, [4] = 1}}};
    struct stats_route anew = {.requests = {[2] = 6}, .total = {.buckets = {[4] = 6}}};
    route_totals_since(&now, &before);
    CHECK_EQ(now.requests[2], 2);
    CHECK_EQ(now.total.buckets[3], 1);
    CHECK_EQ(now.total.buckets[4], 1);
    route_totals_since(&anew, &before);
    CHECK_EQ(anew.requests[2], 6);
    CHECK_EQ(anew.total.buckets[4], 6);
}

TEST(connections_are_added_up_and_taken_off_like_requests)
{
    struct route_totals t;
    begin();
    stats_map_close(&map);
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        put(worker, 2, "c/passed", 0, 1);
        struct stats_connections *c = &segment.routes[worker][2].connections;
        *c = (struct stats_connections){.begun = 5,
                                        .up_bytes = 70,
                                        .down_bytes = 7,
                                        .up_packets = 3,
                                        .down_packets = 1,
                                        .cookies = 20};
        c->ended[STATS_ROUTE_END_complete] = 2;
        c->ended[STATS_ROUTE_END_idle] = 1;
    }
    open_segment();
    REQUIRE(route_totals_read(&map, NULL, NULL, 10, &t) == 0);
    const struct stats_route *found = route_totals_find(&t, "c/passed");
    REQUIRE(found != NULL);
    CHECK_EQ(route_totals_requests(found), 0);
    CHECK_EQ(found->connections.begun, 10);
    CHECK_EQ(route_totals_open(found), 4);
    CHECK_EQ(found->connections.up_bytes, 140);
    CHECK_EQ(found->connections.up_packets, 6);
    CHECK_EQ(found->connections.down_packets, 2);
    CHECK_EQ(found->connections.cookies, 40);
    struct stats_route now = *found, anew = {.connections = {.begun = 9}};
    now.connections.begun += 2;
    now.connections.ended[STATS_ROUTE_END_idle] += 1;
    now.connections.down_bytes += 100;
    now.connections.up_packets += 4;
    now.connections.cookies += 6;
    route_totals_since(&now, found);
    CHECK_EQ(now.connections.begun, 2);
    CHECK_EQ(now.connections.ended[STATS_ROUTE_END_idle], 1);
    CHECK_EQ(now.connections.ended[STATS_ROUTE_END_complete], 0);
    CHECK_EQ(now.connections.down_bytes, 100);
    CHECK_EQ(now.connections.up_packets, 4);
    CHECK_EQ(now.connections.cookies, 6);
    CHECK_EQ(now.connections.down_packets, 0);
    route_totals_since(&anew, found);
    CHECK_EQ(anew.connections.begun, 9);
    route_totals_free(&t);
    stats_map_close(&map);
}

TEST(a_route_that_has_had_nothing_but_a_flood_is_told)
{
    struct route_totals t;
    begin();
    put(0, 2, "c/flooded", 0, 1);
    segment.routes[0][2].connections = (struct stats_connections){.cookies = 9};
    open_segment();
    REQUIRE(route_totals_read(&map, NULL, NULL, 10, &t) == 0);
    const struct stats_route *found = route_totals_find(&t, "c/flooded");
    REQUIRE(found != NULL);
    CHECK_EQ(found->connections.cookies, 9);
    route_totals_free(&t);
    stats_map_close(&map);
}

TEST(a_quantile_lies_between_the_bounds_of_its_bucket)
{
    struct stats_times t = {0};
    CHECK(route_times_quantile_us(&t, 0.5) == 0);
    t.buckets[stats_time_bucket(100)] = 98;
    t.buckets[stats_time_bucket(300000)] = 2;
    double p50 = route_times_quantile_us(&t, 0.5), p99 = route_times_quantile_us(&t, 0.99);
    CHECK(p50 > 96 && p50 <= 128);
    CHECK(p99 > 262144 && p99 <= 393216);
    t.buckets[STATS_TIME_BUCKETS - 1] = 1000;
    CHECK(route_times_quantile_us(&t, 0.99) == (double)stats_time_bound_us(STATS_TIME_BUCKETS - 2));
}

UNIT_MAIN("publish/route_totals", T(workers_are_added_up_and_routes_stand_by_name),
          T(only_what_is_wanted_is_read_and_what_is_beyond_the_bound_is_told),
          T(a_place_that_is_being_given_away_is_not_told),
          T(areas_that_do_not_lie_within_the_segment_are_refused),
          T(what_was_before_is_taken_off_unless_the_place_began_anew),
          T(connections_are_added_up_and_taken_off_like_requests),
          T(a_route_that_has_had_nothing_but_a_flood_is_told),
          T(a_quantile_lies_between_the_bounds_of_its_bucket))
