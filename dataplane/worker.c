/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's round, in the order in which a request passes through it. This file knows all
 * modules and none of them knows it: what a lower layer wants of a higher one is handed to it here.
 *
 * Owner, thread: the worker's.
 */
#include "worker.h"

#include "base/assert.h"
#include "core/endpoint_table.h"
#include "core/generation.h"
#include "core/port_setup.h"
#include "core/rcu.h"
#include "image_companion.h"
#include "keyring.h"
#include "net/gro.h"
#include "net/net.h"
#include "tls/tls_crypto.h"

#include <stdlib.h>

struct worker {
    struct core core;
    struct generation_set *generations;
    struct generation *generation; /* that this worker serves; NULL: none yet */
    uint64_t generation_number;    /* its number, which outlives it */
    struct generation *reported;   /* that housekeeping hears of: its addresses are in use */
    uint64_t resumed_number;       /* of the image that was there before the worker; 0: none */
    struct rcu *rcu;
    struct net *net;
    struct tcp *tcp;
    struct health *health;  /* checks of the endpoints that are this worker's to check */
    struct proxy *proxy;    /* with its upstream */
    struct l4_fwd *l4;      /* packets that need no connection of ours */
    struct gate *gate;      /* who may send any */
    struct obs_round round; /* what the last one did */
};

/* Clients and backends behind a box that forgets idle flows: two minutes keep most of them open,
 * and a peer that is gone holds its connection no longer than three. */
#define KEEPALIVE_MS 120000u

void worker_config_default(struct worker_config *config, uint32_t conns_max, uint32_t mbufs,
                           unsigned workers)
{
    ASSERT(workers > 0);
    proxy_config_default(&config->proxy, conns_max);
    health_config_default(&config->health, conns_max);
    l4_config_default(&config->l4, conns_max);
    /* A client connection may need one to a backend. */
    uint32_t conns_all = conns_max + config->proxy.upstream.conns_max + config->health.checks_max;
    config->hop_limit = NET_HOP_LIMIT;
    config->probe = NET_PROBE_ALL;
    config->tcp = (struct tcp_config){
        .conns_max = conns_all,
        .passive_max = conns_max,
        .senders_max = conns_all / TCP_CONNS_A_SENDER + 16,
        .timewaits_max = 2 * conns_all,
        .half_open_max = conns_all / 2 + 1,
        .keepalive_ms = KEEPALIVE_MS,
        .rx_window_bytes = 4 * 1024 * 1024, /* 1 Gbit/s over 30 ms, for who earns it */
        .tx_buffer_bytes = 4 * 1024 * 1024,
        .first_bytes = 64 * 1024,
        .quick_acks = 16, /* two initial windows, nearly */
        .is_paced = true,
        .has_ecn = true,
        .mbufs_low = mbufs / 8,
    };
}

static enum tcp_open_fault dial(void *owner, const struct tcp_open_args *args,
                                struct stream **ret_stream)
{
    return tcp_open(owner, args, ret_stream);
}

static bool has_way(void *owner, const struct ip_addr *remote)
{
    return tcp_has_way(owner, remote);
}

struct worker *worker_new(const struct worker_config *config)
{
    struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);
    if (w == NULL)
        return NULL;
    *w = (struct worker){.generations = config->generations, .rcu = config->rcu};
    struct generation *resumed = generation_current(config->generations);
    w->resumed_number = resumed == NULL ? 0 : generation_number(resumed);
    core_init(&w->core, &config->core);
    ports_join(config->ports, &w->core);
    w->net = net_new(&w->core);
    net_set_hop_limit(w->net, config->hop_limit);
    net_set_probe(w->net, config->probe);
    w->core.crypto = tls_crypto_new(config->lanes, config->n_lanes, &config->core.hash_key);
    ASSERT(w->core.crypto != NULL);
    w->proxy = proxy_new(&w->core, config->endpoints, &config->proxy);
    w->health = health_new(&w->core, config->endpoints, &config->health);

    struct tcp_upcalls upcalls;
    proxy_upcalls(w->proxy, &upcalls);
    w->tcp = tcp_new(&w->core, w->net, &config->tcp, &upcalls);
    struct upstream_dialer dialer = {.open = dial, .has_way = has_way, .owner = w->tcp};
    proxy_set_dialer(w->proxy, &dialer);
    health_set_dialer(w->health, &dialer);
    struct l4_around around = {&w->core, w->net, w->tcp, proxy_upstream(w->proxy)};
    w->l4 = l4_new(&around, &config->l4);
    tcp_set_is_taken(w->tcp, l4_has_flow, w->l4);
    w->gate = gate_new(&(struct gate_around){&w->core, w->tcp, w->l4});
    net_set_denies(w->net, gate_denies, w->gate);
    net_set_tcp(w->net, w->l4, &l4_net_ops);
    net_set_udp(w->net, w->l4, &l4_udp_ops);
    rcu_online(w->rcu, w->core.worker);
    return w;
}

