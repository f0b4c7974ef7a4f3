/* SPDX-License-Identifier: Apache-2.0 */
/* ProbeBW (5.3.3): slower, even, refill, faster; and how much may be in flight at most. */
#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/cc.h"
#include "tcp/tcp_limits.h"

#define PROBE_WAIT_MS 2000u
#define PROBE_WAIT_RANDOM_MS 1001u
#define RENO_ROUNDS_MAX 63u
#define PROBE_UP_ROUNDS_MAX 30u
#define HEADROOM_PERCENT 15u

/* A number of the flow's own sequence: flows that began together are not to probe together. */
static uint32_t random_next(struct tcp_bbr *b)
{
    b->random = b->random * 1664525u + 1013904223u;
    return b->random >> 8;
}

void tcp_bbr_start_down(struct tcp_bbr *b, uint32_t now_ms)
{
    tcp_bbr_reset_signals(b);
    b->probe_up_acked_per_inc = TCP_BBR_BYTES_INFINITE;
    b->rounds_since_probe_up = random_next(b) & 1;
    b->bw_probe_wait_ms = PROBE_WAIT_MS + random_next(b) % PROBE_WAIT_RANDOM_MS;
    b->cycle_ms = now_ms;
    b->ack_phase = TCP_BBR_ACKS_PROBE_STOPPING;
    tcp_bbr_start_round(b);
    b->state = TCP_BBR_PROBE_BW_DOWN;
}

void tcp_bbr_start_cruise(struct tcp_bbr *b)
{
    b->state = TCP_BBR_PROBE_BW_CRUISE;
}

void tcp_bbr_start_refill(struct tcp_bbr *b)
{
    tcp_bbr_reset_shortterm(b);
    b->bw_probe_up_rounds = 0;
    b->bw_probe_up_acked = 0;
    b->prev_probe_precautionary = false;
    b->ack_phase = TCP_BBR_ACKS_REFILLING;
    tcp_bbr_start_round(b);
    b->state = TCP_BBR_PROBE_BW_REFILL;
}

/* inflight_longterm grows by 1, 2, 4 ... segments a round. */
static void raise_slope(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    uint32_t growth = 1u << b->bw_probe_up_rounds;
    if (b->bw_probe_up_rounds < PROBE_UP_ROUNDS_MAX)
        b->bw_probe_up_rounds++;
    b->probe_up_acked_per_inc = max32(s->cc->cwnd_bytes / growth, s->look->mss);
}

static void start_up(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    b->ack_phase = TCP_BBR_ACKS_PROBE_STARTING;
    tcp_bbr_start_round(b);
    tcp_bbr_reset_full_bw(b, s->rs.bytes_per_s);
    b->state = TCP_BBR_PROBE_BW_UP;
    raise_slope(s);
}

uint32_t tcp_bbr_inflight_with_headroom(const struct tcp_bbr *b, uint32_t mss)
{
    if (b->inflight_longterm == TCP_BBR_BYTES_INFINITE)
        return TCP_BBR_BYTES_INFINITE;
    uint64_t share = (uint64_t)b->inflight_longterm * HEADROOM_PERCENT / 100;
    uint32_t headroom = max32(mss, (uint32_t)share);
    uint32_t left = b->inflight_longterm > headroom ? b->inflight_longterm - headroom : 0;
    return max32(left, TCP_BBR_MIN_PIPE_SEGMENTS * mss);
}

uint32_t tcp_bbr_target_inflight(const struct tcp_cc *cc, uint32_t mss)
{
    return min32(tcp_bbr_bdp(&cc->bbr, mss, 100), cc->cwnd_bytes);
}

/* After a time, or after as many rounds as Reno would take to win a window back by segments. */
static bool is_time_to_probe_bw(const struct tcp_bbr_step *s)
{
    const struct tcp_bbr *b = &s->cc->bbr;
    uint32_t elapsed_ms = tcp_cc_now_ms(s->look) - b->cycle_ms;
    uint32_t reno_rounds = tcp_bbr_target_inflight(s->cc, s->look->mss) / s->look->mss;
    return elapsed_ms > b->bw_probe_wait_ms ||
           b->rounds_since_probe_up >= min32(reno_rounds, RENO_ROUNDS_MAX);
}

