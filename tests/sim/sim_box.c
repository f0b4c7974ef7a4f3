/* SPDX-License-Identifier: Apache-2.0 */
/* The appliance: made, polled, ended. What it serves is made in sim_config.c. */
#include "sim_box.h"

#include "balance.h"
#include "base/assert.h"
#include "core/endpoint_table.h"
#include "core/generation.h"
#include "core/port_setup.h"
#include "core/rcu.h"
#include "sim.h"
#include "sim_chance.h"
#include "sim_config.h"
#include "sim_keys.h"
#include "sim_mark.h"
#include "tls/tls_tickets.h"
#include "worker.h"

#include <rte_mbuf.h>

#include <stdio.h>
#include <stdlib.h>

static void release_image(void *owner, const void *image, size_t length, void *companion)
{
    sim_keys_free(companion);
    free((void *)(uintptr_t)image);
}

static struct worker *new_worker(struct sim_box *b, unsigned number)
{
    const struct sim_plan *plan = &b->sim->plan;
    struct rte_mempool *mbufs = sim_box_mbufs(plan->has_few_mbufs);
    struct worker_config config = {
        .core = {.now_us = b->sim->now_us,
                 .worker = (uint8_t)number,
                 .workers = (uint8_t)plan->workers,
                 .socket = SOCKET_ID_ANY,
                 .mbufs = mbufs,
                 .stats = &b->stats[number],
                 .routes = &b->routes[number * SIM_BOX_ROUTES],
                 .n_routes = SIM_BOX_ROUTES,
                 .rng_seed = plan->seed * 7 + number,
                 .hash_key = {plan->seed, ~plan->seed},
                 .obs = b->watch.hub},
        .ports = b->hub,
        .generations = b->generations,
        .endpoints = b->endpoints,
        .rcu = b->rcu,
        .lanes = b->crypto.lanes[number],
        .n_lanes = b->crypto.n_cores,
    };
    worker_config_default(&config, plan->conns_max, sim_pool_size(mbufs), plan->workers);
    config.proxy.tickets = b->tickets;
    /* Where addresses stay the box is one that was started again: it uses them at once. */
    if (!plan->moves_vip6)
        config.probe = NET_PROBE_NONE;
    config.proxy.requests_per_conn_max = plan->conn_requests;
    config.tcp.has_ecn = sim_has_ecn(plan, SIM_BOX);
    config.l4.tcp_idle_ms = SIM_L4_IDLE_MS;
    if (plan->passes.has_cookies)
        config.l4.half_open_max = plan->passes.half_open_max;
    if (plan->crowd.timewaits_max != 0)
        config.tcp.timewaits_max = plan->crowd.timewaits_max;
    if (plan->crowd.half_open_max != 0)
        config.tcp.half_open_max = plan->crowd.half_open_max;
    struct worker *w = worker_new(&config);
    ASSERT(w != NULL);
    worker_set_unix_time(w, SIM_UNIX_S);
    return w;
}

void sim_box_new(struct sim_box *b, struct sim *sim)
{
    const struct sim_plan *plan = &sim->plan;
    *b = (struct sim_box){.sim = sim,
                          .rng = {plan->seed ^ 0x626f78},
                          .n_workers = plan->workers,
                          .is_awake = true,
                          .images_left = plan->image_changes,
                          .endpoints_left = plan->endpoint_changes,
                          .next_image_us = UINT64_MAX,
                          .next_endpoints_us = UINT64_MAX};
    struct port_setup ports[2] = {*sim_box_port(0), *sim_box_port(1)};
    for (unsigned i = 0; i < 2; i++) {
        ports[i].n_rx_queues = (uint16_t)plan->box_queues;
        ports[i].n_tx_queues = (uint16_t)plan->box_queues;
        spread_init(&ports[i].spread, plan->workers);
    }
    b->hub = port_hub_new(ports, 2, plan->workers);
    b->rcu = rcu_new(plan->workers);
    b->generations = generation_set_new(plan->workers, release_image, b);
    b->endpoints = endpoint_table_new(b->rcu);
    b->stats = aligned_alloc(64, plan->workers * sizeof(*b->stats));
    b->routes = aligned_alloc(64, plan->workers * SIM_BOX_ROUTES * sizeof(*b->routes));
    ASSERT(b->hub != NULL && b->rcu != NULL && b->generations != NULL && b->endpoints != NULL &&
           b->stats != NULL && b->routes != NULL);
    memset(b->stats, 0, plan->workers * sizeof(*b->stats));
    memset(b->routes, 0, plan->workers * SIM_BOX_ROUTES * sizeof(*b->routes));
    sim_watch_new(&b->watch, sim);
    sim_crypto_new(&b->crypto, plan);
    sim_keys_begin(b);
    if (plan->tls.has_tickets)
        b->tickets = tls_tickets_new();
    for (unsigned i = 0; i < b->n_workers; i++)
        b->workers[i] = new_worker(b, i);
    sim_config_begin(b);
}

