/* SPDX-License-Identifier: Apache-2.0 */
/* What losses and marks tell BBR (5.5.10), and what comes back when there were none (5.5.11). */
#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/cc.h"
#include "tcp/tcp_limits.h"

#define LOSS_THRESH_PERCENT 2u

bool tcp_bbr_is_inflight_too_high(const struct tcp_bw_sample *rs, bool has_sack)
{
    if (!has_sack)
        return rs->lost_bytes > 0;
    return (uint64_t)rs->lost_bytes * 100 > (uint64_t)rs->pipe_bytes * LOSS_THRESH_PERCENT;
}

/* The probe put too much in flight: `inflight` was what passed. */
static void handle_inflight_too_high(struct tcp_cc *cc, const struct tcp_cc_look *look,
                                     uint32_t inflight, bool is_app_limited)
{
    struct tcp_bbr *b = &cc->bbr;
    b->prev_probe_too_high = true;
    b->is_bw_probe_sample = false; /* once a probe */
    if (!is_app_limited)
        b->inflight_longterm =
            max32(inflight, (uint32_t)tcp_bbr_beta(tcp_bbr_target_inflight(cc, look->mss)));
    if (b->state != TCP_BBR_PROBE_BW_UP)
        return;
    b->undo_state = TCP_BBR_PROBE_BW_UP;
    tcp_bbr_start_down(b, tcp_cc_now_ms(look));
}

/* How much was in flight when the loss rate crossed the threshold, if losses before this segment
 * did not yet: somewhere within it. */
static uint32_t inflight_at_loss(const struct tcp_bw_sample *rs, uint32_t bytes)
{
    int64_t inflight_before = (int64_t)rs->pipe_bytes - bytes;
    int64_t lost_before = (int64_t)rs->lost_bytes - bytes;
    int64_t prefix = (inflight_before * LOSS_THRESH_PERCENT - lost_before * 100) /
                     (100 - (int64_t)LOSS_THRESH_PERCENT);
    int64_t inflight = inflight_before + prefix;
    return inflight > 0 ? (uint32_t)inflight : 0;
}

void tcp_bbr_note_loss(struct tcp_bbr *b)
{
    if (!b->is_loss_in_round)
        b->loss_round_delivered = b->rate.delivered;
    b->is_loss_in_round = true;
}

void tcp_bbr_on_lost(struct tcp_cc *cc, const struct tcp_cc_look *look,
                     const struct tcp_bw_mark *mark, seq_t seq, uint32_t bytes)
{
    struct tcp_bbr *b = &cc->bbr;
    b->rate.lost += bytes;
    tcp_bbr_note_loss(b);
    if ((b->loss_ranges == 0 || !seq_eq(seq, b->lost_end)) && b->loss_ranges < UINT8_MAX)
        b->loss_ranges++;
    b->lost_end = seq_add(seq, bytes);
    if (!b->is_bw_probe_sample)
        return;
    struct tcp_bw_sample rs = {
        .pipe_bytes = mark->pipe_bytes,
        .lost_bytes = b->rate.lost - mark->lost,
    };
    if (tcp_bbr_is_inflight_too_high(&rs, look->has_sack))
        handle_inflight_too_high(cc, look, inflight_at_loss(&rs, bytes), mark->is_app_limited);
}

void tcp_bbr_save_state(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    struct tcp_bbr *b = &cc->bbr;
    tcp_bbr_save_cwnd(cc, look);
    b->undo_state = TCP_BBR_STATES;
    b->undo_bw_shortterm = b->bw_shortterm;
    b->undo_inflight_shortterm = b->inflight_shortterm;
    b->undo_inflight_longterm = b->inflight_longterm;
}

void tcp_bbr_on_mark(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    struct tcp_bbr *b = &cc->bbr;
    if (b->state == TCP_BBR_STARTUP) {
        tcp_bbr_note_full_pipe(b, look->mss);
        tcp_bbr_enter_drain(b);
    } else if (b->is_bw_probe_sample || b->state == TCP_BBR_PROBE_BW_REFILL) {
        handle_inflight_too_high(cc, look, (uint32_t)tcp_bbr_beta(look->pipe_bytes),
                                 b->rate.is_app_limited);
        if (b->state == TCP_BBR_PROBE_BW_REFILL)
            tcp_bbr_start_down(b, tcp_cc_now_ms(look));
    }
    /* As CUBIC would, at once; until the next probe. */
    uint64_t bw = min64(b->bw_shortterm, tcp_bbr_max_bw(b));
    uint32_t inflight = min32(b->inflight_shortterm, cc->cwnd_bytes);
    b->bw_shortterm = tcp_bbr_beta(bw);
    b->inflight_shortterm =
        max32((uint32_t)tcp_bbr_beta(inflight), TCP_BBR_MIN_PIPE_SEGMENTS * look->mss);
    cc->cwnd_bytes = min32(cc->cwnd_bytes, b->inflight_shortterm);
    ASSERT_HOT(cc->cwnd_bytes > 0);
}

void tcp_bbr_undo(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    struct tcp_bbr *b = &cc->bbr;
    enum tcp_bbr_state undo_state = b->undo_state;
    tcp_bbr_restore_cwnd(cc);
    b->is_loss_in_round = false;
    tcp_bbr_reset_full_bw(b, 0);
    b->bw_shortterm = max64(b->bw_shortterm, b->undo_bw_shortterm);
    b->inflight_shortterm = max32(b->inflight_shortterm, b->undo_inflight_shortterm);
    b->inflight_longterm = max32(b->inflight_longterm, b->undo_inflight_longterm);
    b->undo_state = TCP_BBR_STATES;
    if (undo_state == TCP_BBR_STARTUP && b->state != TCP_BBR_STARTUP) {
        b->full_bw_reached = false;
        if (b->state != TCP_BBR_PROBE_RTT)
            tcp_bbr_enter_startup(b);
    } else if (undo_state == TCP_BBR_PROBE_BW_UP && b->state != TCP_BBR_PROBE_BW_UP &&
               b->state != TCP_BBR_PROBE_RTT) {
        tcp_bbr_start_refill(b);
    }
}
