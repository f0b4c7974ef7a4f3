/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the TCP header of a frame of the plain kind: ethernet, at most one tag, IPv4 without
 * options or IPv6 without extension headers, no fragment. For those who look at frames before
 * net_input() does, which judges them all: nothing is checked but what keeps reads within the
 * frame.
 *
 * Pure; thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;

#define PLAIN_TCP_HEADER_BYTES 20u /* without options; so much there is */

struct plain_tcp {
    const uint8_t *l3;     /* IP header */
    const uint8_t *l4;     /* TCP header */
    uint32_t packet_bytes; /* of the IP packet: what lies behind it in the frame is padding */
    uint16_t l3_at;        /* offsets in the frame */
    uint16_t l4_at;
    bool is_ip4;
};

/* False: not of that kind, or its first mbuf does not hold the headers. */
bool plain_tcp_find(const struct rte_mbuf *m, struct plain_tcp *ret);
