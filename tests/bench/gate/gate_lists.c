/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look-ups in a list of client addresses, by the image's ranges and by DPDK's tables: README.md.
 * Addresses are random, so each takes another way through the list; half of them are in it.
 */
#include "base/rng.h"
#include "compile/image_builder.h"
#include "route/access.h"
#include "unit.h"
#include "unit_eal.h"

#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_lpm.h>
#include <rte_lpm6.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BURST 32u
#define BURSTS 1000u
#define LINE_BYTES 64u
#define WORK_LINES 4096u
#define WORK_BYTES (64u << 20)
#define PREFIXES_MAX 8192u

struct prefix {
    struct ip_addr addr; /* IPv4: mapped */
    uint8_t len;         /* of its own family */
};

static struct rng rng;
static struct prefix list[PREFIXES_MAX];
static uint32_t n_list;
static struct ip_addr asked[BURSTS][BURST];
static uint8_t *work;
static volatile uint64_t sink;

static uint32_t v4_of(const struct ip_addr *a)
{
    return (uint32_t)a->bytes[12] << 24 | (uint32_t)a->bytes[13] << 16 |
           (uint32_t)a->bytes[14] << 8 | a->bytes[15];
}

static struct ip_addr random_addr(bool is_v4)
{
    uint64_t high = rng_next(&rng), low = rng_next(&rng);
    struct ip_addr a;
    if (is_v4)
        return ip_addr_from_v4(&low);
    memcpy(a.bytes, &high, 8);
    memcpy(a.bytes + 8, &low, 8);
    a.bytes[0] = 0x20;
    return a;
}

/* Zero behind the prefix. */
static void cut(struct ip_addr *a, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
        if (kept < 8)
            a->bytes[i] &= (uint8_t)(0xff00u >> kept);
    }
}

static void make(bool is_v4)
{
    for (uint32_t i = 0; i < n_list; i++) {
        unsigned spread = (unsigned)(rng_next(&rng) % 9);
        list[i].addr = random_addr(is_v4);
        list[i].len = (uint8_t)(is_v4 ? 20 + spread : 40 + 2 * spread);
        cut(&list[i].addr, list[i].len + (is_v4 ? 96u : 0u));
    }
    for (uint32_t i = 0; i < BURSTS * BURST; i++) {
        struct ip_addr a = random_addr(is_v4);
        const struct prefix *p = &list[rng_next(&rng) % n_list];
        if (i % 2 == 0)
            memcpy(a.bytes, p->addr.bytes, is_v4 ? 14 : 5);
        asked[i / BURST][i % BURST] = a;
    }
}

