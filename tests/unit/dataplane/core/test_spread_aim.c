/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataplane/core/spread_aim, spread_key: every port that is offered brings the reply to this
 * worker. The oracle is DPDK's rte_softrss() on the raw key and the device's own table.
 */
#include "base/rng.h"
#include "core/core.h"
#include "core/spread_aim.h"
#include "unit.h"
#include "unit_eal.h"

#include <rte_thash.h>
#include <string.h>

enum { SAMPLE = 150 }; /* candidates looked at where not all are */

/* A port's spreading, and the raw key and table behind it. */
struct device {
    struct spread spread;
    uint8_t key[SPREAD_KEY_BYTES];
    uint8_t table[SPREAD_BUCKETS_MAX];
    unsigned n_buckets;
};

static void device_init(struct device *d, const uint8_t *key, unsigned n_buckets, unsigned workers)
{
    memcpy(d->key, key, sizeof(d->key));
    d->n_buckets = n_buckets;
    for (unsigned i = 0; i < n_buckets; i++)
        d->table[i] = (uint8_t)(i % workers);
    spread_init_device(&d->spread, key, d->table, n_buckets);
}

/* Where the device puts it. */
static unsigned oracle(const struct device *d, const struct ip_addr *src, const struct ip_addr *dst,
                       uint16_t src_port, uint16_t dst_port)
{
    struct spread_tuple t;
    spread_tuple_of(src, dst, src_port, dst_port, &t);
    return d->table[rte_softrss(t.words, t.n, d->key) & (d->n_buckets - 1)];
}

static struct ip_addr random_addr(struct rng *r, bool is_ip6)
{
    uint64_t bytes[2] = {rng_next(r), rng_next(r)};
    return is_ip6 ? ip_addr_from_v6(bytes) : ip_addr_from_v4(bytes);
}

/* Looks at `n_looks` candidates of one flow; returns how many fit, all of which must be right. */
static unsigned check_aim(const struct device *d, struct rng *r, unsigned worker, bool is_ip6,
                          uint32_t n_looks)
{
    static uint8_t seen[65536];
    struct ip_addr src = random_addr(r, is_ip6);
    struct ip_addr dst = random_addr(r, is_ip6);
    uint16_t src_port = (uint16_t)rng_next(r);
    struct spread_aim aim;
    unsigned fits = 0;
    memset(seen, 0, sizeof(seen));
    spread_aim_init(&aim, &d->spread, worker, &src, &dst, src_port);
    for (uint32_t i = 0; i < aim.n && i < n_looks; i++) {
        uint16_t port;
        if (!spread_aim_port(&aim, i, &port))
            continue;
        REQUIRE(port >= SPREAD_AIM_PORT_FIRST && !seen[port]);
        seen[port] = 1;
        REQUIRE(oracle(d, &src, &dst, src_port, port) == worker);
        fits++;
    }
    return fits;
}

TEST(every_port_offered_brings_the_reply_to_this_worker_for_all_workers_and_table_sizes)
{
    static struct device d;
    struct rng r = {.state = 4};
    unit_eal_init();
    REQUIRE(spread_key_make(1));
    for (unsigned workers = 1; workers <= WORKERS_MAX; workers++) {
        for (unsigned n = 64; n <= SPREAD_BUCKETS_MAX; n *= 2) {
            device_init(&d, spread_key()->bytes, n, workers);
            unsigned worker = rng_below(&r, workers);
            CHECK_EQ(check_aim(&d, &r, worker, false, SAMPLE), SAMPLE); /* none is tried in vain */
            CHECK_EQ(check_aim(&d, &r, worker, true, SAMPLE), SAMPLE);
        }
    }
    spread_key_forget();
}

/* All candidates of a flow; those of all workers together are all ports, each once. */
static void check_all_ports(const struct device *d, unsigned workers, bool is_ip6)
{
    unsigned ports = 0;
    for (unsigned worker = 0; worker < workers; worker++) {
        struct rng r = {.state = 7}; /* the same flow for each */
        ports += check_aim(d, &r, worker, is_ip6, UINT32_MAX);
    }
    CHECK_EQ(ports, SPREAD_AIM_PORT_LAST - SPREAD_AIM_PORT_FIRST + 1);
}

TEST(no_port_is_left_out_and_none_is_offered_to_two_workers)
{
    static struct device d;
    static const unsigned workers[] = {1, 2, 3, 7, 64};
    unit_eal_init();
    for (unsigned is_ours = 0; is_ours < 2; is_ours++) { /* a foreign key: by trial */
        REQUIRE(is_ours == 0 || spread_key_make(2));
        for (unsigned i = 0; i < 5; i++) {
            device_init(&d, spread_key()->bytes, 128, workers[i]);
            CHECK_EQ(d.spread.key->ip4_port != NULL, is_ours);
            check_all_ports(&d, workers[i], false);
            check_all_ports(&d, workers[i], true);
        }
    }
    spread_key_forget();
}

TEST(a_device_with_a_key_of_its_own_is_aimed_at_by_trial)
{
    static struct device d;
    struct rng r = {.state = 9};
    unit_eal_init();
    REQUIRE(spread_key_make(3));
    device_init(&d, spread_default_key.bytes, 512, 4);
    CHECK(d.spread.key == NULL);
    unsigned fits = check_aim(&d, &r, 3, false, 400) + check_aim(&d, &r, 3, true, 400);
    CHECK(fits > 800 / 4 / 2 && fits < 800 / 4 * 2);
    spread_key_forget();
}

TEST(a_worker_without_a_bucket_is_offered_nothing)
{
    static struct device d;
    struct rng r = {.state = 9};
    device_init(&d, spread_key()->bytes, 4, 4);
    CHECK_EQ(check_aim(&d, &r, 63, false, SAMPLE), 0);
    CHECK_EQ(check_aim(&d, &r, 5, true, SAMPLE), 0);
}

TEST(the_key_is_its_seeds)
{
    uint8_t first[SPREAD_KEY_BYTES];
    unit_eal_init();
    REQUIRE(spread_key_make(5));
    memcpy(first, spread_key()->bytes, sizeof(first));
    spread_key_forget();
    REQUIRE(spread_key_make(6));
    CHECK(memcmp(first, spread_key()->bytes, sizeof(first)) != 0);
    spread_key_forget();
    REQUIRE(spread_key_make(5));
    CHECK(memcmp(first, spread_key()->bytes, sizeof(first)) == 0);
    spread_key_forget();
    CHECK(spread_key() == &spread_default_key);
}

TEST(the_hash_is_dpdks)
{
    static struct device d;
    struct rng r = {.state = 11};
    unit_eal_init();
    REQUIRE(spread_key_make(8));
    device_init(&d, spread_key()->bytes, 128, 2);
    for (unsigned round = 0; round < 20000; round++) {
        static const uint8_t lengths[] = {2, 3, 8, 9};
        struct spread_tuple t = {.n = lengths[round % 4]};
        for (unsigned i = 0; i < t.n; i++)
            t.words[i] = (uint32_t)rng_next(&r);
        REQUIRE(spread_hash(&d.spread, &t) == rte_softrss(t.words, t.n, d.key));
    }
    spread_key_forget();
}

UNIT_MAIN("spread_aim",
          T(every_port_offered_brings_the_reply_to_this_worker_for_all_workers_and_table_sizes),
          T(no_port_is_left_out_and_none_is_offered_to_two_workers),
          T(a_device_with_a_key_of_its_own_is_aimed_at_by_trial),
          T(a_worker_without_a_bucket_is_offered_nothing), T(the_key_is_its_seeds),
          T(the_hash_is_dpdks))
