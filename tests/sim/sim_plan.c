/* SPDX-License-Identifier: Apache-2.0 */
/* From a seed to a plan. Pure. */
#include "sim_plan.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"
#include "sim_congestion.h"
#include "sim_mark.h"
#include "sim_plan_pass.h"
#include "sim_plan_tls.h"
#include "sim_world.h"

#include <string.h>

const char *sim_world_name(enum sim_world world)
{
    static const char *const names[] = {SIM_WORLD_LIST(X_NAME)};
    ASSERT((unsigned)world < array_len(names));
    return names[world];
}

const char *sim_order_name(enum sim_order order)
{
    static const char *const names[] = {SIM_ORDER_LIST(X_NAME)};
    ASSERT((unsigned)order < array_len(names));
    return names[order];
}

const char *sim_trouble_name(enum sim_trouble_kind kind)
{
    static const char *const names[] = {SIM_TROUBLE_LIST(X_NAME)};
    ASSERT((unsigned)kind < array_len(names));
    return names[kind];
}

const char *sim_outcome_name(enum sim_outcome outcome)
{
    static const char *const names[] = {SIM_OUTCOME_LIST(X_NAME)};
    ASSERT((unsigned)outcome < array_len(names));
    return names[outcome];
}

bool sim_order_is_excuse(enum sim_order order)
{
    static const bool is_excuse[] = {
#define X(name, is_excuse) is_excuse,
        SIM_ORDER_LIST(X)
#undef X
    };
    ASSERT((unsigned)order < array_len(is_excuse));
    return is_excuse[order];
}

bool sim_is_repeatable(const struct sim_request *q)
{
    return strcmp(q->method, "POST") != 0 && strcmp(q->method, "PATCH") != 0;
}

const char *sim_target_path(enum sim_target target)
{
    static const char *const paths[] = {SIM_TARGET_LIST(X_TEXT)};
    ASSERT((unsigned)target < array_len(paths));
    return paths[target];
}

uint16_t sim_request_status(const struct sim_request *q)
{
    static const uint16_t statuses[] = {
#define X(name, path, status) status,
        SIM_TARGET_LIST(X)
#undef X
    };
    ASSERT((unsigned)q->target < array_len(statuses));
    uint16_t status = statuses[q->target];
    if (q->is_tunnel && status == 200)
        return 101;
    return status == 200 && q->order == SIM_ORDER_no_content ? 204 : status;
}

/* Sizes as they come in life: most small, few large, some of them at an edge. */
static uint32_t size(struct rng *r, uint32_t big_max)
{
    static const uint32_t edges[] = {0,    1,    2,    1447,  1448,  1449,
                                     2896, 4095, 4096, 16384, 65535, 65536};
    switch (rng_below(r, 16)) {
    case 0:
        return edges[rng_below(r, array_len(edges))];
    case 1:
        return sim_between(r, 0, big_max);
    case 2:
    case 3:
        return sim_between(r, 0, big_max < 100000 ? big_max : 100000);
    default:
        return sim_between(r, 0, 4000);
    }
}

static void plan_order(struct sim_request *q, struct rng *r)
{
    static const uint8_t rude_orders[] = {
        SIM_ORDER_close_after, SIM_ORDER_reset_head,   SIM_ORDER_reset_body,
        SIM_ORDER_close_body,  SIM_ORDER_reset_upload, SIM_ORDER_hang,
    };
    q->order = rude_orders[rng_below(r, array_len(rude_orders))];
    uint32_t bytes = q->order == SIM_ORDER_reset_upload ? q->up_bytes : q->down_bytes;
    q->order_at = bytes > 0 ? rng_below(r, bytes) : 0;
    if (q->order == SIM_ORDER_close_body && q->down_bytes == 0)
        q->order = SIM_ORDER_close_after; /* there is no middle */
    if (q->order == SIM_ORDER_reset_upload && q->up_bytes == 0)
        q->order = SIM_ORDER_reset_head;
    if (q->down_mode == SIM_BODY_CLOSE &&
        (q->order == SIM_ORDER_close_body || q->order == SIM_ORDER_close_after))
        q->down_mode = SIM_BODY_CHUNKED; /* an early end could not be told from the end */
}

