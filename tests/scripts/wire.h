/* SPDX-License-Identifier: Apache-2.0 */
/* Segments as IP packets, in both directions, with numbers as they are on the wire. */
#pragma once

#include "base/ip_addr.h"
#include "script.h"

#include <stddef.h>

#define WIRE_BYTES_MAX 2048u
#define WIRE_SEGMENT_BYTES_MAX 1900u /* of payload: a packet is one mbuf */

/* Who speaks to whom. */
struct wire_ends {
    struct ip_addr src;
    struct ip_addr dst;
    uint16_t src_port;
    uint16_t dst_port;
};

/* Writes the packet of a segment with `payload` into `ret` of WIRE_BYTES_MAX bytes. Returns its
 * length. */
size_t wire_build(const struct wire_ends *ends, const struct script_segment *s,
                  const uint8_t *payload, uint8_t *ret);

/* An ICMP error from `router` about a segment of `quoted` with this sequence number. */
size_t wire_build_icmp(const struct wire_ends *quoted, const struct ip_addr *router,
                       enum script_icmp icmp, uint16_t mtu, uint32_t seq, uint8_t *ret);

/* Reads a packet that the stack sent; checksums are verified. *ret_payload points into it. NULL:
 * all is well; else what is wrong with it. */
const char *wire_parse(const uint8_t *packet, size_t bytes, struct wire_ends *ret_ends,
                       struct script_segment *ret, const uint8_t **ret_payload);
