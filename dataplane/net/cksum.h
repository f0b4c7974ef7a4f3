/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The internet checksum of packets: of a chain of mbufs, and of the pseudo header. What a `sum` is
 * stands in base/cksum.h. Pure; thread: any.
 */
#pragma once

#include "base/cksum.h"
#include "base/ip_addr.h"

#include <stdint.h>

struct rte_mbuf;

/* Adds the bytes of the chain `m` from `offset` <= its length to its end. */
uint32_t cksum_add_mbuf(uint32_t sum, const struct rte_mbuf *m, uint32_t offset);

/* Adds the pseudo header of `src` -> `dst` (RFC 9293, section 3.1; RFC 8200, section 8.1; both
 * addresses are of the same family). */
uint32_t cksum_add_pseudo(uint32_t sum, const struct ip_addr *src, const struct ip_addr *dst,
                          uint8_t proto, uint32_t l4_bytes);