static void plan_request(struct sim_plan *p, struct rng *r, const struct sim_session *s,
                         uint32_t big_max, bool is_rude)
{
    static const char *const methods[] = {"GET", "GET",  "GET",    "POST",
                                          "PUT", "HEAD", "DELETE", "PATCH"};
    struct sim_request *q = &p->requests[p->n_requests];
    *q = (struct sim_request){.id = p->n_requests,
                              .method = methods[rng_below(r, array_len(methods))],
                              .target = sim_one_in(r, 12) ? rng_below(r, SIM_TARGET_COUNT)
                                                          : rng_below(r, SIM_TARGET_no_backend)};
    p->n_requests++;
    bool has_body = strcmp(q->method, "GET") != 0 && strcmp(q->method, "HEAD") != 0;
    if (has_body && !sim_one_in(r, 6)) {
        q->up_bytes = size(r, big_max);
        q->up_mode = !s->is_http10 && sim_one_in(r, 2) ? SIM_BODY_CHUNKED : SIM_BODY_LENGTH;
        q->expects_continue = !s->is_http10 && sim_one_in(r, 8);
    }
    q->down_bytes = size(r, big_max);
    q->down_mode = SIM_BODY_LENGTH + rng_below(r, sim_one_in(r, 4) ? 3 : 2);
    q->delay_ms = sim_one_in(r, 5) ? sim_between(r, 1, 400) : 0;
    if (strcmp(q->method, "HEAD") == 0 && q->down_mode == SIM_BODY_CLOSE)
        q->down_mode = SIM_BODY_LENGTH;
    if (is_rude && sim_one_in(r, 4))
        plan_order(q, r);
    else if (sim_one_in(r, 10))
        q->order = SIM_ORDER_say_close + rng_below(r, SIM_ORDER_early - SIM_ORDER_answer);
    if (q->order == SIM_ORDER_early && q->up_bytes == 0)
        q->order = SIM_ORDER_answer;
    if (q->order == SIM_ORDER_no_content) {
        q->down_bytes = 0;
        q->down_mode = SIM_BODY_NONE;
    }
    q->pad_bytes = sim_one_in(r, 10) ? sim_between(r, 1, 6000) : 0;
    q->has_extras = sim_one_in(r, 4);
}

/* So long that the next request meets the backend's end of the connection on its way: it comes to
 * the appliance before that, and to the backend after. */
static uint32_t racing_think_ms(const struct sim_plan *p)
{
    uint32_t way_ms = (2 * p->wires[0].delay_us + p->wires[1].delay_us) / 1000;
    return p->backend_idle_ms > way_ms ? p->backend_idle_ms - way_ms : 0;
}

/* The last request of a session becomes a tunnel, if it can: as many bytes up as it would get down.
 */
static void plan_tunnel(struct sim_request *q, const struct sim_session *s)
{
    bool is_plain = strcmp(q->method, "GET") == 0 && q->order == SIM_ORDER_answer;
    if (!is_plain || s->is_http10 || q->target >= SIM_TARGET_no_backend)
        return;
    q->is_tunnel = true;
    q->up_mode = q->down_mode = SIM_BODY_CLOSE;
    q->up_bytes = q->down_bytes;
}

