/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The internet checksum (RFC 1071). A `sum` is a one's complement sum of 16-bit words in the order
 * of memory, folded to 16 bits; it starts at 0 and is closed by cksum_close(). Pure; thread: any.
 */
#pragma once

#include "base/be.h"
#include "base/ip_addr.h"

#include <stddef.h>
#include <stdint.h>

struct rte_mbuf;

/* Adds `len` bytes at an even offset of what is summed. Cost: a pass over the bytes. */
uint32_t cksum_add(uint32_t sum, const void *data, size_t len);

/* Adds the bytes of the chain `m` from `offset` <= its length to its end. */
uint32_t cksum_add_mbuf(uint32_t sum, const struct rte_mbuf *m, uint32_t offset);

/* Adds the pseudo header of `src` -> `dst` (RFC 9293, section 3.1; RFC 8200, section 8.1; both
 * addresses are of the same family). */
uint32_t cksum_add_pseudo(uint32_t sum, const struct ip_addr *src, const struct ip_addr *dst,
                          uint8_t proto, uint32_t l4_bytes);

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
