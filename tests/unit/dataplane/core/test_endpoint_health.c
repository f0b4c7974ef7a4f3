/* SPDX-License-Identifier: Apache-2.0 */
/* dataplane/core/endpoint_health: what checks and requests make of endpoints, and what stays. */
#include "base/container.h"
#include "core/endpoint_health.h"
#include "core/rcu.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define READY ((uint32_t)ENDPOINT_READY | ENDPOINT_SERVING)
#define GOING ((uint32_t)ENDPOINT_SERVING | ENDPOINT_TERMINATING)
#define SECOND_US 1000000u

static struct rcu *rcu;
static struct endpoint_table *table;
static uint64_t now_us;

static const struct image_health seen = {.failures = 3,
                                         .base_ejection_ms = 1000,
                                         .max_ejection_ms = 4000,
                                         .max_ejected_percent = 50,
                                         .slow_start_ms = 10000,
                                         .panic_percent = 50};
static const struct image_health asked = {.check = IMAGE_HEALTH_CHECK_TCP,
                                          .interval_ms = 1000,
                                          .timeout_ms = 1000,
                                          .healthy_checks = 2,
                                          .unhealthy_checks = 3,
                                          .slow_start_ms = 10000};

static void begin(void)
{
    rcu = rcu_new(1);
    table = endpoint_table_new(rcu);
    now_us = 1000 * (uint64_t)SECOND_US;
}

static void end(void)
{
    endpoint_table_free(table);
    rcu_free(rcu);
}

struct row {
    uint16_t port;
    uint32_t flags;
};

static const struct endpoint_group *put(const struct row *rows, uint32_t n)
{
    static uint64_t version;
    static struct {
        struct endpoint_record head;
        struct endpoint list[8];
    } r;
    enum endpoints_fault fault;
    memset(&r, 0, sizeof(r));
    REQUIRE(n <= array_len(r.list));
    r.head = (struct endpoint_record){.group = 1, .count = n, .version = ++version};
    for (uint32_t i = 0; i < n; i++)
        r.list[i] = (struct endpoint){.addr = ip_addr_from_v4("\x0a\0\0\1"),
                                      .port = rows[i].port,
                                      .weight = 1,
                                      .flags = rows[i].flags};
    REQUIRE(endpoint_table_put(table, &r.head, now_us, &fault));
    endpoint_table_reap(table);
    return endpoint_group_get(table, 1);
}

static bool is_usable(const struct endpoint_group *g, uint32_t i, const struct image_health *p)
{
    return endpoint_health_is_usable(&g->health[i], p, now_us);
}

static enum endpoint_noted fail(const struct endpoint_group *g, uint32_t i, unsigned times)
{
    enum endpoint_noted noted = ENDPOINT_NOTED;
    while (times-- > 0)
        noted = endpoint_health_note(g, i, false, &seen, now_us);
    return noted;
}

static const struct row three[] = {{80, READY}, {81, READY}, {82, READY}};

TEST(checks_in_a_row_make_unhealthy_and_healthy_again)
{
    begin();
    const struct endpoint_group *g = put(three, 3);
    CHECK(is_usable(g, 0, &asked)); /* nobody asked yet */
    CHECK(!endpoint_health_report(g, 0, false, &asked, now_us));
    CHECK(!endpoint_health_report(g, 0, false, &asked, now_us));
    CHECK(!endpoint_health_report(g, 0, true, &asked, now_us));
    CHECK(!endpoint_health_report(g, 0, false, &asked, now_us));
    CHECK(!endpoint_health_report(g, 0, false, &asked, now_us));
    CHECK(is_usable(g, 0, &asked));
    CHECK(endpoint_health_report(g, 0, false, &asked, now_us));
    CHECK_EQ(g->health[0].checked, ENDPOINT_CHECK_UNHEALTHY);
    CHECK(!is_usable(g, 0, &asked));
    CHECK(is_usable(g, 1, &asked));
    CHECK(is_usable(g, 0, &seen)); /* who does not ask does not care */
    CHECK(!endpoint_health_report(g, 0, true, &asked, now_us));
    CHECK(endpoint_health_report(g, 0, true, &asked, now_us));
    CHECK(is_usable(g, 0, &asked));
    CHECK_EQ(g->health[0].since_us, now_us); /* so it begins slowly */
    CHECK_EQ(g->health[1].since_us, 0);
    for (unsigned i = 0; i < 5000; i++)
        CHECK(!endpoint_health_report(g, 0, true, &asked, now_us)); /* the streak has an end */
    for (unsigned i = 0; i < 3; i++)
        endpoint_health_report(g, 0, false, &asked, now_us);
    CHECK(!is_usable(g, 0, &asked));
    end();
}

