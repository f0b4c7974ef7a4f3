/* SPDX-License-Identifier: Apache-2.0 */
/* Observations over the control socket, with workers that are only eyes: what is asked comes to
 * them, what they tell comes out, and whoever asks cannot hold anybody up. */
#include "abi/observe.h"
#include "house.h"
#include "unit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct house house;
static struct reply reply;

static void up(void)
{
    house_make(&house);
    house_start(&house);
    REQUIRE(house.h != NULL);
}

static void down(void)
{
    house_stop(&house);
    house_remove(&house);
}

static struct control_observe request_of(enum observe_kind kind)
{
    return (struct control_observe){.kind = kind,
                                    .workers = UINT64_MAX,
                                    .ports = UINT32_MAX,
                                    .snap_bytes = OBSERVE_SNAP_BYTES_MAX,
                                    .records_max = UINT64_MAX,
                                    .bytes_max = UINT64_MAX,
                                    .ms_max = 60000};
}

static void eyes_poll(void)
{
    for (unsigned i = 0; i < HOUSE_WORKERS; i++)
        obs_poll(&house.eyes[i]);
}

/* Asks, and gives the fault of the answer. */
static int ask(int s, const struct control_observe *request, uint32_t length)
{
    house_send(&house, s, CONTROL_OBSERVE, 5, request, length, -1);
    eyes_poll();
    if (!house_receive(&house, s, &reply) || reply.msg.type != CONTROL_RESULT)
        return -1;
    CHECK_EQ(reply.msg.id, 5);
    CHECK_EQ(reply.body.result.type, CONTROL_OBSERVE);
    return (int)reply.body.result.fault;
}

/* A frame of `bytes` seen by the worker. False: nobody looks, or no room. */
static bool see(unsigned worker, uint32_t bytes)
{
    struct obs *eye = &house.eyes[worker];
    struct obs_lane *lane = obs_lane_next(eye, OBSERVE_CAPTURE, NULL);
    if (lane == NULL)
        return false;
    struct observe_frame *f =
        obs_take(eye, lane, OBSERVE_RECORD_FRAME, (uint32_t)sizeof(*f) + bytes, 42);
    if (f == NULL) {
        obs_lose(lane);
        return false;
    }
    f->captured_bytes = (uint16_t)bytes;
    memset(f->data, (int)worker, bytes);
    obs_put(eye, lane, f);
    return true;
}

/* Receives until OBSERVED. Returns the records that came before it; -1: it did not come. */
static int receive_all(int s)
{
    int n = 0;
    for (unsigned tries = 0; tries < 1000; tries++) {
        eyes_poll();
        if (!house_receive(&house, s, &reply))
            continue;
        if (reply.msg.type == CONTROL_OBSERVED)
            return n;
        CHECK_EQ(reply.msg.type, CONTROL_RECORDS);
        for (uint32_t at = 0; at < reply.msg.length; n++)
            at += ((const struct observe_record *)(reply.body.bytes + at))->bytes;
    }
    return -1;
}

TEST(the_answer_comes_when_every_worker_looks)
{
    up();
    int s = house_connect(&house);
    struct control_observe request = request_of(OBSERVE_CAPTURE);
    house_send(&house, s, CONTROL_OBSERVE, 5, &request, sizeof(request), -1);
    CHECK(!house_receive(&house, s, &reply));
    obs_poll(&house.eyes[0]);
    CHECK(see(0, 1)); /* is told, but not before the answer */
    CHECK(!house_receive(&house, s, &reply));
    obs_poll(&house.eyes[1]);
    REQUIRE(house_receive(&house, s, &reply));
    CHECK_EQ(reply.msg.type, CONTROL_RESULT);
    CHECK_EQ(reply.body.result.fault, OBSERVE_FAULT_OK);
    REQUIRE(house_receive(&house, s, &reply));
    CHECK_EQ(reply.msg.type, CONTROL_RECORDS);
    close(s);
    down();
}

