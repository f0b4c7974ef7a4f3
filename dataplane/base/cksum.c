/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 1071: the sum does not depend on the byte order (section 2, B), so words are added as they
 * lie; it can be taken in wider words (section 2, C) and folded at the end. Words of 64 bits in a
 * sum of 128 leave the carries to the processor. Pure.
 */
#include "base/cksum.h"

#include "base/assert.h"

#include <string.h>

uint32_t cksum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    uint32_t s = (uint32_t)(sum & 0xffff) + (uint32_t)(sum >> 16);
    s = (s & 0xffff) + (s >> 16);
    ASSERT_HOT(s <= 0xffff);
    return s;
}

uint32_t cksum_add(uint32_t sum, const void *data, size_t len)
{
    const uint8_t *p = data;
    __extension__ unsigned __int128 wide = sum;
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        wide += word;
    }
    uint64_t last = 0; /* as if zeros followed */
    for (size_t i = 0; i < len; i++)
        last |= (uint64_t)p[i] << (8 * i);
    wide += last;
    uint64_t low = (uint64_t)wide;
    uint64_t carries = (uint64_t)(wide >> 64);
    low += carries;
    low += low < carries; /* around the end */
    return cksum_fold(low);
}
