/* SPDX-License-Identifier: Apache-2.0 */
/* The clients: an HTTP/1.1 client as small as can be on struct stream. */
#include "sim_client.h"

#include "base/assert.h"
#include "base/container.h"
#include "sim.h"
#include "sim_congestion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACE_US 10000u       /* budgets of slow clients are filled up so often */
#define CONTINUE_US 1000000u /* RFC 9110, section 10.1.1: do not wait for ever */
#define REOPEN_US 1000u
/* Six SYNs: the four that go in ten seconds are all lost once in ten thousand times, on the worst
 * wires. */
#define CONNECT_TIMEOUT_MS 60000u

static void run(struct sim_client *c);

void sim_client_end_request(struct sim_client *c, uint32_t i, enum sim_outcome outcome)
{
    ASSERT(c->requests[i].outcome == SIM_OUTCOME_open);
    c->requests[i].outcome = outcome;
}

static void end_session(struct sim_client *c, bool is_abort)
{
    for (uint32_t i = c->next_answer; i < c->plan->n_requests; i++) {
        bool is_coming = i == c->next_answer && (c->is_in_body || c->head.len > 0);
        bool is_sent = i < c->next_send || (i == c->next_send && c->is_sending);
        sim_client_end_request(c, i,
                               is_abort    ? SIM_OUTCOME_aborted
                               : is_coming ? SIM_OUTCOME_broken
                               : is_sent   ? SIM_OUTCOME_unanswered
                                           : SIM_OUTCOME_unsent);
    }
    wheel_disarm(&c->host->core.wheel, &c->timer);
    if (c->stream != NULL)
        stream_release(c->stream);
    c->stream = NULL;
    c->is_over = true;
    sim_session_ended(c->sim);
}

void sim_client_stop(struct sim_client *c)
{
    if (!c->is_over)
        end_session(c, false);
}

/* May all that was sent and not answered be sent again? It did nothing yet, or may do it twice. */
static bool can_repeat(const struct sim_client *c)
{
    for (uint32_t i = c->next_answer; i < c->next_send + c->is_sending; i++) {
        if (c->requests[i].seen > 0 && !sim_is_repeatable(&c->requests[i]))
            return false;
    }
    return true;
}

void sim_client_refused(struct sim_client *c)
{
    sim_note(c->sim, "request %u, or the next: refused unseen", c->requests[0].id + c->next_answer);
    c->is_refused = true;
}

/* May the session go on with another connection? When the appliance had announced that it closes;
 * or might close, and what would be sent again may be. */
static bool can_reopen(const struct sim_client *c)
{
    if (c->next_answer == c->plan->n_requests || c->is_in_body || c->head.len > 0)
        return false;
    bool is_resting = c->is_established && !c->is_sending && c->next_send == c->next_answer;
    return c->must_reopen || is_resting || ((c->may_reopen || c->is_refused) && can_repeat(c));
}

/* The connection ended. */
static void end_connection(struct sim_client *c)
{
    sim_note(c->sim, "request %u: connection ended: %s%s", c->requests[0].id + c->next_answer,
             stream_end_name(stream_end(c->stream)), c->must_reopen ? ", as announced" : "");
    if (!can_reopen(c)) {
        end_session(c, false);
        return;
    }
    stream_release(c->stream);
    c->stream = NULL;
    c->is_established = false;
    c->must_reopen = c->may_reopen = c->is_refused = false;
    c->is_sending = false;
    c->next_send = c->next_answer;
    if (++c->reopens > SIM_REOPENS_MAX)
        sim_fail(c->sim, "session %u is closed again and again", c->plan->first_request);
    wheel_arm(&c->host->core.wheel, &c->timer, c->sim->now_us + REOPEN_US);
}

/* The appliance has ended its direction. */
static void on_eof(struct sim_client *c)
{
    sim_client_end_body(c);
    end_connection(c);
}

static void on_event(struct stream *s, unsigned events)
{
    struct sim_client *c = s->owner;
    ASSERT(c->stream == s);
    c->progress_us = c->sim->now_us;
    if ((events & STREAM_WRITABLE) != 0)
        c->is_established = true;
    if ((events & STREAM_CLOSED) == 0)
        run(c);
    else if (stream_is_eof(s))
        on_eof(c);
    else
        end_connection(c);
}

