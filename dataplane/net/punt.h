/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exception path inwards: which of the packets that come by a port are for the kernel's daemons
 * behind its TAP (core/port.h), as control-plane policing has it: what is not on the list below
 * never gets there, and of what is on it, only so much a second. Only packets for the box's own
 * addresses on the interface (never VIPs), and for VRRP's and IGMP's groups.
 *
 * Rates hold for a port, a worker, a kind and a share of the sources; sources on the link have
 * shares apart from those far away. Owner: struct net. Thread: the worker.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ip_addr;
struct net;
struct net_frame;
struct net_packet;
struct rte_mbuf;
struct wire_ip4;

#define PUNT_BGP_PORT 179u /* RFC 4271 */

/* Kinds: X(name, a second for each share of the sources, burst). Connections of BGP are apart from
 * their segments, so that a flood of SYNs ends no session. */
#define PUNT_LIST(X)                                                                               \
    X(neighbour, 100, 50) /* ARP answers, neighbour advertisements */                              \
    X(bgp, 2000, 200)     /* some tables of a million routes in a minute each */                   \
    X(bgp_open, 20, 10)   /* a router tries again once in some seconds */                          \
    X(bfd, 500, 50)       /* 25 sessions of 50 ms */                                               \
    X(vrrp, 300, 50)      /* 255 virtual routers, once a second */                                 \
    X(group, 20, 10)      /* queries come once in a minute or two */                               \
    X(icmp, 50, 20)       /* somebody's ping, errors */

enum punt_kind {
#define X(name, per_s, burst) PUNT_##name,
    PUNT_LIST(X)
#undef X
        PUNT_KINDS
};

/* Makes the buckets. While net is made. */
void punt_init(struct net *n);

/* Is the packet to a group that daemons are in: VRRP's, or one of the link by IGMP? */
bool punt_is_group4(const struct net_frame *f, const struct wire_ip4 *ip);

/* Likewise for IPv6: VRRP's. */
bool punt_is_group6(const struct net_frame *f, const struct ip_addr *dst);

/* A whole packet of this protocol on an interface with a TAP; `m` begins behind the IP headers.
 * True: it was the daemons', and is gone. */
bool punt_packet(struct net *n, const struct net_packet *p, uint8_t proto, struct rte_mbuf *m);

/* An answer to an echo: as above. */
bool punt_echo_reply(struct net *n, const struct net_packet *p, struct rte_mbuf *m);

/* Do daemons speak by these ports of TCP or UDP? */
bool punt_is_daemon(uint8_t proto, uint16_t src_port, uint16_t dst_port);

/* Copies a packet to the TAP, if the interface has one and this worker is to answer it; `m` begins
 * behind the IP headers and stays the caller's. */
void punt_copy(struct net *n, const struct net_packet *p, enum punt_kind kind, struct rte_mbuf *m);

/* Likewise an ARP packet, at whose header `m` begins. */
void punt_copy_arp(struct net *n, const struct net_frame *f, struct rte_mbuf *m);
