/* SPDX-License-Identifier: Apache-2.0 */
/* See box.h. */
#include "box.h"

#include "abi/image_check.h"
#include "base/assert.h"
#include "base/container.h"
#include "core/census.h"
#include "core/endpoint_table.h"
#include "core/generation.h"
#include "core/port_setup.h"
#include "core/rcu.h"
#include "drivers/net/mem.h"
#include "obs/hub.h"
#include "unit_eal.h"

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <stdlib.h>
#include <string.h>

#define NAME "box"

static struct rte_mempool *mbufs;
static struct port_setup port;
static struct port_hub *hub;
static struct rcu *rcu;
static struct generation_set *generations;
static struct endpoint_table *endpoints;
static struct census *census;
static struct stats_worker *stats;
static uint64_t number, version;
static struct box box;
static bool has_lro; /* of the next box */
static struct stats_route *routes;
static struct obs_hub *observers;

#define ROUTES 4

static void release(void *owner, const void *image, size_t length, void *companion)
{
    free((void *)(uintptr_t)image);
}

static void add_network(struct image_builder *b, const char *drained)
{
    static const struct {
        const char *addr;
        uint8_t prefix_len;
        uint8_t is_vip;
    } addresses[] = {{OURS4, 120, 0}, {OURS6, 64, 0}, {VIP4, 128, 1}, {VIP6, 128, 1}};
    REQUIRE(image_builder_interface(b, "p0", 0, 0, 0) == 0);
    for (unsigned i = 0; i < array_len(addresses); i++) {
        struct image_address a = {addr_of(addresses[i].addr), addresses[i].prefix_len,
                                  addresses[i].is_vip, 0};
        REQUIRE(image_builder_address(b, &a) == 0);
    }
    if (drained != NULL) {
        struct ip_addr addr = addr_of(drained);
        REQUIRE(image_builder_drained(b, 0, &addr) == 0);
    }
}

/* A route of a kind on a listener of its own. */
static void add_route(struct image_builder *b, enum image_route_kind kind,
                      enum image_protocol protocol, const char *name, bool has_route)
{
    uint32_t listener = image_builder_listener(b, name, "", protocol, PORT);
    struct ip_addr vips[] = {addr_of(VIP4), addr_of(VIP6)};
    for (unsigned i = 0; i < array_len(vips); i++)
        REQUIRE(image_builder_bind(b, &vips[i], PORT, listener) == 0);
    if (!has_route)
        return;
    REQUIRE(image_builder_route_of(b, kind, name, 5) == 0);
    uint32_t rule = image_builder_rule(b, 0);
    REQUIRE(rule != IMAGE_NONE);
    REQUIRE(image_builder_backend(b, "ns/svc:53", GROUP, 1) == 0);
    struct image_match_spec match = {.path_kind = IMAGE_PATH_PREFIX, .path = "/"};
    REQUIRE(image_builder_match(b, &match) == 0);
    REQUIRE(image_builder_attach(b, listener, "") == 0);
}

/* A rule with this index of the route that is the latest: all below the path, to the group. */
static void add_name(struct image_builder *b, uint16_t index, const char *path, uint32_t group)
{
    REQUIRE(image_builder_rule(b, index) != IMAGE_NONE);
    REQUIRE(image_builder_backend(b, group == GROUP ? "ns/svc:53" : "ns/nobody:53", group, 1) == 0);
    struct image_match_spec match = {.path_kind = IMAGE_PATH_PREFIX, .path = path};
    REQUIRE(image_builder_match(b, &match) == 0);
}

static void add_dns(struct image_builder *b)
{
    struct ip_addr vips[] = {addr_of(VIP4), addr_of(VIP6)};
    uint32_t listener = image_builder_listener(b, "ns/c-dns", "", IMAGE_PROTOCOL_DNS, DNS_PORT);
    for (unsigned i = 0; i < array_len(vips); i++)
        REQUIRE(image_builder_bind(b, &vips[i], DNS_PORT, listener) == 0);
    REQUIRE(image_builder_route_of(b, IMAGE_ROUTE_DNS, "ns/c-dns", 5) == 0);
    add_name(b, 0, "/example/a", GROUP);
    add_name(b, 1, "/example/c", GROUP + 1);
    REQUIRE(image_builder_attach(b, listener, "") == 0);
}

