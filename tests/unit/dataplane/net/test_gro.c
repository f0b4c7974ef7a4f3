/* SPDX-License-Identifier: Apache-2.0 */
/* dataplane/net/gro: what is merged, and above all what is not. */
#include "core/core.h"
#include "net/gro.h"
#include "unit.h"
#include "unit_eal.h"

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_tcp.h>
#include <string.h>

enum {
    POOL = 512,
    FULL = 1448, /* payload of a full segment */
    OPTIONS = 12,
    GOOD = 1, /* the device has checked */
    TAGGED = 2,
    IP6 = 4,
};

static struct rte_mempool *mbufs;
static struct core core;
static struct stats_worker stats;
static struct rte_mbuf *burst[128];
static unsigned n_burst;

static void start(void)
{
    unit_eal_init();
    if (mbufs == NULL)
        mbufs = unit_mbufs_new(POOL);
    memset(&stats, 0, sizeof(stats));
    core.stats = &stats;
    n_burst = 0;
}

static uint64_t n_merged(void)
{
    return stats.counters[STAT_net_rx_merged];
}

static void finish(void)
{
    rte_pktmbuf_free_bulk(burst, n_burst);
    CHECK_EQ(rte_mempool_avail_count(mbufs), POOL);
}

/* Where the headers of a frame of this kind begin. */
static unsigned l3_of(unsigned kind)
{
    return kind & TAGGED ? 18 : 14;
}

static unsigned l4_of(unsigned kind)
{
    return l3_of(kind) + (kind & IP6 ? 40 : 20);
}

static unsigned data_of(unsigned kind)
{
    return l4_of(kind) + 20 + OPTIONS;
}

static void fill_sums(uint8_t *frame, unsigned kind)
{
    struct rte_ipv4_hdr *ip4 = (void *)(frame + l3_of(kind));
    struct rte_tcp_hdr *tcp = (void *)(frame + l4_of(kind));
    tcp->cksum = 0;
    if (kind & IP6) {
        tcp->cksum = rte_ipv6_udptcp_cksum((void *)ip4, tcp);
        return;
    }
    ip4->hdr_checksum = 0;
    ip4->hdr_checksum = rte_ipv4_cksum(ip4);
    tcp->cksum = rte_ipv4_udptcp_cksum(ip4, tcp);
}

/* Adds a segment of flow `port` with `bytes` from stream position `seq` to the burst. */
static struct rte_mbuf *add(unsigned kind, uint16_t port, uint32_t seq, uint16_t bytes,
                            uint8_t flags)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(mbufs);
    uint8_t *f = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(data_of(kind) + bytes));
    memset(f, 0, data_of(kind));
    memcpy(f, "\x02\0\0\0\0\1\x02\0\0\0\0\2\x81\0\0\5", 16);
    memcpy(f + l3_of(kind) - 2, kind & IP6 ? "\x86\xdd" : "\x08\0", 2);
    struct rte_tcp_hdr *tcp = (void *)(f + l4_of(kind));
    if (kind & IP6) {
        struct rte_ipv6_hdr *ip = (void *)(f + l3_of(kind));
        ip->vtc_flow = rte_cpu_to_be_32(6u << 28);
        ip->payload_len = rte_cpu_to_be_16((uint16_t)(20 + OPTIONS + bytes));
        ip->proto = 6;
        ip->hop_limits = 64;
        memset(&ip->src_addr, 0x20, 16);
        memset(&ip->dst_addr, 0x21, 16);
    } else {
        struct rte_ipv4_hdr *ip = (void *)(f + l3_of(kind));
        *ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
                                    .total_length =
                                        rte_cpu_to_be_16((uint16_t)(40 + OPTIONS + bytes)),
                                    .packet_id = rte_cpu_to_be_16((uint16_t)seq),
                                    .fragment_offset = rte_cpu_to_be_16(0x4000),
                                    .time_to_live = 64,
                                    .next_proto_id = 6,
                                    .src_addr = 0x010200c0,
                                    .dst_addr = 0x020200c0};
    }
    *tcp = (struct rte_tcp_hdr){.src_port = rte_cpu_to_be_16(port),
                                .dst_port = rte_cpu_to_be_16(80),
                                .sent_seq = rte_cpu_to_be_32(seq),
                                .recv_ack = rte_cpu_to_be_32(77),
                                .data_off = (20 + OPTIONS) / 4 << 4,
                                .tcp_flags = flags,
                                .rx_win = 0x1234};
    memcpy(f + l4_of(kind) + 20, "\1\1\x08\x0a\0\0\0\7\0\0\0\x9", OPTIONS);
    for (unsigned i = 0; i < bytes; i++)
        f[data_of(kind) + i] = (uint8_t)((seq + i) * 13 >> 2);
    fill_sums(f, kind);
    if (kind & GOOD)
        m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    REQUIRE(n_burst < 128);
    burst[n_burst++] = m;
    return m;
}

