/* SPDX-License-Identifier: Apache-2.0 */
/* The port facade on mem ports: one thread plays all workers in turn, and the world. */
#include "base/rng.h"
#include "core/core.h"
#include "core/port_priv.h"
#include "drivers/net/mem.h"
#include "unit.h"
#include "unit_eal.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <string.h>

enum { POOL = 8192 };

/* A little dataplane: ports p0 and p1, `workers` workers. */
struct rig {
    unsigned workers;
    unsigned n_ports;
    struct rte_mempool *mbufs;
    struct port_setup ports[2];
    struct port_hub *hub;
    struct core core[4];
    struct stats_worker stats[4];
};

static const char *const names[] = {"p0", "p1"};
static struct rig rig;
static struct rte_mempool *mbufs; /* one for all tests */

static void rig_up(unsigned workers, unsigned queues)
{
    struct net_fault fault = {""};
    unit_eal_init();
    memset(&rig, 0, sizeof(rig));
    rig.workers = workers;
    rig.n_ports = 2;
    if (mbufs == NULL)
        mbufs = unit_mbufs_new(POOL);
    rig.mbufs = mbufs;
    for (unsigned i = 0; i < rig.n_ports; i++) {
        if (!mem_port_open(names[i], i, queues, workers, rig.mbufs, &rig.ports[i], &fault))
            CU_FAIL_FATAL("no mem port");
        rig.ports[i].info.has_multi_seg_tx = false; /* as AF_XDP's are */
    }
    rig.hub = port_hub_new(rig.ports, rig.n_ports, workers);
    REQUIRE(rig.hub != NULL);
    for (unsigned i = 0; i < workers; i++) {
        core_init(&rig.core[i], &(struct core_config){.worker = (uint8_t)i,
                                                      .workers = (uint8_t)workers,
                                                      .socket = -1,
                                                      .mbufs = rig.mbufs,
                                                      .stats = &rig.stats[i]});
        ports_join(rig.hub, &rig.core[i]);
    }
}

/* Takes all down; every frame must have found its way back into the pool. */
static void rig_down(void)
{
    for (unsigned i = 0; i < rig.workers; i++) {
        ports_leave(&rig.core[i]);
        core_done(&rig.core[i]);
    }
    port_hub_free(rig.hub);
    for (unsigned i = 0; i < rig.n_ports; i++)
        mem_port_close(names[i], &rig.ports[i]);
    CHECK_EQ(rte_mempool_avail_count(rig.mbufs), POOL);
}

static uint64_t stat_of(unsigned worker, enum stat_id id)
{
    return rig.stats[worker].counters[id];
}

static uint64_t stat_sum(enum stat_id id)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < rig.workers; i++)
        sum += stat_of(i, id);
    return sum;
}

static struct rte_mbuf *frame_of(const void *bytes, size_t len)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(rig.mbufs);
    REQUIRE(m != NULL);
    memcpy(rte_pktmbuf_append(m, (uint16_t)len), bytes, len);
    return m;
}

/* A TCP segment 192.0.2.1:src_port -> 192.0.2.2:80 with a serial number as its payload. */
static struct rte_mbuf *tcp_frame(uint16_t src_port, uint32_t serial)
{
    uint8_t bytes[64] = "\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0"
                        "\x45\0\0\x32\0\0\x40\0\x40\6\0\0\xc0\0\2\1\xc0\0\2\2";
    bytes[34] = (uint8_t)(src_port >> 8);
    bytes[35] = (uint8_t)src_port;
    bytes[37] = 80;
    memcpy(bytes + 54, &serial, 4);
    return frame_of(bytes, sizeof(bytes));
}

static uint16_t src_port_of(const struct rte_mbuf *m)
{
    const uint8_t *bytes = rte_pktmbuf_mtod(m, const uint8_t *);
    return (uint16_t)(bytes[34] << 8 | bytes[35]);
}

