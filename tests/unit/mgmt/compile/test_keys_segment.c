/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of keys made from plans, as the dataplane will check them. */
#include "attach/plan.h"
#include "compile/keys.h"
#include "unit.h"

#include <string.h>

static const struct plan_identity identities[] = {
    {"a/second", {{2}}, {(const uint8_t *)"CC", 2}, {(const uint8_t *)"k2", 2}},
    {"a/first", {{1}}, {(const uint8_t *)"C", 1}, {(const uint8_t *)"k1", 2}},
    {"b/second", {{2}}, {(const uint8_t *)"CC", 2}, {(const uint8_t *)"k2", 2}},
    {"b/third", {{3}}, {(const uint8_t *)"CCC", 3}, {(const uint8_t *)"k3", 2}},
};

static struct plan_listener listener(uint32_t first, uint32_t n, bool is_served)
{
    return (struct plan_listener){.protocol = PLAN_HTTPS,
                                  .is_served = is_served,
                                  .n_identities = n,
                                  .identities = &identities[first]};
}

/* The ids in a segment, as digits. */
static const char *ids_in(const void *data, size_t len)
{
    static char text[8];
    uint32_t index;
    REQUIRE(keys_check(data, len, &index) == KEYS_FAULT_OK);
    uint32_t n = ((const struct keys_header *)data)->count;
    REQUIRE(n < sizeof(text));
    for (uint32_t i = 0; i < n; i++) {
        const struct keys_entry *e = &keys_entries(data)[i];
        text[i] = (char)('0' + e->id.bytes[0]);
        CHECK_EQ(keys_certificate(data, e).len, e->id.bytes[0]);
        CHECK_EQ(keys_key(data, e).ptr[1], text[i]);
    }
    text[n] = '\0';
    return text;
}

static int make(const struct plan *plan, const void *before, void **ret_data, size_t *ret_len)
{
    struct keys_segment_input in = {.plan = plan, .before = before};
    return keys_segment_new(&in, ret_data, ret_len);
}

TEST(ticket_keys_stand_behind_the_identities)
{
    struct plan_listener listeners[] = {listener(0, 2, true)};
    struct plan plan = {.n_listeners = 1, .listeners = listeners};
    struct keys_ticket tickets[2] = {{{7}, {8}, {9}}, {{10}, {11}, {12}}};
    struct keys_segment_input in = {.plan = &plan, .tickets = tickets, .n_tickets = 2};
    void *data;
    size_t len;
    REQUIRE(keys_segment_new(&in, &data, &len) == 0);
    CHECK_STR(ids_in(data, len), "12");
    CHECK(memcmp(keys_tickets(data), tickets, sizeof(tickets)) == 0);
    keys_segment_free(data);
}

TEST(each_identity_of_a_served_listener_is_there_once_in_order)
{
    struct plan_listener listeners[] = {listener(0, 2, true), listener(2, 1, true),
                                        listener(3, 1, false)};
    struct plan plan = {.n_listeners = 3, .listeners = listeners};
    void *data;
    size_t len;
    REQUIRE(make(&plan, NULL, &data, &len) == 0);
    CHECK_STR(ids_in(data, len), "12");
    keys_segment_free(data);
}

TEST(what_was_there_before_stays_beside_what_comes)
{
    struct plan_listener old = listener(0, 2, true), new = listener(3, 1, true);
    struct plan plan = {.n_listeners = 1, .listeners = &old};
    void *before, *data;
    size_t len;
    REQUIRE(make(&plan, NULL, &before, &len) == 0);
    plan.listeners = &new;
    REQUIRE(make(&plan, before, &data, &len) == 0);
    CHECK_STR(ids_in(data, len), "123");
    keys_segment_free(before);
    keys_segment_free(data);
    REQUIRE(make(&plan, NULL, &data, &len) == 0);
    CHECK_STR(ids_in(data, len), "3");
    keys_segment_free(data);
}

TEST(a_bundle_of_cas_is_an_entry_without_a_key_and_there_once)
{
    static const struct plan_clients clients = {
        .auth = IMAGE_CLIENT_AUTH_REQUIRED,
        .bundle = {"a/ca", {{4}}, {(const uint8_t *)"CCCC", 4}}};
    struct plan_listener listeners[] = {listener(0, 1, true), listener(1, 1, true),
                                        listener(3, 1, false)};
    struct plan plan = {.n_listeners = 3, .listeners = listeners};
    void *data;
    size_t len;
    uint32_t index;
    for (unsigned i = 0; i < 3; i++)
        listeners[i].clients = &clients;
    REQUIRE(make(&plan, NULL, &data, &len) == 0);
    REQUIRE(keys_check(data, len, &index) == KEYS_FAULT_OK);
    REQUIRE(((const struct keys_header *)data)->count == 3);
    const struct keys_entry *e = &keys_entries(data)[2];
    CHECK(keys_is_bundle(e));
    CHECK_EQ(e->id.bytes[0], 4);
    CHECK_EQ(keys_certificate(data, e).len, 4);
    keys_segment_free(data);
}

TEST(a_plan_without_identities_makes_an_empty_segment)
{
    struct plan plan = {0};
    void *data;
    size_t len;
    REQUIRE(make(&plan, NULL, &data, &len) == 0);
    CHECK_STR(ids_in(data, len), "");
    keys_segment_free(data);
    keys_segment_free(NULL);
}

UNIT_MAIN("mgmt/compile/keys", T(ticket_keys_stand_behind_the_identities),
          T(each_identity_of_a_served_listener_is_there_once_in_order),
          T(what_was_there_before_stays_beside_what_comes),
          T(a_bundle_of_cas_is_an_entry_without_a_key_and_there_once),
          T(a_plan_without_identities_makes_an_empty_segment))