TEST(what_workers_see_comes_out_and_stop_ends_it)
{
    up();
    int s = house_connect(&house);
    struct control_observe request = request_of(OBSERVE_CAPTURE);
    CHECK_EQ(ask(s, &request, sizeof(request)), OBSERVE_FAULT_OK);
    CHECK(reply.body.result.subject > 1000000ull * 1600000000); /* UNIX time of time 0, in us */
    for (unsigned i = 0; i < 10; i++)
        CHECK(see(i % HOUSE_WORKERS, 100));
    REQUIRE(house_receive(&house, s, &reply));
    CHECK_EQ(reply.msg.type, CONTROL_RECORDS);
    CHECK_EQ(reply.msg.id, 5);
    CHECK(see(0, 1));
    house_send(&house, s, CONTROL_STOP, 5, NULL, 0, -1);
    CHECK_EQ(receive_all(s), 1);
    CHECK_EQ(reply.body.observed.records, 11);
    CHECK_EQ(reply.body.observed.lost, 0);
    CHECK_EQ(reply.body.observed.is_whole, 0);
    CHECK(!see(0, 1) && !see(1, 1));
    CHECK_EQ(house_stat(&house, STAT_core_observations), 1);
    CHECK_EQ(house_stat(&house, STAT_core_observe_records), 11);
    house_send(&house, s, CONTROL_STOP, 5, NULL, 0, -1); /* it crossed with OBSERVED */
    CHECK_EQ(ask(s, &request, sizeof(request)),
             OBSERVE_FAULT_OK); /* the connection is good for more */
    close(s);
    down();
}

TEST(a_bound_on_records_counts_those_of_all_workers)
{
    up();
    int s = house_connect(&house);
    struct control_observe request = request_of(OBSERVE_CAPTURE);
    request.records_max = 5;
    CHECK_EQ(ask(s, &request, sizeof(request)), OBSERVE_FAULT_OK);
    for (unsigned i = 0; i < 4; i++)
        CHECK(see(0, 10) && see(1, 10));
    CHECK_EQ(receive_all(s), 5);
    CHECK_EQ(reply.body.observed.records, 5);
    CHECK_EQ(reply.body.observed.is_whole, 0);
    close(s);
    down();
}

TEST(a_bound_that_one_worker_reaches_ends_it_for_the_others_too)
{
    up();
    int s = house_connect(&house);
    struct control_observe request = request_of(OBSERVE_CAPTURE);
    request.records_max = 3;
    CHECK_EQ(ask(s, &request, sizeof(request)), OBSERVE_FAULT_OK);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(see(0, 10), i < 3);
    CHECK_EQ(receive_all(s), 3); /* though worker 1 has seen nothing */
    CHECK(!obs_watches(&house.eyes[1], OBSERVE_CAPTURE));
    close(s);
    down();
}

TEST(it_ends_by_itself_when_its_time_is_over)
{
    up();
    int s = house_connect(&house);
    struct control_observe request = request_of(OBSERVE_TRACE);
    request.ms_max = 1;
    CHECK_EQ(ask(s, &request, sizeof(request)), OBSERVE_FAULT_OK);
    usleep(2000);
    CHECK_EQ(receive_all(s), 0);
    CHECK_EQ(reply.body.observed.is_whole, 0);
    close(s);
    down();
}

