/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of the PROXY protocol: what is one, what is none, and that neither depends on how the
 * bytes come. */
#include "base/container.h"
#include "base/names.h"
#include "proxy_protocol/proxy_protocol_priv.h"
#include "unit.h"

#include <string.h>

static const char *name_of(enum proxy_protocol r)
{
#define NAME(name, help) #name,
    static const char *const names[] = {PROXY_PROTOCOL_LIST(NAME)};
#undef NAME
    return names[r];
}

/* Reads the bytes as they come one by one: the verdict is that of all at once. */
static enum proxy_protocol read_all(const void *bytes, size_t len,
                                    struct proxy_protocol_header *ret)
{
    struct proxy_protocol_header header;
    enum proxy_protocol whole = proxy_protocol_read(bytes, len, ret);
    for (size_t n = 0; n <= len; n++) {
        enum proxy_protocol part = proxy_protocol_read(bytes, n, &header);
        if (part == PROXY_PROTOCOL_partial && n < len)
            continue;
        CHECK_STR(name_of(part), name_of(whole));
        CHECK(part != PROXY_PROTOCOL_whole ||
              (header.bytes == ret->bytes && header.is_local == ret->is_local &&
               memcmp(&header.ends, &ret->ends, sizeof(ret->ends)) == 0));
        break;
    }
    return whole;
}

static const char *verdict(const char *text)
{
    struct proxy_protocol_header header;
    return name_of(read_all(text, strlen(text), &header));
}

static void check_addr(const struct ip_addr *addr, const char *text)
{
    char buf[IP_ADDR_TEXT_MAX];
    CHECK_STR(ip_addr_format(addr, buf), text);
}

TEST(a_line_tells_both_ends_and_where_it_ends)
{
    static const char line[] =
        "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n";
    struct proxy_protocol_header h = {0};
    CHECK_EQ(read_all(line, sizeof(line) - 1, &h), PROXY_PROTOCOL_whole);
    CHECK_EQ(h.bytes, 47);
    CHECK(!h.is_local);
    check_addr(&h.ends.source, "192.168.0.1");
    check_addr(&h.ends.destination, "192.168.0.11");
    CHECK_EQ(h.ends.source_port, 56324);
    CHECK_EQ(h.ends.destination_port, 443);

    static const char v6[] = "PROXY TCP6 2001:db8::A 2001:DB8:0:0:0:0:0:1 0 65535\r\n";
    CHECK_EQ(read_all(v6, sizeof(v6) - 1, &h), PROXY_PROTOCOL_whole);
    CHECK_EQ(h.bytes, sizeof(v6) - 1);
    check_addr(&h.ends.source, "2001:db8::a");
    check_addr(&h.ends.destination, "2001:db8::1");
    CHECK_EQ(h.ends.source_port, 0);
    CHECK_EQ(h.ends.destination_port, 65535);
}

TEST(an_unknown_line_tells_nothing_whatever_it_says)
{
    static const char *const lines[] = {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN \r\n",
                                        "PROXY UNKNOWN what ever 1 2 3\r\n",
                                        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"};
    for (size_t i = 0; i < array_len(lines); i++) {
        struct proxy_protocol_header h = {0};
        CHECK_EQ(read_all(lines[i], strlen(lines[i]), &h), PROXY_PROTOCOL_whole);
        CHECK(h.is_local);
        CHECK_EQ(h.bytes, strlen(lines[i]));
    }
    CHECK_EQ(strlen(lines[3]), PROXY_PROTOCOL_LINE_BYTES_MAX);
}

TEST(a_line_that_could_be_read_in_two_ways_is_refused)
{
    static const struct {
        const char *line;
        const char *verdict;
    } rows[] = {
        {"", "partial"},
        {"PROXY", "partial"},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r", "partial"},
        {"GET / HTTP/1.1\r\n", "foreign"},
        {"PROX ", "foreign"},
        {"proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "foreign"},
        {"PROXY\tTCP4 1.2.3.4 5.6.7.8 1 2\r\n", "foreign"},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", "line_end"},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rX\r\n", "line_end"},
        {"PROXY UNKNOWN \n\r\n", "line_end"},
        {"PROXY UNKNOWNX\r\n", "fields"},
        {"PROXY \r\n", "fields"},
        {"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", "fields"},
        {"PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n", "fields"},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "fields"},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", "fields"},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", "fields"},
        {"PROXY TCP4  1.2.3.4 5.6.7.8 1\r\n", "address"},
        {"PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "fields"},
        {"PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n", "address"},
        {"PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", "address"},
        {"PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n", "address"},
        {"PROXY TCP4 1.2.3.4 ::1 1 2\r\n", "address"},
        {"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n", "address"},
        {"PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n", "address"},
        {"PROXY TCP6 1::2::3 ::1 1 2\r\n", "address"},
        {"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "address"},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", "port"},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", "port"},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n", "port"},
        {"PROXY TCP4 1.2.3.4 5.6.7.8  2\r\n", "port"},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n", "port"},
    };
    for (size_t i = 0; i < array_len(rows); i++)
        CHECK_STR(verdict(rows[i].line), rows[i].verdict);
    char line[PROXY_PROTOCOL_LINE_BYTES_MAX + 2] = "PROXY UNKNOWN ";
    memset(line + 14, 'x', sizeof(line) - 15);
    line[sizeof(line) - 1] = '\0';
    CHECK_STR(verdict(line), "long"); /* no end within 107 bytes */
    memcpy(line + PROXY_PROTOCOL_LINE_BYTES_MAX - 1, "\r\n", 2);
    CHECK_STR(verdict(line), "long"); /* the end is one byte too late */
    CHECK_STR(verdict("PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n"), "whole");
}

