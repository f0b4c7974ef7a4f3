/* SPDX-License-Identifier: Apache-2.0 */
/* The stack's surroundings as tests see them: net and ports are these functions. */
#include "harness.h"

#include "base/be.h"
#include "core/port.h"
#include "core/spread_aim.h"
#include "net/net.h"
#include "unit.h"

#include <rte_eal.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>

const struct world_config WORLD_DEFAULT = {
    .peer_iss = 5000,
    .now_us = 10000000,
    .mbufs = 2047,
    .has_sack = true,
    .has_timestamps = true,
    .has_wscale = true,
    .peer_mss = 1460,
    .peer_window = 65535,
    .tcp =
        {
            .conns_max = 64,
            .timewaits_max = 16,
            .half_open_max = 8,
            .rx_window_bytes = 65536,
            .tx_buffer_bytes = 65536,
            .mbufs_low = 64,
        },
};

static struct world *the_world; /* the stubs below have no other way to it */

struct header {
    be16_t src_port, dst_port;
    be32_t seq, ack;
    uint8_t offset, flags;
    be16_t window, cksum, urgent;
};

/* net and port seams */

bool net_path_find(struct net *n, const struct ip_addr *dst, struct net_path *ret)
{
    *ret = (struct net_path){.mtu = the_world->mtu, .source = the_world->local};
    return !the_world->no_route;
}

bool net_path_mtu_find(struct net *n, const struct ip_addr *dst, struct net_path_mtu *ret)
{
    CHECK(ip_addr_eq(dst, &the_world->remote));
    if (the_world->known.mtu != 0)
        *ret = the_world->known;
    return the_world->known.mtu != 0;
}

void net_path_mtu_learn(struct net *n, const struct ip_addr *dst, uint16_t mtu, bool is_told)
{
    CHECK(ip_addr_eq(dst, &the_world->remote));
    the_world->learned = (struct net_path_mtu){.mtu = mtu, .is_told = is_told};
}

void net_path_mtu_passed(struct net *n, const struct ip_addr *dst, uint16_t bytes,
                         uint16_t link_mtu)
{
    CHECK(ip_addr_eq(dst, &the_world->remote));
    CHECK(bytes <= link_mtu && link_mtu == the_world->mtu);
    the_world->passed = bytes;
}

void net_output(struct net *n, struct rte_mbuf *m, const struct ip_addr *src,
                const struct ip_addr *dst, uint8_t proto, uint8_t tos, uint32_t flow_label)
{
    CHECK(ip_addr_eq(src, &the_world->local));
    CHECK(ip_addr_eq(dst, &the_world->remote));
    CHECK(rte_pktmbuf_headroom(m) >= NET_HEADER_BYTES);
    the_world->tos = tos;
    the_world->flow_label = flow_label;
    REQUIRE(the_world->n_out < array_len(the_world->out));
    the_world->out[the_world->n_out++] = m;
}

bool net_is_ours(const struct net *n, const struct ip_addr *addr)
{
    return !the_world->is_address_gone && ip_addr_eq(addr, &the_world->local);
}

bool net_is_local(const struct net *n, const struct ip_addr *addr)
{
    return ip_addr_eq(addr, &the_world->local);
}

void net_doubt(struct net *n, const struct ip_addr *dst)
{
    CHECK(ip_addr_eq(dst, &the_world->remote));
    the_world->doubts++;
}

void net_confirm(struct net *n, const struct ip_addr *dst)
{
    CHECK(ip_addr_eq(dst, &the_world->remote));
    the_world->confirms++;
}

unsigned port_count(const struct core *c)
{
    return 1;
}

const struct port_info *port_info(const struct core *c, unsigned index)
{
    static struct port_info info;
    info.has_multi_seg_tx = the_world->config.is_zero_copy;
    info.tx_mbufs_max =
        the_world->config.tx_mbufs_max != 0 ? the_world->config.tx_mbufs_max : PORT_TX_MBUFS_MAX;
    info.has_tso = the_world->config.has_tso;
    info.tso_mbufs_max = PORT_TSO_MBUFS_MAX;
    return &info;
}

const struct spread *world_spread(void)
{
    static struct spread three_workers, others_only;
    static const uint8_t others[2] = {1, 2};
    if (three_workers.bucket[1] == 0) { /* the first time */
        spread_init(&three_workers, 3);
        spread_init_device(&others_only, spread_key()->bytes, others, 2);
    }
    return the_world->no_port ? &others_only : &three_workers;
}

