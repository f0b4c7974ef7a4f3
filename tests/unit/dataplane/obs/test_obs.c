/* SPDX-License-Identifier: Apache-2.0 */
/* Rings, lanes and filters: who may look, when it ends, and that nothing is torn or lost
 * uncounted. */
#include "abi/flow.h"
#include "base/rng.h"
#include "obs/hub.h"
#include "obs/obs.h"
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 2 };

static struct obs_hub *hub;
static struct obs eyes[WORKERS];

static void up(void)
{
    hub = obs_hub_new(WORKERS);
    REQUIRE(hub != NULL);
    for (unsigned i = 0; i < WORKERS; i++)
        obs_join(hub, i, &eyes[i]);
}

static void down(void)
{
    obs_hub_free(hub);
}

static struct control_observe request_of(enum observe_kind kind)
{
    return (struct control_observe){.kind = kind,
                                    .workers = UINT64_MAX,
                                    .ports = UINT32_MAX,
                                    .snap_bytes = 100,
                                    .records_max = UINT64_MAX,
                                    .bytes_max = UINT64_MAX,
                                    .ms_max = 1000};
}

static unsigned begin(const struct control_observe *request)
{
    unsigned slot = 99;
    REQUIRE(obs_hub_begin(hub, request, &slot));
    return slot;
}

/* One record of `bytes` from this worker, if it looks. */
static bool put(unsigned worker, enum observe_kind kind, uint32_t bytes, uint64_t time_us)
{
    struct obs_lane *lane = obs_lane_next(&eyes[worker], kind, NULL);
    if (lane == NULL)
        return false;
    void *record = obs_take(&eyes[worker], lane, OBSERVE_RECORD_FRAME, bytes, time_us);
    if (record == NULL) {
        obs_lose(lane);
        return false;
    }
    obs_put(&eyes[worker], lane, record);
    return true;
}

static unsigned take_all(unsigned slot)
{
    const struct observe_record *record;
    unsigned n = 0;
    while ((record = obs_hub_peek(hub, slot)) != NULL) {
        obs_hub_drop(hub, slot, record);
        n++;
    }
    return n;
}

TEST(nobody_looks_until_somebody_asks_and_only_at_what_was_asked)
{
    up();
    CHECK(!obs_watches(&eyes[0], OBSERVE_TRACE));
    CHECK_EQ(obs_poll(&eyes[0]), 0);
    struct control_observe request = request_of(OBSERVE_TRACE);
    unsigned slot = begin(&request);
    CHECK(!obs_watches(&eyes[0], OBSERVE_TRACE)); /* it has not looked at the bell */
    CHECK_EQ(obs_poll(&eyes[0]), 1);
    CHECK(obs_watches(&eyes[0], OBSERVE_TRACE) && !obs_watches(&eyes[0], OBSERVE_CAPTURE));
    CHECK_EQ(obs_poll(&eyes[0]), 0);
    CHECK(put(0, OBSERVE_TRACE, 64, 5) && !put(0, OBSERVE_FLOWS, 64, 5));
    const struct observe_record *record = obs_hub_peek(hub, slot);
    REQUIRE(record != NULL);
    CHECK_EQ(record->bytes, 64);
    CHECK_EQ(record->worker, 0);
    CHECK_EQ(record->time_us, 5);
    down();
}

TEST(an_observation_is_over_when_every_worker_has_answered_and_all_was_taken)
{
    struct control_observed totals;
    up();
    struct control_observe request = request_of(OBSERVE_FLOWS);
    unsigned slot = begin(&request);
    CHECK(!obs_hub_is_over(hub, slot));
    for (unsigned i = 0; i < WORKERS; i++) {
        obs_poll(&eyes[i]);
        put(i, OBSERVE_FLOWS, 40, i);
        obs_finish(&eyes[i], obs_lane_next(&eyes[i], OBSERVE_FLOWS, NULL), true);
        CHECK(!obs_watches(&eyes[i], OBSERVE_FLOWS));
        CHECK(!obs_hub_is_over(hub, slot));
    }
    CHECK_EQ(take_all(slot), 2);
    CHECK(obs_hub_is_over(hub, slot));
    obs_hub_totals(hub, slot, &totals);
    CHECK_EQ(totals.records, 2);
    CHECK_EQ(totals.bytes, 80);
    CHECK_EQ(totals.is_whole, 1);
    obs_hub_release(hub, slot);
    down();
}