static void add_health(const struct box *b, struct image_builder *builder)
{
    struct image_health_spec spec = {.numbers = {.failures = b->failures,
                                                 .base_ejection_ms = 60000,
                                                 .max_ejection_ms = 60000,
                                                 .max_ejected_percent = 50},
                                     .name = "ns/seen"};
    if (b->failures > 0)
        REQUIRE(image_builder_group_health(builder, GROUP, &spec) == 0);
}

static void add_gates(struct image_builder *builder, const struct box *b)
{
    struct ip_addr vips[] = {addr_of(VIP4), addr_of(VIP6)};
    for (unsigned i = 0; b->lists.name != NULL && i < array_len(vips); i++) {
        REQUIRE(image_builder_gate(builder, &vips[i], PORT, false, &b->lists) == 0);
        REQUIRE(image_builder_gate(builder, &vips[i], PORT, true, &b->lists) == 0);
        if (!b->is_gate_of_ports_only)
            REQUIRE(image_builder_gate(builder, &vips[i], 0, false, &b->lists) == 0);
    }
}

static void add_limit(struct image_builder *builder, const struct box *b)
{
    struct ip_addr vips[] = {addr_of(VIP4), addr_of(VIP6)};
    for (unsigned i = 0; b->limit.name != NULL && i < array_len(vips); i++) {
        REQUIRE(image_builder_bind_limit(builder, &vips[i], PORT, false, &b->limit) == 0);
        REQUIRE(image_builder_bind_limit(builder, &vips[i], PORT, true, &b->limit) == 0);
    }
}

void box_set_route(struct box *b, bool has_route)
{
    void *image;
    size_t len;
    struct image_builder *builder = image_builder_new();
    bool is_named = b->hash_key == IMAGE_HASH_KEY_COOKIE;
    const struct image_balance_spec hashed = {
        .way = IMAGE_BALANCING_MAGLEV, .hash_key = b->hash_key, .name = is_named ? "name" : NULL};
    add_network(builder, b->drained);
    REQUIRE(image_builder_group_forwarding(builder, GROUP, b->forwarding) == 0);
    REQUIRE(image_builder_group_balancing(builder, GROUP, &hashed) == 0);
    REQUIRE(image_builder_group_idle(builder, GROUP, b->idle_ms) == 0);
    add_health(b, builder);
    add_route(builder, IMAGE_ROUTE_TCP, IMAGE_PROTOCOL_TCP, "ns/a-tcp", has_route);
    add_route(builder, IMAGE_ROUTE_UDP, IMAGE_PROTOCOL_UDP, "ns/b-udp", has_route);
    if (b->has_dns)
        add_dns(builder);
    add_gates(builder, b);
    add_limit(builder, b);
    REQUIRE(image_builder_finish(builder, ++number, &image, &len) == 0);
    image_builder_free(builder);
    CHECK_EQ(image_check(image, len, NULL), IMAGE_FAULT_OK);
    REQUIRE(generation_publish(generations, image, len, NULL));
    box_wait_ms(b, 1);
}

void box_set_endpoints(struct box *b, const char *const *texts)
{
    struct {
        struct endpoint_record record;
        struct endpoint list[8];
    } r = {.record = {.group = GROUP, .version = ++version, .flags = ENDPOINT_RECORD_HASHED}};
    for (; *texts != NULL; texts++)
        r.list[r.record.count++] = (struct endpoint){.addr = addr_of(*texts),
                                                     .port = 5353,
                                                     .weight = 1,
                                                     .flags = ENDPOINT_READY | ENDPOINT_SERVING};
    r.record.checksum = endpoints_checksum(r.list, r.record.count);
    enum endpoints_fault fault;
    REQUIRE(endpoint_table_put(endpoints, &r.record, b->now_us, &fault));
}

static void start(void)
{
    if (mbufs != NULL)
        return;
    unit_eal_init();
    mbufs = unit_mbufs_new(8191);
    stats = aligned_alloc(64, sizeof(*stats));
    routes = aligned_alloc(64, ROUTES * sizeof(*routes));
    ASSERT(mbufs != NULL && stats != NULL && routes != NULL);
}

