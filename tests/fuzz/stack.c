/* SPDX-License-Identifier: Apache-2.0 */
/* The stack under a fuzz target: made, polled, looked at, ended. */
#include "stack.h"

#include "balance.h"
#include "base/assert.h"
#include "base/container.h"
#include "core/port_setup.h"
#include "drivers/net/mem.h"
#include "frame.h"
#include "net/net.h"
#include "stack_env.h"
#include "stack_memory.h"
#include "tcp/tcp_priv.h"

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 1000u     /* without time passing: more is a livelock */
#define RX_MAX 64u           /* frames a round */
#define TIMERS_MAX 256u      /* timers a round */
#define SETTLE_US 5000000u   /* announcements, duplicate address detection */
#define DRAIN_US 400000000ul /* longer than anything lives by itself */

struct stack stack;
struct stack_around stack_around;

/* The application */

static void forget(struct stream *s)
{
    for (unsigned i = 0; i < STACK_STREAMS_MAX; i++) {
        if (stack.streams[i] == s)
            stack.streams[i] = NULL;
    }
    stream_release(s);
}

static void on_event(struct stream *s, unsigned events)
{
    ASSERT(events != 0);
    if ((events & STREAM_CLOSED) != 0)
        forget(s);
}

static bool on_listen(void *owner, const struct ip_addr *local, uint16_t port,
                      struct tcp_listening *ret)
{
    ret->bind = 1;
    ret->congestion = stack.congestion;
    return port == STACK_PORT;
}

static bool on_accept(void *owner, struct stream *s, uint32_t bind)
{
    ASSERT(bind == 1);
    s->on_event = on_event;
    stack.n_accepted++;
    for (unsigned i = 0; i < STACK_STREAMS_MAX; i++) {
        if (stack.streams[i] == NULL) {
            stack.streams[i] = s;
            return true;
        }
    }
    return false;
}

/* Every connection, and what is bounded. */
static void check(void)
{
    const struct tcp *t = stack.tcp;
    ASSERT(t->half_open.all <= t->config.half_open_max && t->half_open.all <= t->conns.used);
    for (uint32_t i = 0; i < t->conns.capacity && t->conns.used > 0; i++) {
        const struct tcp_conn *c = pool_at(&t->conns, i);
        if (c->state != TCP_FREE)
            check_tcp_conn_deep(c);
    }
    ASSERT(stack_stat(STAT_net_neighbours_now) <= STACK_NEIGHBOURS_MAX);
    if (stack_around.check != NULL)
        stack_around.check();
}

/* The LAN */

static bool is_there(const uint8_t *addr, unsigned bytes)
{
    return addr[bytes - 1] > 1 && addr[bytes - 1] < 128;
}

/* Answers if `frame` asks for the MAC of a peer that is there. */
static void answer_question(struct stack_sent *sent)
{
    uint8_t answer[FRAME_BYTES_MAX];
    struct frame_view v;
    uint8_t *f = sent->bytes;
    if (sent->len >= 42 && frame_get16(f + 12) == 0x0806 && frame_get16(f + 20) == 1 &&
        is_there(f + 38, 4)) {
        struct frame_ends ends = stack_ends(false, f[41]);
        ends.src = ip_addr_from_v4(f + 38);
        ends.dst = ip_addr_from_v4(f + 28);
        stack_env_send(answer, frame_make_arp(answer, &ends, 2));
    } else if (frame_look(f, sent->len, &v) && v.proto == 58 && v.l4_bytes >= 24 &&
               v.l4[0] == 135 && is_there(v.l4 + 8, 16)) {
        struct frame_ends ends = stack_ends(true, v.l4[23]);
        struct ip_addr sender = ip_addr_from_v6(v.ip + 8);
        if (ip_addr_is_zero(&sender))
            return; /* it looks for duplicates: there are none */
        ends.src = ip_addr_from_v6(v.l4 + 8);
        ends.dst = sender;
        stack_env_send(answer, frame_make_nd(answer, &ends, 136, 0x60000000, &ends.src));
    }
}

static unsigned take_sent(void)
{
    unsigned n = 0;
    struct stack_sent *slot = &stack.sent[stack.n_sent % STACK_SENT_MAX];
    while ((slot->len = stack_env_receive(slot->bytes, sizeof(slot->bytes))) > 0) {
        stack.n_sent++;
        n++;
        if (stack_around.on_sent != NULL)
            stack_around.on_sent(slot->bytes, slot->len);
        answer_question(slot);
        slot = &stack.sent[stack.n_sent % STACK_SENT_MAX];
    }
    return n;
}