TEST(the_first_good_checks_are_no_beginning)
{
    begin();
    const struct endpoint_group *g = put(three, 3);
    endpoint_health_report(g, 0, true, &asked, now_us);
    CHECK(endpoint_health_report(g, 0, true, &asked, now_us));
    CHECK_EQ(g->health[0].since_us, 0);
    end();
}

TEST(failures_in_a_row_eject_for_longer_each_time_up_to_a_limit)
{
    static const uint64_t lasts_ms[] = {1000, 2000, 3000, 4000, 4000};
    begin();
    const struct endpoint_group *g = put(three, 3);
    CHECK_EQ(fail(g, 0, 2), ENDPOINT_NOTED);
    CHECK_EQ(endpoint_health_note(g, 0, true, &seen, now_us), ENDPOINT_NOTED);
    CHECK_EQ(fail(g, 0, 2), ENDPOINT_NOTED);
    CHECK(is_usable(g, 0, &seen));
    endpoint_health_note(g, 0, true, &seen, now_us);
    for (unsigned i = 0; i < array_len(lasts_ms); i++) {
        CHECK_EQ(fail(g, 0, 3), ENDPOINT_NOTED_EJECTED);
        CHECK(!is_usable(g, 0, &seen));
        CHECK(is_usable(g, 0, &asked));           /* whose policy ejects nobody */
        CHECK_EQ(fail(g, 0, 10), ENDPOINT_NOTED); /* what was under way */
        CHECK_EQ(g->health[0].ejected_until_us, now_us + lasts_ms[i] * 1000);
        now_us += lasts_ms[i] * 1000;
        CHECK(is_usable(g, 0, &seen));
        endpoint_health_note(g, 0, true, &seen, now_us);
    }
    now_us += 4001 * 1000; /* it kept well */
    CHECK_EQ(fail(g, 0, 3), ENDPOINT_NOTED_EJECTED);
    CHECK_EQ(g->health[0].ejected_until_us, now_us + SECOND_US);
    end();
}

TEST(no_more_are_ejected_than_the_policy_says_but_one_of_several_always)
{
    static const struct row four[] = {{80, READY}, {81, READY}, {82, READY}, {83, READY}, {84, 0}};
    begin();
    const struct endpoint_group *g = put(three, 1);
    CHECK_EQ(fail(g, 0, 3), ENDPOINT_NOTED_TOO_MANY); /* it is the only one */
    CHECK(is_usable(g, 0, &seen));
    g = put(three, 3);
    CHECK_EQ(fail(g, 1, 3), ENDPOINT_NOTED_EJECTED);
    CHECK_EQ(fail(g, 2, 3), ENDPOINT_NOTED_TOO_MANY); /* two of three are more than half */
    CHECK(is_usable(g, 2, &seen));
    g = put(four, 5);
    CHECK_EQ(fail(g, 2, 1), ENDPOINT_NOTED_EJECTED); /* two of four */
    CHECK_EQ(fail(g, 3, 3), ENDPOINT_NOTED_TOO_MANY);
    now_us += SECOND_US;
    CHECK_EQ(fail(g, 3, 1), ENDPOINT_NOTED_EJECTED); /* the others are back */
    struct image_health few = seen;
    few.max_ejected_percent = 1;
    now_us += 4 * SECOND_US;
    for (unsigned i = 0; i < 3; i++)
        endpoint_health_note(g, 0, false, &few, now_us);
    CHECK(!is_usable(g, 0, &few));
    end();
}

