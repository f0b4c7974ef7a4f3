/* SPDX-License-Identifier: Apache-2.0 */
/* Worlds. */
#include "sim_world.h"

#include "base/container.h"
#include "sim_liar.h"

/* A worker that was away for no longer than this has missed no deadline of http. */
#define NAP_HARMLESS_US 1500000u

/* A crowd rests for so long at least: a SYN that was lost three times has been answered by then. */
#define CROWD_REST_US 8000000u

struct sim_traits sim_world_traits(enum sim_world world)
{
    switch (world) {
    case SIM_WORLD_lossy:
        return (struct sim_traits){.loses = true};
    case SIM_WORLD_reorder:
        return (struct sim_traits){.reorders = true};
    case SIM_WORLD_corrupt:
        return (struct sim_traits){.corrupts = true};
    case SIM_WORLD_churn:
        return (struct sim_traits){.churns = true};
    case SIM_WORLD_idle:
        return (struct sim_traits){.rests = true};
    case SIM_WORLD_dead_ends:
        return (struct sim_traits){.has_dead_ends = true};
    case SIM_WORLD_narrow:
        return (struct sim_traits){.is_narrow = true};
    case SIM_WORLD_moves:
        return (struct sim_traits){.churns = true, .moves = true};
    case SIM_WORLD_rude:
        return (struct sim_traits){.is_rude = true};
    case SIM_WORLD_exhaustion:
        return (struct sim_traits){.is_short = true};
    case SIM_WORLD_two_workers:
        return (struct sim_traits){.has_two_workers = true};
    case SIM_WORLD_everything:
        return (struct sim_traits){true, true, true, true,  true, true, true, true, true,
                                   true, true, true, false, true, true, true, true};
    case SIM_WORLD_flows:
        return (struct sim_traits){.is_crowded = true};
    case SIM_WORLD_nic:
        return (struct sim_traits){.has_nic_trouble = true};
    case SIM_WORLD_naps:
        return (struct sim_traits){.naps = true};
    case SIM_WORLD_generations:
        return (struct sim_traits){
            .churns = true, .is_hasty = true, .loses = true, .reorders = true};
    case SIM_WORLD_liars:
        return (struct sim_traits){.lies = true, .loses = true};
    case SIM_WORLD_fragments:
        return (struct sim_traits){.cuts = true, .loses = true, .reorders = true};
    case SIM_WORLD_marks:
        return (struct sim_traits){.marks = true};
    case SIM_WORLD_black_hole:
        return (struct sim_traits){.is_narrow = true, .is_black_hole = true};
    default:
        return (struct sim_traits){0};
    }
}

void sim_plan_wire(struct sim_wire_plan *w, struct rng *r, const struct sim_traits *t)
{
    static const uint32_t grains[] = {1, 10, 50, 200};
    w->delay_us = sim_one_in(r, 4) ? sim_between(r, 1000, 30000) : sim_between(r, 5, 500);
    w->jitter_us = sim_one_in(r, 2) ? sim_between(r, 0, 50) : 0;
    w->grain_us = grains[rng_below(r, array_len(grains))];
    if (t->loses && !sim_one_in(r, 4))
        w->loss = sim_between(r, 100, sim_one_in(r, 3) ? 50000 : 10000);
    if (t->reorders) {
        w->reorder = sim_between(r, 1000, 100000);
        w->reorder_us = sim_between(r, 10, 20000);
        w->duplicate = sim_one_in(r, 2) ? sim_between(r, 100, 30000) : 0;
    }
    if (t->corrupts)
        w->corrupt = sim_between(r, 100, 20000);
    if (t->cuts)
        w->cut = sim_one_in(r, 3) ? 1000000 : sim_between(r, 1000, 300000);
    if (t->is_narrow)
        w->path_mtu = sim_between(r, 1280, 1499);
    w->is_silent = t->is_black_hole;
}

/* Few, or as many as there may be; most close by themselves, some wait for the appliance. */
void sim_plan_crowd(struct sim_plan *p, struct rng *r, const struct sim_traits *t)
{
    if (!t->is_crowded)
        return;
    struct sim_crowd_plan *c = &p->crowd;
    c->n = sim_one_in(r, 8) ? SIM_CROWD_MAX : sim_between(r, 100, 2000);
    c->open_us = rng_below(r, (uint32_t)p->span_us);
    /* A port's queue holds 1,024 frames: faster, and most SYNs are lost again and again. */
    c->open_span_us = (uint64_t)c->n * sim_between(r, 4, 100);
    c->close_us = UINT64_MAX;
    if (!sim_one_in(r, 3))
        c->close_us = c->open_us + c->open_span_us + sim_between(r, CROWD_REST_US, 60000000);
    c->close_span_us = (uint64_t)c->n * sim_between(r, 0, 50);
    bool is_tight = sim_one_in(r, 3);
    p->is_short |= is_tight;
    p->conns_max = is_tight ? sim_between(r, c->n / 2, c->n) : c->n + 2 * SIM_SESSIONS_MAX;
    c->half_open_max = sim_one_in(r, 2) ? sim_between(r, 1, 64) : 0;
    c->timewaits_max = sim_one_in(r, 2) ? sim_between(r, 1, c->n / 2) : 0;
}

static void plan_nap(struct sim_plan *p, struct rng *r, struct sim_trouble *t)
{
    t->kind = SIM_TROUBLE_nap;
    t->for_us = sim_one_in(r, 4) ? sim_between(r, NAP_HARMLESS_US, 60000000)
                                 : sim_between(r, 10000, NAP_HARMLESS_US);
    p->is_short |= t->for_us > NAP_HARMLESS_US;
}

/* A full send queue is no more than loss; without buffers anything may be refused. */
static void plan_nic_trouble(struct sim_plan *p, struct rng *r, struct sim_trouble *t)
{
    t->kind = sim_one_in(r, 2) ? SIM_TROUBLE_stall : SIM_TROUBLE_drain;
    t->for_us = sim_between(r, 10, sim_one_in(r, 4) ? 2000000 : 50000);
    t->amount = sim_one_in(r, 2) ? 0 : sim_between(r, 0, 100);
    p->is_short |= t->kind == SIM_TROUBLE_drain;
}

static void plan_lie(struct rng *r, struct sim_trouble *t)
{
    t->kind = sim_one_in(r, 2) ? SIM_TROUBLE_shrink : SIM_TROUBLE_renege;
    t->for_us = sim_between(r, 1000, 5000000);
    t->amount = t->kind == SIM_TROUBLE_renege ? sim_between(r, 1, 8)
                : sim_one_in(r, 3)            ? SIM_SHRINK_TO_NOTHING
                                              : sim_between(r, 1, 12);
}

void sim_plan_troubles(struct sim_plan *p, struct rng *r, const struct sim_traits *t)
{
    if (!t->has_nic_trouble && !t->naps && !t->lies)
        return;
    uint32_t n = sim_between(r, 1, t->naps ? 6 : SIM_TROUBLES_MAX);
    while (p->n_troubles < n) {
        struct sim_trouble *trouble = &p->troubles[p->n_troubles];
        trouble->at_us = rng_below(r, (uint32_t)p->span_us + 1000000);
        trouble->lan = rng_below(r, 2);
        switch (rng_below(r, 3)) {
        case 0:
            if (!t->naps)
                continue;
            plan_nap(p, r, trouble);
            break;
        case 1:
            if (!t->has_nic_trouble)
                continue;
            plan_nic_trouble(p, r, trouble);
            break;
        default:
            if (!t->lies)
                continue;
            plan_lie(r, trouble);
            break;
        }
        p->n_troubles++;
    }
}
