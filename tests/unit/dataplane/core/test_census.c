/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections are open, against limits, by several workers at once. */
#include "core/census.h"

#include "abi/image.h"
#include "base/container.h"
#include "core/core.h"
#include "unit.h"

#include <pthread.h>
#include <string.h>

/* A bind of TCP and one of UDP with this limit, and one without. */
static struct image_conn_limit limit;
static struct image_bind binds[3];
static const struct image_view view = {
    .binds = binds, .n_binds = 3, .conn_limits = &limit, .n_conn_limits = 1};
static struct stats_worker stats[2];
static struct core cores[2];

static struct ip_addr ip(const char *text)
{
    struct ip_addr a;
    REQUIRE(ip_addr_parse(text, &a));
    return a;
}

/* Two workers with one census for so many connections. */
static void begin(uint64_t conns, uint32_t conns_max, uint32_t client_conns_max)
{
    limit = (struct image_conn_limit){
        .id = 7, .conns_max = conns_max, .client_conns_max = client_conns_max};
    memset(binds, 0, sizeof(binds));
    binds[0].port = binds[1].port = 53;
    binds[1].kind = IMAGE_BIND_UDP;
    binds[2].limit = IMAGE_NONE;
    memset(stats, 0, sizeof(stats));
    struct census *census = census_new(conns);
    REQUIRE(census != NULL);
    for (unsigned i = 0; i < array_len(cores); i++)
        cores[i] = (struct core){.stats = &stats[i], .hash_key = {1, 2}, .census = census};
}

static uint64_t stat_of(enum stat_id id)
{
    return stats[0].counters[id] + stats[1].counters[id];
}

static void end(void)
{
    census_free(cores[0].census);
}

TEST(a_listeners_limit_holds_for_all_workers_together_and_for_each_protocol_by_itself)
{
    struct census_hold holds[3] = {{0}};
    struct ip_addr a = ip("192.0.2.1");
    begin(64, 2, 0);
    CHECK_EQ(census_against(&cores[0], &view, 0, &a), STAT_COUNT);
    CHECK(census_enter(&cores[0], &view, 0, &a, &holds[0]));
    CHECK(census_enter(&cores[1], &view, 0, &a, &holds[1]));
    CHECK_EQ(census_against(&cores[0], &view, 0, &a), STAT_core_conns_refused);
    CHECK(!census_enter(&cores[0], &view, 0, &a, &holds[2]));
    CHECK(holds[2].listener == 0 && holds[2].client == 0);
    CHECK(census_enter(&cores[0], &view, 1, &a, &holds[2]));
    census_leave(&cores[0], &holds[2]);
    census_leave(&cores[1], &holds[0]); /* whichever worker */
    CHECK(census_enter(&cores[0], &view, 0, &a, &holds[2]));
    CHECK_EQ(stat_of(STAT_core_conns_refused), 1);
    for (unsigned i = 0; i < 3; i++)
        census_leave(&cores[0], &holds[i]);
    end();
}

TEST(a_clients_limit_is_his_at_all_listeners_of_the_policy_and_an_ipv6_client_is_a_link)
{
    static const struct {
        const char *addr;
        uint32_t bind;
        bool may;
    } rows[] = {{"192.0.2.1", 0, true},    {"192.0.2.1", 1, true},       {"192.0.2.1", 0, false},
                {"192.0.2.2", 0, true},    {"2001:db8::1", 0, true},     {"2001:db8::2", 0, true},
                {"2001:db8::3", 0, false}, {"2001:db8:0:1::1", 0, true}, {"192.0.2.1", 2, true}};
    struct census_hold holds[array_len(rows)] = {{0}};
    begin(64, 0, 2);
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct ip_addr a = ip(rows[i].addr);
        CHECK_EQ(census_against(&cores[0], &view, rows[i].bind, &a) == STAT_COUNT, rows[i].may);
        CHECK_EQ(census_enter(&cores[0], &view, rows[i].bind, &a, &holds[i]), rows[i].may);
    }
    CHECK_EQ(stat_of(STAT_core_conns_refused_client), 2);
    for (unsigned i = 0; i < array_len(rows); i++)
        census_leave(&cores[0], &holds[i]);
    end();
}