/* A header of version 2; what follows its 16 bytes is `rest`. */
static size_t make(uint8_t *to, uint8_t command, uint8_t family, const uint8_t *rest, uint16_t len)
{
    memcpy(to, "\r\n\r\n\0\r\nQUIT\n", 12);
    to[12] = command;
    to[13] = family;
    to[14] = (uint8_t)(len >> 8);
    to[15] = (uint8_t)len;
    if (len > 0)
        memcpy(to + 16, rest, len);
    return 16u + len;
}

/* 192.0.2.1:258 to 198.51.100.2:443, and 240 bytes of whatever. */
static const uint8_t ip4_rest[252] = {192, 0, 2, 1, 198, 51, 100, 2, 1, 2, 1, 187};

static const char *verdict2(uint8_t command, uint8_t family, const uint8_t *rest, uint16_t len,
                            struct proxy_protocol_header *ret)
{
    uint8_t bytes[2048];
    *ret = (struct proxy_protocol_header){0};
    size_t n = make(bytes, command, family, rest, len);
    memset(bytes + n, 'x', 10); /* the connection's own */
    return name_of(read_all(bytes, n + 10, ret));
}

TEST(the_binary_form_tells_both_ends)
{
    struct proxy_protocol_header h;
    CHECK_STR(verdict2(0x21, 0x11, ip4_rest, 12, &h), "whole");
    CHECK(!h.is_local);
    CHECK_EQ(h.bytes, 28);
    check_addr(&h.ends.source, "192.0.2.1");
    check_addr(&h.ends.destination, "198.51.100.2");
    CHECK_EQ(h.ends.source_port, 258);
    CHECK_EQ(h.ends.destination_port, 443);

    uint8_t ip6[36] = {[0] = 0x20,  [1] = 1,  [2] = 0xd, [3] = 0xb8, [15] = 1,
                       [16] = 0xfd, [31] = 2, [33] = 80, [35] = 81};
    CHECK_STR(verdict2(0x21, 0x21, ip6, 36, &h), "whole");
    CHECK_EQ(h.bytes, 52);
    check_addr(&h.ends.source, "2001:db8::1");
    check_addr(&h.ends.destination, "fd00::2");
    CHECK_EQ(h.ends.source_port, 80);
    CHECK_EQ(h.ends.destination_port, 81);
}

TEST(a_connection_for_nobody_and_families_that_we_do_not_use_count_as_they_are)
{
    static const struct {
        uint8_t command, family;
        uint16_t len;
    } rows[] = {{0x20, 0, 0},     {0x20, 0x11, 12},  {0x20, 0xff, 3},  {0x21, 0, 0},
                {0x21, 0, 5},     {0x21, 0x01, 12},  {0x21, 0x10, 12}, {0x21, 0x12, 12},
                {0x21, 0x22, 36}, {0x21, 0x31, 216}, {0x21, 0x32, 216}};
    for (size_t i = 0; i < array_len(rows); i++) {
        struct proxy_protocol_header h;
        CHECK_STR(verdict2(rows[i].command, rows[i].family, ip4_rest, rows[i].len, &h), "whole");
        CHECK(h.is_local);
        CHECK_EQ(h.bytes, 16 + rows[i].len);
    }
}

TEST(what_version_2_does_not_know_is_refused_as_soon_as_it_is_seen)
{
    static uint8_t rest[PROXY_PROTOCOL_BYTES_MAX];
    struct proxy_protocol_header h;
    CHECK_STR(verdict2(0x11, 0x11, ip4_rest, 12, &h), "version");
    CHECK_STR(verdict2(0x31, 0x11, ip4_rest, 12, &h), "version");
    CHECK_STR(verdict2(0x22, 0x11, ip4_rest, 12, &h), "command");
    CHECK_STR(verdict2(0x21, 0x41, ip4_rest, 12, &h), "family");
    CHECK_STR(verdict2(0x21, 0x13, ip4_rest, 12, &h), "family");
    CHECK_STR(verdict2(0x21, 0x11, ip4_rest, 11, &h), "short");
    CHECK_STR(verdict2(0x21, 0x21, ip4_rest, 35, &h), "short");
    CHECK_STR(verdict2(0x21, 0x31, ip4_rest, 215, &h), "short");
    CHECK_STR(verdict2(0x20, 0, rest, PROXY_PROTOCOL_BYTES_MAX - 16, &h), "whole");
    CHECK_STR(verdict2(0x20, 0, rest, PROXY_PROTOCOL_BYTES_MAX - 15, &h), "long");
    CHECK_STR(verdict("\r\n\r\n0"), "foreign");
    CHECK_STR(verdict("\r\n\r\r"), "foreign");
}

