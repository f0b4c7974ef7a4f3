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

/*
 * Is the checksum right of the TCP or UDP packet `m`, which starts at that header? The device's
 * word is taken where it has checked: GOOD, or NONE (the field means nothing, but the data were
 * checked: a packet that never was on a wire). Where it has not, or says no, it is added up here:
 * devices err about what they do not know, and who sends rubbish costs no more than on a port
 * without offload.
 */
bool cksum_l4_is_good(const struct rte_mbuf *m, const struct ip_addr *src,
                      const struct ip_addr *dst, uint8_t proto);
