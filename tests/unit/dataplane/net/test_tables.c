/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of net: checksum, local addresses, ways, token bucket. */
#include "base/container.h"
#include "base/rng.h"
#include "net/bucket.h"
#include "net/cksum.h"
#include "net/local.h"
#include "net/path.h"
#include "packet.h"
#include "unit.h"

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <string.h>

TEST(checksum_is_that_of_dpdk_at_every_length_and_alignment)
{
    struct rng rng = {1};
    uint8_t bytes[1600];
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)rng_next(&rng);
    for (unsigned start = 0; start < 4; start++) {
        for (unsigned len = 0; start + len <= sizeof(bytes); len += len < 70 ? 1 : 97) {
            uint16_t want = (uint16_t)~rte_raw_cksum(bytes + start, len);
            CHECK_EQ(cksum_close(cksum_add(0, bytes + start, len)).wire, want);
        }
    }
}

TEST(checksum_of_all_ones_folds_its_carries)
{
    uint8_t bytes[65536];
    memset(bytes, 0xff, sizeof(bytes));
    for (size_t at = 0; at + 20 <= sizeof(bytes); at++)
        CHECK_EQ(cksum_ip4_header(bytes + at), cksum_add(0, bytes + at, 20));
    CHECK_EQ(cksum_add(0xffff, bytes, sizeof(bytes)), 0xffff);
}

TEST(checksum_of_a_chain_does_not_depend_on_where_it_is_cut)
{
    struct rng rng = {2};
    uint8_t bytes[300];
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)rng_next(&rng);
    for (unsigned a = 0; a <= 40; a++) {
        for (unsigned b = a; b <= 80; b++) {
            static struct rte_mbuf seg[3]; /* not on the stack: ASan's own gives less alignment */
            memset(seg, 0, sizeof(seg));
            unsigned cuts[] = {0, a, b, sizeof(bytes)};
            for (unsigned i = 0; i < 3; i++) {
                seg[i].buf_addr = bytes + cuts[i];
                seg[i].data_len = (uint16_t)(cuts[i + 1] - cuts[i]);
                seg[i].next = i < 2 ? &seg[i + 1] : NULL;
            }
            seg[0].pkt_len = sizeof(bytes);
            for (unsigned offset = 0; offset < 4; offset++) {
                uint32_t want = cksum_add(0, bytes + offset, sizeof(bytes) - offset);
                CHECK_EQ(cksum_add_mbuf(0, seg, offset), want);
            }
        }
    }
}

TEST(pseudo_headers_are_those_of_dpdk)
{
    struct rte_ipv4_hdr ip4 = {.next_proto_id = 6, .version_ihl = 0x45};
    struct ip_addr src = addr_of("192.0.2.1");
    struct ip_addr dst = addr_of("198.51.100.7");
    memcpy(&ip4.src_addr, &src.bytes[12], 4);
    memcpy(&ip4.dst_addr, &dst.bytes[12], 4);
    ip4.total_length = rte_cpu_to_be_16(20 + 777);
    CHECK_EQ(cksum_add_pseudo(0, &src, &dst, 6, 777), rte_ipv4_phdr_cksum(&ip4, 0));
    struct rte_ipv6_hdr ip6 = {.proto = 58, .payload_len = rte_cpu_to_be_16(777)};
    src = addr_of("2001:db8::1");
    dst = addr_of("fe80::abcd");
    memcpy(&ip6.src_addr, src.bytes, 16);
    memcpy(&ip6.dst_addr, dst.bytes, 16);
    CHECK_EQ(cksum_add_pseudo(0, &src, &dst, 58, 777), rte_ipv6_phdr_cksum(&ip6, 0));
}

TEST(every_local_address_is_found_and_no_other)
{
    static struct local_table t;
    static struct net_address addresses[NET_ADDRESSES_MAX];
    for (unsigned i = 0; i < NET_ADDRESSES_MAX; i++) {
        addresses[i] = (struct net_address){addr_of("10.0.0.0"), 128, 1, 0};
        addresses[i].addr.bytes[14] = (uint8_t)(i >> 8);
        addresses[i].addr.bytes[15] = (uint8_t)i;
    }
    local_build(&t, addresses, NET_ADDRESSES_MAX);
    CHECK_EQ(t.n, NET_ADDRESSES_MAX);
    for (unsigned i = 0; i < NET_ADDRESSES_MAX; i++) {
        const struct net_address *found = local_find(&t, &addresses[i].addr);
        CHECK(found != NULL && ip_addr_eq(&found->addr, &addresses[i].addr));
        struct ip_addr other = addresses[i].addr;
        other.bytes[13] = 1;
        CHECK(local_find(&t, &other) == NULL);
    }
}