static void plan_session(struct sim_plan *p, struct rng *r, const struct sim_traits *t)
{
    struct sim_session *s = &p->sessions[p->n_sessions];
    *s = (struct sim_session){.first_request = p->n_requests,
                              .n_requests = sim_one_in(r, 3) ? 1 : sim_between(r, 1, 10),
                              .client = rng_below(r, p->n_clients),
                              .is_ip6 = sim_one_in(r, 3),
                              .is_http10 = sim_one_in(r, 12),
                              .pipeline = sim_one_in(r, 3) ? sim_between(r, 2, 6) : 1,
                              .start_us = rng_below(r, (uint32_t)p->span_us),
                              .think_ms = sim_one_in(r, 3) ? sim_between(r, 0, 300) : 0};
    if (s->is_http10)
        s->n_requests = 1;
    if (p->n_requests + s->n_requests > SIM_REQUESTS_MAX)
        s->n_requests = SIM_REQUESTS_MAX - p->n_requests;
    if (s->n_requests == 0)
        return;
    if (t->rests && sim_one_in(r, 2))
        s->think_ms = sim_one_in(r, 2) ? sim_between(r, 300, 100000) : racing_think_ms(p);
    if (sim_one_in(r, t->is_rude ? 3 : 8))
        s->read_pace = sim_between(r, 20, 2000);
    if (sim_one_in(r, t->is_rude ? 3 : 8))
        s->write_pace = sim_between(r, 20, 2000);
    uint32_t big_max = sim_one_in(r, 24) ? 3000000 : 200000;
    if (s->read_pace != 0 || s->write_pace != 0)
        big_max = 60000;
    for (uint32_t i = 0; i < s->n_requests; i++)
        plan_request(p, r, s, big_max, t->is_rude);
    if (p->has_tunnels)
        plan_tunnel(&p->requests[p->n_requests - 1], s);
    if (t->is_rude && sim_one_in(r, 4))
        s->abort_at = sim_between(r, 1, 20000);
    s->closes_half = sim_one_in(r, 10);
    p->n_sessions++;
}

/* In one run of three clients speak HTTP/2, but for some; in one of three backends of group b do.
 * Only of WebSocket they know nothing. In one of four the appliance ends connections soon. */
static void plan_h2(struct sim_plan *p)
{
    struct rng r = {p->seed ^ 0x687474702f32};
    bool has_clients = sim_one_in(&r, 3);
    bool has_backends = sim_one_in(&r, 3);
    uint32_t groups = sim_between(&r, 1, 3);
    if (has_backends && !p->has_tunnels)
        p->h2_groups = groups << SIM_GROUP_B1;
    p->h2_closes_idle = sim_one_in(&r, 2);
    p->conn_requests = sim_one_in(&r, 4) ? sim_between(&r, 1, 20) : 0;
    bool has_both = sim_one_in(&r, 2);
    for (uint32_t i = 0; i < p->n_sessions && has_clients; i++) {
        struct sim_session *s = &p->sessions[i];
        bool has_tunnel = p->requests[s->first_request + s->n_requests - 1].is_tunnel;
        s->is_h2 = !s->is_http10 && !has_tunnel && !(has_both && sim_one_in(&r, 3));
    }
}

bool sim_speaks_h2(const struct sim_plan *p, unsigned number)
{
    if (number >= p->n_clients)
        return p->h2_groups != 0;
    for (uint32_t i = 0; i < p->n_sessions; i++) {
        if (p->sessions[i].is_h2 && p->sessions[i].client == number)
            return true;
    }
    return false;
}

/* The same whatever the seed: 8 kept connections with 64 requests each, 100 bytes an answer, on
 * wires that hand on what gathered in 100 us. */
static void plan_steady(struct sim_plan *p)
{
    p->n_clients = 1;
    p->n_backends = 2;
    p->host_window_bytes = p->host_buffer_bytes = 65536;
    for (unsigned i = 0; i < array_len(p->wires); i++)
        p->wires[i] = (struct sim_wire_plan){.delay_us = 50, .grain_us = 100};
    p->is_calm = true;
    for (p->n_sessions = 0; p->n_sessions < 8; p->n_sessions++)
        p->sessions[p->n_sessions] = (struct sim_session){
            .first_request = p->n_sessions * 64, .n_requests = 64, .pipeline = 1, .start_us = 1000};
    for (p->n_requests = 0; p->n_requests < 8 * 64; p->n_requests++)
        p->requests[p->n_requests] = (struct sim_request){.id = p->n_requests,
                                                          .method = "GET",
                                                          .target = SIM_TARGET_group_a,
                                                          .down_mode = SIM_BODY_LENGTH,
                                                          .down_bytes = 100};
}

