/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What finding a flow costs as the table grows: SipHash of the tuple, the bucket, and the tuple of
 * the entry, for flows in random order, as packets come. Tuples lie as far apart as connections do.
 * What it touches is one line of the table and one of the connection, however many flows there
 * are; beyond the caches it waits for memory for both.
 *
 * usage: flow_lookup FLOWS...    prints `flow_lookup_ns FLOWS NANOSECONDS`, and how many flows the
 * table refused while it was filled, `flow_refused FLOWS REFUSED`
 */
#include "base/rng.h"
#include "core/pages.h"
#include "tcp/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LOOKUPS 2000000u
#define ROUNDS 5 /* the fastest counts: others share the caches */

struct flow {
    struct tcp_tuple tuple;
    char rest[sizeof(struct tcp_conn) - sizeof(struct tcp_tuple)];
};

static const struct tcp_tuple *tuple_of(const void *owner, tcp_entry_t e)
{
    const struct flow *flows = owner;
    return &flows[tcp_entry_index(e)].tuple;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void draw_tuple(struct tcp_tuple *tuple, struct rng *rng)
{
    uint64_t words[2] = {rng_next(rng), rng_next(rng)};
    memcpy(tuple->remote.bytes, words, sizeof(words));
    tuple->remote_port = (uint16_t)rng_next(rng);
    tuple->local_port = 80;
}

/* Returns how many flows the table refused (others took their place): it may, when all that lies
 * within TCP_TABLE_PROBES is full. */
static uint32_t fill(struct tcp_table *t, struct flow *flows, uint32_t n, struct rng *rng)
{
    uint32_t refused = 0;
    for (uint32_t i = 0; i < n;) {
        draw_tuple(&flows[i].tuple, rng);
        if (tcp_table_insert(t, tcp_table_hash(t, &flows[i].tuple), tcp_entry(i, 0, false)))
            i++;
        else
            refused++;
    }
    return refused;
}

/* Nanoseconds a lookup; each flow that is asked for is found. */
static double measure(const struct tcp_table *t, const struct flow *flows, uint32_t n,
                      struct rng *rng)
{
    uint32_t wrong = 0;
    double began = now_ns();
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        uint32_t flow = rng_below(rng, n);
        struct tcp_tuple tuple = flows[flow].tuple;
        tcp_entry_t e = tcp_table_find(t, tcp_table_hash(t, &tuple), &tuple);
        wrong += e.v != tcp_entry(flow, 0, false).v;
    }
    double took = (now_ns() - began) / LOOKUPS;
    if (wrong != 0) {
        fprintf(stderr, "%u flows were not found\n", wrong);
        exit(1);
    }
    return took;
}

static void bench(uint32_t n)
{
    static const struct siphash_key key = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    struct rng rng = {n};
    uint32_t n_buckets = tcp_table_buckets(n);
    struct tcp_bucket *buckets = pages_map(n_buckets * sizeof(*buckets));
    struct flow *flows = pages_map((size_t)n * sizeof(*flows));
    if (buckets == NULL || flows == NULL) {
        fprintf(stderr, "no memory for %u flows\n", n);
        exit(1);
    }
    struct tcp_table t;
    tcp_table_init(&t, buckets, n_buckets, &key, tuple_of, flows);
    uint32_t refused = fill(&t, flows, n, &rng);
    double best = 1e9;
    for (unsigned round = 0; round < ROUNDS; round++) {
        double took = measure(&t, flows, n, &rng);
        best = took < best ? took : best;
    }
    printf("flow_lookup_ns %u %.1f\n", n, best);
    printf("flow_refused %u %u\n", n, refused);
    pages_unmap(buckets, n_buckets * sizeof(*buckets));
    pages_unmap(flows, (size_t)n * sizeof(*flows));
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        bench((uint32_t)strtoul(argv[i], NULL, 10));
    return argc > 1 ? 0 : 2;
}
