/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drivers/net/ethdev_rss against devices of all sorts: the linker puts the functions below in the
 * place of DPDK's (--wrap), so that a device can have any table, key and temper.
 */
#include "base/container.h"
#include "drivers/net/ethdev_rss.h"
#include "unit.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <string.h>

#define TCP_AND_UDP                                                                                \
    (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_TCP |  \
     RTE_ETH_RSS_NONFRAG_IPV6_UDP)

/* A device, and how it behaves. */
static struct device {
    struct rte_eth_dev_info info;
    uint8_t key[64];
    uint64_t types;
    uint16_t table[SPREAD_BUCKETS_MAX];
    int update_fault, query_fault, conf_fault;
    uint16_t keeps_bucket; /* 1 + a bucket that it does not change; 0: none */
} device;

int __wrap_rte_eth_dev_rss_reta_update(uint16_t port, struct rte_eth_rss_reta_entry64 *conf,
                                       uint16_t size);
int __wrap_rte_eth_dev_rss_reta_query(uint16_t port, struct rte_eth_rss_reta_entry64 *conf,
                                      uint16_t size);
int __wrap_rte_eth_dev_rss_hash_conf_get(uint16_t port, struct rte_eth_rss_conf *conf);

int __wrap_rte_eth_dev_rss_reta_update(uint16_t port, struct rte_eth_rss_reta_entry64 *conf,
                                       uint16_t size)
{
    CHECK_EQ(size, device.info.reta_size);
    for (unsigned i = 0; i < size && device.update_fault == 0; i++) {
        if ((conf[i / 64].mask >> (i % 64) & 1) != 0 && i + 1u != device.keeps_bucket)
            device.table[i] = conf[i / 64].reta[i % 64];
    }
    return device.update_fault;
}

int __wrap_rte_eth_dev_rss_reta_query(uint16_t port, struct rte_eth_rss_reta_entry64 *conf,
                                      uint16_t size)
{
    CHECK_EQ(size, device.info.reta_size);
    for (unsigned i = 0; i < size && device.query_fault == 0; i++) {
        if ((conf[i / 64].mask >> (i % 64) & 1) != 0)
            conf[i / 64].reta[i % 64] = device.table[i];
    }
    return device.query_fault;
}

int __wrap_rte_eth_dev_rss_hash_conf_get(uint16_t port, struct rte_eth_rss_conf *conf)
{
    CHECK_EQ(conf->rss_key_len, device.info.hash_key_size);
    memcpy(conf->rss_key, device.key, device.info.hash_key_size);
    conf->rss_hf = device.types;
    return device.conf_fault;
}

/* A NIC that does all. */
static void good_device(uint16_t buckets)
{
    device = (struct device){.info = {.reta_size = buckets,
                                      .hash_key_size = 40,
                                      .rx_offload_capa = RTE_ETH_RX_OFFLOAD_RSS_HASH,
                                      .flow_type_rss_offloads = UINT64_MAX}};
}

/* Configures the device as ethdev.c does; it takes what it is told. */
static struct rte_eth_conf configure(void)
{
    struct rte_eth_conf conf = {0};
    net_rss_ask(&device.info, &conf);
    const struct rte_eth_rss_conf *rss = &conf.rx_adv_conf.rss_conf;
    if (rss->rss_key != NULL)
        memcpy(device.key, rss->rss_key, rss->rss_key_len);
    device.types = rss->rss_hf;
    return conf;
}

static bool read_back(unsigned n_queues, struct spread *ret)
{
    return net_rss_read_back(0, &device.info, n_queues, ret);
}

