/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The neighbour state machine (RFC 4861, section 7.3; ARP entries walk the same states, with a
 * request in place of a solicitation). Owner: struct net. Thread: the worker. Bound:
 * NET_NEIGHBOUR_QUEUE_MAX packets wait for each. The table is in neighbour_table.c.
 */
#include "net/neighbour.h"

#include "base/assert.h"
#include "net/gateways.h"
#include "net/neighbour_table.h"
#include "net/net_priv.h"

#include <string.h>

static void on_timer(struct wheel_timer *timer, uint64_t now_us);

static void arm(struct net *n, struct neighbour *e, uint64_t in_us)
{
    /* Disarmed first: a shorter wait than before is taken at once, a longer one is exact. */
    wheel_disarm(&n->core->wheel, &e->timer);
    wheel_arm(&n->core->wheel, &e->timer, n->core->now_us + in_us);
}

/* How long it stays REACHABLE: 0.5 to 1.5 times the base (RFC 4861, section 6.3.2). */
static uint64_t reachable_us(struct net *n)
{
    return NET_NEIGHBOUR_REACHABLE_US / 2 + rng_below(&n->core->rng, NET_NEIGHBOUR_REACHABLE_US);
}

static void set_state(struct net *n, struct neighbour *e, enum neighbour_state state)
{
    static const uint32_t wait_us[] = {
        [NEIGHBOUR_STALE] = NET_NEIGHBOUR_STALE_US,
        [NEIGHBOUR_DELAY] = NET_NEIGHBOUR_DELAY_US,
        [NEIGHBOUR_PROBE] = NET_NEIGHBOUR_RETRY_US,
    };
    ASSERT(state != NEIGHBOUR_INCOMPLETE);
    bool was_unresolved = e->state == NEIGHBOUR_INCOMPLETE;
    n->neighbours.n_unsure -= neighbour_is_unsure(e);
    e->state = (uint8_t)state;
    e->is_disputed = false;
    e->tries = 0;
    n->neighbours.n_unsure += neighbour_is_unsure(e);
    if (was_unresolved) {
        n->neighbours.n_unresolved--;
        neighbour_use(n, e);
    }
    arm(n, e, state == NEIGHBOUR_REACHABLE ? reachable_us(n) : wait_us[state]);
}

static void ask(struct net *n, const struct net_iface *iface, struct neighbour *e)
{
    const struct ether_mac *to = e->state == NEIGHBOUR_INCOMPLETE ? NULL : &e->mac;
    ASSERT_HOT(e->tries < NET_NEIGHBOUR_TRIES_MAX);
    e->tries++;
    bool is_sent = ip_addr_is_v4(&e->addr) ? arp_request(n, iface, &e->addr, to)
                                           : nd_request(n, iface, &e->addr, to);
    if (is_sent)
        stat_inc(n->core, STAT_net_neighbour_requests);
    arm(n, e, e->is_disputed ? NET_NEIGHBOUR_DISPUTE_RETRY_US : NET_NEIGHBOUR_RETRY_US);
}

/* It does not answer: gone, and whoever sent what waited hears of it (RFC 4861, section 7.2.2). The
 * packets are taken off first, for what they hear may make them send again. */
static void fail(struct net *n, struct neighbour *e)
{
    struct rte_mbuf *waiting[NET_NEIGHBOUR_QUEUE_MAX];
    unsigned n_waiting = neighbour_take_all(n, e, waiting);
    stat_inc(n->core, STAT_net_neighbour_failures);
    gateway_is_down(n, neighbour_iface(n, e), &e->addr);
    neighbour_forget(n, e, STAT_net_drop_tx_neighbour_failed);
    for (unsigned i = 0; i < n_waiting; i++) {
        icmp_error_own(n, waiting[i]);
        net_drop(n, waiting[i], STAT_net_drop_tx_neighbour_failed);
    }
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct neighbour *e = container_of(timer, struct neighbour, timer);
    struct net *n = e->net;
    const struct net_iface *iface = neighbour_iface(n, e);
    neighbour_check(e);
    ASSERT(iface != NULL); /* neighbour_prune() */
    switch ((enum neighbour_state)e->state) {
    case NEIGHBOUR_REACHABLE:
        set_state(n, e, NEIGHBOUR_STALE);
        return;
    case NEIGHBOUR_STALE:
        neighbour_forget(n, e, STAT_net_drop_tx_neighbour_failed);
        return;
    case NEIGHBOUR_DELAY:
        set_state(n, e, NEIGHBOUR_PROBE);
        ask(n, iface, e);
        return;
    case NEIGHBOUR_INCOMPLETE:
    case NEIGHBOUR_PROBE:
        if (e->tries < NET_NEIGHBOUR_TRIES_MAX)
            ask(n, iface, e);
        else
            fail(n, e);
        return;
    }
}

static uint16_t type_of(const struct neighbour *e)
{
    return ip_addr_is_v4(&e->addr) ? ETHERTYPE_IP4 : ETHERTYPE_IP6;
}

