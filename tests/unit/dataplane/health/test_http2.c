/* SPDX-License-Identifier: Apache-2.0 */
/* Checks by HTTP of groups whose endpoints speak HTTP/2: as HTTP/1.1 asks, and never by that. */
#include "health_world.h"

/* A host of a group to which HTTP/2 is spoken. */
static struct image_health *begin(enum behaviour behaviour)
{
    world_begin(0, 1, 0, 0);
    struct image_health *policy = world_policy(IMAGE_HEALTH_CHECK_HTTP);
    policy->protocol = IMAGE_BACKEND_HTTP2;
    world_image();
    world_list(GROUP, 1, 1);
    w.hosts[1] = behaviour;
    return policy;
}

TEST(a_group_of_http_2_is_asked_by_http_2)
{
    begin(WELL);
    world_run(3000);
    CHECK_EQ(world_stat(STAT_health_end_ok), 3);
    CHECK_EQ(w.heard[1].n, 3);
    CHECK_EQ(w.heard[1].shutdowns, 3); /* in good order */
    CHECK_EQ(w.heard[1].resets, 0);
    CHECK_STR(w.heard[1].request, ":method: GET\n:scheme: http\n:authority: 10.0.0.1:80\n"
                                  ":path: /healthz?full=1\nuser-agent: sluice-health\n"
                                  "te: trailers\n");
    CHECK_EQ(world_stat(STAT_h2_session_end_done), 3);
    CHECK_EQ(world_stat(STAT_h2_streams_now), 0);
    CHECK_EQ(world_stat(STAT_h2_heap_bytes_now), 0); /* nothing of it is the heap's */
    world_end();
}

TEST(what_is_spoken_at_another_port_is_http_1)
{
    begin(WELL)->port = 9090;
    world_image();
    world_run(1010);
    CHECK(strstr(w.heard[1].request, "GET /healthz?full=1 HTTP/1.1\r\n") != NULL);
    CHECK_EQ(world_stat(STAT_h2_sessions_opened), 0);
    world_end();
}

static enum health_end end_by(enum behaviour behaviour)
{
    begin(behaviour);
    enum health_end end = world_first_end();
    world_run(100);
    CHECK_EQ(w.heard[1].shutdowns + w.heard[1].resets + (behaviour == REFUSES) * w.heard[1].n +
                 (behaviour == UNREACHABLE) * w.heard[1].n,
             w.heard[1].n);
    world_end();
    return end;
}

TEST(each_way_to_fail_is_told_apart)
{
    CHECK_EQ(end_by(WELL), HEALTH_END_ok);
    CHECK_EQ(end_by(ILL), HEALTH_END_status);
    CHECK_EQ(end_by(REFUSES), HEALTH_END_refused);
    CHECK_EQ(end_by(UNREACHABLE), HEALTH_END_unreachable);
    CHECK_EQ(end_by(SILENT), HEALTH_END_timeout);
    CHECK_EQ(end_by(HANGS), HEALTH_END_timeout);
    CHECK_EQ(end_by(RAVES), HEALTH_END_fault); /* speaks something else */
    CHECK_EQ(end_by(CUTS), HEALTH_END_closed); /* before a frame is whole */
    CHECK_EQ(end_by(NO_PORT), HEALTH_END_not_asked);
}

TEST(who_speaks_no_http_2_is_unhealthy_and_well_again_when_he_does)
{
    begin(RAVES);
    world_run(4000);
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_UNHEALTHY);
    CHECK_EQ(world_stat(STAT_health_end_ok), 0);
    w.hosts[1] = WELL;
    world_run(3000);
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_HEALTHY);
    world_end();
}

TEST(a_stream_that_is_refused_or_reset_fails)
{
    begin(WELL);
    w.peer = (struct h2_peer){.http_status = "200", .resets = true};
    CHECK_EQ(world_first_end(), HEALTH_END_closed);
    world_run(100);
    CHECK_EQ(w.heard[1].shutdowns, 1);
    world_end();
}

TEST(a_head_with_nothing_behind_it_passes_and_so_does_one_behind_hints)
{
    begin(WELL);
    w.peer = (struct h2_peer){.http_status = "204", .has_hints = true};
    CHECK_EQ(world_first_end(), HEALTH_END_ok);
    world_run(100);
    CHECK_EQ(w.heard[1].shutdowns, 1);
    CHECK_EQ(w.heard[1].resets, 0);
    world_end();
}

TEST(a_long_body_is_not_waited_for)
{
    begin(TALKS);
    world_run(3000);
    CHECK_EQ(world_stat(STAT_health_end_ok), 3);
    CHECK_EQ(w.heard[1].resets, 3);
    CHECK_EQ(world_stat(STAT_h2_session_end_aborted), 3);
    CHECK_EQ(world_checked(1), ENDPOINT_CHECK_HEALTHY);
    world_end();
}

TEST(an_answer_that_takes_too_much_memory_fails_and_touches_nothing_else)
{
    begin(WELL);
    w.peer = (struct h2_peer){.http_status = "200", .extra_bytes = 16000};
    CHECK_EQ(world_first_end(), HEALTH_END_ok);
    CHECK_EQ(world_stat(STAT_h2_heap_refused), 0);
    world_end();
    begin(WELL);
    world_list(GROUP, 1, 2);
    w.hosts[2] = ILL; /* answers meanwhile as ever */
    w.peer = (struct h2_peer){.http_status = "200", .extra_bytes = 32000};
    world_run(3000);
    CHECK_EQ(world_stat(STAT_health_end_fault), 3);
    CHECK_EQ(world_stat(STAT_health_end_status), 3);
    CHECK_EQ(world_stat(STAT_h2_session_end_memory), 3);
    CHECK(world_stat(STAT_h2_heap_refused) >= 3);
    w.peer.extra_bytes = 0;
    world_run(3000); /* nor is less of it left */
    CHECK_EQ(world_stat(STAT_health_end_ok), 3);
    world_end();
}

TEST(a_worker_that_ends_resets_what_is_under_way)
{
    begin(HANGS);
    for (unsigned i = 0; world_stat(STAT_health_checks_now) == 0 && i < 400; i++)
        world_run(5);
    world_end();
    CHECK_EQ(world_stat(STAT_health_end_gone), 1);
    CHECK_EQ(world_stat(STAT_h2_sessions_now), 0);
}

UNIT_MAIN("health_http2", T(a_group_of_http_2_is_asked_by_http_2),
          T(what_is_spoken_at_another_port_is_http_1), T(each_way_to_fail_is_told_apart),
          T(who_speaks_no_http_2_is_unhealthy_and_well_again_when_he_does),
          T(a_stream_that_is_refused_or_reset_fails),
          T(a_head_with_nothing_behind_it_passes_and_so_does_one_behind_hints),
          T(a_long_body_is_not_waited_for),
          T(an_answer_that_takes_too_much_memory_fails_and_touches_nothing_else),
          T(a_worker_that_ends_resets_what_is_under_way))