static void merge(void)
{
    n_burst = gro_merge(&core, burst, n_burst);
}

/* Is burst[at] one segment of `bytes` from `seq` on, in `n_segs` mbufs, with a right header? */
static bool is_row(unsigned at, unsigned kind, uint32_t seq, uint32_t bytes, unsigned n_segs)
{
    const struct rte_mbuf *m = burst[at];
    const uint8_t *f = rte_pktmbuf_mtod(m, const uint8_t *);
    const struct rte_tcp_hdr *tcp = (const void *)(f + l4_of(kind));
    const uint16_t *length = (const void *)(f + l3_of(kind) + (kind & IP6 ? 4 : 2));
    if (m->nb_segs != n_segs || m->pkt_len != data_of(kind) + bytes ||
        rte_be_to_cpu_32(tcp->sent_seq) != seq ||
        rte_be_to_cpu_16(*length) != (kind & IP6 ? 20u : 40u) + OPTIONS + bytes ||
        (n_segs > 1) != ((m->ol_flags & RTE_MBUF_F_RX_LRO) != 0) ||
        rte_mbuf_check(m, 1, &(const char *){NULL}) != 0)
        return false;
    for (uint32_t i = 0; i < bytes; i++) {
        uint8_t byte;
        const uint8_t *p = rte_pktmbuf_read(m, data_of(kind) + i, 1, &byte);
        if (*p != (uint8_t)((seq + i) * 13 >> 2))
            return false;
    }
    return true;
}

#define ACK RTE_TCP_ACK_FLAG
#define PSH RTE_TCP_PSH_FLAG

TEST(segments_in_a_row_become_one_with_every_byte_in_its_place)
{
    for (unsigned kind = 0; kind < 8; kind++) {
        start();
        for (unsigned i = 0; i < 5; i++)
            add(kind, 9, 100 + i * FULL, FULL, ACK);
        add(kind, 9, 100 + 5 * FULL, 17, ACK | PSH);
        merge();
        CHECK_EQ(n_burst, 1);
        CHECK(is_row(0, kind, 100, 5 * FULL + 17, 6));
        CHECK_EQ(burst[0]->tso_segsz, FULL);
        CHECK_EQ(rte_pktmbuf_mtod(burst[0], uint8_t *)[l4_of(kind) + 13], ACK | PSH);
        CHECK_EQ(burst[0]->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_GOOD);
        CHECK_EQ(n_merged(), 5);
        finish();
    }
}

TEST(a_shorter_segment_or_a_push_ends_the_row)
{
    start();
    add(0, 9, 0, FULL, ACK);
    add(0, 9, FULL, 1000, ACK);
    add(0, 9, FULL + 1000, 1000, ACK);
    add(0, 9, FULL + 2000, 1000, ACK | PSH);
    add(0, 9, FULL + 3000, 1000, ACK);
    merge();
    CHECK_EQ(n_burst, 3);
    CHECK(is_row(0, 0, 0, FULL + 1000, 2));
    CHECK(is_row(1, 0, FULL + 1000, 2000, 2));
    CHECK(is_row(2, 0, FULL + 3000, 1000, 1));
    finish();
}

/* May the byte differ between two segments of a row that the device has checked? */
static bool may_differ(unsigned kind, unsigned at, unsigned bit)
{
    unsigned in_ip = at - l3_of(kind);
    unsigned in_tcp = at - l4_of(kind);
    if ((kind & IP6) == 0 && at >= l3_of(kind) && at < l4_of(kind))
        return in_ip == 4 || in_ip == 5 || in_ip == 10 || in_ip == 11; /* identification, sum */
    if (at < l4_of(kind))
        return false;
    return in_tcp == 16 || in_tcp == 17 || (in_tcp == 13 && bit == 3); /* sum, PSH */
}