static uint32_t serial_of(const struct rte_mbuf *m)
{
    uint32_t serial;
    memcpy(&serial, rte_pktmbuf_mtod_offset(m, const uint8_t *, 54), 4);
    return serial;
}

static void world_send(unsigned port, struct rte_mbuf *m)
{
    if (!mem_world_send(names[port], 0, m))
        rte_pktmbuf_free(m);
}

static unsigned owner_of(uint16_t src_port)
{
    struct ip_addr src = ip_addr_from_v4("\xc0\0\2\1");
    struct ip_addr dst = ip_addr_from_v4("\xc0\0\2\2");
    return port_flow_worker(&rig.core[0], 0, &src, &dst, src_port, 80);
}

TEST(ports_say_what_they_are)
{
    rig_up(2, 1);
    CHECK_EQ(port_count(&rig.core[1]), 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct port_info *info = port_info(&rig.core[1], i);
        CHECK_EQ(info->index, i);
        CHECK_STR(info->name, names[i]);
        CHECK_EQ(info->mtu, 1500);
        CHECK(!info->has_rss);
        CHECK_EQ(info->mac.bytes[5], i);
        CHECK_EQ(info->mac.bytes[0], 2);
    }
    rig_down();
}

/* Polls each worker `rounds` times; what they get is checked and freed. */
static void check_flows(unsigned n_flows, unsigned per_flow)
{
    uint32_t next[64] = {0};
    uint64_t received = 0;
    struct rng rng = {.state = 3};
    uint32_t serial[64] = {0};
    for (unsigned sent = 0; sent < n_flows * per_flow;) {
        for (unsigned i = 0; i < 64 && sent < n_flows * per_flow; i++) {
            unsigned flow = rng_below(&rng, n_flows);
            if (serial[flow] == per_flow)
                continue;
            world_send(0, tcp_frame((uint16_t)(1000 + flow), serial[flow]++));
            sent++;
        }
        for (unsigned round = 0; round < 4 * rig.workers; round++) {
            unsigned worker = rng_below(&rng, rig.workers);
            struct rte_mbuf *got[128];
            unsigned n = port_rx(&rig.core[worker], got, 128);
            for (unsigned k = 0; k < n; k++) {
                uint16_t port = src_port_of(got[k]);
                CHECK_EQ(owner_of(port), worker);
                CHECK_EQ(serial_of(got[k]), next[port - 1000]++);
                CHECK_EQ(got[k]->port, 0);
                CHECK(mbuf_may_answer(got[k]));
            }
            received += n;
            rte_pktmbuf_free_bulk(got, n);
        }
    }
    for (unsigned round = 0; round < 100; round++) {
        struct rte_mbuf *got[128];
        unsigned n = port_rx(&rig.core[round % rig.workers], got, 128);
        for (unsigned k = 0; k < n; k++)
            CHECK_EQ(serial_of(got[k]), next[src_port_of(got[k]) - 1000]++);
        received += n;
        rte_pktmbuf_free_bulk(got, n);
    }
    CHECK_EQ(received, (uint64_t)n_flows * per_flow);
    CHECK_EQ(stat_sum(STAT_core_handoff_drop_rx_full), 0);
    CHECK_EQ(stat_sum(STAT_core_handoff_rx_out), stat_sum(STAT_core_handoff_rx_in));
    CHECK_EQ(stat_sum(STAT_core_rx_packets), (uint64_t)n_flows * per_flow);
    CHECK_EQ(stat_sum(STAT_core_rx_bytes), (uint64_t)n_flows * per_flow * 64);
}

TEST(two_workers_on_one_queue_get_their_own_flows_in_order)
{
    rig_up(2, 1);
    check_flows(64, 50);
    CHECK(stat_of(0, STAT_core_handoff_rx_out) > 0);
    CHECK_EQ(stat_of(1, STAT_core_rx_packets), 0);
    rig_down();
}

TEST(three_workers_on_one_queue_get_their_own_flows_in_order)
{
    rig_up(3, 1);
    check_flows(64, 50);
    rig_down();
}

