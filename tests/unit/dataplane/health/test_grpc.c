/* SPDX-License-Identifier: Apache-2.0 */
/* One call of a health service: what it asks, what each answer means, and with how little room. */
#include "base/assert.h"
#include "core/core.h"
#include "grpc_peer.h"
#include "health/health_grpc.h"
#include "health/health_priv.h"
#include "unit.h"

#include <string.h>

static const uint8_t serving[] = {0, 0, 0, 0, 2, 8, 1};
static const uint8_t not_serving[] = {0, 0, 0, 0, 2, 8, 2};
static const uint8_t unknown[] = {0, 0, 0, 0, 0};
static const uint8_t compressed[] = {1, 0, 0, 0, 2, 8, 1};
static const uint8_t much[] = {0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 2, 8, 1,
                               0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 2, 8, 1};

static struct health_grpc call;
static struct fake_stream stream;
static struct grpc_peer peer;
static union health_block memory;
static struct nghttp2_session_callbacks *callbacks;
static enum health_end ended;
static unsigned n_ended;

static void on_end(struct health_grpc *g, enum health_end end)
{
    CHECK(g->stream == NULL);
    ended = end;
    n_ended++;
}

/* A call of that service is begun, and the connection established; so many bytes fit at once. */
static void begin(const char *service, size_t room, size_t slice_max)
{
    callbacks = health_grpc_callbacks_new();
    fake_stream_init(&stream, room);
    stream.slice_max = slice_max;
    memset(&memory, 0xa5, sizeof(memory));
    peer = (struct grpc_peer){
        .http_status = "200", .grpc_status = "0", .answer = serving, .answer_len = sizeof(serving)};
    grpc_peer_init(&peer);
    n_ended = 0;
    REQUIRE(health_grpc_begin(&call, &stream.stream, &memory, callbacks, SLICE_LIT("10.0.0.1:80"),
                              slice_of_str(service), on_end));
    stream.events |= STREAM_WRITABLE;
}

static void end(void)
{
    CHECK(stream.is_released);
    grpc_peer_done(&peer);
    fake_stream_done(&stream);
    health_grpc_callbacks_free(callbacks);
}

/* Until nothing moves. */
static void run(void)
{
    for (unsigned i = 0; i < 2000 && !stream.is_released; i++) {
        fake_stream_dispatch(&stream);
        if (!stream.is_released)
            grpc_peer_serve(&peer, &stream);
    }
}

/* How it ends when the peer answers so. */
static enum health_end answered(const uint8_t *answer, size_t len, const char *http_status,
                                const char *grpc_status)
{
    begin("", SIZE_MAX, SIZE_MAX);
    peer.answer = answer;
    peer.answer_len = len;
    peer.http_status = http_status;
    peer.grpc_status = grpc_status;
    run();
    CHECK_EQ(n_ended, 1);
    end();
    return ended;
}

TEST(the_health_service_is_asked_as_grpc_asks)
{
    static const uint8_t request[] = {0, 0, 0, 0, 5, 10, 3, 'a', '.', 'b'};
    begin("a.b", SIZE_MAX, SIZE_MAX);
    run();
    CHECK_EQ(ended, HEALTH_END_ok);
    CHECK(stream.end == STREAM_END_OPEN && stream.is_shutdown); /* in good order */
    CHECK_EQ(strcmp(peer.fields, ":method: POST\n:scheme: http\n"
                                 ":path: /grpc.health.v1.Health/Check\n"
                                 ":authority: 10.0.0.1:80\nte: trailers\n"
                                 "content-type: application/grpc\nuser-agent: sluice-health\n"),
             0);
    CHECK_EQ(peer.message_len, sizeof(request));
    CHECK_EQ(memcmp(peer.message, request, sizeof(request)), 0);
    end();
}