TEST(stop_ends_it_on_every_worker_though_one_never_began)
{
    up();
    struct control_observe request = request_of(OBSERVE_CAPTURE);
    unsigned slot = begin(&request);
    obs_poll(&eyes[0]);
    obs_hub_end(hub, slot);
    obs_hub_end(hub, slot); /* twice is once */
    CHECK(!obs_hub_is_over(hub, slot));
    obs_poll(&eyes[0]);
    CHECK(!obs_watches(&eyes[0], OBSERVE_CAPTURE) && !obs_hub_is_over(hub, slot));
    obs_poll(&eyes[1]);
    CHECK(!obs_watches(&eyes[1], OBSERVE_CAPTURE) && obs_hub_is_over(hub, slot));
    obs_hub_release(hub, slot);
    down();
}

TEST(a_worker_that_is_not_asked_does_not_look_and_is_not_waited_for)
{
    struct control_observed totals;
    up();
    struct control_observe request = request_of(OBSERVE_FLOWS);
    request.workers = 1u << 1;
    unsigned slot = begin(&request);
    CHECK_EQ(obs_poll(&eyes[0]), 0);
    obs_poll(&eyes[1]);
    obs_finish(&eyes[1], obs_lane_next(&eyes[1], OBSERVE_FLOWS, NULL), true);
    CHECK(obs_hub_is_over(hub, slot));
    obs_hub_totals(hub, slot, &totals);
    CHECK_EQ(totals.is_whole, 1);
    down();
}

TEST(one_more_than_there_are_slots_is_refused_until_one_is_free_on_every_worker)
{
    unsigned slot;
    up();
    struct control_observe request = request_of(OBSERVE_TRACE);
    for (unsigned i = 0; i < OBS_SLOTS_MAX; i++)
        CHECK_EQ(begin(&request), i);
    CHECK(!obs_hub_begin(hub, &request, &slot));
    for (unsigned i = 0; i < WORKERS; i++)
        CHECK_EQ(obs_poll(&eyes[i]), OBS_SLOTS_MAX);
    obs_hub_release(hub, 2);
    CHECK(!obs_hub_begin(hub, &request, &slot)); /* the workers still use its lanes */
    obs_poll(&eyes[0]);
    CHECK(!obs_hub_begin(hub, &request, &slot));
    obs_poll(&eyes[1]);
    CHECK_EQ(begin(&request), 2);
    down();
}

TEST(what_finds_no_room_is_lost_and_counted_and_nothing_is_torn)
{
    struct control_observed totals;
    struct rng rng = {7};
    uint64_t put_in = 0;
    uint64_t taken = 0;
    up();
    struct control_observe request = request_of(OBSERVE_CAPTURE);
    unsigned slot = begin(&request);
    obs_poll(&eyes[0]);
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t bytes = (uint32_t)sizeof(struct observe_record) + rng_below(&rng, 3000);
        put_in += put(0, OBSERVE_CAPTURE, bytes, put_in);
        const struct observe_record *record = obs_hub_peek(hub, slot);
        if (record == NULL || rng_below(&rng, 3) == 0)
            continue;
        CHECK_EQ(record->time_us, taken); /* in order, none twice */
        CHECK(record->bytes % 8 == 0 && record->type == OBSERVE_RECORD_FRAME);
        obs_hub_drop(hub, slot, record);
        taken++;
    }
    taken += take_all(slot);
    CHECK_EQ(taken, put_in);
    obs_hub_totals(hub, slot, &totals);
    CHECK_EQ(totals.records, put_in);
    CHECK_EQ(totals.records + totals.lost, 20000);
    CHECK(totals.lost > 0);
    down();
}

TEST(the_longest_record_fits_wherever_the_ring_stands)
{
    up();
    struct control_observe request = request_of(OBSERVE_CAPTURE);
    unsigned slot = begin(&request);
    obs_poll(&eyes[0]);
    for (unsigned i = 0; i < 5000; i++) {
        CHECK(put(0, OBSERVE_CAPTURE, 24 + OBSERVE_SNAP_BYTES_MAX, i));
        CHECK(put(0, OBSERVE_CAPTURE, 16 + 8 * (i % 3), i));
        CHECK_EQ(take_all(slot), 2);
    }
    down();
}