TEST(one_worker_serves_four_queues)
{
    rig_up(1, 4);
    for (unsigned queue = 0; queue < 4; queue++)
        CHECK(mem_world_send("p0", queue, tcp_frame(7, queue)));
    struct rte_mbuf *got[128];
    unsigned n = port_rx(&rig.core[0], got, 128);
    CHECK_EQ(n, 4);
    rte_pktmbuf_free_bulk(got, n);
    rig_down();
}

static void check_learning(const void *bytes, size_t len)
{
    struct rte_mbuf *got[128];
    world_send(1, frame_of(bytes, len));
    for (unsigned worker = 0; worker < rig.workers; worker++) {
        REQUIRE(port_rx(&rig.core[worker], got, 128) == 1);
        CHECK_EQ(got[0]->port, 1);
        CHECK_EQ(mbuf_may_answer(got[0]), worker == 0);
        CHECK_EQ(rte_pktmbuf_pkt_len(got[0]), len);
        CHECK(memcmp(rte_pktmbuf_mtod(got[0], void *), bytes, len) == 0);
        rte_pktmbuf_free(got[0]);
    }
}

TEST(arp_and_nd_reach_every_worker_but_one_may_answer)
{
    uint8_t arp[60] = "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\2\x08\6\0\1";
    uint8_t nd[78] = "\x33\x33\xff\0\0\1\x02\0\0\0\0\2\x86\xdd\x60\0\0\0\0\x18\x3a\xff";
    nd[54] = 135;
    rig_up(3, 1);
    check_learning(arp, sizeof(arp));
    check_learning(nd, sizeof(nd));
    CHECK_EQ(stat_of(0, STAT_core_rx_copies), 4);
    CHECK_EQ(stat_of(2, STAT_core_handoff_rx_in), 2);
    rig_down();
}

TEST(icmp_stays_with_the_worker_that_received_it)
{
    uint8_t icmp[64] = "\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0"
                       "\x45\0\0\x32\0\0\x40\0\x40\1\0\0\xc0\0\2\1\xc0\0\2\2\x08";
    struct rte_mbuf *got[128];
    rig_up(2, 1);
    world_send(0, frame_of(icmp, sizeof(icmp)));
    CHECK_EQ(port_rx(&rig.core[1], got, 128), 0);
    CHECK_EQ(port_rx(&rig.core[0], got, 128), 1);
    rte_pktmbuf_free(got[0]);
    rig_down();
}

TEST(an_icmp_error_reaches_the_owner_of_the_flow_that_it_quotes)
{
    uint8_t icmp[70] = "\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0"
                       "\x45\0\0\x38\0\0\x40\0\x40\1\0\0\xc0\0\2\x63\xc0\0\2\2"
                       "\3\4\0\0\0\0\5\0"
                       "\x45\0\0\x28\0\0\x40\0\x40\6\0\0\xc0\0\2\2\xc0\0\2\1\0\x50";
    struct rte_mbuf *got[128];
    uint16_t port = 1000;
    rig_up(2, 1);
    while (owner_of(port) != 1)
        port++;
    icmp[64] = (uint8_t)(port >> 8);
    icmp[65] = (uint8_t)port;
    world_send(0, frame_of(icmp, sizeof(icmp)));
    CHECK_EQ(port_rx(&rig.core[0], got, 128), 0);
    REQUIRE(port_rx(&rig.core[1], got, 128) == 1);
    rte_pktmbuf_free(got[0]);
    rig_down();
}

