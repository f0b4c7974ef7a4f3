/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What forwarding a packet costs a worker: the whole round, from a memory port to a memory port,
 * with so many flows and VIPs, flows in random order. Making and freeing frames is not in it.
 * Beside it the least that a router does with the same frames on the same port: a look-up in a
 * table of prefixes (rte_lpm), other MACs, one hop less, as DPDK's l3fwd does.
 *
 * usage: l4_forward KIND FLOWS VIPS [PACKETS]   KIND: udp, tcp (an established connection's), new
 * (each packet begins a flow of UDP). Prints `l4_cycles_per_packet N SPREAD` of the TSC, the median
 * of the rounds, `l3fwd_cycles_per_packet N SPREAD`, and `tsc_mhz N`.
 */
#include "abi/image_check.h"
#include "base/assert.h"
#include "base/container.h"
#include "compile/image_builder.h"
#include "core/endpoint_table.h"
#include "core/generation.h"
#include "core/port_setup.h"
#include "core/rcu.h"
#include "drivers/net/mem.h"
#include "unit_eal.h"
#include "worker.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_lpm.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST 32u
#define ROUNDS 9u
#define ENDPOINTS 250u
#define GROUP 1u
#define PORT 53u
#define FRAME_BYTES 60u /* 64 with what the wire adds */
#define IDLE_MS (24u * 3600 * 1000)

/* What does not hold ends the program. */
#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "l4_forward: line %d: not so: %s\n", __LINE__, #x);                    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

enum kind {
    KIND_UDP,
    KIND_TCP,
    KIND_NEW,
};

static struct rte_mempool *mbufs;
static struct port_setup port;
static struct rte_ring *in, *out;
static struct generation_set *generations;
static struct endpoint_table *endpoints;
static struct stats_worker *stats;
static struct stats_route routes[3]; /* the others', and of each kind one */
static struct worker *worker;
static uint64_t now_us = 1000000;
static enum kind kind;
static uint32_t n_flows, n_vips;

static void release(void *owner, const void *image, size_t length, void *companion)
{
    free((void *)(uintptr_t)image);
}

static uint32_t ip4(unsigned a, unsigned b, unsigned c, unsigned d)
{
    return rte_cpu_to_be_32(a << 24 | b << 16 | c << 8 | d);
}

/* 198.19.0.1 and so on. */
static uint32_t vip_of(uint32_t i)
{
    return ip4(198, 19, i / 250, 1 + i % 250);
}

/* A client of its own for each flow: 10.0.0.0/8 and four ports each. */
static uint32_t client_of(uint32_t flow)
{
    return rte_cpu_to_be_32(10u << 24 | (flow / 4 + 256));
}

static struct ip_addr mapped(uint32_t be)
{
    return ip_addr_from_v4(&be);
}

static void add_route(struct image_builder *b, enum image_route_kind route,
                      enum image_protocol protocol, const char *name)
{
    uint32_t listener = image_builder_listener(b, name, "", protocol, PORT);
    for (uint32_t i = 0; i < n_vips; i++) {
        struct ip_addr vip = mapped(vip_of(i));
        MUST(image_builder_bind(b, &vip, PORT, listener) == 0);
    }
    struct image_match_spec match = {.path_kind = IMAGE_PATH_PREFIX, .path = "/"};
    MUST(image_builder_route_of(b, route, name, 5) == 0);
    MUST(image_builder_rule(b, 0) != IMAGE_NONE);
    MUST(image_builder_backend(b, "ns/svc:53", GROUP, 1) == 0);
    MUST(image_builder_match(b, &match) == 0);
    MUST(image_builder_attach(b, listener, "") == 0);
}

static void publish(void)
{
    static const struct image_balance_spec hashed = {.way = IMAGE_BALANCING_MAGLEV,
                                                     .hash_key = IMAGE_HASH_KEY_CONNECTION};
    void *image;
    size_t len;
    struct image_builder *b = image_builder_new();
    MUST(image_builder_interface(b, "p0", 0, 0, 0) == 0);
    struct image_address ours = {mapped(ip4(198, 18, 0, 1)), 112, 0, 0};
    MUST(image_builder_address(b, &ours) == 0);
    for (uint32_t i = 0; i < n_vips; i++) {
        struct image_address vip = {mapped(vip_of(i)), 128, 1, 0};
        MUST(image_builder_address(b, &vip) == 0);
    }
    struct image_egress egress = {
        .prefix = mapped(0), .prefix_len = 96, .gateway = mapped(ip4(198, 18, 0, 254))};
    MUST(image_builder_egress(b, &egress) == 0);
    MUST(image_builder_group_forwarding(b, GROUP, IMAGE_FORWARDING_NAT) == 0);
    MUST(image_builder_group_balancing(b, GROUP, &hashed) == 0);
    add_route(b, IMAGE_ROUTE_TCP, IMAGE_PROTOCOL_TCP, "ns/a-tcp");
    add_route(b, IMAGE_ROUTE_UDP, IMAGE_PROTOCOL_UDP, "ns/b-udp");
    MUST(image_builder_finish(b, 1, &image, &len) == 0);
    image_builder_free(b);
    MUST(image_check(image, len, NULL) == IMAGE_FAULT_OK);
    MUST(generation_publish(generations, image, len, NULL));
}

static void put_endpoints(void)
{
    struct endpoint_record *r = calloc(1, sizeof(*r) + ENDPOINTS * sizeof(struct endpoint));
    enum endpoints_fault fault;
    *r = (struct endpoint_record){
        .group = GROUP, .count = ENDPOINTS, .version = 1, .flags = ENDPOINT_RECORD_HASHED};
    for (uint32_t i = 0; i < ENDPOINTS; i++)
        r->endpoints[i] = (struct endpoint){.addr = mapped(ip4(172, 16, i / 250, 1 + i % 250)),
                                            .port = 5353,
                                            .weight = 1,
                                            .flags = ENDPOINT_READY | ENDPOINT_SERVING};
    r->checksum = endpoints_checksum(r->endpoints, r->count);
    MUST(endpoint_table_put(endpoints, r, now_us, &fault));
    free(r);
}

static void start(void)
{
    struct net_fault fault;
    unit_eal_init();
    mbufs = unit_mbufs_new(8191);
    MUST(mem_port_open("bench", 0, 1, 1, mbufs, &port, &fault));
    mem_world_rings("bench", 0, &in, &out);
    spread_init(&port.spread, 1);
    struct rcu *rcu = rcu_new(1);
    generations = generation_set_new(1, release, NULL);
    endpoints = endpoint_table_new(rcu);
    stats = aligned_alloc(64, sizeof(*stats));
    memset(stats, 0, sizeof(*stats));
    struct worker_config config = {.core = {.now_us = now_us,
                                            .workers = 1,
                                            .socket = -1,
                                            .mbufs = mbufs,
                                            .stats = stats,
                                            .routes = routes,
                                            .n_routes = 3,
                                            .rng_seed = 1,
                                            .hash_key = {1, 2}},
                                   .ports = port_hub_new(&port, 1, 1),
                                   .generations = generations,
                                   .endpoints = endpoints,
                                   .rcu = rcu};
    worker_config_default(&config, 64, 8191, 1);
    config.probe = NET_PROBE_NONE;
    config.l4 = (struct l4_config){.flows_max = n_flows + n_flows / 2 + 1024,
                                   .half_open_max = n_flows,
                                   .half_open_listener_max = n_flows,
                                   .opens_per_s = 1000000,
                                   .opens_per_src_s = 1000000,
                                   .tcp_open_ms = IDLE_MS,
                                   .tcp_idle_ms = IDLE_MS,
                                   .tcp_half_ms = IDLE_MS,
                                   .tcp_closed_ms = IDLE_MS,
                                   .udp_single_ms = IDLE_MS,
                                   .udp_idle_ms = IDLE_MS};
    worker = worker_new(&config);
    put_endpoints();
    publish();
}

/* ---- frames ---- */

static uint8_t *new_frame(struct rte_mbuf **ret, uint16_t bytes)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(mbufs);
    ASSERT(m != NULL);
    uint8_t *at = (void *)rte_pktmbuf_append(m, bytes);
    memset(at, 0, bytes);
    memcpy(at, port.info.mac.bytes, 6);
    memcpy(at + 6, "\x02\x00\x00\x00\x00\x99", 6);
    at[12] = 0x08;
    *ret = m;
    return at;
}