void port_aim(const struct core *c, unsigned index, const struct ip_addr *src,
              const struct ip_addr *dst, uint16_t src_port, struct spread_aim *ret)
{
    spread_aim_init(ret, world_spread(), c->worker, src, dst, src_port);
}

void world_on_event(struct stream *s, unsigned what)
{
    the_world->events |= what;
    the_world->event_calls++;
    if (the_world->on_event != NULL)
        the_world->on_event(s, what);
}

static bool on_listen(void *owner, const struct ip_addr *local, uint16_t port,
                      struct tcp_listening *ret)
{
    ret->bind = 7;
    return the_world->listens_everywhere || (the_world->listening && port == 80);
}

static bool on_accept(void *owner, struct stream *s, uint32_t bind)
{
    CHECK_EQ(bind, 7);
    the_world->accepts++;
    if (the_world->refuses)
        return false;
    s->on_event = world_on_event;
    the_world->accepted = s;
    return true;
}

/* worlds */

static void start_dpdk(void)
{
    static bool is_started;
    if (is_started)
        return;
    static char args[][16] = {"test_tcp",      "--no-huge", "-m", "64",          "--no-shconf",
                              "--no-pci",      "-l",        "0",  "--log-level", "error",
                              "--no-telemetry"};
    char *argv[array_len(args) + 1] = {0};
    for (unsigned i = 0; i < array_len(args); i++)
        argv[i] = args[i];
    if (rte_eal_init((int)array_len(args), argv) < 0) {
        fprintf(stderr, "DPDK does not start\n");
        exit(1);
    }
    is_started = true;
}

struct world *world_new(const struct world_config *config)
{
    start_dpdk();
    struct world *w = calloc(1, sizeof(*w));
    the_world = w;
    w->config = *config;
    w->mtu = 1500;
    w->listening = true;
    w->local_port = 80;
    w->remote_port = 40000;
    ip_addr_parse(config->is_v6 ? "2001:db8::1" : "198.18.0.1", &w->local);
    ip_addr_parse(config->is_v6 ? "2001:db8::2" : "198.18.0.2", &w->remote);
    static unsigned n;
    char name[32];
    snprintf(name, sizeof(name), "pool%u", n++);
    w->pool = rte_pktmbuf_pool_create(name, config->mbufs, 0, 0,
                                      RTE_PKTMBUF_HEADROOM + MBUF_DATA_BYTES, SOCKET_ID_ANY);
    REQUIRE(w->pool != NULL);
    struct core_config cc = {.now_us = config->now_us,
                             .workers = 2,
                             .socket = -1,
                             .mbufs = w->pool,
                             .stats = &w->stats,
                             .hash_key = {1, 2}};
    core_init(&w->core, &cc);
    struct tcp_upcalls up = {.listen = on_listen, .accept = on_accept};
    w->tcp = tcp_new(&w->core, NULL, &config->tcp, &up);
    return w;
}

void world_free(struct world *w)
{
    drop_all(w);
    tcp_done(w->tcp);
    CHECK_EQ(w->core.wheel.armed, 0);
    CHECK_EQ(rte_mempool_avail_count(w->pool), w->config.mbufs);
    core_done(&w->core);
    rte_mempool_free(w->pool);
    free(w);
}

static void checksum(struct world *w, struct rte_mbuf *m)
{
    struct header *h = rte_pktmbuf_mtod(m, struct header *);
    if (w->config.is_v6) {
        struct rte_ipv6_hdr ip = {.payload_len = rte_cpu_to_be_16((uint16_t)m->pkt_len),
                                  .proto = 6};
        memcpy(&ip.src_addr, w->remote.bytes, 16);
        memcpy(&ip.dst_addr, w->local.bytes, 16);
        h->cksum.wire = rte_ipv6_udptcp_cksum(&ip, h);
        return;
    }
    struct rte_ipv4_hdr ip = {.version_ihl = 0x45,
                              .next_proto_id = 6,
                              .total_length = rte_cpu_to_be_16((uint16_t)(m->pkt_len + 20))};
    memcpy(&ip.src_addr, &w->remote.bytes[12], 4);
    memcpy(&ip.dst_addr, &w->local.bytes[12], 4);
    h->cksum.wire = rte_ipv4_udptcp_cksum(&ip, h);
}

