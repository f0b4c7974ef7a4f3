/* SPDX-License-Identifier: Apache-2.0 */
/* BBR's model of the path, but for its times and its long-term bound: section 5.5 of the draft. */
#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/cc.h"
#include "tcp/tcp_limits.h"

#define US_PER_S 1000000u
#define EXTRA_ACKED_HALF_ROUNDS 5u /* half of ExtraAckedFilterLen: the filter remembers 5 to 10 */

uint64_t tcp_bbr_max_bw(const struct tcp_bbr *b)
{
    return max64(b->max_bw_filter[0], b->max_bw_filter[1]);
}

void tcp_bbr_update_max_bw(struct tcp_bbr *b, const struct tcp_bw_sample *rs)
{
    if (rs->is_app_limited && rs->bytes_per_s < tcp_bbr_max_bw(b))
        return; /* it tells of the application, not of the path */
    b->max_bw_filter[1] = max64(b->max_bw_filter[1], rs->bytes_per_s);
}

void tcp_bbr_advance_max_bw_filter(struct tcp_bbr *b)
{
    if (b->max_bw_filter[1] == 0)
        return; /* nothing was measured in this cycle: the one before still counts */
    b->max_bw_filter[0] = b->max_bw_filter[1];
    b->max_bw_filter[1] = 0;
}

void tcp_bbr_start_round(struct tcp_bbr *b)
{
    b->next_round_delivered = b->rate.delivered;
}

static void update_round(struct tcp_bbr *b, const struct tcp_bw_sample *rs)
{
    b->round_start = tcp_bw_has_reached(rs->prior_delivered, b->next_round_delivered);
    if (!b->round_start)
        return;
    tcp_bbr_start_round(b);
    b->round_count++;
    if (b->rounds_since_probe_up < UINT8_MAX)
        b->rounds_since_probe_up++;
    b->was_cwnd_limited = b->is_cwnd_limited;
    b->is_cwnd_limited = false;
}

/* While it probes, loss is what it looks for; else a round with losses lowers the short-term model
 * to what is still delivered, by no more than Beta. */
static void adapt_lower_bounds(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    bool is_probing = b->state == TCP_BBR_STARTUP || b->state == TCP_BBR_PROBE_BW_REFILL ||
                      b->state == TCP_BBR_PROBE_BW_UP;
    if (is_probing || !b->is_loss_in_round)
        return;
    uint64_t bw = min64(b->bw_shortterm, tcp_bbr_max_bw(b));
    uint32_t inflight =
        b->inflight_shortterm == TCP_BBR_BYTES_INFINITE ? s->cc->cwnd_bytes : b->inflight_shortterm;
    b->bw_shortterm = max64(b->bw_latest, tcp_bbr_beta(bw));
    b->inflight_shortterm = max32(b->inflight_latest, (uint32_t)tcp_bbr_beta(inflight));
}

void tcp_bbr_update_signals(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    b->bw_latest = max64(b->bw_latest, s->rs.bytes_per_s);
    b->inflight_latest = max32(b->inflight_latest, s->rs.delivered_bytes);
    b->loss_round_start = tcp_bw_has_reached(s->rs.prior_delivered, b->loss_round_delivered);
    if (b->loss_round_start)
        b->loss_round_delivered = b->rate.delivered;
    update_round(b, &s->rs);
    tcp_bbr_update_max_bw(b, &s->rs);
    if (!b->loss_round_start)
        return;
    adapt_lower_bounds(s);
    b->is_loss_in_round = false;
}

void tcp_bbr_advance_signals(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    if (!b->loss_round_start)
        return;
    b->bw_latest = s->rs.bytes_per_s;
    b->inflight_latest = s->rs.delivered_bytes;
    b->loss_ranges = 0;
}

void tcp_bbr_reset_signals(struct tcp_bbr *b)
{
    b->is_loss_in_round = false;
    b->bw_latest = 0;
    b->inflight_latest = 0;
}

void tcp_bbr_reset_shortterm(struct tcp_bbr *b)
{
    b->bw_shortterm = TCP_BBR_RATE_INFINITE;
    b->inflight_shortterm = TCP_BBR_BYTES_INFINITE;
}

uint32_t tcp_bbr_extra_acked(const struct tcp_bbr *b)
{
    return max32(b->extra_acked_filter[0], b->extra_acked_filter[1]);
}

void tcp_bbr_update_aggregation(struct tcp_bbr_step *s)
{
    struct tcp_bbr *b = &s->cc->bbr;
    uint64_t now_us = s->look->now_us;
    ASSERT_HOT(now_us >= b->extra_acked_start_us);
    uint64_t interval_us = min64(now_us - b->extra_acked_start_us, TCP_RTO_US_MAX);
    uint64_t expected = tcp_bbr_bw(b) * interval_us / US_PER_S;
    if (b->extra_acked_delivered <= expected) { /* no faster than the rate: the burst is over */
        b->extra_acked_delivered = 0;
        b->extra_acked_start_us = now_us;
        expected = 0;
    }
    b->extra_acked_delivered += s->acked_bytes;
    uint64_t extra = min64(b->extra_acked_delivered - expected, s->cc->cwnd_bytes);
    uint32_t half_rounds = b->full_bw_reached ? EXTRA_ACKED_HALF_ROUNDS : 1;
    if (b->round_start && ++b->extra_acked_rounds >= half_rounds) {
        b->extra_acked_rounds = 0;
        b->extra_acked_filter[0] = b->full_bw_reached ? b->extra_acked_filter[1] : 0;
        b->extra_acked_filter[1] = 0;
    }
    b->extra_acked_filter[1] = max32(b->extra_acked_filter[1], (uint32_t)extra);
}