TEST(the_first_of_two_equal_addresses_wins)
{
    static struct local_table t;
    struct net_address two[] = {{addr_of("10.0.0.1"), 128, 1, 3}, {addr_of("10.0.0.1"), 120, 0, 4}};
    local_build(&t, two, 2);
    CHECK_EQ(t.n, 1);
    CHECK_EQ(local_find(&t, &two[1].addr)->interface, 3);
}

static struct path_table paths;

static void build_paths(const struct net_address *a, unsigned n_a, const struct net_route *r,
                        unsigned n_r)
{
    struct net_config config = {
        .addresses = a, .n_addresses = n_a, .routes = r, .n_routes = n_r, .n_interfaces = 4};
    path_build(&paths, &config);
}

TEST(the_longest_prefix_wins)
{
    struct net_address addresses[] = {{addr_of("192.0.2.1"), 120, 0, 1}};
    struct net_route routes[] = {
        {addr_of("0.0.0.0"), 96, 0, 0, addr_of("192.0.2.10")},
        {addr_of("10.0.0.0"), 104, 0, 0, addr_of("192.0.2.11")},
        {addr_of("10.1.0.0"), 112, 0, 0, addr_of("192.0.2.12")},
        {addr_of("10.1.2.3"), 128, 0, 0, addr_of("192.0.2.13")},
        {addr_of("::"), 0, 0, 0, addr_of("2001:db8::1")},
    };
    build_paths(addresses, 1, routes, array_len(routes));
    static const struct {
        const char *dst;
        const char *gateway;
    } want[] = {{"8.8.8.8", "192.0.2.10"},  {"10.2.0.1", "192.0.2.11"},
                {"10.1.9.9", "192.0.2.12"}, {"10.1.2.3", "192.0.2.13"},
                {"10.1.2.4", "192.0.2.12"}, {"255.255.255.255", "192.0.2.10"},
                {"2001::1", "2001:db8::1"}, {"ffff::1", "2001:db8::1"}};
    for (unsigned i = 0; i < array_len(want); i++) {
        struct ip_addr dst = addr_of(want[i].dst);
        struct ip_addr gateway = addr_of(want[i].gateway);
        const struct path_entry *e = path_find(&paths, &dst);
        CHECK(e != NULL && !e->is_on_link && ip_addr_eq(&e->gateway, &gateway));
    }
    struct ip_addr neighbour = addr_of("192.0.2.77");
    CHECK(path_find(&paths, &neighbour)->is_on_link);
}

TEST(an_ip6_default_route_does_not_carry_ip4)
{
    struct net_route route = {addr_of("::"), 0, 0, 0, addr_of("2001:db8::1")};
    build_paths(NULL, 0, &route, 1);
    struct ip_addr dst = addr_of("192.0.2.1");
    CHECK(path_find(&paths, &dst) == NULL);
    dst = addr_of("2001:db8::5");
    CHECK(path_find(&paths, &dst) != NULL);
}

TEST(the_way_is_that_of_a_linear_search_for_many_random_tables)
{
    struct rng rng = {3};
    static struct net_route routes[200];
    for (unsigned round = 0; round < 50; round++) {
        unsigned n = 1 + rng_below(&rng, array_len(routes));
        for (unsigned i = 0; i < n; i++) {
            routes[i] = (struct net_route){.prefix = addr_of("10.0.0.0"),
                                           .prefix_len = (uint8_t)(104 + rng_below(&rng, 25)),
                                           .gateway = addr_of("192.0.2.1")};
            routes[i].prefix.bytes[14] = (uint8_t)rng_below(&rng, 4);
            routes[i].prefix.bytes[15] = (uint8_t)rng_next(&rng);
            routes[i].gateway.bytes[14] = (uint8_t)(i >> 8);
            routes[i].gateway.bytes[15] = (uint8_t)i;
        }
        build_paths(NULL, 0, routes, n);
        for (unsigned probe = 0; probe < 200; probe++) {
            struct ip_addr dst = addr_of("10.0.0.0");
            dst.bytes[14] = (uint8_t)rng_below(&rng, 5);
            dst.bytes[15] = (uint8_t)rng_next(&rng);
            const struct net_route *best = NULL;
            for (unsigned i = 0; i < n; i++) {
                if (ip_addr_in_prefix(&dst, &routes[i].prefix, routes[i].prefix_len) &&
                    (best == NULL || routes[i].prefix_len > best->prefix_len))
                    best = &routes[i];
            }
            const struct path_entry *e = path_find(&paths, &dst);
            CHECK((e == NULL) == (best == NULL));
            if (e != NULL && best != NULL)
                CHECK(ip_addr_eq(&e->gateway, &best->gateway));
        }
    }
}

