/* SPDX-License-Identifier: Apache-2.0 */
/* How flows are named on the command line. */
#include "ctl/match.h"
#include "unit.h"

/* Is the text read as this end (prefix counted as written for the family)? */
static bool is_end(const char *text, const char *address, unsigned prefix_len, uint16_t port)
{
    struct observe_match m;
    struct ip_addr want = {.bytes = {0}};
    if (!match_parse(text, &m) || m.b.prefix_len != 0 || m.b.port != 0)
        return false;
    if (address != NULL && !ip_addr_parse(address, &want))
        return false;
    return ip_addr_eq(&m.a.address, &want) && m.a.prefix_len == prefix_len && m.a.port == port;
}

TEST(an_end_is_an_address_a_prefix_a_port_or_any_of_them)
{
    CHECK(is_end("198.18.0.1", "198.18.0.1", 128, 0));
    CHECK(is_end("198.18.0.1:80", "198.18.0.1", 128, 80));
    CHECK(is_end("198.18.0.0/24", "198.18.0.0", 120, 0));
    CHECK(is_end("198.18.0.0/15:443", "198.18.0.0", 111, 443));
    CHECK(is_end(":80", NULL, 0, 80));
    CHECK(is_end("*:80", NULL, 0, 80));
    CHECK(is_end("*", NULL, 0, 0));
    CHECK(is_end("198.18.0.1:*", "198.18.0.1", 128, 0));
    CHECK(is_end("2001:db8::1", "2001:db8::1", 128, 0));
    CHECK(is_end("2001:db8::/32", "2001:db8::", 32, 0));
    CHECK(is_end("[2001:db8::1]", "2001:db8::1", 128, 0));
    CHECK(is_end("[2001:db8::1]:65535", "2001:db8::1", 128, 65535));
}

TEST(two_ends_have_a_comma_between_them)
{
    struct observe_match m;
    REQUIRE(match_parse("198.18.0.10:40000,[2001:db8::1]:80", &m));
    CHECK_EQ(m.a.port, 40000);
    CHECK_EQ(m.b.port, 80);
    CHECK_EQ(m.a.prefix_len, 128);
    CHECK_EQ(m.b.prefix_len, 128);
}

TEST(everything_else_is_refused_and_leaves_the_match_alone)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "198.18.0.300",
                                      "198.18.0.1:",
                                      "198.18.0.1:65536",
                                      "198.18.0.1:-1",
                                      "198.18.0.1:0x50",
                                      "198.18.0.1/33",
                                      "198.18.0.1/",
                                      "198.18.0.1/24/8",
                                      "/24",
                                      "2001:db8::/129",
                                      "[2001:db8::1",
                                      "[2001:db8::1]80",
                                      "[198.18.0.1]x:80",
                                      ":80,",
                                      ",:80",
                                      ":80,:81,:82"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct observe_match m = {.a = {.port = 4711}};
        if (match_parse(bad[i], &m))
            CHECK_STR(bad[i], "refused");
        CHECK_EQ(m.a.port, 4711);
    }
}

TEST(what_is_printed_is_read_again)
{
    static const char *const texts[] = {"198.18.0.1:80", "[2001:db8::1]:443"};
    for (unsigned i = 0; i < 2; i++) {
        struct observe_match m;
        char text[MATCH_END_TEXT_BYTES];
        REQUIRE(match_parse(texts[i], &m));
        CHECK_STR(match_end_format(&m.a.address, m.a.port, text), texts[i]);
    }
}

UNIT_MAIN("ctl/match", T(an_end_is_an_address_a_prefix_a_port_or_any_of_them),
          T(two_ends_have_a_comma_between_them),
          T(everything_else_is_refused_and_leaves_the_match_alone),
          T(what_is_printed_is_read_again))
