/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What finding a flow costs as their number grows: the worker's tables as they are, connections in
 * them, segments of flows in random order in bursts. A look-up is the hash of the tuple, the
 * bucket, the connection, and a word of each line that the fast path reads first. Once one by one,
 * and once as net_input() has it: tcp_expect() for all of a burst, tcp_prefetch() for all, then
 * each. Both once as fast as they go, and once with some 400 ns of other work behind each, which is
 * what handling a segment takes: then a core cannot begin the next look-up while one waits. The
 * work is not in the result.
 *
 * What is touched is a line of the table and four of the connection, however many flows there are;
 * what differs is who waits for them.
 *
 * usage: flow_lookup FLOWS...    prints `flow_lookup_ns FLOWS NANOSECONDS PREFETCH WORK`, and how
 * many flows the table refused while it was filled, `flow_refused FLOWS REFUSED`
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
#define ROUNDS 5         /* the fastest counts: others share the caches */
#define WORK_BYTES 1024u /* SipHash of so many stands for the rest of a segment's handling */

/* How the look-ups are made. */
struct way {
    bool is_prefetched;
    bool has_work;
};

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

/* What else there is to do. */
static void work(void)
{
    static const uint8_t bytes[WORK_BYTES];
    static const struct siphash_key key = {1, 2};
    static volatile uint64_t sink;
    sink = sink + siphash(&key, bytes, sizeof(bytes));
}

/* Returns how many were found. */
static uint32_t look_up_all(struct tcp *t, const struct tcp_tuple *tuples, struct way way)
{
    uint64_t hashes[BURST];
    uint32_t found = 0;
    for (unsigned i = 0; i < BURST && way.is_prefetched; i++)
        hashes[i] = tcp_expect(t, &tuples[i].remote, &tuples[i].local, tuples[i].remote_port,
                               tuples[i].local_port);
    for (unsigned i = 0; i < BURST && way.is_prefetched; i++)
        tcp_prefetch(t, hashes[i]);
    for (unsigned i = 0; i < BURST; i++) {
        uint64_t hash = way.is_prefetched ? hashes[i] : tcp_table_hash(&t->table, &tuples[i]);
        found += is_found(t, &tuples[i], hash);
        if (way.has_work)
            work();
    }
    return found;
}

/* Nanoseconds a look-up. */
static double measure(struct tcp *t, uint32_t n, struct way way)
{
    uint32_t found = 0;
    struct rng rng = {n};
    double began = now_ns();
    for (uint32_t done = 0; done < LOOKUPS; done += BURST) {
        struct tcp_tuple tuples[BURST];
        for (unsigned i = 0; i < BURST; i++)
            tuples[i] = tuple_of(rng_below(&rng, n));
        found += look_up_all(t, tuples, way);
    }
    double took = (now_ns() - began) / LOOKUPS;
    CHECK_EQ(found, LOOKUPS);
    return took;
}

static double measure_work(void)
{
    double began = now_ns();
    for (uint32_t i = 0; i < LOOKUPS; i++)
        work();
    return (now_ns() - began) / LOOKUPS;
}

static void tell(struct tcp *t, uint32_t n, struct way way)
{
    double best = 1e9;
    double best_work = 1e9;
    for (unsigned round = 0; round < ROUNDS; round++) {
        double took = measure(t, n, way);
        double worked = way.has_work ? measure_work() : 0;
        best = took < best ? took : best;
        best_work = worked < best_work ? worked : best_work;
    }
    printf("flow_lookup_ns %u %.1f %d %d\n", n, best - best_work, way.is_prefetched, way.has_work);
}

static void bench(uint32_t n)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.conns_max = n;
    config.tcp.senders_max = 16;
    config.tcp.timewaits_max = 16;
    struct world *w = world_new(&config);
    printf("flow_refused %u %u\n", n, fill(w->tcp, n));
    for (unsigned i = 0; i < 4; i++)
        tell(w->tcp, n, (struct way){.is_prefetched = i % 2 != 0, .has_work = i / 2 != 0});
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