TEST(whatever_bit_of_the_headers_differs_the_segments_stay_apart)
{
    for (unsigned kind = GOOD; kind < 8; kind += 2) {
        unsigned length = l3_of(kind) + (kind & IP6 ? 4 : 2); /* another length: another segment */
        for (unsigned at = 0; at < data_of(kind); at++) {
            for (unsigned bit = 0; bit < 8 && at != length && at != length + 1; bit++) {
                start();
                add(kind, 9, 0, FULL, ACK);
                struct rte_mbuf *m = add(kind, 9, FULL, FULL, ACK);
                rte_pktmbuf_mtod(m, uint8_t *)[at] ^= (uint8_t)(1u << bit);
                merge();
                bool is_apart = n_burst == 2 && burst[0]->nb_segs == 1 && burst[1] == m;
                if (is_apart == may_differ(kind, at, bit))
                    printf("  kind %u, byte %u, bit %u\n", kind, at, bit);
                CHECK(is_apart != may_differ(kind, at, bit));
                finish();
            }
        }
    }
}

TEST(what_is_damaged_stays_what_it_is)
{
    for (unsigned damaged = 0; damaged < 3; damaged++) {
        start();
        for (unsigned i = 0; i < 3; i++) {
            struct rte_mbuf *m = add(0, 9, i * FULL, FULL, ACK);
            if (i == damaged)
                rte_pktmbuf_mtod(m, uint8_t *)[data_of(0) + 700] ^= 1;
        }
        merge();
        CHECK_EQ(n_burst, damaged == 1 ? 3 : 2);
        CHECK_EQ(n_merged(), damaged == 1 ? 0 : 1);
        for (unsigned i = 0; i < n_burst; i++) { /* nobody has said that it is right */
            bool is_whole = is_row(i, 0, burst[i]->nb_segs > 1 && damaged == 0 ? FULL : i * FULL,
                                   burst[i]->nb_segs * FULL, burst[i]->nb_segs);
            CHECK(is_whole || (burst[i]->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD) == 0);
        }
        finish();
    }
    start();
    add(0, 9, 0, FULL, ACK);
    struct rte_mbuf *m = add(0, 9, FULL, FULL, ACK);
    rte_pktmbuf_mtod(m, uint8_t *)[l3_of(0) + 10] ^= 1; /* the IP header's sum */
    merge();
    CHECK_EQ(n_burst, 2);
    finish();
}

TEST(gaps_repetitions_and_overlaps_stay_apart)
{
    static const uint32_t second[] = {FULL + 1, 0, FULL - 1, 2 * FULL, (uint32_t)-FULL};
    for (unsigned i = 0; i < 5; i++) {
        start();
        add(0, 9, 0, FULL, ACK);
        add(0, 9, second[i], FULL, ACK);
        merge();
        CHECK_EQ(n_burst, 2);
        finish();
    }
}

TEST(numbers_may_wrap_within_a_row)
{
    start();
    add(0, 9, (uint32_t)-100, FULL, ACK);
    add(0, 9, FULL - 100, FULL, ACK);
    merge();
    CHECK_EQ(n_burst, 1);
    CHECK(is_row(0, 0, (uint32_t)-100, 2 * FULL, 2));
    finish();
}

TEST(nothing_of_a_flow_overtakes_anything_of_it)
{
    static const struct {
        uint16_t bytes;
        uint8_t flags;
    } between[] = {{0, ACK},         {0, ACK | RTE_TCP_FIN_FLAG},    {0, RTE_TCP_RST_FLAG},
                   {10, ACK | 0x80}, {FULL, ACK | RTE_TCP_URG_FLAG}, {FULL, ACK | 0x40}};
    for (unsigned i = 0; i < 6; i++) {
        start();
        add(0, 9, 0, FULL, ACK);
        add(0, 9, FULL, between[i].bytes, between[i].flags);
        add(0, 9, FULL, FULL, ACK); /* would follow the first */
        merge();
        CHECK_EQ(n_burst, 3);
        CHECK_EQ(n_merged(), 0);
        finish();
    }
    start(); /* and nothing overtakes what cannot be read */
    add(0, 9, 0, FULL, ACK);
    struct rte_mbuf *m = add(0, 9, FULL, FULL, ACK);
    rte_pktmbuf_mtod(m, uint8_t *)[l3_of(0)] = 0x46; /* IP options */
    add(0, 9, FULL, FULL, ACK);
    merge();
    CHECK_EQ(n_burst, 3);
    finish();
}