TEST(a_worker_without_a_send_queue_sends_through_another)
{
    struct rte_mbuf *got[8];
    rig_up(3, 1);
    for (unsigned worker = 0; worker < 3; worker++)
        port_tx(&rig.core[worker], 1, tcp_frame(7, worker));
    CHECK_EQ(port_tx_flush(&rig.core[1]), 1);
    CHECK_EQ(port_tx_flush(&rig.core[2]), 1);
    CHECK_EQ(mem_world_receive("p1", 0, got, 8), 0);
    CHECK_EQ(port_tx_flush(&rig.core[0]), 3);
    CHECK_EQ(mem_world_receive("p1", 0, got, 8), 3);
    rte_pktmbuf_free_bulk(got, 3);
    CHECK_EQ(stat_of(0, STAT_core_handoff_tx_in), 2);
    CHECK_EQ(stat_of(0, STAT_core_tx_packets), 3);
    CHECK_EQ(stat_of(0, STAT_core_tx_bytes), 192);
    CHECK_EQ(stat_sum(STAT_core_handoff_tx_out), 2);
    rig_down();
}

TEST(frames_for_a_full_ring_are_dropped_and_counted)
{
    enum { N = HANDOFF_FRAMES_MAX + 500 };
    struct rte_mbuf *got[128];
    unsigned mine = 0;
    rig_up(2, 1);
    for (unsigned i = 0; i < N; i++) {
        port_tx(&rig.core[1], 0, tcp_frame(7, i));
        if (i % 16 == 0)
            port_tx_flush(&rig.core[1]);
    }
    port_tx_flush(&rig.core[1]);
    CHECK_EQ(stat_of(1, STAT_core_handoff_tx_out), HANDOFF_FRAMES_MAX - 1);
    CHECK_EQ(stat_of(1, STAT_core_handoff_drop_tx_full), N - (HANDOFF_FRAMES_MAX - 1));
    CHECK_EQ(stat_of(1, STAT_core_handoff_drop_rx_full), 0);
    CHECK_EQ(stat_of(1, STAT_core_tx_frames), N);

    for (unsigned sent = 0; sent < 2 * N; sent++) {
        world_send(0, tcp_frame((uint16_t)sent, sent));
        if (sent % 16 == 0) {
            unsigned n = port_rx(&rig.core[0], got, 128);
            rte_pktmbuf_free_bulk(got, n);
            mine += n;
        }
    }
    CHECK(mine > N / 2);
    CHECK_EQ(stat_of(0, STAT_core_handoff_rx_out), HANDOFF_FRAMES_MAX - 1);
    CHECK(stat_of(0, STAT_core_handoff_drop_rx_full) > 0);
    CHECK_EQ(stat_of(0, STAT_core_handoff_drop_tx_full), 0);
    rig_down(); /* what lies in the rings goes back to the pool */
}

TEST(frames_that_the_device_does_not_take_are_dropped_and_counted)
{
    enum { N = MEM_QUEUE_FRAMES_MAX + 100 };
    rig_up(1, 1);
    for (unsigned i = 0; i < N; i++)
        port_tx(&rig.core[0], 0, tcp_frame(7, i));
    port_tx_flush(&rig.core[0]);
    CHECK_EQ(stat_of(0, STAT_core_tx_packets), MEM_QUEUE_FRAMES_MAX);
    CHECK_EQ(stat_of(0, STAT_core_tx_drop_full), 100);
    rig_down();
}

/* A driver that refuses every second frame (rte_eth_tx_prepare()). */
static uint16_t refuse_even(void *queue, struct rte_mbuf **frames, uint16_t n)
{
    uint16_t ready = 0;
    while (ready < n && serial_of(frames[ready]) % 2 != 0)
        ready++;
    return ready;
}

TEST(what_the_driver_refuses_is_dropped_and_does_not_hold_up_the_rest)
{
    struct rte_mbuf *got[8];
    rig_up(1, 1);
    rig.hub->ports[0].info.has_tx_tcp_cksum = true;
    rte_eth_fp_ops[rig.ports[0].info.dpdk_port].tx_pkt_prepare = refuse_even;
    for (uint32_t i = 0; i < 5; i++)
        port_tx(&rig.core[0], 0, tcp_frame(7, i));
    port_tx_flush(&rig.core[0]);
    rte_eth_fp_ops[rig.ports[0].info.dpdk_port].tx_pkt_prepare = NULL;
    REQUIRE(mem_world_receive("p0", 0, got, 8) == 2);
    CHECK_EQ(serial_of(got[0]), 1);
    CHECK_EQ(serial_of(got[1]), 3);
    CHECK_EQ(stat_of(0, STAT_core_tx_drop_refused), 3);
    CHECK_EQ(stat_of(0, STAT_core_tx_packets), 2);
    rte_pktmbuf_free_bulk(got, 2);
    rig_down();
}

