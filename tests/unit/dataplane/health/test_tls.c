/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of type TLS: what they ask for, how they leave, and how they fail. */
#include "health_world.h"

/* One host of GROUP that behaves like that, checked for so long. */
static void begin_with(enum behaviour behaviour, const char *name, uint32_t ms)
{
    world_begin(0, 1, 0, 0);
    struct image_health *policy = world_policy(IMAGE_HEALTH_CHECK_TLS);
    if (name != NULL)
        policy->host = world_string(name);
    world_image();
    world_list(GROUP, 1, 1);
    w.hosts[1] = behaviour;
    world_run(ms);
}

TEST(a_handshake_passes_and_ends_by_close_notify_and_fin)
{
    begin_with(WELL, "app.example.com", 3000);
    CHECK_EQ(w.heard[1].n, 3);
    CHECK_STR(w.heard[1].request, "app.example.com");
    CHECK_EQ(w.heard[1].goodbyes, 3);
    CHECK_EQ(w.heard[1].shutdowns, 3);
    CHECK_EQ(w.heard[1].resets, 0);
    CHECK_EQ(world_stat(STAT_health_end_ok), 3);
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_HEALTHY);
    world_end();
}

TEST(without_a_name_none_is_asked_for_and_an_address_is_none)
{
    begin_with(WELL, NULL, 1100);
    CHECK_STR(w.heard[1].request, "");
    CHECK(w.heard[1].n > 0 && world_stat(STAT_health_end_ok) == w.heard[1].n);
    world_end();
    begin_with(WELL, "10.0.0.1", 1100);
    CHECK_STR(w.heard[1].request, "");
    CHECK(w.heard[1].n > 0 && world_stat(STAT_health_end_ok) == w.heard[1].n);
    world_end();
}

TEST(a_server_that_takes_byte_by_byte_and_ends_without_close_notify_is_well)
{
    begin_with(HASTY, "app.example.com", 0);
    w.policies[0].interval_ms = 10000;
    w.policies[0].timeout_ms = 5000;
    world_image();
    world_run(16000);
    CHECK(w.heard[1].n > 0 && world_stat(STAT_health_end_ok) == w.heard[1].n);
    CHECK_EQ(w.heard[1].shutdowns, w.heard[1].n);
    CHECK_EQ(w.heard[1].resets, 0);
    world_end();
}

TEST(a_server_that_goes_on_talking_is_well_and_reset)
{
    begin_with(TALKS, NULL, 1100);
    CHECK(w.heard[1].n > 0 && world_stat(STAT_health_end_ok) == w.heard[1].n);
    CHECK_EQ(w.heard[1].resets, w.heard[1].n);
    world_end();
}

/* An endpoint fails in that way: unhealthy after three, well again after two good ones. */
static void fail_by(enum behaviour behaviour, enum stat_id counter)
{
    begin_with(behaviour, "app.example.com", 4000);
    CHECK(world_stat(counter) >= 3);
    CHECK_EQ(world_stat(STAT_health_end_ok), 0);
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_UNHEALTHY);
    w.hosts[1] = WELL;
    world_run(3000);
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_HEALTHY);
    world_end();
}

TEST(each_way_to_fail_is_told_apart)
{
    fail_by(REFUSES, STAT_health_end_refused);
    fail_by(UNREACHABLE, STAT_health_end_unreachable);
    fail_by(SILENT, STAT_health_end_timeout);
    fail_by(HANGS, STAT_health_end_timeout);
    fail_by(ILL, STAT_health_end_fault);   /* an alert */
    fail_by(RAVES, STAT_health_end_fault); /* no TLS */
    fail_by(CUTS, STAT_health_end_fault);
}

TEST(a_check_of_an_endpoint_that_goes_meanwhile_has_no_verdict)
{
    begin_with(HANGS, NULL, 0);
    for (unsigned i = 0; world_stat(STAT_health_checks_now) == 0; i++) {
        REQUIRE(i < 300);
        world_run(10);
    }
    world_list(GROUP, 2, 2);
    world_run(700);
    CHECK_EQ(world_stat(STAT_health_end_gone), 1);
    world_end();
}

TEST(a_worker_that_ends_resets_handshakes)
{
    begin_with(HANGS, NULL, 0);
    for (unsigned i = 0; world_stat(STAT_health_checks_now) == 0; i++) {
        REQUIRE(i < 300);
        world_run(10);
    }
    world_end();
    CHECK_EQ(world_stat(STAT_health_end_gone), 1);
    CHECK_EQ(w.heard[1].n, 1);
}

UNIT_MAIN("health_tls", T(a_handshake_passes_and_ends_by_close_notify_and_fin),
          T(without_a_name_none_is_asked_for_and_an_address_is_none),
          T(a_server_that_takes_byte_by_byte_and_ends_without_close_notify_is_well),
          T(a_server_that_goes_on_talking_is_well_and_reset), T(each_way_to_fail_is_told_apart),
          T(a_check_of_an_endpoint_that_goes_meanwhile_has_no_verdict),
          T(a_worker_that_ends_resets_handshakes))