TEST(a_bound_on_records_or_bytes_ends_it_in_the_worker)
{
    struct control_observed totals;
    up();
    struct control_observe request = request_of(OBSERVE_TRACE);
    request.records_max = 3;
    unsigned slot = begin(&request);
    obs_poll(&eyes[0]);
    for (unsigned i = 0; i < 10; i++)
        CHECK_EQ(put(0, OBSERVE_TRACE, 64, i), i < 3);
    CHECK_EQ(take_all(slot), 3);
    obs_hub_totals(hub, slot, &totals);
    CHECK_EQ(totals.is_whole, 0);
    request.records_max = UINT64_MAX;
    request.bytes_max = 128;
    begin(&request);
    obs_poll(&eyes[1]); /* both of them: the first is on there still */
    CHECK(put(1, OBSERVE_TRACE, 64, 0) && obs_watches(&eyes[1], OBSERVE_TRACE));
    down();
}

TEST(a_slot_that_is_used_again_begins_from_nothing)
{
    struct control_observed totals;
    up();
    struct control_observe request = request_of(OBSERVE_TRACE);
    unsigned slot = begin(&request);
    obs_poll(&eyes[0]);
    obs_poll(&eyes[1]);
    CHECK(put(0, OBSERVE_TRACE, 64, 1));
    obs_hub_release(hub, slot); /* its record was never taken */
    obs_poll(&eyes[0]);
    obs_poll(&eyes[1]);
    CHECK_EQ(begin(&request), slot);
    CHECK(obs_hub_peek(hub, slot) == NULL);
    obs_hub_totals(hub, slot, &totals);
    CHECK_EQ(totals.records + totals.bytes + totals.lost + totals.looked, 0);
    down();
}

/* A worker in a thread of its own: looks once a round, and writes records whose bytes are all the
 * same. */
static bool is_ending;

static void *worker_thread(void *arg)
{
    struct obs *eye = arg;
    uint64_t n = 0;
    while (!__atomic_load_n(&is_ending, __ATOMIC_RELAXED)) {
        obs_poll(eye);
        struct obs_lane *lane = NULL;
        while ((lane = obs_lane_next(eye, OBSERVE_CAPTURE, lane)) != NULL) {
            uint32_t bytes = (uint32_t)(sizeof(struct observe_frame) + n % 500);
            struct observe_frame *f = obs_take(eye, lane, OBSERVE_RECORD_FRAME, bytes, n);
            if (f == NULL) {
                obs_lose(lane);
                continue;
            }
            memset(f->data, (int)(n & 0xff), bytes - sizeof(*f));
            f->captured_bytes = (uint16_t)(bytes - sizeof(*f));
            f->frame_bytes = (uint32_t)n;
            n++;
            obs_put(eye, lane, f);
        }
    }
    return NULL;
}

static bool is_whole_frame(const struct observe_record *record)
{
    const struct observe_frame *f = (const struct observe_frame *)record;
    for (unsigned i = 0; i < f->captured_bytes; i++) {
        if (f->data[i] != (f->frame_bytes & 0xff))
            return false;
    }
    return record->type == OBSERVE_RECORD_FRAME && record->time_us == f->frame_bytes;
}

/* Takes `n` records, then stops it and takes what is left. Returns how many were not whole. */
static unsigned follow(unsigned slot, unsigned n)
{
    unsigned broken = 0;
    bool is_told = false;
    for (unsigned taken = 0; !is_told || !obs_hub_is_over(hub, slot);) {
        const struct observe_record *record = obs_hub_peek(hub, slot);
        if (record != NULL) {
            broken += !is_whole_frame(record);
            obs_hub_drop(hub, slot, record);
            taken++;
        }
        if (taken < n || is_told)
            continue;
        obs_hub_end(hub, slot);
        is_told = true;
    }
    return broken;
}