static void peer_options(struct world *w, const struct seg *s, struct tcp_options *o)
{
    const struct world_config *c = &w->config;
    bool is_syn = (s->flags & S) != 0 || s->has_syn_options;
    o->has_timestamps =
        c->has_timestamps && !s->no_timestamps && ((s->flags & R) == 0 || s->is_old);
    o->ts_value = (uint32_t)(w->core.now_us / 1000) + 77 - (s->is_old ? 60000 : 0);
    o->ts_echo = w->ts_echo;
    o->has_mss = is_syn && c->peer_mss != 0;
    o->mss = c->peer_mss;
    o->has_wscale = is_syn && c->has_wscale;
    o->wscale = c->peer_wscale;
    o->has_sack_permitted = is_syn && c->has_sack;
    o->n_sack = s->n_sack;
    for (unsigned i = 0; i < s->n_sack; i++) {
        o->sack[i].start.v = w->our_iss + s->sack[i][0];
        o->sack[i].end.v = w->our_iss + s->sack[i][1];
    }
}

void peer(struct world *w, struct seg s)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
    REQUIRE(m != NULL);
    struct tcp_options o = {0};
    peer_options(w, &s, &o);
    unsigned bytes = (unsigned)sizeof(struct header) + tcp_options_bytes(&o);
    struct header *h = (struct header *)rte_pktmbuf_append(m, (uint16_t)bytes);
    *h = (struct header){
        .src_port = be16(w->remote_port),
        .dst_port = be16(w->local_port),
        .seq = be32(w->config.peer_iss + s.seq),
        .ack = be32((s.flags & A) != 0 ? w->our_iss + s.ack : 0),
        .offset = (uint8_t)(bytes / 4 << 4),
        .flags = s.flags,
        .window = be16((uint16_t)(s.has_window ? s.window : w->config.peer_window)),
        .urgent = be16(s.urgent),
    };
    tcp_options_build((uint8_t *)(h + 1), &o);
    uint8_t *data = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)s.len);
    REQUIRE(data != NULL);
    for (uint32_t i = 0; i < s.len; i++)
        data[i] = pattern(s.seq + i); /* stream byte 1 has number 1 */
    checksum(w, m);
    if (s.merged_bytes > 0) {
        m->ol_flags |= RTE_MBUF_F_RX_LRO;
        m->tso_segsz = s.merged_bytes;
    }
    tcp_input(w->tcp, m, &w->remote, &w->local, s.ecn, 0);
}

/* Every queue is checked, and the worker's gauges are their sums. */
static void check_all(struct world *w)
{
    uint64_t rcvq = 0;
    uint64_t oooq = 0;
    uint64_t sndq = 0;
    for (uint32_t i = 0; i < w->tcp->conns.capacity; i++) {
        struct tcp_conn *c = pool_at(&w->tcp->conns, i);
        if (c->state == TCP_FREE)
            continue;
        check_tcp_conn_deep(c);
        rcvq += c->rcvq.mbufs;
        oooq += c->oooq.mbufs;
        sndq += c->sndq.mbufs;
    }
    CHECK_EQ(stat(w, STAT_tcp_rcvq_mbufs_now), rcvq);
    CHECK_EQ(stat(w, STAT_tcp_oooq_mbufs_now), oooq);
    CHECK_EQ(stat(w, STAT_tcp_sndq_mbufs_now), sndq);
}

void run(struct world *w)
{
    wheel_run(&w->core.wheel, w->core.now_us, 1000);
    tcp_poll(w->tcp);
    check_all(w);
}

void pass(struct world *w, uint64_t us)
{
    uint64_t until = w->core.now_us + us;
    while (w->core.now_us < until) {
        w->core.now_us += until - w->core.now_us < 1000 ? until - w->core.now_us : 1000;
        run(w);
    }
}

bool take(struct world *w, struct seg *ret)
{
    if (w->n_out == 0)
        return false;
    struct rte_mbuf *m = w->out[0];
    memmove(w->out, w->out + 1, --w->n_out * sizeof(w->out[0]));
    static _Alignas(struct header) uint8_t bytes[UINT16_MAX];
    REQUIRE(m->pkt_len <= sizeof(bytes));
    const uint8_t *whole = rte_pktmbuf_read(m, 0, m->pkt_len, bytes);
    const struct header *h = (const struct header *)(const void *)whole;
    unsigned header_bytes = h->offset >> 4 << 2;
    CHECK_EQ(be16_host(h->src_port), w->local_port);
    CHECK_EQ(be16_host(h->dst_port), w->remote_port);
    if ((h->flags & S) != 0 && !w->knows_iss) {
        w->our_iss = be32_host(h->seq);
        w->knows_iss = true;
    }
    struct seg s = {.flags = h->flags & (uint8_t)~P,
                    .seq = be32_host(h->seq) - w->our_iss,
                    .len = m->pkt_len - header_bytes,
                    .window = be16_host(h->window),
                    .urgent = be16_host(h->urgent)};
    s.ack = (s.flags & A) != 0 ? be32_host(h->ack) - w->config.peer_iss : 0;
    CHECK(tcp_options_parse((const uint8_t *)(h + 1), header_bytes - 20, &s.options));
    if (s.options.has_timestamps && (s.flags & R) == 0)
        w->ts_echo = s.options.ts_value;
    const uint8_t *data = whole + header_bytes;
    for (uint32_t i = 0; i < s.len; i++) {
        if (data[i] != pattern(s.seq + i)) {
            CHECK(!"payload is the stream's");
            break;
        }
    }
    rte_pktmbuf_free(m);
    *ret = s;
    return true;
}

