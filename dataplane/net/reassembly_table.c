/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The places of packets in pieces: found by key, bounded by share and in all, given up when their
 * time is over. All times are equal, so age is the order of the ends, and one timer is enough.
 * Owner: struct net. Thread: the worker.
 */
#include "base/assert.h"
#include "net/reassembly.h"

#include <rte_mempool.h>

/* The part of all packets that may lie here, for all workers together. */
#define POOL_PART 16u

static void on_timer(struct wheel_timer *timer, uint64_t now_us);

static uint32_t share_of(const struct net *n, const struct ip_addr *src)
{
    size_t bytes = ip_addr_is_v4(src) ? 16 : 8; /* who has one address of a /64 has them all */
    return (uint32_t)(siphash(&n->core->hash_key, src->bytes, bytes) % NET_FRAGMENT_SHARES_MAX);
}

static struct list_node *bucket_of(struct net *n, const struct datagram_key *key)
{
    uint64_t hash = siphash(&n->core->hash_key, key, sizeof(*key));
    return &n->reassembly->buckets[hash % DATAGRAM_BUCKETS];
}

void reassembly_init(struct net *n)
{
    struct reassembly *r = core_memory(n->core, sizeof(*r), "reassembly");
    uint32_t part = n->core->mbufs->size / POOL_PART / n->core->workers;
    core_pool(n->core, &r->pool, sizeof(struct datagram), NET_DATAGRAMS_MAX, "datagrams");
    r->mbufs_max = RTE_MIN(NET_FRAGMENT_MBUFS_MAX, part);
    r->net = n;
    r->timer.on_expire = on_timer;
    list_init(&r->by_age);
    for (unsigned i = 0; i < DATAGRAM_BUCKETS; i++)
        list_init(&r->buckets[i]);
    for (unsigned i = 0; i < NET_FRAGMENT_SHARES_MAX; i++)
        list_init(&r->shares[i].datagrams);
    n->reassembly = r;
}

static struct datagram *oldest(struct list_node *by_age)
{
    struct list_node *node = list_peek_front(by_age);
    return node == NULL ? NULL : container_of(node, struct datagram, age_link);
}

static void evict(struct net *n, struct datagram *d)
{
    stat_inc(n->core, STAT_net_reassembly_evicted);
    datagram_empty(n, d);
    datagram_forget(n, d);
}

void reassembly_done(struct net *n)
{
    struct datagram *d;
    while ((d = oldest(&n->reassembly->by_age)) != NULL)
        evict(n, d);
    wheel_disarm(&n->core->wheel, &n->reassembly->timer);
    ASSERT(n->reassembly->mbufs == 0 && n->reassembly->pool.used == 0);
}

struct datagram *datagram_find(struct net *n, const struct datagram_key *key)
{
    LIST_EACH (node, bucket_of(n, key)) {
        struct datagram *d = container_of(node, struct datagram, bucket_link);
        if (memcmp(&d->key, key, sizeof(*key)) == 0)
            return d;
    }
    return NULL;
}

/* The oldest of a share but for `but`; NULL: there is no other. */
static struct datagram *oldest_of(struct datagram_share *share, const struct datagram *but)
{
    LIST_EACH (node, &share->datagrams) {
        struct datagram *d = container_of(node, struct datagram, share_link);
        if (d != but)
            return d;
    }
    return NULL;
}

/* The same of all. */
static struct datagram *oldest_of_all(struct reassembly *r, const struct datagram *but)
{
    struct datagram *d = oldest(&r->by_age);
    if (d != but || d->age_link.next == &r->by_age)
        return d == but ? NULL : d;
    return container_of(d->age_link.next, struct datagram, age_link);
}

struct datagram *datagram_begin(struct net *n, const struct datagram_key *key)
{
    struct reassembly *r = n->reassembly;
    uint32_t at = share_of(n, &key->src);
    struct datagram_share *share = &r->shares[at];
    if (share->n == NET_DATAGRAMS_PER_SHARE_MAX)
        evict(n, oldest_of(share, NULL));
    else if (r->pool.used == r->pool.capacity)
        evict(n, oldest(&r->by_age));
    struct datagram *d = pool_get(&r->pool);
    ASSERT(d != NULL);
    memset(d, 0, offsetof(struct datagram, pieces));
    d->key = *key;
    d->expires_us = n->core->now_us + NET_REASSEMBLY_US;
    d->share = (uint16_t)at;
    list_push_back(bucket_of(n, key), &d->bucket_link);
    list_push_back(&r->by_age, &d->age_link);
    list_push_back(&share->datagrams, &d->share_link);
    share->n++;
    if (!wheel_timer_is_armed(&r->timer))
        wheel_arm(&n->core->wheel, &r->timer, d->expires_us);
    stat_inc(n->core, STAT_net_reassembly_begun);
    stat_inc(n->core, STAT_net_reassemblies_now);
    check_datagram(d);
    return d;
}

