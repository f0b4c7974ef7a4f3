/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two stacks over a bad line, under virtual time: every byte arrives, in bounded time, whatever the
 * line does. A seed decides loss, delay, reordering and duplication, so a failure replays.
 */
#include "base/rng.h"
#include "core/port.h"
#include "core/spread_aim.h"
#include "net/net.h"
#include "tcp/tcp.h"
#include "tcp/tcp_priv.h"
#include "unit.h"

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLIGHT_MAX 8192u

struct line {
    uint32_t loss_permille;
    uint32_t duplicate_permille;
    uint32_t reorder_permille; /* delayed by as much again */
    uint32_t delay_us;
    uint32_t jitter_us;
    uint32_t mtu;       /* larger packets vanish without a word; 0: none does */
    uint32_t outage_ms; /* everything vanishes from the first second on for so long */
    bool is_v6;
    enum tcp_congestion congestion; /* of both ends */
    uint32_t bytes_per_ms;          /* of each direction; 0: as much as comes */
    uint32_t queue_bytes;           /* with bytes_per_ms: what waits at most */
};

struct packet {
    uint64_t at_us;
    uint64_t order;
    struct rte_mbuf *m;
    struct ip_addr src;
    struct ip_addr dst;
};

/* One end: net_output() finds it by the pointer that tcp_new() was given. */
struct net {
    struct link *link;
    struct core core;
    struct stats_worker stats;
    struct tcp *tcp;
    struct ip_addr addr;
    struct stream *stream;
    uint64_t to_send;
    uint64_t sent;
    uint64_t received;
    uint64_t to_receive;
    bool is_closed;
    bool is_broken;
    bool is_shut;
    uint16_t path_mtu; /* what tcp told of the path last; 0: nothing */
};

struct link {
    struct net ends[2];
    struct line line;
    struct rng rng;
    struct packet heap[FLIGHT_MAX];
    unsigned n;
    uint64_t order;
    uint64_t now_us;
    uint32_t largest;    /* packet that arrived since the outage */
    uint64_t free_ns[2]; /* when the line from each end has carried all that waits */
};

