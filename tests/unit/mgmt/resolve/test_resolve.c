/* SPDX-License-Identifier: Apache-2.0 */
/* Names, asked for in a loop in which a name server answers, too. */
#include "resolve/resolve.h"

#include "loop/loop.h"
#include "name_server.h"
#include "resolve/entry.h"
#include "resolve/lookup.h"
#include "test_entry.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME "shop.example.com"
#define ROUNDS_MAX 2000

struct world {
    struct loop *loop;
    struct name_server server;
    struct resolve *resolve;
    unsigned changes;
};

static void on_change(void *owner)
{
    struct world *w = owner;
    w->changes++;
}

static void open_world(struct world *w)
{
    char text[32];
    REQUIRE(loop_new(&w->loop) == 0);
    name_server_open(&w->server, w->loop);
    snprintf(text, sizeof(text), "127.0.0.1:%u", w->server.port);
    REQUIRE(resolve_new(w->loop, text, &w->resolve) == 0);
    resolve_listen(w->resolve, on_change, w);
}

static void close_world(struct world *w)
{
    resolve_free(w->resolve);
    name_server_close(&w->server);
    loop_free(w->loop);
}

static void want(struct world *w, const char *name)
{
    resolve_want_begin(w->resolve);
    if (name != NULL) {
        resolve_want(w->resolve, name, RESOLVE_IPV4);
        resolve_want(w->resolve, name, RESOLVE_IPV6);
    }
    resolve_want_end(w->resolve);
}

static struct resolve_answer found(const struct world *w, enum resolve_family family)
{
    return resolve_find(w->resolve, NAME, family);
}

/* Goes on until both families have that state. */
static bool becomes(struct world *w, enum resolve_state v4, enum resolve_state v6)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (found(w, RESOLVE_IPV4).state == v4 && found(w, RESOLVE_IPV6).state == v6)
            return true;
        loop_round(w->loop, 10000);
    }
    return false;
}

TEST(a_name_is_asked_for_in_each_family_and_its_owner_hears_of_it)
{
    struct world w = {.server = {.n_v4 = 2, .n_v6 = 1}};
    open_world(&w);
    want(&w, NAME);
    CHECK(becomes(&w, RESOLVE_GOOD, RESOLVE_GOOD));
    loop_round(w.loop, 0);
    CHECK(w.changes > 0);
    struct resolve_answer v4 = found(&w, RESOLVE_IPV4);
    struct resolve_answer v6 = found(&w, RESOLVE_IPV6);
    char text[IP_ADDR_TEXT_MAX];
    CHECK_EQ(v4.n, 2);
    CHECK_STR(ip_addr_format(&v4.addrs[1], text), "192.0.2.2");
    CHECK_EQ(v6.n, 1);
    CHECK_STR(ip_addr_format(&v6.addrs[0], text), "2001:db8::1");
    unsigned questions = w.server.questions;
    want(&w, NAME); /* again: what is known stays, nobody is asked */
    for (int i = 0; i < 5; i++)
        loop_round(w.loop, 1000);
    CHECK_EQ(w.server.questions, questions);
    CHECK_EQ(resolve_counts(w.resolve).names, 2);
    close_world(&w);
}

TEST(a_name_without_addresses_of_a_family_is_absent_in_that_family)
{
    struct world w = {.server = {.n_v4 = 1}};
    open_world(&w);
    want(&w, NAME);
    CHECK(becomes(&w, RESOLVE_GOOD, RESOLVE_ABSENT));
    CHECK_EQ(found(&w, RESOLVE_IPV6).fault, RESOLVE_FAULT_NONE);
    close_world(&w);
}

TEST(a_name_that_is_not_there_is_absent)
{
    struct world w = {.server = {.rcode = 3}};
    open_world(&w);
    want(&w, NAME);
    CHECK(becomes(&w, RESOLVE_ABSENT, RESOLVE_ABSENT));
    close_world(&w);
}

/* Goes on until the question of IPv4 failed so. */
static bool fails(struct world *w, enum resolve_fault fault)
{
    for (int i = 0; i < ROUNDS_MAX && found(w, RESOLVE_IPV4).fault != fault; i++)
        loop_round(w->loop, 10000);
    return found(w, RESOLVE_IPV4).fault == fault;
}

TEST(a_name_server_that_fails_says_nothing_of_the_name)
{
    struct world w = {.server = {.rcode = 2}};
    open_world(&w);
    want(&w, NAME);
    for (int i = 0; i < ROUNDS_MAX && found(&w, RESOLVE_IPV4).fault == RESOLVE_FAULT_NONE; i++)
        loop_round(w.loop, 10000);
    /* c-ares of Debian 12 tells no difference between a server that fails and one that is away */
    CHECK(found(&w, RESOLVE_IPV4).fault == RESOLVE_FAULT_SERVER ||
          found(&w, RESOLVE_IPV4).fault == RESOLVE_FAULT_UNREACHABLE);
    CHECK_EQ(found(&w, RESOLVE_IPV4).state, RESOLVE_PENDING);
    CHECK(resolve_counts(w.resolve).failures > 0);
    close_world(&w);
}

