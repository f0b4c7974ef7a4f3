/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_pass.h. How they may end is in sim_pass_check.c. */
#include "sim_pass.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/minmax.h"
#include "sim.h"
#include "sim_congestion.h"

#include <stdio.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 60000u
#define PACE_US 10000u
#define WRITE_BYTES 4096u

static const char greeting[] = "220 sim!";
static_assert(sizeof(greeting) - 1 == SIM_PASS_HEAD_BYTES, "a head");

/* The keys of its bodies: none that a request has. */
static uint32_t key_of(const struct sim_pass *p, bool is_up)
{
    return 0x40000000u + 2 * p->plan->id + is_up;
}

static void end_front(struct sim_pass *p)
{
    wheel_disarm(&p->host->core.wheel, &p->timer);
    if (p->front.stream != NULL)
        stream_release(p->front.stream);
    p->front.stream = NULL;
    p->is_over = true;
    sim_session_ended(p->sim);
}

void sim_pass_stop(struct sim_pass *p)
{
    if (!p->is_over)
        end_front(p);
}

static void end_talk(struct sim_talk *t)
{
    if (!t->is_back) {
        end_front(t->pass);
        return;
    }
    stream_release(t->stream);
    t->stream = NULL;
}

/* What comes before the body of a client's, and of a backend's. */
static uint32_t head_bytes(const struct sim_talk *t, bool is_of_back)
{
    return is_of_back && !t->sim->plan.passes.greets ? 0 : SIM_PASS_HEAD_BYTES;
}

/* All of the other's head is there. */
static void on_head(struct sim_talk *t)
{
    unsigned id;
    struct sim *s = t->sim;
    if (!t->is_back) {
        if (memcmp(t->head, greeting, sizeof(t->head)) != 0)
            sim_fail(s, "connection %u: another greeting", t->pass->plan->id);
        return;
    }
    char text[SIM_PASS_HEAD_BYTES + 1] = "";
    memcpy(text, t->head, sizeof(t->head));
    if (sscanf(text, "sim%5u", &id) != 1 || id >= s->plan.passes.n) {
        sim_fail(s, "a backend got a connection that begins with %s", text);
        return;
    }
    t->pass = &s->passes[id];
    if (t->pass->n_seen++ > 0)
        sim_fail(s, "connection %u reached two backends", id);
}

/* Does this end reset, and is it time? */
static bool resets(const struct sim_talk *t)
{
    if (t->pass == NULL)
        return false;
    const struct sim_pass_plan *p = t->pass->plan;
    return p->order == (t->is_back ? SIM_PASS_reset_back : SIM_PASS_reset_front) &&
           t->got >= p->order_at;
}

/* Returns true if anything moved. */
static bool read_some(struct sim_talk *t)
{
    struct slice v;
    if (t->budget_bytes == 0 || stream_peek(t->stream, &v, 1) == 0)
        return false;
    size_t n = min64(v.len, t->budget_bytes);
    uint32_t head = head_bytes(t, !t->is_back);
    if (t->head_got < head) {
        n = min64(n, head - t->head_got);
        memcpy(t->head + t->head_got, v.ptr, n);
        t->head_got += (uint32_t)n;
        if (t->head_got == head)
            on_head(t);
    } else {
        if (!sim_pattern_is(key_of(t->pass, t->is_back), t->got, v.ptr, n))
            sim_fail(t->sim, "connection %u: damaged at %lu", t->pass->plan->id, t->got);
        t->got += n;
    }
    stream_consume(t->stream, n);
    if (t->pass != NULL && t->pass->plan->read_pace > 0 && !t->is_back)
        t->budget_bytes -= n;
    return true;
}

static bool write_head(struct sim_talk *t, uint32_t bytes)
{
    char text[16];
    if (t->is_back)
        memcpy(text, greeting, sizeof(greeting));
    else
        snprintf(text, sizeof(text), "sim%05u", t->pass->plan->id);
    struct slice v = slice_of(text + t->head_sent, bytes - t->head_sent);
    size_t n = stream_write(t->stream, &v, 1);
    t->head_sent += (uint32_t)n;
    return n > 0;
}

static uint64_t body_bytes(const struct sim_talk *t)
{
    return t->is_back ? t->pass->plan->down_bytes : t->pass->plan->up_bytes;
}

static bool write_body(struct sim_talk *t)
{
    uint8_t bytes[WRITE_BYTES];
    size_t n = min64(body_bytes(t) - t->sent, sizeof(bytes));
    if (n == 0)
        return false;
    sim_pattern_fill(key_of(t->pass, !t->is_back), t->sent, bytes, n);
    struct slice v = slice_of(bytes, n);
    size_t taken = stream_write(t->stream, &v, 1);
    t->sent += taken;
    return taken > 0;
}

/* Returns true if anything moved. */
static bool write_some(struct sim_talk *t)
{
    uint32_t head = head_bytes(t, t->is_back);
    if (!t->is_back && t->head_got < head_bytes(t, true))
        return false; /* whoever waits for a greeting says nothing before */
    if (t->head_sent < head)
        return write_head(t, head);
    return t->pass != NULL && write_body(t);
}

/* Ends our direction, if all is said, and nothing is waited for. */
static void shut(struct sim_talk *t)
{
    if (t->is_shut || t->pass == NULL || t->head_sent < head_bytes(t, t->is_back) ||
        t->sent < body_bytes(t))
        return;
    const struct sim_pass_plan *p = t->pass->plan;
    bool is_late = p->late == (t->is_back ? SIM_PASS_BACK_LATE : SIM_PASS_FRONT_LATE);
    bool will_reset = p->order == (t->is_back ? SIM_PASS_reset_back : SIM_PASS_reset_front);
    if (will_reset || (is_late && !t->is_ended))
        return;
    t->is_shut = true;
    stream_shutdown(t->stream);
}

