/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every offload has a path in software, and both put the same bytes on the wire. A relay (our whole
 * stack from the port facade up, on a mem port with a NIC in software behind it, soft_nic.h) takes
 * a connection and opens another; the peer, the same stack without any offload, is client and
 * server. The same conversation runs under virtual time with each offload, all, and none; the
 * frames on the wire are compared byte by byte.
 */
#include "base/container.h"
#include "core/core.h"
#include "core/port_setup.h"
#include "core/spread_aim.h"
#include "core/stream.h"
#include "drivers/net/mem.h"
#include "net/gro.h"
#include "net/net.h"
#include "soft_nic.h"
#include "tcp/tcp.h"
#include "tcp/tcp_limits.h"
#include "unit.h"
#include "unit_eal.h"

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <stdlib.h>
#include <string.h>

enum {
    MBUFS = 16384,
    LOG_BYTES = 16 << 20,
    STEP_US = 500,
    STEPS_MAX = 4000,
};

/* A conversation: what it is about. */
struct talk {
    bool is_ip6;
    uint16_t vlan;
    uint32_t request_bytes;
    uint32_t answer_bytes;
    unsigned write_bytes; /* what the server writes at once */
};

/* The relay's port. */
struct variant {
    const char *name;
    uint32_t can; /* bits of enum port_ability */
    bool has_gro;
};

#define CAN(name) (1u << PORT_CAN_##name)
#define CKSUMS (CAN(tx_ip4_cksum) | CAN(tx_tcp_cksum))

static const struct variant variants[] = {
    {"nothing", 0, false},
    {"gro", 0, true},
    {"chains", CAN(multi_seg_tx), false},
    {"IPv4 checksum", CAN(tx_ip4_cksum), false},
    {"TCP checksum", CAN(tx_tcp_cksum), false},
    {"checksums of what comes", CAN(rx_cksum), false},
    {"checksums of what comes, gro", CAN(rx_cksum), true},
    {"tags in", CAN(tx_vlan), false},
    {"tags out", CAN(rx_vlan), false},
    {"tso", CAN(tso) | CAN(multi_seg_tx) | CKSUMS, false},
    {"lro", CAN(lro) | CAN(rx_cksum), false},
    {"all", UINT32_MAX & ~CAN(rss), true},
};

/* One of the two machines. */
struct machine {
    struct port_setup port;
    struct port_hub *hub;
    struct core core;
    struct stats_worker stats;
    struct net *net;
    struct tcp *tcp;
    struct soft_nic nic;
    bool has_gro;
};

/* A stream of a machine and how far it is. */
struct side {
    struct stream *stream;
    struct side *other; /* the relay's: where its bytes go */
    uint64_t got;
    uint64_t sent;
    uint64_t to_send;
    bool is_ended;
};

static struct machine relay, peer;
static struct side client, server, front, back;
static const struct talk *talk;
static struct rte_mempool *mbufs;
static uint8_t *wire[2]; /* what the relay sent: of the run with nothing, and of this one */
static size_t wire_bytes[2];
static unsigned wire_now;

static struct ip_addr addr_of(unsigned host)
{
    struct ip_addr a;
    char text[40];
    snprintf(text, sizeof(text), talk->is_ip6 ? "2001:db8::%u" : "198.18.0.%u", host);
    REQUIRE(ip_addr_parse(text, &a));
    return a;
}

static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7);
}

/* the applications */

static void end_when_done(struct side *s)
{
    if (s->sent == s->to_send && !s->is_ended) {
        stream_shutdown(s->stream);
        s->is_ended = true;
    }
}

static void write_some(struct side *s)
{
    static uint8_t bytes[65536];
    while (s->sent < s->to_send) {
        size_t n = RTE_MIN(s->to_send - s->sent, (uint64_t)talk->write_bytes);
        for (size_t i = 0; i < n; i++)
            bytes[i] = pattern(s->sent + i);
        struct slice v = slice_of(bytes, n);
        size_t taken = stream_write(s->stream, &v, 1);
        s->sent += taken;
        if (taken < n)
            return;
    }
    end_when_done(s);
}

static void read_all(struct side *s)
{
    struct slice v[16];
    unsigned n;
    while ((n = stream_peek(s->stream, v, 16)) > 0) {
        size_t bytes = 0;
        for (unsigned i = 0; i < n; i++) {
            for (size_t k = 0; k < v[i].len; k++)
                REQUIRE(v[i].ptr[k] == pattern(s->got + bytes + k));
            bytes += v[i].len;
        }
        s->got += bytes;
        stream_consume(s->stream, bytes);
    }
}

