/* SPDX-License-Identifier: Apache-2.0 */
/* dataplane/core/generation: what is alive when, from every worker's point of view. */
#include "base/rng.h"
#include "compile/image_builder.h"
#include "core/generation.h"
#include "unit.h"

#include <stdlib.h>

enum { WORKERS = 3 };

static unsigned n_released;
static uint64_t released_last;

static void release(void *owner, const void *image, size_t length, void *companion)
{
    CHECK(owner == &n_released);
    n_released++;
    released_last = ((const struct image_header *)image)->generation;
    free((void *)(uintptr_t)image);
}

static struct generation_set *set_new(void)
{
    n_released = 0;
    return generation_set_new(WORKERS, release, &n_released);
}

static bool publish(struct generation_set *s, uint64_t number)
{
    void *image;
    size_t length;
    struct image_builder *b = image_builder_new();
    REQUIRE(image_builder_finish(b, number, &image, &length) == 0);
    image_builder_free(b);
    if (generation_publish(s, image, length, NULL))
        return true;
    free(image);
    return false;
}

static void report_all(struct generation_set *s)
{
    for (unsigned worker = 0; worker < WORKERS; worker++)
        generation_report(s, worker, generation_current(s));
}

TEST(nothing_is_served_before_the_first_publication)
{
    struct generation_set *s = set_new();
    CHECK(generation_current(s) == NULL);
    CHECK_EQ(generation_served(s), 0);
    report_all(s);
    CHECK_EQ(generation_served(s), 0);
    generation_set_free(s);
}

TEST(a_generation_is_served_when_the_last_worker_says_so)
{
    struct generation_set *s = set_new();
    CHECK(publish(s, 7));
    struct generation *g = generation_current(s);
    CHECK_EQ(generation_number(g), 7);
    CHECK_EQ(generation_view(g)->header->generation, 7);
    generation_report(s, 0, g);
    generation_report(s, 2, g);
    CHECK_EQ(generation_served(s), 0);
    generation_report(s, 1, g);
    CHECK_EQ(generation_served(s), 7);
    generation_set_free(s);
    CHECK_EQ(n_released, 1);
}

TEST(an_old_image_goes_when_all_have_moved_and_nobody_pins_it)
{
    struct generation_set *s = set_new();
    publish(s, 1);
    struct generation *first = generation_current(s);
    report_all(s);
    generation_pin(generation_pins_of(first, 1));
    generation_pin(generation_pins_of(first, 1));
    publish(s, 2);
    CHECK_EQ(generation_set_reap(s), 0);
    generation_report(s, 0, generation_current(s));
    generation_report(s, 1, generation_current(s));
    CHECK_EQ(generation_set_reap(s), 0); /* worker 2 serves it still */
    generation_report(s, 2, generation_current(s));
    CHECK_EQ(generation_set_reap(s), 0); /* worker 1 pins it */
    CHECK_EQ(generation_pin_count(s), 2);
    generation_unpin(generation_pins_of(first, 1));
    CHECK_EQ(generation_set_reap(s), 0);
    CHECK_EQ(generation_live_count(s), 2);
    CHECK_EQ(generation_pin_count(s), 1);
    generation_unpin(generation_pins_of(first, 1));
    CHECK_EQ(generation_set_reap(s), 1);
    CHECK_EQ(released_last, 1);
    CHECK_EQ(generation_set_reap(s), 0); /* the current one stays */
    generation_set_free(s);
}

TEST(a_generation_is_found_by_its_number_while_it_is_alive)
{
    struct generation_set *s = set_new();
    CHECK(generation_find(s, 0) == NULL);
    REQUIRE(publish(s, 5) && publish(s, 7));
    report_all(s);
    CHECK_EQ(generation_number(generation_find(s, 5)), 5);
    CHECK_EQ(generation_number(generation_find(s, 7)), 7);
    CHECK(generation_find(s, 6) == NULL && generation_find(s, 0) == NULL);
    CHECK_EQ(generation_set_reap(s), 1);
    CHECK(generation_find(s, 5) == NULL);
    generation_set_free(s);
}

TEST(a_publication_waits_when_all_places_are_pinned)
{
    struct generation_set *s = set_new();
    struct generation *held[GENERATIONS_MAX];
    for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
        REQUIRE(publish(s, i + 1));
        held[i] = generation_current(s);
        report_all(s);
        generation_pin(generation_pins_of(held[i], 0));
    }
    CHECK(!publish(s, 100));
    CHECK_EQ(generation_set_reap(s), 0);
    CHECK(!publish(s, 100));
    generation_unpin(generation_pins_of(held[3], 0));
    CHECK_EQ(generation_set_reap(s), 1);
    CHECK_EQ(released_last, 4);
    CHECK(publish(s, 100));
    CHECK_EQ(generation_number(generation_current(s)), 100);
    generation_set_free(s);
    CHECK_EQ(n_released, GENERATIONS_MAX + 1);
}

/* Workers that move, pin and unpin at random; the model knows who may still look at what. */
TEST(a_random_walk_never_frees_what_somebody_holds)
{
    enum { PINS = 40 };
    struct rng rng = {.state = 5};
    struct generation_set *s = set_new();
    struct generation *serving[WORKERS] = {NULL};
    struct generation *pinned[WORKERS][PINS] = {{NULL}};
    uint64_t number = 0;
    for (unsigned step = 0; step < 20000; step++) {
        unsigned worker = rng_below(&rng, WORKERS);
        struct generation **pin = &pinned[worker][rng_below(&rng, PINS)];
        switch (rng_below(&rng, 4)) {
        case 0:
            if (publish(s, number + 1))
                number++;
            break;
        case 1:
            serving[worker] = generation_current(s);
            generation_report(s, worker, serving[worker]);
            break;
        case 2:
            if (*pin != NULL)
                generation_unpin(generation_pins_of(*pin, worker));
            *pin = NULL;
            break;
        default:
            if (*pin == NULL && serving[worker] != NULL) {
                *pin = serving[worker];
                generation_pin(generation_pins_of(*pin, worker));
            }
        }
        generation_set_reap(s);
        for (unsigned w = 0; w < WORKERS; w++) {
            REQUIRE(serving[w] == NULL || generation_view(serving[w])->header->generation > 0);
            for (unsigned i = 0; i < PINS; i++)
                REQUIRE(pinned[w][i] == NULL || generation_number(pinned[w][i]) > 0);
        }
    }
    CHECK(number > 100);
    generation_set_free(s);
    CHECK_EQ(n_released, number);
}

UNIT_MAIN("generation", T(nothing_is_served_before_the_first_publication),
          T(a_generation_is_served_when_the_last_worker_says_so),
          T(an_old_image_goes_when_all_have_moved_and_nobody_pins_it),
          T(a_generation_is_found_by_its_number_while_it_is_alive),
          T(a_publication_waits_when_all_places_are_pinned),
          T(a_random_walk_never_frees_what_somebody_holds))