static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static bool sooner(const struct packet *a, const struct packet *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static void swap_packets(struct packet *a, struct packet *b)
{
    struct packet t = *a;
    *a = *b;
    *b = t;
}

static void heap_push(struct link *l, struct packet p)
{
    REQUIRE(l->n < FLIGHT_MAX);
    unsigned i = l->n++;
    l->heap[i] = p;
    for (; i > 0 && sooner(&l->heap[i], &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap_packets(&l->heap[i], &l->heap[(i - 1) / 2]);
}

static struct packet heap_take(struct link *l)
{
    struct packet top = l->heap[0];
    l->heap[0] = l->heap[--l->n];
    for (unsigned i = 0;;) {
        unsigned least = i;
        for (unsigned k = 2 * i + 1; k <= 2 * i + 2 && k < l->n; k++)
            if (sooner(&l->heap[k], &l->heap[least]))
                least = k;
        if (least == i)
            return top;
        swap_packets(&l->heap[i], &l->heap[least]);
        i = least;
    }
}

/* seams */

bool net_path_find(struct net *n, const struct ip_addr *dst, struct net_path *ret)
{
    *ret = (struct net_path){.mtu = 1500, .source = n->addr};
    return true;
}

bool net_path_mtu_find(struct net *n, const struct ip_addr *dst, struct net_path_mtu *ret)
{
    return false;
}

void net_path_mtu_learn(struct net *n, const struct ip_addr *dst, uint16_t mtu, bool is_told)
{
    CHECK(!is_told); /* there is no router */
    n->path_mtu = mtu;
}

void net_path_mtu_passed(struct net *n, const struct ip_addr *dst, uint16_t bytes,
                         uint16_t link_mtu)
{
    n->path_mtu = bytes;
}

bool net_is_ours(const struct net *n, const struct ip_addr *addr)
{
    return net_is_local(n, addr);
}

bool net_is_local(const struct net *n, const struct ip_addr *addr)
{
    return ip_addr_eq(addr, &n->addr);
}

void net_doubt(struct net *n, const struct ip_addr *dst)
{
}

void net_confirm(struct net *n, const struct ip_addr *dst)
{
}

/* Does the path eat it? */
static bool vanishes(struct link *l, const struct rte_mbuf *m)
{
    uint32_t bytes = m->pkt_len + (l->line.is_v6 ? 40 : 20);
    uint64_t outage_us = l->line.outage_ms * 1000ull;
    if (outage_us != 0 && l->now_us >= 2000000 && l->now_us < 2000000 + outage_us)
        return true;
    if (l->line.mtu != 0 && bytes > l->line.mtu)
        return true;
    if (bytes > l->largest && l->now_us >= 2000000 + outage_us)
        l->largest = bytes;
    return false;
}

/* How long the packet waits and is carried; false: the queue is full. */
static bool queue(struct link *l, unsigned from, uint32_t bytes, uint64_t *ret_us)
{
    *ret_us = 0;
    if (l->line.bytes_per_ms == 0)
        return true;
    uint64_t now_ns = l->now_us * 1000;
    uint64_t begin_ns = l->free_ns[from] > now_ns ? l->free_ns[from] : now_ns;
    if ((begin_ns - now_ns) * l->line.bytes_per_ms / 1000000 + bytes > l->line.queue_bytes)
        return false;
    l->free_ns[from] = begin_ns + bytes * 1000000ull / l->line.bytes_per_ms;
    *ret_us = (l->free_ns[from] - now_ns) / 1000;
    return true;
}

/* Onto the line: a copy, as a wire makes one. */
static void transmit(struct link *l, const struct rte_mbuf *m, const struct ip_addr *src,
                     const struct ip_addr *dst, struct rte_mempool *pool)
{
    uint64_t queued_us;
    bool is_first = ip_addr_eq(src, &l->ends[0].addr);
    if (!queue(l, is_first ? 0 : 1, m->pkt_len + 20, &queued_us))
        return;
    struct rte_mbuf *copy = rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);
    if (copy == NULL)
        return;
    copy->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    uint64_t delay = queued_us + l->line.delay_us + rng_below(&l->rng, l->line.jitter_us + 1);
    if (rng_below(&l->rng, 1000) < l->line.reorder_permille)
        delay += l->line.delay_us / 2 + 200;
    heap_push(l, (struct packet){l->now_us + delay, l->order++, copy, *src, *dst});
}

void net_output(struct net *n, struct rte_mbuf *m, const struct ip_addr *src,
                const struct ip_addr *dst, uint8_t proto, uint8_t tos, uint32_t flow_label)
{
    struct link *l = n->link;
    struct rte_mempool *pool = l->ends[n == &l->ends[0] ? 1 : 0].core.mbufs;
    if (vanishes(l, m)) {
        rte_pktmbuf_free(m);
        return;
    }
    if (rng_below(&l->rng, 1000) >= l->line.loss_permille)
        transmit(l, m, src, dst, pool);
    if (rng_below(&l->rng, 1000) < l->line.duplicate_permille)
        transmit(l, m, src, dst, pool);
    rte_pktmbuf_free(m);
}

unsigned port_count(const struct core *c)
{
    return 1;
}

const struct port_info *port_info(const struct core *c, unsigned index)
{
    static const struct port_info plain, chained = {.has_multi_seg_tx = true, .tx_mbufs_max = 8};
    return c->worker == 0 ? &chained : &plain;
}

void port_aim(const struct core *c, unsigned index, const struct ip_addr *src,
              const struct ip_addr *dst, uint16_t src_port, struct spread_aim *ret)
{
    static struct spread spread;
    if (spread.bucket[1] == 0) /* the first time */
        spread_init(&spread, 2);
    spread_aim_init(ret, &spread, c->worker, src, dst, src_port);
}

/* the two applications */

static void send_more(struct net *e)
{
    uint8_t bytes[5000];
    while (e->sent < e->to_send) {
        size_t n = e->to_send - e->sent < sizeof(bytes) ? e->to_send - e->sent : sizeof(bytes);
        for (size_t i = 0; i < n; i++)
            bytes[i] = pattern(e->sent + i);
        struct slice v = slice_of(bytes, n);
        size_t taken = stream_write(e->stream, &v, 1);
        e->sent += taken;
        if (taken < n)
            return;
    }
    if (!e->is_shut) {
        e->is_shut = true;
        stream_shutdown(e->stream);
    }
}

static void receive(struct net *e)
{
    struct slice v;
    while (stream_peek(e->stream, &v, 1) == 1) {
        for (size_t i = 0; i < v.len; i++)
            e->is_broken |= v.ptr[i] != pattern(e->received + i);
        e->received += v.len;
        stream_consume(e->stream, v.len);
    }
}

static void on_event(struct stream *s, unsigned events)
{
    struct net *e = s->owner;
    if (events & STREAM_CLOSED) {
        e->is_closed = true;
        if (stream_end(s) != STREAM_END_ORDERLY) {
            printf("  ended %s\n", stream_end_name(stream_end(s)));
            e->is_broken = true;
        }
        stream_release(s);
        e->stream = NULL;
        return;
    }
    receive(e);
    send_more(e);
}

static bool on_listen(void *owner, const struct ip_addr *local, uint16_t port,
                      struct tcp_listening *ret)
{
    const struct net *e = owner;
    ret->bind = 0;
    ret->congestion = e->link->line.congestion;
    return true;
}

static bool on_accept(void *owner, struct stream *s, uint32_t bind)
{
    struct net *e = owner;
    s->on_event = on_event;
    s->owner = e;
    e->stream = s;
    send_more(e);
    return true;
}

/* the world */

static struct rte_mempool *pools[2];

static void start(void)
{
    if (pools[0] != NULL)
        return;
    static char args[][16] = {"test_tcp",      "--no-huge", "-m", "128",         "--no-shconf",
                              "--no-pci",      "-l",        "0",  "--log-level", "error",
                              "--no-telemetry"};
    char *argv[array_len(args) + 1] = {0};
    for (unsigned i = 0; i < array_len(args); i++)
        argv[i] = args[i];
    REQUIRE(rte_eal_init((int)array_len(args), argv) >= 0);
    pools[0] = rte_pktmbuf_pool_create("a", 8191, 0, 0, 2176, SOCKET_ID_ANY);
    pools[1] = rte_pktmbuf_pool_create("b", 8191, 0, 0, 2176, SOCKET_ID_ANY);
}

static struct link *link_new(const struct line *line, uint64_t seed)
{
    start();
    struct link *l = calloc(1, sizeof(*l));
    l->line = *line;
    l->rng.state = seed;
    l->now_us = 1000000;
    struct tcp_config config = {.conns_max = 16,
                                .timewaits_max = 16,
                                .half_open_max = 8,
                                .rx_window_bytes = 1 << 20,
                                .tx_buffer_bytes = 1 << 20,
                                .mbufs_low = 128};
    for (unsigned i = 0; i < 2; i++) {
        struct net *e = &l->ends[i];
        e->link = l;
        static const char *const addrs[2][2] = {{"198.18.0.1", "198.18.0.2"},
                                                {"2001:db8::1", "2001:db8::2"}};
        ip_addr_parse(addrs[line->is_v6][i], &e->addr);
        struct core_config cc = {.now_us = l->now_us,
                                 .worker = (uint8_t)i,
                                 .workers = 2,
                                 .socket = -1,
                                 .mbufs = pools[i],
                                 .stats = &e->stats,
                                 .hash_key = {seed, i}};
        core_init(&e->core, &cc);
        struct tcp_upcalls up = {on_listen, on_accept, e};
        e->tcp = tcp_new(&e->core, e, &config, &up);
    }
    return l;
}

static void poll_end(struct link *l, struct net *e)
{
    e->core.now_us = l->now_us;
    wheel_run(&e->core.wheel, l->now_us, 1000);
    for (unsigned i = 0; i < 100 && tcp_poll(e->tcp) > 0; i++)
        ;
}

/* The next moment at which anything can happen. */
static void step(struct link *l)
{
    uint64_t next = l->n > 0 ? l->heap[0].at_us : UINT64_MAX;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t t = wheel_next_us(&l->ends[i].core.wheel);
        next = t < next ? t : next;
    }
    if (next > l->now_us)
        l->now_us = next;
    for (unsigned i = 0; i < 2; i++)
        l->ends[i].core.now_us = l->now_us;
    while (l->n > 0 && l->heap[0].at_us <= l->now_us) {
        struct packet p = heap_take(l);
        struct net *to = ip_addr_eq(&p.dst, &l->ends[0].addr) ? &l->ends[0] : &l->ends[1];
        tcp_input(to->tcp, p.m, &p.src, &p.dst, 0, 0);
    }
    poll_end(l, &l->ends[0]);
    poll_end(l, &l->ends[1]);
}

static void link_free(struct link *l)
{
    while (l->n > 0)
        rte_pktmbuf_free(heap_take(l).m);
    for (unsigned i = 0; i < 2; i++) {
        tcp_done(l->ends[i].tcp);
        CHECK_EQ(l->ends[i].core.wheel.armed, 0);
        CHECK_EQ(rte_mempool_avail_count(pools[i]), 8191);
        core_done(&l->ends[i].core);
    }
    free(l);
}

/* As transfer(), whose link the caller frees. */
static double carry(struct link *l, uint64_t up, uint64_t down, uint64_t seed)
{
    struct tcp_open_args args = {.remote = l->ends[1].addr,
                                 .remote_port = 80,
                                 .connect_timeout_ms = 60000,
                                 .congestion = l->line.congestion};
    REQUIRE(tcp_open(l->ends[0].tcp, &args, &l->ends[0].stream) == TCP_OPEN_OK);
    l->ends[0].stream->on_event = on_event;
    l->ends[0].stream->owner = &l->ends[0];
    l->ends[0].to_send = up;
    l->ends[1].to_send = down;
    poll_end(l, &l->ends[0]);
    uint64_t began_us = l->now_us;
    unsigned steps = 0;
    uint64_t shown = 0;
    while (!(l->ends[0].is_closed && l->ends[1].is_closed) && steps++ < 20000000 &&
           l->now_us - began_us < 3600000000ull) {
        step(l);
        if (getenv("TRACE") != NULL && l->now_us - shown >= (unsigned long)atol(getenv("TRACE"))) {
            char text[2000];
            shown = l->now_us;
            for (unsigned i = 0; i < 2; i++) {
                tcp_dump(l->ends[i].tcp, text, sizeof(text));
                printf("%.6f %u: %s", (double)l->now_us / 1e6, i, text[0] ? text : "-\n");
            }
        }
    }
    double seconds = (double)(l->now_us - began_us) / 1e6;
    CHECK(l->ends[0].is_closed && l->ends[1].is_closed);
    CHECK(!l->ends[0].is_broken && !l->ends[1].is_broken);
    CHECK_EQ(l->ends[1].received, up);
    CHECK_EQ(l->ends[0].received, down);
    const uint64_t *c = l->ends[0].stats.counters;
    if (getenv("VERBOSE") != NULL)
        printf("  seed %lu: %.2f s, %.1f Mbit/s; segments %lu resent %lu rto %lu tlp %lu "
               "recoveries %lu\n",
               (unsigned long)seed, seconds, (double)(up + down) * 8 / 1e6 / seconds,
               (unsigned long)c[STAT_tcp_tx_segments], (unsigned long)c[STAT_tcp_retransmits],
               (unsigned long)c[STAT_tcp_rto], (unsigned long)c[STAT_tcp_tlp],
               (unsigned long)c[STAT_tcp_recoveries]);
    return seconds;
}

/* Moves bytes both ways; returns the virtual seconds that it took. */
static double transfer(const struct line *line, uint64_t up, uint64_t down, uint64_t seed)
{
    struct link *l = link_new(line, seed);
    double seconds = carry(l, up, down, seed);
    link_free(l);
    return seconds;
}

TEST(a_clean_line_carries_both_ways)
{
    struct line line = {.delay_us = 1000};
    CHECK(transfer(&line, 16 << 20, 16 << 20, 1) < 2.0);
}

TEST(one_percent_loss_costs_little)
{
    struct line line = {.delay_us = 500, .loss_permille = 10};
    CHECK(transfer(&line, 16 << 20, 0, 2) < 5.0);
    CHECK(transfer(&line, 0, 16 << 20, 3) < 5.0);
}

TEST(five_percent_loss_with_reordering_arrives)
{
    struct line line = {
        .delay_us = 500, .loss_permille = 50, .reorder_permille = 100, .jitter_us = 100};
    CHECK(transfer(&line, 8 << 20, 8 << 20, 4) < 30.0);
}

TEST(reordering_alone_is_no_loss)
{
    struct line line = {.delay_us = 5000, .reorder_permille = 50, .jitter_us = 500};
    CHECK(transfer(&line, 8 << 20, 0, 5) < 10.0);
}

TEST(duplicates_do_no_harm)
{
    struct line line = {.delay_us = 1000, .duplicate_permille = 200, .jitter_us = 300};
    CHECK(transfer(&line, 4 << 20, 4 << 20, 6) < 5.0);
}

TEST(every_small_transfer_ends_orderly_on_a_terrible_line)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        if (getenv("SEED") != NULL && (uint64_t)atol(getenv("SEED")) != seed)
            continue; /* to replay one */
        struct line line = {.delay_us = (uint32_t)(seed % 7) * 3000,
                            .loss_permille = (uint32_t)(seed % 5) * 45,
                            .reorder_permille = (uint32_t)(seed % 3) * 150,
                            .duplicate_permille = (uint32_t)(seed % 4) * 50,
                            .jitter_us = (uint32_t)(seed % 6) * 400};
        transfer(&line, seed * 997 % 60000, seed * 7919 % 90000, seed);
        line.congestion = TCP_CONGESTION_BBR;
        transfer(&line, seed * 997 % 60000, seed * 7919 % 90000, seed);
    }
}

