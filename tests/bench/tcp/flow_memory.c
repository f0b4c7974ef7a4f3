/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker's memory grows by for one more flow: an idle established one, and one in TIME_WAIT.
 * Measured from outside (resident memory of tcp_new() for two sizes), and told apart by sizeof.
 * That an idle flow holds nothing else (no sender, no record of a segment, no mbuf) is asked of
 * flows that were used and then rested. Prints `name value` lines; the targets are checked.
 */
#include "harness.h"
#include "unit.h"

#include "core/pages.h"
#include "tcp/sender.h"

#include <rte_mempool.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define IDLE_FLOW_BYTES_MAX 512
#define TIMEWAIT_BYTES_MAX 64
#define STEP_FLOWS (1u << 20) /* memory comes in pages of up to 2 MiB: many flows, small error */
#define USED_FLOWS 2000u      /* that are opened, used and left alone */
#define REST_US 60000000u

/* As worker_config_default() has it, but for the few that small workers have more. */
static uint32_t senders_for(uint32_t flows)
{
    return flows / TCP_CONNS_A_SENDER;
}

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    REQUIRE(f != NULL && fscanf(f, "%*u %lu", &pages) == 1);
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Resident bytes of a worker's TCP with so many records. */
static uint64_t bytes_of(uint32_t conns, uint32_t timewaits)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.conns_max = conns;
    config.tcp.senders_max = senders_for(conns);
    config.tcp.timewaits_max = timewaits;
    uint64_t before = resident_bytes();
    struct world *w = world_new(&config);
    uint64_t after = resident_bytes();
    world_free(w);
    return after - before;
}

/* What two sizes differ by, a record of the difference. */
static double bytes_each(bool of_timewaits)
{
    /* both lie just above a power of two, where the table's share is the worst */
    uint32_t few = STEP_FLOWS + 1;
    uint32_t many = 2 * STEP_FLOWS + 2;
    bytes_of(16, 16); /* starts DPDK */
    uint64_t more = of_timewaits ? bytes_of(16, many) : bytes_of(many, 16);
    uint64_t less = of_timewaits ? bytes_of(16, few) : bytes_of(few, 16);
    return (double)(more - less) / (many - few);
}

/* What a pool gives an object. */
static double pooled(size_t bytes)
{
    return (double)pool_bytes((uint32_t)bytes, 1);
}

/* A table has a power of two of buckets: the worst share of a flow is twice the best. */
static double table_share(uint32_t flows)
{
    return (double)flow_table_buckets(flows) * sizeof(struct flow_bucket) / flows;
}

TEST(an_idle_flow_takes_at_most_512_bytes)
{
    double conn = pooled(sizeof(struct tcp_conn));
    double sender = pooled(sizeof(struct tcp_sender)) * senders_for(STEP_FLOWS) / STEP_FLOWS;
    double table = table_share(STEP_FLOWS + 1);
    double sum = conn + sizeof(struct tcp_rare) + sender + table;
    double measured = bytes_each(false);
    printf("conn_bytes %.0f\nrare_bytes %zu\n", conn, sizeof(struct tcp_rare));
    printf("sender_share_bytes %.1f\ntable_share_bytes %.1f\n", sender, table);
    printf("idle_flow_bytes %.1f\nidle_flow_measured_bytes %.1f\n", sum, measured);
    CHECK(measured > sum * 0.98 && measured < sum * 1.02);
    CHECK(sum <= IDLE_FLOW_BYTES_MAX);
}

TEST(a_time_wait_takes_at_most_64_bytes_beside_its_place_in_the_table)
{
    double table = table_share(STEP_FLOWS + 1);
    double sum = sizeof(struct tcp_timewait) + table;
    double measured = bytes_each(true);
    printf("timewait_bytes %zu\n", sizeof(struct tcp_timewait));
    printf("timewait_measured_bytes %.1f\n", measured);
    CHECK(measured > sum * 0.98 && measured < sum * 1.02);
    CHECK(sizeof(struct tcp_timewait) <= TIMEWAIT_BYTES_MAX);
}

/* A request and an answer of 100 bytes each. */
static void use(struct world *w, struct stream *s)
{
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 100));
    run(w);
    CHECK_EQ(read_pattern(s, 1), 100);
    CHECK_EQ(write_pattern(s, 1, 100), 100);
    run(w);
    peer(w, SEG(.flags = A, .seq = 101, .ack = 101));
    run(w);
    drop_all(w);
}

TEST(an_idle_flow_holds_no_packet_and_no_record)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.conns_max = USED_FLOWS;
    config.tcp.senders_max = senders_for(USED_FLOWS);
    struct world *w = world_new(&config);
    unsigned free_mbufs = rte_mempool_avail_count(w->pool);
    uint64_t before = resident_bytes();
    for (unsigned i = 0; i < USED_FLOWS; i++) {
        w->remote_port = (uint16_t)(10000 + i);
        w->knows_iss = false;
        w->accepted = NULL;
        use(w, world_accept(w));
    }
    pass(w, REST_US);
    CHECK_EQ(w->tcp->conns.used, USED_FLOWS);
    CHECK_EQ(w->tcp->records.used, 0);
    CHECK_EQ(rte_mempool_avail_count(w->pool), free_mbufs);
    CHECK(resident_bytes() - before < PAGES_HUGE_BYTES); /* all was there at the start */
    for (uint32_t i = 0; i < USED_FLOWS; i++) {
        struct tcp_conn *c = pool_at(&w->tcp->conns, i);
        w->remote_port = c->tuple.remote_port;
        stream_abort(&c->stream);
        run(w);
        drop_all(w);
    }
    world_free(w);
}

UNIT_MAIN("bench/tcp/flow_memory", T(an_idle_flow_takes_at_most_512_bytes),
          T(a_time_wait_takes_at_most_64_bytes_beside_its_place_in_the_table),
          T(an_idle_flow_holds_no_packet_and_no_record))