/* Whose frame it is. */
struct ends {
    uint32_t src;
    uint32_t dst;
    uint16_t src_port;
    uint16_t dst_port;
};

static struct rte_mbuf *frame_of(const struct ends *e, uint8_t tcp_flags)
{
    struct rte_mbuf *m;
    uint8_t *at = new_frame(&m, FRAME_BYTES);
    struct rte_ipv4_hdr *ip = (void *)(at + 14);
    uint8_t *upper = at + 34;
    *ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
                                .total_length = rte_cpu_to_be_16(FRAME_BYTES - 14),
                                .time_to_live = 64,
                                .next_proto_id = kind == KIND_TCP ? 6 : 17,
                                .src_addr = e->src,
                                .dst_addr = e->dst};
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    uint16_t ports[2] = {rte_cpu_to_be_16(e->src_port), rte_cpu_to_be_16(e->dst_port)};
    memcpy(upper, ports, sizeof(ports));
    if (kind == KIND_TCP) {
        upper[12] = 0x50;
        upper[13] = tcp_flags;
        ((struct rte_tcp_hdr *)upper)->cksum = rte_ipv4_udptcp_cksum(ip, upper);
    } else {
        ((struct rte_udp_hdr *)upper)->dgram_len = rte_cpu_to_be_16(FRAME_BYTES - 34);
        ((struct rte_udp_hdr *)upper)->dgram_cksum = rte_ipv4_udptcp_cksum(ip, upper);
    }
    return m;
}

