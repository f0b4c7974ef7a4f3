/* SPDX-License-Identifier: Apache-2.0 */
/* Client addresses and AccessPolicies: the search against a look at every range as written. */
#include "route/access.h"

#include "base/container.h"
#include "compile/image_builder.h"
#include "unit.h"

#include <stdlib.h>

static struct ip_addr ip(const char *text)
{
    struct ip_addr a;
    REQUIRE(ip_addr_parse(text, &a));
    return a;
}

/* An image with that policy. */
static struct image_view image_of(const struct image_access_spec *spec, void **ret_data)
{
    struct image_builder *b = image_builder_new();
    struct image_view v;
    size_t len;
    REQUIRE(image_builder_route(b, "n/r", 0) == 0 && image_builder_rule(b, 0) == 0);
    REQUIRE(image_builder_access(b, spec) == 0);
    REQUIRE(image_builder_finish(b, 1, ret_data, &len) == 0);
    REQUIRE(image_check(*ret_data, len, NULL) == IMAGE_FAULT_OK);
    image_view_init(&v, *ret_data);
    image_builder_free(b);
    return v;
}

TEST(who_is_denied_is_denied_though_allowed_and_others_are_refused_where_some_are_allowed)
{
    const struct image_range allowed[] = {{ip("10.0.0.0"), ip("10.255.255.255")},
                                          {ip("2001:db8::"), ip("2001:db8::ffff")}};
    const struct image_range denied[] = {{ip("10.1.0.0"), ip("10.1.255.255")}};
    static const struct {
        const char *addr;
        enum route_access want;
    } rows[] = {
        {"10.0.0.0", ROUTE_ACCESS_ALLOWED},          {"9.255.255.255", ROUTE_ACCESS_NOT_ALLOWED},
        {"10.255.255.255", ROUTE_ACCESS_ALLOWED},    {"11.0.0.0", ROUTE_ACCESS_NOT_ALLOWED},
        {"10.0.255.255", ROUTE_ACCESS_ALLOWED},      {"10.1.0.0", ROUTE_ACCESS_DENIED},
        {"10.1.255.255", ROUTE_ACCESS_DENIED},       {"10.2.0.0", ROUTE_ACCESS_ALLOWED},
        {"2001:db8::1:0", ROUTE_ACCESS_NOT_ALLOWED}, {"2001:db8::ffff", ROUTE_ACCESS_ALLOWED},
        {"::a00:1", ROUTE_ACCESS_NOT_ALLOWED}, /* no IPv4 address, though it looks like one */
    };
    void *data;
    struct image_view v = image_of(
        &(struct image_access_spec){"n/a", allowed, denied, array_len(allowed), array_len(denied)},
        &data);
    for (size_t i = 0; i < array_len(rows); i++) {
        struct ip_addr addr = ip(rows[i].addr);
        CHECK_EQ(route_access_of(&v, &v.accesses[0], &addr), rows[i].want);
    }
    free(data);
}

TEST(a_range_of_all_ipv6_addresses_has_no_ipv4_address)
{
    const struct image_range all = {ip("::"), ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")};
    struct ip_addr four = ip("192.0.2.1"), six = ip("2001:db8::1"), low = ip("::1");
    void *data;
    struct image_view v = image_of(&(struct image_access_spec){"n/a", &all, NULL, 1, 0}, &data);
    CHECK_EQ(v.accesses[0].n_allowed, 2);
    CHECK_EQ(route_access_of(&v, &v.accesses[0], &four), ROUTE_ACCESS_NOT_ALLOWED);
    CHECK_EQ(route_access_of(&v, &v.accesses[0], &six), ROUTE_ACCESS_ALLOWED);
    CHECK_EQ(route_access_of(&v, &v.accesses[0], &low), ROUTE_ACCESS_ALLOWED);
    free(data);
}

TEST(a_policy_without_addresses_takes_everybody)
{
    struct ip_addr addr = ip("192.0.2.1");
    void *data;
    struct image_view v = image_of(&(struct image_access_spec){.name = "n/a"}, &data);
    CHECK_EQ(route_access_of(&v, &v.accesses[0], &addr), ROUTE_ACCESS_ALLOWED);
    free(data);
}

static uint32_t next(void)
{
    static uint64_t rng = 88172645463325252ull;
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 32);
}

/* One of few addresses, of both families, so that ranges touch and overlap. */
static struct ip_addr some_addr(bool is_v4)
{
    struct ip_addr a = is_v4 ? ip("10.0.0.0") : ip("2001:db8::");
    a.bytes[14] = (uint8_t)(next() % 3);
    a.bytes[15] = (uint8_t)next();
    return a;
}

