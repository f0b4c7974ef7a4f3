/* SPDX-License-Identifier: Apache-2.0 */
/* What a check asks, how it ends, and what comes of it. */
#include "health_world.h"

/* One host of GROUP that behaves like that, checked for so long. */
static void begin_with(enum image_health_check check, enum behaviour behaviour, uint32_t ms)
{
    world_begin(0, 1, 0, 0);
    world_policy(check);
    world_image();
    world_list(GROUP, 1, 1);
    w.hosts[1] = behaviour;
    world_run(ms);
}

TEST(a_tcp_check_connects_and_leaves_in_good_order)
{
    begin_with(IMAGE_HEALTH_CHECK_TCP, WELL, 3000);
    CHECK_EQ(w.heard[1].n, 3);
    CHECK_EQ(w.heard[1].shutdowns, 3);
    CHECK_EQ(w.heard[1].resets, 0);
    CHECK_EQ(world_stat(STAT_health_end_ok), 3);
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_HEALTHY);
    CHECK_EQ(world_stat(STAT_health_became_healthy), 0); /* it was taken for that all along */
    world_end();
}

TEST(an_http_check_asks_for_the_path_and_reads_the_answer)
{
    begin_with(IMAGE_HEALTH_CHECK_HTTP, WELL, 3000);
    CHECK_EQ(strcmp(w.heard[1].request, "GET /healthz?full=1 HTTP/1.1\r\nHost: 10.0.0.1:80\r\n"
                                        "User-Agent: sluice-health\r\nConnection: close\r\n\r\n"),
             0);
    CHECK_EQ(w.heard[1].shutdowns, 3);
    CHECK_EQ(w.heard[1].resets, 0);
    CHECK_EQ(world_stat(STAT_health_end_ok), 3);
    world_end();
}

TEST(a_host_of_the_policy_is_asked_for)
{
    world_begin(0, 1, 0, 0);
    struct image_health *policy = world_policy(IMAGE_HEALTH_CHECK_HTTP);
    policy->host = world_string("app.example.com");
    policy->path = world_string("/up");
    policy->port = 9090;
    world_image();
    world_list(GROUP, 1, 1);
    world_run(1010);
    CHECK(strstr(w.heard[1].request, "GET /up HTTP/1.1\r\nHost: app.example.com\r\n") != NULL);
    CHECK_EQ(w.heard[1].port, 9090);
    world_end();
}

/* An endpoint fails in that way: it is unhealthy after three, well again after two good ones. */
static void fail_by(enum image_health_check check, enum behaviour behaviour, enum stat_id counter)
{
    begin_with(check, behaviour, 2600);
    CHECK_EQ(w.heard[1].n, world_stat(counter));
    CHECK(w.heard[1].n == 2 || w.heard[1].n == 3);
    for (unsigned i = 0; world_stat(counter) < 3; i++) {
        REQUIRE(i < 20);
        CHECK_EQ(world_checked(1), ENDPOINT_CHECK_UNKNOWN);
        world_run(100);
    }
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_UNHEALTHY);
    CHECK_EQ(world_stat(STAT_health_became_unhealthy), 1);
    CHECK_EQ(world_stat(STAT_health_unhealthy_now), 1);
    CHECK_EQ(world_stat(STAT_health_end_ok), 0);
    w.hosts[1] = WELL;
    for (unsigned i = 0; world_stat(STAT_health_end_ok) < 2; i++) {
        REQUIRE(i < 40);
        CHECK_EQ(world_checked(1), ENDPOINT_CHECK_UNHEALTHY);
        world_run(100);
    }
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_HEALTHY);
    CHECK_EQ(world_stat(STAT_health_became_healthy), 1);
    CHECK_EQ(world_stat(STAT_health_unhealthy_now), 0);
    world_end();
}

TEST(each_way_to_fail_makes_unhealthy_and_is_told_apart)
{
    fail_by(IMAGE_HEALTH_CHECK_TCP, REFUSES, STAT_health_end_refused);
    fail_by(IMAGE_HEALTH_CHECK_TCP, UNREACHABLE, STAT_health_end_unreachable);
    fail_by(IMAGE_HEALTH_CHECK_TCP, SILENT, STAT_health_end_timeout);
    fail_by(IMAGE_HEALTH_CHECK_HTTP, REFUSES, STAT_health_end_refused);
    fail_by(IMAGE_HEALTH_CHECK_HTTP, SILENT, STAT_health_end_timeout);
    fail_by(IMAGE_HEALTH_CHECK_HTTP, HANGS, STAT_health_end_timeout);
    fail_by(IMAGE_HEALTH_CHECK_HTTP, ILL, STAT_health_end_status);
    fail_by(IMAGE_HEALTH_CHECK_HTTP, CUTS, STAT_health_end_closed);
    fail_by(IMAGE_HEALTH_CHECK_HTTP, RAVES, STAT_health_end_fault);
    fail_by(IMAGE_HEALTH_CHECK_GRPC, REFUSES, STAT_health_end_refused);
    fail_by(IMAGE_HEALTH_CHECK_GRPC, SILENT, STAT_health_end_timeout);
    fail_by(IMAGE_HEALTH_CHECK_GRPC, HANGS, STAT_health_end_timeout);
    fail_by(IMAGE_HEALTH_CHECK_GRPC, ILL, STAT_health_end_status);
    fail_by(IMAGE_HEALTH_CHECK_GRPC, RAVES, STAT_health_end_fault);
}

