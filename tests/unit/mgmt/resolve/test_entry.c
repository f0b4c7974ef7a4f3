/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one name: what a reply changes, and when the next question comes. */
#include "test_entry.h"

#include "resolve/entry.h"
#include "unit.h"

#include <string.h>

static struct resolve_reply reply_of(uint32_t ttl_s, const char *const *texts, uint32_t n)
{
    struct resolve_reply reply = {.ttl_s = ttl_s, .n = n};
    for (uint32_t i = 0; i < n; i++)
        REQUIRE(ip_addr_parse(texts[i], &reply.addrs[i]));
    return reply;
}

static bool take(struct resolve_entry *e, const struct resolve_reply *reply, uint32_t wait_s)
{
    uint32_t ret = 0;
    bool has_changed = resolve_entry_take(e, reply, &ret);
    CHECK_EQ(ret, wait_s);
    return has_changed;
}

static const char *const one[] = {"192.0.2.1"};
static const char *const two[] = {"192.0.2.2", "192.0.2.1"};
static const char *const turned[] = {"192.0.2.1", "192.0.2.2", "192.0.2.1"};

void an_answer_counts_for_its_time_within_bounds(void)
{
    struct resolve_entry e = {.name = "a"};
    struct resolve_reply reply = reply_of(300, one, 1);
    CHECK(take(&e, &reply, 300));
    CHECK_EQ(e.state, RESOLVE_GOOD);
    reply.ttl_s = 0;
    CHECK(!take(&e, &reply, RESOLVE_TTL_S_MIN));
    reply.ttl_s = UINT32_MAX;
    CHECK(!take(&e, &reply, RESOLVE_TTL_S_MAX));
}

void addresses_in_another_order_are_no_change(void)
{
    struct resolve_entry e = {.name = "a"};
    struct resolve_reply reply = reply_of(60, two, 2);
    CHECK(take(&e, &reply, 60));
    reply = reply_of(60, turned, 3);
    CHECK(!take(&e, &reply, 60));
    CHECK_EQ(e.n, 2);
    reply = reply_of(60, one, 1);
    CHECK(take(&e, &reply, 60));
    CHECK_EQ(e.n, 1);
}

void addresses_that_no_other_host_can_have_are_left_out_and_counted(void)
{
    static const char *const mixed[] = {"127.0.0.1", "192.0.2.1", "169.254.169.254"};
    struct resolve_entry e = {.name = "a"};
    struct resolve_reply reply = reply_of(60, mixed, 3);
    CHECK(take(&e, &reply, 60));
    CHECK_EQ(e.n, 1);
    CHECK_EQ(e.n_unfit, 2);
    reply = reply_of(60, mixed, 1);
    CHECK(take(&e, &reply, 60));
    CHECK_EQ(e.state, RESOLVE_ABSENT);
}

void the_last_good_answer_stands_while_nobody_answers(void)
{
    struct resolve_entry e = {.name = "a"};
    struct resolve_reply good = reply_of(60, two, 2);
    struct resolve_reply timeout = {.fault = RESOLVE_FAULT_TIMEOUT};
    struct resolve_reply failure = {.fault = RESOLVE_FAULT_SERVER};
    CHECK(take(&e, &good, 60));
    CHECK(take(&e, &timeout, 1));
    CHECK_EQ(e.state, RESOLVE_STALE);
    CHECK_EQ(e.n, 2);
    CHECK(!take(&e, &timeout, 2));
    CHECK(take(&e, &failure, 4)); /* for another reason, which is to be said */
    CHECK_EQ(e.n, 2);
    CHECK(take(&e, &good, 60));
    CHECK_EQ(e.state, RESOLVE_GOOD);
    CHECK_EQ(e.fault, RESOLVE_FAULT_NONE);
}

void a_name_that_is_gone_takes_its_addresses_along(void)
{
    struct resolve_entry e = {.name = "a"};
    struct resolve_reply good = reply_of(60, one, 1);
    struct resolve_reply none = {.n = 0};
    struct resolve_reply timeout = {.fault = RESOLVE_FAULT_TIMEOUT};
    CHECK(take(&e, &good, 60));
    CHECK(take(&e, &timeout, 1));
    CHECK(take(&e, &none, RESOLVE_ABSENT_S));
    CHECK_EQ(e.state, RESOLVE_ABSENT);
    CHECK_EQ(e.n, 0);
    CHECK(take(&e, &timeout, 1)); /* said, but nothing is there that could stand */
    CHECK_EQ(e.state, RESOLVE_ABSENT);
}

void questions_that_fail_come_ever_more_seldom(void)
{
    struct resolve_entry e = {.name = "a"};
    struct resolve_reply timeout = {.fault = RESOLVE_FAULT_TIMEOUT};
    static const uint32_t waits[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
        take(&e, &timeout, waits[i]);
    for (int i = 0; i < 100; i++)
        take(&e, &timeout, RESOLVE_RETRY_S_MAX);
    CHECK_EQ(e.state, RESOLVE_PENDING);
    CHECK_EQ(e.fault, RESOLVE_FAULT_TIMEOUT);
}
