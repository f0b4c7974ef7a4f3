/* SPDX-License-Identifier: Apache-2.0 */
/* Headers that we send. */
#include "base/assert.h"
#include "proxy_protocol/proxy_protocol_priv.h"

#include <string.h>

struct text {
    uint8_t *to;
    size_t len;
};

static void put(struct text *t, const char *text)
{
    size_t n = strlen(text);
    ASSERT(t->len + n <= PROXY_PROTOCOL_LINE_BYTES_MAX);
    memcpy(t->to + t->len, text, n);
    t->len += n;
}

static void put_number(struct text *t, unsigned v, unsigned base)
{
    char digits[6];
    unsigned at = sizeof(digits) - 1;
    digits[at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v > 0);
    put(t, digits + at);
}

/* IPv6 with all of its groups: the short form of some addresses ends as IPv4 does, which the
 * specification does not know. */
static void put_address(struct text *t, const struct ip_addr *a, bool is_v6)
{
    char v4[IP_ADDR_TEXT_MAX];
    if (!is_v6) {
        put(t, ip_addr_format(a, v4));
        return;
    }
    for (unsigned i = 0; i < 16; i += 2) {
        put(t, i == 0 ? "" : ":");
        put_number(t, (unsigned)a->bytes[i] << 8 | a->bytes[i + 1], 16);
    }
}

/* Both ends have one family: IPv6 unless both are IPv4. */
static bool is_v6(const struct proxy_protocol_ends *ends)
{
    return !ip_addr_is_v4(&ends->source) || !ip_addr_is_v4(&ends->destination);
}

size_t proxy_protocol_write_v1(const struct proxy_protocol_ends *ends,
                               uint8_t ret[PROXY_PROTOCOL_LINE_BYTES_MAX])
{
    struct text t = {.to = ret};
    put(&t, is_v6(ends) ? "PROXY TCP6 " : "PROXY TCP4 ");
    put_address(&t, &ends->source, is_v6(ends));
    put(&t, " ");
    put_address(&t, &ends->destination, is_v6(ends));
    put(&t, " ");
    put_number(&t, ends->source_port, 10);
    put(&t, " ");
    put_number(&t, ends->destination_port, 10);
    put(&t, "\r\n");
    return t.len;
}

static uint8_t *put_fixed(uint8_t *to, uint8_t command, uint8_t family, uint8_t len)
{
    memcpy(to, proxy_protocol_signature, V2_SIGNATURE_BYTES);
    to += V2_SIGNATURE_BYTES;
    *to++ = (uint8_t)(2 << 4 | command);
    *to++ = family;
    *to++ = 0;
    *to++ = len;
    return to;
}

static uint8_t *put16(uint8_t *to, uint16_t v)
{
    *to++ = (uint8_t)(v >> 8);
    *to++ = (uint8_t)v;
    return to;
}

size_t proxy_protocol_write_v2(const struct proxy_protocol_ends *ends,
                               uint8_t ret[PROXY_PROTOCOL_LINE_BYTES_MAX])
{
    unsigned skip = is_v6(ends) ? 0 : 12; /* what is before an IPv4 address */
    uint8_t *to = put_fixed(ret, V2_COMMAND_PROXY, skip == 0 ? V2_TCP6 : V2_TCP4,
                            skip == 0 ? V2_IP6_BYTES : V2_IP4_BYTES);
    memcpy(to, ends->source.bytes + skip, 16 - skip);
    to += 16 - skip;
    memcpy(to, ends->destination.bytes + skip, 16 - skip);
    to = put16(to + 16 - skip, ends->source_port);
    to = put16(to, ends->destination_port);
    return (size_t)(to - ret);
}

size_t proxy_protocol_write_v2_local(uint8_t ret[PROXY_PROTOCOL_LINE_BYTES_MAX])
{
    return (size_t)(put_fixed(ret, V2_COMMAND_LOCAL, 0, 0) - ret);
}