static void some_ranges(struct image_range *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        bool is_v4 = next() % 2 == 0;
        list[i] = (struct image_range){some_addr(is_v4), some_addr(is_v4)};
        if (memcmp(&list[i].first, &list[i].last, sizeof(list[i].first)) > 0)
            list[i].last = list[i].first;
    }
}

static bool is_in(const struct image_range *list, uint32_t n, const struct ip_addr *addr)
{
    for (uint32_t i = 0; i < n; i++) {
        if (memcmp(addr, &list[i].first, sizeof(*addr)) >= 0 &&
            memcmp(addr, &list[i].last, sizeof(*addr)) <= 0)
            return true;
    }
    return false;
}

TEST(the_search_finds_what_a_look_at_every_range_finds)
{
    enum { LISTS = 200, ADDRS = 200, RANGES = 40 };
    for (unsigned i = 0; i < LISTS; i++) {
        struct image_range allowed[RANGES], denied[RANGES];
        uint32_t n_allowed = next() % RANGES, n_denied = next() % RANGES;
        some_ranges(allowed, n_allowed);
        some_ranges(denied, n_denied);
        void *data;
        struct image_view v = image_of(
            &(struct image_access_spec){"n/a", allowed, denied, n_allowed, n_denied}, &data);
        for (unsigned k = 0; k < ADDRS; k++) {
            struct ip_addr addr = some_addr(next() % 2 == 0);
            bool want = !is_in(denied, n_denied, &addr) &&
                        (n_allowed == 0 || is_in(allowed, n_allowed, &addr));
            CHECK_EQ(route_access_of(&v, &v.accesses[0], &addr) == ROUTE_ACCESS_ALLOWED, want);
        }
        free(data);
    }
}

TEST(of_several_lists_the_first_that_is_against_an_address_speaks)
{
    const struct image_range ten = {ip("10.0.0.0"), ip("10.255.255.255")},
                             part = {ip("10.1.0.0"), ip("10.1.255.255")};
    const struct image_access_spec allow = {.name = "n/a", .allowed = &ten, .n_allowed = 1},
                                   deny = {.name = "box", .denied = &part, .n_denied = 1};
    struct ip_addr vip = ip("192.0.2.1");
    struct image_builder *b = image_builder_new();
    struct image_view v;
    void *data;
    size_t len;
    REQUIRE(image_builder_gate(b, &vip, 0, false, &allow) == 0);
    REQUIRE(image_builder_gate(b, &vip, 0, false, &deny) == 0);
    REQUIRE(image_builder_finish(b, 1, &data, &len) == 0);
    REQUIRE(image_check(data, len, NULL) == IMAGE_FAULT_OK);
    image_view_init(&v, data);
    image_builder_free(b);
    const struct image_gate *gate = image_gate_find(&v, &vip);
    REQUIRE(gate != NULL && gate->n_uses == 2);
    static const struct {
        const char *addr;
        enum route_access of_packets, of_errors;
    } rows[] = {
        {"10.0.0.1", ROUTE_ACCESS_ALLOWED, ROUTE_ACCESS_ALLOWED},
        {"10.1.0.1", ROUTE_ACCESS_DENIED, ROUTE_ACCESS_DENIED},
        {"11.0.0.1", ROUTE_ACCESS_NOT_ALLOWED, ROUTE_ACCESS_ALLOWED},
        {"2001:db8::1", ROUTE_ACCESS_NOT_ALLOWED, ROUTE_ACCESS_ALLOWED},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        struct ip_addr addr = ip(rows[i].addr);
        uint32_t first = gate->first_use, n = gate->n_uses;
        CHECK_EQ(route_access_of_all(&v, first, n, &addr, true), rows[i].of_packets);
        CHECK_EQ(route_access_of_all(&v, first, n, &addr, false), rows[i].of_errors);
        CHECK_EQ(route_access_of_all(&v, first, 0, &addr, true), ROUTE_ACCESS_ALLOWED);
    }
    free(data);
}

UNIT_MAIN("route/access",
          T(who_is_denied_is_denied_though_allowed_and_others_are_refused_where_some_are_allowed),
          T(a_range_of_all_ipv6_addresses_has_no_ipv4_address),
          T(a_policy_without_addresses_takes_everybody),
          T(the_search_finds_what_a_look_at_every_range_finds),
          T(of_several_lists_the_first_that_is_against_an_address_speaks))
