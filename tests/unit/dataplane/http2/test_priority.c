/* SPDX-License-Identifier: Apache-2.0 */
/* Whose data goes first: what a Priority field says, and what comes of it between two sessions. */
#include "base/container.h"
#include "h2_pair.h"
#include "http2/h2_priv.h"
#include "unit.h"

static struct pair p;
static const struct slice none = {NULL, 0};

TEST(a_priority_field_says_what_rfc_9218_has_it_say)
{
    static const struct {
        const char *text;
        struct h2_priority is;
    } cases[] = {
        {"", {3, false}},
        {"u=0", {0, false}},
        {"u=7, i", {7, true}},
        {"i, u=5", {5, true}},
        {"i=?1", {3, true}},
        {"i;a=1, i=?0", {3, false}},
        {"u=1;x=y", {1, false}},
        {"u=8", {3, false}},
        {"u=-1", {3, false}},
        {"u=10", {3, false}},
        {"u=1.5", {3, false}},
        {"u = 1", {3, false}},
        {"U=1", {3, false}},
        {"u=1,u=2", {2, false}},
        {"x=\"u=1, i\"", {3, false}},
        {"x=\"\\\", u=1\", i", {3, true}},
        {"  u=2  ,\ti ", {2, true}},
        {",,,", {3, false}},
        {"u", {3, false}},
        {"i=1", {3, false}},
        {"x=\"u=1", {3, false}},
        {" ", {3, false}},
    };
    for (unsigned i = 0; i < array_len(cases); i++) {
        struct h2_priority got = H2_PRIORITY_SAID;
        h2_priority_parse(slice_of_str(cases[i].text), &got);
        CHECK_EQ(got.urgency, cases[i].is.urgency);
        CHECK_EQ(got.is_incremental, cases[i].is.is_incremental);
    }
}

TEST(who_is_urgent_is_answered_first)
{
    pair_init(&p, 20000, NULL);
    struct pair_call *last = pair_ask_as(&p, "/give", none, "u=6");
    struct pair_call *middle = pair_ask_as(&p, "/give", none, "u=4, i");
    struct pair_call *first = pair_ask_as(&p, "/give", none, "u=0");
    pair_run(&p);
    CHECK_EQ(first->place, 1);
    CHECK_EQ(middle->place, 2);
    CHECK_EQ(last->place, 3);
    pair_done(&p);
}

/* How much the other has when the first of both is done. */
static size_t other_at_first_end(const char *one, const char *other)
{
    pair_init(&p, 20000, NULL);
    struct pair_call *a = pair_ask_as(&p, "/give", none, one);
    struct pair_call *b = pair_ask_as(&p, "/give", none, other);
    while (!a->is_done && !b->is_done)
        pair_step(&p);
    size_t got = a->is_done ? b->got : a->got;
    CHECK_EQ((a->is_done ? a : b)->got, PAIR_GIVEN_BYTES);
    pair_run(&p);
    CHECK(a->is_done && b->is_done);
    CHECK(a->got == PAIR_GIVEN_BYTES && b->got == PAIR_GIVEN_BYTES);
    pair_done(&p);
    return got;
}

TEST(those_of_use_only_whole_come_one_after_the_other_and_others_share)
{
    CHECK(other_at_first_end("u=3", "u=3") < PAIR_GIVEN_BYTES / 3);
    CHECK(other_at_first_end("u=3, i", "u=3, i") > PAIR_GIVEN_BYTES * 2 / 3);
    CHECK(other_at_first_end(NULL, NULL) > PAIR_GIVEN_BYTES * 2 / 3); /* says nothing: shares */
    CHECK(other_at_first_end("i", "") < PAIR_GIVEN_BYTES / 3);
}

TEST(nobody_starves_behind_urgent_ones_without_end)
{
    pair_init(&p, 20000, NULL);
    struct pair_call *patient = pair_ask_as(&p, "/give", none, "u=7");
    struct pair_call *urgent[2] = {NULL, NULL};
    unsigned asked = 0;
    while (!patient->is_done && asked < 100) {
        for (unsigned i = 0; i < 2; i++) {
            if (urgent[i] == NULL || urgent[i]->is_done) {
                urgent[i] = pair_ask_as(&p, "/give", none, "u=0");
                asked++;
            }
        }
        pair_step(&p);
    }
    CHECK(patient->is_done);
    CHECK(asked > 4); /* though not before its time */
    pair_run(&p);
    pair_done(&p);
}

TEST(who_reads_slowly_holds_up_nobody_however_urgent_he_is)
{
    pair_init(&p, 20000, NULL);
    struct pair_call *held = pair_ask_as(&p, "/echo", none, "u=0");
    pair_run(&p);
    CHECK(held->is_done);
    held = pair_ask_as(&p, "/give", none, "u=0");
    held->is_held = true;
    struct pair_call *other = pair_ask_as(&p, "/give", none, "u=7");
    pair_run(&p);
    CHECK(other->is_done && !held->is_over);
    pair_read(held);
    pair_run(&p);
    CHECK(held->is_done);
    pair_done(&p);
}

UNIT_MAIN("http2/priority", T(a_priority_field_says_what_rfc_9218_has_it_say),
          T(who_is_urgent_is_answered_first),
          T(those_of_use_only_whole_come_one_after_the_other_and_others_share),
          T(nobody_starves_behind_urgent_ones_without_end),
          T(who_reads_slowly_holds_up_nobody_however_urgent_he_is))
