/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first bytes of a connection as a stranger sends them: the verdict is the same however they
 * come, a header lies within its limit, and what it tells comes back from what we write of it.
 */
#include "base/assert.h"
#include "fuzz.h"
#include "proxy_protocol/proxy_protocol.h"

#include <string.h>

typedef size_t write_fn(const struct proxy_protocol_ends *ends,
                        uint8_t ret[PROXY_PROTOCOL_LINE_BYTES_MAX]);

static void write_again(const struct proxy_protocol_ends *ends, write_fn *write)
{
    uint8_t bytes[PROXY_PROTOCOL_LINE_BYTES_MAX];
    struct proxy_protocol_header again;
    size_t len = write(ends, bytes);
    enum proxy_protocol r = proxy_protocol_read(bytes, len, &again);
    ASSERT(r == PROXY_PROTOCOL_whole && again.bytes == len && !again.is_local);
    ASSERT(memcmp(&again.ends, ends, sizeof(*ends)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_protocol_header whole, part;
    memset(&whole, 0, sizeof(whole));
    enum proxy_protocol r = proxy_protocol_read(data, size, &whole);
    size_t n = 0;
    enum proxy_protocol early = PROXY_PROTOCOL_partial;
    for (; n <= size && early == PROXY_PROTOCOL_partial; n++)
        early = proxy_protocol_read(data, n, &part);
    ASSERT(early == r && n <= PROXY_PROTOCOL_BYTES_MAX + 1);
    if (r != PROXY_PROTOCOL_whole)
        return 0;
    ASSERT(part.bytes == whole.bytes && whole.bytes == n - 1 && part.is_local == whole.is_local);
    if (whole.is_local)
        return 0;
    ASSERT(memcmp(&part.ends, &whole.ends, sizeof(part.ends)) == 0);
    write_again(&whole.ends, proxy_protocol_write_v1);
    write_again(&whole.ends, proxy_protocol_write_v2);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
#define SEED(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define V2 "\r\n\r\n\0\r\nQUIT\n"
    static const struct {
        const char *bytes;
        size_t len;
    } seeds[] = {
        SEED("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n"),
        SEED("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"),
        SEED("PROXY UNKNOWN\r\n"),
        SEED(V2 "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x01\x02\x01\xbb"),
        SEED(V2 "\x21\x11\0\x13\xc0\0\x02\x01\xc6\x33\x64\x02\x01\x02\x01\xbb\x03\0\x04\0\0\0\0"),
        SEED(V2 "\x21\x21\0\x2a\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0"
                "\0\0\0\0\0\0\x02\0\x50\0\x51\x02\0\x03www"),
        SEED(V2 "\x20\0\0\0"),
        SEED(V2 "\x21\x31\0\xd8"),
    };
#undef SEED
#undef V2
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    memcpy(ret, seeds[n].bytes, seeds[n].len);
    return seeds[n].len;
}