TEST(key_and_table_are_programmed_and_read_back_for_each_size_and_number_of_queues)
{
    static struct spread s;
    for (uint16_t buckets = 64; buckets <= 2048; buckets = (uint16_t)(buckets * 2)) {
        for (unsigned queues = 2; queues <= 64; queues += 5) {
            good_device(buckets);
            struct rte_eth_conf conf = configure();
            CHECK_EQ(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
            CHECK_EQ(conf.rxmode.offloads, RTE_ETH_RX_OFFLOAD_RSS_HASH);
            CHECK_EQ(device.types, TCP_AND_UDP);
            REQUIRE(read_back(queues, &s));
            CHECK(s.key == spread_key());
            for (unsigned i = 0; i < SPREAD_BUCKETS_MAX; i++)
                REQUIRE(s.worker_of[i] == i % buckets % queues);
        }
    }
}

TEST(what_the_device_made_of_the_table_counts)
{
    static struct spread s;
    good_device(128);
    device.keeps_bucket = 1 + 77;
    configure();
    REQUIRE(read_back(2, &s));
    CHECK_EQ(s.worker_of[77], 0);
    CHECK_EQ(s.worker_of[75], 1);
}

TEST(a_longer_key_is_filled_and_a_key_of_its_own_is_taken_over)
{
    static struct spread s;
    good_device(512);
    device.info.hash_key_size = 52;
    configure();
    REQUIRE(read_back(4, &s));
    CHECK(s.key == spread_key());
    memset(device.key, 0x5a, sizeof(device.key)); /* it takes none */
    REQUIRE(read_back(4, &s));
    CHECK(s.key == NULL);
}

TEST(a_device_that_cannot_be_foretold_does_not_spread)
{
    static const struct {
        const char *what;
        struct device changed;
    } cases[] = {
        {"no table", {.info = {.reta_size = 0, .hash_key_size = 40}}},
        {"a table without a power of two", {.info = {.reta_size = 96, .hash_key_size = 40}}},
        {"too large a table", {.info = {.reta_size = 4096, .hash_key_size = 40}}},
        {"a table smaller than the queues", {.info = {.reta_size = 2, .hash_key_size = 40}}},
        {"no key", {.info = {.reta_size = 128, .hash_key_size = 0}}},
        {"too short a key", {.info = {.reta_size = 128, .hash_key_size = 16}}},
        {"too long a key", {.info = {.reta_size = 128, .hash_key_size = 65}}},
        {"table refused",
         {.info = {.reta_size = 128, .hash_key_size = 40}, .update_fault = -ENOTSUP}},
        {"table not told",
         {.info = {.reta_size = 128, .hash_key_size = 40}, .query_fault = -ENOTSUP}},
        {"key not told", {.info = {.reta_size = 128, .hash_key_size = 40}, .conf_fault = -ENOTSUP}},
    };
    static struct spread s;
    for (unsigned i = 0; i < array_len(cases); i++) {
        device = cases[i].changed;
        device.types = TCP_AND_UDP;
        bool is_believed = read_back(3, &s);
        if (is_believed)
            printf("  %s\n", cases[i].what);
        CHECK(!is_believed);
    }
}

TEST(a_queue_without_a_bucket_or_a_bucket_without_a_queue_is_not_believed)
{
    static struct spread s;
    good_device(4);
    configure();
    device.keeps_bucket = 1 + 3; /* of four queues for four buckets, the last gets nothing */
    CHECK(!read_back(4, &s));
    device.table[3] = 9;
    CHECK(!read_back(4, &s));
    device.keeps_bucket = 0;
    CHECK(read_back(4, &s));
}

TEST(hashing_that_we_did_not_ask_for_is_not_believed)
{
    static struct spread s;
    good_device(128);
    configure();
    device.types |= RTE_ETH_RSS_IPV4;
    CHECK(!read_back(2, &s));
    device.types = 0;
    CHECK(!read_back(2, &s));
    device.types = RTE_ETH_RSS_NONFRAG_IPV4_TCP; /* the rest is hashed in port_rx.c */
    CHECK(read_back(2, &s));
}

TEST(a_device_without_hashing_is_asked_for_nothing)
{
    good_device(128);
    device.info.flow_type_rss_offloads = RTE_ETH_RSS_L2_PAYLOAD;
    struct rte_eth_conf conf = configure();
    CHECK_EQ(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
    CHECK_EQ(conf.rxmode.offloads, 0);
}

UNIT_MAIN("drivers_rss",
          T(key_and_table_are_programmed_and_read_back_for_each_size_and_number_of_queues),
          T(what_the_device_made_of_the_table_counts),
          T(a_longer_key_is_filled_and_a_key_of_its_own_is_taken_over),
          T(a_device_that_cannot_be_foretold_does_not_spread),
          T(a_queue_without_a_bucket_or_a_bucket_without_a_queue_is_not_believed),
          T(hashing_that_we_did_not_ask_for_is_not_believed),
          T(a_device_without_hashing_is_asked_for_nothing))
