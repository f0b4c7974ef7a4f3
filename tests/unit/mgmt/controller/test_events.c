/* SPDX-License-Identifier: Apache-2.0 */
/* Events: the same once, and never too many. The test answers the calls. */
#include "controller/events.h"
#include "held_calls.h"
#include "loop/loop.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct loop *loop;
static struct events *events;

static void begin(void)
{
    held_reset();
    REQUIRE(loop_new(&loop) == 0);
    const struct events_config config = {.loop = loop, .component = "c", .instance = "i"};
    REQUIRE(events_new(&config, &events) == 0);
}

static void end(void)
{
    events_free(events);
    loop_free(loop);
    held_reset();
}

/* Says it of an object that has this number as its uid. */
static void say(unsigned uid, const char *message)
{
    char text[32];
    snprintf(text, sizeof(text), "uid-%u", uid);
    json_t *object = json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s}}", "apiVersion", "v1", "kind",
                               "Gateway", "metadata", "namespace", "shop", "name", "gw", "uid",
                               text, "resourceVersion", "7");
    events_say(events, object, "Warning", "Invalid", message);
    json_decref(object);
}

static struct events_stats stats(void)
{
    struct events_stats s;
    events_stats(events, &s);
    return s;
}

TEST(an_event_is_about_its_object_and_in_its_namespace)
{
    begin();
    say(1, "what is wrong");
    struct held_call *call = held_open();
    CHECK_STR(call->method, "POST");
    CHECK_STR(call->path, "/api/v1/namespaces/shop/events");
    CHECK_STR(kube_text_at(call->body, "involvedObject.uid"), "uid-1");
    CHECK_STR(kube_text_at(call->body, "message"), "what is wrong");
    CHECK_STR(kube_text_at(call->body, "type"), "Warning");
    CHECK(strncmp(kube_text_at(call->body, "metadata.name"), "gw.", 3) == 0);
    held_answer(call, 201, NULL);
    CHECK_EQ(stats().written, 1);
    end();
}

TEST(the_same_again_counts_up_the_one_that_is_there)
{
    begin();
    say(1, "what is wrong");
    say(1, "what is wrong"); /* while the first is on its way */
    say(1, "what is wrong");
    CHECK_EQ(held_calls_n, 1);
    held_answer(held_open(), 201, NULL);
    struct held_call *call = held_open();
    CHECK_STR(call->method, "PATCH");
    CHECK(strstr(call->path, kube_text_at(held_calls[0].body, "metadata.name")) != NULL);
    CHECK_EQ(json_integer_value(json_object_get(call->body, "count")), 3);
    held_answer(call, 200, NULL);
    CHECK(held_open() == NULL);
    end();
}

TEST(another_message_and_another_object_are_other_events)
{
    begin();
    say(1, "a");
    say(1, "b");
    say(2, "a");
    for (int i = 0; i < 3; i++) {
        CHECK_STR(held_open()->method, "POST");
        held_answer(held_open(), 201, NULL);
    }
    CHECK_EQ(stats().written, 3);
    end();
}

TEST(one_at_a_time_is_on_its_way)
{
    begin();
    say(1, "a");
    say(2, "a");
    CHECK_EQ(held_calls_n, 1);
    held_answer(held_open(), 201, NULL);
    CHECK_EQ(held_calls_n, 2);
    end();
}

TEST(what_the_server_did_not_take_is_counted_and_new_when_it_is_said_again)
{
    begin();
    say(1, "a");
    held_answer(held_open(), 403, NULL);
    CHECK_EQ(stats().failures, 1);
    CHECK(held_open() == NULL);
    say(1, "a");
    CHECK_STR(held_open()->method, "POST");
    end();
}

TEST(of_one_object_there_is_a_burst_and_then_no_more)
{
    begin();
    for (unsigned i = 0; i < EVENTS_OBJECT_BURST + 3; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%u", i);
        say(1, text);
    }
    CHECK_EQ(stats().limited, 3);
    say(2, "another object's is written");
    CHECK_EQ(stats().limited, 3);
    end();
}

TEST(of_all_objects_there_is_a_burst_and_then_no_more)
{
    begin();
    for (unsigned i = 0; i < EVENTS_BURST + 5; i++) {
        say(i, "a");
    }
    CHECK_EQ(stats().limited, 5); /* the loop's time stands still meanwhile */
    end();
}

TEST(what_was_said_longest_ago_is_forgotten_when_there_is_too_much)
{
    begin();
    for (unsigned i = 0; i < EVENTS_REMEMBERED_MAX + 10; i++) {
        say(i, "a"); /* most of them find their bucket empty, and are remembered nevertheless */
    }
    CHECK_EQ(stats().limited, EVENTS_REMEMBERED_MAX + 10 - EVENTS_BURST);
    CHECK_EQ(held_calls_n, 1);
    end();
}

TEST(a_long_message_is_cut_to_what_the_server_takes)
{
    begin();
    char text[3001];
    memset(text, 'x', 3000);
    text[3000] = '\0';
    say(1, text);
    CHECK_EQ(strlen(kube_text_at(held_open()->body, "message")), EVENTS_MESSAGE_BYTES_MAX - 1);
    end();
}

UNIT_MAIN("controller/events", T(an_event_is_about_its_object_and_in_its_namespace),
          T(the_same_again_counts_up_the_one_that_is_there),
          T(another_message_and_another_object_are_other_events), T(one_at_a_time_is_on_its_way),
          T(what_the_server_did_not_take_is_counted_and_new_when_it_is_said_again),
          T(of_one_object_there_is_a_burst_and_then_no_more),
          T(of_all_objects_there_is_a_burst_and_then_no_more),
          T(what_was_said_longest_ago_is_forgotten_when_there_is_too_much),
          T(a_long_message_is_cut_to_what_the_server_takes))
