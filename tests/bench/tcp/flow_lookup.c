/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What finding a flow costs as their number grows: the worker's tables as they are, connections in
 * them, segments of flows in random order in bursts. A look-up is the hash of the tuple, the
 * bucket, the connection, and a word of each line that the fast path reads first. Once one by one,
 * and once as net_input() has it: tcp_expect() for all of a burst, tcp_prefetch() a few ahead.
 *
 * What is touched is a line of the table and four of the connection, however many flows there are;
 * what differs is who waits for them.
 *
 * usage: flow_lookup FLOWS...    prints `flow_lookup_ns FLOWS NANOSECONDS PREFETCH`, and how many
 * flows the table refused while it was filled, `flow_refused FLOWS REFUSED`
 */
#include "harness.h"
#include "unit.h"

#include "base/rng.h"
#include "net/net_limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LOOKUPS (1u << 20)
#define BURST NET_TOGETHER_MAX
#define ROUNDS 5 /* the fastest counts: others share the caches */

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The tuple of flow `i`, made anew each time: reading it from the flow would bring its lines. */
static struct tcp_tuple tuple_of(uint32_t i)
{
    struct tcp_tuple tuple = {.local_port = 80};
    struct rng rng = {i};
    uint64_t words[2] = {rng_next(&rng), rng_next(&rng)};
    memcpy(tuple.remote.bytes, words, sizeof(words));
    tuple.remote_port = (uint16_t)words[0];
    return tuple;
}

/* Returns how many flows the table refused. */
static uint32_t fill(struct tcp *t, uint32_t n)
{
    uint32_t refused = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct tcp_tuple tuple = tuple_of(i);
        bool is_table_full = false;
        struct tcp_conn *c = tcp_conn_new(t, &tuple, &is_table_full);
        refused += is_table_full;
        if (c != NULL)
            c->state = TCP_ESTABLISHED;
    }
    return refused;
}

/* One segment's look-up. A word of each line is read, and all say the same. */
static bool is_found(struct tcp *t, const struct tcp_tuple *tuple, uint64_t hash)
{
    tcp_entry_t e = tcp_table_find(&t->table, hash, tuple);
    if (e.v == TCP_ENTRY_NONE.v)
        return false;
    const struct tcp_conn *c = tcp_conn_at(t, e);
    return c->state == TCP_ESTABLISHED && c->sndq.head == NULL && c->tx == NULL &&
           c->oooq.head == NULL;
}

/* Returns how many were found. */
static uint32_t look_up_all(struct tcp *t, const struct tcp_tuple *tuples, bool is_prefetched)
{
    uint64_t hashes[BURST];
    uint32_t found = 0;
    for (unsigned i = 0; i < BURST && is_prefetched; i++)
        hashes[i] = tcp_expect(t, &tuples[i].remote, &tuples[i].local, tuples[i].remote_port,
                               tuples[i].local_port);
    for (unsigned i = 0; i < NET_AHEAD_MAX && is_prefetched; i++)
        tcp_prefetch(t, hashes[i]);
    for (unsigned i = 0; i < BURST; i++) {
        if (is_prefetched && i + NET_AHEAD_MAX < BURST)
            tcp_prefetch(t, hashes[i + NET_AHEAD_MAX]);
        uint64_t hash = is_prefetched ? hashes[i] : tcp_table_hash(&t->table, &tuples[i]);
        found += is_found(t, &tuples[i], hash);
    }
    return found;
}

/* Nanoseconds a look-up. */
static double measure(struct tcp *t, uint32_t n, bool is_prefetched)
{
    uint32_t found = 0;
    struct rng rng = {n};
    double began = now_ns();
    for (uint32_t done = 0; done < LOOKUPS; done += BURST) {
        struct tcp_tuple tuples[BURST];
        for (unsigned i = 0; i < BURST; i++)
            tuples[i] = tuple_of(rng_below(&rng, n));
        found += look_up_all(t, tuples, is_prefetched);
    }
    double took = (now_ns() - began) / LOOKUPS;
    CHECK_EQ(found, LOOKUPS);
    return took;
}

static double best_of(struct tcp *t, uint32_t n, bool is_prefetched)
{
    double best = 1e9;
    for (unsigned round = 0; round < ROUNDS; round++) {
        double took = measure(t, n, is_prefetched);
        best = took < best ? took : best;
    }
    return best;
}

static void bench(uint32_t n)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.conns_max = n;
    config.tcp.senders_max = 16;
    config.tcp.timewaits_max = 16;
    struct world *w = world_new(&config);
    printf("flow_refused %u %u\n", n, fill(w->tcp, n));
    printf("flow_lookup_ns %u %.1f 0\n", n, best_of(w->tcp, n, false));
    printf("flow_lookup_ns %u %.1f 1\n", n, best_of(w->tcp, n, true));
    world_free(w);
}

static char **sizes; /* NULL at the end */

TEST(flows_are_looked_up)
{
    for (char **size = sizes; *size != NULL; size++)
        bench((uint32_t)strtoul(*size, NULL, 10));
}

int main(int argc, char **argv)
{
    static const struct unit_test test = T(flows_are_looked_up);
    sizes = argv + 1;
    return unit_run("bench/tcp/flow_lookup", &test, 1, 1, argv);
}