static struct ends ends_of(uint32_t flow)
{
    return (struct ends){client_of(flow), vip_of(flow % n_vips), (uint16_t)(20000 + flow % 4),
                         PORT};
}

static void give(struct rte_mbuf *m)
{
    MUST(rte_ring_enqueue(in, m) == 0);
}

static void answer_arp(const uint8_t *question)
{
    struct rte_mbuf *m;
    uint8_t *at = new_frame(&m, 60);
    memcpy(at + 12, question + 12, 30);
    at[21] = 2;
    memcpy(at + 22, "\x02\x00\x00\x00\x00\x99", 6);
    memcpy(at + 28, question + 38, 4);
    memcpy(at + 32, port.info.mac.bytes, 6);
    memcpy(at + 38, question + 28, 4);
    give(m);
}

/* What the box sent: ARP is answered, and a packet to an endpoint if that is wanted. Returns how
 * many packets there were. */
static unsigned take(bool is_answered)
{
    struct rte_mbuf *m;
    unsigned n = 0;
    while (rte_ring_dequeue(out, (void **)&m) == 0) {
        const uint8_t *at = rte_pktmbuf_mtod(m, const uint8_t *);
        const struct rte_ipv4_hdr *ip = (const void *)(at + 14);
        if (at[13] == 0x06) {
            bool is_question = memcmp(at + 28, at + 38, 4) != 0;
            if (is_question)
                answer_arp(at);
        } else {
            n++;
            uint16_t ports[2];
            memcpy(ports, at + 34, sizeof(ports));
            struct ends back = {ip->dst_addr, ip->src_addr, rte_be_to_cpu_16(ports[1]),
                                rte_be_to_cpu_16(ports[0])};
            if (is_answered && back.src_port == 5353)
                give(frame_of(&back, 0x12));
        }
        rte_pktmbuf_free(m);
    }
    return n;
}

static void poll(void)
{
    worker_poll(worker, now_us);
}

static void settle(unsigned rounds, bool is_answered)
{
    for (unsigned i = 0; i < rounds; i++) {
        now_us += 10;
        poll();
        take(is_answered);
    }
}

/* Opens all flows: question, answer, question. */
static void open_flows(void)
{
    for (uint32_t i = 0; i < n_flows; i += BURST) {
        for (uint32_t k = i; k < i + BURST && k < n_flows; k++) {
            struct ends e = ends_of(k);
            give(frame_of(&e, 0x02));
        }
        settle(3, true);
        for (uint32_t k = i; k < i + BURST && k < n_flows; k++) {
            struct ends e = ends_of(k);
            give(frame_of(&e, 0x10));
        }
        settle(1, false);
    }
}

/* ---- the measurement ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void tell(const char *name, double *took)
{
    qsort(took, ROUNDS, sizeof(*took), compare);
    double median = took[ROUNDS / 2];
    printf("%s %.1f %.3f\n", name, median, (took[ROUNDS - 2] - took[1]) / median);
}

/* One burst of flows by chance; `first_new`: of such as are not there yet. */
static void give_burst(struct rng *rng, uint32_t *first_new)
{
    for (unsigned k = 0; k < BURST; k++) {
        uint32_t flow = kind == KIND_NEW ? (*first_new)++ : rng_below(rng, n_flows);
        struct ends e = ends_of(flow);
        give(frame_of(&e, 0x10));
    }
}

