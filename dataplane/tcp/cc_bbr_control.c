/* SPDX-License-Identifier: Apache-2.0 */
/* What follows of BBR's model (5.6): pacing rate, quantum, window. */
#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/cc.h"
#include "tcp/tcp_limits.h"

#define US_PER_S 1000000u
#define PACING_PERCENT 99u  /* PacingMarginPercent: a little below what the path delivers */
#define QUANTUM_PER_S 1000u /* a quantum is what goes in a millisecond */
#define QUANTUM_SEGMENTS 2u
#define OFFLOAD_QUANTA 3u /* at the sender, on the way, at the receiver */
#define NOMINAL_RTT_US 1000u

/* Pacing gain and window gain of each state. */
static const struct {
    uint16_t pacing_percent;
    uint16_t cwnd_percent;
} gains[TCP_BBR_STATES] = {
    [TCP_BBR_STARTUP] = {277, 200},         [TCP_BBR_DRAIN] = {50, 200},
    [TCP_BBR_PROBE_BW_DOWN] = {90, 200},    [TCP_BBR_PROBE_BW_CRUISE] = {100, 200},
    [TCP_BBR_PROBE_BW_REFILL] = {100, 200}, [TCP_BBR_PROBE_BW_UP] = {125, 225},
    [TCP_BBR_PROBE_RTT] = {100, 50},
};

uint64_t tcp_bbr_bw(const struct tcp_bbr *b)
{
    return min64(tcp_bbr_max_bw(b), b->bw_shortterm);
}

uint32_t tcp_bbr_bdp(const struct tcp_bbr *b, uint32_t mss, uint32_t percent)
{
    if (b->min_rtt_us == TCP_BBR_RTT_INFINITE)
        return tcp_cc_initial_window(mss);
    uint64_t bw = min64(tcp_bbr_bw(b), UINT32_MAX * 64ULL); /* 2 Tbit/s: the product has room */
    uint64_t bdp = bw * min32(b->min_rtt_us, TCP_RTO_US_MAX) / US_PER_S;
    return (uint32_t)min64(bdp * percent / 100, TCP_CWND_BYTES_MAX);
}

uint32_t tcp_bbr_quantum(const struct tcp_bbr *b, uint32_t mss)
{
    uint64_t bytes = min64(b->pacing_rate / QUANTUM_PER_S, TCP_BBR_QUANTUM_BYTES_MAX);
    return max32((uint32_t)bytes, QUANTUM_SEGMENTS * mss);
}

static uint32_t with_quanta(const struct tcp_bbr *b, uint32_t mss, uint32_t bytes)
{
    bytes = max32(bytes, OFFLOAD_QUANTA * tcp_bbr_quantum(b, mss));
    bytes = max32(bytes, TCP_BBR_MIN_PIPE_SEGMENTS * mss);
    return b->state == TCP_BBR_PROBE_BW_UP ? bytes + 2 * mss : bytes;
}

uint32_t tcp_bbr_inflight(const struct tcp_bbr *b, uint32_t mss, uint32_t percent)
{
    return with_quanta(b, mss, tcp_bbr_bdp(b, mss, percent));
}

/* No slower than a segment each TCP_BBR_PACE_US_MAX. */
static uint64_t at_least(uint64_t rate, uint32_t mss)
{
    return max64(rate, (uint64_t)mss * US_PER_S / TCP_BBR_PACE_US_MAX);
}

static void set_pacing_rate(struct tcp_bbr *b, uint32_t mss, uint32_t gain_percent)
{
    uint64_t rate = tcp_bbr_bw(b) / 100 * gain_percent * PACING_PERCENT / 100;
    rate = at_least(rate, mss);
    if (b->full_bw_reached || rate > b->pacing_rate)
        b->pacing_rate = rate;
}

void tcp_bbr_set_pacing_rate(struct tcp_bbr *b, uint32_t mss)
{
    set_pacing_rate(b, mss, gains[b->state].pacing_percent);
}

void tcp_bbr_restart_pacing_rate(struct tcp_bbr *b, uint32_t mss)
{
    set_pacing_rate(b, mss, 100);
}

void tcp_bbr_save_cwnd(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    struct tcp_bbr *b = &cc->bbr;
    bool is_known_good = !look->in_recovery && !look->in_loss && b->state != TCP_BBR_PROBE_RTT;
    b->prior_cwnd = is_known_good ? cc->cwnd_bytes : max32(b->prior_cwnd, cc->cwnd_bytes);
}

void tcp_bbr_restore_cwnd(struct tcp_cc *cc)
{
    cc->cwnd_bytes = max32(cc->cwnd_bytes, cc->bbr.prior_cwnd);
}

void tcp_bbr_init_pacing_rate(struct tcp_bbr *b, const struct tcp_cc_look *look)
{
    b->has_rtt = look->srtt_us > 0;
    uint64_t rtt_us = b->has_rtt ? look->srtt_us : NOMINAL_RTT_US;
    uint64_t rate = (uint64_t)tcp_cc_initial_window(look->mss) * US_PER_S / rtt_us;
    rate = rate * gains[TCP_BBR_STARTUP].pacing_percent / 100;
    b->pacing_rate = at_least(rate, look->mss);
}

/* What the model allows in flight at most (BoundCwndForModel()). */
static uint32_t bound(const struct tcp_bbr *b, uint32_t mss)
{
    uint32_t cap = TCP_BBR_BYTES_INFINITE;
    if (b->state == TCP_BBR_PROBE_RTT || b->state == TCP_BBR_PROBE_BW_CRUISE)
        cap = tcp_bbr_inflight_with_headroom(b, mss);
    else if (tcp_bbr_is_probe_bw(b))
        cap = b->inflight_longterm;
    cap = min32(cap, b->inflight_shortterm);
    if (b->state == TCP_BBR_PROBE_RTT)
        cap = min32(cap, tcp_bbr_probe_rtt_cwnd(b, mss));
    return max32(cap, TCP_BBR_MIN_PIPE_SEGMENTS * mss);
}

void tcp_bbr_set_cwnd(struct tcp_cc *cc, const struct tcp_cc_look *look, uint32_t acked)
{
    struct tcp_bbr *b = &cc->bbr;
    uint32_t mss = look->mss;
    uint32_t max_inflight = tcp_bbr_bdp(b, mss, gains[b->state].cwnd_percent);
    max_inflight = with_quanta(b, mss, max_inflight + tcp_bbr_extra_acked(b));
    uint32_t cwnd = cc->cwnd_bytes;
    if (b->full_bw_reached)
        cwnd = min32(cwnd + acked, max_inflight);
    else if (cwnd < max_inflight || b->rate.delivered < tcp_cc_initial_window(mss))
        cwnd += acked;
    cwnd = max32(cwnd, TCP_BBR_MIN_PIPE_SEGMENTS * mss);
    cc->cwnd_bytes = min32(min32(cwnd, bound(b, mss)), TCP_CWND_BYTES_MAX);
}
