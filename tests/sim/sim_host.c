/* SPDX-License-Identifier: Apache-2.0 */
/* The machines around the appliance. */
#include "sim_host.h"

#include "base/assert.h"
#include "sim.h"
#include "sim_mark.h"

#include <rte_mbuf.h>
#include <stdio.h>

#define RX_MAX 64u
#define TIMERS_MAX 256u
/* A peer may lose its last reset: a host that never asked would wait for it for ever. */
#define HOST_KEEPALIVE_MS 120000u

/* Hosts are patient: an appliance that naps longer than three ARP questions is not given up. */
static void on_icmp_error(void *t, const struct net_icmp_error *e)
{
    if (e->kind != NET_ICMP_UNREACHABLE)
        tcp_net_ops.icmp_error(t, e);
}

static struct ip_addr addr_of(const char *text)
{
    struct ip_addr a;
    bool is_good = ip_addr_parse(text, &a);
    ASSERT(is_good);
    return a;
}

/* Backends that answer clients themselves send to the appliance's MAC; the wire knows better. */
static void configure(struct sim_host *h)
{
    struct net_interface interface = {.port = 0};
    struct net_address addresses[] = {{h->addr4, 96 + 24, 0, 0}, {h->addr6, 64, 0, 0}};
    struct net_route routes[] = {
        {addr_of("198.18.0.0"), 96 + 24, 0, 0, addr_of("198.18.1.1")},
        {addr_of("2001:db8:0::"), 64, 0, 0, addr_of("2001:db8:1::1")},
    };
    bool is_routed = h->sim->plan.is_carried && h->number >= h->sim->plan.n_clients;
    struct net_config config = {&interface, 1, addresses, 2, routes, is_routed ? 2 : 0};
    net_configure(h->net, &config);
}

void sim_host_new(struct sim_host *h, struct sim *sim, unsigned number,
                  const struct port_setup *port, const struct tcp_upcalls *upcalls)
{
    const struct sim_plan *plan = &sim->plan;
    *h = (struct sim_host){.sim = sim, .number = number, .is_awake = true};
    struct core_config core = {.now_us = sim->now_us,
                               .workers = 1,
                               .socket = SOCKET_ID_ANY,
                               .mbufs = sim_host_mbufs(),
                               .stats = &h->stats,
                               .rng_seed = plan->seed * 31 + number,
                               .hash_key = {plan->seed, number}};
    uint32_t crowd = number == SIM_CROWD_CLIENT ? plan->crowd.n : 0;
    struct tcp_config tcp = {.conns_max = 512 + crowd,
                             .timewaits_max = 512,
                             .half_open_max = 256,
                             .rx_window_bytes = plan->host_window_bytes,
                             .tx_buffer_bytes = plan->host_buffer_bytes,
                             .quick_acks = 16,
                             .is_paced = true,
                             .has_ecn = sim_has_ecn(plan, number),
                             .mbufs_low = 64,
                             .keepalive_ms = HOST_KEEPALIVE_MS};
    unsigned lan = number < plan->n_clients ? 0 : 1;
    char text[IP_ADDR_TEXT_MAX];
    snprintf(text, sizeof(text), "198.18.%u.%u", lan, 10 + number);
    ip_addr_parse(text, &h->addr4);
    snprintf(text, sizeof(text), "2001:db8:%u::%u", lan, 10 + number);
    ip_addr_parse(text, &h->addr6);
    h->hub = port_hub_new(port, 1, 1);
    ASSERT(h->hub != NULL);
    core_init(&h->core, &core);
    ports_join(h->hub, &h->core);
    h->net = net_new(&h->core);
    h->tcp = tcp_new(&h->core, h->net, &tcp, upcalls);
    static struct net_tcp_ops patient;
    patient = tcp_net_ops;
    patient.icmp_error = on_icmp_error;
    net_set_tcp(h->net, h->tcp, &patient);
    if (plan->asks.n > 0)
        net_set_udp(h->net, h, &sim_ask_ops);
    configure(h);
    if (sim_speaks_h2(plan, number))
        h->h2 = sim_h2_new(h);
}

bool sim_host_poll(struct sim_host *h, uint64_t now_us)
{
    struct rte_mbuf *burst[RX_MAX];
    h->core.now_us = now_us;
    unsigned n = port_rx(&h->core, burst, RX_MAX);
    bool unwraps = h->sim->plan.is_carried && h->number >= h->sim->plan.n_clients;
    net_input(h->net, burst, unwraps ? sim_dsr_unwrap(h, burst, n) : n);
    n += wheel_run(&h->core.wheel, now_us, TIMERS_MAX);
    n += net_poll(h->net);
    n += tcp_poll(h->tcp);
    if (h->h2 != NULL)
        n += sim_h2_poll(h->h2);
    n += port_tx_flush(&h->core);
    return n > 0;
}

uint64_t sim_host_next_us(const struct sim_host *h)
{
    uint64_t timer_us = wheel_next_us(&h->core.wheel);
    uint64_t tcp_us = tcp_next_us(h->tcp);
    return timer_us < tcp_us ? timer_us : tcp_us;
}

void sim_host_free(struct sim_host *h)
{
    if (h->h2 != NULL)
        sim_h2_free(h->h2);
    tcp_done(h->tcp);
    net_done(h->net);
    ports_leave(&h->core);
    core_done(&h->core);
    port_hub_free(h->hub);
}