/* Client and server: what is read is checked; the server answers when it has all. */
static void on_app_event(struct stream *stream, unsigned events)
{
    struct side *s = stream->owner;
    if (events & STREAM_CLOSED) {
        stream_release(stream);
        s->stream = NULL;
        return;
    }
    read_all(s);
    if (s == &server && s->got == talk->request_bytes)
        s->to_send = talk->answer_bytes;
    if (s->to_send > 0)
        write_some(s);
}

/* The relay moves bytes both ways, and the ends. */
static void pump(struct side *from)
{
    struct side *to = from->other;
    if (from->stream == NULL || to->stream == NULL)
        return;
    stream_move(to->stream, from->stream, SIZE_MAX);
    if (stream_is_eof(from->stream) && !to->is_ended) {
        stream_shutdown(to->stream);
        to->is_ended = true;
    }
}

static void on_relay_event(struct stream *stream, unsigned events)
{
    struct side *s = stream->owner;
    if (events & STREAM_CLOSED) {
        stream_release(stream);
        s->stream = NULL;
        return;
    }
    pump(s);
    pump(s->other);
}

static void own(struct side *s, struct stream *stream,
                void (*on_event)(struct stream *s, unsigned events))
{
    s->stream = stream;
    stream->owner = s;
    stream->on_event = on_event;
}

static struct stream *open_to(struct machine *m, unsigned host, uint16_t port)
{
    struct tcp_open_args args = {.remote = addr_of(host), .remote_port = port};
    struct stream *stream = NULL;
    REQUIRE(tcp_open(m->tcp, &args, &stream) == TCP_OPEN_OK);
    return stream;
}

static bool on_listen(void *owner, const struct ip_addr *local, uint16_t port,
                      struct tcp_listening *ret)
{
    ret->bind = 0;
    return port == 80;
}

static bool on_accept(void *owner, struct stream *stream, uint32_t bind)
{
    if (owner == &peer) {
        own(&server, stream, on_app_event);
        return true;
    }
    own(&front, stream, on_relay_event);
    own(&back, open_to(&relay, 2, 80), on_relay_event);
    return true;
}

/* the machines */

static void machine_up(struct machine *m, const char *name, unsigned host, uint32_t can)
{
    struct net_fault fault;
    memset(m, 0, sizeof(*m));
    REQUIRE(mem_port_open(name, 0, 1, 1, mbufs, &m->port, &fault));
    struct port_info *info = &m->port.info;
#define X(ability, help) info->has_##ability = (can >> PORT_CAN_##ability & 1) != 0;
    PORT_ABILITY_LIST(X)
#undef X
    info->mac.bytes[5] = (uint8_t)host;
    info->tx_mbufs_max = 8;
    info->tso_mbufs_max = 40;
    m->nic = (struct soft_nic){.can = *info, .mbufs = mbufs};
    m->hub = port_hub_new(&m->port, 1, 1);
    core_init(&m->core, &(struct core_config){.now_us = 1000000,
                                              .workers = 1,
                                              .socket = -1,
                                              .mbufs = mbufs,
                                              .stats = &m->stats,
                                              .rng_seed = host,
                                              .hash_key = {host, 1}});
    ports_join(m->hub, &m->core);
    m->net = net_new(&m->core);
    struct tcp_config config = {.conns_max = 8,
                                .senders_max = 8,
                                .timewaits_max = 8,
                                .half_open_max = 8,
                                .rx_window_bytes = 256 * 1024,
                                .tx_buffer_bytes = 256 * 1024,
                                .mbufs_low = 64};
    struct tcp_upcalls upcalls = {.listen = on_listen, .accept = on_accept, .owner = m};
    m->tcp = tcp_new(&m->core, m->net, &config, &upcalls);
    net_set_tcp(m->net, m->tcp, &tcp_net_ops);
    struct net_interface interface = {.port = 0, .vlan = talk->vlan};
    struct net_address address = {.addr = addr_of(host), .prefix_len = talk->is_ip6 ? 64 : 120};
    net_configure(m->net, &(struct net_config){.interfaces = &interface,
                                               .n_interfaces = 1,
                                               .addresses = &address,
                                               .n_addresses = 1});
}

static void machine_down(struct machine *m)
{
    tcp_done(m->tcp);
    net_done(m->net);
    ports_leave(&m->core);
    core_done(&m->core);
    port_hub_free(m->hub);
    mem_port_close(m->port.info.name, &m->port);
}

/* One round, as worker_poll() has it, but that it takes all there is: with LRO as many frames are
 * more segments. */
