/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP (RFC 768; RFC 8200 section 8.1; RFC 1122 section 4.1): datagrams in, to whoever listens, and
 * datagrams out. Header, length and checksum are net's; ports, flows and their answers are the
 * listener's, which net does not know by name.
 *
 * Owner: the worker. Thread: the worker. Station on the path: after ip4_in and ip6_in; out: before
 * output.
 */
#pragma once

#include "base/ip_addr.h"
#include "net/net.h"

#include <stdbool.h>
#include <stdint.h>

struct net_packet;

#define NET_UDP_HEADER_BYTES 8u

/* Between whom; ports in host order. `src` and `dst` are those of the packet: received, `dst` is
 * ours; to send, `src` is. */
struct net_udp_header {
    struct ip_addr src;
    struct ip_addr dst;
    uint16_t src_port; /* received 0: no answer is wanted (RFC 768) */
    uint16_t dst_port; /* never 0 */
    uint8_t tos;       /* traffic class, with ECN in the low two bits */
    uint16_t ip_bytes; /* received: of the IP header, in front of the datagram's */
};

/* What the listener does for net. All are called from net_input(). */
struct net_udp_ops {
    /* A datagram for us, whole and undamaged, perhaps put together from fragments: `m` begins with
     * the payload, which may be empty or chained. True: it took ownership. False: nobody listens;
     * `m` must be as it was, the sender is told. */
    bool (*input)(void *owner, struct rte_mbuf *m, const struct net_udp_header *h);
    /* An ICMP error about a datagram of ours, e->seq is 0; NULL: they are only counted. Anybody can
     * have made it (RFC 8085, section 5.2): it is believed for a flow that exists, and never ends
     * one that works. */
    void (*icmp_error)(void *owner, const struct net_icmp_error *e);
};

/* Where datagrams for us go. Called once by whoever composes the worker; `ops` outlives `n`.
 * Without it nobody listens. */
void net_set_udp(struct net *n, void *owner, const struct net_udp_ops *ops);

/*
 * Sends `m` as the payload of a datagram: net_output() does the rest, and its rules hold; the
 * headroom is NET_HEADER_BYTES and NET_UDP_HEADER_BYTES. We never fragment: what is longer than the
 * MTU is dropped and counted. Takes ownership, always.
 */
void net_udp_output(struct net *n, struct rte_mbuf *m, const struct net_udp_header *h);

/* For ip4_in.c and ip6_in.c: `m` begins at the UDP header and ends with the IP packet. */
void udp_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m);