TEST(what_is_known_stays_with_the_endpoint_when_the_list_is_replaced)
{
    static const struct row turned[] = {{83, READY}, {82, READY}, {80, READY}};
    begin();
    const struct endpoint_group *g = put(three, 3);
    CHECK_EQ(fail(g, 0, 3), ENDPOINT_NOTED_EJECTED);
    fail(g, 2, 2);
    for (unsigned i = 0; i < 3; i++)
        endpoint_health_report(g, 2, false, &asked, now_us);
    uint64_t until_us = g->health[0].ejected_until_us;
    g = put(turned, 3);
    CHECK_EQ(g->health[2].ejected_until_us, until_us);
    CHECK_EQ(g->health[2].ejections, 1);
    CHECK_EQ(g->health[1].failures, 2);
    CHECK_EQ(g->health[1].streak, -3);
    CHECK_EQ(g->health[1].checked, ENDPOINT_CHECK_UNHEALTHY);
    CHECK_EQ(g->health[0].checked, ENDPOINT_CHECK_UNKNOWN); /* port 83 is new */
    CHECK_EQ(endpoint_group_find(g, &g->endpoints[1].addr, 82), 1);
    CHECK_EQ(endpoint_group_find(g, &g->endpoints[1].addr, 81), UINT32_MAX);
    end();
}

TEST(who_becomes_ready_beside_others_begins_slowly)
{
    static const struct row with_new[] = {{80, READY}, {81, READY}, {82, 0}, {83, READY}},
                            with_ready[] = {{80, READY}, {81, GOING}, {82, READY}, {83, READY}},
                            all_new[] = {{90, READY}, {80, GOING}};
    begin();
    const struct endpoint_group *g = put(three, 3);
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(endpoint_health_share(&g->health[i], &seen, now_us), ENDPOINT_SHARE_FULL);
    now_us += SECOND_US;
    g = put(with_new, 4);
    CHECK_EQ(g->health[0].since_us, 0);
    CHECK_EQ(g->health[3].since_us, now_us);
    CHECK_EQ(endpoint_health_share(&g->health[3], &seen, now_us), ENDPOINT_SHARE_LEAST);
    now_us += 5 * SECOND_US;
    g = put(with_ready, 4); /* port 83's time goes on, port 82's begins */
    CHECK_EQ(g->health[3].since_us, now_us - 5 * SECOND_US);
    CHECK_EQ(g->health[2].since_us, now_us);
    uint32_t half = endpoint_health_share(&g->health[3], &seen, now_us);
    CHECK(half > 32 && half < 40);
    now_us += 5 * SECOND_US;
    CHECK_EQ(endpoint_health_share(&g->health[3], &seen, now_us), ENDPOINT_SHARE_FULL);
    g = put(all_new, 2); /* there is nobody who could do the work meanwhile */
    CHECK_EQ(g->health[0].since_us, 0);
    end();
}

TEST(who_was_ejected_begins_slowly_when_it_is_back)
{
    begin();
    const struct endpoint_group *g = put(three, 3);
    fail(g, 0, 3);
    now_us += SECOND_US;
    CHECK_EQ(endpoint_health_share(&g->health[0], &seen, now_us), ENDPOINT_SHARE_LEAST);
    struct image_health other = asked;
    CHECK_EQ(endpoint_health_share(&g->health[0], &other, now_us), ENDPOINT_SHARE_FULL);
    now_us += 10 * SECOND_US;
    CHECK_EQ(endpoint_health_share(&g->health[0], &seen, now_us), ENDPOINT_SHARE_FULL);
    other.slow_start_ms = 0; /* a policy without it */
    CHECK_EQ(endpoint_health_share(&g->health[0], &other, now_us), ENDPOINT_SHARE_FULL);
    end();
}

UNIT_MAIN("endpoint_health", T(checks_in_a_row_make_unhealthy_and_healthy_again),
          T(the_first_good_checks_are_no_beginning),
          T(failures_in_a_row_eject_for_longer_each_time_up_to_a_limit),
          T(no_more_are_ejected_than_the_policy_says_but_one_of_several_always),
          T(what_is_known_stays_with_the_endpoint_when_the_list_is_replaced),
          T(who_becomes_ready_beside_others_begins_slowly),
          T(who_was_ejected_begins_slowly_when_it_is_back))