struct box *box_up_with(uint64_t secret, const char *const *texts,
                        void (*change)(struct l4_config *config))
{
    struct net_fault fault;
    start();
    memset(stats, 0, sizeof(*stats));
    memset(routes, 0, ROUTES * sizeof(*routes));
    observers = obs_hub_new(1);
    REQUIRE(observers != NULL);
    box = (struct box){.now_us = 1000000,
                       .forwarding = IMAGE_FORWARDING_NAT,
                       .hash_key = IMAGE_HASH_KEY_CONNECTION};
    REQUIRE(mem_port_open(NAME, 0, 1, 1, mbufs, &port, &fault));
    port.info.mac = mac_of(BOX_MAC);
    port.info.has_lro = has_lro;
    spread_init(&port.spread, 1);
    hub = port_hub_new(&port, 1, 1);
    rcu = rcu_new(1);
    generations = generation_set_new(1, release, NULL);
    endpoints = endpoint_table_new(rcu);
    census = census_new(64);
    struct worker_config config = {.core = {.now_us = box.now_us,
                                            .workers = 1,
                                            .socket = -1,
                                            .mbufs = mbufs,
                                            .stats = stats,
                                            .routes = routes,
                                            .n_routes = ROUTES,
                                            .obs = observers,
                                            .census = census,
                                            .rng_seed = secret,
                                            .hash_key = {secret, 1}},
                                   .ports = hub,
                                   .generations = generations,
                                   .endpoints = endpoints,
                                   .rcu = rcu};
    worker_config_default(&config, 64, 8191, 1);
    config.probe = NET_PROBE_NONE;
    if (change != NULL)
        change(&config.l4);
    box.worker = worker_new(&config);
    REQUIRE(box.worker != NULL);
    box_set_endpoints(&box, texts);
    box_set_route(&box, true);
    box_wait_ms(&box, 3000); /* addresses are announced */
    box_forget(&box);
    return &box;
}

struct box *box_up_with_lro(const char *const *texts)
{
    has_lro = true;
    struct box *b = box_up(7, texts);
    has_lro = false;
    return b;
}

struct box *box_up_by(enum image_forwarding forwarding, const char *const *texts)
{
    struct box *b = box_up(7, texts);
    b->forwarding = forwarding;
    box_set_route(b, true);
    return b;
}

struct box *box_up(uint64_t secret, const char *const *texts)
{
    return box_up_with(secret, texts, NULL);
}

/* Flows and packets: every one ended once. */
static void check_books(void)
{
    const uint64_t *c = stats->counters;
    uint64_t ended = 0, dropped = 0;
    for (unsigned id = STAT_l4_end_idle; id <= STAT_l4_end_gone; id++)
        ended += c[id];
    for (unsigned id = STAT_l4_drop_rate; id <= STAT_l4_drop_dns_stray; id++)
        dropped += c[id];
    CHECK_EQ(c[STAT_l4_opened_tcp] + c[STAT_l4_opened_udp], ended);
    CHECK_EQ(c[STAT_l4_rx_fast] + c[STAT_l4_rx_slow],
             c[STAT_l4_tx] + c[STAT_l4_answered] + dropped);
    CHECK_EQ(c[STAT_l4_flows_now] + c[STAT_l4_half_open_now], 0);
}

/* Of routes: all that began has ended, and what came in is what they had. */
static void check_counts(void)
{
    uint64_t begun = 0, ended = 0, bytes = 0, packets = 0;
    for (unsigned i = 0; i < ROUTES; i++) {
        const struct stats_connections *c = &routes[i].connections;
        begun += c->begun;
        for (unsigned e = 0; e < STATS_ROUTE_ENDS; e++)
            ended += c->ended[e];
        bytes += c->up_bytes + c->down_bytes;
        packets += c->up_packets + c->down_packets;
    }
    CHECK_EQ(begun, ended);
    CHECK_EQ(packets + stats->counters[STAT_l4_handed_over], stats->counters[STAT_l4_tx]);
    CHECK_EQ(bytes, stats->counters[STAT_l4_bytes_up] + stats->counters[STAT_l4_bytes_down]);
}

const struct stats_connections *box_counts(const char *route)
{
    for (unsigned i = 0; i < ROUTES; i++) {
        if (strcmp(routes[i].name, route) == 0)
            return &routes[i].connections;
    }
    return NULL;
}