/* What the plan of a session says, for whoever looks for a fault. */
static void note_session(struct sim_client *c)
{
    const struct sim_session *p = c->plan;
    sim_note(c->sim,
             "session of requests %u to %u: client %u%s%s%s%s%s, pipeline %u, think %u ms, read "
             "%u/ms, write %u/ms, abort at %u",
             p->first_request, p->first_request + p->n_requests - 1, p->client,
             p->is_ip6 ? ", IPv6" : "", p->is_http10 ? ", HTTP/1.0" : "",
             p->is_h2 ? ", HTTP/2" : "", p->is_tls ? ", TLS" : "",
             p->closes_half ? ", closes half" : "", p->pipeline, p->think_ms, p->read_pace,
             p->write_pace, p->abort_at);
    for (uint32_t i = c->next_answer; i < p->n_requests; i++) {
        const struct sim_request *q = &c->requests[i];
        sim_note(c->sim,
                 "  request %u: %s %s, up %u (%u), down %u (%u), order %s at %u, delay %u ms%s",
                 q->id, q->method, sim_target_path(q->target), q->up_bytes, q->up_mode,
                 q->down_bytes, q->down_mode, sim_order_name(q->order), q->order_at, q->delay_ms,
                 q->expects_continue ? ", expects continue" : "");
    }
}

