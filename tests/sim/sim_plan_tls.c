/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of a plan: who speaks it, who shakes hands for the appliance, who comes for nothing. Pure. */
#include "sim_plan_tls.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"
#include "sim_world.h"

const char *sim_visit_name(enum sim_visit_kind kind)
{
    static const char *const names[] = {SIM_VISIT_LIST(X_NAME)};
    ASSERT((unsigned)kind < array_len(names));
    return names[kind];
}

/* How a session's connections are secured. Who splits a handshake makes his connections slow. */
static void plan_session(const struct sim_tls_plan *t, struct rng *r, struct sim_session *s)
{
    s->is_tls = true;
    s->is_tls12 = sim_one_in(r, 4);
    s->is_rsa = t->has_rsa && sim_one_in(r, 2);
    s->asks_twice = !s->is_rsa && sim_one_in(r, 6);
    s->resumes = !sim_one_in(r, 3);
    s->is_curt = sim_one_in(r, 4);
    s->piece_bytes = sim_one_in(r, 6) ? sim_between(r, 1, 200) : 0;
}

static void plan_visit(struct sim_plan *p, struct rng *r)
{
    struct sim_visit_plan *v = &p->tls.visits[p->tls.n_visits++];
    *v = (struct sim_visit_plan){.kind = rng_below(r, SIM_VISIT_COUNT),
                                 .client = rng_below(r, p->n_clients),
                                 .is_ip6 = sim_one_in(r, 3),
                                 .is_tls12 = sim_one_in(r, 3),
                                 .start_us = rng_below(r, (uint32_t)p->span_us),
                                 .piece_bytes = sim_one_in(r, 4) ? sim_between(r, 1, 200) : 0};
    if (v->kind < SIM_VISIT_cut_fin)
        return;
    v->cut_flight = sim_between(r, 1, 2);
    v->cut_bytes = v->cut_flight == 1 ? sim_between(r, 1, 150) : sim_between(r, 1, 40);
}

/* Who takes steps of handshakes, and what they take. A worker that is away meanwhile lets others
 * wait: then the world is not calm. */
static void plan_steps(struct sim_plan *p, struct rng *r)
{
    struct sim_tls_plan *t = &p->tls;
    t->cores = sim_one_in(r, 2) ? sim_between(r, 1, SIM_CORES_MAX) : 0;
    t->job_us_max = sim_one_in(r, 4) ? sim_between(r, 1000, 20000) : sim_between(r, 1, 1000);
    t->step_us = t->cores == 0 && sim_one_in(r, 2) ? sim_between(r, 50, 800) : 0;
    p->is_calm &= t->step_us == 0;
}

void sim_plan_tls(struct sim_plan *p)
{
    struct rng r = {p->seed ^ 0x746c7320706c616e};
    struct sim_tls_plan *t = &p->tls;
    bool has_clients = sim_one_in(&r, 4);
    bool has_backends = sim_one_in(&r, 8);
    t->is_on = has_clients || has_backends;
    if (!t->is_on)
        return;
    if (has_backends)
        t->groups = sim_between(&r, 1, 7) << SIM_GROUP_A;
    plan_steps(p, &r);
    t->has_rsa = sim_one_in(&r, 6);
    t->has_tickets = !sim_one_in(&r, 4);
    t->rotates = sim_one_in(&r, 3);
    if (p->image_changes == 0 && sim_one_in(&r, 2))
        p->image_changes = sim_between(&r, 1, 4);
    bool are_all = sim_one_in(&r, 2);
    for (uint32_t i = 0; i < p->n_sessions && has_clients; i++) {
        if (are_all || !sim_one_in(&r, 3))
            plan_session(t, &r, &p->sessions[i]);
    }
    uint32_t visits = has_clients && sim_one_in(&r, 2) ? sim_between(&r, 1, SIM_VISITS_MAX) : 0;
    while (t->n_visits < visits)
        plan_visit(p, &r);
}