TEST(an_answer_that_ends_too_early_is_no_answer)
{
    struct world w = {.server = {.n_v4 = 1, .n_v6 = 1, .is_broken = true}};
    open_world(&w);
    want(&w, NAME);
    CHECK(fails(&w, RESOLVE_FAULT_MALFORMED));
    CHECK_EQ(found(&w, RESOLVE_IPV4).n, 0);
    close_world(&w);
}

TEST(nobody_listens_there_is_told_at_once)
{
    struct world w = {.server = {.n_v4 = 1}};
    open_world(&w);
    name_server_close(&w.server);
    want(&w, NAME);
    CHECK(fails(&w, RESOLVE_FAULT_UNREACHABLE));
    name_server_open(&w.server, w.loop); /* on the same port: the next question finds it */
    CHECK(becomes(&w, RESOLVE_GOOD, RESOLVE_ABSENT));
    close_world(&w);
}

TEST(names_that_nobody_wants_any_more_are_forgotten_also_while_they_are_asked_for)
{
    struct world w = {.server = {.is_silent = true}};
    open_world(&w);
    want(&w, NAME);
    for (int i = 0; i < 20 && w.server.questions < 2; i++)
        loop_round(w.loop, 10000);
    CHECK_EQ(w.server.questions, 2);
    want(&w, NULL);
    CHECK_EQ(resolve_counts(w.resolve).names, 0);
    w.server.is_silent = false;
    w.server.n_v4 = w.server.n_v6 = 1;
    want(&w, NAME); /* a new one: the old question's answer is not its */
    CHECK(becomes(&w, RESOLVE_GOOD, RESOLVE_GOOD));
    want(&w, NULL);
    close_world(&w);
}

TEST(more_questions_than_may_be_on_their_way_wait_and_are_asked)
{
    struct world w = {.server = {.n_v4 = 1}};
    open_world(&w);
    char name[32];
    resolve_want_begin(w.resolve);
    for (unsigned i = 0; i < 3 * RESOLVE_ASKS_MAX; i++) {
        snprintf(name, sizeof(name), "n%u.example.com", i);
        resolve_want(w.resolve, name, RESOLVE_IPV4);
    }
    resolve_want_end(w.resolve);
    for (int i = 0; i < ROUNDS_MAX && w.server.questions < 3 * RESOLVE_ASKS_MAX; i++)
        loop_round(w.loop, 10000);
    for (int i = 0; i < 20; i++)
        loop_round(w.loop, 1000);
    unsigned good = 0;
    for (unsigned i = 0; i < 3 * RESOLVE_ASKS_MAX; i++) {
        snprintf(name, sizeof(name), "n%u.example.com", i);
        good += resolve_find(w.resolve, name, RESOLVE_IPV4).state == RESOLVE_GOOD;
    }
    CHECK_EQ(good, 3 * RESOLVE_ASKS_MAX);
    close_world(&w);
}

TEST(a_table_that_is_full_says_so)
{
    struct world w = {.server = {.is_silent = true}};
    open_world(&w);
    char name[32];
    resolve_want_begin(w.resolve);
    for (unsigned i = 0; i < RESOLVE_NAMES_MAX; i++) {
        snprintf(name, sizeof(name), "n%u.example.com", i);
        resolve_want(w.resolve, name, RESOLVE_IPV4);
    }
    resolve_want(w.resolve, NAME, RESOLVE_IPV4);
    resolve_want_end(w.resolve);
    CHECK_EQ(resolve_counts(w.resolve).names, RESOLVE_NAMES_MAX);
    CHECK_EQ(resolve_counts(w.resolve).left_out, 1);
    CHECK_EQ(found(&w, RESOLVE_IPV4).fault, RESOLVE_FAULT_FULL);
    close_world(&w);
}

TEST(servers_that_are_none_are_refused)
{
    struct loop *loop;
    struct resolve *resolve = NULL;
    REQUIRE(loop_new(&loop) == 0);
    CHECK_EQ(resolve_new(loop, "nobody", &resolve), -EINVAL);
    loop_free(loop);
}

UNIT_MAIN("mgmt/resolve", T(an_answer_counts_for_its_time_within_bounds),
          T(addresses_in_another_order_are_no_change),
          T(addresses_that_no_other_host_can_have_are_left_out_and_counted),
          T(the_last_good_answer_stands_while_nobody_answers),
          T(a_name_that_is_gone_takes_its_addresses_along),
          T(questions_that_fail_come_ever_more_seldom),
          T(a_name_is_asked_for_in_each_family_and_its_owner_hears_of_it),
          T(a_name_without_addresses_of_a_family_is_absent_in_that_family),
          T(a_name_that_is_not_there_is_absent),
          T(a_name_server_that_fails_says_nothing_of_the_name),
          T(an_answer_that_ends_too_early_is_no_answer), T(nobody_listens_there_is_told_at_once),
          T(names_that_nobody_wants_any_more_are_forgotten_also_while_they_are_asked_for),
          T(more_questions_than_may_be_on_their_way_wait_and_are_asked),
          T(a_table_that_is_full_says_so), T(servers_that_are_none_are_refused))
