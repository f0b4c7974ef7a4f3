/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's thread with real hashes: it answers, goes round its lanes, and ends. */
#include "unit.h"
#include "verify/verify_thread.h"

#include <sched.h>

#define HASH "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" /* of "secret" */

static bool answer_of(struct verify_lane *lane)
{
    uint64_t number;
    struct verify_answer answer;
    while (!verify_lane_take(lane, &number, &answer))
        sched_yield();
    return answer.is_good;
}

TEST(a_thread_answers_all_lanes)
{
    enum { LANES = 3, JOBS = 20 };
    struct verify_lane *lanes[LANES];
    for (unsigned i = 0; i < LANES; i++)
        lanes[i] = verify_lane_new();
    struct verify_thread *t = verify_thread_start(lanes, LANES);
    REQUIRE(t != NULL);
    for (unsigned k = 0; k < JOBS; k++) {
        for (unsigned i = 0; i < LANES; i++)
            REQUIRE(verify_lane_ask(lanes[i], (k + i) % 2 == 0 ? "secret" : "guess", HASH));
    }
    for (unsigned k = 0; k < JOBS; k++) {
        for (unsigned i = 0; i < LANES; i++)
            CHECK_EQ(answer_of(lanes[i]), (k + i) % 2 == 0);
    }
    verify_thread_stop(t);
    for (unsigned i = 0; i < LANES; i++)
        verify_lane_free(lanes[i]);
}

TEST(a_thread_ends_though_somebody_asks)
{
    struct verify_lane *lane = verify_lane_new();
    struct verify_thread *t = verify_thread_start(&lane, 1);
    REQUIRE(t != NULL);
    while (verify_lane_ask(lane, "secret", HASH))
        ;
    verify_thread_stop(t);
    verify_lane_free(lane);
}

UNIT_MAIN("verify/thread", T(a_thread_answers_all_lanes), T(a_thread_ends_though_somebody_asks))