TEST(five_percent_loss_on_a_short_line_is_no_standstill)
{
    struct line line = {.delay_us = 40, .loss_permille = 50};
    CHECK(transfer(&line, 8 << 20, 0, 7) < 5.0);
}

/* 80 Mbit/s and 20 ms: 200 kB are on the way. */
static const struct line bottleneck = {.delay_us = 10000,
                                       .bytes_per_ms = 10000,
                                       .queue_bytes = 400000,
                                       .congestion = TCP_CONGESTION_BBR};

TEST(bbr_fills_a_bottleneck_and_loses_nothing)
{
    struct link *l = link_new(&bottleneck, 8);
    CHECK(carry(l, 32 << 20, 0, 8) < 3.8);
    CHECK_EQ(l->ends[0].stats.counters[STAT_tcp_retransmits], 0);
    CHECK_EQ(l->ends[0].stats.counters[STAT_tcp_bbr_full_pipes], 1);
    link_free(l);
}

TEST(bbr_fills_a_bottleneck_whose_queue_is_short)
{
    struct line line = bottleneck;
    line.queue_bytes = 50000;
    CHECK(transfer(&line, 32 << 20, 0, 9) < 4.2);
}

TEST(bbr_keeps_its_rate_where_one_in_a_hundred_is_lost_by_chance)
{
    struct line line = bottleneck;
    line.loss_permille = 10;
    double bbr = transfer(&line, 32 << 20, 0, 10);
    CHECK(bbr < 5.2);
    line.congestion = TCP_CONGESTION_CUBIC;
    CHECK(transfer(&line, 32 << 20, 0, 10) > 2 * bbr);
}

