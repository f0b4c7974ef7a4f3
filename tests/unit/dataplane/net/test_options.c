/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 options and IPv6 extension headers: what is read, what is refused and where it is at fault.
 * Each lies in memory of just its size. */
#include "base/container.h"
#include "net/ip4_options.h"
#include "net/ip6_ext.h"
#include "net/net_limits.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* A copy in memory of its own. */
static uint8_t *copy_of(const void *bytes, uint32_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    REQUIRE(copy != NULL);
    memcpy(copy, bytes, len);
    return copy;
}

static void check_ip4(const char *bytes, uint32_t len, enum ip4_options_fault fault, uint32_t at)
{
    uint8_t *copy = copy_of(bytes, len);
    uint32_t fault_at = 99;
    CHECK_EQ(ip4_options_check(copy, len, &fault_at), fault);
    CHECK_EQ(fault_at, fault == IP4_OPTIONS_FINE ? 99 : at);
    free(copy);
}

TEST(options_that_we_do_not_use_are_skipped)
{
    check_ip4("", 0, IP4_OPTIONS_FINE, 0);
    check_ip4("\1\1\1\0", 4, IP4_OPTIONS_FINE, 0);
    check_ip4("\0\203\1\1", 4, IP4_OPTIONS_FINE, 0);           /* behind the end is nothing */
    check_ip4("\x94\4\0\0", 4, IP4_OPTIONS_FINE, 0);           /* router alert */
    check_ip4("\7\7\4\0\0\0\0\0", 8, IP4_OPTIONS_FINE, 0);     /* record route */
    check_ip4("\x44\10\5\0\0\0\0\0", 8, IP4_OPTIONS_FINE, 0);  /* timestamp */
    check_ip4("\x1e\2\x5e\6\1\1\1\1", 8, IP4_OPTIONS_FINE, 0); /* nobody's */
    check_ip4("\1\x82\13SSSSSSSSS", 12, IP4_OPTIONS_FINE, 0);  /* security */
}

TEST(option_lengths_are_taken_at_their_word)
{
    check_ip4("\7\2\4\0", 4, IP4_OPTIONS_BROKEN, 0);   /* too short to be one */
    check_ip4("\x44\3\5\0", 4, IP4_OPTIONS_BROKEN, 0); /* the same */
    check_ip4("\1\x94\0\0", 4, IP4_OPTIONS_BROKEN, 1); /* none at all */
    check_ip4("\x94\1\0\0", 4, IP4_OPTIONS_BROKEN, 0);
    check_ip4("\1\x94\4\0", 4, IP4_OPTIONS_BROKEN, 1); /* leads out of the header */
    check_ip4("\1\1\1\x94", 4, IP4_OPTIONS_BROKEN, 3); /* no place for a length */
    check_ip4("\x94\xff\0\0", 4, IP4_OPTIONS_BROKEN, 0);
}

TEST(source_routes_are_refused)
{
    check_ip4("\x83\7\4\0\0\0\0\0", 8, IP4_OPTIONS_SOURCE_ROUTE, 0);
    check_ip4("\1\x89\7\10\0\0\0\0", 8, IP4_OPTIONS_SOURCE_ROUTE, 1); /* at its end, too */
    check_ip4("\x83\3\4\0", 4, IP4_OPTIONS_SOURCE_ROUTE, 0);
    check_ip4("\x83\2\4\0", 4, IP4_OPTIONS_BROKEN, 0);
}

TEST(any_forty_bytes_are_read_without_a_step_outside)
{
    uint32_t seed = 1;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t bytes[40];
        uint32_t len = i % 11 * 4;
        for (unsigned j = 0; j < len; j++) {
            seed = seed * 1664525 + 1013904223;
            bytes[j] = seed >> 28 == 0 ? (uint8_t)(seed >> 16) : (uint8_t)(seed >> 24) % 12;
        }
        uint8_t *copy = copy_of(bytes, len);
        uint32_t at = 0;
        enum ip4_options_fault fault = ip4_options_check(copy, len, &at);
        CHECK(fault == IP4_OPTIONS_FINE || at < len);
        free(copy);
    }
}

/* Walks `len` bytes of extension headers, the first of which is `proto`. */
static struct ip6_walk walk(uint8_t proto, const void *bytes, uint32_t len, enum ip6_walk_end *ret)
{
    uint8_t packet[1500] = {0x60, [6] = proto};
    memcpy(packet + 40, bytes, len);
    uint8_t *copy = copy_of(packet, 40 + len);
    struct ip6_walk w = {
        .bytes = copy, .len = 40 + len, .offset = 40, .next_at = 6, .proto = proto};
    *ret = ip6_walk(&w);
    free(copy);
    w.bytes = NULL;
    return w;
}

static void check_ip6(uint8_t proto, const char *bytes, uint32_t len, enum ip6_walk_end end)
{
    enum ip6_walk_end got;
    walk(proto, bytes, len, &got);
    CHECK_EQ(got, end);
}

