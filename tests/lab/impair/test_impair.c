/* SPDX-License-Identifier: Apache-2.0 */
/* The impairment link's dice and queue. That frames really pass is tests/e2e/test_lab.py's
 * business. */
#include "decide.h"
#include "queue.h"
#include "unit.h"

#include <string.h>

#define FRAMES 200000u

TEST(the_same_seed_gives_the_same_verdicts)
{
    struct impair_config c = {.seed = 7,
                              .loss_ppm = {50000, 50000},
                              .duplicate_ppm = 50000,
                              .corrupt_ppm = 50000,
                              .reorder_ppm = 50000,
                              .jitter_us = 900};
    for (uint64_t n = 0; n < 1000; n++) {
        struct impair_verdict a = impair_decide(&c, 0, n);
        struct impair_verdict b = impair_decide(&c, 0, n);
        CHECK(a.is_lost == b.is_lost && a.is_duplicated == b.is_duplicated);
        CHECK(a.delay_us == b.delay_us && a.corrupt_draw == b.corrupt_draw);
    }
}

TEST(another_seed_or_direction_gives_others)
{
    struct impair_config a = {.seed = 1, .loss_ppm = {500000, 500000}};
    struct impair_config b = {.seed = 2, .loss_ppm = {500000, 500000}};
    unsigned by_seed = 0;
    unsigned by_direction = 0;
    for (uint64_t n = 0; n < 1000; n++) {
        by_seed += impair_decide(&a, 0, n).is_lost != impair_decide(&b, 0, n).is_lost;
        by_direction += impair_decide(&a, 0, n).is_lost != impair_decide(&a, 1, n).is_lost;
    }
    CHECK(by_seed > 400 && by_seed < 600);
    CHECK(by_direction > 400 && by_direction < 600);
}

TEST(a_direction_has_a_loss_of_its_own)
{
    struct impair_config c = {.seed = 4, .loss_ppm = {0, IMPAIR_MILLION}};
    for (uint64_t n = 0; n < 1000; n++) {
        CHECK(!impair_decide(&c, 0, n).is_lost);
        CHECK(impair_decide(&c, 1, n).is_lost);
    }
}

TEST(chances_come_out_as_asked)
{
    struct impair_config c = {.seed = 3,
                              .loss_ppm = {10000, 10000},
                              .duplicate_ppm = 20000,
                              .corrupt_ppm = 30000,
                              .reorder_ppm = 40000};
    unsigned lost = 0;
    unsigned duplicated = 0;
    unsigned corrupted = 0;
    unsigned reordered = 0;
    for (uint64_t n = 0; n < FRAMES; n++) {
        struct impair_verdict v = impair_decide(&c, 1, n);
        lost += v.is_lost;
        duplicated += v.is_duplicated;
        corrupted += v.is_corrupted;
        reordered += v.is_reordered;
    }
    CHECK(lost > FRAMES / 110 && lost < FRAMES / 90);
    CHECK(duplicated > FRAMES / 55 && duplicated < FRAMES / 45);
    CHECK(corrupted > FRAMES * 3 / 110 && corrupted < FRAMES * 3 / 90);
    CHECK(reordered > FRAMES * 4 / 110 && reordered < FRAMES * 4 / 90);
}

TEST(turning_one_mishap_on_does_not_move_the_others)
{
    struct impair_config alone = {.seed = 5, .loss_ppm = {100000, 100000}};
    struct impair_config both = {.seed = 5, .loss_ppm = {100000, 100000}, .reorder_ppm = 300000};
    for (uint64_t n = 0; n < 1000; n++)
        CHECK(impair_decide(&alone, 0, n).is_lost == impair_decide(&both, 0, n).is_lost);
}

