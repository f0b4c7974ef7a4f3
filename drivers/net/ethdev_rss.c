/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receive side scaling. The worker that a flow will come to must be known before the first packet
 * is sent (source ports are chosen by it), so a device that does not tell its key and table counts
 * as one that does not spread: the workers do it in software then. Thread: the composer's.
 */
#include "drivers/net/ethdev_rss.h"

#include <rte_ethdev.h>
#include <string.h>

#define RSS_TYPES                                                                                  \
    (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_TCP |  \
     RTE_ETH_RSS_NONFRAG_IPV6_UDP)

void net_rss_ask(const struct rte_eth_dev_info *dev, struct rte_eth_conf *conf)
{
    static uint8_t key[SPREAD_KEY_BYTES]; /* DPDK's pointer is not const */
    uint64_t types = dev->flow_type_rss_offloads & RSS_TYPES;
    if (types != RSS_TYPES)
        return;
    memcpy(key, spread_default_key, sizeof(key));
    conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf->rx_adv_conf.rss_conf.rss_hf = types;
    if (dev->hash_key_size == SPREAD_KEY_BYTES) {
        conf->rx_adv_conf.rss_conf.rss_key = key;
        conf->rx_adv_conf.rss_conf.rss_key_len = sizeof(key);
    }
}

/* Points bucket i at queue i % workers: queue and worker have the same number. */
static bool write_table(uint16_t port, unsigned n_buckets, unsigned workers)
{
    struct rte_eth_rss_reta_entry64 table[SPREAD_BUCKETS_MAX / RTE_ETH_RETA_GROUP_SIZE];
    memset(table, 0, sizeof(table));
    for (unsigned i = 0; i < n_buckets; i++) {
        struct rte_eth_rss_reta_entry64 *group = &table[i / RTE_ETH_RETA_GROUP_SIZE];
        group->mask |= 1ULL << (i % RTE_ETH_RETA_GROUP_SIZE);
        group->reta[i % RTE_ETH_RETA_GROUP_SIZE] = (uint16_t)(i % workers);
    }
    return rte_eth_dev_rss_reta_update(port, table, (uint16_t)n_buckets) == 0;
}

static bool read_table(uint16_t port, unsigned n_buckets, unsigned workers, uint8_t *ret_worker_of)
{
    struct rte_eth_rss_reta_entry64 table[SPREAD_BUCKETS_MAX / RTE_ETH_RETA_GROUP_SIZE];
    memset(table, 0, sizeof(table));
    for (unsigned i = 0; i < n_buckets; i++)
        table[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ULL << (i % RTE_ETH_RETA_GROUP_SIZE);
    if (rte_eth_dev_rss_reta_query(port, table, (uint16_t)n_buckets) != 0)
        return false;
    for (unsigned i = 0; i < n_buckets; i++) {
        uint16_t queue = table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
        if (queue >= workers)
            return false;
        ret_worker_of[i] = (uint8_t)queue;
    }
    return true;
}

bool net_rss_read_back(uint16_t port, const struct rte_eth_dev_info *dev, unsigned workers,
                       struct spread *ret)
{
    uint8_t key[SPREAD_KEY_BYTES];
    uint8_t worker_of[SPREAD_BUCKETS_MAX];
    struct rte_eth_rss_conf conf = {.rss_key = key, .rss_key_len = sizeof(key)};
    unsigned n_buckets = dev->reta_size;
    if (dev->hash_key_size != SPREAD_KEY_BYTES || n_buckets < RTE_ETH_RETA_GROUP_SIZE ||
        n_buckets > SPREAD_BUCKETS_MAX || (n_buckets & (n_buckets - 1)) != 0)
        return false;
    if (rte_eth_dev_rss_hash_conf_get(port, &conf) != 0 || (conf.rss_hf & RSS_TYPES) != RSS_TYPES)
        return false;
    if (!write_table(port, n_buckets, workers) || !read_table(port, n_buckets, workers, worker_of))
        return false;
    spread_init_device(ret, key, worker_of, n_buckets);
    return true;
}
