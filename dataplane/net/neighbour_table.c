/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of neighbours. Owner: struct net. Thread: the worker. Bound: NET_NEIGHBOURS_MAX.
 *
 * Places are given out like this: the unresolved may not take more than their share, nor those that
 * spoke to us and we never to them; beyond it the oldest of them goes. When the whole table is
 * full, one of those that we never spoke to goes, then the least used; but whoever tcp vouched for
 * is passed over once. So a flood of made-up neighbours only fights with itself.
 */
#include "net/neighbour_table.h"

#include "base/assert.h"

const struct net_iface *neighbour_iface(const struct net *n, const struct neighbour *e)
{
    unsigned index = n->now->iface_of[e->port][e->vlan];
    return index == IFACE_NONE ? NULL : &n->now->ifaces[index];
}

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

void neighbour_check(const struct neighbour *e)
{
    ASSERT_HOT(e->queue == NULL || e->state == NEIGHBOUR_INCOMPLETE);
    ASSERT_HOT(e->queue == NULL || e->queue->n <= NET_NEIGHBOUR_QUEUE_MAX);
    ASSERT_HOT(e->tries <= NET_NEIGHBOUR_TRIES_MAX);
    ASSERT_HOT(list_is_linked(&e->bucket_link) && list_is_linked(&e->use_link));
    ASSERT_HOT(e->state == NEIGHBOUR_INCOMPLETE || !ether_mac_is_nobody(&e->mac));
    ASSERT_HOT(!e->is_heard || e->state != NEIGHBOUR_INCOMPLETE);
}

struct neighbour *neighbour_lookup(struct net *n, const struct net_iface *iface,
                                   const struct ip_addr *addr)
{
    struct list_node *bucket = bucket_of(n, iface->port, iface->vlan, addr); /* hashed once */
    LIST_EACH (node, bucket) {
        struct neighbour *e = container_of(node, struct neighbour, bucket_link);
        if (e->port == iface->port && e->vlan == iface->vlan && ip_addr_eq(&e->addr, addr))
            return e;
    }
    return NULL;
}

const struct neighbour *neighbour_find(const struct net *n, const struct net_iface *iface,
                                       const struct ip_addr *addr)
{
    return neighbour_lookup((struct net *)(uintptr_t)n, iface, addr); /* the walk writes nothing */
}

void neighbour_init(struct net *n)
{
    struct neighbour_table *t = &n->neighbours;
    core_pool(n->core, &t->pool, sizeof(struct neighbour), NET_NEIGHBOURS_MAX, "neighbours");
    core_pool(n->core, &t->queues, sizeof(struct neighbour_queue), NET_NEIGHBOURS_UNRESOLVED_MAX,
              "neighbours' queues");
    list_init(&t->unresolved);
    list_init(&t->heard);
    list_init(&t->used);
    for (unsigned i = 0; i < NEIGHBOUR_BUCKETS; i++)
        list_init(&t->buckets[i]);
}

void neighbour_push(struct net *n, struct neighbour *e, struct rte_mbuf *m)
{
    ASSERT_HOT(e->state == NEIGHBOUR_INCOMPLETE);
    if (e->queue == NULL) {
        e->queue = pool_get(&n->neighbours.queues);
        ASSERT(e->queue != NULL); /* one for each that is unresolved */
        e->queue->n = 0;
    }
    struct neighbour_queue *q = e->queue;
    if (q->n == NET_NEIGHBOUR_QUEUE_MAX) {
        /* The newest tells most of what is wanted now (RFC 4861, section 7.2.2). */
        net_drop(n, q->packets[0], STAT_net_drop_tx_neighbour_queue);
        memmove(&q->packets[0], &q->packets[1], --q->n * sizeof(q->packets[0]));
        stat_add(n->core, STAT_net_tx_waiting_now, (uint64_t)-1);
    }
    q->packets[q->n++] = m;
    stat_inc(n->core, STAT_net_tx_waits);
    stat_inc(n->core, STAT_net_tx_waiting_now);
}

unsigned neighbour_take_all(struct net *n, struct neighbour *e,
                            struct rte_mbuf *ret[NET_NEIGHBOUR_QUEUE_MAX])
{
    struct neighbour_queue *q = e->queue;
    if (q == NULL)
        return 0;
    unsigned taken = q->n;
    memcpy(ret, q->packets, taken * sizeof(ret[0]));
    e->queue = NULL;
    pool_put(&n->neighbours.queues, q);
    stat_add(n->core, STAT_net_tx_waiting_now, (uint64_t) - (int64_t)taken);
    return taken;
}

void neighbour_forget(struct net *n, struct neighbour *e, enum stat_id why)
{
    neighbour_check(e);
    ASSERT_HOT(e->net == n);
    n->hops_version++;
    struct rte_mbuf *waiting[NET_NEIGHBOUR_QUEUE_MAX];
    unsigned n_waiting = neighbour_take_all(n, e, waiting);
    for (unsigned i = 0; i < n_waiting; i++)
        net_drop(n, waiting[i], why);
    if (e->state == NEIGHBOUR_INCOMPLETE)
        n->neighbours.n_unresolved--;
    if (e->is_heard)
        n->neighbours.n_heard--;
    if (neighbour_is_unsure(e))
        n->neighbours.n_unsure--;
    wheel_disarm(&n->core->wheel, &e->timer);
    list_remove(&e->bucket_link);
    list_remove(&e->use_link);
    pool_put(&n->neighbours.pool, e);
    stat_add(n->core, STAT_net_neighbours_now, (uint64_t)-1);
}

