/* SPDX-License-Identifier: Apache-2.0 */
/* Making a worker, its rounds, and time. The link below it is stage_link.c. */
#include "stage.h"

#include "base/assert.h"
#include "base/container.h"
#include "core/port_setup.h"
#include "drivers/net/mem.h"
#include "net/net.h"
#include "stage_priv.h"
#include "tcp/tcp_priv.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>

#define MEGABYTES "192"
#define RX_FRAMES_MAX 128u
#define TIMERS_MAX 512u
#define ROUNDS_MAX 10000u /* at one moment: a stack that is never done is a bug */

static noreturn void give_up(const char *what, const char *why)
{
    fprintf(stderr, "stage: %s: %s\n", what, why);
    exit(2);
}

static void start_eal(void)
{
    static bool is_up;
    char args[][32] = {"stage",    "--no-huge",      "-m", MEGABYTES, "--no-shconf",
                       "--no-pci", "--no-telemetry", "-l", "0",       "--log-level=lib.*:warning"};
    char *argv[array_len(args) + 1] = {NULL};
    if (is_up)
        return;
    for (unsigned i = 0; i < array_len(args); i++)
        argv[i] = args[i];
    if (rte_eal_init(array_len(args), argv) < 0)
        give_up("EAL", rte_strerror(rte_errno));
    is_up = true;
}

/* The one port of the process; its queues are empty between two stages. */
static const struct port_setup *open_port(struct rte_mempool *mbufs)
{
    static struct port_setup port;
    static bool is_open;
    struct net_fault fault = {""};
    if (is_open)
        return &port;
    if (!mem_port_open(STAGE_PORT, 0, 1, 1, mbufs, &port, &fault))
        give_up("port", fault.text);
    port.info.mac = (struct ether_mac){{0x02, 0x53, 0x43, 0x52, 0, 1}};
    port.info.mtu = NET_MTU_MAX;
    is_open = true;
    return &port;
}

/* Pools of a size are made once; without a cache an lcore, so that each one left is seen. */
static struct rte_mempool *find_pool(uint32_t mbufs)
{
    char name[32];
    snprintf(name, sizeof(name), "stage_%u", mbufs);
    struct rte_mempool *pool = rte_mempool_lookup(name);
    if (pool == NULL)
        pool = rte_pktmbuf_pool_create(name, mbufs, 0, 0, MBUF_DATA_BYTES + RTE_PKTMBUF_HEADROOM,
                                       SOCKET_ID_ANY);
    if (pool == NULL)
        give_up(name, rte_strerror(rte_errno));
    return pool;
}

static void configure_net(struct stage *s, const struct stage_config *config)
{
    const struct net_interface interface = {.port = 0, .mtu = config->mtu};
    const struct net_address addresses[] = {
        {.addr = config->local4, .prefix_len = 96 + 24},
        {.addr = config->local6, .prefix_len = 64},
    };
    struct ip_addr gateway4 = config->local4;
    struct ip_addr gateway6 = config->local6;
    gateway4.bytes[15] ^= 0x80; /* any neighbour: all of them are this stage */
    gateway6.bytes[15] ^= 0x80;
    struct ip_addr all4 = {.bytes = {[10] = 0xff, [11] = 0xff}};
    const struct net_route routes[] = {
        {.prefix = all4, .prefix_len = 96, .gateway = gateway4},
        {.prefix_len = 0, .gateway = gateway6},
    };
    net_configure(s->net, &(struct net_config){&interface, 1, addresses, array_len(addresses),
                                               routes, array_len(routes)});
}

struct stage *stage_new(const struct stage_config *config)
{
    start_eal();
    struct stage *s = aligned_alloc(64, (sizeof(*s) + 63) & ~(size_t)63);
    if (s == NULL)
        give_up("stage", "no memory");
    memset(s, 0, sizeof(*s));
    s->pool = find_pool(config->mbufs);
    s->world_pool = find_pool(STAGE_WORLD_MBUFS);
    s->hub = port_hub_new(open_port(s->world_pool), 1, 1);
    ASSERT(s->hub != NULL);
    core_init(&s->core, &(struct core_config){.now_us = config->start_us,
                                              .workers = 1,
                                              .socket = SOCKET_ID_ANY,
                                              .mbufs = s->pool,
                                              .stats = &s->stats,
                                              .rng_seed = 1,
                                              .hash_key = {3, 4}});
    ports_join(s->hub, &s->core);
    s->net = net_new(&s->core);
    s->tcp = tcp_new(&s->core, s->net, &config->tcp, &config->upcalls);
    net_set_tcp(s->net, s->tcp, &tcp_net_ops);
    configure_net(s, config);
    stage_run_until(s, config->start_us + STAGE_SETTLE_US, false);
    ASSERT(stage_peek(s) == NULL);
    return s;
}

bool stage_free(struct stage *s)
{
    tcp_done(s->tcp);
    net_done(s->net);
    ports_leave(&s->core);
    stage_collect(s);
    uint32_t timers = s->core.wheel.armed;
    unsigned mbufs = rte_mempool_in_use_count(s->pool) + rte_mempool_in_use_count(s->world_pool);
    port_hub_free(s->hub);
    core_done(&s->core);
    free(s);
    if (timers + mbufs > 0)
        fprintf(stderr, "stage: %u timers and %u mbufs are left\n", timers, mbufs);
    return timers + mbufs == 0;
}

uint64_t stage_now_us(const struct stage *s)
{
    return s->core.now_us;
}

struct tcp *stage_tcp(struct stage *s)
{
    return s->tcp;
}

struct core *stage_core(struct stage *s)
{
    return &s->core;
}

/* As worker_poll() has it. Returns how much was done. */
static unsigned round_once(struct stage *s)
{
    struct rte_mbuf *frames[RX_FRAMES_MAX];
    unsigned n = port_rx(&s->core, frames, RX_FRAMES_MAX);
    unsigned did = n;
    net_input(s->net, frames, n);
    did += wheel_run(&s->core.wheel, s->core.now_us, TIMERS_MAX);
    did += net_poll(s->net);
    did += tcp_poll(s->tcp);
    did += port_tx_flush(&s->core);
    return did + stage_collect(s);
}

/* The invariants of every connection, the costly ones too. */
static void check_conns(const struct stage *s)
{
    for (uint32_t i = 0; i < s->tcp->conns.capacity; i++) {
        const struct tcp_conn *c = pool_at(&s->tcp->conns, i);
        if (c->state != TCP_FREE)
            check_tcp_conn_deep(c);
    }
}

void stage_run(struct stage *s)
{
    unsigned rounds = 0;
    while (round_once(s) > 0) {
        check_conns(s);
        ASSERT(++rounds < ROUNDS_MAX);
    }
}

void stage_step(struct stage *s, uint64_t until_us)
{
    ASSERT(until_us > s->core.now_us);
    uint64_t next_us = wheel_next_us(&s->core.wheel);
    if (next_us <= s->core.now_us)
        next_us = s->core.now_us + 1;
    s->core.now_us = next_us < until_us ? next_us : until_us;
    stage_run(s);
}

void stage_run_until(struct stage *s, uint64_t until_us, bool stops_at_packet)
{
    stage_run(s);
    while (s->core.now_us < until_us && !(stops_at_packet && stage_peek(s) != NULL))
        stage_step(s, until_us);
}