TEST(nothing_happens_before_the_first_frame_asked_for)
{
    struct impair_config c = {
        .seed = 1, .loss_ppm = {IMPAIR_MILLION, IMPAIR_MILLION}, .from_frame = 10};
    CHECK(!impair_decide(&c, 0, 9).is_lost);
    CHECK(impair_decide(&c, 0, 10).is_lost);
}

TEST(corruption_flips_one_bit_behind_the_ethernet_header)
{
    for (uint64_t draw = 0; draw < 5000; draw++) {
        uint8_t frame[64] = {0};
        struct impair_verdict v = {.is_corrupted = true, .corrupt_draw = draw * 7919};
        impair_corrupt(&v, frame, sizeof(frame));
        unsigned bits = 0;
        for (unsigned i = 0; i < sizeof(frame); i++) {
            bits += (unsigned)__builtin_popcount(frame[i]);
            CHECK(i >= 14 || frame[i] == 0);
        }
        CHECK_EQ(bits, 1);
    }
    uint8_t bare[14] = {0};
    struct impair_verdict v = {.is_corrupted = true, .corrupt_draw = 3};
    impair_corrupt(&v, bare, sizeof(bare));
    CHECK(memcmp(bare, (uint8_t[14]){0}, sizeof(bare)) == 0);
}

TEST(corruption_leaves_arp_alone)
{
    uint8_t frame[60] = {[12] = 0x08, [13] = 0x06};
    struct impair_verdict v = {.is_corrupted = true, .corrupt_draw = 77};
    impair_corrupt(&v, frame, sizeof(frame));
    for (unsigned i = 14; i < sizeof(frame); i++)
        CHECK_EQ(frame[i], 0);
}

TEST(frames_leave_by_due_time_then_by_arrival)
{
    struct impair_queue q;
    REQUIRE(impair_queue_init(&q));
    static const uint64_t due[] = {30, 10, 20, 10, 30, 5, 10};
    static const uint32_t order[] = {5, 1, 3, 6, 2, 0, 4};
    for (uint32_t i = 0; i < 7; i++) {
        impair_queue_spare(&q)->length = i;
        impair_queue_push(&q, due[i]);
    }
    const struct impair_frame *taken[8];
    CHECK_EQ(impair_queue_take_due(&q, 4, taken, 8), 0);
    REQUIRE(impair_queue_take_due(&q, 30, taken, 8) == 7);
    for (uint32_t i = 0; i < 7; i++)
        CHECK_EQ(taken[i]->length, order[i]);
    CHECK(impair_queue_peek(&q) == NULL);
    impair_queue_done(&q);
}

TEST(a_full_queue_takes_no_more_until_a_frame_leaves)
{
    struct impair_queue q;
    REQUIRE(impair_queue_init(&q));
    for (uint32_t i = 0; i < IMPAIR_QUEUE_FRAMES; i++) {
        REQUIRE(impair_queue_spare(&q) != NULL);
        impair_queue_push(&q, (i * 7919u) % 1000u);
    }
    CHECK(impair_queue_spare(&q) == NULL);
    uint64_t last = 0;
    for (uint32_t i = 0; i < IMPAIR_QUEUE_FRAMES; i++) {
        CHECK(impair_queue_peek(&q)->due_us >= last);
        last = impair_queue_peek(&q)->due_us;
        impair_queue_pop(&q);
        CHECK(impair_queue_spare(&q) != NULL);
    }
    impair_queue_done(&q);
}

UNIT_MAIN("lab/impair", T(the_same_seed_gives_the_same_verdicts),
          T(another_seed_or_direction_gives_others), T(a_direction_has_a_loss_of_its_own),
          T(chances_come_out_as_asked), T(turning_one_mishap_on_does_not_move_the_others),
          T(nothing_happens_before_the_first_frame_asked_for),
          T(corruption_flips_one_bit_behind_the_ethernet_header), T(corruption_leaves_arp_alone),
          T(frames_leave_by_due_time_then_by_arrival),
          T(a_full_queue_takes_no_more_until_a_frame_leaves))
