/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The neighbour state machine (RFC 4861, section 7.3; ARP entries walk the same states, with a
 * request in place of a solicitation). Owner: struct net. Thread: the worker. Bound:
 * NET_NEIGHBOURS_MAX, each with NET_NEIGHBOUR_QUEUE_MAX packets.
 *
 * Places are given out like this: the unresolved may not take more than their share, beyond it the
 * oldest of them goes; when the whole table is full, the least used goes. So a flood of made-up
 * neighbours only fights with itself.
 */
#include "net/neighbour.h"

#include "base/assert.h"
#include "net/net_priv.h"

#include <string.h>

static void on_timer(struct wheel_timer *timer, uint64_t now_us);

static struct list_node *bucket_of(const struct net *n, uint16_t port, uint16_t vlan,
                                   const struct ip_addr *addr)
{
    struct {
        struct ip_addr addr;
        uint16_t port;
        uint16_t vlan;
    } key = {*addr, port, vlan};
    static_assert(sizeof(key) == 20, "no padding is hashed");
    uint64_t hash = siphash(&n->core->hash_key, &key, sizeof(key));
    const struct list_node *bucket = &n->neighbours.buckets[hash % NEIGHBOUR_BUCKETS];
    return (struct list_node *)(uintptr_t)bucket;
}

static void check_neighbour(const struct neighbour *e)
{
    ASSERT_HOT(e->waiting == 0 || e->state == NEIGHBOUR_INCOMPLETE);
    ASSERT_HOT(e->waiting <= NET_NEIGHBOUR_QUEUE_MAX);
    ASSERT_HOT(e->tries <= NET_NEIGHBOUR_TRIES_MAX);
    ASSERT_HOT(list_is_linked(&e->bucket_link) && list_is_linked(&e->use_link));
    ASSERT_HOT(e->state == NEIGHBOUR_INCOMPLETE || !ether_mac_is_nobody(&e->mac));
}

static struct neighbour *find(const struct net *n, uint16_t port, uint16_t vlan,
                              const struct ip_addr *addr)
{
    LIST_EACH (node, bucket_of(n, port, vlan, addr)) {
        struct neighbour *e = container_of(node, struct neighbour, bucket_link);
        if (e->port == port && e->vlan == vlan && ip_addr_eq(&e->addr, addr))
            return e;
    }
    return NULL;
}

const struct neighbour *neighbour_find(const struct net *n, const struct net_iface *iface,
                                       const struct ip_addr *addr)
{
    return find(n, iface->port, iface->vlan, addr);
}

void neighbour_init(struct net *n)
{
    struct neighbour_table *t = &n->neighbours;
    size_t bytes = pool_bytes(sizeof(struct neighbour), NET_NEIGHBOURS_MAX);
    pool_init(&t->pool, core_memory(n->core, bytes, "neighbours"), sizeof(struct neighbour),
              NET_NEIGHBOURS_MAX);
    list_init(&t->unresolved);
    list_init(&t->resolved);
    for (unsigned i = 0; i < NEIGHBOUR_BUCKETS; i++)
        list_init(&t->buckets[i]);
}

/* Forgets `e`; what waited for it is dropped for the reason given. */
static void forget(struct net *n, struct neighbour *e, enum stat_id why)
{
    check_neighbour(e);
    for (unsigned i = 0; i < e->waiting; i++)
        net_drop(n, e->queue[i], why);
    if (e->state == NEIGHBOUR_INCOMPLETE)
        n->neighbours.n_unresolved--;
    wheel_disarm(&n->core->wheel, &e->timer);
    list_remove(&e->bucket_link);
    list_remove(&e->use_link);
    pool_put(&n->neighbours.pool, e);
    stat_add(n->core, STAT_net_neighbours_now, (uint64_t)-1);
}

