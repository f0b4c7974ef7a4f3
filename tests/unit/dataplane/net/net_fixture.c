/* SPDX-License-Identifier: Apache-2.0 */
/* The fixture of net's tests: the port facade and tcp are played by this file. */
#include "net_fixture.h"

#include "base/assert.h"
#include "unit_eal.h"

#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADROOM 128u

/* In the dynamic part of the mbuf's flags nothing is taken here, so a test may mark copies so. */
#define IS_COPY (1ULL << 40)

static struct net_fixture fixture;
static struct stats_worker stats;
static uint64_t totals[STAT_COUNT];
static struct rte_mempool *mbufs;

static struct port_info ports[] = {
    {.index = 0, .mtu = 1500, .mac = {{2, 0, 0, 0, 0, 1}}, .name = "port0"},
    {.index = 1,
     .mtu = 9000,
     .mac = {{2, 0, 0, 0, 0, 2}},
     .has_multi_seg_tx = true,
     .has_tx_ip4_cksum = true,
     .has_tx_tcp_cksum = true,
     .name = "port1"},
};

unsigned port_count(const struct core *c)
{
    return array_len(ports);
}

const struct port_info *port_info(const struct core *c, unsigned index)
{
    ASSERT(index < array_len(ports));
    return &ports[index];
}

bool mbuf_may_answer(const struct rte_mbuf *m)
{
    return (m->ol_flags & IS_COPY) == 0;
}

static void record(struct sent *s, unsigned port, struct rte_mbuf *m)
{
    *s = (struct sent){.port = port, .len = m->pkt_len, .ol_flags = m->ol_flags};
    REQUIRE(m->pkt_len <= sizeof(s->bytes));
    const uint8_t *bytes = rte_pktmbuf_read(m, 0, m->pkt_len, s->bytes);
    if (bytes != s->bytes)
        memcpy(s->bytes, bytes, m->pkt_len);
    rte_pktmbuf_free(m);
}

void port_tx(struct core *c, unsigned index, struct rte_mbuf *m)
{
    static const uint8_t all_routers_v2[] = {0x33, 0x33, 0, 0, 0, 0x16};
    if (!fixture.records_reports &&
        memcmp(rte_pktmbuf_mtod(m, const void *), all_routers_v2, sizeof(all_routers_v2)) == 0) {
        rte_pktmbuf_free(m);
        return;
    }
    REQUIRE(fixture.n_sent < SENT_MAX);
    record(&fixture.sent[fixture.n_sent++], index, m);
}

unsigned port_tap_rx(struct core *c, unsigned index, struct rte_mbuf **ret, unsigned max)
{
    REQUIRE(ports[index].has_tap && max > 0);
    unsigned n = fixture.n_from_tap;
    ret[0] = fixture.from_tap;
    fixture.n_from_tap = 0;
    return n;
}

void port_tap_tx(struct core *c, unsigned index, struct rte_mbuf *m)
{
    REQUIRE(ports[index].has_tap && fixture.n_to_tap < TO_TAP_MAX);
    fixture.n_to_tap++;
    record(&fixture.to_tap, index, m);
}

void port_rx_respread(struct core *c, struct rte_mbuf **m)
{
    fixture.n_respread++;
    if (!fixture.respreads_away)
        return;
    record(&fixture.respread, (*m)->port, *m);
    *m = NULL;
}

static void note_asked(char what, uint64_t flow_hash)
{
    if (fixture.n_asked == array_len(fixture.asked))
        return;
    fixture.asked[fixture.n_asked].what = what;
    fixture.asked[fixture.n_asked++].flow_hash = flow_hash;
}

static uint64_t on_expect(void *t, const struct ip_addr *src, const struct ip_addr *dst,
                          uint16_t src_port, uint16_t dst_port)
{
    struct ip_addr us = addr_of(ip_addr_is_v4(dst) ? US4 : US6);
    struct ip_addr peer = addr_of(ip_addr_is_v4(src) ? PEER4 : PEER6);
    CHECK(ip_addr_eq(dst, &us) && ip_addr_eq(src, &peer));
    CHECK_EQ(dst_port, 80);
    note_asked('e', src_port);
    return src_port;
}

