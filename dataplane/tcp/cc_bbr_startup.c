/* SPDX-License-Identifier: Apache-2.0 */
/* Startup and Drain (5.3.1, 5.3.2): is the pipe full? */
#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/cc.h"

#define FULL_BW_ROUNDS 3u
#define STARTUP_FULL_LOSS_RANGES 6u /* BBRStartupFullLossCnt */
#define DRAIN_ROUNDS_MAX 3u

void tcp_bbr_enter_startup(struct tcp_bbr *b)
{
    b->state = TCP_BBR_STARTUP;
}

void tcp_bbr_enter_drain(struct tcp_bbr *b)
{
    b->state = TCP_BBR_DRAIN;
    b->drain_start_round = b->round_count;
}

void tcp_bbr_reset_full_bw(struct tcp_bbr *b, uint64_t bw)
{
    b->full_bw = bw;
    b->full_bw_count = 0;
    b->full_bw_now = false;
}

void tcp_bbr_note_full_pipe(struct tcp_bbr *b, uint32_t mss)
{
    b->full_bw_now = true;
    b->full_bw_reached = true;
    b->inflight_longterm = max32(tcp_bbr_bdp(b, mss, 100), b->inflight_latest);
}

/* Three rounds in which going faster brought less than a quarter more. */
static void check_full_bw(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    if (b->full_bw_now || !b->round_start || s->rs.is_app_limited)
        return;
    if (s->rs.bytes_per_s >= b->full_bw + b->full_bw / 4) {
        tcp_bbr_reset_full_bw(b, s->rs.bytes_per_s);
        return;
    }
    b->full_bw_count++;
    b->full_bw_now = b->full_bw_count >= FULL_BW_ROUNDS;
    b->full_bw_reached |= b->full_bw_now;
}

/* A whole round of recovery with too many losses that do not touch each other; without SACK only
 * one a round trip can be seen, and that is enough. */
static bool has_high_loss(const struct tcp_bbr_step *s)
{
    const struct tcp_bbr *b = &s->cc->bbr;
    if (!s->look->in_recovery)
        return false;
    bool has_ranges = b->loss_ranges >= STARTUP_FULL_LOSS_RANGES && b->loss_round_start;
    return (has_ranges || !s->look->has_sack) &&
           tcp_bbr_is_inflight_too_high(&s->rs, s->look->has_sack);
}

static void check_startup_done(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    if (b->state != TCP_BBR_STARTUP)
        return;
    if (!b->full_bw_reached && has_high_loss(s)) {
        b->undo_state = TCP_BBR_STARTUP;
        tcp_bbr_note_full_pipe(b, s->look->mss);
    }
    if (b->full_bw_reached)
        tcp_bbr_enter_drain(b);
}

void tcp_bbr_check_startup(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    check_full_bw(s);
    check_startup_done(s);
    if (b->state != TCP_BBR_DRAIN)
        return;
    bool is_late = b->round_count - b->drain_start_round > DRAIN_ROUNDS_MAX;
    if (is_late || s->look->pipe_bytes <= tcp_bbr_inflight(b, s->look->mss, 100))
        tcp_bbr_start_down(b, tcp_cc_now_ms(s->look));
}
