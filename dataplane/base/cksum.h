/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The internet checksum (RFC 1071) of bytes in one piece. A `sum` is a one's complement sum of
 * 16-bit words in the order of memory, folded to 16 bits; it starts at 0 and is closed by
 * cksum_close(). Pure; thread: any.
 */
#pragma once

#include "base/be.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Folds a sum of words of any width that divides 64 to 16 bits. */
uint32_t cksum_fold(uint64_t sum);

/* Adds `len` bytes at an even offset of what is summed. Cost: 3 instructions for each 8 bytes. */
uint32_t cksum_add(uint32_t sum, const void *data, size_t len);

/* The sum of a header of IPv4 without options. Its carries fit a word of 64 bits. */
static inline uint32_t cksum_ip4_header(const void *header)
{
    uint64_t first, second;
    uint32_t last;
    __builtin_memcpy(&first, header, sizeof(first));
    __builtin_memcpy(&second, (const uint8_t *)header + 8, sizeof(second));
    __builtin_memcpy(&last, (const uint8_t *)header + 16, sizeof(last));
    uint64_t sum = (first & 0xffffffff) + (first >> 32) + (second & 0xffffffff) + (second >> 32);
    sum += last;
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint32_t)((sum & 0xffff) + (sum >> 16));
}

/* The value for the checksum field: the complement. Over data that holds its right checksum it is
 * 0. */
static inline be16_t cksum_close(uint32_t sum)
{
    return (be16_t){(uint16_t)~sum};
}

/* Is the checksum inside the summed data right? */
static inline bool cksum_is_good(uint32_t sum)
{
    return (uint16_t)sum == 0xffff;
}
