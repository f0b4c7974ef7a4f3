/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's TCP as a whole: made with all its memory, taken down, addresses that go. */
#include "tcp/tcp_priv.h"
#include "tcp/trace.h"

#include "base/assert.h"
#include "base/names.h"
#include "core/port.h"
#include "net/net.h"

#include <rte_mbuf.h>

static void input(void *t, struct rte_mbuf *m, const struct ip_addr *src, const struct ip_addr *dst,
                  struct net_ip_header ip, uint64_t flow_hash)
{
    tcp_input(t, m, src, dst, ip.tos, flow_hash);
}

static void icmp_error(void *t, const struct net_icmp_error *e)
{
    tcp_on_icmp_error(t, e);
}

static void addresses_gone(void *t)
{
    tcp_on_addresses_gone(t);
}

static uint64_t expect(void *t, const struct ip_addr *src, const struct ip_addr *dst,
                       uint16_t src_port, uint16_t dst_port)
{
    return tcp_expect(t, src, dst, src_port, dst_port);
}

static void prefetch(void *t, uint64_t flow_hash)
{
    tcp_prefetch(t, flow_hash);
}

const struct net_tcp_ops tcp_net_ops = {input, icmp_error, addresses_gone, expect, prefetch};

/* A segment in flight needs a record, and its bytes lie in mbufs: with a record for each mbuf of
 * the pool it takes many tiny segments to run out of records first. */
#define RECORDS_PER_MBUF 1u

/* What ports can do for segments: chains only if all can, for their path may change. */
static void look_at_ports(struct tcp *t)
{
    t->tx_mbufs_max = PORT_TX_MBUFS_MAX;
    for (unsigned i = 0; i < port_count(t->core); i++) {
        const struct port_info *port = port_info(t->core, i);
        uint16_t mbufs_max = port->has_multi_seg_tx ? port->tx_mbufs_max : 0;
        if (mbufs_max < t->tx_mbufs_max)
            t->tx_mbufs_max = mbufs_max;
        t->has_tso |= port->has_tso;
    }
}

static void make_timewaits(struct tcp *t)
{
    struct tcp_timewaits *w = &t->timewaits;
    w->capacity = t->config.timewaits_max;
    w->ring = core_memory(t->core, sizeof(*w->ring) * w->capacity, "tcp TIME_WAIT records");
    w->timer.on_expire = tcp_timewait_on_timer;
}