TEST(two_threads_share_lanes_without_a_torn_record)
{
    pthread_t thread;
    struct control_observed totals;
    up();
    is_ending = false;
    REQUIRE(pthread_create(&thread, NULL, worker_thread, &eyes[0]) == 0);
    struct control_observe request = request_of(OBSERVE_CAPTURE);
    request.workers = 1;
    for (unsigned i = 0; i < 50; i++) {
        unsigned slot = 0;
        while (!obs_hub_begin(hub, &request, &slot)) {
        }
        CHECK_EQ(follow(slot, 200), 0);
        obs_hub_totals(hub, slot, &totals);
        CHECK(totals.records >= 200);
        obs_hub_release(hub, slot);
    }
    __atomic_store_n(&is_ending, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    down();
}

static struct ip_addr v4(uint8_t last)
{
    uint8_t bytes[4] = {198, 18, 0, last};
    return ip_addr_from_v4(bytes);
}

TEST(a_match_names_a_flow_in_whichever_direction)
{
    struct control_observe r = request_of(OBSERVE_TRACE);
    struct ip_addr one = v4(1);
    struct ip_addr two = v4(2);
    CHECK(obs_request_has(&r, &one, 80, &two, 4000)); /* no match: all */
    r.n_matches = 1;
    r.matches[0].a = (struct observe_end){.address = one, .prefix_len = 128, .port = 80};
    CHECK(obs_request_has(&r, &one, 80, &two, 4000));
    CHECK(obs_request_has(&r, &two, 4000, &one, 80));
    CHECK(!obs_request_has(&r, &one, 81, &two, 4000));
    CHECK(!obs_request_has(&r, &one, 4000, &two, 80)); /* address of one end, port of the other */
    r.matches[0].b = (struct observe_end){.port = 4000};
    CHECK(obs_request_has(&r, &two, 4000, &one, 80));
    CHECK(!obs_request_has(&r, &two, 4001, &one, 80));
    r.n_matches = 2;
    r.matches[1].a = (struct observe_end){.address = v4(0), .prefix_len = 96 + 24, .port = 0};
    CHECK(obs_request_has(&r, &two, 4001, &one, 80));
}

TEST(requests_with_values_out_of_range_are_unsound)
{
    struct control_observe good = request_of(OBSERVE_CAPTURE);
    CHECK(obs_request_is_sound(&good, sizeof(good)));
    CHECK(!obs_request_is_sound(&good, sizeof(good) - 8));
#define BAD(field, value)                                                                          \
    do {                                                                                           \
        struct control_observe r = good;                                                           \
        r.field = (value);                                                                         \
        CHECK(!obs_request_is_sound(&r, sizeof(r)));                                               \
    } while (0)
    good.n_matches = 1;
    BAD(kind, 0);
    BAD(kind, 5);
    BAD(kind, OBSERVE_REQUESTS); /* of which it wants none */
    BAD(n_matches, OBSERVE_MATCHES_MAX + 1);
    BAD(snap_bytes, 0);
    BAD(snap_bytes, OBSERVE_SNAP_BYTES_MAX + 1);
    BAD(protocol, 256);
    BAD(records_max, 0);
    BAD(bytes_max, 0);
    BAD(ms_max, 0);
    BAD(reserved, 1);
    BAD(matches[0].a.prefix_len, 129);
    BAD(matches[0].b.reserved, 1);
}

TEST(every_number_of_a_list_has_a_name_and_the_next_has_none)
{
    CHECK_STR(flow_state_name(FLOW_ESTABLISHED), "ESTABLISHED");
    CHECK(flow_state_name(FLOW_STATES) == NULL);
    CHECK_STR(flow_owner_name(FLOW_OWNER_backend), "backend");
    CHECK(flow_owner_name(FLOW_OWNER_backend + 1) == NULL);
    CHECK_STR(flow_timer_name(FLOW_TIMER_rto), "rto");
    CHECK(flow_timer_name(FLOW_TIMER_wait + 1) == NULL);
    CHECK_STR(flow_flag_name(FLOW_FLAG_LOSS), "LOSS");
    CHECK(flow_flag_name(FLOW_FLAGS) == NULL);
    CHECK_STR(trace_point_name(TRACE_cwnd), "cwnd");
    CHECK_STR(trace_point_fields(TRACE_cwnd), "cwnd ssthresh");
    CHECK(trace_point_name(TRACE_POINTS) == NULL && trace_point_fields(TRACE_POINTS) == NULL);
}

UNIT_MAIN("obs", T(nobody_looks_until_somebody_asks_and_only_at_what_was_asked),
          T(an_observation_is_over_when_every_worker_has_answered_and_all_was_taken),
          T(stop_ends_it_on_every_worker_though_one_never_began),
          T(a_worker_that_is_not_asked_does_not_look_and_is_not_waited_for),
          T(one_more_than_there_are_slots_is_refused_until_one_is_free_on_every_worker),
          T(what_finds_no_room_is_lost_and_counted_and_nothing_is_torn),
          T(the_longest_record_fits_wherever_the_ring_stands),
          T(a_bound_on_records_or_bytes_ends_it_in_the_worker),
          T(a_slot_that_is_used_again_begins_from_nothing),
          T(two_threads_share_lanes_without_a_torn_record),
          T(a_match_names_a_flow_in_whichever_direction),
          T(requests_with_values_out_of_range_are_unsound),
          T(every_number_of_a_list_has_a_name_and_the_next_has_none))