TEST(bbr_carries_both_ways_through_loss_and_reordering)
{
    struct line line = bottleneck;
    line.loss_permille = 20;
    line.reorder_permille = 50;
    line.jitter_us = 500;
    CHECK(transfer(&line, 8 << 20, 8 << 20, 11) < 6.0);
}

/* A counter of the end that sends. */
static uint64_t count(const struct link *l, enum stat_id id)
{
    return l->ends[0].stats.counters[id];
}

/* Over a path that eats what is larger than `mtu`: what arrives in the end is nearly as large. */
static void crosses_black_hole(bool is_v6, uint32_t mtu, uint32_t loss_permille)
{
    struct line line = {
        .delay_us = 200000, .mtu = mtu, .is_v6 = is_v6, .loss_permille = loss_permille};
    struct link *l = link_new(&line, mtu);
    CHECK(carry(l, 48 << 20, 0, mtu) < (loss_permille == 0 ? 90.0 : 400.0));
    CHECK(count(l, STAT_tcp_pmtu_black_holes) >= 1);
    CHECK(l->largest + TCP_PMTU_CLOSE_BYTES >= mtu);
    CHECK(l->ends[0].path_mtu <= mtu && l->ends[0].path_mtu + TCP_PMTU_CLOSE_BYTES >= mtu);
    if (loss_permille == 0) /* what is lost but probes and the first flight */
        CHECK_EQ(count(l, STAT_tcp_recoveries), 0);
    link_free(l);
}