struct tcp *tcp_new(struct core *core, struct net *net, const struct tcp_config *config,
                    const struct tcp_upcalls *upcalls)
{
    ASSERT(config->conns_max > 0 && config->conns_max <= FLOW_ENTRY_INDEX_MAX);
    ASSERT(config->timewaits_max > 0 && config->timewaits_max <= FLOW_ENTRY_INDEX_MAX);
    ASSERT(config->rx_window_bytes > 0 && config->rx_window_bytes <= TCP_RX_WINDOW_BYTES_MAX);
    ASSERT(config->tx_buffer_bytes > 0);
    ASSERT(upcalls->listen != NULL && upcalls->accept != NULL);
    struct tcp *t = core_memory(core, sizeof(*t), "tcp");
    t->core = core;
    t->net = net;
    t->config = *config;
    t->upcalls = *upcalls;
    if (config->challenge_per_second_max == 0)
        t->config.challenge_per_second_max = TCP_CHALLENGE_PER_SECOND_MAX;
    if (config->rst_per_second_max == 0)
        t->config.rst_per_second_max = TCP_RST_PER_SECOND_MAX;
    if (config->passive_max == 0)
        t->config.passive_max = config->conns_max;
    if (config->half_open_listener_max == 0)
        t->config.half_open_listener_max = (config->half_open_max + 1) / 2;
    t->mbuf_bytes = (uint16_t)rte_mempool_calc_obj_size(core->mbufs->elt_size, 0, NULL);
    tcp_room_init(t);
    t->range_offset = tcp_reasm_register();
    ASSERT(t->range_offset >= 0);
    look_at_ports(t);
    core_pool(core, &t->conns, sizeof(struct tcp_conn), config->conns_max, "tcp connections");
    t->rares = core_memory(core, sizeof(*t->rares) * config->conns_max, "tcp settings");
    core_pool(core, &t->records, sizeof(struct tcp_sent), core->mbufs->size * RECORDS_PER_MBUF,
              "tcp segments in flight");
    t->marks = core_memory(core, sizeof(*t->marks) * core->mbufs->size * RECORDS_PER_MBUF,
                           "tcp delivery rate marks");
    uint32_t senders = config->senders_max == 0 ? config->conns_max : config->senders_max;
    core_pool(core, &t->senders, sizeof(struct tcp_sender), senders, "tcp senders");
    uint32_t buckets = flow_table_buckets(config->conns_max + config->timewaits_max);
    flow_table_init(&t->table,
                    core_memory(core, sizeof(struct flow_bucket) * buckets, "tcp flow table"),
                    buckets, &core->hash_key, flow_entry_tuple, t);
    make_timewaits(t);
    tcp_trace_new(t);
    t->shed_slots_us = UINT64_MAX;
    t->polled_us = core->now_us;
    t->present_ms = tcp_now_ms(t);
    tcp_cookies_init(&t->cookies, &core->hash_key);
    list_init(&t->ready);
    list_init(&t->outputs);
    list_init(&t->starved);
    list_init(&t->waiting);
    list_init(&t->resting);
    return t;
}

/* Calls `fn` for every connection that is not in the pool. */
static void for_each_conn(struct tcp *t, void (*fn)(struct tcp_conn *c))
{
    for (uint32_t i = 0; i < t->conns.capacity; i++) {
        struct tcp_conn *c = pool_at(&t->conns, i);
        if (c->state != TCP_FREE)
            fn(c);
    }
}

static void vanish(struct tcp_conn *c)
{
    if (c->state != TCP_CLOSED)
        tcp_conn_end(c, STREAM_END_ABORTED);
    tcp_conn_free(c);
}

void tcp_done(struct tcp *t)
{
    for_each_conn(t, vanish);
    wheel_disarm(&t->core->wheel, &t->timewaits.timer);
    ASSERT(t->conns.used == 0);
    ASSERT(t->records.used == 0);
    ASSERT(t->senders.used == 0);
}

static void reset_if_gone(struct tcp_conn *c)
{
    if (c->state == TCP_CLOSED || net_is_ours(c->tcp->net, &c->tuple.local))
        return;
    stat_inc(c->tcp->core, STAT_tcp_address_gone);
    tcp_abort(c, STREAM_END_ABORTED);
}

void tcp_on_addresses_gone(struct tcp *t)
{
    for_each_conn(t, reset_if_gone);
}

bool tcp_cut(struct tcp *t, uint32_t *cursor, uint32_t n, tcp_cut_fn cuts, void *owner)
{
    for (uint32_t i = 0; i < n && *cursor < t->conns.capacity; i++) {
        struct tcp_conn *c = pool_at(&t->conns, (*cursor)++);
        bool is_accepted = c->state > TCP_CLOSED && (c->flags & TCP_F_ACTIVE) == 0;
        if (is_accepted && cuts(owner, &c->tuple))
            tcp_abort(c, STREAM_END_ABORTED);
    }
    return *cursor < t->conns.capacity;
}

uint32_t tcp_conn_count(const struct tcp *t)
{
    return t->conns.used;
}

uint32_t tcp_timewait_count(const struct tcp *t)
{
    return t->timewaits.live;
}

const char *tcp_state_name(enum tcp_state state)
{
    static const char *const names[] = {TCP_STATE_LIST(X_NAME)};
    ASSERT((unsigned)state < array_len(names));
    return names[state];
}