void worker_free(struct worker *w)
{
    if (w == NULL)
        return;
    l4_done(w->l4);
    proxy_done(w->proxy);
    health_done(w->health);
    tls_crypto_free(w->core.crypto);
    tcp_done(w->tcp);
    net_done(w->net);
    ASSERT(w->core.wheel.armed == 0);
    rcu_offline(w->rcu, w->core.worker);
    ports_leave(&w->core);
    core_done(&w->core);
    free(w);
}

/* The network part of the image, in the words of net. */
static void configure_net(struct worker *w, const struct image_view *v)
{
    static_assert(
        sizeof(struct image_address) == sizeof(struct net_address) &&
            offsetof(struct image_address, interface) == offsetof(struct net_address, interface) &&
            offsetof(struct image_address, is_vip) == offsetof(struct net_address, is_vip),
        "the image's addresses are net's");
    static_assert(IMAGE_VIP_ROUTED == NET_VIP_ROUTED, "likewise");
    static_assert(sizeof(struct image_egress) == sizeof(struct net_route) &&
                      offsetof(struct image_egress, flags) == offsetof(struct net_route, flags) &&
                      NET_ROUTE_SHARES == IMAGE_EGRESS_SHARES &&
                      offsetof(struct image_egress, interface) ==
                          offsetof(struct net_route, interface) &&
                      offsetof(struct image_egress, gateway) == offsetof(struct net_route, gateway),
                  "the image's routes are net's");
    struct net_interface interfaces[NET_INTERFACES_MAX];
    ASSERT(v->n_interfaces <= NET_INTERFACES_MAX);
    for (uint32_t i = 0; i < v->n_interfaces; i++)
        interfaces[i] =
            (struct net_interface){.port = v->interfaces[i].port,
                                   .vlan = v->interfaces[i].vlan,
                                   .mtu = v->interfaces[i].mtu,
                                   .virtual_router = (uint8_t)v->interfaces[i].virtual_router,
                                   .drained = v->interfaces[i].drained};
    net_configure(w->net, &(struct net_config){
                              .interfaces = interfaces,
                              .n_interfaces = v->n_interfaces,
                              .addresses = (const struct net_address *)v->addresses,
                              .n_addresses = v->n_addresses,
                              .routes = (const struct net_route *)v->egress,
                              .n_routes = v->n_egress,
                              .is_resumed = w->generation_number == w->resumed_number,
                          });
}

static void pin(void *owner)
{
    generation_pin(owner);
}

static void unpin(void *owner)
{
    generation_unpin(owner);
}

/* Moves to a new image, if one was published since the last round. */
static unsigned follow_image(struct worker *w)
{
    struct generation *current = generation_current(w->generations);
    if (current == NULL || generation_number(current) == w->generation_number)
        return 0;
    ASSERT(generation_number(current) > w->generation_number);
    w->generation = current;
    w->generation_number = generation_number(current);
    configure_net(w, generation_view(current));
    static const struct image_companion none;
    const struct image_companion *companion = generation_companion(current);
    companion = companion != NULL ? companion : &none;
    struct route_reader reader = {companion->patterns, w->core.worker};
    proxy_set_image(w->proxy,
                    &(struct proxy_image){
                        .view = generation_view(current),
                        .reader = reader,
                        .identities = companion->keys != NULL ? companion->keys->identities : NULL,
                        .trusts = companion->keys != NULL ? companion->keys->trusts : NULL,
                        .owner = generation_pins_of(current, w->core.worker),
                        .pin = pin,
                        .unpin = unpin,
                    });
    l4_set_image(w->l4, generation_view(current), &reader);
    gate_set_image(w->gate, generation_view(current));
    health_set_image(w->health, generation_view(current),
                     companion->keys != NULL ? companion->keys->trusts : NULL);
    stat_inc(&w->core, STAT_core_image_switches);
    return 1;
}