static void machine_poll(struct machine *m, uint64_t now_us)
{
    static struct rte_mbuf *frames[MEM_QUEUE_FRAMES_MAX + 128];
    unsigned n = 0;
    unsigned taken;
    m->core.now_us = now_us;
    while ((taken = port_rx(&m->core, frames + n, 128)) > 0)
        n += taken;
    if (m->has_gro)
        n = gro_merge(&m->core, frames, n);
    net_input(m->net, frames, n);
    wheel_run(&m->core.wheel, now_us, 512);
    net_poll(m->net);
    tcp_poll(m->tcp);
    port_tx_flush(&m->core);
}

/* Writes a frame of the relay down. */
static void note(const struct rte_mbuf *m)
{
    size_t *at = &wire_bytes[wire_now];
    REQUIRE(m->nb_segs == 1 && *at + m->data_len + 2 <= LOG_BYTES);
    memcpy(wire[wire_now] + *at, &m->data_len, 2);
    memcpy(wire[wire_now] + *at + 2, rte_pktmbuf_mtod(m, void *), m->data_len);
    *at += m->data_len + 2u;
}

/* Carries what `from` sent to `to`, through both NICs. */
static void carry(struct machine *from, struct machine *to)
{
    static struct rte_mbuf *frames[4096];
    struct rte_mbuf *sent;
    unsigned n = 0;
    while (mem_world_receive(from->port.info.name, 0, &sent, 1) == 1) {
        REQUIRE(n + SOFT_NIC_FRAMES_MAX <= array_len(frames));
        n += soft_nic_send(&from->nic, sent, frames + n);
    }
    for (unsigned i = 0; i < n && from == &relay; i++)
        note(frames[i]);
    n = soft_nic_receive(&to->nic, frames, n);
    for (unsigned i = 0; i < n; i++)
        REQUIRE(mem_world_send(to->port.info.name, 0, frames[i]));
}

/* The whole conversation on a relay of this kind; what it sent is in wire[wire_now]. */
static void converse(const struct variant *v)
{
    machine_up(&relay, "relay", 1, v->can);
    machine_up(&peer, "peer", 2, 0);
    relay.has_gro = v->has_gro;
    wire_bytes[wire_now] = 0;
    client = (struct side){.to_send = talk->request_bytes};
    server = (struct side){0};
    front = (struct side){.other = &back};
    back = (struct side){.other = &front};
    own(&client, open_to(&peer, 1, 80), on_app_event);
    uint64_t now_us = 1000000;
    for (unsigned step = 0; step < STEPS_MAX && (client.stream != NULL || back.stream != NULL ||
                                                 front.stream != NULL || server.stream != NULL);
         step++, now_us += STEP_US) {
        machine_poll(&peer, now_us);
        carry(&peer, &relay);
        machine_poll(&relay, now_us);
        carry(&relay, &peer);
    }
    CHECK_EQ(server.got, talk->request_bytes);
    CHECK_EQ(client.got, talk->answer_bytes);
    CHECK(client.stream == NULL && server.stream == NULL);
}

static uint64_t relay_stat(enum stat_id id)
{
    return relay.stats.counters[id];
}

static void finish(void)
{
    machine_down(&relay);
    machine_down(&peer);
    CHECK_EQ(rte_mempool_avail_count(mbufs), MBUFS);
}

static void start(const struct talk *t)
{
    unit_eal_init();
    talk = t;
    if (mbufs == NULL)
        mbufs = unit_mbufs_new(MBUFS);
    for (unsigned i = 0; i < 2 && wire[i] == NULL; i++)
        wire[i] = malloc(LOG_BYTES);
}

/* Was the offload used at all? Else the comparison says nothing. */
static void check_used(const struct variant *v)
{
    const struct soft_nic *nic = &relay.nic;
    bool is_long = talk->answer_bytes > 20000;
    CHECK((v->can & CAN(tso)) == 0 || !is_long || nic->runs > 0);
    CHECK((v->can & CAN(lro)) == 0 || !is_long || nic->merged > 0);
    CHECK((v->can & CAN(tx_tcp_cksum)) == 0 || nic->summed > 0);
    CHECK((v->can & CAN(tx_vlan)) == 0 || talk->vlan == 0 || nic->tagged > 0);
    CHECK((v->can & CAN(rx_vlan)) == 0 || talk->vlan == 0 || nic->untagged > 0);
    CHECK(!v->has_gro || (v->can & CAN(lro)) != 0 || !is_long ||
          relay_stat(STAT_net_rx_merged) > 0);
    CHECK_EQ(relay_stat(STAT_tcp_drop_cksum), 0);
    CHECK_EQ(relay_stat(STAT_tcp_retransmits), 0);
}

