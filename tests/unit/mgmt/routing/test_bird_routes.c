/* SPDX-License-Identifier: Apache-2.0 */
/* What BIRD says to `show route`, as BIRD 2.0.12 and 2.17 write it. */
#include "base/container.h"
#include "routing/bird_routes.h"
#include "routing/learned.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static unsigned read_all(const char *const *lines, size_t n, struct bird_route *ret, unsigned max)
{
    struct bird_routes reader = {0};
    unsigned found = 0;
    for (size_t i = 0; i < n; i++) {
        struct bird_route route;
        if (bird_routes_line(&reader, lines[i], &route)) {
            REQUIRE(found < max);
            ret[found++] = route;
        }
    }
    return found;
}

static bool is_route(const struct bird_route *r, const char *destination, unsigned length,
                     const char *gateway, const char *protocol, bool is_best)
{
    char text[IP_ADDR_TEXT_MAX];
    bool is_there = strcmp(ip_addr_format(&r->destination, text), destination) == 0;
    return is_there && r->length == length &&
           strcmp(ip_addr_format(&r->gateway, text), gateway) == 0 &&
           strcmp(r->protocol, protocol) == 0 && r->is_best == is_best;
}

TEST(each_way_of_each_peer_is_a_route)
{
    static const char *const lines[] = {
        "Table master4:",
        "10.244.1.0/24        unicast [peer-a.b 18:51:30.271] * (100) [AS65010i]",
        "\tvia 198.18.0.2 on p0",
        "                     unicast [peer-c 18:51:30.271 from 198.18.0.9] (100/10) [AS65011i]",
        "\tvia 198.18.0.3 on p0.7 weight 1",
        "\tvia 198.18.0.4 on p0.7 weight 1",
        "",
        "Table master6:",
        "2001:db8:f:1::/64    unicast [peer-six 2026-11-28] * (100) [i]",
        "\tvia fe80::2 on p1",
    };
    struct bird_route found[4];
    REQUIRE(read_all(lines, array_len(lines), found, 4) == 4);
    CHECK(is_route(&found[0], "10.244.1.0", 24, "198.18.0.2", "peer-a.b", true));
    CHECK(is_route(&found[1], "10.244.1.0", 24, "198.18.0.3", "peer-c", false));
    CHECK(is_route(&found[2], "10.244.1.0", 24, "198.18.0.4", "peer-c", false));
    CHECK(is_route(&found[3], "2001:db8:f:1::", 64, "fe80::2", "peer-six", true));
    CHECK(strcmp(found[0].link, "p0") == 0 && strcmp(found[1].link, "p0.7") == 0);
}

TEST(what_leads_nowhere_is_no_route)
{
    static const char *const lines[] = {
        "10.1.0.0/16          unreachable [peer-a 18:51:30.271] * (100) [AS65010i]",
        "10.2.0.0/16          blackhole [vips4 18:51:29.385] * (200)",
        "\tvia 198.18.0.2 on p0",
        "10.3.0.0/99          unicast [peer-a 18:51:30.271] * (100) [AS65010i]",
        "\tvia 198.18.0.2 on p0",
        "nonsense",
        "\tvia 198.18.0.2 on p0",
        "10.4.0.0/16          unicast [peer-a 18:51:30.271] * (100) [AS65010i]",
        "\tdev p0",
        "\tvia nobody on p0",
        "Network not found",
        "\tvia 198.18.0.2 on p0",
    };
    struct bird_route found[1];
    CHECK_EQ(read_all(lines, array_len(lines), found, 1), 0);
}

TEST(no_prefix_of_a_line_is_read_beyond_its_end)
{
    static const char line[] = "10.244.1.0/24        unicast [peer-a 18:51:30.271] * (100)";
    for (size_t len = 0; len < sizeof(line); len++) {
        struct bird_routes reader = {0};
        struct bird_route route;
        char *cut = strndup(line, len);
        REQUIRE(cut != NULL);
        CHECK(!bird_routes_line(&reader, cut, &route));
        free(cut);
    }
}

static struct bird_route route_of(const char *protocol, unsigned i)
{
    struct bird_route r = {.length = 24};
    REQUIRE(ip_addr_parse("10.0.0.0", &r.destination));
    r.destination.bytes[13] = (uint8_t)(i >> 8);
    r.destination.bytes[14] = (uint8_t)i;
    snprintf(r.protocol, sizeof(r.protocol), "%s", protocol);
    return r;
}

TEST(what_is_learned_is_in_an_order_of_its_own_and_what_has_no_room_is_counted)
{
    static struct learned l;
    for (unsigned i = LEARNED_MAX + 3; i-- > 0;) {
        struct bird_route r = route_of(i % 2 == 0 ? "peer-a" : "peer-b", i);
        learned_add(&l, &r);
    }
    learned_sort(&l);
    CHECK_EQ(l.n, LEARNED_MAX);
    CHECK_EQ(l.n_left_out, 3);
    CHECK_EQ(learned_count(&l, "peer-a") + learned_count(&l, "peer-b"), LEARNED_MAX);
    CHECK_EQ(learned_count(&l, "peer"), 0);
    for (unsigned i = 1; i < l.n; i++) {
        int by_peer = strcmp(l.routes[i - 1].protocol, l.routes[i].protocol);
        CHECK(by_peer < 0 || (by_peer == 0 && memcmp(&l.routes[i - 1].destination,
                                                     &l.routes[i].destination, 16) < 0));
    }
}

UNIT_MAIN("routing/bird_routes", T(each_way_of_each_peer_is_a_route),
          T(what_leads_nowhere_is_no_route), T(no_prefix_of_a_line_is_read_beyond_its_end),
          T(what_is_learned_is_in_an_order_of_its_own_and_what_has_no_room_is_counted))
