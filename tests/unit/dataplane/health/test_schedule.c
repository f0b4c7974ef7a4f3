/* SPDX-License-Identifier: Apache-2.0 */
/* Who is checked, when, and by which worker. */
#include "health_world.h"

TEST(each_endpoint_is_checked_once_an_interval_on_its_beat)
{
    world_begin(0, 1, 0, 0);
    world_policy(IMAGE_HEALTH_CHECK_TCP);
    world_image();
    world_list(GROUP, 1, 3);
    w.hosts[3] = SILENT; /* half an interval each time: that shifts nothing */
    world_run(20000);
    for (unsigned host = 1; host <= 3; host++) {
        CHECK_EQ(w.heard[host].n, 20);
        CHECK(w.heard[host].least_us >= 990000 && w.heard[host].most_us <= 1010000);
        CHECK_EQ(w.heard[host].port, 80);
    }
    CHECK_EQ(world_stat(STAT_health_started), 60);
    CHECK_EQ(world_stat(STAT_health_probes_now), 3);
    world_end();
}

TEST(the_first_checks_are_spread_over_the_interval)
{
    unsigned tenths[10] = {0};
    world_begin(0, 1, 0, 0);
    world_policy(IMAGE_HEALTH_CHECK_TCP);
    world_image();
    world_list(GROUP, 1, 200);
    uint64_t begin_us = w.core.now_us;
    world_run(1010);
    for (unsigned host = 1; host <= 200; host++) {
        uint64_t at_us = w.heard[host].first_us - begin_us;
        CHECK(w.heard[host].n >= 1 && at_us <= 1010000);
        tenths[at_us < 1000000 ? at_us / 100000 : 9]++;
    }
    for (unsigned i = 0; i < 10; i++)
        CHECK(tenths[i] >= 15 && tenths[i] <= 25);
    world_end();
}

TEST(a_group_is_checked_by_the_one_worker_that_it_belongs_to)
{
    for (uint8_t worker = 0; worker < 3; worker++) {
        world_begin(worker, 3, 0, 0);
        world_policy(IMAGE_HEALTH_CHECK_TCP);
        for (uint32_t i = 0; i < 3; i++) {
            w.policies[i] = w.policies[0];
            w.policies[i].group = GROUP + i;
            world_list(GROUP + i, 10 * i + 1, 10 * i + 2);
        }
        w.n_policies = 3;
        world_image();
        world_run(5000);
        for (uint32_t i = 0; i < 3; i++)
            CHECK_EQ(w.heard[10 * i + 1].n, (GROUP + i) % 3 == worker ? 5u : 0u);
        world_end();
    }
}

TEST(endpoints_come_and_go_while_others_are_checked)
{
    world_begin(0, 1, 0, 0);
    world_policy(IMAGE_HEALTH_CHECK_TCP);
    world_image();
    world_list(GROUP, 1, 2);
    world_run(2000);
    world_list(GROUP, 2, 3); /* 1 is gone, 3 is new */
    world_run(3000);
    CHECK_EQ(w.heard[1].n, 2);
    CHECK_EQ(w.heard[2].n, 5);
    CHECK_EQ(w.heard[3].n, 3);
    CHECK_EQ(world_stat(STAT_health_probes_now), 2);
    world_list(GROUP, 1, 3);
    world_run(2000);
    CHECK_EQ(w.heard[1].n, 4);
    CHECK_EQ(w.heard[2].n, 7);
    CHECK_EQ(w.heard[2].most_us / 10000, 100);
    world_end();
}

TEST(only_who_is_ready_or_serves_is_checked)
{
    world_begin(0, 1, 0, 0);
    world_policy(IMAGE_HEALTH_CHECK_TCP);
    world_image();
    world_list(GROUP, 1, 3);
    struct endpoint_group *g =
        (struct endpoint_group *)(uintptr_t)endpoint_group_get(w.table, GROUP);
    g->endpoints[0].flags = 0;
    g->endpoints[1].flags = ENDPOINT_SERVING | ENDPOINT_TERMINATING;
    world_run(3000);
    CHECK_EQ(w.heard[1].n, 0);
    CHECK_EQ(w.heard[2].n, 3);
    CHECK_EQ(w.heard[3].n, 3);
    world_end();
}

