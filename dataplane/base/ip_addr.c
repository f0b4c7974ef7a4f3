/* SPDX-License-Identifier: Apache-2.0 */
/* Text forms and prefix test of struct ip_addr. Pure; thread: any. */
#include "base/ip_addr.h"

#include "base/assert.h"

#include <arpa/inet.h>

bool ip_addr_parse(const char *text, struct ip_addr *ret)
{
    uint8_t raw[16];
    if (inet_pton(AF_INET, text, raw) == 1) {
        *ret = ip_addr_from_v4(raw);
        return true;
    }
    if (inet_pton(AF_INET6, text, raw) == 1) {
        *ret = ip_addr_from_v6(raw);
        return true;
    }
    return false;
}

/* Dotted decimal, as inet_ntop() writes it by way of printf(): each request carries one. */
static void format_v4(const uint8_t bytes[4], char *to)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned v = bytes[i];
        if (v >= 100)
            *to++ = (char)('0' + v / 100);
        if (v >= 10)
            *to++ = (char)('0' + v / 10 % 10);
        *to++ = (char)('0' + v % 10);
        *to++ = i < 3 ? '.' : '\0';
    }
}

const char *ip_addr_format(const struct ip_addr *a, char buf[IP_ADDR_TEXT_MAX])
{
    if (ip_addr_is_v4(a)) {
        format_v4(&a->bytes[12], buf);
        return buf;
    }
    const char *text = inet_ntop(AF_INET6, a->bytes, buf, IP_ADDR_TEXT_MAX);
    ASSERT(text == buf);
    return buf;
}

bool ip_addr_in_prefix(const struct ip_addr *a, const struct ip_addr *prefix, unsigned prefix_len)
{
    ASSERT(prefix_len <= 128);
    unsigned whole = prefix_len / 8;
    if (memcmp(a->bytes, prefix->bytes, whole) != 0)
        return false;
    unsigned rest = prefix_len % 8;
    if (rest == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return ((a->bytes[whole] ^ prefix->bytes[whole]) & mask) == 0;
}

static bool is_reachable4(const uint8_t four[4])
{
    bool is_link_local = four[0] == 169 && four[1] == 254;
    return four[0] != 0 && four[0] != 127 && four[0] < 224 && !is_link_local;
}

bool ip_addr_is_reachable(const struct ip_addr *a)
{
    static const struct ip_addr loopback = {.bytes = {[15] = 1}};
    static const struct ip_addr link_local = {.bytes = {0xfe, 0x80}};
    static const struct ip_addr multicast = {.bytes = {0xff}};
    if (ip_addr_is_v4(a))
        return is_reachable4(&a->bytes[12]);
    return !ip_addr_is_zero(a) && !ip_addr_eq(a, &loopback) &&
           !ip_addr_in_prefix(a, &link_local, 10) && !ip_addr_in_prefix(a, &multicast, 8);
}