TEST(unsound_requests_a_second_one_and_a_fifth_are_refused_by_name)
{
    int s[OBS_PEERS_MAX + 1];
    up();
    struct control_observe request = request_of(OBSERVE_TRACE);
    s[0] = house_connect(&house);
    CHECK_EQ(ask(s[0], &request, sizeof(request) - 8), OBSERVE_FAULT_REQUEST);
    request.ms_max = 0;
    CHECK_EQ(ask(s[0], &request, sizeof(request)), OBSERVE_FAULT_REQUEST);
    request.ms_max = 60000;
    CHECK_EQ(ask(s[0], &request, sizeof(request)), OBSERVE_FAULT_OK);
    CHECK_EQ(ask(s[0], &request, sizeof(request)), OBSERVE_FAULT_TWICE);
    for (unsigned i = 1; i <= OBS_PEERS_MAX; i++) {
        s[i] = house_connect(&house);
        CHECK_EQ(ask(s[i], &request, sizeof(request)),
                 i < OBS_PEERS_MAX ? OBSERVE_FAULT_OK : OBSERVE_FAULT_BUSY);
    }
    CHECK_EQ(house_stat(&house, STAT_core_observations_refused), 4);
    close(s[1]); /* whoever goes makes place, once the workers know */
    housekeeping_poll(house.h, 0);
    eyes_poll();
    CHECK_EQ(ask(s[OBS_PEERS_MAX], &request, sizeof(request)), OBSERVE_FAULT_OK);
    for (unsigned i = 0; i <= OBS_PEERS_MAX; i++) {
        if (i != 1)
            close(s[i]);
    }
    down();
}

TEST(an_observer_that_does_not_read_loses_records_and_holds_up_nobody)
{
    uint64_t seen = 0;
    up();
    int slow = house_connect(&house);
    struct control_observe request = request_of(OBSERVE_CAPTURE);
    CHECK_EQ(ask(slow, &request, sizeof(request)), OBSERVE_FAULT_OK);
    for (unsigned i = 0; i < 3000; i++) {
        seen += see(0, 1000);
        if (i % 10 == 0)
            housekeeping_poll(house.h, 0);
    }
    CHECK(seen < 3000 && seen > 100);
    int other = house_manager(&house); /* is served meanwhile */
    house_send(&house, slow, CONTROL_STOP, 5, NULL, 0, -1);
    CHECK_EQ(receive_all(slow), seen); /* what found room is told when it does read */
    CHECK_EQ(reply.body.observed.records, seen);
    CHECK_EQ(reply.body.observed.lost, 3000 - seen);
    CHECK_EQ(house_stat(&house, STAT_core_observe_lost), 3000 - seen);
    close(other);
    close(slow);
    down();
}

TEST(records_come_whole_and_in_the_order_of_each_worker)
{
    unsigned n[HOUSE_WORKERS] = {0};
    up();
    int s = house_connect(&house);
    struct control_observe request = request_of(OBSERVE_CAPTURE);
    CHECK_EQ(ask(s, &request, sizeof(request)), OBSERVE_FAULT_OK);
    for (unsigned i = 0; i < 200; i++)
        CHECK(see(i % HOUSE_WORKERS, i / HOUSE_WORKERS * 7)); /* longer each time */
    while (n[0] + n[1] < 200) {
        REQUIRE(house_receive(&house, s, &reply));
        for (uint32_t at = 0; at < reply.msg.length;) {
            const struct observe_frame *f = (const struct observe_frame *)(reply.body.bytes + at);
            unsigned worker = f->head.worker;
            REQUIRE(worker < HOUSE_WORKERS);
            CHECK_EQ(f->captured_bytes, n[worker] * 7);
            CHECK(f->captured_bytes == 0 || f->data[f->captured_bytes - 1] == worker);
            n[worker]++;
            at += f->head.bytes;
        }
    }
    close(s);
    down();
}

UNIT_MAIN("observe", T(the_answer_comes_when_every_worker_looks),
          T(what_workers_see_comes_out_and_stop_ends_it),
          T(a_bound_on_records_counts_those_of_all_workers),
          T(a_bound_that_one_worker_reaches_ends_it_for_the_others_too),
          T(it_ends_by_itself_when_its_time_is_over),
          T(unsound_requests_a_second_one_and_a_fifth_are_refused_by_name),
          T(an_observer_that_does_not_read_loses_records_and_holds_up_nobody),
          T(records_come_whole_and_in_the_order_of_each_worker))
