/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are passed on: which, when, and how they end; and datagrams. Pure. */
#include "sim_plan_pass.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"
#include "sim_world.h"

#define CARRIED_MTU_MIN 1340u /* 1,280 bytes, and GUE in IPv6 */

const char *sim_pass_kind_name(enum sim_pass_kind kind)
{
    static const char *const names[] = {SIM_PASS_KIND_LIST(X_NAME)};
    ASSERT((unsigned)kind < array_len(names));
    return names[kind];
}

const char *sim_pass_order_name(enum sim_pass_order order)
{
    static const char *const names[] = {SIM_PASS_ORDER_LIST(X_NAME)};
    ASSERT((unsigned)order < array_len(names));
    return names[order];
}

const char *sim_way_name(enum sim_way way)
{
    static const char *const names[] = {SIM_WAY_LIST(X_NAME)};
    ASSERT((unsigned)way < array_len(names));
    return names[way];
}

static uint32_t body_bytes(struct rng *r)
{
    return sim_one_in(r, 8)   ? 0
           : sim_one_in(r, 8) ? sim_between(r, 0, 200000)
                              : sim_between(r, 0, 20000);
}

static void plan_one(struct sim_plan *p, struct rng *r)
{
    struct sim_pass_plan *q = &p->passes.all[p->passes.n];
    *q = (struct sim_pass_plan){.id = p->passes.n++,
                                .kind = rng_below(r, SIM_PASS_KINDS),
                                .order = sim_one_in(r, 4) ? rng_below(r, SIM_PASS_ORDERS) : 0,
                                .late = rng_below(r, SIM_PASS_LATES),
                                .client = rng_below(r, p->n_clients),
                                .is_ip6 = sim_one_in(r, 3),
                                .is_tls12 = sim_one_in(r, 4),
                                .start_us = rng_below(r, (uint32_t)p->span_us),
                                .piece_bytes = sim_one_in(r, 3) ? sim_between(r, 1, 200) : 0,
                                .read_pace = sim_one_in(r, 6) ? sim_between(r, 200, 20000) : 0,
                                .up_bytes = body_bytes(r),
                                .down_bytes = body_bytes(r)};
    if (q->read_pace > 0)
        q->down_bytes %= 20000; /* or it takes for ever */
    if (q->order == SIM_PASS_answer)
        return;
    /* Something came before: else the appliance may never hear of the connection. */
    uint32_t *bytes = q->order == SIM_PASS_reset_back ? &q->up_bytes : &q->down_bytes;
    *bytes += *bytes == 0;
    q->order_at = sim_between(r, 1, *bytes);
}

/* Those at the ends agree on ECN by themselves then, whatever the appliance has, and marks come to
 * the one LAN by the other: their books would not balance. */
static bool may_forward(const struct sim_plan *p)
{
    bool is_marked = false;
    for (unsigned i = 0; i < array_len(p->wires); i++)
        is_marked |= p->wires[i].mark > 0 || p->wires[i].mark_over > 0;
    return !is_marked && (p->no_ecn == 0 || p->no_ecn == UINT32_MAX);
}

/* Half of the runs by NAT. */
static void plan_way(struct sim_plan *p)
{
    struct rng r = {p->seed ^ 0x776179};
    p->way = sim_one_in(&r, 2) ? SIM_WAY_NAT : sim_one_in(&r, 2) ? SIM_WAY_IPIP : SIM_WAY_GUE;
    p->is_carried = p->way != SIM_WAY_NAT && (p->passes.forwarded || p->asks.n > 0);
    /* Of IPv6 nobody can be made to send less than 1,280 bytes, nor does a silent hop say that more
     * is around them: whoever sets up tunnels sees to it. */
    if (p->is_carried && p->wires[1].is_silent && p->wires[1].path_mtu < CARRIED_MTU_MIN)
        p->wires[1].path_mtu = CARRIED_MTU_MIN;
}

static void plan_ask(struct sim_plan *p, struct rng *r, bool rests)
{
    struct sim_ask_plan *a = &p->asks.all[p->asks.n];
    *a = (struct sim_ask_plan){.id = p->asks.n++,
                               .client = rng_below(r, p->n_clients),
                               .is_ip6 = sim_one_in(r, 3),
                               .start_us = rng_below(r, (uint32_t)p->span_us),
                               .pause_us = sim_between(r, 1, sim_one_in(r, 4) ? 2000000 : 50000),
                               .n_questions = sim_between(r, 1, SIM_QUESTIONS_MAX)};
    /* As long as a packet can be, with and without room for what is put around it; or any. */
    uint32_t most = 1500 - (a->is_ip6 ? 48 : 28);
    a->bytes = sim_one_in(r, 3)   ? most
               : sim_one_in(r, 3) ? sim_between(r, 1100, most)
                                  : sim_between(r, SIM_QUESTION_BYTES_MIN, most);
    if (!rests || !sim_one_in(r, 2))
        return;
    a->n_questions = sim_between(r, 1, 5);
    a->pause_us = sim_between(r, 11000000, 14000000);
}

void sim_plan_asks(struct sim_plan *p, bool rests)
{
    struct rng r = {p->seed ^ 0x61736b};
    if (!sim_one_in(&r, 4))
        return;
    uint32_t n = sim_between(&r, 1, SIM_ASKS_MAX);
    while (p->asks.n < n)
        plan_ask(p, &r, rests);
    plan_way(p);
}

void sim_plan_passes(struct sim_plan *p)
{
    struct rng r = {p->seed ^ 0x706173736564};
    if (!sim_one_in(&r, 5))
        return;
    p->tls.is_on = true; /* two of the three kinds need it */
    p->passes.greets = sim_one_in(&r, 3);
    p->passes.forwarded = sim_one_in(&r, 2) && may_forward(p);
    plan_way(p);
    if (p->passes.forwarded && p->is_carried)
        p->is_calm = false; /* a client finds out how much is put around its packets */
    if (sim_one_in(&r, 3))
        p->tls.groups |= 1u << SIM_GROUP_ENDED;
    uint32_t n = sim_between(&r, 1, sim_one_in(&r, 6) ? SIM_PASSES_MAX : 6);
    while (p->passes.n < n)
        plan_one(p, &r);
    for (uint32_t i = 0; i < p->n_sessions; i++)
        p->sessions[i].uses_mix = p->sessions[i].is_tls && sim_one_in(&r, 2);
    p->passes.has_cookies = p->passes.forwarded && sim_one_in(&r, 2);
    p->passes.half_open_max = sim_one_in(&r, 3) ? sim_between(&r, 1, 2) : 0;
}