void neighbour_done(struct net *n)
{
    struct list_node *lists[] = {&n->neighbours.unresolved, &n->neighbours.heard,
                                 &n->neighbours.used};
    for (unsigned i = 0; i < array_len(lists); i++) {
        struct list_node *node;
        while ((node = list_peek_front(lists[i])) != NULL)
            neighbour_forget(n, container_of(node, struct neighbour, use_link),
                             STAT_net_drop_tx_neighbour_evicted);
    }
    ASSERT(n->neighbours.pool.used == 0 && n->neighbours.n_unresolved == 0);
    ASSERT(n->neighbours.queues.used == 0);
    ASSERT(n->neighbours.n_heard == 0 && n->neighbours.n_unsure == 0);
}

static void evict_first(struct net *n, struct list_node *list)
{
    struct list_node *node = list_peek_front(list);
    ASSERT(node != NULL);
    stat_inc(n->core, STAT_net_neighbour_evictions);
    neighbour_forget(n, container_of(node, struct neighbour, use_link),
                     STAT_net_drop_tx_neighbour_evicted);
}

/* Whoever tcp vouched for gets another round, a bounded number of them. */
static void evict_used(struct net *n)
{
    struct list_node *used = &n->neighbours.used;
    for (unsigned i = 0; i < NET_NEIGHBOUR_CHANCES_MAX; i++) {
        struct neighbour *e = container_of(list_peek_front(used), struct neighbour, use_link);
        if (!e->is_vouched)
            break;
        e->is_vouched = false;
        list_remove(&e->use_link);
        list_push_back(used, &e->use_link);
    }
    evict_first(n, used);
}

/* One place is free afterwards. */
static void make_place(struct net *n, bool is_heard)
{
    struct neighbour_table *t = &n->neighbours;
    bool is_full = t->pool.used == t->pool.capacity;
    if (is_heard && t->n_heard == NET_NEIGHBOURS_HEARD_MAX)
        evict_first(n, &t->heard);
    else if (!is_heard && t->n_unresolved == NET_NEIGHBOURS_UNRESOLVED_MAX)
        evict_first(n, &t->unresolved);
    else if (is_full && t->n_heard > 0)
        evict_first(n, &t->heard);
    else if (is_full)
        evict_used(n);
}

struct neighbour *neighbour_add(struct net *n, const struct net_iface *iface,
                                const struct ip_addr *addr, const struct ether_mac *mac,
                                wheel_fn on_expire)
{
    struct neighbour_table *t = &n->neighbours;
    bool is_heard = mac != NULL;
    make_place(n, is_heard);
    struct neighbour *e = pool_get(&t->pool);
    ASSERT(e != NULL);
    *e = (struct neighbour){.timer = {.on_expire = on_expire},
                            .net = n,
                            .addr = *addr,
                            .port = iface->port,
                            .vlan = iface->vlan,
                            .is_heard = is_heard,
                            .state = is_heard ? NEIGHBOUR_STALE : NEIGHBOUR_INCOMPLETE};
    if (is_heard)
        e->mac = *mac;
    list_push_back(bucket_of(n, e->port, e->vlan, addr), &e->bucket_link);
    list_push_back(is_heard ? &t->heard : &t->unresolved, &e->use_link);
    t->n_heard += is_heard;
    t->n_unresolved += !is_heard;
    ASSERT_HOT(t->n_unresolved <= NET_NEIGHBOURS_UNRESOLVED_MAX);
    ASSERT_HOT(t->n_heard <= NET_NEIGHBOURS_HEARD_MAX);
    stat_inc(n->core, STAT_net_neighbours_now);
    return e;
}

void neighbour_use(struct net *n, struct neighbour *e)
{
    ASSERT_HOT(e->state != NEIGHBOUR_INCOMPLETE);
    n->neighbours.n_heard -= e->is_heard;
    e->is_heard = false;
    list_remove(&e->use_link);
    list_push_back(&n->neighbours.used, &e->use_link);
}

void neighbour_prune(struct net *n)
{
    struct list_node *lists[] = {&n->neighbours.unresolved, &n->neighbours.heard,
                                 &n->neighbours.used};
    for (unsigned i = 0; i < array_len(lists); i++) {
        LIST_EACH_SAFE (node, next, lists[i]) {
            struct neighbour *e = container_of(node, struct neighbour, use_link);
            const struct net_iface *iface = neighbour_iface(n, e);
            if (iface == NULL || !net_is_neighbour(n, iface, &e->addr))
                neighbour_forget(n, e, STAT_net_drop_tx_neighbour_evicted);
        }
    }
}