void neighbour_send(struct net *n, const struct net_iface *iface, const struct ip_addr *next_hop,
                    struct rte_mbuf *m)
{
    struct neighbour *e = neighbour_lookup(n, iface, next_hop);
    if (e == NULL) {
        e = neighbour_add(n, iface, next_hop, NULL, on_timer);
        ask(n, iface, e);
    }
    neighbour_check(e);
    if (e->state == NEIGHBOUR_INCOMPLETE) {
        neighbour_push(n, e, m);
        return;
    }
    neighbour_use(n, e);
    stat_inc(n->core, STAT_net_tx_packets);
    eth_output(n, iface, &e->mac, type_of(e), m);
    if (e->state == NEIGHBOUR_STALE)
        set_state(n, e, NEIGHBOUR_DELAY);
}

bool neighbour_mac(struct net *n, const struct net_iface *iface, const struct ip_addr *next_hop,
                   struct ether_mac *ret)
{
    struct neighbour *e = neighbour_lookup(n, iface, next_hop);
    if (e == NULL || e->state == NEIGHBOUR_INCOMPLETE)
        return false;
    neighbour_check(e);
    neighbour_use(n, e);
    *ret = e->mac;
    if (e->state == NEIGHBOUR_STALE)
        set_state(n, e, NEIGHBOUR_DELAY);
    return true;
}

static void send_waiting(struct net *n, const struct net_iface *iface, struct neighbour *e)
{
    ASSERT_HOT(e->state != NEIGHBOUR_INCOMPLETE);
    ASSERT_HOT(iface->port == e->port && iface->vlan == e->vlan);
    struct rte_mbuf *waiting[NET_NEIGHBOUR_QUEUE_MAX];
    unsigned n_waiting = neighbour_take_all(n, e, waiting);
    for (unsigned i = 0; i < n_waiting; i++) {
        stat_inc(n->core, STAT_net_tx_packets);
        eth_output(n, iface, &e->mac, type_of(e), waiting[i]);
    }
}

/* Is it there, where we think it is? It is asked directly. */
static void probe(struct net *n, const struct net_iface *iface, struct neighbour *e,
                  bool is_disputed)
{
    if (e->state == NEIGHBOUR_INCOMPLETE || e->state == NEIGHBOUR_PROBE)
        return; /* is asked already */
    set_state(n, e, NEIGHBOUR_PROBE);
    e->is_disputed = is_disputed;
    ask(n, iface, e);
}

/* Somebody says that he is it, with another MAC. Stricter than RFC 4861, section 7.2.5, which takes
 * the new one at once, and than ARP, where the last word counts: anybody on the link can say so. */
static void dispute(struct net *n, const struct net_iface *iface, struct neighbour *e)
{
    bool is_soon =
        e->disputed_us != 0 && n->core->now_us - e->disputed_us < NET_NEIGHBOUR_DISPUTE_US;
    ASSERT_HOT(e->state != NEIGHBOUR_INCOMPLETE);
    stat_inc(n->core, STAT_net_neighbour_claims);
    if (is_soon || e->state == NEIGHBOUR_PROBE)
        return;
    stat_inc(n->core, STAT_net_neighbour_disputes);
    e->disputed_us = n->core->now_us;
    probe(n, iface, e, true);
}

/* RFC 4861, section 7.2.5, for an entry that has a MAC. */
static void update_known(struct net *n, const struct net_iface *iface, struct neighbour *e,
                         const struct neighbour_news *news)
{
    if (memcmp(&e->mac, &news->mac, sizeof(e->mac)) != 0)
        dispute(n, iface, e);
    else if (news->is_answer && e->state == NEIGHBOUR_PROBE)
        set_state(n, e, NEIGHBOUR_REACHABLE);
}

void neighbour_learn(struct net *n, const struct net_iface *iface,
                     const struct neighbour_news *news)
{
    ASSERT_HOT(!ether_mac_is_nobody(&news->mac));
    struct neighbour *e = neighbour_lookup(n, iface, &news->addr);
    if (e == NULL && !news->may_create)
        return;
    gateway_is_up(n, iface, &news->addr);
    if (e == NULL) {
        e = neighbour_add(n, iface, &news->addr, &news->mac, on_timer);
        set_state(n, e, NEIGHBOUR_STALE);
    } else if (e->state == NEIGHBOUR_INCOMPLETE) {
        e->mac = news->mac;
        set_state(n, e, news->is_answer ? NEIGHBOUR_REACHABLE : NEIGHBOUR_STALE);
        send_waiting(n, iface, e);
    } else {
        update_known(n, iface, e, news);
    }
    neighbour_check(e);
}

void neighbour_doubt(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    struct neighbour *e = neighbour_lookup(n, iface, addr);
    if (e == NULL)
        return;
    probe(n, iface, e, false);
    neighbour_check(e);
}

void neighbour_confirm(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    struct neighbour *e = neighbour_lookup(n, iface, addr);
    if (e == NULL || e->state == NEIGHBOUR_INCOMPLETE)
        return;
    e->is_vouched = true;
    if (neighbour_is_unsure(e))
        stat_inc(n->core, STAT_net_neighbour_confirmed);
    set_state(n, e, NEIGHBOUR_REACHABLE);
    neighbour_check(e);
}

void neighbour_ask(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    if (neighbour_lookup(n, iface, addr) != NULL)
        return; /* is known, or asked already */
    ask(n, iface, neighbour_add(n, iface, addr, NULL, on_timer));
}
