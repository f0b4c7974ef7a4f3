/* SPDX-License-Identifier: Apache-2.0 */
/* What became of questions by datagrams. */
#include "sim.h"

#define AROUND_MAX 60u /* bytes that a packet gains at most: GUE in IPv6; or by another family */
#define FORGOTTEN_US 10000000u /* a flow of one question is, after */

static bool has_trouble(const struct sim_plan *p, const struct sim_wire_plan *w)
{
    return w->loss > 0 || w->corrupt > 0 || w->drops_unmarked || w->reorder_us > 1000000;
}

/* Packets that found too many others before them who wait for the same neighbour. */
static bool has_queues_full(const struct sim *s)
{
    uint64_t n = sim_box_stat(&s->box, STAT_net_drop_tx_neighbour_queue);
    for (unsigned i = 0; i < s->n_hosts; i++)
        n += s->hosts[i].stats.counters[STAT_net_drop_tx_neighbour_queue];
    return n > 0;
}

/* May any datagram be lost? */
static bool is_lossy(const struct sim *s)
{
    const struct sim_plan *p = &s->plan;
    return has_trouble(p, &p->wires[0]) || has_trouble(p, &p->wires[1]) || p->is_short ||
           p->has_dead_ends || p->n_troubles > 0 || p->crowd.n > 0 || p->mixes_queues ||
           s->wires.n_full > 0 || has_queues_full(s);
}

/* Does it fit every way for certain? */
static bool fits(const struct sim *s, const struct sim_ask *a, const struct sim_question *q)
{
    uint32_t mtu = 1500;
    for (unsigned lan = 0; lan < 2; lan++) {
        uint32_t there = s->plan.wires[lan].path_mtu;
        mtu = there > 0 && there < mtu ? there : mtu;
    }
    return q->bytes + (a->plan->is_ip6 ? 48u : 28u) + AROUND_MAX <= mtu;
}

static void check_question(struct sim *s, const struct sim_ask *a, unsigned i)
{
    const struct sim_question *q = &a->questions[i];
    bool is_doubled = s->plan.wires[0].duplicate > 0 || s->plan.wires[1].duplicate > 0;
    bool is_excused = is_lossy(s) || (s->plan.moves_vip6 && a->plan->is_ip6);
    if (!is_doubled && (q->answers > 1 || q->seen > 1))
        sim_fail(s, "question %u.%u was seen %u times, answered %u times", a->plan->id, i, q->seen,
                 q->answers);
    if (q->answers > q->seen && !is_doubled)
        sim_fail(s, "question %u.%u was answered by nobody", a->plan->id, i);
    if (q->answers > 0 || is_excused)
        return;
    bool knew = q->limit != 0 && q->limit == a->limit; /* and nobody said less later */
    bool is_limited = sim_box_stat(&s->box, STAT_net_icmp_limited) > 0;
    /* A flow's first packet goes in pieces where it is too long; its answer may not. */
    is_limited = is_limited || sim_box_stat(&s->box, STAT_net_tx_cut) > 0;
    if (fits(s, a, q) || (knew && !is_limited && !s->plan.wires[0].is_silent))
        sim_fail(s, "question %u.%u of %u bytes (told %u) has no answer", a->plan->id, i, q->bytes,
                 q->limit);
}

/* Who asks too much hears of it, unless the hop is silent. */
static void check_told(struct sim *s)
{
    unsigned unanswered = 0, told = 0;
    for (unsigned i = 0; i < s->plan.asks.n; i++) {
        const struct sim_ask *a = &s->asks[i];
        told += a->limit != 0;
        for (unsigned k = 0; k < a->n_asked; k++)
            unanswered += a->questions[k].answers == 0;
    }
    if (unanswered > 0 && told == 0 && !is_lossy(s) && !s->plan.moves_vip6 &&
        !s->plan.wires[0].is_silent)
        sim_fail(s, "%u questions have no answer, and nobody was told why", unanswered);
}

static void expect(struct sim *s, enum stat_id id, uint64_t wanted)
{
    if (sim_box_stat(&s->box, id) != wanted)
        sim_fail(s, "%s is %lu, not %lu", stat_name(id), sim_box_stat(&s->box, id), wanted);
}

/* Where nothing is lost each port is one flow, or one for each question where these are rare. */
static void check_books(struct sim *s)
{
    uint64_t flows = 0;
    for (unsigned i = 0; i < s->plan.asks.n; i++) {
        const struct sim_ask_plan *p = &s->plan.asks.all[i];
        flows += p->pause_us > FORGOTTEN_US ? p->n_questions : 1;
    }
    expect(s, STAT_l4_opened_udp, flows);
}

/* Datagrams that came to nobody's port: they were for strangers. */
static void check_strangers(struct sim *s)
{
    for (unsigned i = 0; i < s->n_hosts; i++) {
        const uint64_t *c = s->hosts[i].stats.counters;
        bool is_dead_end = s->plan.has_dead_ends && i >= s->plan.n_clients;
        if (c[STAT_net_drop_rx_udp_no_listener] > 0 && !is_dead_end)
            sim_fail(s, "host %u got datagrams that nobody wanted", i);
    }
}

void sim_ask_check(struct sim *s)
{
    for (unsigned i = 0; i < s->plan.asks.n; i++) {
        if (!s->asks[i].is_over)
            sim_fail(s, "port %u has no end", SIM_ASK_PORT + i);
        for (unsigned k = 0; k < s->asks[i].n_asked; k++)
            check_question(s, &s->asks[i], k);
    }
    check_told(s);
    check_strangers(s);
    if (s->plan.is_calm && s->plan.asks.n > 0 && s->wires.n_full == 0)
        check_books(s);
}