/* Where two wires first differ: the frame's number and offset. */
static void tell_difference(const char *name)
{
    size_t at = 0;
    unsigned frame = 0;
    uint16_t len = 0;
    for (; at + 2 <= wire_bytes[0] && at + 2 <= wire_bytes[1]; at += len + 2u, frame++) {
        memcpy(&len, wire[0] + at, 2);
        if (memcmp(wire[0] + at, wire[1] + at, len + 2u) != 0)
            break;
    }
    uint16_t other;
    memcpy(&other, wire[1] + at, 2);
    unsigned i = 0;
    while (i < len && wire[0][at + 2 + i] == wire[1][at + 2 + i])
        i++;
    printf("  %s: frame %u: %u and %u bytes, the first difference at %u\n", name, frame, len, other,
           i);
}

static void compare(const struct talk *t)
{
    start(t);
    for (unsigned i = 0; i < array_len(variants); i++) {
        wire_now = i > 0;
        converse(&variants[i]);
        check_used(&variants[i]);
        finish();
        bool is_same = wire_bytes[0] == wire_bytes[wire_now] &&
                       memcmp(wire[0], wire[wire_now], wire_bytes[0]) == 0;
        if (!is_same)
            tell_difference(variants[i].name);
        CHECK(is_same);
    }
}

TEST(a_short_talk_is_the_same_with_and_without_each_offload)
{
    compare(&(struct talk){false, 0, 200, 300, 300});
    compare(&(struct talk){true, 7, 200, 300, 300});
}

TEST(a_long_answer_is_the_same_with_and_without_each_offload)
{
    compare(&(struct talk){false, 0, 100, 700001, 16384});
    compare(&(struct talk){true, 0, 100, 700001, 16384});
}

TEST(a_long_answer_in_a_vlan_is_the_same_with_and_without_each_offload)
{
    compare(&(struct talk){false, 4094, 3000, 400200, 16384});
    compare(&(struct talk){true, 100, 3000, 400200, 16384});
}

TEST(both_directions_long_and_small_writes_are_the_same_with_and_without_each_offload)
{
    compare(&(struct talk){false, 0, 300000, 300000, 700});
    compare(&(struct talk){true, 9, 150000, 200077, 1449});
}

/* Bytes of payload that the relay copied, wherever. */
static uint64_t copied_bytes(void)
{
    return relay_stat(STAT_tcp_rx_copied_bytes) + relay_stat(STAT_tcp_move_copied_bytes) +
           relay_stat(STAT_tcp_tx_copied_bytes);
}

TEST(no_byte_is_copied_between_receive_and_send_where_ports_send_chains)
{
    static const uint32_t tails[] = {0, 256, 700, 1447};
    static const uint32_t can[] = {CAN(multi_seg_tx), CAN(tso) | CAN(multi_seg_tx) | CKSUMS,
                                   UINT32_MAX & ~CAN(rss)};
    for (unsigned i = 0; i < array_len(tails); i++) {
        for (unsigned k = 0; k < array_len(can); k++) {
            start(&(struct talk){i % 2, 0, 300, 350 * 1448 + tails[i], 16384});
            converse(&(struct variant){"", can[k], k % 2 == 0});
            CHECK(copied_bytes() <= TCP_COPY_BYTES_MAX); /* if the last segment is so short */
            CHECK_EQ(copied_bytes(), relay_stat(STAT_tcp_tx_copied_bytes));
            CHECK_EQ(relay_stat(STAT_tcp_move_bytes), 300 + talk->answer_bytes);
            finish();
        }
    }
}

TEST(only_what_is_smaller_than_a_reference_is_worth_is_copied)
{
    start(&(struct talk){false, 0, 200, 350 * 1448 + TCP_COPY_BYTES_MAX, 16384});
    converse(&(struct variant){"", CAN(multi_seg_tx), true});
    CHECK(copied_bytes() <= 2 * (200 + TCP_COPY_BYTES_MAX));
    finish();
}

UNIT_MAIN("offload", T(a_short_talk_is_the_same_with_and_without_each_offload),
          T(a_long_answer_is_the_same_with_and_without_each_offload),
          T(a_long_answer_in_a_vlan_is_the_same_with_and_without_each_offload),
          T(both_directions_long_and_small_writes_are_the_same_with_and_without_each_offload),
          T(no_byte_is_copied_between_receive_and_send_where_ports_send_chains),
          T(only_what_is_smaller_than_a_reference_is_worth_is_copied))