static void on_prefetch(void *t, uint64_t flow_hash)
{
    note_asked('p', flow_hash);
}

static void on_segment(void *t, struct rte_mbuf *m, const struct ip_addr *src,
                       const struct ip_addr *dst, struct net_ip_header ip, uint64_t flow_hash)
{
    note_asked('i', flow_hash);
    fixture.n_segments++;
    fixture.segment_bytes = m->pkt_len;
    fixture.segment_src = *src;
    fixture.segment_dst = *dst;
    fixture.segment_tos = ip.tos;
    const void *bytes = rte_pktmbuf_read(m, 0, m->pkt_len, fixture.segment);
    if (bytes != fixture.segment)
        memcpy(fixture.segment, bytes, m->pkt_len);
    rte_pktmbuf_free(m);
}

static void on_error(void *t, const struct net_icmp_error *e)
{
    fixture.n_errors++;
    fixture.error = *e;
}

static bool on_datagram(void *owner, struct rte_mbuf *m, const struct net_udp_header *h)
{
    if (h->dst_port != UDP_PORT)
        return false;
    fixture.n_datagrams++;
    fixture.datagram_bytes = m->pkt_len;
    fixture.datagram_header = *h;
    const void *bytes = rte_pktmbuf_read(m, 0, m->pkt_len, fixture.datagram);
    if (bytes != fixture.datagram)
        memcpy(fixture.datagram, bytes, m->pkt_len);
    rte_pktmbuf_free(m);
    return true;
}

static void on_udp_error(void *owner, const struct net_icmp_error *e)
{
    fixture.n_udp_errors++;
    fixture.udp_error = *e;
}

static void on_gone(void *t)
{
    fixture.n_gone++;
}

static void start_eal(void)
{
    if (mbufs != NULL)
        return;
    unit_eal_init();
    mbufs = unit_mbufs_new(4095);
    ASSERT(mbufs != NULL);
}

const struct net_config *net_fixture_config(void)
{
    static const struct net_interface interfaces[] = {
        {.port = 0}, {.port = 0, .vlan = 7}, {.port = 1, .mtu = 8000}};
    static struct net_address addresses[6];
    static struct net_route routes[2];
    static const struct net_config config = {interfaces, array_len(interfaces),
                                             addresses,  array_len(addresses),
                                             routes,     array_len(routes)};
    addresses[0] = (struct net_address){addr_of(US4), 96 + 24, 0, 0};
    addresses[1] = (struct net_address){addr_of(US6), 64, 0, 0};
    addresses[2] = (struct net_address){addr_of("203.0.113.80"), 128, 1, 0};
    addresses[3] = (struct net_address){addr_of("2001:db8:5::80"), 128, 1, 0};
    addresses[4] = (struct net_address){addr_of("198.51.100.1"), 96 + 24, 0, 1};
    addresses[5] = (struct net_address){addr_of("10.9.0.1"), 96 + 16, 0, 2};
    routes[0] = (struct net_route){addr_of("0.0.0.0"), 96, 0, 0, addr_of("192.0.2.254")};
    routes[1] = (struct net_route){addr_of("::"), 0, 0, 0, addr_of("2001:db8::fe")};
    return &config;
}

struct net_fixture *net_up(uint8_t worker)
{
    static const struct net_tcp_ops ops = {on_segment, on_error, on_gone, on_expect, on_prefetch};
    static const struct net_udp_ops udp_ops = {on_datagram, on_udp_error};
    struct net_fixture *f = &fixture;
    start_eal();
    memset(&stats, 0, sizeof(stats));
    memset(f, 0, sizeof(*f));
    struct core_config config = {.now_us = 1000000,
                                 .worker = worker,
                                 .workers = 2,
                                 .socket = SOCKET_ID_ANY,
                                 .mbufs = mbufs,
                                 .stats = &stats,
                                 .rng_seed = 1};
    core_init(&f->core, &config);
    f->net = net_new(&f->core);
    net_set_tcp(f->net, f, &ops);
    net_set_udp(f->net, f, &udp_ops);
    net_configure(f->net, net_fixture_config());
    while (net_poll(f->net) > 0)
        ;
    net_wait_ms(f, (NET_ANNOUNCE_INTERVAL_US + NET_MLD_INTERVAL_US) / 1000);
    net_forget_sent(f);
    return f;
}