TEST(who_is_refused_as_a_client_does_not_count_at_the_listener)
{
    struct census_hold one = {0}, two = {0}, three = {0};
    struct ip_addr a = ip("192.0.2.1"), b = ip("192.0.2.2");
    begin(64, 2, 1);
    CHECK(census_enter(&cores[0], &view, 0, &a, &one));
    CHECK(!census_enter(&cores[0], &view, 0, &a, &two));
    CHECK(census_enter(&cores[0], &view, 0, &b, &three));
    census_leave(&cores[0], &one);
    census_leave(&cores[0], &three);
    end();
}

TEST(a_client_who_is_told_later_is_counted_then)
{
    struct census_hold hold = {0}, other = {0};
    struct ip_addr a = ip("192.0.2.1");
    begin(64, 2, 1);
    binds[0].is_proxied = 1;
    CHECK(census_enter(&cores[0], &view, 0, NULL, &hold));
    CHECK(hold.listener != 0 && hold.client == 0);
    CHECK(census_enter(&cores[0], &view, 0, &a, &hold));
    CHECK_EQ(census_count(cores[0].census, hold.listener), 1);
    CHECK_EQ(census_against(&cores[0], &view, 0, &a), STAT_COUNT); /* nobody knows yet */
    CHECK(census_enter(&cores[0], &view, 0, NULL, &other));
    CHECK(!census_enter(&cores[0], &view, 0, &a, &other));
    CHECK(other.listener != 0 && other.client == 0);
    census_leave(&cores[0], &hold);
    CHECK(census_enter(&cores[0], &view, 0, &a, &other));
    census_leave(&cores[0], &other);
    end();
}

TEST(more_clients_than_there_are_places_are_let_in_and_not_counted)
{
    enum { CLIENTS = 4096 };
    static struct census_hold holds[CLIENTS];
    struct ip_addr a = ip("192.0.0.0");
    begin(1, 0, 1);
    for (unsigned i = 0; i < CLIENTS; i++) {
        a.bytes[14] = (uint8_t)(i >> 8);
        a.bytes[15] = (uint8_t)i;
        CHECK(census_enter(&cores[0], &view, 0, &a, &holds[i]));
    }
    CHECK(stat_of(STAT_core_conns_uncounted) > CLIENTS / 2);
    CHECK(stat_of(STAT_core_conns_uncounted) < CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++)
        census_leave(&cores[0], &holds[i]);
    uint64_t before = stat_of(STAT_core_conns_uncounted);
    CHECK(census_enter(&cores[0], &view, 0, &a, &holds[0]));
    CHECK_EQ(stat_of(STAT_core_conns_uncounted), before);
    census_leave(&cores[0], &holds[0]);
    end();
}

enum { ROUNDS = 100000, AT_ONCE = 4 };

static void *come_and_go(void *arg)
{
    struct core *core = arg;
    struct ip_addr a = ip("192.0.2.1");
    struct census_hold holds[AT_ONCE] = {{0}};
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct census_hold *hold = &holds[i % AT_ONCE];
        census_leave(core, hold);
        census_enter(core, &view, 0, &a, hold);
        if (hold->client != 0 && census_count(core->census, hold->client) > 6)
            stat_inc(core, STAT_core_timers_fired); /* more than may be */
    }
    for (unsigned i = 0; i < AT_ONCE; i++)
        census_leave(core, &holds[i]);
    return NULL;
}

TEST(two_workers_that_count_at_once_lose_nothing)
{
    pthread_t threads[2];
    begin(64, 0, 6);
    for (unsigned i = 0; i < 2; i++)
        REQUIRE(pthread_create(&threads[i], NULL, come_and_go, &cores[i]) == 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(stat_of(STAT_core_timers_fired), 0);
    struct census_hold hold = {0};
    struct ip_addr a = ip("192.0.2.1");
    CHECK(census_enter(&cores[0], &view, 0, &a, &hold));
    CHECK_EQ(census_count(cores[0].census, hold.client), 1);
    census_leave(&cores[0], &hold);
    end();
}

UNIT_MAIN("core/census",
          T(a_listeners_limit_holds_for_all_workers_together_and_for_each_protocol_by_itself),
          T(a_clients_limit_is_his_at_all_listeners_of_the_policy_and_an_ipv6_client_is_a_link),
          T(who_is_refused_as_a_client_does_not_count_at_the_listener),
          T(a_client_who_is_told_later_is_counted_then),
          T(more_clients_than_there_are_places_are_let_in_and_not_counted),
          T(two_workers_that_count_at_once_lose_nothing))
