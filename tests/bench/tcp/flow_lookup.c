/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What finding a flow costs as their number grows: the worker's tables as they are, connections in
 * them, segments of flows in random order in bursts. Finding is the hash of the tuple, the bucket
 * and the tuple of the connection. Handling a segment then touches the connection, a word of each
 * line that the fast path reads first, whoever found it how: so all is measured twice, once with
 * the flow to be found and once with its number known, and the difference is told as finding, the
 * rest as touching.
 *
 * Once one by one, and once as net_input() has it: tcp_expect() for all of a burst, tcp_prefetch()
 * for all, then each. Both once as fast as they go, and once with some 400 ns of other work behind
 * each, which is what handling a segment takes: then a core cannot begin the next look-up while one
 * waits. The work is in neither result.
 *
 * usage: flow_lookup FLOWS...    prints `flow_lookup_ns FLOWS NANOSECONDS PREFETCH WORK`,
 * `flow_touch_ns` likewise, and how many flows the table refused while it was filled,
 * `flow_refused FLOWS REFUSED`
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

#define LINE_BYTES 64u

/* How the look-ups are made. */
struct way {
    bool is_known; /* the flow's number tells where it is */
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
static struct flow_tuple tuple_of(uint32_t i)
{
    struct flow_tuple tuple = {.local_port = 80};
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
        struct flow_tuple tuple = tuple_of(i);
        bool is_table_full = false;
        struct tcp_conn *c = tcp_conn_new(t, &tuple, &is_table_full);
        refused += is_table_full;
        if (c != NULL)
            c->state = TCP_ESTABLISHED;
    }
    return refused;
}

/* A word of each line is read. True: it is a connection as fill() left it. */
static bool is_touched(const struct tcp_conn *c)
{
    return c->state == TCP_ESTABLISHED && c->sndq.head == NULL && c->tx == NULL &&
           c->oooq.head == NULL;
}

/* fill() made them in the pool's order. */
static const struct tcp_conn *known(const struct tcp *t, uint32_t i)
{
    return pool_at(&t->conns, i);
}

/* What tcp_prefetch() asks for of a connection. */
static void prefetch_known(const struct tcp *t, uint32_t i)
{
    const char *conn = (const char *)known(t, i);
    for (unsigned line = 0; line <= offsetof(struct tcp_conn, oooq) / LINE_BYTES; line++)
        __builtin_prefetch(conn + line * LINE_BYTES);
}

static const struct tcp_conn *found(struct tcp *t, const struct flow_tuple *tuple, uint64_t hash)
{
    flow_entry_t e = flow_table_find(&t->table, hash, tuple);
    ASSERT(e.v != FLOW_ENTRY_NONE.v);
    return tcp_conn_at(t, e);
}

/* What else there is to do. */
static void work(void)
{
    static const uint8_t bytes[WORK_BYTES];
    static const struct siphash_key key = {1, 2};
    static volatile uint64_t sink;
    sink = sink + siphash(&key, bytes, sizeof(bytes));
}

/* Segments of a burst: of which flows. */
struct burst {
    uint32_t flows[BURST];
    struct flow_tuple tuples[BURST];
};

/* Returns how many were as they should be. */
static uint32_t look_up_all(struct tcp *t, const struct burst *b, struct way way)
{
    uint64_t hashes[BURST];
    uint32_t good = 0;
    bool is_expected = way.is_prefetched && !way.is_known;
    for (unsigned i = 0; i < BURST && is_expected; i++) {
        const struct flow_tuple *tuple = &b->tuples[i];
        hashes[i] =
            tcp_expect(t, &tuple->remote, &tuple->local, tuple->remote_port, tuple->local_port);
    }
    for (unsigned i = 0; i < BURST && is_expected; i++)
        tcp_prefetch(t, hashes[i]);
    for (unsigned i = 0; i < BURST && way.is_prefetched && way.is_known; i++)
        prefetch_known(t, b->flows[i]);
    for (unsigned i = 0; i < BURST; i++) {
        const struct flow_tuple *tuple = &b->tuples[i];
        if (way.is_known)
            good += is_touched(known(t, b->flows[i]));
        else if (way.is_prefetched)
            good += is_touched(found(t, tuple, hashes[i]));
        else
            good += is_touched(found(t, tuple, flow_table_hash(&t->table, tuple)));
        if (way.has_work)
            work();
    }
    return good;
}

/* Nanoseconds a look-up, with what making up its tuple takes. */
static double measure(struct tcp *t, uint32_t n, struct way way)
{
    uint32_t good = 0;
    struct rng rng = {n};
    double began = now_ns();
    for (uint32_t done = 0; done < LOOKUPS; done += BURST) {
        struct burst b;
        for (unsigned i = 0; i < BURST; i++) {
            b.flows[i] = rng_below(&rng, n);
            b.tuples[i] = tuple_of(b.flows[i]);
        }
        __asm__ volatile("" : : "r"(&b) : "memory"); /* nobody leaves the tuples out */
        good += look_up_all(t, &b, way);
    }
    double took = (now_ns() - began) / LOOKUPS;
    CHECK_EQ(good, LOOKUPS);
    return took;
}

static double measure_work(void)
{
    double began = now_ns();
    for (uint32_t i = 0; i < LOOKUPS; i++)
        work();
    return (now_ns() - began) / LOOKUPS;
}

/* The fastest of some rounds, without the work. */
static double fastest(struct tcp *t, uint32_t n, struct way way)
{
    double best = 1e9;
    double best_work = 1e9;
    for (unsigned round = 0; round < ROUNDS; round++) {
        double took = measure(t, n, way);
        double worked = way.has_work ? measure_work() : 0;
        best = took < best ? took : best;
        best_work = worked < best_work ? worked : best_work;
    }
    return best - best_work;
}

static void tell(struct tcp *t, uint32_t n, struct way way)
{
    double both = fastest(t, n, way);
    way.is_known = true;
    double touch = fastest(t, n, way);
    printf("flow_lookup_ns %u %.1f %d %d\n", n, both - touch, way.is_prefetched, way.has_work);
    printf("flow_touch_ns %u %.1f %d %d\n", n, touch, way.is_prefetched, way.has_work);
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