TEST(a_path_that_eats_large_packets_is_crossed_with_the_largest_that_it_takes)
{
    static const uint32_t mtus[] = {1300, 1400, 1472, 1492};
    for (unsigned i = 0; i < array_len(mtus); i++) {
        crosses_black_hole(false, mtus[i], 0);
        crosses_black_hole(true, mtus[i], 0);
    }
    crosses_black_hole(false, 1400, 2); /* probes and others are lost by chance too */
}

TEST(a_path_that_takes_less_than_the_base_is_crossed_all_the_same)
{
    struct line line = {.delay_us = 5000, .mtu = 900};
    struct link *l = link_new(&line, 1);
    CHECK(carry(l, 1 << 20, 0, 1) < 30.0);
    CHECK_EQ(count(l, STAT_tcp_pmtu_black_holes), 2);
    link_free(l);
}

TEST(after_an_outage_the_first_probe_brings_large_packets_back)
{
    struct line line = {.delay_us = 5000, .outage_ms = 3000};
    struct link *l = link_new(&line, 1);
    CHECK(carry(l, 256 << 20, 0, 1) < 60.0);
    CHECK(count(l, STAT_tcp_pmtu_black_holes) >= 1);
    CHECK_EQ(count(l, STAT_tcp_pmtu_probes), 1);
    CHECK_EQ(count(l, STAT_tcp_pmtu_probes_lost), 0);
    CHECK_EQ(l->largest, 1500);
    link_free(l);
}