unsigned box_flows(struct box *b, uint32_t states, uint16_t end, struct observe_forwarded *ret,
                   unsigned most)
{
    struct control_observe request = {.kind = OBSERVE_FLOWS,
                                      .workers = 1,
                                      .states = states,
                                      .records_max = UINT64_MAX,
                                      .bytes_max = UINT64_MAX,
                                      .ms_max = 1000,
                                      .n_matches = end != 0};
    const struct observe_record *record;
    unsigned slot, n = 0;
    request.matches[0].a.port = end;
    REQUIRE(obs_hub_begin(observers, &request, &slot));
    while (!obs_hub_is_over(observers, slot)) {
        worker_poll(b->worker, b->now_us);
        while ((record = obs_hub_peek(observers, slot)) != NULL) {
            CHECK_EQ(record->type, OBSERVE_RECORD_FORWARDED);
            if (n < most)
                memcpy(&ret[n], record, sizeof(*ret));
            n++;
            obs_hub_drop(observers, slot, record);
        }
    }
    obs_hub_release(observers, slot);
    worker_poll(b->worker, b->now_us);
    return n;
}

void box_down(struct box *b)
{
    worker_free(b->worker);
    check_books();
    check_counts();
    obs_hub_free(observers);
    box_forget(b);
    generation_set_free(generations);
    endpoint_table_free(endpoints);
    census_free(census);
    rcu_free(rcu);
    port_hub_free(hub);
    mem_port_close(NAME, &port);
    CHECK_EQ(rte_mempool_in_use_count(mbufs), 0);
}

uint64_t box_stat(const struct box *b, enum stat_id id)
{
    return stats->counters[id];
}

static void send_frame(const struct packet *p)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(mbufs);
    ASSERT(m != NULL && p->len <= rte_pktmbuf_tailroom(m));
    memcpy(rte_pktmbuf_append(m, (uint16_t)p->len), p->bytes, p->len);
    bool is_sent = mem_world_send(NAME, 0, m);
    ASSERT(is_sent);
}

/* Everybody answers who is asked for: all that is not the box's. */
static bool answer_neighbour(const uint8_t *frame)
{
    char text[2][IP_ADDR_TEXT_MAX];
    if (frame[12] == 0x08 && frame[13] == 0x06) {
        struct ip_addr sender = ip_addr_from_v4(frame + 28), target = ip_addr_from_v4(frame + 38);
        struct packet p = packet_eth(BOX_MAC, PEER_MAC);
        if (ip_addr_eq(&sender, &target) || ip_addr_is_v4(&target) == false)
            return true;
        packet_arp(&p, 2, PEER_MAC, ip_addr_format(&target, text[0]),
                   ip_addr_format(&sender, text[1]));
        packet_close(&p);
        send_frame(&p);
        return true;
    }
    if (frame[12] != 0x86 || frame[20] != 58)
        return false;
    const uint8_t *icmp = frame + 14 + 40;
    if (icmp[0] == 135) {
        struct ip_addr sender = ip_addr_from_v6(frame + 22), target = ip_addr_from_v6(icmp + 8);
        struct packet p = packet_eth(BOX_MAC, PEER_MAC);
        packet_ip6(&p, ip_addr_format(&target, text[0]), ip_addr_format(&sender, text[1]), 255);
        packet_nd(&p, 136, 0x60000000u, ip_addr_format(&target, text[0]), PEER_MAC);
        packet_close(&p);
        send_frame(&p);
    }
    return icmp[0] >= 130 && icmp[0] <= 143;
}

static void look(struct seen *s, const struct rte_mbuf *m)
{
    *s = (struct seen){0};
    const uint8_t *frame = rte_pktmbuf_read(m, 0, m->pkt_len, s->frame);
    if (frame != s->frame)
        memcpy(s->frame, frame, m->pkt_len);
    const uint8_t *ip = s->frame + 14;
    bool is_ip4 = s->frame[12] == 0x08;
    bool is_ip_good = true;
    if (is_ip4) {
        const struct rte_ipv4_hdr *h = (const void *)ip;
        s->src = ip_addr_from_v4(&h->src_addr);
        s->dst = ip_addr_from_v4(&h->dst_addr);
        s->proto = h->next_proto_id;
        s->hop_limit = h->time_to_live;
        s->ip_bytes = rte_be_to_cpu_16(h->total_length);
        s->is_fragment = (rte_be_to_cpu_16(h->fragment_offset) & 0x3fff) != 0;
        is_ip_good = rte_raw_cksum(h, sizeof(*h)) == 0xffff;
        s->upper = ip + sizeof(*h);
    } else {
        const struct rte_ipv6_hdr *h = (const void *)ip;
        s->src = ip_addr_from_v6(&h->src_addr);
        s->dst = ip_addr_from_v6(&h->dst_addr);
        s->proto = h->proto;
        s->hop_limit = h->hop_limits;
        s->ip_bytes = rte_be_to_cpu_16(h->payload_len) + (unsigned)sizeof(*h);
        s->is_fragment = h->proto == 44;
        s->upper = ip + sizeof(*h);
    }
    s->upper_bytes = (unsigned)(ip + s->ip_bytes - s->upper);
    if (s->is_fragment)
        return;
    s->src_port = (uint16_t)(s->upper[0] << 8 | s->upper[1]);
    s->dst_port = (uint16_t)(s->upper[2] << 8 | s->upper[3]);
    s->tcp_flags = s->proto == 6 ? s->upper[13] : 0;
    if (s->proto != 6 && s->proto != 17)
        return;
    s->is_cksum_good =
        is_ip_good && (is_ip4 ? rte_ipv4_udptcp_cksum_verify((const void *)ip, s->upper) == 0
                              : rte_ipv6_udptcp_cksum_verify((const void *)ip, s->upper) == 0);
}

