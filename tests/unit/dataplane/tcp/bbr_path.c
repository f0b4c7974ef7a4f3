/* SPDX-License-Identifier: Apache-2.0 */
/* See bbr_path.h. */
#include "bbr_path.h"

#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/tcp_limits.h"

#define STEP_US 50u

static struct path_segment *at(struct path *p, uint32_t i)
{
    return &p->segments[i % PATH_SEGMENTS_MAX];
}

void path_init(struct path *p, uint64_t bytes_per_s, uint32_t rtt_us, uint32_t queue_bytes_max)
{
    *p = (struct path){
        .now_us = 1000000,
        .bytes_per_s = bytes_per_s,
        .rtt_us = rtt_us,
        .queue_bytes_max = queue_bytes_max,
        .look = {.mss = PATH_MSS, .srtt_us = rtt_us, .has_sack = true},
    };
    p->app_from_us = p->now_us;
    p->look.now_us = p->now_us;
    tcp_cc_init(&p->cc, &tcp_bbr_ops, PATH_MSS);
    p->cc.ops->init(&p->cc, &p->look, 7);
}

uint32_t path_bdp(const struct path *p, uint32_t percent)
{
    return (uint32_t)(p->bytes_per_s * p->rtt_us / 1000000 * percent / 100);
}

/* One segment into the queue, or beside it. */
static void enqueue(struct path *p, struct path_segment *s)
{
    uint64_t free_us = max64(p->link_free_us, p->now_us);
    uint64_t queued = (free_us - p->now_us) * p->bytes_per_s / 1000000;
    bool is_unlucky = p->lose_every != 0 && p->next % p->lose_every == p->lose_every - 1;
    if (is_unlucky || queued + PATH_MSS > p->queue_bytes_max + PATH_MSS) {
        s->is_lost = true;
        s->acked_us = free_us + p->rtt_us;
        p->dropped++;
        return;
    }
    p->link_free_us = free_us + PATH_MSS * 1000000ull / p->bytes_per_s;
    s->acked_us = p->link_free_us + p->rtt_us;
    if (p->ack_grain_us != 0)
        s->acked_us += p->ack_grain_us - s->acked_us % p->ack_grain_us;
}

static bool has_data(const struct path *p)
{
    if (p->is_quiet)
        return false;
    uint64_t due = (p->now_us - p->app_from_us) * p->app_bytes_per_s / 1000000;
    return p->app_bytes_per_s == 0 || p->app_sent_bytes + PATH_MSS <= due;
}

static void send(struct path *p)
{
    struct path_segment *s = at(p, p->next);
    *s = (struct path_segment){.sent_us = p->now_us, .seq = p->look.nxt};
    enqueue(p, s);
    p->next++;
    ASSERT(p->next - p->first < PATH_SEGMENTS_MAX);
    p->look.nxt = seq_add(p->look.nxt, PATH_MSS);
    p->look.pipe_bytes += PATH_MSS;
    p->pipe_most = max32(p->pipe_most, p->look.pipe_bytes);
    p->app_sent_bytes += PATH_MSS;
    struct tcp_cc_pace pace = p->cc.ops->on_sent(&p->cc, &p->look, &s->mark, PATH_MSS, false);
    ASSERT(pace.bytes_per_s > 0);
    tcp_pace_on_sent(&p->pace, p->now_us, PATH_MSS, pace.bytes_per_s, pace.burst_bytes);
}

static void send_what_may(struct path *p)
{
    while (has_data(p)) {
        p->cc.ops->before_send(&p->cc, &p->look, false);
        bool has_room =
            p->look.pipe_bytes == 0 || p->look.pipe_bytes + PATH_MSS <= p->cc.cwnd_bytes;
        if (!has_room || !tcp_pace_allows(&p->pace, p->now_us))
            return;
        send(p);
    }
    p->cc.ops->on_app_limited(&p->cc, &p->look);
}

/* It never arrived, and one sent later has: the sender finds out. */
static uint32_t lose(struct path *p, struct path_segment *s)
{
    p->look.pipe_bytes -= PATH_MSS;
    if (!p->look.in_recovery) {
        p->cc.ops->on_recovery(&p->cc, &p->look);
        p->look.in_recovery = true;
    }
    p->recovery_end = p->look.nxt; /* what is sent again arrives no sooner */
    struct tcp_cc_lost lost = {&s->mark, s->seq, PATH_MSS};
    p->cc.ops->on_lost(&p->cc, &p->look, &lost);
    return PATH_MSS;
}

static void acknowledge(struct path *p, struct path_segment *s, uint32_t lost)
{
    p->look.pipe_bytes -= PATH_MSS;
    p->look.una = seq_add(s->seq, PATH_MSS);
    p->acked_bytes += PATH_MSS;
    p->look.srtt_us = (uint32_t)(p->now_us - s->sent_us);
    p->cc.ops->on_delivered(&p->cc, PATH_MSS, p->now_us);
    if (p->look.in_recovery && seq_gt(p->look.una, p->recovery_end)) {
        p->cc.ops->on_recovered(&p->cc, &p->look);
        p->look.in_recovery = false;
    }
    struct tcp_cc_ack ack = {.delivered_bytes = PATH_MSS,
                             .una_bytes = PATH_MSS,
                             .lost_bytes = lost,
                             .newest = {.mark = &s->mark, .sent_us = s->sent_us}};
    p->cc.ops->on_ack(&p->cc, &p->look, &ack);
    p->cc.ops->check(&p->cc, PATH_MSS);
    p->states_seen |= 1u << p->cc.bbr.state;
}

static void receive(struct path *p)
{
    uint32_t lost = 0;
    while (p->first != p->next && at(p, p->first)->acked_us <= p->now_us) {
        struct path_segment *s = at(p, p->first++);
        if (s->is_lost) {
            lost += lose(p, s);
            continue;
        }
        acknowledge(p, s, lost);
        lost = 0;
    }
}

static void step(struct path *p)
{
    p->now_us += STEP_US;
    p->look.now_us = p->now_us;
    receive(p);
    send_what_may(p);
}

void path_run(struct path *p, uint64_t us)
{
    for (uint64_t end_us = p->now_us + us; p->now_us < end_us;)
        step(p);
}

bool path_run_to(struct path *p, enum tcp_bbr_state state, uint64_t us_max)
{
    for (uint64_t end_us = p->now_us + us_max; p->now_us < end_us && p->cc.bbr.state != state;)
        step(p);
    return p->cc.bbr.state == state;
}

bool path_run_from(struct path *p, enum tcp_bbr_state state, uint64_t us_max)
{
    for (uint64_t end_us = p->now_us + us_max; p->now_us < end_us && p->cc.bbr.state == state;)
        step(p);
    return p->cc.bbr.state != state;
}
