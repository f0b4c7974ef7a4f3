/* SPDX-License-Identifier: Apache-2.0 */
/* A view as BIRD's text. */
#include "base/container.h"
#include "routing/bird_config.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct ip_addr addr_of(const char *text)
{
    struct ip_addr a;
    REQUIRE(ip_addr_parse(text, &a));
    return a;
}

static struct bird_peer peer_of(const char *name, const char *address, const char *local)
{
    return (struct bird_peer){.name = name,
                              .address = addr_of(address),
                              .local = addr_of(local),
                              .peer_asn = 65000,
                              .local_asn = 65001,
                              .hold_s = 90,
                              .retry_s = 5};
}

/* The text of a view with both families' VIPs and these peers; the caller frees it. */
static char *text_of(enum bird_drain drain, const struct bird_peer *peers, uint32_t n)
{
    struct ip_addr vips[] = {addr_of("203.0.113.10"), addr_of("2001:db8::10")};
    struct bird_view v = {.router_id = addr_of("198.18.0.1"),
                          .drain = drain,
                          .n_vips = array_len(vips),
                          .vips = vips,
                          .n_peers = n,
                          .peers = peers};
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    REQUIRE(to != NULL);
    bird_config_write(&v, to);
    fclose(to);
    return text;
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

TEST(vips_are_routes_of_their_family)
{
    char *text = text_of(BIRD_DRAIN_NONE, NULL, 0);
    CHECK(has(text, "router id 198.18.0.1;\n"));
    CHECK(has(text, "    ipv4;\n    route 203.0.113.10/32 blackhole;\n}\n"));
    CHECK(has(text, "    ipv6;\n    route 2001:db8::10/128 blackhole;\n}\n"));
    free(text);
}

TEST(vips_are_read_back_from_the_text)
{
    struct ip_addr found[3], v4 = addr_of("203.0.113.10"), v6 = addr_of("2001:db8::10");
    char *text = text_of(BIRD_DRAIN_NONE, NULL, 0);
    REQUIRE(bird_config_read_vips(text, found, 3) == 2);
    CHECK(ip_addr_eq(&found[0], &v4) && ip_addr_eq(&found[1], &v6));
    CHECK_EQ(bird_config_read_vips(text, found, 1), 1);
    free(text);
    CHECK_EQ(bird_config_read_vips("    route nobody/32;\n    route 192.0.2.1\n", found, 3), 0);
}

TEST(a_peer_has_what_its_object_says)
{
    struct bird_peer p = peer_of("a.b-c", "198.18.0.254", "198.18.0.1");
    p.password = "secret";
    p.bfd_ms = 100;
    p.bfd_multiplier = 3;
    p.has_med = true;
    p.med = 5;
    p.has_local_preference = true;
    p.local_preference = 200;
    p.prepend = 2;
    p.n_communities = 1;
    p.communities[0][0] = 65001;
    p.communities[0][1] = 7;
    char *text = text_of(BIRD_DRAIN_NONE, &p, 1);
    const char *const parts[] = {"protocol bgp 'peer-a.b-c' {\n",
                                 "local 198.18.0.1 as 65001;\n",
                                 "neighbor 198.18.0.254 as 65000;\n",
                                 "password \"secret\";\n",
                                 "bfd { interval 100 ms; multiplier 3; };\n",
                                 "hold time 90;\n",
                                 "if proto != \"vips4\" then reject;\n",
                                 "bgp_med = 5;\n",
                                 "bgp_local_pref = 200;\n",
                                 "bgp_path.prepend(65001);\n            bgp_path.prepend(65001);\n",
                                 "bgp_community.add((65001, 7));\n",
                                 "import none;\n"};
    for (size_t i = 0; i < array_len(parts); i++)
        CHECK(has(text, parts[i]));
    CHECK(!has(text, "65535"));
    free(text);
}

TEST(what_an_object_leaves_out_is_not_in_the_text)
{
    struct bird_peer p = peer_of("a", "2001:db8::254", "2001:db8::1");
    char *text = text_of(BIRD_DRAIN_NONE, &p, 1);
    const char *const parts[] = {"password", "bfd { interval", "bgp_med",  "bgp_local_pref",
                                 "prepend",  "bgp_community",  "multihop", "interface"};
    for (size_t i = 0; i < array_len(parts); i++)
        CHECK(!has(text, parts[i]));
    CHECK(has(text, "if proto != \"vips6\" then reject;\n"));
    CHECK(has(text, "    ipv6 {\n"));
    free(text);
}

TEST(routes_are_taken_within_prefixes_up_to_a_length_and_a_number)
{
    struct bird_peer p = peer_of("a", "198.18.0.254", "198.18.0.1");
    p.peer_asn = p.local_asn;
    p.accept_limit = 7;
    p.n_accepts = 2;
    p.accepts[0] = (struct bird_accept){addr_of("10.244.0.0"), 16, 26};
    p.accepts[1] = (struct bird_accept){addr_of("0.0.0.0"), 0, 32};
    char *text = text_of(BIRD_DRAIN_NONE, &p, 1);
    CHECK(has(text, "        import filter {\n            if net.len > 1007 then reject;\n"
                    "            if net ~ [ 10.244.0.0/16{16,26}, 0.0.0.0/0{0,32} ] then accept;\n"
                    "            reject;\n        };\n        import limit 7 action block;\n"));
    CHECK(has(text, "    direct;\n") && !has(text, "protocol direct"));
    CHECK(!has(text, "import none"));
    free(text);
    p.multihop = 4; /* its gateways are found by what is on links */
    text = text_of(BIRD_DRAIN_NONE, &p, 1);
    CHECK(has(text, "protocol direct {\n    ipv4;\n    ipv6;\n}\n"));
    free(text);
}

TEST(peers_far_away_and_on_links_say_so)
{
    struct bird_peer p = peer_of("a", "192.0.2.1", "198.18.0.1");
    p.multihop = 4;
    char *text = text_of(BIRD_DRAIN_NONE, &p, 1);
    CHECK(has(text, "multihop 4;\n"));
    CHECK(!has(text, "direct;"));
    free(text);
    p = peer_of("a", "fe80::9", "2001:db8::1");
    p.link = "p0.7";
    text = text_of(BIRD_DRAIN_NONE, &p, 1);
    CHECK(has(text, "interface \"p0.7\";\n"));
    free(text);
}

TEST(a_soft_drain_makes_routes_the_last_choice)
{
    struct bird_peer p = peer_of("a", "198.18.0.254", "198.18.0.1");
    p.has_local_preference = true;
    p.local_preference = 200;
    char *text = text_of(BIRD_DRAIN_DEPRIORITIZE, &p, 1);
    CHECK(has(text, "bgp_community.add((65535, 0));\n"));
    CHECK(has(text, "bgp_local_pref = 0;\n"));
    CHECK(has(text, "bgp_path.prepend(65001);\n            bgp_path.prepend(65001);\n"
                    "            bgp_path.prepend(65001);\n"));
    CHECK(has(text, "route 203.0.113.10/32"));
    free(text);
}

TEST(a_hard_drain_leaves_the_sessions_and_takes_the_routes)
{
    struct bird_peer p = peer_of("a", "198.18.0.254", "198.18.0.1");
    char *text = text_of(BIRD_DRAIN_WITHDRAW, &p, 1);
    CHECK(!has(text, "route 203"));
    CHECK(!has(text, "route 2001"));
    CHECK(has(text, "protocol bgp 'peer-a'"));
    free(text);
}

UNIT_MAIN("mgmt/routing", T(vips_are_routes_of_their_family), T(vips_are_read_back_from_the_text),
          T(a_peer_has_what_its_object_says), T(what_an_object_leaves_out_is_not_in_the_text),
          T(routes_are_taken_within_prefixes_up_to_a_length_and_a_number),
          T(peers_far_away_and_on_links_say_so), T(a_soft_drain_makes_routes_the_last_choice),
          T(a_hard_drain_leaves_the_sessions_and_takes_the_routes))
