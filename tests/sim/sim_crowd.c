/* SPDX-License-Identifier: Apache-2.0 */
/* The crowd: opened in order, asked, closed in order. */
#include "sim_crowd.h"

#include "base/assert.h"
#include "base/container.h"
#include "sim.h"
#include "sim_congestion.h"

#include <string.h>

#define WAKE_CONNS_MAX 256u /* opened or closed in one timer: the rest comes in the same instant */

static const char question[] = "GET /x/crowd HTTP/1.1\r\nHost: www.sim.test\r\n\r\n";
static const char answer[] = "HTTP/1.1 404 ";

static void end_conn(struct sim_crowd_conn *k)
{
    struct sim_crowd *c = k->crowd;
    ASSERT(k->stream != NULL && c->n_live > 0);
    stream_release(k->stream);
    k->stream = NULL;
    c->n_live--;
}

/* The last one is gone. */
static void end_crowd(struct sim_crowd *c)
{
    if (c->n_live > 0 || c->n_opened < c->sim->plan.crowd.n || c->is_over)
        return;
    c->is_over = true;
    sim_session_ended(c->sim);
}

/* Takes what there is; the first of it must be the answer's first line. */
static void read_answer(struct sim_crowd_conn *k)
{
    struct slice v;
    while (stream_peek(k->stream, &v, 1) == 1) {
        if (!k->is_answered) {
            if (v.len < sizeof(answer) - 1 || memcmp(v.ptr, answer, sizeof(answer) - 1) != 0)
                sim_fail(k->crowd->sim, "the crowd got another answer");
            k->is_answered = true;
            k->crowd->n_answered++;
        }
        stream_consume(k->stream, v.len);
    }
}

static void on_event(struct stream *s, unsigned events)
{
    struct sim_crowd_conn *k = s->owner;
    ASSERT(k->stream == s);
    read_answer(k);
    if ((events & STREAM_CLOSED) != 0 || stream_is_eof(s)) {
        end_conn(k);
        end_crowd(k->crowd);
        return;
    }
    if ((events & STREAM_WRITABLE) == 0 || k->is_asked)
        return;
    struct slice v = SLICE_LIT(question);
    k->is_asked = stream_write(s, &v, 1) == v.len;
    ASSERT(k->is_asked); /* a new connection has room */
}

static void open_conn(struct sim_crowd *c)
{
    struct sim_crowd_conn *k = &c->conns[c->n_opened++];
    struct tcp_open_args args = {
        .remote = c->sim->vip4, .remote_port = SIM_PORT, .connect_timeout_ms = 10000};
    args.congestion = sim_congestion_of(&c->sim->plan, c->n_opened);
    *k = (struct sim_crowd_conn){.crowd = c};
    if (tcp_open(c->sim->hosts[SIM_CROWD_CLIENT].tcp, &args, &k->stream) != TCP_OPEN_OK) {
        k->stream = NULL;
        c->n_unopened++;
        return;
    }
    k->stream->on_event = on_event;
    k->stream->owner = k;
    c->n_live++;
    if (c->n_live > c->n_live_max)
        c->n_live_max = c->n_live;
}

/* When number `i` of `n` is due that spread over `span_us` from `begin_us` on. */
static uint64_t due_us(uint64_t begin_us, uint64_t span_us, uint32_t i, uint32_t n)
{
    return SIM_START_US + begin_us + span_us * i / n;
}

static uint64_t next_open_us(const struct sim_crowd *c)
{
    const struct sim_crowd_plan *p = &c->sim->plan.crowd;
    return c->n_opened == p->n ? UINT64_MAX
                               : due_us(p->open_us, p->open_span_us, c->n_opened, p->n);
}

static uint64_t next_close_us(const struct sim_crowd *c)
{
    const struct sim_crowd_plan *p = &c->sim->plan.crowd;
    return c->n_closed == c->n_opened || p->close_us == UINT64_MAX
               ? UINT64_MAX
               : due_us(p->close_us, p->close_span_us, c->n_closed, p->n);
}

static void arm(struct sim_crowd *c)
{
    uint64_t open = next_open_us(c);
    uint64_t close = next_close_us(c);
    uint64_t next = open < close ? open : close;
    if (next != UINT64_MAX)
        wheel_arm(&c->sim->hosts[SIM_CROWD_CLIENT].core.wheel, &c->timer, next);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct sim_crowd *c = container_of(timer, struct sim_crowd, timer);
    c->sim->hosts[SIM_CROWD_CLIENT].is_awake = true;
    for (unsigned i = 0; i < WAKE_CONNS_MAX && next_open_us(c) <= now_us; i++)
        open_conn(c);
    for (unsigned i = 0; i < WAKE_CONNS_MAX && next_close_us(c) <= now_us; i++) {
        struct sim_crowd_conn *k = &c->conns[c->n_closed++];
        if (k->stream != NULL)
            end_conn(k);
    }
    arm(c);
    end_crowd(c);
}

void sim_crowd_init(struct sim_crowd *c, struct sim *sim)
{
    c->sim = sim;
    c->timer.on_expire = on_timer;
    if (sim->plan.crowd.n == 0)
        return;
    sim->n_open++;
    arm(c);
}

void sim_crowd_stop(struct sim_crowd *c)
{
    if (c->sim->plan.crowd.n == 0)
        return;
    wheel_disarm(&c->sim->hosts[SIM_CROWD_CLIENT].core.wheel, &c->timer);
    for (uint32_t i = 0; i < c->n_opened; i++) {
        if (c->conns[i].stream != NULL) {
            stream_release(c->conns[i].stream);
            c->conns[i].stream = NULL;
        }
    }
}

void sim_crowd_check(const struct sim_crowd *c)
{
    const struct sim_plan *plan = &c->sim->plan;
    if (c->n_opened != plan->crowd.n || c->n_live != 0)
        sim_fail(c->sim, "%u of the crowd were opened, %u are left", c->n_opened, c->n_live);
    /* whom there was no buffer for, not even to say so, is counted there */
    uint64_t broken_off = sim_box_stat(&c->sim->box, STAT_proxy_conn_end_broken_off);
    if (!plan->is_short && c->n_answered + broken_off < plan->crowd.n)
        sim_fail(c->sim, "%u of a crowd of %u got an answer, %lu none for want of a buffer",
                 c->n_answered, plan->crowd.n, broken_off);
}
