/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_watch.h. */
#include "sim_watch.h"

#include "abi/access.h"
#include "abi/flow.h"
#include "base/assert.h"
#include "obs/hub.h"
#include "sim.h"
#include "tcp/tcp_limits.h"

#include <string.h>

#define RUNS_PER_WATCHED_ONE 4u
#define ROUNDS_BETWEEN 100u  /* about how many pass before somebody looks again */
#define ROUNDS_WATCHED 400u  /* about how many a look takes that is stopped */
#define RECORDS_AT_ONCE 200u /* that a fast reader takes in a round */

void sim_watch_new(struct sim_watch *w, struct sim *sim)
{
    const struct sim_plan *plan = &sim->plan;
    *w = (struct sim_watch){.sim = sim, .rng = {plan->seed ^ 0x7761746368}};
    if (plan->seed % RUNS_PER_WATCHED_ONE != 0 || plan->world == SIM_WORLD_steady)
        return;
    w->hub = obs_hub_new(plan->workers);
    ASSERT(w->hub != NULL);
}

static void begin(struct sim_watch *w)
{
    w->kind = OBSERVE_FLOWS + rng_below(&w->rng, OBSERVE_REQUESTS);
    w->is_whole_wanted = w->kind == OBSERVE_FLOWS && rng_below(&w->rng, 2) == 0;
    struct control_observe request = {.kind = w->kind,
                                      .workers = UINT64_MAX,
                                      .ports = UINT32_MAX,
                                      .snap_bytes = 1 + rng_below(&w->rng, 2000),
                                      .records_max = UINT64_MAX,
                                      .bytes_max = UINT64_MAX,
                                      .ms_max = 1,
                                      .one_in = rng_below(&w->rng, 3),
                                      .wants = OBSERVE_WANTS_ALL};
    w->is_on = obs_hub_begin(w->hub, &request, &w->slot);
    w->taken = 0;
}

static void check_flow(struct sim *s, const struct observe_flow *f)
{
    if (f->state >= FLOW_STATES || f->owner > FLOW_OWNER_backend)
        sim_fail(s, "a flow is told with state %u, owner %u", f->state, f->owner);
    if (f->sndq_true_bytes < f->sndq_bytes || f->rcvq_true_bytes < f->rcvq_bytes ||
        f->oooq_true_bytes < f->oooq_bytes)
        sim_fail(s, "a flow's queues are told smaller than what they hold");
    if (f->state == FLOW_ESTABLISHED &&
        f->flight_bytes + f->lost_bytes + f->sacked_bytes + f->unsent_bytes != f->sndq_bytes)
        sim_fail(s, "a flow is told with %u bytes on the way, %u lost, %u sacked, %u unsent of %u",
                 f->flight_bytes, f->lost_bytes, f->sacked_bytes, f->unsent_bytes, f->sndq_bytes);
}

/* The algorithm's own words are of one that is always paced and always lets a segment go. */
static void check_congestion(struct sim *s, const struct observe_flow *f)
{
    bool has_phase = f->congestion_phase[0] != '\0';
    if (has_phase != (f->pacing_bytes_per_s > 0) || (!has_phase && f->bandwidth_bytes_per_s > 0))
        sim_fail(s, "a flow of %s is told in phase '%s', paced at %lu", f->congestion_control,
                 f->congestion_phase, f->pacing_bytes_per_s);
    if (has_phase && (strcmp(f->congestion_control, "bbr") != 0 || f->cwnd_bytes == 0 ||
                      f->ssthresh_bytes != TCP_CWND_BYTES_MAX))
        sim_fail(s, "a flow of %s is told with cwnd %u, ssthresh %u", f->congestion_control,
                 f->cwnd_bytes, f->ssthresh_bytes);
}

static void check_request(struct sim *s, const struct access_record *r)
{
    uint32_t text_bytes = 0;
    for (unsigned i = 0; i < ACCESS_TEXTS; i++)
        text_bytes += r->text_bytes[i];
    if (text_bytes > ACCESS_TEXT_BYTES_MAX || sizeof(*r) + text_bytes > r->head.bytes)
        sim_fail(s, "a request is told with %u bytes of text in %u", text_bytes, r->head.bytes);
    bool is_passed_on = (r->end >= STAT_proxy_l4_end_complete && r->end <= STAT_proxy_l4_end_cut) ||
                        (r->end >= STAT_l4_end_idle && r->end <= STAT_l4_end_gone);
    if (!is_passed_on && (r->end < STAT_proxy_end_complete || r->end > STAT_proxy_end_client_gone))
        sim_fail(s, "a request is told with end %u", r->end);
    if (r->end == STAT_proxy_end_complete && r->status < 200)
        sim_fail(s, "a request is told as complete with status %u", r->status);
    if (r->total_us > s->now_us || (r->head_us != ACCESS_NO_TIME && r->head_us > r->total_us) ||
        (r->connect_us != ACCESS_NO_TIME && r->connect_us > r->total_us))
        sim_fail(s, "a request is told to have taken %lu us", r->total_us);
}

