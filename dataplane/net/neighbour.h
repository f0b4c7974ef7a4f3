/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighbours of one worker: address on a link -> MAC, for IPv4 (RFC 826) and IPv6 (RFC 4861,
 * section 7.3.2) alike. Bounded: a table, of which a part for the unresolved, a part for those that
 * we never spoke to, and a short queue of packets each.
 *
 *   INCOMPLETE  asked for, no answer yet; packets wait.       timer: ask again, then forget
 *   REACHABLE   it answered us lately.                        timer: becomes STALE
 *   STALE       known, but not lately; used as it is.         timer: forget
 *   DELAY       used while STALE; a short time for proofs.    timer: ask it directly, PROBE
 *   PROBE       asked directly, used as it is.                timer: ask again, then forget
 *
 * An answer proves only if we asked, that is in INCOMPLETE and PROBE: anybody can send one. Tcp's
 * progress proves in any state. Whoever claims a known neighbour's address with another MAC does
 * not get it: the MAC that we have is asked at once, and quickly. If it answers, nothing has
 * happened; if it is silent the neighbour has moved (or failed over), is forgotten, and everybody
 * is asked.
 *
 * Keyed by (port, VLAN, address), not by interface number, so that a new configuration keeps them.
 * Owner: struct net. Thread: the worker.
 */
#pragma once

#include "base/ip_addr.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/wheel.h"
#include "core/port.h"
#include "net/net_limits.h"

#define NEIGHBOUR_BUCKETS 2048u

struct net;
struct net_iface;
struct rte_mbuf;

enum neighbour_state {
    NEIGHBOUR_INCOMPLETE,
    NEIGHBOUR_REACHABLE,
    NEIGHBOUR_STALE,
    NEIGHBOUR_DELAY,
    NEIGHBOUR_PROBE,
};

struct neighbour {
    struct list_node bucket_link;
    struct list_node use_link; /* on one of the table's three, the most recent last */
    struct wheel_timer timer;  /* always armed */
    struct net *net;
    struct ip_addr addr;
    uint16_t port;
    uint16_t vlan;
    struct ether_mac mac; /* valid unless INCOMPLETE */
    uint8_t state;
    bool is_heard;                 /* it spoke to us, we not yet to it */
    bool is_vouched;               /* tcp got answers by it, since it was last passed over */
    bool is_disputed;              /* in PROBE: because of a claim */
    uint64_t disputed_us;          /* when a claim made us ask last; 0: never */
    uint8_t tries;                 /* requests sent in INCOMPLETE or PROBE */
    struct neighbour_queue *queue; /* NULL: nothing waits; only where INCOMPLETE */
};

/* Packets that wait, from the IP header on, the oldest first. */
struct neighbour_queue {
    unsigned n;
    struct rte_mbuf *packets[NET_NEIGHBOUR_QUEUE_MAX];
};

struct neighbour_table {
    struct pool pool;
    struct pool queues; /* as many as may be unresolved */
    uint32_t n_unresolved;
    uint32_t n_heard;
    uint32_t n_unsure;           /* in DELAY or PROBE: a word of tcp's would help them */
    struct list_node unresolved; /* INCOMPLETE */
    struct list_node heard;      /* is_heard */
    struct list_node used;       /* all others */
    struct list_node buckets[NEIGHBOUR_BUCKETS];
};

/* What an ARP or ND packet says of its sender. */
struct neighbour_news {
    struct ip_addr addr;
    struct ether_mac mac;
    bool is_answer;  /* to us: proves that both ways work, if we asked */
    bool may_create; /* it spoke to us and will get an answer, so it is worth a place */
};

/* An empty table. */
void neighbour_init(struct net *n);

/* Frees all packets that wait and disarms all timers. */
void neighbour_done(struct net *n);

/* Sends the IP packet `m` to `next_hop` on `iface`, now or when it is resolved. Takes ownership. */
void neighbour_send(struct net *n, const struct net_iface *iface, const struct ip_addr *next_hop,
                    struct rte_mbuf *m);

/* The MAC of a neighbour that is known, for a packet that goes there without neighbour_send(), and
 * counts as one. False: it is not known. */
bool neighbour_mac(struct net *n, const struct net_iface *iface, const struct ip_addr *next_hop,
                   struct ether_mac *ret);

/* Takes in what a neighbour said; the caller has checked that it may say so. */
void neighbour_learn(struct net *n, const struct net_iface *iface,
                     const struct neighbour_news *news);

/* TCP doubts that it is there: unless that is being found out already, it is asked at once. */
void neighbour_doubt(struct net *n, const struct net_iface *iface, const struct ip_addr *addr);

/* TCP got an answer by it: it is there, unless nobody knows where. */
void neighbour_confirm(struct net *n, const struct net_iface *iface, const struct ip_addr *addr);

/* Asks whether it is there, unless it is known. */
void neighbour_ask(struct net *n, const struct net_iface *iface, const struct ip_addr *addr);

/* Forgets whoever is on no interface and in no on-link prefix of the new configuration. */
void neighbour_prune(struct net *n);

/* The neighbour; NULL: not known. For tests and dumps. */
const struct neighbour *neighbour_find(const struct net *n, const struct net_iface *iface,
                                       const struct ip_addr *addr);
