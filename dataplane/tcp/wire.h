/* SPDX-License-Identifier: Apache-2.0 */
/* The TCP header on the wire (RFC 9293, 3.1). Behind an ethernet header of 14 bytes nothing is
 * aligned to 4. */
#pragma once

#include "base/be.h"

#include <assert.h>
#include <stdint.h>

struct tcp_wire {
    be16_t src_port;
    be16_t dst_port;
    be32_t seq;
    be32_t ack;
    uint8_t offset; /* upper four bits: header length in 32-bit words */
    uint8_t flags;
    be16_t window;
    be16_t cksum;
    be16_t urgent;
} __attribute__((packed));

static_assert(sizeof(struct tcp_wire) == 20, "RFC 9293, 3.1");

/* As in the header's byte 13. */
enum tcp_wire_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
};
