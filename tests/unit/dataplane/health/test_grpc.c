/* SPDX-License-Identifier: Apache-2.0 */
/* One call of a health service: what it asks, what each answer means, and with how little room. */
#include "health_world.h"

static const uint8_t serving[] = {0, 0, 0, 0, 2, 8, 1};
static const uint8_t not_serving[] = {0, 0, 0, 0, 2, 8, 2};
static const uint8_t unknown[] = {0, 0, 0, 0, 0};
static const uint8_t compressed[] = {1, 0, 0, 0, 2, 8, 1};
static const uint8_t much[] = {0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 2, 8, 1,
                               0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 2, 8, 1};

/* A host that is asked about that service, and answers as w.peer says. */
static void begin(const char *service)
{
    world_begin(0, 1, 0, 0);
    struct image_health *policy = world_policy(IMAGE_HEALTH_CHECK_GRPC);
    policy->service = world_string(service);
    world_image();
    world_list(GROUP, 1, 1);
    w.peer = (struct h2_peer){
        .http_status = "200", .grpc_status = "0", .answer = serving, .answer_len = sizeof(serving)};
}

/* How it ends when the peer answers so. */
static enum health_end answered(const uint8_t *answer, size_t len, const char *http_status,
                                const char *grpc_status)
{
    begin("");
    w.peer.answer = answer;
    w.peer.answer_len = len;
    w.peer.http_status = http_status;
    w.peer.grpc_status = grpc_status;
    enum health_end end = world_first_end();
    world_end();
    CHECK_EQ(w.heard[1].resets, 0);
    return end;
}

TEST(the_health_service_is_asked_as_grpc_asks)
{
    static const uint8_t request[] = {0, 0, 0, 0, 5, 10, 3, 'a', '.', 'b'};
    begin("a.b");
    CHECK_EQ(world_first_end(), HEALTH_END_ok);
    world_run(100);
    CHECK_EQ(w.heard[1].shutdowns, 1); /* in good order */
    CHECK_EQ(w.heard[1].resets, 0);
    CHECK_STR(w.heard[1].request, ":method: POST\n:scheme: http\n:authority: 10.0.0.1:80\n"
                                  ":path: /grpc.health.v1.Health/Check\n"
                                  "content-type: application/grpc\nuser-agent: sluice-health\n"
                                  "te: trailers\n");
    CHECK_EQ(w.heard[1].message_len, sizeof(request));
    CHECK_EQ(memcmp(w.heard[1].message, request, sizeof(request)), 0);
    world_end();
}

TEST(a_long_name_has_a_length_of_two_bytes)
{
    static const uint8_t head[] = {0, 0, 0, 1, 0, 10, 0xfd, 1, 's'};
    char name[254];
    memset(name, 's', 253);
    name[253] = 0;
    begin(name);
    CHECK_EQ(world_first_end(), HEALTH_END_ok);
    CHECK_EQ(w.heard[1].message_len, 5 + 3 + 253);
    CHECK_EQ(memcmp(w.heard[1].message, head, sizeof(head)), 0);
    world_end();
    begin("");
    CHECK_EQ(world_first_end(), HEALTH_END_ok);
    CHECK_EQ(w.heard[1].message_len, 5);
    world_end();
}

TEST(only_serving_passes)
{
    CHECK_EQ(answered(serving, sizeof(serving), "200", "0"), HEALTH_END_ok);
    CHECK_EQ(answered(not_serving, sizeof(not_serving), "200", "0"), HEALTH_END_status);
    CHECK_EQ(answered(unknown, sizeof(unknown), "200", "0"), HEALTH_END_status);
    CHECK_EQ(answered(compressed, sizeof(compressed), "200", "0"), HEALTH_END_status);
    CHECK_EQ(answered(much, sizeof(much), "200", "0"), HEALTH_END_status);
    CHECK_EQ(answered(serving, sizeof(serving), "503", "0"), HEALTH_END_status);
    CHECK_EQ(answered(serving, sizeof(serving), "200", "14"), HEALTH_END_status);
    CHECK_EQ(answered(serving, sizeof(serving), "200", NULL), HEALTH_END_status);
    CHECK_EQ(answered(serving, sizeof(serving), "200", "00"), HEALTH_END_status);
    CHECK_EQ(answered(NULL, 0, "200", "12"), HEALTH_END_status); /* no such service */
    CHECK_EQ(answered(NULL, 0, "200", "0"), HEALTH_END_status);  /* and no message */
}

TEST(a_call_goes_through_the_smallest_room_in_the_smallest_pieces)
{
    for (size_t room = 1; room < 40; room += 13) {
        begin("a.b");
        w.room = room;
        w.slice_max = 1;
        w.policies[0].interval_ms = w.policies[0].timeout_ms = 20000;
        world_image();
        CHECK_EQ(world_first_end(), HEALTH_END_ok);
        world_end();
    }
}

TEST(a_call_that_the_peer_resets_fails)
{
    begin("");
    w.peer.resets = true;
    CHECK_EQ(world_first_end(), HEALTH_END_closed);
    world_run(100);
    CHECK_EQ(w.heard[1].shutdowns, 1);
    world_end();
}

TEST(a_message_without_end_fails)
{
    begin("");
    w.hosts[1] = TALKS;
    CHECK_EQ(world_first_end(), HEALTH_END_fault);
    world_run(100);
    CHECK_EQ(w.heard[1].resets, 1);
    world_end();
}

UNIT_MAIN("health_grpc", T(the_health_service_is_asked_as_grpc_asks),
          T(a_long_name_has_a_length_of_two_bytes), T(only_serving_passes),
          T(a_call_goes_through_the_smallest_room_in_the_smallest_pieces),
          T(a_call_that_the_peer_resets_fails), T(a_message_without_end_fails))