TEST(flows_are_merged_side_by_side)
{
    start();
    for (unsigned i = 0; i < 6; i++) {
        for (uint16_t flow = 0; flow < GRO_FLOWS_MAX; flow++)
            add(flow % 2 ? IP6 : 0, (uint16_t)(100 + flow), i * FULL, FULL, ACK);
    }
    merge();
    CHECK_EQ(n_burst, GRO_FLOWS_MAX);
    for (unsigned flow = 0; flow < GRO_FLOWS_MAX; flow++)
        CHECK(is_row(flow, flow % 2 ? IP6 : 0, 0, 6 * FULL, 6));
    finish();
}

TEST(of_too_many_flows_the_first_are_left_as_they_are)
{
    start();
    for (uint16_t flow = 0; flow <= GRO_FLOWS_MAX; flow++)
        add(0, (uint16_t)(100 + flow), 0, FULL, ACK);
    add(0, 100, FULL, FULL, ACK);                 /* its row was given up */
    add(0, 100 + GRO_FLOWS_MAX, FULL, FULL, ACK); /* the last one's not */
    merge();
    CHECK_EQ(n_merged(), 1);
    CHECK_EQ(burst[0]->nb_segs, 1);
    CHECK(is_row(GRO_FLOWS_MAX, 0, 0, 2 * FULL, 2));
    finish();
}

TEST(a_row_is_never_longer_than_an_ip_packet)
{
    for (unsigned kind = 0; kind <= IP6; kind += IP6) {
        start();
        for (unsigned i = 0; i < 50; i++)
            add(kind | GOOD, 9, i * FULL, FULL, ACK);
        merge();
        CHECK_EQ(n_burst, 2);
        CHECK(is_row(0, kind, 0, 45 * FULL, 45));
        CHECK(is_row(1, kind, 45 * FULL, 5 * FULL, 5));
        finish();
    }
}

TEST(short_frames_begin_no_row_and_padding_is_no_payload)
{
    start();
    add(0, 9, 0, 100, ACK);
    add(0, 9, 100, 100, ACK);
    struct rte_mbuf *m = add(0, 7, 0, FULL, ACK);
    rte_pktmbuf_append(m, 3);
    m = add(0, 7, FULL, 4, ACK);
    rte_pktmbuf_append(m, 5);
    merge();
    CHECK_EQ(n_burst, 3);
    CHECK(is_row(2, 0, 0, FULL + 4, 2));
    finish();
}

TEST(tags_that_the_device_took_out_must_be_the_same)
{
    for (uint16_t tci = 4; tci < 6; tci++) {
        start();
        for (unsigned i = 0; i < 2; i++) {
            struct rte_mbuf *m = add(0, 9, i * FULL, FULL, ACK);
            m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
            m->vlan_tci = i == 0 ? 5 : tci;
        }
        merge();
        CHECK_EQ(n_burst, tci == 5 ? 1 : 2);
        finish();
    }
    start();
    add(0, 9, 0, FULL, ACK)->port = 1;
    add(0, 9, FULL, FULL, ACK)->port = 2;
    merge();
    CHECK_EQ(n_burst, 2);
    finish();
}

TEST(cut_and_garbled_frames_are_left_alone)
{
    for (unsigned kind = 0; kind <= IP6; kind += IP6) {
        for (uint16_t len = 0; len < data_of(kind) + 2u; len++) {
            start();
            add(kind, 9, 0, FULL, ACK);
            struct rte_mbuf *m = add(kind, 9, FULL, FULL, ACK);
            rte_pktmbuf_trim(m, (uint16_t)(m->data_len - len));
            merge();
            CHECK_EQ(n_burst, 2);
            finish();
        }
    }
}

UNIT_MAIN("net/gro", T(segments_in_a_row_become_one_with_every_byte_in_its_place),
          T(a_shorter_segment_or_a_push_ends_the_row),
          T(whatever_bit_of_the_headers_differs_the_segments_stay_apart),
          T(what_is_damaged_stays_what_it_is), T(gaps_repetitions_and_overlaps_stay_apart),
          T(numbers_may_wrap_within_a_row), T(nothing_of_a_flow_overtakes_anything_of_it),
          T(flows_are_merged_side_by_side), T(of_too_many_flows_the_first_are_left_as_they_are),
          T(a_row_is_never_longer_than_an_ip_packet),
          T(short_frames_begin_no_row_and_padding_is_no_payload),
          T(tags_that_the_device_took_out_must_be_the_same),
          T(cut_and_garbled_frames_are_left_alone))
