/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of passwords, and what goes when a set is full. */
#include "proxy/verdict_table.h"
#include "unit.h"

#include <string.h>

enum { VERDICTS = 16, NOW = 1000 };

static struct verdict memory[VERDICTS];
static struct verdict_table t;

static void begin(void)
{
    memset(memory, 0, sizeof(memory));
    REQUIRE(sizeof(memory) == verdict_table_bytes(VERDICTS));
    verdict_table_init(&t, memory, VERDICTS);
}

/* The i-th key of a set. */
static struct verdict_key key_of(unsigned set, unsigned i)
{
    return (struct verdict_key){{set * VERDICT_WAYS, i + 1}};
}

/* -1: nothing is known. */
static int known(unsigned set, unsigned i, uint64_t now_us)
{
    struct verdict_key key = key_of(set, i);
    struct verify_answer answer;
    return verdict_table_find(&t, &key, now_us, &answer) ? answer.is_good : -1;
}

static void put(unsigned set, unsigned i, uint64_t until_us, bool is_good)
{
    struct verdict_key key = key_of(set, i);
    verdict_table_put(&t, &key, until_us, (struct verify_answer){.is_good = is_good});
}

TEST(a_verdict_is_known_until_its_time)
{
    begin();
    CHECK_EQ(known(0, 0, NOW), -1);
    put(0, 0, NOW + 10, true);
    put(0, 1, NOW + 10, false);
    CHECK_EQ(known(0, 0, NOW + 9), 1);
    CHECK_EQ(known(0, 1, NOW + 9), 0);
    CHECK_EQ(known(0, 0, NOW + 10), -1);
    put(0, 0, NOW + 20, false); /* what is found last counts */
    CHECK_EQ(known(0, 0, NOW + 10), 0);
}

TEST(a_full_set_forgets_the_one_that_ends_first)
{
    begin();
    for (unsigned i = 0; i < VERDICT_WAYS; i++)
        put(2, i, NOW + 10 + i, true);
    put(2, 7, NOW + 50, true);
    CHECK_EQ(known(2, 0, NOW), -1);
    for (unsigned i = 1; i < VERDICT_WAYS; i++)
        CHECK_EQ(known(2, i, NOW), 1);
    CHECK_EQ(known(2, 7, NOW), 1);
    CHECK_EQ(known(1, 7, NOW), -1);
}

TEST(keys_that_differ_in_any_half_are_told_apart)
{
    begin();
    struct verdict_key one = {{5, 6}}, other = {{5, 7}}, third = {{5 + VERDICTS, 6}};
    struct verify_answer answer;
    verdict_table_put(&t, &one, NOW, (struct verify_answer){true, 3, UINT32_MAX});
    REQUIRE(verdict_table_find(&t, &one, 0, &answer));
    CHECK(answer.is_good && answer.from_s == 3 && answer.to_s == UINT32_MAX);
    CHECK(!verdict_table_find(&t, &other, 0, &answer));
    CHECK(!verdict_table_find(&t, &third, 0, &answer));
}

UNIT_MAIN("proxy/verdict_table", T(a_verdict_is_known_until_its_time),
          T(a_full_set_forgets_the_one_that_ends_first),
          T(keys_that_differ_in_any_half_are_told_apart))