TEST(a_chain_becomes_one_segment_where_the_device_sends_no_chains)
{
    struct rte_mbuf *got[2];
    rig_up(1, 1);
    struct rte_mbuf *head = tcp_frame(7, 1);
    REQUIRE(rte_pktmbuf_chain(head, tcp_frame(8, 2)) == 0);
    port_tx(&rig.core[0], 0, head);
    port_tx_flush(&rig.core[0]);
    REQUIRE(mem_world_receive("p0", 0, got, 2) == 1);
    CHECK_EQ(got[0]->nb_segs, 1);
    CHECK_EQ(rte_pktmbuf_pkt_len(got[0]), 128);
    CHECK_EQ(src_port_of(got[0]), 7);
    CHECK_EQ(*rte_pktmbuf_mtod_offset(got[0], uint8_t *, 64 + 35), 8);
    rte_pktmbuf_free(got[0]);

    head = tcp_frame(7, 1);
    for (unsigned i = 0; i < 40; i++)
        REQUIRE(rte_pktmbuf_chain(head, tcp_frame(8, 2)) == 0);
    port_tx(&rig.core[0], 0, head); /* longer than an mbuf */
    CHECK_EQ(stat_of(0, STAT_core_tx_drop_linearize), 1);
    rig_down();
}

TEST(a_reassembled_packet_goes_to_the_owner_of_its_flow)
{
    struct rte_mbuf *got[128];
    uint16_t port = 1000;
    rig_up(2, 1);
    while (owner_of(port) != 1)
        port++;
    struct rte_mbuf *m = tcp_frame(port, 5);
    m->port = 0;
    port_rx_respread(&rig.core[0], &m);
    CHECK(m == NULL);
    CHECK_EQ(port_rx(&rig.core[0], got, 128), 0);
    REQUIRE(port_rx(&rig.core[1], got, 128) == 1);
    port_rx_respread(&rig.core[1], &got[0]);
    CHECK(got[0] != NULL);
    rte_pktmbuf_free(got[0]);
    rig_down();
}

/* Port p0 as a NIC whose hash is the one foretold. */
static void rig_up_with_rss(bool has_mark)
{
    rig_up(2, 2);
    for (unsigned i = 0; i < 2; i++) {
        rig.hub->ports[i].info.has_rss = true;
        rig.hub->ports[i].has_rss_mark = has_mark;
    }
}

/* A frame of worker 1's that came by worker 0's queue: does it stay there? */
static bool stays_misplaced(uint64_t ol_flags, bool is_fragment)
{
    struct rte_mbuf *got[128];
    uint16_t port = 1000;
    while (owner_of(port) != 1)
        port++;
    struct rte_mbuf *m = tcp_frame(port, 0);
    if (is_fragment)
        rte_pktmbuf_mtod(m, uint8_t *)[20] = 0x20;
    m->ol_flags |= ol_flags;
    world_send(0, m);
    bool stayed = port_rx(&rig.core[0], got, 128) == 1;
    REQUIRE(stayed || port_rx(&rig.core[1], got, 128) == 1 || is_fragment);
    rte_pktmbuf_free(got[0]);
    return stayed;
}

TEST(a_frame_that_the_device_hashed_stays_and_a_sample_finds_a_device_that_errs)
{
    unsigned stayed = 0;
    rig_up_with_rss(true);
    for (unsigned i = 0; i < 640; i++)
        stayed += stays_misplaced(RTE_MBUF_F_RX_RSS_HASH, false);
    CHECK_EQ(stayed, 640 - 10);
    CHECK_EQ(stat_of(0, STAT_core_rx_misplaced), 10);
    rig_down();
}