TEST(checks_end_with_their_policy_and_begin_with_it)
{
    world_begin(0, 1, 0, 0);
    world_policy(IMAGE_HEALTH_CHECK_TCP);
    world_list(GROUP, 1, 1);
    world_run(2000); /* no image: nobody is checked */
    CHECK_EQ(w.heard[1].n, 0);
    w.hosts[1] = REFUSES;
    world_image();
    world_run(5000);
    CHECK_EQ(w.heard[1].n, 5);
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_UNHEALTHY);
    w.n_policies = 0;
    world_image();
    world_run(5000);
    CHECK_EQ(w.heard[1].n, 5);
    CHECK_EQ(world_stat(STAT_health_probes_now), 0);
    CHECK_EQ(world_stat(STAT_health_unhealthy_now), 0);
    w.n_policies = 1;
    w.hosts[1] = SILENT;
    world_image();
    world_run(1000); /* what the earlier policy found is forgotten */
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_UNKNOWN);
    world_run(4000);
    CHECK_EQ(w.heard[1].n, 10);
    w.policies[0].check = IMAGE_HEALTH_CHECK_NONE; /* failures only */
    world_image();
    world_run(5000);
    CHECK_EQ(w.heard[1].n, 10);
    world_end();
}

TEST(another_interval_is_in_force_at_once)
{
    world_begin(0, 1, 0, 0);
    struct image_health *policy = world_policy(IMAGE_HEALTH_CHECK_TCP);
    policy->interval_ms = 3600 * 1000;
    world_image();
    world_list(GROUP, 1, 5);
    world_run(1000);
    policy->interval_ms = 200;
    world_image();
    world_run(2000);
    for (unsigned host = 1; host <= 5; host++)
        CHECK(w.heard[host].n >= 9 && w.heard[host].n <= 11);
    policy->port = 8081;
    world_image();
    world_run(400);
    CHECK_EQ(w.heard[1].port, 8081);
    world_end();
}

TEST(who_finds_no_place_is_counted_and_gets_the_next_that_is_free)
{
    world_begin(0, 1, 2, 0);
    world_policy(IMAGE_HEALTH_CHECK_TCP);
    world_image();
    world_list(GROUP, 1, 3);
    w.hosts[3] = REFUSES;
    world_run(4000);
    CHECK_EQ(world_stat(STAT_health_no_probe), 1);
    CHECK_EQ(world_stat(STAT_health_probes_now), 2);
    CHECK_EQ(w.heard[3].n, 0);
    CHECK_EQ(world_checked(3), ENDPOINT_CHECK_UNKNOWN);
    world_list(GROUP, 2, 3);
    world_run(5000);
    CHECK(w.heard[3].n >= 3);
    CHECK_EQ(world_checked(3), ENDPOINT_CHECK_UNHEALTHY);
    CHECK_EQ(world_stat(STAT_health_probes_now), 2);
    world_end();
}

TEST(checks_beyond_the_limit_wait_for_their_turn)
{
    struct health_counts counts;
    world_begin(0, 1, 0, 2);
    world_policy(IMAGE_HEALTH_CHECK_TCP);
    world_image();
    world_list(GROUP, 1, 12); /* 12 of half a second each on two places: three seconds a round */
    for (unsigned host = 1; host <= 12; host++)
        w.hosts[host] = SILENT;
    for (unsigned i = 0; i < 600; i++) {
        world_run(50);
        health_counts(w.health, &counts);
        REQUIRE(counts.checks <= 2);
    }
    CHECK(world_stat(STAT_health_waited) > 50);
    for (unsigned host = 1; host <= 12; host++) { /* and nobody is left out */
        CHECK(w.heard[host].n >= 8 && w.heard[host].n <= 12);
        CHECK_EQ(world_checked(host), ENDPOINT_CHECK_UNHEALTHY);
    }
    world_list(GROUP, 1, 1);
    w.hosts[1] = WELL;
    world_run(5000);
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_HEALTHY);
    CHECK_EQ(world_stat(STAT_health_probes_now), 1);
    world_end();
}

TEST(a_thousand_changes_of_a_list_keep_nobody_from_being_checked)
{
    world_begin(0, 1, 0, 0);
    world_policy(IMAGE_HEALTH_CHECK_TCP);
    world_image();
    for (unsigned i = 0; i < 1000; i++) {
        world_list(GROUP, 1, 99 + i % 2);
        world_run(5);
    }
    for (unsigned host = 1; host <= 99; host++)
        CHECK(w.heard[host].n >= 4 && w.heard[host].n <= 5);
    world_end();
}

UNIT_MAIN("health_schedule", T(each_endpoint_is_checked_once_an_interval_on_its_beat),
          T(the_first_checks_are_spread_over_the_interval),
          T(a_group_is_checked_by_the_one_worker_that_it_belongs_to),
          T(endpoints_come_and_go_while_others_are_checked),
          T(only_who_is_ready_or_serves_is_checked),
          T(checks_end_with_their_policy_and_begin_with_it),
          T(another_interval_is_in_force_at_once),
          T(who_finds_no_place_is_counted_and_gets_the_next_that_is_free),
          T(checks_beyond_the_limit_wait_for_their_turn),
          T(a_thousand_changes_of_a_list_keep_nobody_from_being_checked))