/* Until there is nothing to do at this time. */
static void settle(void)
{
    struct rte_mbuf *burst[RX_MAX];
    struct core *c = &stack.core;
    unsigned did = 1;
    for (unsigned round = 0; did > 0; round++) {
        ASSERT(round < ROUNDS_MAX);
        did = port_rx(c, burst, RX_MAX);
        unsigned left = stack_around.input != NULL ? stack_around.input(burst, did) : did;
        net_input(stack.net, burst, left);
        did += wheel_run(&c->wheel, c->now_us, TIMERS_MAX);
        did += net_poll(stack.net);
        did += tcp_poll(stack.tcp);
        did += port_tx_flush(c);
        did += take_sent();
        check();
    }
}

void stack_queue(const uint8_t *frame, size_t len)
{
    stack_env_send(frame, len);
}

void stack_frame(const uint8_t *frame, size_t len)
{
    stack_env_send(frame, len);
    settle();
}

void stack_pass(uint64_t us)
{
    uint64_t end_us = stack.core.now_us + us;
    while (stack.core.now_us < end_us) {
        uint64_t next_us = wheel_next_us(&stack.core.wheel);
        if (next_us <= stack.core.now_us)
            next_us = stack.core.now_us + 1;
        stack.core.now_us = next_us < end_us ? next_us : end_us;
        settle();
    }
}

static void configure(void)
{
    const struct net_interface interfaces[] = {{.port = 0}, {.port = 0, .vlan = 7}};
    struct net_address addresses[] = {
        {.prefix_len = 96 + 24},
        {.prefix_len = 64},
        {.prefix_len = 128, .is_vip = 1},
        {.prefix_len = 128, .is_vip = 1},
        {.prefix_len = 96 + 24, .interface = 1},
    };
    static const char *const texts[] = {"198.18.0.1", "2001:db8::1", "198.18.9.80",
                                        "2001:db8:9::80", "198.18.1.1"};
    for (unsigned i = 0; i < array_len(texts); i++)
        ip_addr_parse(texts[i], &addresses[i].addr);
    net_configure(stack.net, &(struct net_config){interfaces, array_len(interfaces), addresses,
                                                  array_len(addresses), NULL, 0});
}

static void make(void)
{
    const struct tcp_upcalls upcalls = {on_listen, on_accept, NULL};
    const struct tcp_config config = {.conns_max = 256,
                                      .timewaits_max = 64,
                                      .half_open_max = 128,
                                      .rx_window_bytes = 65536,
                                      .tx_buffer_bytes = 65536,
                                      .keepalive_ms = 60000,
                                      .mbufs_low = 64};
    core_init(&stack.core, &(struct core_config){.now_us = 1000000,
                                                 .workers = 1,
                                                 .socket = SOCKET_ID_ANY,
                                                 .mbufs = stack_env_mbufs(),
                                                 .stats = &stack.stats,
                                                 .rng_seed = 1,
                                                 .hash_key = {1, 2}});
    stack.hub = port_hub_new(stack_env_port(), 1, 1);
    ASSERT(stack.hub != NULL);
    ports_join(stack.hub, &stack.core);
    stack.net = net_new(&stack.core);
    stack.tcp = tcp_new(&stack.core, stack.net, &config, &upcalls);
    if (stack_around.make != NULL) {
        stack_around.make();
    } else {
        net_set_tcp(stack.net, stack.tcp, &tcp_net_ops);
        configure();
    }
    stack_pass(SETTLE_US);
}

void stack_up(void)
{
    static struct stack fresh;
    stack_env_begin();
    if (!stack_memory_is_kept()) {
        make();
        fresh = stack;
        stack_memory_keep();
        return;
    }
    stack = fresh;
    stack_memory_restore();
}

/* The books at the end, and every buffer. */
static void check_nothing_left(void)
{
    char fault[128];
    ASSERT(tcp_conn_count(stack.tcp) == 0 && tcp_timewait_count(stack.tcp) == 0);
    if (!balance_is_right(stack.stats.counters, fault, sizeof(fault))) {
        fprintf(stderr, "%s\n", fault);
        ASSERT(!"the books balance");
    }
}

void stack_down(void)
{
    for (unsigned i = 0; i < STACK_STREAMS_MAX; i++) {
        if (stack.streams[i] != NULL)
            forget(stack.streams[i]);
    }
    stack_pass(DRAIN_US);
    check_nothing_left();
    if (stack_around.end != NULL)
        stack_around.end();
    tcp_done(stack.tcp);
    net_done(stack.net);
    ASSERT(stack.core.wheel.armed == 0);
    ASSERT(rte_mempool_in_use_count(stack_env_mbufs()) == 0);
}

struct stack_sent *stack_sent(unsigned back)
{
    if (back >= STACK_SENT_MAX || back >= stack.n_sent)
        return NULL;
    return &stack.sent[(stack.n_sent - 1 - back) % STACK_SENT_MAX];
}
