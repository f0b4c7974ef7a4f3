/* SPDX-License-Identifier: Apache-2.0 */
/* min_rtt, and the pauses that let it be seen: ProbeRTT (5.3.4) and restart from idle (5.4). */
#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/cc.h"
#include "tcp/tcp_limits.h"

#define PROBE_RTT_INTERVAL_MS 5000u
#define PROBE_RTT_DURATION_MS 200u
#define PROBE_RTT_CWND_PERCENT 50u
#define MIN_RTT_FILTER_MS 10000u

void tcp_bbr_update_min_rtt(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    uint32_t now_ms = tcp_cc_now_ms(s->look);
    b->probe_rtt_expired = now_ms - b->probe_rtt_min_ms > PROBE_RTT_INTERVAL_MS;
    uint32_t rtt_us = s->rs.rtt_us;
    if (rtt_us > 0 && (rtt_us < b->probe_rtt_min_us || b->probe_rtt_expired)) {
        b->probe_rtt_min_us = rtt_us;
        b->probe_rtt_min_ms = now_ms;
    }
    bool is_old = now_ms - b->min_rtt_ms > MIN_RTT_FILTER_MS;
    if (b->probe_rtt_min_us < b->min_rtt_us || is_old) {
        b->min_rtt_us = b->probe_rtt_min_us;
        b->min_rtt_ms = b->probe_rtt_min_ms;
    }
}

uint32_t tcp_bbr_probe_rtt_cwnd(const struct tcp_bbr *b, uint32_t mss)
{
    return max32(tcp_bbr_bdp(b, mss, PROBE_RTT_CWND_PERCENT), TCP_BBR_MIN_PIPE_SEGMENTS * mss);
}

static void enter_probe_rtt(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    struct tcp_bbr *b = &cc->bbr;
    tcp_bbr_save_cwnd(cc, look);
    b->state = TCP_BBR_PROBE_RTT;
    b->has_probe_rtt_done = false;
    b->ack_phase = TCP_BBR_ACKS_PROBE_STOPPING;
    tcp_bbr_start_round(b);
}

/* The pipe is known to have drained, so it cruises at once. */
static void exit_probe_rtt(struct tcp_bbr *b, uint32_t now_ms)
{
    tcp_bbr_reset_shortterm(b);
    if (!b->full_bw_reached) {
        tcp_bbr_enter_startup(b);
        return;
    }
    tcp_bbr_start_down(b, now_ms);
    tcp_bbr_start_cruise(b);
}

static void check_done(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    struct tcp_bbr *b = &cc->bbr;
    uint32_t now_ms = tcp_cc_now_ms(look);
    if (!b->has_probe_rtt_done || (int32_t)(now_ms - b->probe_rtt_done_ms) <= 0)
        return;
    b->probe_rtt_min_ms = now_ms; /* the next one counts from here */
    tcp_bbr_restore_cwnd(cc);
    exit_probe_rtt(b, now_ms);
}

static void handle_probe_rtt(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    /* Its low rates are of our making. */
    tcp_bw_on_app_limited(&b->rate, s->look->pipe_bytes);
    if (b->has_probe_rtt_done) {
        b->probe_rtt_round_done |= b->round_start;
        if (b->probe_rtt_round_done)
            check_done(s->cc, s->look);
        return;
    }
    if (s->look->pipe_bytes > tcp_bbr_probe_rtt_cwnd(b, s->look->mss))
        return;
    b->probe_rtt_done_ms = tcp_cc_now_ms(s->look) + PROBE_RTT_DURATION_MS;
    b->has_probe_rtt_done = true;
    b->probe_rtt_round_done = false;
    tcp_bbr_start_round(b);
}

void tcp_bbr_check_probe_rtt(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    if (b->state != TCP_BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart)
        enter_probe_rtt(s->cc, s->look);
    if (b->state == TCP_BBR_PROBE_RTT)
        handle_probe_rtt(s);
    if (s->rs.delivered_bytes > 0)
        b->idle_restart = false;
}

void tcp_bbr_restart_from_idle(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    struct tcp_bbr *b = &cc->bbr;
    if (look->pipe_bytes > 0 || !b->rate.is_app_limited)
        return;
    b->idle_restart = true;
    b->extra_acked_start_us = look->now_us;
    if (tcp_bbr_is_probe_bw(b))
        tcp_bbr_restart_pacing_rate(b, look->mss);
    else if (b->state == TCP_BBR_PROBE_RTT)
        check_done(cc, look);
}
