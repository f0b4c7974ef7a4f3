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

const char *ip_addr_format(const struct ip_addr *a, char buf[IP_ADDR_TEXT_MAX])
{
    const char *text = ip_addr_is_v4(a) ? inet_ntop(AF_INET, &a->bytes[12], buf, IP_ADDR_TEXT_MAX)
                                        : inet_ntop(AF_INET6, a->bytes, buf, IP_ADDR_TEXT_MAX);
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