static bool open_tcp(struct sim_client *c)
{
    struct tcp_open_args args = {.remote = c->plan->is_ip6 ? c->sim->vip6 : c->sim->vip4,
                                 .remote_port = sim_client_port(c),
                                 .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    args.congestion = sim_congestion_of(&c->sim->plan, c->plan->first_request);
    if (tcp_open(c->host->tcp, &args, &c->stream) != TCP_OPEN_OK)
        return false;
    if (c->plan->is_tls)
        c->stream = sim_client_secure(c, c->stream);
    return true;
}

uint16_t sim_client_port(const struct sim_client *c)
{
    return c->plan->uses_mix ? SIM_MIX_PORT : c->plan->is_tls ? SIM_TLS_PORT : SIM_PORT;
}

struct stream *sim_client_secure(const struct sim_client *c, struct stream *lower)
{
    const struct sim_session *p = c->plan;
    struct sim_tls_want want = {.server_name = SIM_NAME,
                                .alpn = p->is_h2       ? "h2"
                                        : p->is_http10 ? NULL
                                                       : "http/1.1",
                                .is_tls12 = p->is_tls12,
                                .is_rsa = p->is_rsa,
                                .asks_twice = p->asks_twice,
                                .resumes = p->resumes,
                                .is_curt = p->is_curt,
                                .piece_bytes = p->piece_bytes};
    return sim_tls_connect(c->host, lower, &want);
}

static void open_connection(struct sim_client *c)
{
    note_session(c);
    bool is_open = true;
    if (c->plan->is_h2)
        c->stream = sim_h2_connect(c->host->h2, c);
    else
        is_open = open_tcp(c);
    c->host->is_awake = true;
    if (!is_open) {
        c->stream = NULL;
        end_session(c, false);
        return;
    }
    c->stream->on_event = on_event;
    c->stream->owner = c;
}

static void compose(struct sim_client *c, const struct sim_request *q)
{
    struct sim_out *o = &c->out;
    char *at = (char *)o->stage;
    at += sprintf(at, "%s %s%u HTTP/1.%d\r\nHost: www.sim.test\r\nX-Sim-Id: %u\r\n", q->method,
                  sim_target_path(q->target), q->id, c->plan->is_http10 ? 0 : 1, q->id);
    if (q->up_mode == SIM_BODY_LENGTH)
        at += sprintf(at, "Content-Length: %u\r\n", q->up_bytes);
    else if (q->up_mode == SIM_BODY_CHUNKED)
        at += sprintf(at, "Transfer-Encoding: chunked\r\n");
    if (q->expects_continue)
        at += sprintf(at, "Expect: 100-continue\r\n");
    if (q->is_tunnel)
        at += sprintf(at, "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " SIM_KEY "\r\n");
    at += sprintf(at, "X-Sim-Pad: %0*u\r\n\r\n", (int)q->pad_bytes, 0);
    o->stage_len = (size_t)(at - (char *)o->stage);
    sim_out_begin(o, q->up_mode, sim_up_key(q->id), q->up_bytes, c->sim->plan.seed + q->id);
    o->has_extras = q->has_extras;
    o->is_held = q->expects_continue || q->is_tunnel;
    c->hold_until_us = q->is_tunnel ? UINT64_MAX : c->sim->now_us + CONTINUE_US;
}

/* May the next request leave? */
static bool can_begin(const struct sim_client *c)
{
    return c->next_send < c->plan->n_requests && c->next_send >= c->next_answer &&
           !c->must_reopen && !c->is_close_announced &&
           c->next_send - c->next_answer < c->plan->pipeline && c->sim->now_us >= c->think_until_us;
}

/* Returns true if anything moved. */
static bool send_some(struct sim_client *c)
{
    bool began = false;
    if (!c->is_sending && can_begin(c)) {
        compose(c, &c->requests[c->next_send]);
        c->requests[c->next_send].begun_us = c->sim->now_us;
        c->is_sending = began = true;
    }
    if (!c->is_sending)
        return false;
    size_t n = sim_out_pump(&c->out, c->stream, c->write_budget);
    if (c->plan->write_pace != 0)
        c->write_budget -= n;
    if (sim_out_is_done(&c->out)) {
        c->next_send++;
        c->is_sending = false;
    }
    bool is_tunnel_sent = !c->is_sending && c->is_in_tunnel;
    if (is_tunnel_sent && !c->has_shut) {
        stream_shutdown(c->stream);
        c->has_shut = true;
    }
    if (c->plan->closes_half && !c->has_shut && !c->is_sending &&
        c->next_send == c->plan->n_requests) {
        stream_shutdown(c->stream);
        c->has_shut = true;
    }
    return n > 0 || began;
}

/* Fills up what slow clients may read and write. */
static void fill_budgets(struct sim_client *c)
{
    uint64_t ms = (c->sim->now_us - c->paced_us) / 1000;
    c->paced_us += ms * 1000;
    c->read_budget = c->plan->read_pace == 0 ? SIZE_MAX / 2 : c->plan->read_pace * ms;
    c->write_budget = c->plan->write_pace == 0 ? SIZE_MAX / 2 : c->plan->write_pace * ms;
}

/* When the session wants to be woken although nothing happens on its stream. */
static uint64_t wake_time(const struct sim_client *c)
{
    uint64_t now_us = c->sim->now_us;
    uint64_t wake = UINT64_MAX;
    if (c->plan->read_pace != 0 || c->plan->write_pace != 0)
        wake = now_us + PACE_US;
    if (c->think_until_us > now_us && c->think_until_us < wake)
        wake = c->think_until_us;
    if (c->is_sending && c->out.is_held && c->hold_until_us < wake)
        wake = c->hold_until_us > now_us ? c->hold_until_us : now_us + 1;
    return wake;
}

static void run(struct sim_client *c)
{
    if (c->is_sending && c->out.is_held && c->sim->now_us >= c->hold_until_us)
        c->out.is_held = false;
    bool has_moved = c->is_established;
    while (has_moved && !sim_has_failed(c->sim)) {
        has_moved = send_some(c);
        has_moved |= sim_client_read(c);
        if (has_moved)
            c->progress_us = c->sim->now_us;
        if (c->plan->abort_at != 0 && c->answer_bytes >= c->plan->abort_at) {
            stream_abort(c->stream);
            end_session(c, true);
            return;
        }
        if (c->next_answer == c->plan->n_requests && !c->is_in_body) {
            end_session(c, false);
            return;
        }
    }
    bool is_talking = c->is_in_tunnel && c->is_sending; /* though the other side has ended */
    if (c->is_established && stream_is_eof(c->stream) && !is_talking) {
        on_eof(c);
        return;
    }
    uint64_t wake = wake_time(c);
    if (wake != UINT64_MAX)
        wheel_arm(&c->host->core.wheel, &c->timer, wake);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct sim_client *c = container_of(timer, struct sim_client, timer);
    ASSERT(!c->is_over);
    if (c->stream == NULL) {
        open_connection(c);
        return;
    }
    fill_budgets(c);
    run(c);
}

void sim_client_init(struct sim_client *c, struct sim *sim, const struct sim_session *plan)
{
    *c = (struct sim_client){.sim = sim,
                             .host = &sim->hosts[plan->client],
                             .plan = plan,
                             .requests = &sim->plan.requests[plan->first_request],
                             .timer = {.on_expire = on_timer},
                             .paced_us = sim->now_us};
    fill_budgets(c);
    c->progress_us = sim->now_us;
    wheel_arm(&c->host->core.wheel, &c->timer, sim->now_us + plan->start_us);
}