/* One round, unless the worker is still at a step of a handshake. */
static bool poll_worker(struct sim_box *b, unsigned i, uint64_t now_us)
{
    if (now_us < b->busy_until_us[i])
        return false;
    uint64_t steps = b->stats[i].counters[STAT_tls_steps_here];
    bool did = worker_poll(b->workers[i], now_us);
    steps = b->stats[i].counters[STAT_tls_steps_here] - steps;
    b->busy_until_us[i] = now_us + steps * b->sim->plan.tls.step_us;
    return did;
}

bool sim_box_poll(struct sim_box *b, uint64_t now_us)
{
    bool did = sim_config_poll(b, now_us);
    unsigned first = rng_below(&b->sim->rng, b->n_workers);
    uint64_t passed = sim_box_stat(b, STAT_core_handoff_rx_out);
    for (unsigned i = 0; i < b->n_workers; i++)
        did |= poll_worker(b, (first + i) % b->n_workers, now_us);
    did |= sim_crypto_poll(&b->crypto, now_us);
    sim_watch_poll(&b->watch);
    /* A frame passed on in this round waits for a worker that was polled before. */
    return did || sim_box_stat(b, STAT_core_handoff_rx_out) != passed;
}

uint64_t sim_box_next_us(const struct sim_box *b)
{
    uint64_t next =
        b->next_image_us < b->next_endpoints_us ? b->next_image_us : b->next_endpoints_us;
    for (unsigned i = 0; i < b->n_workers; i++) {
        bool is_busy = b->busy_until_us[i] > b->sim->now_us;
        uint64_t worker = is_busy ? b->busy_until_us[i] : worker_next_us(b->workers[i]);
        next = worker < next ? worker : next;
    }
    uint64_t crypto = sim_crypto_next_us(&b->crypto);
    return crypto < next ? crypto : next;
}

void sim_box_settle(struct sim_box *b)
{
    b->is_settled = true;
    b->next_image_us = UINT64_MAX;
    b->next_endpoints_us = UINT64_MAX;
    if (b->sim->plan.is_checked) { /* the last image ends the checks */
        b->images_left = 1;
        b->next_image_us = 0;
    }
}

uint64_t sim_box_stat(const struct sim_box *b, enum stat_id id)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < b->n_workers; i++)
        sum += b->stats[i].counters[id];
    return sum;
}

/* A number of things that are there now, and have to be gone in the end: connections, packets in
 * pieces, addresses that are still asked for. Neighbours and their timers stay. */
static bool is_gauge_of_life(unsigned id)
{
    const char *name = stat_name(id);
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, "_now") == 0 && id != STAT_net_neighbours_now &&
           id != STAT_core_timers_now;
}

bool sim_box_is_empty(const struct sim_box *b)
{
    for (unsigned id = 0; id < STAT_COUNT; id++) {
        if (sim_box_stat(b, id) != 0 && is_gauge_of_life(id))
            return false;
    }
    for (unsigned i = 0; i < b->n_workers; i++) {
        struct proxy_counts counts;
        proxy_counts(worker_proxy(b->workers[i]), &counts);
        if (counts.conns + counts.exchanges + counts.upstream_busy + counts.upstream_idle > 0 ||
            tcp_conn_count(worker_tcp(b->workers[i])) > 0 ||
            tcp_timewait_count(worker_tcp(b->workers[i])) > 0)
            return false;
    }
    return true;
}