struct net_fixture *net_up_with_tap(uint8_t worker)
{
    ports[0].has_tap = true;
    return net_up(worker);
}

void net_down(struct net_fixture *f)
{
    ports[0].has_tap = false;
    net_done(f->net);
    CHECK_EQ(f->core.wheel.armed, 0);
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), 0);
    CHECK_EQ(rte_mempool_in_use_count(mbufs), 0);
    for (unsigned i = 0; i < STAT_COUNT; i++)
        totals[i] += stats.counters[i];
    core_done(&f->core);
}

uint64_t net_total(enum stat_id id)
{
    return totals[id];
}

uint64_t net_stat(const struct net_fixture *f, enum stat_id id)
{
    return stats.counters[id];
}

static void free_outside(void *addr, void *opaque)
{
    free(opaque);
}

static struct rte_mbuf *received(const struct packet *p, uint16_t port, uint64_t flags)
{
    /* DPDK's bookkeeping, the headroom, and the frame at the very end. */
    struct outside {
        struct rte_mbuf_ext_shared_info shared;
        uint8_t data[];
    } *outside = malloc(sizeof(*outside) + HEADROOM + p->len);
    struct rte_mbuf *m = rte_pktmbuf_alloc(mbufs);
    REQUIRE(outside != NULL && m != NULL);
    memcpy(outside->data + HEADROOM, p->bytes, p->len);
    outside->shared.free_cb = free_outside;
    outside->shared.fcb_opaque = outside;
    rte_mbuf_ext_refcnt_set(&outside->shared, 1);
    rte_pktmbuf_attach_extbuf(m, outside->data, 0, (uint16_t)(HEADROOM + p->len), &outside->shared);
    m->data_off = HEADROOM;
    m->data_len = (uint16_t)p->len;
    m->pkt_len = p->len;
    m->port = port;
    m->ol_flags |= flags;
    return m;
}

static void receive(struct net_fixture *f, const struct packet *p, uint16_t port, uint64_t flags)
{
    struct rte_mbuf *m = received(p, port, flags);
    net_input(f->net, &m, 1);
}

void net_receive_from_tap(struct net_fixture *f, const struct packet *p)
{
    f->from_tap = received(p, 0, 0);
    f->n_from_tap = 1;
    net_inject(f->net);
}

void net_receive_burst(struct net_fixture *f, const struct packet *packets, unsigned n)
{
    struct rte_mbuf *frames[64];
    REQUIRE(n <= array_len(frames));
    for (unsigned i = 0; i < n; i++)
        frames[i] = received(&packets[i], 0, 0);
    net_input(f->net, frames, n);
}

void net_receive(struct net_fixture *f, const struct packet *p, uint16_t port)
{
    receive(f, p, port, 0);
}

void net_receive_copy(struct net_fixture *f, const struct packet *p)
{
    receive(f, p, 0, IS_COPY);
}

void net_send(struct net_fixture *f, const char *dst, unsigned bytes)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(mbufs);
    REQUIRE(m != NULL);
    void *body = rte_pktmbuf_append(m, (uint16_t)bytes);
    REQUIRE(body != NULL);
    memset(body, 0x5a, bytes);
    struct ip_addr to = addr_of(dst);
    struct net_path path = {.source = to};
    net_path_find(f->net, &to, &path);
    net_output(f->net, m, &path.source, &to, 6, 0, 0);
}

void net_wait_ms(struct net_fixture *f, uint64_t ms)
{
    /* In steps of a poll, so that timers armed by timers get their turn. */
    for (uint64_t i = 0; i < ms; i += 10) {
        f->core.now_us += 10000;
        wheel_run(&f->core.wheel, f->core.now_us, 1000);
        net_poll(f->net);
    }
}

void net_forget_sent(struct net_fixture *f)
{
    f->n_sent = 0;
}