static void check_forwarded(struct sim *s, const struct observe_forwarded *f)
{
    if (f->state < FLOW_FORWARD_OPENING || f->state > FLOW_FORWARD_CLOSED)
        sim_fail(s, "a forwarded flow is told with state %u", f->state);
    /* A first packet that was too long went no further. */
    bool has_none = f->up_packets == 0 && f->state != FLOW_FORWARD_OPENING;
    if (has_none || f->up_bytes < f->up_packets * 28 || f->down_bytes < f->down_packets * 28)
        sim_fail(s, "a forwarded flow is told with %lu bytes in %lu packets", f->up_bytes,
                 f->up_packets);
    if (f->idle_ms > f->age_ms + 1 || f->ends_ms > f->kept_ms)
        sim_fail(s, "a forwarded flow of %u ms is told to be silent for %u ms", f->age_ms,
                 f->idle_ms);
}

static void check_record(struct sim_watch *w, const struct observe_record *record)
{
    static const uint8_t types[] = {[OBSERVE_FLOWS] = OBSERVE_RECORD_FLOW,
                                    [OBSERVE_TRACE] = OBSERVE_RECORD_POINT,
                                    [OBSERVE_CAPTURE] = OBSERVE_RECORD_FRAME,
                                    [OBSERVE_REQUESTS] = OBSERVE_RECORD_REQUEST};
    bool is_forwarded = w->kind == OBSERVE_FLOWS && record->type == OBSERVE_RECORD_FORWARDED;
    if ((record->type != types[w->kind] && !is_forwarded) || record->time_us > w->sim->now_us)
        sim_fail(w->sim, "a record of type %u at %lu us", record->type, record->time_us);
    if (record->type == OBSERVE_RECORD_REQUEST)
        check_request(w->sim, (const struct access_record *)record);
    if (is_forwarded)
        check_forwarded(w->sim, (const struct observe_forwarded *)record);
    if (record->type != OBSERVE_RECORD_FLOW)
        return;
    check_flow(w->sim, (const struct observe_flow *)record);
    check_congestion(w->sim, (const struct observe_flow *)record);
}

static void read_some(struct sim_watch *w)
{
    const struct observe_record *record;
    unsigned n = rng_below(&w->rng, 3) == 0 ? 0 : rng_below(&w->rng, RECORDS_AT_ONCE);
    while (n-- > 0 && (record = obs_hub_peek(w->hub, w->slot)) != NULL) {
        check_record(w, record);
        obs_hub_drop(w->hub, w->slot, record);
        w->taken++;
    }
}

static void check_end(struct sim_watch *w)
{
    struct control_observed totals;
    obs_hub_totals(w->hub, w->slot, &totals);
    if (totals.records != w->taken)
        sim_fail(w->sim, "%lu records were told, %lu came", totals.records, w->taken);
    if (totals.is_whole != w->is_whole_wanted && w->is_whole_wanted)
        sim_fail(w->sim, "a dump ended before all was told");
    if (w->kind == OBSERVE_FLOWS && totals.lost > 0)
        sim_fail(w->sim, "a dump lost %lu flows", totals.lost);
}

void sim_watch_poll(struct sim_watch *w)
{
    if (w->hub == NULL)
        return;
    if (!w->is_on) {
        if (rng_below(&w->rng, ROUNDS_BETWEEN) == 0)
            begin(w);
        return;
    }
    read_some(w);
    if (obs_hub_is_over(w->hub, w->slot)) {
        check_end(w);
        obs_hub_release(w->hub, w->slot);
        w->is_on = false;
    } else if (!w->is_whole_wanted && rng_below(&w->rng, ROUNDS_WATCHED) == 0) {
        obs_hub_end(w->hub, w->slot);
    }
}

void sim_watch_free(struct sim_watch *w)
{
    obs_hub_free(w->hub);
}