/* The same whatever the seed: one answer of 16 MiB in full segments over the wires of steady. */
static void plan_bulk(struct sim_plan *p)
{
    plan_steady(p);
    p->host_window_bytes = p->host_buffer_bytes = 262144;
    p->n_sessions = p->n_requests = 1;
    p->sessions[0].n_requests = 1;
    p->requests[0].down_bytes = 16u << 20;
}

void sim_plan_make(struct sim_plan *p, uint64_t seed, enum sim_world world)
{
    struct rng r = {seed};
    enum sim_world picked = rng_below(&r, SIM_WORLD_steady);
    *p = (struct sim_plan){.seed = seed,
                           .world = world == SIM_WORLD_COUNT ? picked : world,
                           .workers = 1,
                           .box_queues = 1,
                           .conns_max = 256,
                           .span_us = sim_between(&r, 1000, 3000000)};
    if (p->world == SIM_WORLD_steady) {
        plan_steady(p);
        return;
    }
    if (p->world == SIM_WORLD_bulk) {
        plan_bulk(p);
        return;
    }
    struct sim_traits t = sim_world_traits(p->world);
    p->is_calm = !t.loses && !t.reorders && !t.corrupts && !t.is_rude && !t.is_short &&
                 !t.has_dead_ends && !t.is_narrow && !t.moves && !t.is_crowded &&
                 !t.has_nic_trouble && !t.naps && !t.lies && !t.cuts;
    p->bbr = sim_congestion_plan(seed);
    p->is_short = t.is_short;
    p->is_rude = t.is_rude;
    p->has_races = t.is_rude || t.rests;
    p->has_dead_ends = t.has_dead_ends;
    p->ejects = seed % 5 == 4; /* no number is drawn for it either */
    p->moves_vip6 = t.moves;
    p->has_tunnels = seed % 4 == 3;
    p->is_mirrored = seed % 4 == 1; /* no number is drawn: the others stay as they were */
    p->is_checked = seed % 5 == 2;
    p->is_retried = seed % 4 == 3;
    p->backend_idle_ms = t.rests ? sim_between(&r, 100, 8000) : 0;
    p->n_clients = sim_between(&r, 1, SIM_CLIENTS_MAX);
    p->n_backends = sim_between(&r, 2, SIM_BACKENDS_MAX);
    p->host_window_bytes = 1u << sim_between(&r, 14, 18);
    p->host_buffer_bytes = 1u << sim_between(&r, 14, 18);
    if (t.has_two_workers || sim_one_in(&r, 4)) {
        p->workers = 2;
        p->box_queues = sim_between(&r, 1, 2);
        p->mixes_queues = p->box_queues > 1 && sim_one_in(&r, 2);
        p->is_calm &= !p->mixes_queues;
    }
    if (t.is_short) {
        p->has_few_mbufs = !sim_one_in(&r, 3);
        p->conns_max = sim_one_in(&r, 2) ? sim_between(&r, 4, 12) : 256;
    }
    if (t.churns) {
        p->image_changes = sim_between(&r, 1, t.is_hasty ? 150 : 30);
        p->endpoint_changes = sim_between(&r, 1, t.is_hasty ? 1000 : 60);
    }
    for (unsigned i = 0; i < array_len(p->wires); i++)
        sim_plan_wire(&p->wires[i], &r, &t);
    sim_plan_marks(p, t.marks);
    sim_plan_crowd(p, &r, &t);
    sim_plan_troubles(p, &r, &t);
    uint32_t sessions = sim_between(&r, 1, 30);
    if (sim_one_in(&r, 8)) { /* a storm */
        sessions = SIM_SESSIONS_MAX;
        p->span_us = sim_between(&r, 1, 1000);
    }
    for (uint32_t i = 0; i < sessions; i++)
        plan_session(p, &r, &t);
    plan_h2(p);
    sim_plan_tls(p);
    sim_plan_passes(p);
    sim_plan_asks(p, t.rests);
    ASSERT(p->n_sessions <= SIM_SESSIONS_MAX && p->n_requests <= SIM_REQUESTS_MAX);
}
