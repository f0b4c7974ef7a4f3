/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run: time moves from event to event, and stands still while anybody has something to do. Ends
 * when every session is over and the appliance is empty; then the invariants are checked.
 */
#include "sim.h"

#include "base/assert.h"
#include "sim_chance.h"
#include "sim_congestion.h"
#include "sim_mark.h"

#include <rte_mempool.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct sim sim; /* the run under way: there is one at a time */
static uint64_t last_counters[STAT_COUNT];
static uint64_t last_box_cpu_ns;

/* No session may stand still for longer than all timeouts on the way together. */
#define PATIENCE_US (300ull * 1000000)

void sim_fail(struct sim *s, const char *format, ...)
{
    va_list args;
    if (sim_has_failed(s))
        return;
    int n = snprintf(s->failure, sizeof(s->failure),
                     "at %.6f s: ", (double)(s->now_us - SIM_START_US) / 1e6);
    va_start(args, format);
    vsnprintf(s->failure + n, sizeof(s->failure) - (size_t)n, format, args);
    va_end(args);
}

void sim_note(struct sim *s, const char *format, ...)
{
    va_list args;
    if (!s->is_verbose)
        return;
    printf("  %11.6f  ", (double)(s->now_us - SIM_START_US) / 1e6);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void sim_session_ended(struct sim *s)
{
    ASSERT(s->n_open > 0);
    s->n_open--;
}

static bool listen_nowhere(void *owner, const struct ip_addr *local, uint16_t port,
                           struct tcp_listening *ret)
{
    return false;
}

static bool listen_backend(void *owner, const struct ip_addr *local, uint16_t port,
                           struct tcp_listening *ret)
{
    const struct sim_host *h = owner;
    const struct sim_plan *plan = &h->sim->plan;
    const struct {
        uint16_t port;
        enum sim_bind bind;
        bool is_there;
    } all[] = {{SIM_BACKEND_PORT, SIM_BIND_H1, true},
               {SIM_BACKEND_H2_PORT, SIM_BIND_H2, h->h2 != NULL},
               {SIM_BACKEND_TLS_PORT, SIM_BIND_TLS, plan->tls.groups != 0},
               {SIM_RAW_PORT, SIM_BIND_RAW, plan->passes.n > 0},
               {SIM_TCP_PORT, SIM_BIND_RAW, plan->is_carried}, /* as it came */
               {SIM_RAW_TLS_PORT, SIM_BIND_RAW_TLS, plan->passes.n > 0},
               {SIM_PASSED_PORT, SIM_BIND_PASSED, plan->passes.n > 0},
               {SIM_LIAR_PORT, SIM_BIND_LIAR, plan->tls.groups != 0}};
    ret->congestion = sim_congestion_of(plan, h->number);
    for (unsigned i = 0; i < array_len(all); i++) {
        ret->bind = all[i].bind;
        if (all[i].port == port)
            return all[i].is_there;
    }
    return false;
}

/* There is no room for it. */
static bool turn_away(struct stream *s)
{
    stream_abort(s);
    stream_release(s);
    return false;
}

/* Hands are shaken: ALPN says what follows. */
static bool accept_tls(struct sim_host *h, struct stream *s)
{
    bool is_h2 = strcmp(sim_tls_alpn(s), "h2") == 0;
    return (is_h2 ? sim_h2_accept(h->h2, s) : sim_server_accept(h, s, false)) || turn_away(s);
}

static bool accept_liar(struct sim_host *h, struct stream *s)
{
    sim_fail(h->sim, "the appliance believes a certificate of another name");
    return turn_away(s);
}

static bool accept_pass(struct sim_host *h, struct stream *s)
{
    return sim_pass_accept(h, s) || turn_away(s);
}

static bool accept_backend(void *owner, struct stream *s, uint32_t bind)
{
    struct sim_host *h = owner;
    switch ((enum sim_bind)bind) {
    case SIM_BIND_TLS:
        sim_tls_accept(h, s, SIM_CERT_backend, accept_tls);
        return true;
    case SIM_BIND_RAW_TLS:
        sim_tls_accept(h, s, SIM_CERT_backend, accept_pass);
        return true;
    case SIM_BIND_PASSED:
        sim_tls_accept(h, s, SIM_CERT_pass, accept_pass);
        return true;
    case SIM_BIND_LIAR:
        sim_tls_accept(h, s, SIM_CERT_pass, accept_liar);
        return true;
    case SIM_BIND_RAW:
        return sim_pass_accept(h, s);
    case SIM_BIND_H2:
        return sim_h2_accept(h->h2, s);
    default:
        return sim_server_accept(h, s, false);
    }
}

static void attach(struct sim *s, bool is_box, unsigned number)
{
    const struct port_setup *setup = is_box ? sim_box_port(number) : sim_host_port(number);
    struct sim_port *p = &s->wires.ports[s->wires.n_ports++];
    p->name = sim_port_name(is_box, number);
    sim_port_attach(p->name, is_box ? s->plan.box_queues : 1, p);
    p->mac = setup->info.mac;
    p->lan = is_box ? number : number < s->plan.n_clients ? 0 : 1;
    p->has_ecn = sim_has_ecn(&s->plan, is_box ? SIM_BOX : number);
    p->mbufs = is_box ? sim_box_mbufs(s->plan.has_few_mbufs) : sim_host_mbufs();
    p->is_awake = is_box ? &s->box.is_awake : &s->hosts[number].is_awake;
}

/* The stranger's port, behind all others; on the clients' LAN. */
static void attach_stranger(struct sim *s)
{
    struct sim_stranger *x = s->stranger;
    ASSERT(x->host_port >= s->n_hosts);
    x->port = &s->wires.ports[s->wires.n_ports++];
    x->port->name = sim_port_name(false, x->host_port);
    sim_port_attach(x->port->name, 1, x->port);
    x->port->mac = sim_host_port(x->host_port)->info.mac;
    x->port->mbufs = sim_host_mbufs();
    x->port->is_awake = &x->is_awake;
    x->begin(x, s);
}

/* Chance and time of the library, which has both from the seed. */
static void begin_tls(struct sim *s)
{
    if (s->plan.tls.is_on)
        sim_certs_make();
    sim_chance_begin(s->plan.seed ^ 0x746c73);
    sim_chance_tell_time(s->now_us);
    sim_tls_init(&s->tls, s);
}

static void begin(struct sim *s)
{
    s->now_us = SIM_START_US;
    s->rng = (struct rng){s->plan.seed ^ 0x706f6c6c};
    ip_addr_parse("198.18.0.80", &s->vip4);
    ip_addr_parse("2001:db8::80", &s->vip6);
    sim_wires_init(&s->wires, s);
    begin_tls(s);
    s->n_hosts = s->plan.n_clients + s->plan.n_backends;
    for (unsigned i = 0; i < s->n_hosts; i++) {
        struct tcp_upcalls upcalls = {i < s->plan.n_clients ? listen_nowhere : listen_backend,
                                      accept_backend, &s->hosts[i]};
        attach(s, false, i);
        sim_host_new(&s->hosts[i], s, i, sim_host_port(i), &upcalls);
    }
    attach(s, true, 0);
    attach(s, true, 1);
    sim_box_new(&s->box, s);
    s->n_open = s->plan.n_sessions + s->plan.tls.n_visits + s->plan.passes.n + s->plan.asks.n;
    for (unsigned i = 0; i < s->plan.n_sessions; i++)
        sim_client_init(&s->clients[i], s, &s->plan.sessions[i]);
    for (unsigned i = 0; i < s->plan.tls.n_visits; i++)
        sim_visit_init(&s->visits[i], s, &s->plan.tls.visits[i]);
    for (unsigned i = 0; i < s->plan.passes.n; i++)
        sim_pass_init(&s->passes[i], s, &s->plan.passes.all[i]);
    for (unsigned i = 0; i < s->plan.asks.n; i++)
        sim_ask_init(&s->asks[i], s, &s->plan.asks.all[i]);
    sim_crowd_init(&s->crowd, s);
    if (s->stranger != NULL)
        attach_stranger(s);
}

static bool poll_stranger(struct sim *s)
{
    struct sim_stranger *x = s->stranger;
    if (x == NULL || !x->is_awake)
        return false;
    x->is_awake = x->poll(x, s->now_us);
    return true;
}

/* Of this thread: for figures only. */
static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The clock is asked for only where somebody wants to know. */
static bool poll_box(struct sim *s)
{
    if (!s->plan.measures_cpu)
        return sim_box_poll(&s->box, s->now_us);
    uint64_t begin_ns = cpu_ns();
    bool did = sim_box_poll(&s->box, s->now_us);
    last_box_cpu_ns += cpu_ns() - begin_ns;
    return did;
}

/* Everybody does what there is to do now. */
static void poll_all(struct sim *s)
{
    bool did = true;
    for (unsigned round = 0; did; round++) {
        did = false;
        if (round == SIM_ROUNDS_MAX) {
            sim_fail(s, "livelock: something has to do for ever without time passing");
            return;
        }
        unsigned first = rng_below(&s->rng, s->n_hosts + 1);
        for (unsigned i = 0; i <= s->n_hosts; i++) {
            unsigned who = (first + i) % (s->n_hosts + 1);
            bool *is_awake = who == s->n_hosts ? &s->box.is_awake : &s->hosts[who].is_awake;
            if (!*is_awake || (who == s->n_hosts && s->troubles.naps > 0))
                continue;
            *is_awake = who == s->n_hosts ? poll_box(s) : sim_host_poll(&s->hosts[who], s->now_us);
            did = true;
            if (sim_has_failed(s))
                return;
        }
        did |= poll_stranger(s);
        sim_tls_reap(&s->tls);
        sim_wires_collect(&s->wires, s->now_us);
        sim_wires_deliver(&s->wires, s->now_us);
    }
    if (s->stranger != NULL)
        s->stranger->look(s->stranger);
}

/* Moves the clock to the next event and wakes whom it concerns. False: nothing will ever happen. */
static bool advance(struct sim *s)
{
    uint64_t next = sim_wires_next_us(&s->wires);
    uint64_t box = s->troubles.naps > 0 ? UINT64_MAX : sim_box_next_us(&s->box);
    uint64_t trouble = sim_trouble_next_us(s);
    next = box < next ? box : next;
    uint64_t stranger = s->stranger == NULL ? UINT64_MAX : s->stranger->next_us(s->stranger);
    next = trouble < next ? trouble : next;
    next = stranger < next ? stranger : next;
    for (unsigned i = 0; i < s->n_hosts; i++) {
        uint64_t host = sim_host_next_us(&s->hosts[i]);
        next = host < next ? host : next;
    }
    if (next == UINT64_MAX)
        return false;
    if (next > s->now_us)
        s->now_us = next;
    else
        s->now_us++; /* a timer that is due was left over by a budget */
    sim_chance_tell_time(s->now_us);
    s->box.is_awake = box <= s->now_us;
    for (unsigned i = 0; i < s->n_hosts; i++)
        s->hosts[i].is_awake = sim_host_next_us(&s->hosts[i]) <= s->now_us;
    if (s->stranger != NULL)
        s->stranger->is_awake |= stranger <= s->now_us;
    sim_trouble_poll(s);
    sim_wires_deliver(&s->wires, s->now_us);
    s->steps++;
    return true;
}

static void check_progress(struct sim *s)
{
    for (unsigned i = 0; i < s->plan.n_sessions; i++) {
        const struct sim_client *c = &s->clients[i];
        uint64_t begin_us = SIM_START_US + c->plan->start_us;
        uint64_t since = c->progress_us > begin_us ? c->progress_us : begin_us;
        if (!c->is_over && s->now_us > since + PATIENCE_US) {
            sim_fail(s, "session %u stands still at request %u", i,
                     c->plan->first_request + c->next_answer);
            return;
        }
    }
    for (unsigned i = 0; i < s->plan.passes.n; i++) {
        const struct sim_pass *p = &s->passes[i];
        uint64_t begin_us = SIM_START_US + p->plan->start_us;
        uint64_t since = p->progress_us > begin_us ? p->progress_us : begin_us;
        if (!p->is_over && s->now_us > since + PATIENCE_US)
            sim_fail(s, "connection %u stands still", i);
    }
}

/* Until all sessions are over. */
static void run_sessions(struct sim *s)
{
    while (s->n_open > 0 && !sim_has_failed(s)) {
        poll_all(s);
        if (s->n_open == 0 || sim_has_failed(s))
            break;
        if (s->steps % SIM_DEEP_STEPS == 0)
            sim_check_deep(s);
        if (!advance(s))
            sim_fail(s, "sessions are open and nothing will ever happen");
        if (s->now_us > SIM_START_US + SIM_RUN_US_MAX)
            sim_fail(s, "the run takes too long");
        if (s->steps % 1024 == 0)
            check_progress(s);
    }
}

static bool hosts_are_empty(const struct sim *s)
{
    for (unsigned i = 0; i < s->n_hosts; i++) {
        const struct sim_host *h = &s->hosts[i];
        if (tcp_conn_count(h->tcp) > 0 || (h->h2 != NULL && !sim_h2_is_empty(h->h2)))
            return false;
    }
    return true;
}

/* Until the appliance is empty, on perfect wires. */
static void run_down(struct sim *s)
{
    uint64_t end_us = s->now_us + SIM_DRAIN_US_MAX;
    s->wires.is_perfect = true;
    sim_trouble_end(s);
    sim_box_settle(&s->box);
    for (;;) {
        poll_all(s);
        bool is_empty = sim_box_is_empty(&s->box) && hosts_are_empty(s) && s->wires.n_heap == 0;
        if (is_empty || sim_has_failed(s) || s->now_us > end_us || !advance(s))
            break;
    }
}

static void check_pools(struct sim *s)
{
    struct rte_mempool *pools[] = {sim_box_mbufs(s->plan.has_few_mbufs), sim_host_mbufs()};
    static const char *const names[] = {"the appliance", "the hosts"};
    for (unsigned i = 0; i < 2; i++) {
        unsigned left = rte_mempool_in_use_count(pools[i]);
        if (left > 0)
            sim_fail(s, "%u packet buffers of %s are lost", left, names[i]);
    }
}

/* The connections of a host. */
static void dump_conns(const struct tcp *t)
{
    static char text[65536];
    tcp_dump(t, text, sizeof(text));
    fputs(text, stdout);
}

/* Everybody's counters that are not 0, and connections. */
static void dump(const struct sim *s)
{
    printf("  the appliance\n");
    sim_box_dump(&s->box);
    for (unsigned i = 0; i < s->n_hosts; i++) {
        printf("  host %u\n", i);
        dump_conns(s->hosts[i].tcp);
        for (unsigned id = 0; id < STAT_COUNT; id++) {
            if (s->hosts[i].stats.counters[id] != 0)
                printf("    %s %lu\n", stat_name(id), s->hosts[i].stats.counters[id]);
        }
    }
}

static void end(struct sim *s)
{
    sim_trouble_end(s);
    for (unsigned i = 0; i < s->plan.n_sessions; i++)
        sim_client_stop(&s->clients[i]);
    for (unsigned i = 0; i < s->plan.tls.n_visits; i++)
        sim_visit_stop(&s->visits[i]);
    for (unsigned i = 0; i < s->plan.passes.n; i++)
        sim_pass_stop(&s->passes[i]);
    for (unsigned i = 0; i < s->plan.asks.n; i++)
        sim_ask_stop(&s->asks[i]);
    sim_crowd_stop(&s->crowd);
    if (s->is_verbose)
        dump(s);
    for (unsigned id = 0; id < STAT_COUNT; id++)
        last_counters[id] = sim_box_stat(&s->box, id);
    sim_box_free(&s->box);
    for (unsigned i = 0; i < s->n_hosts; i++)
        sim_host_free(&s->hosts[i]);
    sim_tls_free(&s->tls);
    for (unsigned i = 0; i < s->wires.n_ports; i++)
        sim_port_attach(s->wires.ports[i].name, s->wires.ports[i].queues, &s->wires.ports[i]);
    check_pools(s);
}

static void sum_up(const struct sim *s, struct sim_result *ret)
{
    *ret = (struct sim_result){.is_good = !sim_has_failed(s),
                               .digest = s->wires.digest,
                               .virtual_us = s->now_us - SIM_START_US,
                               .steps = s->steps,
                               .frames = s->wires.n_delivered,
                               .world = s->plan.world};
    for (uint32_t i = 0; i < s->plan.n_requests; i++)
        ret->outcomes[s->plan.requests[i].outcome]++;
    memcpy(ret->failure, s->failure, sizeof(ret->failure));
}

enum sim_world sim_world_now(void)
{
    return sim.plan.world;
}

const struct sim_plan *sim_last_plan(void)
{
    return &sim.plan;
}

uint64_t sim_last_stat(enum stat_id id)
{
    return last_counters[id];
}

uint64_t sim_last_box_cpu_ns(void)
{
    return last_box_cpu_ns;
}

/* An empty run; the frames' memory is kept from run to run. */
static void clear(void)
{
    struct sim_frame *frames = sim.wires.frames;
    memset(&sim, 0, sizeof(sim));
    sim.wires.frames = frames;
    last_box_cpu_ns = 0;
}

static void run(struct sim_result *ret)
{
    begin(&sim);
    run_sessions(&sim);
    if (!sim_has_failed(&sim))
        run_down(&sim);
    if (!sim_has_failed(&sim))
        sim_check(&sim);
    end(&sim);
    sum_up(&sim, ret);
}

void sim_run_plan(const struct sim_plan *plan, struct sim_stranger *stranger,
                  struct sim_result *ret)
{
    clear();
    sim.plan = *plan;
    sim.stranger = stranger;
    run(ret);
}

void sim_run(uint64_t seed, enum sim_world world, bool is_verbose, struct sim_result *ret)
{
    clear();
    sim.is_verbose = is_verbose;
    sim_plan_make(&sim.plan, seed, world);
    run(ret);
}