TEST(a_walk_ends_at_the_upper_layer)
{
    enum ip6_walk_end end;
    struct ip6_walk w = walk(6, "", 0, &end);
    CHECK(end == IP6_WALK_UPPER && w.offset == 40 && w.next_at == 6 && w.proto == 6);
    w = walk(0,
             "\53\0\1\4\0\0\0\0"
             "\74\0\0\0\0\0\0\0"
             "\21\1\1\14PPPPPPPPPPPP",
             32, &end);
    CHECK(end == IP6_WALK_UPPER && w.offset == 72 && w.next_at == 56 && w.proto == 17);
    CHECK(!w.has_fragment);
    w = walk(44, "\6\0\0\6\0\0\0\1", 8, &end); /* whole; reserved bits say nothing */
    CHECK(end == IP6_WALK_UPPER && w.offset == 48 && w.has_fragment);
    w = walk(51, "\6\4", 2, &end); /* an authentication header is none that we know */
    CHECK(end == IP6_WALK_UPPER && w.proto == 51);
}

TEST(a_walk_ends_before_a_fragment)
{
    enum ip6_walk_end end;
    struct ip6_walk w = walk(60,
                             "\54\0\1\4\0\0\0\0"
                             "\6\0\0\1\0\0\0\1",
                             16, &end);
    CHECK(end == IP6_WALK_FRAGMENT && w.offset == 48);
    check_ip6(44, "\6\0\0\10\0\0\0\1", 8, IP6_WALK_FRAGMENT);
    check_ip6(44,
              "\54\0\0\0\0\0\0\1"
              "\6\0\0\0\0\0\0\1",
              16, IP6_WALK_REFUSED); /* twice */
}

TEST(unknown_options_do_what_their_type_says)
{
    enum ip6_walk_end end;
    check_ip6(0, "\6\0\x1e\4\0\0\0\0", 8, IP6_WALK_UPPER);
    check_ip6(60, "\6\0\x5e\4\0\0\0\0", 8, IP6_WALK_REFUSED);
    struct ip6_walk w = walk(60, "\6\0\0\x9e\3\0\0\0", 8, &end);
    CHECK(end == IP6_WALK_OPTION && w.pointer == 43 && w.tells_groups);
    w = walk(0, "\6\0\xde\4\0\0\0\0", 8, &end);
    CHECK(end == IP6_WALK_OPTION && w.pointer == 42 && !w.tells_groups);
    check_ip6(60, "\6\0\x1e\5\0\0\0\0", 8, IP6_WALK_REFUSED); /* longer than its header */
    check_ip6(60, "\6\0\1\3\0\0\0\x1e", 8, IP6_WALK_REFUSED); /* no place for a length */
}

TEST(headers_must_be_whole_in_place_and_have_arrived)
{
    enum ip6_walk_end end;
    check_ip6(60, "\6\0\1\4\0\0\0", 7, IP6_WALK_REFUSED);
    check_ip6(60, "\6\1\1\4\0\0\0\0", 8, IP6_WALK_REFUSED);
    check_ip6(44, "\6\0\0\0\0\0\0", 7, IP6_WALK_REFUSED);
    struct ip6_walk w = walk(43, "\6\0\4\1\0\0\0\0", 8, &end);
    CHECK(end == IP6_WALK_HEADER && w.pointer == 42); /* the routing type: RFC 8200, 4.4 */
    w = walk(60,
             "\0\0\1\4\0\0\0\0"
             "\6\0\1\4\0\0\0\0",
             16, &end);
    CHECK(end == IP6_WALK_MISPLACED && w.pointer == 40);
}

TEST(a_chain_is_bounded_in_headers_bytes_and_options)
{
    enum ip6_walk_end end;
    uint8_t bytes[1400] = {0};
    for (unsigned n = 1; n <= NET_IP6_EXTENSIONS_MAX + 1; n++) {
        for (unsigned i = 0; i < n; i++)
            memcpy(bytes + 8 * i, i + 1 < n ? "\74\0\1\4\0\0\0\0" : "\6\0\1\4\0\0\0\0", 8);
        walk(60, bytes, 8 * n, &end);
        CHECK_EQ(end, n <= NET_IP6_EXTENSIONS_MAX ? IP6_WALK_UPPER : IP6_WALK_REFUSED);
    }
    for (unsigned len = NET_IP6_EXTENSION_BYTES_MAX; len <= NET_IP6_EXTENSION_BYTES_MAX + 8;
         len += 8) {
        memset(bytes, 0, sizeof(bytes)); /* Pad1 */
        bytes[0] = 6;
        bytes[1] = (uint8_t)(len / 8 - 1);
        walk(60, bytes, len, &end);
        CHECK_EQ(end, len == NET_IP6_EXTENSION_BYTES_MAX ? IP6_WALK_UPPER : IP6_WALK_REFUSED);
    }
    for (unsigned n = NET_IP6_OPTIONS_MAX; n <= NET_IP6_OPTIONS_MAX + 1; n++) {
        memset(bytes, 0, sizeof(bytes));
        bytes[0] = 6;
        bytes[1] = 4;
        for (unsigned i = 0; i < n; i++)
            bytes[2 + 2 * i] = 0x1e;
        walk(60, bytes, 40, &end);
        CHECK_EQ(end, n == NET_IP6_OPTIONS_MAX ? IP6_WALK_UPPER : IP6_WALK_REFUSED);
    }
}

UNIT_MAIN("net/options", T(options_that_we_do_not_use_are_skipped),
          T(option_lengths_are_taken_at_their_word), T(source_routes_are_refused),
          T(any_forty_bytes_are_read_without_a_step_outside), T(a_walk_ends_at_the_upper_layer),
          T(a_walk_ends_before_a_fragment), T(unknown_options_do_what_their_type_says),
          T(headers_must_be_whole_in_place_and_have_arrived),
          T(a_chain_is_bounded_in_headers_bytes_and_options))