void neighbour_done(struct net *n)
{
    struct list_node *both[] = {&n->neighbours.unresolved, &n->neighbours.resolved};
    for (unsigned i = 0; i < array_len(both); i++) {
        struct list_node *node;
        while ((node = list_peek_front(both[i])) != NULL)
            forget(n, container_of(node, struct neighbour, use_link),
                   STAT_net_drop_tx_neighbour_evicted);
    }
    ASSERT(n->neighbours.pool.used == 0 && n->neighbours.n_unresolved == 0);
}

static void evict_first(struct net *n, struct list_node *list)
{
    struct list_node *node = list_peek_front(list);
    ASSERT(node != NULL);
    stat_inc(n->core, STAT_net_neighbour_evictions);
    forget(n, container_of(node, struct neighbour, use_link), STAT_net_drop_tx_neighbour_evicted);
}

/* A new entry in INCOMPLETE, its timer not yet armed. */
static struct neighbour *create(struct net *n, const struct net_iface *iface,
                                const struct ip_addr *addr)
{
    struct neighbour_table *t = &n->neighbours;
    if (t->n_unresolved == NET_NEIGHBOURS_UNRESOLVED_MAX)
        evict_first(n, &t->unresolved);
    else if (t->pool.used == t->pool.capacity)
        evict_first(n, &t->resolved);
    struct neighbour *e = pool_get(&t->pool);
    ASSERT(e != NULL);
    *e = (struct neighbour){.timer = {.on_expire = on_timer},
                            .net = n,
                            .addr = *addr,
                            .port = iface->port,
                            .vlan = iface->vlan,
                            .state = NEIGHBOUR_INCOMPLETE};
    list_push_back(bucket_of(n, e->port, e->vlan, addr), &e->bucket_link);
    list_push_back(&t->unresolved, &e->use_link);
    t->n_unresolved++;
    stat_inc(n->core, STAT_net_neighbours_now);
    return e;
}

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

static const struct net_iface *iface_of(const struct net *n, const struct neighbour *e)
{
    unsigned index = n->now->iface_of[e->port][e->vlan];
    return index == IFACE_NONE ? NULL : &n->now->ifaces[index];
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct neighbour *e = container_of(timer, struct neighbour, timer);
    struct net *n = e->net;
    const struct net_iface *iface = iface_of(n, e);
    check_neighbour(e);
    ASSERT(iface != NULL); /* neighbour_prune() */
    switch ((enum neighbour_state)e->state) {
    case NEIGHBOUR_REACHABLE:
        set_state(n, e, NEIGHBOUR_STALE);
        return;
    case NEIGHBOUR_STALE:
        forget(n, e, STAT_net_drop_tx_neighbour_failed);
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
            forget(n, e, STAT_net_drop_tx_neighbour_failed);
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
    struct neighbour *e = find(n, iface->port, iface->vlan, next_hop);
    if (e == NULL) {
        e = create(n, iface, next_hop);
        ask(n, iface, e);
    }
    check_neighbour(e);
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
    struct neighbour *e = find(n, iface->port, iface->vlan, &news->addr);
    if (e == NULL && !news->may_create)
        return;
    if (e == NULL)
        e = create(n, iface, &news->addr);
    if (e->state == NEIGHBOUR_INCOMPLETE) {
        e->mac = news->mac;
        set_state(n, e, news->is_answer ? NEIGHBOUR_REACHABLE : NEIGHBOUR_STALE);
        send_waiting(n, iface, e);
    } else {
        update_known(n, e, news);
    }
    check_neighbour(e);
}

void neighbour_prune(struct net *n)
{
    struct list_node *both[] = {&n->neighbours.unresolved, &n->neighbours.resolved};
    for (unsigned i = 0; i < array_len(both); i++) {
        LIST_EACH_SAFE (node, next, both[i]) {
            struct neighbour *e = container_of(node, struct neighbour, use_link);
            const struct net_iface *iface = iface_of(n, e);
            if (iface == NULL || !net_is_neighbour(n, iface, &e->addr))
                forget(n, e, STAT_net_drop_tx_neighbour_evicted);
        }
    }
}
