/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack after attack beside the same honest clients, each compared with a run in which nobody
 * attacks: how many honest requests were served, how long they took, what the appliance had to
 * give. A test an attack: every honest request is answered as planned, byte by byte, and the
 * slowest of them no later than LATE_US after what it took in peace.
 */
#include "attack.h"

#include "base/container.h"
#include "base/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_SESSIONS 8u
#define KEPT_REQUESTS 40u
#define NEW_SESSIONS 48u /* connections that open while it goes on */
#define NEW_REQUESTS 2u
#define THINK_MS 100u
#define HONEST_CONNS_MAX 1024u
#define STEP_US 500u /* that a step of a handshake takes the worker: a signature by RSA */
/* TLS_OWING_MAX handshakes and TLS_DUE_MAX that wait for their turn, of 53 KB each. */
#define HEAP_BYTES_MAX 435000000u
#define LATE_US 500000u /* two losses in a row on a LAN, and less than the second of a lost SYN */

struct figures {
    unsigned served;
    unsigned asked;
    uint64_t median_us;
    uint64_t worst_us;
    uint64_t worst_tls_us; /* of those by TLS */
    uint64_t hands_us;     /* from the SYN to shaken hands, the slowest of these */
    uint64_t counters[STAT_COUNT];
    uint64_t box_cpu_ns;
    struct sim_result result;
};

static struct attack attack;

/* Half of them by TLS, where there is any; of either half every other by HTTP/2. */
static void add_session(struct sim_plan *p, uint32_t requests, uint64_t start_us)
{
    struct sim_session *s = &p->sessions[p->n_sessions++];
    *s = (struct sim_session){.first_request = p->n_requests,
                              .n_requests = requests,
                              .is_ip6 = p->n_sessions % 3 == 0,
                              .is_h2 = p->n_sessions % 4 == 0,
                              .is_tls = p->tls.is_on && p->n_sessions / 2 % 2 == 1,
                              .pipeline = 1,
                              .start_us = start_us,
                              .think_ms = THINK_MS};
    for (uint32_t i = 0; i < requests; i++) {
        p->requests[p->n_requests] = (struct sim_request){.id = p->n_requests,
                                                          .method = "GET",
                                                          .target = SIM_TARGET_group_a,
                                                          .down_mode = SIM_BODY_LENGTH,
                                                          .down_bytes = 100 + 3000 * (i % 8)};
        p->n_requests++;
    }
}