TEST(a_long_name_has_a_length_of_two_bytes)
{
    char name[254];
    memset(name, 's', 253);
    name[253] = 0;
    begin(name, SIZE_MAX, SIZE_MAX);
    run();
    CHECK_EQ(ended, HEALTH_END_ok);
    CHECK_EQ(peer.message_len, 5 + 3 + 253);
    static const uint8_t head[] = {0, 0, 0, 1, 0, 10, 0xfd, 1, 's'};
    CHECK_EQ(memcmp(peer.message, head, sizeof(head)), 0);
    end();
    begin("", SIZE_MAX, SIZE_MAX);
    run();
    CHECK_EQ(peer.message_len, 5);
    end();
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
    CHECK_EQ(answered(serving, sizeof(serving), "200", "99999999999"), HEALTH_END_status);
    CHECK_EQ(answered(NULL, 0, "200", "12"), HEALTH_END_status); /* no such service */
}

TEST(a_call_goes_through_the_smallest_room_in_the_smallest_pieces)
{
    for (size_t room = 1; room < 40; room += 13) {
        begin("a.b", room, 1);
        run();
        CHECK_EQ(n_ended, 1);
        CHECK_EQ(ended, HEALTH_END_ok);
        end();
    }
}

TEST(a_peer_that_ends_or_resets_the_call_is_told_apart)
{
    begin("", SIZE_MAX, SIZE_MAX);
    peer.resets = true;
    run();
    CHECK_EQ(ended, HEALTH_END_closed);
    end();
    begin("", SIZE_MAX, SIZE_MAX);
    fake_stream_dispatch(&stream);
    fake_stream_push_eof(&stream);
    fake_stream_dispatch(&stream);
    CHECK_EQ(n_ended, 1);
    CHECK_EQ(ended, HEALTH_END_closed);
    end();
    static const struct {
        enum stream_end of;
        enum health_end is;
    } ends[] = {{STREAM_END_REFUSED, HEALTH_END_refused},
                {STREAM_END_TIMEOUT, HEALTH_END_timeout},
                {STREAM_END_UNREACHABLE, HEALTH_END_unreachable},
                {STREAM_END_NO_RESOURCES, HEALTH_END_not_asked},
                {STREAM_END_RESET, HEALTH_END_closed}};
    for (unsigned i = 0; i < array_len(ends); i++) {
        begin("", SIZE_MAX, SIZE_MAX);
        fake_stream_break(&stream, ends[i].of);
        fake_stream_dispatch(&stream);
        CHECK_EQ(n_ended, 1);
        CHECK_EQ(ended, ends[i].is);
        end();
    }
}

TEST(who_speaks_no_http_2_breaks_the_rules)
{
    begin("", SIZE_MAX, SIZE_MAX);
    fake_stream_dispatch(&stream);
    fake_stream_push(&stream, SLICE_LIT("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
    fake_stream_dispatch(&stream);
    CHECK_EQ(n_ended, 1);
    CHECK_EQ(ended, HEALTH_END_fault);
    end();
}

TEST(an_answer_that_takes_too_much_memory_fails_and_touches_nothing_else)
{
    begin("", SIZE_MAX, SIZE_MAX);
    peer.extra_bytes = 4000;
    run();
    CHECK_EQ(ended, HEALTH_END_ok);
    end();
    for (unsigned i = 0; i < 3; i++) { /* nor does it take more with each call */
        begin("", SIZE_MAX, SIZE_MAX);
        peer.extra_bytes = 15000;
        run();
        CHECK_EQ(n_ended, 1);
        CHECK_EQ(ended, HEALTH_END_fault);
        CHECK(call.used <= HEALTH_GRPC_BYTES_MAX);
        end();
    }
}

TEST(a_call_that_is_broken_off_is_reset)
{
    begin("", SIZE_MAX, SIZE_MAX);
    fake_stream_dispatch(&stream);
    health_grpc_abort(&call);
    CHECK_EQ(n_ended, 0);
    CHECK_EQ(stream.end, STREAM_END_ABORTED);
    end();
}

UNIT_MAIN("health_grpc", T(the_health_service_is_asked_as_grpc_asks),
          T(a_long_name_has_a_length_of_two_bytes), T(only_serving_passes),
          T(a_call_goes_through_the_smallest_room_in_the_smallest_pieces),
          T(a_peer_that_ends_or_resets_the_call_is_told_apart),
          T(who_speaks_no_http_2_breaks_the_rules),
          T(an_answer_that_takes_too_much_memory_fails_and_touches_nothing_else),
          T(a_call_that_is_broken_off_is_reset))
