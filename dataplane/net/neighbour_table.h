/* SPDX-License-Identifier: Apache-2.0 */
/* The table below the neighbour state machine: places, not states. Private to neighbour*.c. */
#pragma once

#include "net/net_priv.h"

/* The neighbour; NULL: not known. */
struct neighbour *neighbour_lookup(struct net *n, const struct net_iface *iface,
                                   const struct ip_addr *addr);

/* A new one, its timer not yet armed; another makes place if it must. With `mac` it spoke to us and
 * is STALE; NULL: it is asked for, INCOMPLETE. */
struct neighbour *neighbour_add(struct net *n, const struct net_iface *iface,
                                const struct ip_addr *addr, const struct ether_mac *mac,
                                wheel_fn on_expire);

/* We speak to it, or it answered: it is the most recent of those in use. */
void neighbour_use(struct net *n, struct neighbour *e);

/* Is it waiting for a proof that it is there? */
static inline bool neighbour_is_unsure(const struct neighbour *e)
{
    return e->state == NEIGHBOUR_DELAY || e->state == NEIGHBOUR_PROBE;
}

/* One more packet waits for `e`, which is INCOMPLETE; the oldest makes place if it must. Takes
 * ownership of `m`. */
void neighbour_push(struct net *n, struct neighbour *e, struct rte_mbuf *m);

/* Nothing waits for `e` any more: what did is the caller's, the oldest first. Returns how many. */
unsigned neighbour_take_all(struct net *n, struct neighbour *e,
                            struct rte_mbuf *ret[NET_NEIGHBOUR_QUEUE_MAX]);

/* Forgets `e`; what waited for it is dropped for the reason given. */
void neighbour_forget(struct net *n, struct neighbour *e, enum stat_id why);

/* The interface that it is on; NULL: the configuration has it no more. */
const struct net_iface *neighbour_iface(const struct net *n, const struct neighbour *e);

/* Asserts what must hold between any two calls. */
void neighbour_check(const struct neighbour *e);