static void on_ended(struct sim_talk *t)
{
    if (t->is_ended)
        return;
    t->is_ended = true;
    if (t->pass == NULL) /* a check of its health, or a client that said nothing */
        return;
    uint64_t wanted = t->is_back ? t->pass->plan->up_bytes : t->pass->plan->down_bytes;
    if (t->got != wanted)
        sim_fail(t->sim, "connection %u: %lu bytes came, not %lu", t->pass->plan->id, t->got,
                 wanted);
}

/* False: it is over. */
static bool finish(struct sim_talk *t)
{
    if (t->is_ended && t->pass == NULL) {
        end_talk(t);
        return false;
    }
    if (!t->is_shut || !t->is_ended)
        return true;
    if (t->is_back)
        t->pass->is_back_done = true;
    else
        t->pass->is_complete = true;
    end_talk(t);
    return false;
}

static void pump(struct sim_talk *t)
{
    bool has_moved = t->is_ready;
    while (has_moved && !sim_has_failed(t->sim)) {
        has_moved = read_some(t);
        has_moved |= write_some(t);
        if (has_moved && t->pass != NULL)
            t->pass->progress_us = t->sim->now_us;
        if (resets(t)) {
            stream_abort(t->stream);
            end_talk(t);
            return;
        }
    }
    if (t->is_ready && stream_is_eof(t->stream))
        on_ended(t);
    shut(t);
    finish(t);
}

static void on_event(struct stream *s, unsigned events)
{
    struct sim_talk *t = s->owner;
    ASSERT(t->stream == s);
    t->is_ready |= (events & STREAM_WRITABLE) != 0;
    if ((events & STREAM_CLOSED) == 0) {
        pump(t);
        return;
    }
    if (stream_is_eof(s))
        on_ended(t);
    if (finish(t)) {
        if (!t->is_back)
            sim_note(t->sim, "connection %u ended: %s", t->pass->plan->id,
                     stream_end_name(stream_end(s)));
        end_talk(t);
    }
}

bool sim_pass_accept(struct sim_host *host, struct stream *s)
{
    struct sim *sim = host->sim;
    for (unsigned i = 0; i < array_len(sim->pass_backs); i++) {
        struct sim_talk *t = &sim->pass_backs[i];
        if (t->stream != NULL)
            continue;
        *t = (struct sim_talk){
            .sim = sim, .stream = s, .is_back = true, .is_ready = true, .budget_bytes = SIZE_MAX};
        s->on_event = on_event;
        s->owner = t;
        if (sim->plan.passes.greets)
            pump(t); /* nothing but its greeting is there to be moved */
        return true;
    }
    return false;
}

static void secure(struct sim_pass *p)
{
    const struct sim_pass_plan *plan = p->plan;
    struct sim_tls_want want = {.server_name =
                                    plan->kind == SIM_PASS_passed ? SIM_PASS_NAME : SIM_ENDED_NAME,
                                .is_tls12 = plan->is_tls12,
                                .is_passed_on = plan->kind == SIM_PASS_passed,
                                .piece_bytes = plan->piece_bytes};
    p->front.stream = sim_tls_connect(p->host, p->front.stream, &want);
}

static void open_pass(struct sim_pass *p)
{
    struct sim *s = p->sim;
    const struct sim_pass_plan *plan = p->plan;
    struct tcp_open_args args = {.remote = plan->is_ip6 ? s->vip6 : s->vip4,
                                 .remote_port =
                                     plan->kind == SIM_PASS_tcp ? SIM_TCP_PORT : SIM_MIX_PORT,
                                 .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    args.congestion = sim_congestion_of(&s->plan, plan->id);
    sim_note(s, "connection %u: %s, %s%s, up %u, down %u, order at %u", plan->id,
             sim_pass_kind_name(plan->kind), sim_pass_order_name(plan->order),
             plan->is_ip6 ? ", IPv6" : "", plan->up_bytes, plan->down_bytes, plan->order_at);
    if (tcp_open(p->host->tcp, &args, &p->front.stream) != TCP_OPEN_OK) {
        p->front.stream = NULL;
        end_front(p);
        return;
    }
    if (plan->kind != SIM_PASS_tcp)
        secure(p);
    p->front.stream->on_event = on_event;
    p->front.stream->owner = &p->front;
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct sim_pass *p = container_of(timer, struct sim_pass, timer);
    p->host->is_awake = true;
    if (p->front.stream == NULL) {
        open_pass(p);
    } else {
        p->front.budget_bytes = p->plan->read_pace;
        pump(&p->front);
    }
    if (!p->is_over && p->plan->read_pace > 0)
        wheel_arm(&p->host->core.wheel, &p->timer, p->sim->now_us + PACE_US);
}

void sim_pass_init(struct sim_pass *p, struct sim *sim, struct sim_pass_plan *plan)
{
    *p = (struct sim_pass){.sim = sim,
                           .plan = plan,
                           .host = &sim->hosts[plan->client],
                           .timer = {.on_expire = on_timer}};
    p->front = (struct sim_talk){
        .sim = sim, .pass = p, .budget_bytes = plan->read_pace > 0 ? plan->read_pace : SIZE_MAX};
    wheel_arm(&p->host->core.wheel, &p->timer, sim->now_us + plan->start_us);
}
