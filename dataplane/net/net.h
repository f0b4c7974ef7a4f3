/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethernet to IP of one worker: VLAN, ARP, ND, IPv4, IPv6, ICMP, neighbours, egress routes, local
 * addresses. Configured by the route image's network sections (see net_configure()); neighbours
 * survive a new image.
 *
 * Owner: the worker. Thread: the worker. Station on the path: after port, before tcp.
 */
#pragma once

#include "base/ip_addr.h"

#include <stdbool.h>
#include <stdint.h>

struct core;
struct net;
struct rte_mbuf;
struct tcp;

#define NET_INTERFACES_MAX 64u
#define NET_ADDRESSES_MAX 4096u
#define NET_ROUTES_MAX 1024u

/* One L3 interface: a port, or a VLAN on it. */
struct net_interface {
    uint16_t port; /* index, see core/port.h */
    uint16_t vlan; /* 0: untagged */
    uint16_t mtu;  /* 0: the port's */
};

/* An address of ours. A VIP has the length of a host (128). */
struct net_address {
    struct ip_addr addr;
    uint8_t
        prefix_len; /* of the mapped form: an IPv4 /24 is 120; on-link prefix of the interface */
    uint8_t is_vip; /* answered for, but never chosen as the source of an active open */
    uint16_t interface; /* index into interfaces */
};

/* An egress route beyond the on-link prefixes. */
struct net_route {
    struct ip_addr prefix;
    uint8_t prefix_len; /* of the mapped form */
    uint16_t interface;
    struct ip_addr gateway; /* on-link on `interface` */
};

/* Borrowed arrays: net_configure() copies what it keeps. */
struct net_config {
    const struct net_interface *interfaces;
    uint32_t n_interfaces;
    const struct net_address *addresses;
    uint32_t n_addresses;
    const struct net_route *routes;
    uint32_t n_routes;
};

/* Makes the worker's network layer. */
struct net *net_new(struct core *core);

/* Where TCP segments for us go. Called once by whoever composes the worker. */
void net_set_tcp(struct net *n, struct tcp *tcp);

/* Gives back every mbuf that waits for a neighbour. */
void net_done(struct net *n);

/* Replaces interfaces, addresses and routes; what stays the same keeps its neighbours. New
 * addresses are announced (gratuitous ARP, unsolicited NA) by worker 0 only. Values were checked by
 * image_check(). */
void net_configure(struct net *n, const struct net_config *config);

/* Handles one received frame (whole ethernet frame); takes ownership. */
void net_input(struct net *n, struct rte_mbuf *m);

/* Once a poll: retries and expiry of neighbours are timers on core->wheel; this sends what became
 * ready. */
unsigned net_poll(struct net *n);

/* The way to a destination: which interface, what MTU, which local address speaks. */
struct net_path {
    uint16_t interface;
    uint16_t port;
    uint16_t mtu;
    struct ip_addr next_hop;
    struct ip_addr source; /* of the same family as the destination; zero when there is none */
};

/* Looks the way up; false: no route. Pure with respect to the wire. */
bool net_path_find(struct net *n, const struct ip_addr *dst, struct net_path *ret);

/* Is it an address of ours (VIPs too)? */
bool net_is_local(const struct net *n, const struct ip_addr *addr);

/* Adds IP and ethernet headers in front of `m` (L4 header and payload; headroom is enough) and
 * sends it. Resolves the neighbour; while that takes, the packet waits in a bounded queue. Takes
 * ownership. L4 checksum: already done, or left to the device by ol_flags as rte_ethdev asks. */
void net_output(struct net *n, struct rte_mbuf *m, const struct ip_addr *src,
                const struct ip_addr *dst, uint8_t proto, uint8_t tos);
