/* SPDX-License-Identifier: Apache-2.0 */
/* The lane between a worker and the verifier, both played by one thread. */
#include "unit.h"
#include "verify/verify_lane.h"

#include <stdio.h>

TEST(jobs_are_answered_in_the_order_in_which_they_were_asked)
{
    struct verify_lane *lane = verify_lane_new();
    char password[16];
    uint64_t number, asked = 0, taken = 0;
    bool is_good;
    for (unsigned round = 0; round < 1000; round++) {
        for (unsigned i = 0; i < 1 + round % 5; i++) {
            CHECK_EQ(verify_lane_next(lane), asked);
            snprintf(password, sizeof(password), "%u", (unsigned)asked++);
            REQUIRE(verify_lane_ask(lane, password, "hash"));
        }
        for (const struct verify_job *job; (job = verify_lane_oldest(lane)) != NULL;)
            verify_lane_answer(lane, (job->password[0] - '0') % 2 == 1);
        while (verify_lane_take(lane, &number, &is_good)) {
            snprintf(password, sizeof(password), "%u", (unsigned)taken);
            CHECK_EQ(number, taken++);
            CHECK_EQ(is_good, (password[0] - '0') % 2 == 1);
        }
    }
    CHECK_EQ(taken, asked);
    verify_lane_free(lane);
}

TEST(a_full_lane_takes_no_more_until_an_answer_is_taken)
{
    struct verify_lane *lane = verify_lane_new();
    uint64_t number;
    bool is_good;
    CHECK(!verify_lane_take(lane, &number, &is_good));
    CHECK(verify_lane_oldest(lane) == NULL);
    for (unsigned i = 0; i < VERIFY_JOBS_MAX; i++)
        REQUIRE(verify_lane_ask(lane, "p", "h"));
    CHECK(!verify_lane_ask(lane, "p", "h"));
    verify_lane_answer(lane, true);
    CHECK(!verify_lane_ask(lane, "p", "h")); /* its place has the answer */
    CHECK(verify_lane_take(lane, &number, &is_good));
    CHECK(verify_lane_ask(lane, "p", "h"));
    CHECK(!verify_lane_ask(lane, "p", "h"));
    verify_lane_free(lane);
}

TEST(a_password_that_was_looked_at_is_gone)
{
    struct verify_lane *lane = verify_lane_new();
    REQUIRE(verify_lane_ask(lane, "secret", "hash"));
    const struct verify_job *job = verify_lane_oldest(lane);
    CHECK_STR(job->password, "secret");
    verify_lane_answer(lane, true);
    CHECK_STR(job->password, "");
    verify_lane_free(lane);
}

UNIT_MAIN("verify/lane", T(jobs_are_answered_in_the_order_in_which_they_were_asked),
          T(a_full_lane_takes_no_more_until_an_answer_is_taken),
          T(a_password_that_was_looked_at_is_gone))
