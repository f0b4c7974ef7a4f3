/* SPDX-License-Identifier: Apache-2.0 */
/* How connections that were passed on ended. */
#include "base/container.h"
#include "sim.h"
#include "sim_pass.h"

/* May it have ended otherwise than planned? */
static bool is_excused(const struct sim *s, const struct sim_pass_plan *p)
{
    if (s->plan.is_short || p->order != SIM_PASS_answer || (s->plan.moves_vip6 && p->is_ip6))
        return true;
    /* Who is told by nobody that an endpoint is not there does not look for another. */
    bool is_forwarded = p->kind == SIM_PASS_tcp && s->plan.passes.forwarded;
    if (is_forwarded && s->plan.has_dead_ends)
        return true;
    bool is_shaken = p->kind == SIM_PASS_ended || (s->plan.tls.groups >> SIM_GROUP_ENDED & 1) != 0;
    return is_shaken && !s->plan.is_calm && sim_box_stat(&s->box, STAT_proxy_tls_slow) > 0;
}

static void check_one(struct sim *s, const struct sim_pass *p)
{
    unsigned id = p->plan->id;
    if (!p->is_over)
        sim_fail(s, "connection %u has no end", id);
    if (p->is_complete && p->plan->order != SIM_PASS_answer)
        sim_fail(s, "connection %u was not reset", id);
    if (p->is_complete && !p->is_back_done && !is_excused(s, p->plan))
        sim_fail(s, "connection %u is complete, but not for its backend", id);
    if (!p->is_complete && !is_excused(s, p->plan))
        sim_fail(s, "connection %u (%s) is not complete", id, sim_pass_kind_name(p->plan->kind));
}

/* Bytes that the client says, and is told. */
static uint64_t up_bytes(const struct sim_pass_plan *p)
{
    return SIM_PASS_HEAD_BYTES + (uint64_t)p->up_bytes;
}

static uint64_t down_bytes(const struct sim *s, const struct sim_pass_plan *p)
{
    return (s->plan.passes.greets ? SIM_PASS_HEAD_BYTES : 0) + (uint64_t)p->down_bytes;
}

static void expect(struct sim *s, enum stat_id id, uint64_t wanted)
{
    if (sim_box_stat(&s->box, id) != wanted)
        sim_fail(s, "%s is %lu, not %lu", stat_name(id), sim_box_stat(&s->box, id), wanted);
}

/* Where nothing is lost, each is in the counter that its plan says, and no byte is missing or too
 * many; what is passed on as it came has those of TLS around it. */
static void check_books(struct sim *s)
{
    static const enum stat_id ends[] = {[SIM_PASS_answer] = STAT_proxy_l4_end_complete,
                                        [SIM_PASS_reset_front] = STAT_proxy_l4_end_client,
                                        [SIM_PASS_reset_back] = STAT_proxy_l4_end_backend};
    uint64_t wanted[array_len(ends)] = {0}, up = 0, down = 0, flows = 0;
    bool is_exact = true;
    for (unsigned i = 0; i < s->plan.passes.n; i++) {
        const struct sim_pass_plan *p = &s->plan.passes.all[i];
        if (p->kind == SIM_PASS_tcp && s->plan.passes.forwarded) {
            flows++;
            continue;
        }
        wanted[p->order]++;
        up += up_bytes(p);
        down += down_bytes(s, p);
        is_exact &= p->order == SIM_PASS_answer && p->kind != SIM_PASS_passed;
    }
    for (unsigned i = 0; i < array_len(ends); i++)
        expect(s, ends[i], wanted[i]);
    expect(s, STAT_proxy_l4_begun, s->plan.passes.n - flows);
    expect(s, STAT_l4_opened_tcp, flows);
    expect(s, STAT_l4_end_closed, flows);
    expect(s, STAT_l4_tx,
           sim_box_stat(&s->box, STAT_l4_rx_fast) + sim_box_stat(&s->box, STAT_l4_rx_slow) -
               sim_box_stat(&s->box, STAT_l4_answered) -
               sim_box_stat(&s->box, STAT_l4_drop_too_big));
    if (s->plan.passes.has_cookies && s->plan.passes.half_open_max == 0)
        expect(s, STAT_l4_cookies_accepted, flows);
    if (is_exact) {
        expect(s, STAT_proxy_l4_bytes_up, up);
        expect(s, STAT_proxy_l4_bytes_down, down);
    }
}

void sim_pass_check(struct sim *s)
{
    for (unsigned i = 0; i < s->plan.passes.n; i++)
        check_one(s, &s->passes[i]);
    if (s->plan.is_calm && s->wires.n_full == 0)
        check_books(s);
}