void drop_all(struct world *w)
{
    struct seg s;
    while (take(w, &s))
        ;
}

void expect(struct world *w, struct seg want, const char *file, unsigned line)
{
    struct seg got;
    if (!take(w, &got)) {
        CU_assertImplementation(CU_FALSE, line, "a segment was sent", file, "", CU_FALSE);
        return;
    }
    unit_check_eq(got.flags, want.flags, "flags", file, line);
    if (!want.any_seq)
        unit_check_eq(got.seq, want.seq, "seq", file, line);
    unit_check_eq(got.ack, want.ack, "ack", file, line);
    unit_check_eq(got.len, want.len, "len", file, line);
    if (want.has_window)
        unit_check_eq(got.window, want.window, "window", file, line);
    for (unsigned i = 0; i < want.n_sack; i++) {
        unit_check_eq(got.options.n_sack, want.n_sack, "n_sack", file, line);
        unit_check_eq(got.options.sack[i].start.v - w->config.peer_iss, want.sack[i][0],
                      "sack start", file, line);
        unit_check_eq(got.options.sack[i].end.v - w->config.peer_iss, want.sack[i][1], "sack end",
                      file, line);
    }
}

void expect_none(struct world *w, const char *file, unsigned line)
{
    struct seg got;
    if (!take(w, &got))
        return;
    fprintf(stderr, "  sent: flags %x seq %u ack %u len %u\n", got.flags, got.seq, got.ack,
            got.len);
    CU_assertImplementation(CU_FALSE, line, "nothing was sent", file, "", CU_FALSE);
}

struct stream *world_accept(struct world *w)
{
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT(w, .flags = S | A, .ack = 1);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    REQUIRE(w->accepted != NULL);
    EXPECT_NONE(w);
    return w->accepted;
}

struct stream *world_connect(struct world *w)
{
    struct stream *s = world_open(w, 0, S);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = S | A, .ack = 1));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    CHECK_EQ(events(w), STREAM_WRITABLE);
    return s;
}

void world_finish(struct world *w, struct stream *s)
{
    stream_abort(s);
    stream_release(s);
    run(w);
    world_free(w);
}

struct stream *world_open(struct world *w, uint32_t connect_timeout_ms, uint8_t flags)
{
    struct tcp_open_args args = {.remote = w->remote,
                                 .remote_port = w->remote_port,
                                 .connect_timeout_ms = connect_timeout_ms};
    struct stream *s = NULL;
    REQUIRE(tcp_open(w->tcp, &args, &s) == TCP_OPEN_OK);
    s->on_event = world_on_event;
    w->local_port = conn(s)->tuple.local_port;
    run(w);
    EXPECT(w, .flags = flags);
    return s;
}

struct stream *world_accept_with_flight(struct world *w, uint32_t n)
{
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, n), n);
    run(w);
    drop_all(w);
    return s;
}

size_t write_pattern(struct stream *s, uint32_t from, size_t n)
{
    uint8_t *bytes = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] = pattern(from + (uint32_t)i);
    struct slice v[2] = {slice_of(bytes, n / 2), slice_of(bytes + n / 2, n - n / 2)};
    size_t taken = stream_write(s, v, 2);
    free(bytes);
    return taken;
}

long read_pattern(struct stream *s, uint32_t from)
{
    long total = 0;
    struct slice v;
    while (stream_peek(s, &v, 1) == 1) {
        for (size_t i = 0; i < v.len; i++) {
            if (v.ptr[i] != pattern(from + (uint32_t)i))
                return -1;
        }
        from += (uint32_t)v.len;
        total += (long)v.len;
        stream_consume(s, v.len);
    }
    return total;
}

unsigned events(struct world *w)
{
    unsigned seen = w->events;
    w->events = 0;
    return seen;
}
