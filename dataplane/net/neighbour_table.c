/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of neighbours. Owner: struct net. Thread: the worker. Bound: NET_NEIGHBOURS_MAX.
 *
 * Places are given out like this: the unresolved may not take more than their share, beyond it the
 * oldest of them goes; when the whole table is full, the least used goes. So a flood of made-up
 * neighbours only fights with itself.
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
    ASSERT_HOT(e->waiting == 0 || e->state == NEIGHBOUR_INCOMPLETE);
    ASSERT_HOT(e->waiting <= NET_NEIGHBOUR_QUEUE_MAX);
    ASSERT_HOT(e->tries <= NET_NEIGHBOUR_TRIES_MAX);
    ASSERT_HOT(list_is_linked(&e->bucket_link) && list_is_linked(&e->use_link));
    ASSERT_HOT(e->state == NEIGHBOUR_INCOMPLETE || !ether_mac_is_nobody(&e->mac));
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
    size_t bytes = pool_bytes(sizeof(struct neighbour), NET_NEIGHBOURS_MAX);
    pool_init(&t->pool, core_memory(n->core, bytes, "neighbours"), sizeof(struct neighbour),
              NET_NEIGHBOURS_MAX);
    list_init(&t->unresolved);
    list_init(&t->resolved);
    for (unsigned i = 0; i < NEIGHBOUR_BUCKETS; i++)
        list_init(&t->buckets[i]);
}

void neighbour_forget(struct net *n, struct neighbour *e, enum stat_id why)
{
    neighbour_check(e);
    ASSERT_HOT(e->net == n);
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
            neighbour_forget(n, container_of(node, struct neighbour, use_link),
                             STAT_net_drop_tx_neighbour_evicted);
    }
    ASSERT(n->neighbours.pool.used == 0 && n->neighbours.n_unresolved == 0);
}

static void evict_first(struct net *n, struct list_node *list)
{
    struct list_node *node = list_peek_front(list);
    ASSERT(node != NULL);
    stat_inc(n->core, STAT_net_neighbour_evictions);
    neighbour_forget(n, container_of(node, struct neighbour, use_link),
                     STAT_net_drop_tx_neighbour_evicted);
}

struct neighbour *neighbour_add(struct net *n, const struct net_iface *iface,
                                const struct ip_addr *addr, wheel_fn on_expire)
{
    struct neighbour_table *t = &n->neighbours;
    if (t->n_unresolved == NET_NEIGHBOURS_UNRESOLVED_MAX)
        evict_first(n, &t->unresolved);
    else if (t->pool.used == t->pool.capacity)
        evict_first(n, &t->resolved);
    struct neighbour *e = pool_get(&t->pool);
    ASSERT(e != NULL);
    *e = (struct neighbour){.timer = {.on_expire = on_expire},
                            .net = n,
                            .addr = *addr,
                            .port = iface->port,
                            .vlan = iface->vlan,
                            .state = NEIGHBOUR_INCOMPLETE};
    list_push_back(bucket_of(n, e->port, e->vlan, addr), &e->bucket_link);
    list_push_back(&t->unresolved, &e->use_link);
    t->n_unresolved++;
    ASSERT_HOT(t->n_unresolved <= NET_NEIGHBOURS_UNRESOLVED_MAX);
    ASSERT_HOT(t->n_unresolved <= t->pool.used);
    stat_inc(n->core, STAT_net_neighbours_now);
    return e;
}

void neighbour_prune(struct net *n)
{
    struct list_node *both[] = {&n->neighbours.unresolved, &n->neighbours.resolved};
    for (unsigned i = 0; i < array_len(both); i++) {
        LIST_EACH_SAFE (node, next, both[i]) {
            struct neighbour *e = container_of(node, struct neighbour, use_link);
            const struct net_iface *iface = neighbour_iface(n, e);
            if (iface == NULL || !net_is_neighbour(n, iface, &e->addr))
                neighbour_forget(n, e, STAT_net_drop_tx_neighbour_evicted);
        }
    }
}