static void check_worker(struct sim_box *b, unsigned i)
{
    struct worker *w = b->workers[i];
    struct sim *sim = b->sim;
    struct proxy_counts counts;
    proxy_counts(worker_proxy(w), &counts);
    if (counts.conns + counts.exchanges + counts.upstream_busy + counts.upstream_idle > 0)
        sim_fail(sim, "worker %u: %u connections, %u exchanges, %u busy, %u idle upstreams left", i,
                 counts.conns, counts.exchanges, counts.upstream_busy, counts.upstream_idle);
    if (counts.head_bufs > 0)
        sim_fail(sim, "worker %u: %u head buffers left", i, counts.head_bufs);
    if (tcp_conn_count(worker_tcp(w)) + tcp_timewait_count(worker_tcp(w)) > 0)
        sim_fail(sim, "worker %u: %u tcp connections, %u in TIME_WAIT left", i,
                 tcp_conn_count(worker_tcp(w)), tcp_timewait_count(worker_tcp(w)));
}

/* A neighbour that is known has one; beyond that a worker has those of announcements, of TIME_WAIT
 * and of idle backend connections, which find out late that they have nothing to do. */
static void check_timers(struct sim_box *b)
{
    uint64_t timers = sim_box_stat(b, STAT_core_timers_now);
    uint64_t neighbours = sim_box_stat(b, STAT_net_neighbours_now);
    if (timers < neighbours || timers > neighbours + 3 * b->n_workers)
        sim_fail(b->sim, "%lu timers are armed, %lu neighbours are known", timers, neighbours);
}

static void check_counters(struct sim_box *b)
{
    uint64_t sums[STAT_COUNT];
    char fault[128];
    for (unsigned id = 0; id < STAT_COUNT; id++)
        sums[id] = sim_box_stat(b, id);
    if (!balance_is_right(sums, fault, sizeof(fault)))
        sim_fail(b->sim, "%s", fault);
    check_timers(b);
    for (unsigned id = 0; id < STAT_COUNT; id++) {
        if (is_gauge_of_life(id) && sim_box_stat(b, id) != 0)
            sim_fail(b->sim, "%s is %lu", stat_name(id), sim_box_stat(b, id));
    }
}

/* Old images and endpoint lists are held by nobody. */
static void check_whole(struct sim_box *b)
{
    generation_set_reap(b->generations);
    if (generation_live_count(b->generations) != 1)
        sim_fail(b->sim, "%u images are still pinned", generation_live_count(b->generations));
    if (endpoint_table_reap(b->endpoints) != 0)
        sim_fail(b->sim, "endpoint lists are still held");
    check_counters(b);
}

void sim_box_check(struct sim_box *b)
{
    for (unsigned i = 0; i < b->n_workers; i++)
        check_worker(b, i);
    check_whole(b);
}

void sim_box_dump(const struct sim_box *b)
{
    static char text[65536];
    for (unsigned i = 0; i < b->n_workers; i++) {
        tcp_dump(worker_tcp(b->workers[i]), text, sizeof(text));
        fputs(text, stdout);
    }
    for (unsigned id = 0; id < STAT_COUNT; id++) {
        if (sim_box_stat(b, id) != 0)
            printf("    %s %lu\n", stat_name(id), sim_box_stat(b, id));
    }
}

void sim_box_free(struct sim_box *b)
{
    sim_crypto_stop(&b->crypto);
    for (unsigned i = 0; i < b->n_workers; i++)
        worker_free(b->workers[i]);
    sim_watch_free(&b->watch);
    sim_crypto_free(&b->crypto);
    endpoint_table_free(b->endpoints);
    generation_set_free(b->generations);
    rcu_free(b->rcu);
    port_hub_free(b->hub);
    sim_keys_end(b);
    tls_tickets_free(b->tickets);
    free(b->stats);
    free(b->routes);
}