TEST(a_frame_that_the_device_did_not_hash_finds_its_owner)
{
    rig_up_with_rss(true);
    CHECK(!stays_misplaced(0, false));
    CHECK_EQ(stat_of(0, STAT_core_rx_misplaced), 0); /* it never said so */
    rig_down();
    rig_up_with_rss(false); /* it does not tell what it hashes */
    CHECK(!stays_misplaced(0, false));
    CHECK_EQ(stat_of(0, STAT_core_rx_misplaced), 1);
    rig_down();
}

TEST(fragments_meet_at_one_worker_whatever_the_device_hashed)
{
    struct ip_addr src = ip_addr_from_v4("\xc0\0\2\1");
    struct ip_addr dst = ip_addr_from_v4("\xc0\0\2\2");
    struct spread_tuple t = {.n = 0};
    rig_up_with_rss(true);
    spread_tuple_of(&src, &dst, 0, 0, &t);
    t.n = 2;
    bool is_first_ones = spread_worker(&rig.ports[0].spread, &t) == 0;
    CHECK_EQ(stays_misplaced(RTE_MBUF_F_RX_RSS_HASH, true), is_first_ones);
    CHECK_EQ(stays_misplaced(0, true), is_first_ones);
    CHECK_EQ(stat_of(0, STAT_core_rx_misplaced), 0);
    rig_down();
}

/* p1's device plays the TAP beside p0. */
static void rig_up_with_tap(unsigned workers)
{
    rig_up(workers, 1);
    rig.hub->ports[0].info.has_tap = true;
    rig.hub->ports[0].dpdk_tap = rig.ports[1].info.dpdk_port;
}

TEST(frames_of_all_workers_reach_the_tap_by_the_one_that_has_it)
{
    struct rte_mbuf *got[8];
    rig_up_with_tap(3);
    for (unsigned worker = 0; worker < 3; worker++)
        port_tap_tx(&rig.core[worker], 0, tcp_frame(7, worker));
    CHECK_EQ(port_tx_flush(&rig.core[1]), 1);
    CHECK_EQ(port_tx_flush(&rig.core[2]), 1);
    CHECK_EQ(port_tx_flush(&rig.core[0]), 3);
    CHECK_EQ(mem_world_receive("p0", 0, got, 8), 0);
    REQUIRE(mem_world_receive("p1", 0, got, 8) == 3);
    rte_pktmbuf_free_bulk(got, 3);
    CHECK_EQ(stat_sum(STAT_core_tap_tx_frames), 3);
    CHECK_EQ(stat_of(0, STAT_core_tap_tx_packets), 3);
    CHECK_EQ(stat_sum(STAT_core_tx_packets), 0);
    world_send(1, tcp_frame(7, 1));
    REQUIRE(port_tap_rx(&rig.core[0], 0, got, 8) == 1);
    rte_pktmbuf_free(got[0]);
    CHECK_EQ(stat_of(0, STAT_core_tap_rx_packets), 1);
    rig_down();
}

TEST(frames_that_no_tap_can_take_are_dropped_and_counted)
{
    struct rte_mbuf *got[1];
    rig_up_with_tap(1);
    struct rte_mbuf *m = tcp_frame(7, 1);
    REQUIRE(rte_pktmbuf_append(m, 1518 - 64 + 1) != NULL);
    port_tap_tx(&rig.core[0], 0, m);
    CHECK_EQ(stat_of(0, STAT_core_tap_drop_long), 1);
    for (unsigned i = 0; i < MEM_QUEUE_FRAMES_MAX + 5; i++)
        port_tap_tx(&rig.core[0], 0, tcp_frame(7, i));
    port_tx_flush(&rig.core[0]);
    CHECK_EQ(stat_of(0, STAT_core_tap_drop_full), 5);
    while (mem_world_receive("p1", 0, got, 1) == 1)
        rte_pktmbuf_free(got[0]);
    rig_down();
}

