/* SPDX-License-Identifier: Apache-2.0 */
/* The lane between a worker and the verifier, both played by one thread. */
#include "unit.h"
#include "verify/verify_lane.h"

#include <stdio.h>
#include <string.h>

static void say(struct verify_lane *lane, bool is_good)
{
    verify_lane_answer(lane, (struct verify_answer){.is_good = is_good, .to_s = VERIFY_FOR_EVER});
}

TEST(jobs_are_answered_in_the_order_in_which_they_were_asked)
{
    struct verify_lane *lane = verify_lane_new();
    char password[16];
    uint64_t number, asked = 0, taken = 0;
    struct verify_answer answer;
    for (unsigned round = 0; round < 1000; round++) {
        for (unsigned i = 0; i < 1 + round % 5; i++) {
            CHECK_EQ(verify_lane_next(lane), asked);
            snprintf(password, sizeof(password), "%u", (unsigned)asked++);
            REQUIRE(verify_lane_ask(lane, password, "hash"));
        }
        for (const struct verify_job *job; (job = verify_lane_oldest(lane)) != NULL;)
            say(lane, (job->password[0] - '0') % 2 == 1);
        while (verify_lane_take(lane, &number, &answer)) {
            snprintf(password, sizeof(password), "%u", (unsigned)taken);
            CHECK_EQ(number, taken++);
            CHECK_EQ(answer.is_good, (password[0] - '0') % 2 == 1);
        }
    }
    CHECK_EQ(taken, asked);
    verify_lane_free(lane);
}

TEST(a_full_lane_takes_no_more_until_an_answer_is_taken)
{
    struct verify_lane *lane = verify_lane_new();
    uint64_t number;
    struct verify_answer answer;
    CHECK(!verify_lane_take(lane, &number, &answer));
    CHECK(verify_lane_oldest(lane) == NULL);
    for (unsigned i = 0; i < VERIFY_JOBS_MAX; i++)
        REQUIRE(verify_lane_ask(lane, "p", "h"));
    CHECK(!verify_lane_ask(lane, "p", "h"));
    say(lane, true);
    CHECK(!verify_lane_ask(lane, "p", "h")); /* its place has the answer */
    CHECK(verify_lane_take(lane, &number, &answer));
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
    say(lane, true);
    CHECK_STR(job->password, "");
    verify_lane_free(lane);
}

TEST(a_token_goes_the_same_way_and_is_gone_then_with_its_times_told)
{
    struct verify_lane *lane = verify_lane_new();
    struct verify_answer answer;
    uint64_t number;
    struct verify_jwt *room = verify_lane_room(lane);
    REQUIRE(room != NULL);
    memset(room, 0, sizeof(*room));
    memcpy(room->token, "a.b.c", 5);
    room->token_len = 5;
    verify_lane_ask_token(lane);
    const struct verify_job *job = verify_lane_oldest(lane);
    REQUIRE(job != NULL && job->is_token);
    CHECK_EQ(memcmp(job->jwt.token, "a.b.c", 5), 0);
    verify_lane_answer(lane, (struct verify_answer){true, 5, 7});
    CHECK_EQ(job->jwt.token[0], 0);
    REQUIRE(verify_lane_take(lane, &number, &answer));
    CHECK(number == 0 && answer.is_good && answer.from_s == 5 && answer.to_s == 7);
    while (verify_lane_ask(lane, "p", "h"))
        ;
    CHECK(verify_lane_room(lane) == NULL);
    verify_lane_free(lane);
}

UNIT_MAIN("verify/lane", T(jobs_are_answered_in_the_order_in_which_they_were_asked),
          T(a_full_lane_takes_no_more_until_an_answer_is_taken),
          T(a_password_that_was_looked_at_is_gone),
          T(a_token_goes_the_same_way_and_is_gone_then_with_its_times_told))