bool datagram_make_room(struct net *n, struct datagram *d, uint32_t mbufs)
{
    struct reassembly *r = n->reassembly;
    struct datagram_share *share = &r->shares[d->share];
    struct datagram *other;
    while (share->mbufs + mbufs > NET_FRAGMENT_MBUFS_PER_SHARE_MAX) {
        if ((other = oldest_of(share, d)) == NULL)
            return false;
        evict(n, other);
    }
    while (r->mbufs + mbufs > r->mbufs_max) {
        if ((other = oldest_of_all(r, d)) == NULL)
            return false;
        evict(n, other);
    }
    return true;
}

void datagram_charge(struct net *n, struct datagram *d, int32_t mbufs)
{
    struct reassembly *r = n->reassembly;
    struct datagram_share *share = &r->shares[d->share];
    ASSERT_HOT(mbufs >= 0 || d->mbufs >= (uint32_t)-mbufs);
    d->mbufs += (uint32_t)mbufs;
    share->mbufs += (uint32_t)mbufs;
    r->mbufs += (uint32_t)mbufs;
    stat_add(n->core, STAT_net_reassembly_mbufs_now, (uint64_t)(int64_t)mbufs);
    ASSERT_HOT(d->mbufs <= share->mbufs && share->mbufs <= r->mbufs);
    ASSERT_HOT(r->mbufs <= r->mbufs_max);
}

void datagram_empty(struct net *n, struct datagram *d)
{
    for (unsigned i = 0; i < d->n; i++)
        rte_pktmbuf_free(d->pieces[i].m);
    stat_add(n->core, STAT_net_fragments_lost, d->n);
    d->n = 0;
    d->bytes = 0;
    datagram_charge(n, d, -(int32_t)d->mbufs);
    check_datagram(d);
}

void datagram_forget(struct net *n, struct datagram *d)
{
    struct datagram_share *share = &n->reassembly->shares[d->share];
    ASSERT_HOT(d->n == 0 && d->mbufs == 0);
    ASSERT_HOT(share->n > 0);
    share->n--;
    list_remove(&d->bucket_link);
    list_remove(&d->age_link);
    list_remove(&d->share_link);
    pool_put(&n->reassembly->pool, d);
    stat_add(n->core, STAT_net_reassemblies_now, (uint64_t)-1);
}

/* The sender hears of it if the first fragment is here, by which it knows the packet (RFC 792; RFC
 * 8200, section 4.5). */
static void tell_timeout(struct net *n, struct datagram *d)
{
    unsigned iface = n->now->iface_of[d->port][d->vlan];
    if (d->n == 0 || d->pieces[0].first != 0 || iface == IFACE_NONE ||
        !net_is_local(n, &d->key.dst))
        return;
    struct net_packet p = {.frame = {.iface = &n->now->ifaces[iface], .src_mac = d->src_mac},
                           .src = d->key.src,
                           .dst = d->key.dst};
    void *header = rte_pktmbuf_prepend(d->pieces[0].m, (uint16_t)d->header_bytes);
    ASSERT(header != NULL); /* it was taken off there */
    icmp_tell(n, &p, d->pieces[0].m, ICMP_FAULT_REASSEMBLY, 0);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct reassembly *r = container_of(timer, struct reassembly, timer);
    struct datagram *d;
    for (unsigned i = 0; (d = oldest(&r->by_age)) != NULL; i++) {
        if (d->expires_us > now_us || i == NET_REASSEMBLY_TIMEOUTS_MAX) {
            wheel_arm(&r->net->core->wheel, timer, d->expires_us);
            return;
        }
        if (!d->is_dead)
            tell_timeout(r->net, d);
        stat_inc(r->net->core, STAT_net_reassembly_timeouts);
        datagram_empty(r->net, d);
        datagram_forget(r->net, d);
    }
}