static void receive(struct box *b)
{
    struct rte_mbuf *m;
    while (mem_world_receive(NAME, 0, &m, 1) == 1) {
        uint8_t frame[128];
        const uint8_t *head = rte_pktmbuf_read(m, 0, RTE_MIN(m->pkt_len, 86u), frame);
        if (!answer_neighbour(head) && b->n_seen < array_len(b->seen))
            look(&b->seen[b->n_seen++], m);
        rte_pktmbuf_free(m);
    }
}

static void run(struct box *b)
{
    for (unsigned i = 0; i < 12; i++) {
        worker_poll(b->worker, b->now_us);
        receive(b);
    }
    generation_set_reap(generations);
    endpoint_table_reap(endpoints);
}

void box_give(struct box *b, const struct packet *p)
{
    send_frame(p);
    run(b);
}

void box_wait_ms(struct box *b, uint64_t ms)
{
    for (uint64_t end_us = b->now_us + ms * 1000; b->now_us < end_us;) {
        uint64_t next = worker_next_us(b->worker);
        if (next <= b->now_us)
            next = b->now_us + 1000; /* due all the time: time goes on all the same */
        b->now_us = RTE_MIN(next, end_us);
        run(b);
    }
}

void box_forget(struct box *b)
{
    b->n_seen = 0;
}

/* Up to the transport's header. */
static struct packet begin(const char *src, const char *dst, uint8_t proto)
{
    struct packet p = packet_eth(BOX_MAC, PEER_MAC);
    struct ip_addr a = addr_of(src);
    if (ip_addr_is_v4(&a))
        packet_ip4(&p, src, dst, proto);
    else
        packet_ip6(&p, src, dst, 64);
    return p;
}

struct packet message(const char *src, uint16_t src_port, const char *dst, uint16_t dst_port,
                      const void *bytes, unsigned len)
{
    struct packet p = begin(src, dst, 17);
    packet_udp(&p, src_port, dst_port, bytes, len);
    packet_close(&p);
    return p;
}

struct packet datagram(const char *src, uint16_t src_port, const char *dst, uint16_t dst_port,
                       const char *text)
{
    return message(src, src_port, dst, dst_port, text, (unsigned)strlen(text));
}

struct packet segment(const char *src, uint16_t src_port, const char *dst, uint16_t dst_port,
                      uint8_t flags, const char *text)
{
    struct packet p = begin(src, dst, 6);
    packet_tcp(&p, src_port, dst_port, text);
    p.bytes[p.l4_at + 13] = flags;
    packet_close(&p);
    return p;
}

struct packet answer_to(const struct seen *s, uint8_t tcp_flags, const char *text)
{
    char from[IP_ADDR_TEXT_MAX], to[IP_ADDR_TEXT_MAX];
    ip_addr_format(&s->dst, from);
    ip_addr_format(&s->src, to);
    return s->proto == 17 ? datagram(from, s->dst_port, to, s->src_port, text)
                          : segment(from, s->dst_port, to, s->src_port, tcp_flags, text);
}

struct packet refusal_of(const struct seen *s)
{
    char from[IP_ADDR_TEXT_MAX], to[IP_ADDR_TEXT_MAX];
    struct packet p = packet_eth(BOX_MAC, PEER_MAC);
    packet_ip4(&p, ip_addr_format(&s->dst, from), ip_addr_format(&s->src, to), 1);
    packet_icmp(&p, 3, 3, 0);
    packet_bytes(&p, s->frame + 14, 28);
    packet_close(&p);
    return p;
}