static bool is_time_to_cruise(const struct tcp_bbr_step *s)
{
    const struct tcp_bbr *b = &s->cc->bbr;
    uint32_t pipe = s->look->pipe_bytes;
    return pipe <= tcp_bbr_inflight_with_headroom(b, s->look->mss) &&
           pipe <= tcp_bbr_inflight(b, s->look->mss, 100);
}

static bool is_limited_by_longterm(const struct tcp_bbr_step *s)
{
    const struct tcp_bbr *b = &s->cc->bbr;
    return (b->is_cwnd_limited || b->was_cwnd_limited) && s->cc->cwnd_bytes >= b->inflight_longterm;
}

static bool is_time_to_go_down(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    /* In bytes, and before this ACK: no segment more fitted below the bound. */
    uint32_t pipe_before = s->look->pipe_bytes + s->acked_bytes;
    bool is_reached = pipe_before + s->look->mss > b->inflight_longterm;
    if (b->prev_probe_too_high && is_reached) {
        b->prev_probe_precautionary = true;
        return true;
    }
    if (is_limited_by_longterm(s)) {
        tcp_bbr_reset_full_bw(b, s->rs.bytes_per_s); /* it is our bound that holds it */
        return false;
    }
    return b->full_bw_now;
}

static void probe_longterm_upward(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    if (!is_limited_by_longterm(s))
        return;
    b->bw_probe_up_acked += s->acked_bytes;
    if (b->bw_probe_up_acked >= b->probe_up_acked_per_inc) {
        uint32_t steps = b->bw_probe_up_acked / b->probe_up_acked_per_inc;
        b->bw_probe_up_acked -= steps * b->probe_up_acked_per_inc;
        uint64_t bound = b->inflight_longterm + (uint64_t)steps * s->look->mss;
        b->inflight_longterm = (uint32_t)min64(bound, TCP_CWND_BYTES_MAX);
    }
    if (b->round_start)
        raise_slope(s);
}

/* What the ACKs of a probe mean. True: a transition was decided. */
static bool follow_ack_phase(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    if (!b->round_start)
        return false;
    if (b->ack_phase == TCP_BBR_ACKS_PROBE_STARTING)
        b->ack_phase = TCP_BBR_ACKS_PROBE_FEEDBACK;
    if (b->ack_phase != TCP_BBR_ACKS_PROBE_STOPPING)
        return false;
    b->is_bw_probe_sample = false;
    b->ack_phase = TCP_BBR_ACKS_INIT;
    if (!tcp_bbr_is_probe_bw(b))
        return false;
    if (!s->rs.is_app_limited)
        tcp_bbr_advance_max_bw_filter(b);
    if (!b->prev_probe_precautionary || b->prev_probe_too_high)
        return false;
    tcp_bbr_start_refill(b); /* the cautious probe was safe: now a whole one */
    return true;
}

/* True: a transition was decided. */
static bool adapt_longterm(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    if (follow_ack_phase(s))
        return true;
    if (tcp_bbr_is_inflight_too_high(&s->rs, s->look->has_sack) ||
        b->inflight_longterm == TCP_BBR_BYTES_INFINITE)
        return false;
    b->inflight_longterm = max32(b->inflight_longterm, s->rs.pipe_bytes);
    if (b->state == TCP_BBR_PROBE_BW_UP)
        probe_longterm_upward(s);
    return false;
}

void tcp_bbr_update_probe_bw(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    if (!b->full_bw_reached || adapt_longterm(s))
        return;
    switch (b->state) {
    case TCP_BBR_PROBE_BW_DOWN:
        if (is_time_to_probe_bw(s))
            tcp_bbr_start_refill(b);
        else if (is_time_to_cruise(s))
            tcp_bbr_start_cruise(b);
        break;
    case TCP_BBR_PROBE_BW_CRUISE:
        if (is_time_to_probe_bw(s))
            tcp_bbr_start_refill(b);
        break;
    case TCP_BBR_PROBE_BW_REFILL:
        if (!b->round_start)
            break;
        b->is_bw_probe_sample = true;
        start_up(s);
        break;
    case TCP_BBR_PROBE_BW_UP:
        if (!is_time_to_go_down(s))
            break;
        b->prev_probe_too_high = false; /* not yet: its losses may still be told */
        tcp_bbr_start_down(b, tcp_cc_now_ms(s->look));
        break;
    default:
        break;
    }
}
