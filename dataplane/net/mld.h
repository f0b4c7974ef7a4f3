/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multicast listener discovery, the host's half (RFC 3810; RFC 2710 towards a router that speaks
 * only that): tells the link which solicited-node groups we are in, so that a switch that snoops
 * lets neighbour discovery for our addresses through. We are in no other group.
 *
 * Reports go out when addresses change (worker 0, NET_MLD_TIMES) and when a router asks (the worker
 * that hears it, after a delay by chance). They name all groups of an interface: to say a thing
 * twice does no harm. What we left is told by mld_leave.h. Queries are copied to all workers, so
 * that the one that reports unasked knows which version is spoken.
 *
 * Owner: struct net. Thread: the worker. Bound: NET_MLD_REPORTS_MAX frames
 * each NET_ANNOUNCE_PAUSE_US.
 */
#pragma once

#include "base/wheel.h"
#include "net/net.h"

#include <stdbool.h>
#include <stdint.h>

struct net_iface;
struct net_packet;
struct net_tables;
struct rte_mbuf;

/* A walk along the interfaces' link-local addresses and then all others; it reports as it goes. */
struct mld {
    struct wheel_timer timer; /* armed: the walk begins then */
    uint64_t interfaces;      /* one bit each: those that are reported on; 0: no walk */
    uint32_t next;            /* position of the walk; UINT32_MAX: it rests until the timer */
    uint32_t resume;          /* where it goes on then */
    uint8_t times_left;       /* walks, this one included */
    bool is_answer;           /* to a query: says what is, not what changed */
    uint64_t v1_until_us[NET_INTERFACES_MAX]; /* so long RFC 2710 is spoken there */
};

/* Is a group joined for the address, so that neighbours find it (RFC 4861, section 7.2.1)? */
static inline bool mld_has_group(const struct net_address *a)
{
    return !ip_addr_is_v4(&a->addr) && a->is_vip != NET_VIP_ROUTED;
}

/* Nothing to report. */
void mld_init(struct net *n);

/* Forgets what was to be reported. */
void mld_done(struct net *n);

/* All groups are reported, by worker 0. */
void mld_announce(struct net *n);

/* The tables in use took the place of `then`: if addresses or interfaces are others now, what we
 * are in is reported, and what we left. */
void mld_configure(struct net *n, const struct net_tables *then);

/* Was a router that speaks RFC 2710 only heard on the interface not long ago? Then we do so too
 * (RFC 3810, section 8.2.1). */
bool mld_speaks_v1(const struct net *n, const struct net_iface *iface);

/* A query came, which icmp6 checked; `m` begins at the ICMPv6 header. Takes ownership. */
void mld_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m);

/* Goes on with the walk, a bounded part. Returns how many reports it made. */
unsigned mld_poll(struct net *n);