static void measure_l4(uint32_t packets)
{
    double took[ROUNDS];
    struct rng rng = {3};
    uint32_t first_new = n_flows;
    for (unsigned r = 0; r < ROUNDS; r++) {
        uint64_t cycles = 0, went = 0, portless = stats->counters[STAT_l4_drop_no_port];
        for (uint32_t done = 0; done < packets; done += BURST) {
            give_burst(&rng, &first_new);
            now_us += 3;
            uint64_t began = rte_rdtsc();
            poll();
            cycles += rte_rdtsc() - began;
            went += take(false);
        }
        /* of millions of new flows one may find no port within its probes */
        portless = stats->counters[STAT_l4_drop_no_port] - portless;
        MUST(portless <= packets / 10000 && went + portless >= packets);
        took[r] = (double)cycles / (double)went;
    }
    tell("l4_cycles_per_packet", took);
}

/* As DPDK's l3fwd: by the longest prefix of the destination to a next hop. */
static unsigned l3fwd(struct rte_lpm *lpm)
{
    struct rte_mbuf *m[BURST];
    unsigned n = rte_eth_rx_burst(port.info.dpdk_port, 0, m, BURST);
    for (unsigned i = 0; i < n; i++)
        rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
    for (unsigned i = 0; i < n; i++) {
        uint8_t *at = rte_pktmbuf_mtod(m[i], uint8_t *);
        struct rte_ipv4_hdr *ip = (void *)(at + 14);
        uint32_t hop = 0;
        rte_lpm_lookup(lpm, rte_be_to_cpu_32(ip->dst_addr), &hop);
        memcpy(at, "\x02\x00\x00\x00\x00\x99", 6);
        memcpy(at + 6, port.info.mac.bytes, 6);
        ip->time_to_live--;
        ip->hdr_checksum = (uint16_t)(ip->hdr_checksum + 1 + hop);
    }
    unsigned sent = rte_eth_tx_burst(port.info.dpdk_port, 0, m, (uint16_t)n);
    return sent;
}

static void measure_l3fwd(uint32_t packets)
{
    double took[ROUNDS];
    struct rng rng = {4};
    uint32_t unused = n_flows;
    struct rte_lpm_config config = {.max_rules = 64, .number_tbl8s = 64};
    struct rte_lpm *lpm = rte_lpm_create("bench", SOCKET_ID_ANY, &config);
    MUST(lpm != NULL && rte_lpm_add(lpm, 198u << 24 | 19u << 16, 16, 0) == 0);
    for (unsigned r = 0; r < ROUNDS; r++) {
        uint64_t cycles = 0, went = 0;
        for (uint32_t done = 0; done < packets; done += BURST) {
            give_burst(&rng, &unused);
            uint64_t began = rte_rdtsc();
            went += l3fwd(lpm);
            cycles += rte_rdtsc() - began;
            take(false);
        }
        took[r] = (double)cycles / (double)went;
    }
    tell("l3fwd_cycles_per_packet", took);
    rte_lpm_free(lpm);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"udp", "tcp", "new"};
    if (argc < 4)
        return 2;
    for (unsigned i = 0; i < array_len(kinds); i++)
        kind = strcmp(argv[1], kinds[i]) == 0 ? (enum kind)i : kind;
    n_flows = (uint32_t)strtoul(argv[2], NULL, 10);
    n_vips = (uint32_t)strtoul(argv[3], NULL, 10);
    uint32_t packets = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 1u << 18;
    if (kind == KIND_NEW)
        packets = n_flows / 4 / ROUNDS / BURST * BURST; /* they have to find room, too */
    start();
    settle(40 + n_vips / 8, false);
    now_us += 5000000;
    settle(40 + n_vips / 8, false);
    open_flows();
    MUST(stats->counters[STAT_l4_flows_now] == n_flows);
    measure_l4(packets);
    measure_l3fwd(packets);
    printf("tsc_mhz %.0f\n", (double)rte_get_tsc_hz() / 1e6);
    return 0;
}