/* By which of the gateways 192.0.2.1, 192.0.2.2 ... each of 256 destinations goes. */
static void find_gateways(uint8_t ret[256])
{
    for (unsigned i = 0; i < 256; i++) {
        struct ip_addr dst = addr_of("10.9.0.0");
        dst.bytes[15] = (uint8_t)i;
        const struct path_entry *e = path_find(&paths, &dst);
        REQUIRE(e != NULL);
        ret[i] = path_choose(&paths, e, &dst)->gateway.bytes[15];
    }
}

static unsigned count_of(const uint8_t gateways[256], uint8_t wanted)
{
    unsigned n = 0;
    for (unsigned i = 0; i < 256; i++)
        n += gateways[i] == wanted;
    return n;
}

static void set_gateway(const char *addr, bool is_down)
{
    struct ip_addr gateway = addr_of(addr);
    CHECK(path_gateway_set(&paths, 0, &gateway, is_down));
}

TEST(gateways_that_share_have_a_part_of_the_destinations_each_and_keep_it)
{
    struct net_route routes[] = {
        {addr_of("10.0.0.0"), 104, 0, 0, addr_of("192.0.2.1")},
        {addr_of("10.0.0.0"), 104, NET_ROUTE_SHARES, 0, addr_of("192.0.2.2")},
        {addr_of("10.0.0.0"), 104, NET_ROUTE_SHARES, 0, addr_of("192.0.2.3")},
        {addr_of("10.0.0.0"), 104, 0, 0, addr_of("192.0.2.4")},
        {addr_of("10.0.0.0"), 104, NET_ROUTE_SHARES, 0, addr_of("192.0.2.5")},
    };
    uint8_t before[256], after[256];
    build_paths(NULL, 0, routes, array_len(routes));
    find_gateways(before);
    for (uint8_t g = 1; g <= 3; g++)
        CHECK(count_of(before, g) > 256 / 3 / 2);
    CHECK_EQ(count_of(before, 4) + count_of(before, 5), 0);
    set_gateway("192.0.2.2", true);
    find_gateways(after);
    CHECK_EQ(count_of(after, 2), 0);
    for (unsigned i = 0; i < 256; i++)
        CHECK(before[i] == 2 || after[i] == before[i]);
    set_gateway("192.0.2.1", true);
    set_gateway("192.0.2.3", true);
    find_gateways(after); /* now those are used that stood by */
    CHECK(count_of(after, 4) > 0 && count_of(after, 5) > 0);
    CHECK_EQ(count_of(after, 4) + count_of(after, 5), 256);
    set_gateway("192.0.2.4", true);
    set_gateway("192.0.2.5", true);
    find_gateways(after);
    CHECK_EQ(count_of(after, 1), 256);
    for (unsigned g = 1; g <= 5; g++) {
        char text[16];
        snprintf(text, sizeof(text), "192.0.2.%u", g);
        set_gateway(text, false);
    }
    find_gateways(after);
    CHECK(memcmp(before, after, sizeof(before)) == 0);
}

TEST(nobody_shares_with_a_way_that_was_there_already)
{
    struct net_route routes[] = {
        {addr_of("10.0.0.0"), 104, 0, 0, addr_of("192.0.2.1")},
        {addr_of("10.0.0.0"), 104, 0, 0, addr_of("192.0.2.1")},
        {addr_of("10.0.0.0"), 104, NET_ROUTE_SHARES, 0, addr_of("192.0.2.2")},
        {addr_of("11.0.0.0"), 104, NET_ROUTE_SHARES, 0, addr_of("192.0.2.2")},
    };
    uint8_t gateways[256];
    build_paths(NULL, 0, routes, array_len(routes));
    find_gateways(gateways);
    CHECK_EQ(count_of(gateways, 1), 256);
    CHECK_EQ(paths.n, 3);
}

