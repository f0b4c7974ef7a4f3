/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the TCP or UDP header of a frame of the plain kind: ethernet, at most one tag, IPv4 without
 * options or IPv6 without extension headers, no fragment. For those who look at frames before
 * net_input() does, which judges them all: nothing is checked but what keeps reads within the
 * frame.
 *
 * Pure; thread: any.
 */
#pragma once

#include "core/flow_table.h"
#include "net/net_wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct rte_mbuf;

#define PLAIN_TCP_HEADER_BYTES 20u /* without options; so much there is, and of UDP all */

struct plain {
    const uint8_t *l3;     /* IP header */
    const uint8_t *l4;     /* TCP or UDP header */
    uint32_t packet_bytes; /* of the IP packet: what lies behind it in the frame is padding */
    uint16_t l3_at;        /* offsets in the frame */
    uint16_t l4_at;
    uint8_t proto; /* IPPROTO_NUM_TCP or _UDP */
    bool is_ip4;
};

/* False: not of that kind, or its first mbuf does not hold the headers. */
bool plain_find(const struct rte_mbuf *m, struct plain *ret);

/* Likewise, and it is TCP. */
static inline bool plain_find_tcp(const struct rte_mbuf *m, struct plain *ret)
{
    return plain_find(m, ret) && ret->proto == IPPROTO_NUM_TCP;
}

/* Both ends, as we see them. */
static inline void plain_ends(const struct plain *at, struct flow_tuple *ret)
{
    const struct wire_ip4 *ip4 = (const void *)at->l3;
    const struct wire_ip6 *ip6 = (const void *)at->l3;
    be16_t ports[2];
    memcpy(ports, at->l4, sizeof(ports));
    ret->local = at->is_ip4 ? ip_addr_from_v4(ip4->dst) : ip_addr_from_v6(ip6->dst);
    ret->remote = at->is_ip4 ? ip_addr_from_v4(ip4->src) : ip_addr_from_v6(ip6->src);
    ret->local_port = be16_host(ports[1]);
    ret->remote_port = be16_host(ports[0]);
}