TEST(good_and_bad_answers_in_turn_change_nothing)
{
    begin_with(IMAGE_HEALTH_CHECK_HTTP, WELL, 0);
    for (unsigned i = 0; i < 12; i++) {
        w.hosts[1] = i % 3 == 0 ? WELL : ILL; /* two bad ones in a row at most */
        world_run(1000);
    }
    CHECK(world_stat(STAT_health_end_status) >= 7 && world_stat(STAT_health_end_ok) >= 3);
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_UNKNOWN);
    CHECK_EQ(world_stat(STAT_health_became_unhealthy), 0);
    world_end();
}

TEST(a_long_or_slow_body_is_not_waited_for)
{
    begin_with(IMAGE_HEALTH_CHECK_HTTP, TALKS, 3000);
    CHECK_EQ(world_stat(STAT_health_end_ok), 3);
    CHECK_EQ(w.heard[1].resets, 3);
    while (world_stat(STAT_health_end_ok) == 3)
        world_run(5);
    world_run(50); /* long before its time is up it has had enough */
    CHECK_EQ(w.heard[1].resets, 4);
    w.hosts[1] = HALTS;
    world_run(4000);
    CHECK_EQ(world_stat(STAT_health_end_ok), 8);
    CHECK(w.heard[1].resets >= 7); /* when the time is up */
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_HEALTHY);
    CHECK_EQ(world_stat(STAT_health_end_timeout), 0);
    world_end();
}

TEST(our_own_shortage_says_nothing_of_the_endpoint)
{
    begin_with(IMAGE_HEALTH_CHECK_TCP, NO_PORT, 6000);
    CHECK_EQ(world_stat(STAT_health_end_not_asked), 6);
    CHECK_EQ(world_stat(STAT_health_started), 6);
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_UNKNOWN);
    world_end();
}

TEST(a_buffer_that_is_missing_says_nothing_of_the_endpoint)
{
    world_begin(0, 1, 0, 1); /* a buffer, and a request that holds it */
    world_policy(IMAGE_HEALTH_CHECK_HTTP);
    world_image();
    world_list(GROUP, 1, 1);
    w.hosts[1] = HASTY;
    world_run(5000);
    CHECK_EQ(world_stat(STAT_health_end_not_asked), 5);
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_UNKNOWN);
    w.hosts[1] = WELL;
    world_run(3000);
    CHECK_EQ(world_stat(STAT_health_end_ok), 3);
    world_end();
}

/* A check is under way, and waits for the answer. */
static void begin_waiting(void)
{
    struct health_counts counts = {0};
    begin_with(IMAGE_HEALTH_CHECK_HTTP, HANGS, 0);
    for (unsigned i = 0; i < 40 && counts.checks == 0; i++) {
        world_run(50);
        health_counts(w.health, &counts);
    }
    REQUIRE(counts.checks == 1);
}

TEST(a_check_of_an_endpoint_that_goes_meanwhile_has_no_verdict)
{
    begin_waiting();
    world_list(GROUP, 2, 2);
    world_run(400);
    CHECK_EQ(world_stat(STAT_health_end_gone) + world_stat(STAT_health_checks_now), 1);
    world_run(2000);
    CHECK_EQ(world_stat(STAT_health_end_gone), 1);
    CHECK_EQ(world_stat(STAT_health_end_timeout), 0);
    CHECK_EQ(w.heard[1].n, 1);
    CHECK_EQ(w.heard[2].n, 2);
    CHECK_EQ(world_stat(STAT_health_probes_now), 1);
    world_end();
}

TEST(an_answer_to_a_policy_that_is_another_now_has_no_verdict)
{
    begin_waiting();
    w.policies[0].check = IMAGE_HEALTH_CHECK_TCP;
    world_image();
    world_run(600);
    CHECK_EQ(world_stat(STAT_health_end_gone), 1);
    world_run(1400);
    CHECK_EQ(world_stat(STAT_health_end_ok), 2); /* by the new one */
    world_end();
    begin_waiting();
    w.n_policies = 0;
    world_image();
    world_run(1500);
    CHECK_EQ(world_stat(STAT_health_end_gone), 1);
    CHECK_EQ(world_stat(STAT_health_started), 1);
    CHECK_EQ(world_stat(STAT_health_probes_now), 0);
    world_end();
}

TEST(the_statuses_of_the_policy_in_force_when_the_answer_comes_count)
{
    begin_waiting();
    w.policies[0].statuses[0] = (struct image_status_range){500, 599};
    world_image();
    w.hosts[1] = ILL;
    world_run(100);
    CHECK_EQ(world_stat(STAT_health_end_ok), 1);
    world_end();
}

TEST(a_worker_that_ends_resets_what_is_under_way)
{
    begin_waiting();
    world_end();
    CHECK_EQ(world_stat(STAT_health_end_gone), 1);
}

UNIT_MAIN("health_check", T(a_tcp_check_connects_and_leaves_in_good_order),
          T(an_http_check_asks_for_the_path_and_reads_the_answer),
          T(a_host_of_the_policy_is_asked_for),
          T(each_way_to_fail_makes_unhealthy_and_is_told_apart),
          T(good_and_bad_answers_in_turn_change_nothing), T(a_long_or_slow_body_is_not_waited_for),
          T(our_own_shortage_says_nothing_of_the_endpoint),
          T(a_buffer_that_is_missing_says_nothing_of_the_endpoint),
          T(a_check_of_an_endpoint_that_goes_meanwhile_has_no_verdict),
          T(an_answer_to_a_policy_that_is_another_now_has_no_verdict),
          T(the_statuses_of_the_policy_in_force_when_the_answer_comes_count),
          T(a_worker_that_ends_resets_what_is_under_way))