TEST(what_follows_the_addresses_is_walked_to_its_end)
{
    struct proxy_protocol_header h;
    uint8_t rest[32];
    memcpy(rest, ip4_rest, 12);
    memcpy(rest + 12,
           "\x04\0\0\xe0\0\x02zz\x02\0\x01"
           "a",
           12);
    CHECK_STR(verdict2(0x21, 0x11, rest, 24, &h), "whole");
    CHECK_EQ(h.bytes, 40);
    CHECK_STR(verdict2(0x21, 0x11, rest, 23, &h), "tlv"); /* the last value is cut */
    CHECK_STR(verdict2(0x21, 0x11, rest, 22, &h), "tlv"); /* a length without its half */
    CHECK_STR(verdict2(0x21, 0x11, rest, 21, &h), "tlv");
    CHECK_STR(verdict2(0x21, 0x11, rest, 20, &h), "whole");
    memcpy(rest + 12, "\x03\0\x03zzz", 6);
    CHECK_STR(verdict2(0x21, 0x11, rest, 18, &h), "tlv"); /* a checksum has four bytes */
}

TEST(a_checksum_is_of_the_header_without_itself)
{
    CHECK_EQ(proxy_protocol_crc32c(0, (const uint8_t *)"123456789", 9), 0xe3069283u);
    uint8_t bytes[64];
    uint8_t rest[23];
    struct proxy_protocol_header h;
    memcpy(rest, ip4_rest, 12);
    memcpy(rest + 12, "\x03\0\x04\0\0\0\0\x04\0\x01z", 11);
    size_t n = make(bytes, 0x21, 0x11, rest, sizeof(rest));
    uint32_t crc = proxy_protocol_crc32c(0, bytes, n);
    for (unsigned i = 0; i < 4; i++)
        bytes[31 + i] = (uint8_t)(crc >> (24 - 8 * i));
    CHECK_STR(name_of(read_all(bytes, n, &h)), "whole");
    for (size_t i = 12; i < n; i++) {
        bytes[i] ^= 1;
        bool is_other = i < 14 || i == 28; /* then nothing is told, or it is no checksum */
        CHECK(proxy_protocol_read(bytes, n, &h) != PROXY_PROTOCOL_whole || is_other);
        bytes[i] ^= 1;
    }
    bytes[n - 1] ^= 1; /* in the padding that follows */
    CHECK_STR(name_of(read_all(bytes, n, &h)), "checksum");
}

static struct ip_addr ip(const char *text)
{
    struct ip_addr a;
    REQUIRE(ip_addr_parse(text, &a));
    return a;
}

TEST(what_is_written_is_read_as_what_was_meant)
{
    static const char *const addresses[][2] = {
        {"192.0.2.1", "198.51.100.255"},
        {"2001:db8::1", "2001:db8::2"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"192.0.2.1", "2001:db8::2"}, /* one of each: both in the wider form */
        {"::1.2.3.4", "::"},
        {"0.0.0.0", "255.255.255.255"},
    };
    for (size_t i = 0; i < array_len(addresses); i++) {
        struct proxy_protocol_ends ends = {.source = ip(addresses[i][0]),
                                           .destination = ip(addresses[i][1]),
                                           .source_port = 65535,
                                           .destination_port = 0};
        for (unsigned version = 1; version <= 2; version++) {
            uint8_t bytes[PROXY_PROTOCOL_LINE_BYTES_MAX];
            struct proxy_protocol_header h = {0};
            size_t n = version == 1 ? proxy_protocol_write_v1(&ends, bytes)
                                    : proxy_protocol_write_v2(&ends, bytes);
            CHECK_STR(name_of(read_all(bytes, n, &h)), "whole");
            CHECK_EQ(h.bytes, n);
            CHECK(!h.is_local && memcmp(&h.ends, &ends, sizeof(ends)) == 0);
        }
    }
    uint8_t bytes[PROXY_PROTOCOL_LINE_BYTES_MAX];
    struct proxy_protocol_header h = {0};
    CHECK_EQ(proxy_protocol_write_v2_local(bytes), 16);
    CHECK_STR(name_of(read_all(bytes, 16, &h)), "whole");
    CHECK(h.is_local);
}

UNIT_MAIN("proxy_protocol", T(a_line_tells_both_ends_and_where_it_ends),
          T(an_unknown_line_tells_nothing_whatever_it_says),
          T(a_line_that_could_be_read_in_two_ways_is_refused), T(the_binary_form_tells_both_ends),
          T(a_connection_for_nobody_and_families_that_we_do_not_use_count_as_they_are),
          T(what_version_2_does_not_know_is_refused_as_soon_as_it_is_seen),
          T(what_follows_the_addresses_is_walked_to_its_end),
          T(a_checksum_is_of_the_header_without_itself),
          T(what_is_written_is_read_as_what_was_meant))