static int compare(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void do_work(void)
{
    uint64_t at = rng_next(&rng) % (WORK_BYTES / LINE_BYTES - WORK_LINES);
    for (uint32_t i = 0; i < WORK_LINES; i++)
        work[(at + i) * LINE_BYTES]++;
}

typedef void (*lookup_fn)(const void *table, const struct ip_addr *addrs);

static void measure(const char *name, lookup_fn fn, const void *table)
{
    static uint64_t times[BURSTS];
    double ns[2];
    for (unsigned i = 0; i < BURSTS; i++)
        fn(table, asked[i]); /* its pages are there */
    for (unsigned is_cold = 0; is_cold < 2; is_cold++) {
        for (unsigned i = 0; i < BURSTS; i++) {
            if (is_cold)
                do_work();
            uint64_t begin = now_ns();
            fn(table, asked[i]);
            times[i] = now_ns() - begin;
        }
        qsort(times, BURSTS, sizeof(times[0]), compare);
        ns[is_cold] = (double)times[BURSTS / 2] / BURST;
    }
    printf("%-8s %6u prefixes   warm %6.1f ns   cold %6.1f ns\n", name, n_list, ns[0], ns[1]);
}

static void by_ranges(const void *table, const struct ip_addr *addrs)
{
    const struct image_view *v = table;
    for (unsigned i = 0; i < BURST; i++)
        sink += route_access_of(v, &v->accesses[0], &addrs[i]);
}

static void by_lpm(const void *table, const struct ip_addr *addrs)
{
    uint32_t ips[BURST], hops[BURST];
    for (unsigned i = 0; i < BURST; i++)
        ips[i] = v4_of(&addrs[i]);
    rte_lpm_lookup_bulk((const struct rte_lpm *)table, ips, hops, BURST);
    sink += hops[BURST - 1];
}

static void by_fib(const void *table, const struct ip_addr *addrs)
{
    uint32_t ips[BURST];
    uint64_t hops[BURST];
    for (unsigned i = 0; i < BURST; i++)
        ips[i] = v4_of(&addrs[i]);
    rte_fib_lookup_bulk((struct rte_fib *)(uintptr_t)table, ips, hops, BURST);
    sink += hops[BURST - 1];
}

static void by_lpm6(const void *table, const struct ip_addr *addrs)
{
    uint8_t ips[BURST][16];
    int32_t hops[BURST];
    memcpy(ips, addrs, sizeof(ips));
    rte_lpm6_lookup_bulk_func((const struct rte_lpm6 *)table, ips, hops, BURST);
    sink += (uint64_t)hops[BURST - 1];
}

static void by_fib6(const void *table, const struct ip_addr *addrs)
{
    uint8_t ips[BURST][16];
    uint64_t hops[BURST];
    memcpy(ips, addrs, sizeof(ips));
    rte_fib6_lookup_bulk((struct rte_fib6 *)(uintptr_t)table, ips, hops, BURST);
    sink += hops[BURST - 1];
}

static void measure_ranges(bool is_v4)
{
    static struct image_range ranges[PREFIXES_MAX];
    struct ip_addr vip = random_addr(true);
    struct image_builder *b = image_builder_new();
    struct image_view v;
    void *data;
    size_t len;
    for (uint32_t i = 0; i < n_list; i++) {
        struct ip_addr last = list[i].addr;
        unsigned bits = list[i].len + (is_v4 ? 96u : 0u);
        for (unsigned bit = bits; bit < 128; bit++)
            last.bytes[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
        ranges[i] = (struct image_range){list[i].addr, last};
    }
    struct image_access_spec spec = {.name = "x", .denied = ranges, .n_denied = n_list};
    REQUIRE(image_builder_gate(b, &vip, 0, false, &spec) == 0);
    REQUIRE(image_builder_finish(b, 1, &data, &len) == 0);
    image_view_init(&v, data);
    measure(is_v4 ? "ranges" : "ranges6", by_ranges, &v);
    image_builder_free(b);
    free(data);
}

static void measure_v4(void)
{
    struct rte_lpm_config lpm_config = {.max_rules = 2 * PREFIXES_MAX, .number_tbl8s = 16384};
    struct rte_fib_conf fib_config = {.type = RTE_FIB_DIR24_8,
                                      .max_routes = 2 * PREFIXES_MAX,
                                      .dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_2B, .num_tbl8 = 16384}};
    struct rte_lpm *lpm = rte_lpm_create("lpm", SOCKET_ID_ANY, &lpm_config);
    struct rte_fib *fib = rte_fib_create("fib", SOCKET_ID_ANY, &fib_config);
    bool is_fib_whole = fib != NULL;
    REQUIRE(lpm != NULL);
    for (uint32_t i = 0; i < n_list; i++) {
        rte_lpm_add(lpm, v4_of(&list[i].addr), list[i].len, 1);
        is_fib_whole = is_fib_whole && rte_fib_add(fib, v4_of(&list[i].addr), list[i].len, 1) == 0;
    }
    measure("lpm", by_lpm, lpm);
    measure(is_fib_whole ? "fib" : "fib (part)", by_fib, fib);
    rte_lpm_free(lpm);
    rte_fib_free(fib);
}

static void measure_v6(void)
{
    struct rte_lpm6_config lpm_config = {.max_rules = 2 * PREFIXES_MAX, .number_tbl8s = 65536};
    struct rte_fib6_conf fib_config = {.type = RTE_FIB6_TRIE,
                                       .max_routes = 2 * PREFIXES_MAX,
                                       .trie = {.nh_sz = RTE_FIB6_TRIE_2B, .num_tbl8 = 32767}};
    struct rte_lpm6 *lpm = rte_lpm6_create("lpm6", SOCKET_ID_ANY, &lpm_config);
    struct rte_fib6 *fib = rte_fib6_create("fib6", SOCKET_ID_ANY, &fib_config);
    REQUIRE(lpm != NULL && fib != NULL);
    for (uint32_t i = 0; i < n_list; i++) {
        rte_lpm6_add(lpm, list[i].addr.bytes, list[i].len, 1);
        rte_fib6_add(fib, list[i].addr.bytes, list[i].len, 1);
    }
    measure("lpm6", by_lpm6, lpm);
    measure("fib6", by_fib6, fib);
    rte_lpm6_free(lpm);
    rte_fib6_free(fib);
}

TEST(look_ups)
{
    work = calloc(1, WORK_BYTES);
    REQUIRE(work != NULL);
    unit_eal_init();
    make(true);
    measure_ranges(true);
    measure_v4();
    make(false);
    measure_ranges(false);
    measure_v6();
    free(work);
}

int main(int argc, char **argv)
{
    static const struct unit_test tests[] = {T(look_ups)};
    n_list = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : PREFIXES_MAX;
    rng.state = 7;
    if (n_list == 0 || n_list > PREFIXES_MAX)
        return 1;
    return unit_run("bench/gate", tests, 1, 1, argv);
}