/* Frames from the ports, up through ethernet and IP into tcp's queues. */
static unsigned receive(struct worker *w)
{
    struct rte_mbuf *frames[WORKER_RX_FRAMES_MAX];
    unsigned n = port_rx(&w->core, frames, WORKER_RX_FRAMES_MAX);
    unsigned n_let_in = gate_input(w->gate, frames, n);
    unsigned n_left = l4_input(w->l4, frames, n_let_in);
    unsigned n_merged = gro_merge(&w->core, frames, n_left);
    net_input(w->net, frames, n_merged);
    return n;
}

static unsigned run_timers(struct worker *w)
{
    unsigned n = wheel_run(&w->core.wheel, w->core.now_us, WORKER_TIMERS_MAX);
    stat_add(&w->core, STAT_core_timers_fired, n);
    return n;
}

/* Steps of handshakes. What they write goes out with this round's segments. */
static unsigned handshake(struct worker *w, bool is_loaded)
{
    unsigned n = tls_crypto_poll(w->core.crypto, w->core.now_us, is_loaded);
    struct tls_crypto_counts now;
    uint64_t *counters = w->core.stats->counters;
    tls_crypto_counts(w->core.crypto, &now);
    counters[STAT_tls_steps_here] = now.here;
    counters[STAT_tls_steps_away] = now.away;
    counters[STAT_tls_away_ns] = now.away_ns;
    counters[STAT_tls_due_now] = now.due_now;
    counters[STAT_tls_away_now] = now.away_now;
    return n;
}

/* Follows what observers ask, and tells the next few flows to those who want all. */
static unsigned observe(struct worker *w)
{
    unsigned n = obs_poll(&w->core.obs);
    if (obs_watches(&w->core.obs, OBSERVE_FLOWS)) {
        n += tcp_tell_flows(w->tcp, false);
        n += l4_tell_flows(w->l4, tcp_flow_places(w->tcp));
    }
    return n;
}

/* Tells housekeeping what this worker still looks at. A new image counts as served when its
 * addresses are in use: before, nobody can reach what it promises. */
static void report(struct worker *w)
{
    if (net_is_settled(w->net))
        w->reported = w->generation;
    w->core.stats->counters[STAT_core_timers_now] = w->core.wheel.armed;
    generation_report(w->generations, w->core.worker, w->reported);
    rcu_quiescent(w->rcu, w->core.worker);
}

bool worker_poll(struct worker *w, uint64_t now_us)
{
    ASSERT_HOT(now_us >= w->core.now_us);
    w->core.now_us = now_us;
    uint32_t *done = w->round.done;
    done[STATS_ROUND_images] = follow_image(w);
    done[STATS_ROUND_images] += gate_poll(w->gate);
    done[STATS_ROUND_frames] = receive(w) + net_inject(w->net);
    done[STATS_ROUND_timers] = run_timers(w);
    done[STATS_ROUND_neighbours] = net_poll(w->net);
    done[STATS_ROUND_health] = health_poll(w->health);
    done[STATS_ROUND_tls] = handshake(w, done[STATS_ROUND_frames] > 0);
    done[STATS_ROUND_tcp] = tcp_poll(w->tcp);       /* events to the proxy, then segments out */
    done[STATS_ROUND_proxy] = proxy_poll(w->proxy); /* the proxy's and its upstream's upkeep */
    done[STATS_ROUND_sent] = port_tx_flush(&w->core);
    done[STATS_ROUND_observed] = observe(w);
    unsigned did = 0;
    for (unsigned i = 0; i < STATS_ROUND_PARTS; i++)
        did += done[i];
    report(w);
    stat_inc(&w->core, STAT_core_polls);
    if (did > 0)
        stat_inc(&w->core, STAT_core_polls_busy);
    return did > 0;
}

const struct obs_round *worker_round(const struct worker *w)
{
    return &w->round;
}

uint64_t worker_next_us(const struct worker *w)
{
    uint64_t timer_us = wheel_next_us(&w->core.wheel);
    uint64_t tcp_us = tcp_next_us(w->tcp);
    uint64_t tls_us = tls_crypto_next_us(w->core.crypto, w->core.now_us);
    uint64_t next_us = timer_us < tcp_us ? timer_us : tcp_us;
    return next_us < tls_us ? next_us : tls_us;
}

void worker_set_unix_time(struct worker *w, uint64_t unix_s)
{
    proxy_set_unix_time(w->proxy, unix_s);
}

struct core *worker_core(struct worker *w)
{
    return &w->core;
}

struct tcp *worker_tcp(struct worker *w)
{
    return w->tcp;
}

struct proxy *worker_proxy(struct worker *w)
{
    return w->proxy;
}
