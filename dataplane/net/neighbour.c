/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The neighbour state machine (RFC 4861, section 7.3; ARP entries walk the same states, with a
 * request in place of a solicitation). Owner: struct net. Thread: the worker. Bound:
 * NET_NEIGHBOUR_QUEUE_MAX packets wait for each. The table is in neighbour_table.c.
 */
#include "net/neighbour.h"

#include "base/assert.h"
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
        [NEIGHBOUR_INCOMPLETE] = NET_NEIGHBOUR_RETRY_US,
        [NEIGHBOUR_STALE] = NET_NEIGHBOUR_STALE_US,
        [NEIGHBOUR_DELAY] = NET_NEIGHBOUR_DELAY_US,
        [NEIGHBOUR_PROBE] = NET_NEIGHBOUR_RETRY_US,
    };
    ASSERT(state != NEIGHBOUR_INCOMPLETE || e->state == NEIGHBOUR_INCOMPLETE);
    if (e->state == NEIGHBOUR_INCOMPLETE && state != NEIGHBOUR_INCOMPLETE) {
        n->neighbours.n_unresolved--;
        list_remove(&e->use_link);
        list_push_back(&n->neighbours.resolved, &e->use_link);
    }
    e->state = (uint8_t)state;
    e->tries = 0;
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
    arm(n, e, NET_NEIGHBOUR_RETRY_US);
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
            neighbour_forget(n, e, STAT_net_drop_tx_neighbour_failed);
        return;
    }
}

static uint16_t type_of(const struct neighbour *e)
{
    return ip_addr_is_v4(&e->addr) ? ETHERTYPE_IP4 : ETHERTYPE_IP6;
}

static void wait_for(struct net *n, struct neighbour *e, struct rte_mbuf *m)
{
    if (e->waiting == NET_NEIGHBOUR_QUEUE_MAX) {
        /* The newest tells most of what is wanted now (RFC 4861, section 7.2.2). */
        net_drop(n, e->queue[0], STAT_net_drop_tx_neighbour_queue);
        e->waiting--;
        memmove(&e->queue[0], &e->queue[1], e->waiting * sizeof(e->queue[0]));
    }
    e->queue[e->waiting++] = m;
    stat_inc(n->core, STAT_net_tx_waits);
}

void neighbour_send(struct net *n, const struct net_iface *iface, const struct ip_addr *next_hop,
                    struct rte_mbuf *m)
{
    struct neighbour *e = neighbour_lookup(n, iface, next_hop);
    if (e == NULL) {
        e = neighbour_add(n, iface, next_hop, on_timer);
        ask(n, iface, e);
    }
    neighbour_check(e);
    if (e->state == NEIGHBOUR_INCOMPLETE) {
        wait_for(n, e, m);
        return;
    }
    list_remove(&e->use_link);
    list_push_back(&n->neighbours.resolved, &e->use_link);
    stat_inc(n->core, STAT_net_tx_packets);
    eth_output(n, iface, &e->mac, type_of(e), m);
    if (e->state == NEIGHBOUR_STALE)
        set_state(n, e, NEIGHBOUR_DELAY);
}

static void send_waiting(struct net *n, const struct net_iface *iface, struct neighbour *e)
{
    ASSERT_HOT(e->state != NEIGHBOUR_INCOMPLETE);
    ASSERT_HOT(iface->port == e->port && iface->vlan == e->vlan);
    unsigned waiting = e->waiting;
    e->waiting = 0;
    for (unsigned i = 0; i < waiting; i++) {
        stat_inc(n->core, STAT_net_tx_packets);
        eth_output(n, iface, &e->mac, type_of(e), e->queue[i]);
    }
}

/* RFC 4861, section 7.2.5, for an entry that has a MAC. */
static void update_known(struct net *n, struct neighbour *e, const struct neighbour_news *news)
{
    bool is_same = memcmp(&e->mac, &news->mac, sizeof(e->mac)) == 0;
    if (!is_same && !news->may_override) {
        if (e->state == NEIGHBOUR_REACHABLE)
            set_state(n, e, NEIGHBOUR_STALE);
        return;
    }
    e->mac = news->mac;
    if (news->is_answer)
        set_state(n, e, NEIGHBOUR_REACHABLE);
    else if (!is_same)
        set_state(n, e, NEIGHBOUR_STALE);
}

void neighbour_learn(struct net *n, const struct net_iface *iface,
                     const struct neighbour_news *news)
{
    ASSERT_HOT(!ether_mac_is_nobody(&news->mac));
    struct neighbour *e = neighbour_lookup(n, iface, &news->addr);
    if (e == NULL && !news->may_create)
        return;
    if (e == NULL)
        e = neighbour_add(n, iface, &news->addr, on_timer);
    if (e->state == NEIGHBOUR_INCOMPLETE) {
        e->mac = news->mac;
        set_state(n, e, news->is_answer ? NEIGHBOUR_REACHABLE : NEIGHBOUR_STALE);
        send_waiting(n, iface, e);
    } else {
        update_known(n, e, news);
    }
    neighbour_check(e);
}

void neighbour_doubt(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    struct neighbour *e = neighbour_lookup(n, iface, addr);
    if (e == NULL || e->state == NEIGHBOUR_INCOMPLETE || e->state == NEIGHBOUR_PROBE)
        return;
    set_state(n, e, NEIGHBOUR_PROBE);
    ask(n, iface, e);
    neighbour_check(e);
}