TEST(as_many_routes_as_there_may_be_are_all_found)
{
    static struct net_route routes[NET_ROUTES_MAX];
    for (unsigned i = 0; i < NET_ROUTES_MAX; i++) {
        routes[i] = (struct net_route){
            .prefix = addr_of("10.0.0.0"), .prefix_len = 120, .gateway = addr_of("192.0.2.1")};
        routes[i].prefix.bytes[13] = (uint8_t)(i >> 8);
        routes[i].prefix.bytes[14] = (uint8_t)i;
    }
    build_paths(NULL, 0, routes, NET_ROUTES_MAX);
    CHECK_EQ(paths.n, NET_ROUTES_MAX);
    for (unsigned i = 0; i < NET_ROUTES_MAX; i++) {
        struct ip_addr dst = routes[i].prefix;
        dst.bytes[15] = 9;
        const struct path_entry *e = path_find(&paths, &dst);
        CHECK(e != NULL && ip_addr_eq(&e->prefix, &routes[i].prefix));
    }
}

TEST(a_vip_is_never_a_source)
{
    struct net_address addresses[] = {{addr_of("192.0.2.80"), 120, 1, 0},
                                      {addr_of("192.0.2.1"), 120, 0, 0}};
    struct net_route route = {addr_of("0.0.0.0"), 96, 0, 0, addr_of("192.0.2.254")};
    build_paths(addresses, 2, &route, 1);
    static const char *const dsts[] = {"192.0.2.7", "8.8.8.8"};
    for (unsigned i = 0; i < array_len(dsts); i++) {
        struct ip_addr dst = addr_of(dsts[i]);
        const struct path_entry *e = path_find(&paths, &dst);
        CHECK(e != NULL && ip_addr_eq(&e->source, &addresses[1].addr));
    }
}

TEST(the_same_prefix_on_two_interfaces_is_on_link_on_the_first)
{
    struct net_address addresses[] = {{addr_of("192.0.2.1"), 120, 0, 2},
                                      {addr_of("192.0.2.2"), 120, 0, 1}};
    build_paths(addresses, 2, NULL, 0);
    struct ip_addr dst = addr_of("192.0.2.7");
    CHECK(path_find_on_link(&paths, 2, &dst) != NULL);
    CHECK(path_find_on_link(&paths, 1, &dst) == NULL);
}

TEST(a_bucket_gives_its_burst_and_then_its_rate)
{
    struct bucket b = {0};
    unsigned taken = 0;
    uint64_t now = 5000000;
    while (bucket_take(&b, now, 100, 10))
        taken++;
    CHECK_EQ(taken, 10);
    for (unsigned ms = 0; ms < 1000; ms++)
        taken += bucket_take(&b, now + ms * 1000, 100, 10);
    CHECK(taken >= 10 + 99 && taken <= 10 + 100);
    taken = 0;
    while (bucket_take(&b, now + 3600000000, 100, 10))
        taken++;
    CHECK_EQ(taken, 10);
}

UNIT_MAIN("net/tables", T(checksum_is_that_of_dpdk_at_every_length_and_alignment),
          T(checksum_of_all_ones_folds_its_carries),
          T(checksum_of_a_chain_does_not_depend_on_where_it_is_cut),
          T(pseudo_headers_are_those_of_dpdk), T(every_local_address_is_found_and_no_other),
          T(the_first_of_two_equal_addresses_wins), T(the_longest_prefix_wins),
          T(an_ip6_default_route_does_not_carry_ip4),
          T(the_way_is_that_of_a_linear_search_for_many_random_tables),
          T(gateways_that_share_have_a_part_of_the_destinations_each_and_keep_it),
          T(nobody_shares_with_a_way_that_was_there_already),
          T(as_many_routes_as_there_may_be_are_all_found), T(a_vip_is_never_a_source),
          T(the_same_prefix_on_two_interfaces_is_on_link_on_the_first),
          T(a_bucket_gives_its_burst_and_then_its_rate))
