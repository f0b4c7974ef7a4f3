/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C (RFC 4960, appendix B), a bit at a time: a header has few bytes, and comes once. */
#include "proxy_protocol/proxy_protocol_priv.h"

#define CASTAGNOLI 0x82f63b78u /* the polynomial, its lowest power in the highest bit */

uint32_t proxy_protocol_crc32c(uint32_t crc, const uint8_t *bytes, size_t len)
{
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? crc >> 1 ^ CASTAGNOLI : crc >> 1;
    }
    return ~crc;
}
