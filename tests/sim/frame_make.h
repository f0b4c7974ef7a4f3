/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames made from what they shall say, with right lengths and checksums: what strangers send, for
 * the simulator's attackers and for tests/fuzz. Pure; thread: any.
 */
#pragma once

#include "base/ip_addr.h"
#include "core/port.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room that any frame made here needs; payloads and options are cut to fit. */
#define FRAME_BYTES_MAX 1514u

/* From whom to whom; both addresses of one family. */
struct frame_ends {
    struct ether_mac src_mac;
    struct ether_mac dst_mac;
    struct ip_addr src;
    struct ip_addr dst;
    uint16_t vlan; /* 0: untagged */
};

struct frame_tcp {
    uint16_t src_port;
    uint16_t dst_port;
    uint32_t seq;
    uint32_t ack;
    uint8_t flags; /* as in the header's byte 13 */
    uint16_t window;
    const uint8_t *options; /* padded to a multiple of 4 with NOPs */
    size_t options_bytes;   /* at most 40 */
    const void *payload;    /* NULL: zeros */
    size_t payload_bytes;
};

/* Any IP packet: `proto` with `bytes` of `payload`. Returns the frame's length. */
size_t frame_make_ip(uint8_t *ret, const struct frame_ends *ends, uint8_t proto,
                     const void *payload, size_t bytes);

/* A segment. */
size_t frame_make_tcp(uint8_t *ret, const struct frame_ends *ends, const struct frame_tcp *tcp);

/* An ICMP message of the family of the addresses: type, code, the four bytes behind the checksum,
 * and what follows. */
size_t frame_make_icmp(uint8_t *ret, const struct frame_ends *ends, uint8_t type, uint8_t code,
                       uint32_t rest, const void *payload, size_t bytes);

/* A piece of `proto`'s `payload`: `offset` in bytes, a multiple of 8. */
size_t frame_make_fragment(uint8_t *ret, const struct frame_ends *ends, uint8_t proto, uint32_t id,
                           uint32_t offset, bool has_more, const void *payload, size_t bytes);

/* ARP of IPv4 addresses: `operation` 1 asks who has ends->dst, 2 says that ends->src is at
 * ends->src_mac. */
size_t frame_make_arp(uint8_t *ret, const struct frame_ends *ends, uint16_t operation);

/* A neighbour solicitation (135) or advertisement (136) about `target`, with ends->src_mac as its
 * link-layer address option. */
size_t frame_make_nd(uint8_t *ret, const struct frame_ends *ends, uint8_t type, uint32_t flags,
                     const struct ip_addr *target);