/* p1's device is another one of p0. */
TEST(of_several_devices_one_is_used_and_what_comes_by_another_is_not_seen)
{
    struct rte_mbuf *got[8];
    struct links links = {0};
    rig_up(1, 1);
    struct port_setup *p0 = &rig.hub->ports[0];
    rig.hub->n_ports = 1;
    rig.core[0].links = &links;
    p0->n_members = 2;
    for (unsigned i = 0; i < 2; i++)
        p0->members[i].dpdk_port = rig.ports[i].info.dpdk_port;
    for (unsigned active = 0; active < 2; active++) {
        links_set(&links, 0, active);
        world_send(0, tcp_frame(7, 10));
        world_send(1, tcp_frame(7, 11));
        REQUIRE(port_rx(&rig.core[0], got, 8) == 1);
        CHECK_EQ(serial_of(got[0]), 10 + active);
        CHECK_EQ(got[0]->port, 0);
        CHECK_EQ(stat_of(0, STAT_core_rx_unused), active + 1);
        port_tx(&rig.core[0], 0, got[0]);
        CHECK_EQ(port_tx_flush(&rig.core[0]), 1);
        CHECK_EQ(mem_world_receive(names[1 - active], 0, got, 8), 0);
        REQUIRE(mem_world_receive(names[active], 0, got, 8) == 1);
        rte_pktmbuf_free(got[0]);
    }
    CHECK_EQ(port_rx(&rig.core[0], got, 8), 0);
    rig.hub->n_ports = 2;
    rig_down();
}

TEST(no_mbuf_left_for_copies_is_counted)
{
    uint8_t arp[60] = "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\2\x08\6\0\1";
    static struct rte_mbuf *all[POOL];
    struct rte_mbuf *got[128];
    rig_up(2, 1);
    world_send(0, frame_of(arp, sizeof(arp)));
    REQUIRE(rte_pktmbuf_alloc_bulk(rig.mbufs, all, POOL - 1) == 0);
    CHECK_EQ(port_rx(&rig.core[0], got, 128), 1);
    CHECK_EQ(stat_of(0, STAT_core_mbuf_exhausted), 1);
    CHECK_EQ(port_rx(&rig.core[1], got + 1, 127), 0);
    rte_pktmbuf_free(got[0]);
    rte_pktmbuf_free_bulk(all, POOL - 1);
    rig_down();
}

UNIT_MAIN("port", T(ports_say_what_they_are),
          T(two_workers_on_one_queue_get_their_own_flows_in_order),
          T(three_workers_on_one_queue_get_their_own_flows_in_order),
          T(one_worker_serves_four_queues), T(arp_and_nd_reach_every_worker_but_one_may_answer),
          T(icmp_stays_with_the_worker_that_received_it),
          T(an_icmp_error_reaches_the_owner_of_the_flow_that_it_quotes),
          T(a_worker_without_a_send_queue_sends_through_another),
          T(frames_for_a_full_ring_are_dropped_and_counted),
          T(frames_that_the_device_does_not_take_are_dropped_and_counted),
          T(what_the_driver_refuses_is_dropped_and_does_not_hold_up_the_rest),
          T(a_chain_becomes_one_segment_where_the_device_sends_no_chains),
          T(a_reassembled_packet_goes_to_the_owner_of_its_flow),
          T(a_frame_that_the_device_hashed_stays_and_a_sample_finds_a_device_that_errs),
          T(a_frame_that_the_device_did_not_hash_finds_its_owner),
          T(fragments_meet_at_one_worker_whatever_the_device_hashed),
          T(frames_of_all_workers_reach_the_tap_by_the_one_that_has_it),
          T(frames_that_no_tap_can_take_are_dropped_and_counted),
          T(of_several_devices_one_is_used_and_what_comes_by_another_is_not_seen),
          T(no_mbuf_left_for_copies_is_counted))
