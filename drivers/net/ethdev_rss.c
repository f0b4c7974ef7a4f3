/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receive side scaling. The worker that a flow will come to must be known before the first packet
 * is sent (source ports are chosen by it), so a device that does not tell its key and table counts
 * as one that does not spread: the workers do it in software then, whatever queue a frame came by.
 * What else may differ, port_rx.c looks after frame by frame: kinds of packets that the device does
 * not hash. Thread: the composer's.
 */
#include "drivers/net/ethdev_rss.h"

#include <rte_ethdev.h>
#include <string.h>

/* Flows by addresses and ports. A device that hashes anything else besides, say all of IPv4 by its
 * addresses, would mark frames as hashed that lie elsewhere than foretold. */
#define RSS_TYPES                                                                                  \
    (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_TCP |  \
     RTE_ETH_RSS_NONFRAG_IPV6_UDP)

/* Some NICs have keys of 52 bytes; what lies behind the first 40 meets no tuple of ours. */
#define KEY_BYTES_MAX 64u

#define GROUPS_MAX (SPREAD_BUCKETS_MAX / RTE_ETH_RETA_GROUP_SIZE)

void net_rss_ask(const struct rte_eth_dev_info *dev, struct rte_eth_conf *conf)
{
    static uint8_t key[KEY_BYTES_MAX]; /* DPDK's pointer is not const, and outlives this call */
    uint64_t types = dev->flow_type_rss_offloads & RSS_TYPES;
    if (types == 0)
        return;
    memcpy(key, spread_key()->bytes, SPREAD_KEY_BYTES);
    conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf->rxmode.offloads |= dev->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;
    conf->rx_adv_conf.rss_conf.rss_hf = types;
    if (dev->hash_key_size >= SPREAD_KEY_BYTES && dev->hash_key_size <= KEY_BYTES_MAX) {
        conf->rx_adv_conf.rss_conf.rss_key = key;
        conf->rx_adv_conf.rss_conf.rss_key_len = dev->hash_key_size;
    }
}

/* Points bucket i at queue i % n_queues. */
static bool write_table(uint16_t port, unsigned n_buckets, unsigned n_queues)
{
    struct rte_eth_rss_reta_entry64 table[GROUPS_MAX];
    memset(table, 0, sizeof(table));
    for (unsigned i = 0; i < n_buckets; i++) {
        struct rte_eth_rss_reta_entry64 *group = &table[i / RTE_ETH_RETA_GROUP_SIZE];
        group->mask |= 1ULL << (i % RTE_ETH_RETA_GROUP_SIZE);
        group->reta[i % RTE_ETH_RETA_GROUP_SIZE] = (uint16_t)(i % n_queues);
    }
    return rte_eth_dev_rss_reta_update(port, table, (uint16_t)n_buckets) == 0;
}

/* Which queue each bucket leads to; each queue must have one, or its worker could open nothing. */
static bool read_table(uint16_t port, unsigned n_buckets, unsigned n_queues, uint8_t *ret_queue_of)
{
    struct rte_eth_rss_reta_entry64 table[GROUPS_MAX];
    uint64_t seen = 0;
    memset(table, 0, sizeof(table));
    for (unsigned i = 0; i < n_buckets; i++)
        table[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ULL << (i % RTE_ETH_RETA_GROUP_SIZE);
    if (rte_eth_dev_rss_reta_query(port, table, (uint16_t)n_buckets) != 0)
        return false;
    for (unsigned i = 0; i < n_buckets; i++) {
        uint16_t queue = table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
        if (queue >= n_queues)
            return false;
        seen |= 1ULL << queue;
        ret_queue_of[i] = (uint8_t)queue;
    }
    return seen == UINT64_MAX >> (64 - n_queues);
}

/* A key that is long enough, and types that are ours and no others. */
static bool read_key(uint16_t port, const struct rte_eth_dev_info *dev, uint8_t *ret_key)
{
    struct rte_eth_rss_conf conf = {.rss_key = ret_key, .rss_key_len = dev->hash_key_size};
    if (dev->hash_key_size < SPREAD_KEY_BYTES || dev->hash_key_size > KEY_BYTES_MAX)
        return false;
    return rte_eth_dev_rss_hash_conf_get(port, &conf) == 0 && conf.rss_hf != 0 &&
           (conf.rss_hf & ~RSS_TYPES) == 0;
}

bool net_rss_read_back(uint16_t port, const struct rte_eth_dev_info *dev, unsigned n_queues,
                       struct spread *ret)
{
    static_assert(PORT_QUEUES_MAX <= 64, "a bit a queue");
    uint8_t key[KEY_BYTES_MAX];
    uint8_t queue_of[SPREAD_BUCKETS_MAX];
    unsigned n_buckets = dev->reta_size;
    if (n_buckets < n_queues || n_buckets > SPREAD_BUCKETS_MAX ||
        (n_buckets & (n_buckets - 1)) != 0)
        return false;
    if (!write_table(port, n_buckets, n_queues) || !read_key(port, dev, key) ||
        !read_table(port, n_buckets, n_queues, queue_of))
        return false;
    spread_init_device(ret, key, queue_of, n_buckets);
    return true;
}