TEST(losses_alone_make_no_black_hole)
{
    struct line line = {.delay_us = 5000, .loss_permille = 10};
    struct link *l = link_new(&line, 3);
    carry(l, 4 << 20, 0, 3);
    CHECK_EQ(count(l, STAT_tcp_pmtu_black_holes), 0);
    CHECK_EQ(count(l, STAT_tcp_pmtu_probes), 0);
    link_free(l);
}

UNIT_MAIN("tcp/link", T(a_path_that_eats_large_packets_is_crossed_with_the_largest_that_it_takes),
          T(a_path_that_takes_less_than_the_base_is_crossed_all_the_same),
          T(after_an_outage_the_first_probe_brings_large_packets_back),
          T(losses_alone_make_no_black_hole), T(five_percent_loss_on_a_short_line_is_no_standstill),
          T(a_clean_line_carries_both_ways), T(one_percent_loss_costs_little),
          T(bbr_fills_a_bottleneck_and_loses_nothing),
          T(bbr_fills_a_bottleneck_whose_queue_is_short),
          T(bbr_keeps_its_rate_where_one_in_a_hundred_is_lost_by_chance),
          T(bbr_carries_both_ways_through_loss_and_reordering),
          T(five_percent_loss_with_reordering_arrives), T(reordering_alone_is_no_loss),
          T(duplicates_do_no_harm), T(every_small_transfer_ends_orderly_on_a_terrible_line))