/* Honest clients before, during and after; the last request is the attacker's. */
static void make_plan(struct sim_plan *p, const struct attack *a, bool has_tls)
{
    bool is_upload = a != NULL && a->name == ATTACK_tiny_segments;
    bool is_hanging = a != NULL && a->name == ATTACK_hanging;
    *p = (struct sim_plan){.seed = 1,
                           .world = SIM_WORLD_steady,
                           .workers = 1,
                           .box_queues = 1,
                           .conns_max = HONEST_CONNS_MAX + (a == NULL ? 0 : a->n_conns),
                           .n_clients = 1,
                           .n_backends = 2,
                           .host_window_bytes = 65536,
                           .host_buffer_bytes = 16384,
                           .measures_cpu = true,
                           .tls = {.is_on = has_tls,
                                   .has_tickets = has_tls,
                                   .asks_clients = a != NULL && a->name == ATTACK_tls_certificates,
                                   .step_us = STEP_US},
                           .span_us = ATTACK_END_US};
    for (unsigned i = 0; i < array_len(p->wires); i++)
        p->wires[i] = (struct sim_wire_plan){.delay_us = 50, .grain_us = 100};
    for (unsigned i = 0; i < KEPT_SESSIONS; i++)
        add_session(p, KEPT_REQUESTS, ATTACK_PEACE_US + 1000 * i);
    for (unsigned i = 0; i < NEW_SESSIONS; i++)
        add_session(p, NEW_REQUESTS,
                    ATTACK_PEACE_US + i * ((ATTACK_END_US - ATTACK_PEACE_US) / NEW_SESSIONS));
    p->requests[p->n_requests] =
        (struct sim_request){.id = p->n_requests,
                             .method = is_upload ? "POST" : "GET",
                             .target = SIM_TARGET_group_a,
                             .up_mode = is_upload ? SIM_BODY_LENGTH : SIM_BODY_NONE,
                             .up_bytes = is_upload ? ATTACK_BODY_BYTES : 0,
                             .order = is_hanging ? SIM_ORDER_hang : SIM_ORDER_answer,
                             .down_mode = SIM_BODY_LENGTH,
                             .down_bytes = ATTACK_BODY_BYTES};
    p->n_requests++;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void raise64(uint64_t *high, uint64_t now)
{
    *high = now > *high ? now : *high;
}

/* A session by TLS: how long did hands and requests take? */
static void look_at_session(const struct sim_plan *done, const struct sim_session *s,
                            struct figures *f)
{
    const struct sim_request *first = &done->requests[s->first_request];
    if (!s->is_tls)
        return;
    raise64(&f->hands_us, first->begun_us - s->start_us - SIM_START_US);
    for (unsigned i = 0; i < s->n_requests; i++)
        raise64(&f->worst_tls_us, first[i].took_us);
}

static void run(struct attack *a, bool has_tls, struct figures *f)
{
    static struct sim_plan plan;
    uint64_t took[SIM_REQUESTS_MAX];
    make_plan(&plan, a, has_tls);
    *f = (struct figures){.asked = plan.n_requests - 1};
    sim_run_plan(&plan, a == NULL ? NULL : &a->stranger, &f->result);
    const struct sim_plan *done = sim_last_plan();
    for (unsigned i = 0; i < f->asked; i++) {
        if (done->requests[i].outcome == SIM_OUTCOME_complete)
            took[f->served++] = done->requests[i].took_us;
    }
    qsort(took, f->served, sizeof(took[0]), compare);
    if (f->served > 0) {
        f->median_us = took[f->served / 2];
        f->worst_us = took[f->served - 1];
    }
    for (unsigned i = 0; i < done->n_sessions; i++)
        look_at_session(done, &done->sessions[i], f);
    for (unsigned id = 0; id < STAT_COUNT; id++)
        f->counters[id] = sim_last_stat(id);
    f->box_cpu_ns = sim_last_box_cpu_ns();
}

/* Counters of drops, limits and ends that are not what they were in peace. */
static void print_counters(const struct figures *peace, const struct figures *f)
{
    static const char *const kinds[] = {
        "drop",    "limit", "evict",    "short",  "no_",  "refused", "cookie",   "challenge",
        "ignored", "end_",  "conflict", "pruned", "shed", "rto",     "fragment", "tls_"};
    for (unsigned id = 0; id < STAT_COUNT; id++) {
        bool is_told = false;
        for (unsigned k = 0; k < array_len(kinds); k++)
            is_told |= strstr(stat_name(id), kinds[k]) != NULL;
        if (is_told && f->counters[id] != peace->counters[id])
            printf("    %-34s %" PRIu64 " (%" PRIu64 ")\n", stat_name(id), f->counters[id],
                   peace->counters[id]);
    }
}

static void print_figures(const struct figures *f)
{
    printf("  served %u of %u, latency median %" PRIu64 " us, worst %" PRIu64 " us", f->served,
           f->asked, f->median_us, f->worst_us);
    if (f->hands_us > 0)
        printf("; by TLS %" PRIu64 " us, and handshakes %" PRIu64 " us", f->worst_tls_us,
               f->hands_us);
    puts("");
}

/* What the attack cost, and what it got. */
static void print_attack(const struct figures *peace, const struct figures *f)
{
    uint64_t polls = f->counters[STAT_core_polls_busy] - peace->counters[STAT_core_polls_busy];
    printf("  %" PRIu64 " packets of attack, %" PRIu64
           " sent to the attacker; %.3f rounds and about "
           "%.0f ns a packet\n",
           attack.n_sent, attack.n_received, (double)polls / (double)attack.n_sent,
           ((double)f->box_cpu_ns - (double)peace->box_cpu_ns) / (double)attack.n_sent);
    printf("  packet buffers left at least %u of %u, connections at most %u, half open %u\n",
           attack.mbufs_low, SIM_BOX_MBUFS, attack.conns_high, attack.half_open_high);
    const struct proxy_counts *high = &attack.proxy_high;
    printf("  the proxy: at most %u connections, %u requests, %u head buffers; %" PRIu64
           " bytes in use, %.0f a connection\n",
           high->conns, high->exchanges, high->head_bufs, high->held_bytes,
           (double)high->held_bytes / (high->conns + (high->conns == 0)));
    if (attack_is_tls(attack.name))
        printf("  from the heap: at most %.0f KB more than before, %.0f bytes a connection\n",
               (double)(attack.heap_high - attack.heap_before) / 1e3,
               (double)(attack.heap_high - attack.heap_before) /
                   (high->conns + (high->conns == 0)));
    print_counters(peace, f);
}

static bool judge(enum attack_name name, const struct figures *peace)
{
    static const char *const helps[] = {
#define X(n, rate, conns, help) #n ": " help,
        ATTACK_LIST(X)
#undef X
    };
    struct figures f;
    attack_init(&attack, name);
    run(&attack, attack_is_tls(name), &f);
    if (attack_is_tls(name))
        attack_tls_end();
    printf("%s\n", helps[name]);
    print_figures(&f);
    print_attack(peace, &f);
    bool is_served = f.served == f.asked;
    bool is_bounded = attack.heap_high - attack.heap_before <= HEAP_BYTES_MAX;
    bool is_prompt =
        f.worst_us <= peace->worst_us + LATE_US && f.hands_us <= peace->hands_us + LATE_US;
    if (!f.result.is_good)
        printf("  FAILED: %s\n", f.result.failure);
    else if (!is_bounded)
        printf("  FAILED: the heap has grown\n");
    else if (!is_served || !is_prompt)
        printf("  FAILED: honest clients were %s\n", is_served ? "served late" : "not served");
    fflush(stdout);
    return f.result.is_good && is_served && is_prompt && is_bounded;
}

/* The attack of this name; ATTACK_COUNT: there is none. */
static enum attack_name find(const char *name)
{
    static const char *const names[] = {
#define X(n, rate, conns, help) #n,
        ATTACK_LIST(X)
#undef X
    };
    unsigned i = 0;
    while (i < ATTACK_COUNT && strcmp(names[i], name) != 0)
        i++;
    return i;
}

int main(int argc, char **argv)
{
    struct figures peace, peace_tls;
    unsigned failed = 0;
    unsigned ran = 0;
    enum attack_name only = argc > 2 ? find(argv[2]) : ATTACK_COUNT;
    if (argc > 1 && (only == ATTACK_COUNT || strcmp(argv[1], "--only") != 0)) {
        fprintf(stderr, "usage: attacks [--only NAME]\n");
        return 2;
    }
    sim_env_init();
    run(NULL, false, &peace);
    printf("nobody attacks\n");
    print_figures(&peace);
    run(NULL, true, &peace_tls);
    printf("nobody attacks, and half of the honest clients speak TLS\n");
    print_figures(&peace_tls);
    for (unsigned name = 0; name < ATTACK_COUNT; name++) {
        if (argc > 1 && name != only)
            continue;
        ran++;
        failed += !judge(name, attack_is_tls(name) ? &peace_tls : &peace);
    }
    printf("attacks: %u passed, %u failed\n", ran - failed, failed);
    return failed == 0 ? 0 : 1;
}
