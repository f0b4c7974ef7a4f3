/* SPDX-License-Identifier: Apache-2.0 */
/* BBR's answers to what happens, and what follows of its model (5.6): rate, quantum, window.
 */
#include "tcp/cc_bbr.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/minmax.h"
#include "base/names.h"
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

const char *tcp_bbr_state_name(enum tcp_bbr_state state)
{
    static const char *const names[] = {TCP_BBR_STATE_LIST(X_TEXT)};
    ASSERT((unsigned)state < array_len(names));
    return names[state];
}

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

static uint32_t quantum(const struct tcp_bbr *b, uint32_t mss)
{
    uint64_t bytes = min64(b->pacing_rate / QUANTUM_PER_S, TCP_BBR_QUANTUM_BYTES_MAX);
    return max32((uint32_t)bytes, QUANTUM_SEGMENTS * mss);
}

static uint32_t with_quanta(const struct tcp_bbr *b, uint32_t mss, uint32_t bytes)
{
    bytes = max32(bytes, OFFLOAD_QUANTA * quantum(b, mss));
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

void tcp_bbr_set_pacing_rate(struct tcp_bbr *b, uint32_t mss, uint32_t gain_percent)
{
    uint64_t rate = tcp_bbr_bw(b) / 100 * gain_percent * PACING_PERCENT / 100;
    rate = at_least(rate, mss);
    if (b->full_bw_reached || rate > b->pacing_rate)
        b->pacing_rate = rate;
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

/* Nothing is delivered yet: the initial window over a round trip. */
static void init_pacing_rate(struct tcp_bbr *b, const struct tcp_cc_look *look)
{
    b->has_rtt = look->srtt_us > 0;
    uint64_t rtt_us = b->has_rtt ? look->srtt_us : NOMINAL_RTT_US;
    uint64_t rate = (uint64_t)tcp_cc_initial_window(look->mss) * US_PER_S / rtt_us;
    rate = rate * gains[TCP_BBR_STARTUP].pacing_percent / 100;
    b->pacing_rate = at_least(rate, look->mss);
}

static void bbr_init(struct tcp_cc *cc, const struct tcp_cc_look *look, uint32_t seed)
{
    uint32_t now_ms = tcp_bbr_now_ms(look->now_us);
    uint32_t rtt_us = look->srtt_us > 0 ? look->srtt_us : TCP_BBR_RTT_INFINITE;
    cc->bbr = (struct tcp_bbr){
        .min_rtt_us = rtt_us,
        .min_rtt_ms = now_ms,
        .probe_rtt_min_us = rtt_us,
        .probe_rtt_min_ms = now_ms,
        .extra_acked_start_us = look->now_us,
        .inflight_longterm = TCP_BBR_BYTES_INFINITE,
        .probe_up_acked_per_inc = TCP_BBR_BYTES_INFINITE,
        .undo_state = TCP_BBR_STATES,
        .random = seed,
    };
    tcp_bbr_reset_shortterm(&cc->bbr);
    init_pacing_rate(&cc->bbr, look);
    tcp_bbr_enter_startup(&cc->bbr);
}

static void bbr_before_send(struct tcp_cc *cc, const struct tcp_cc_look *look, bool is_idle)
{
    tcp_bbr_restart_from_idle(cc, look);
}

static struct tcp_cc_pace bbr_on_sent(struct tcp_cc *cc, const struct tcp_cc_look *look,
                                      struct tcp_bw_mark *mark, uint32_t bytes, bool was_resent)
{
    struct tcp_bbr *b = &cc->bbr;
    tcp_bw_on_sent(&b->rate, mark, look->now_us, look->pipe_bytes, bytes);
    b->is_cwnd_limited |= look->pipe_bytes + look->mss > cc->cwnd_bytes;
    return (struct tcp_cc_pace){b->pacing_rate, quantum(b, look->mss)};
}

static void bbr_on_app_limited(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    if (look->pipe_bytes < cc->cwnd_bytes)
        tcp_bw_on_app_limited(&cc->bbr.rate, look->pipe_bytes);
}

static void bbr_on_delivered(struct tcp_cc *cc, uint32_t bytes, uint64_t now_us)
{
    tcp_bw_on_delivered(&cc->bbr.rate, bytes, now_us);
}

static void bbr_on_lost(struct tcp_cc *cc, const struct tcp_cc_look *look,
                        const struct tcp_cc_lost *lost)
{
    tcp_bbr_on_lost(cc, look, lost->mark, lost->seq, lost->bytes);
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

/* The window moves to what the model wants in flight, up by no more than was delivered. */
static void set_cwnd(struct tcp_cc *cc, const struct tcp_cc_look *look, uint32_t acked)
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

static void update_model(struct tcp_bbr_step *s)
{
    tcp_bbr_update_signals(s);
    tcp_bbr_update_aggregation(s);
    tcp_bbr_check_startup(s);
    tcp_bbr_update_probe_bw(s);
    tcp_bbr_update_min_rtt(s);
    tcp_bbr_check_probe_rtt(s);
    tcp_bbr_advance_signals(s);
}

static enum tcp_cc_news news(struct tcp_bbr *b, enum tcp_bbr_state before)
{
    bool was_told = b->is_full_told;
    b->is_full_told = b->full_bw_reached;
    if (b->full_bw_reached && !was_told)
        return TCP_CC_NEWS_PIPE_FULL;
    bool is_entered = b->state == TCP_BBR_PROBE_RTT && before != TCP_BBR_PROBE_RTT;
    return is_entered ? TCP_CC_NEWS_PROBE_RTT : TCP_CC_NEWS_NONE;
}

static enum tcp_cc_news bbr_on_ack(struct tcp_cc *cc, const struct tcp_cc_look *look,
                                   const struct tcp_cc_ack *ack)
{
    struct tcp_bbr *b = &cc->bbr;
    if (ack->delivered_bytes == 0)
        return TCP_CC_NEWS_NONE;
    enum tcp_bbr_state before = b->state;
    if (!b->has_rtt && look->srtt_us > 0)
        init_pacing_rate(b, look);
    struct tcp_bbr_step s = {.cc = cc, .look = look, .acked_bytes = ack->delivered_bytes};
    uint32_t min_rtt_us = b->min_rtt_us == TCP_BBR_RTT_INFINITE ? 0 : b->min_rtt_us;
    if (tcp_bw_take(&b->rate, &ack->newest, look->now_us, min_rtt_us, &s.rs))
        update_model(&s);
    tcp_bbr_set_pacing_rate(b, look->mss, gains[b->state].pacing_percent);
    set_cwnd(cc, look, ack->is_marked ? 0 : ack->delivered_bytes);
    return news(b, before);
}

static void bbr_on_recovery(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    tcp_bbr_save_state(cc, look);
}

static void bbr_on_timeout(struct tcp_cc *cc, const struct tcp_cc_look *look, bool is_first)
{
    if (is_first)
        tcp_bbr_save_state(cc, look);
    else
        tcp_bbr_save_cwnd(cc, look);
    cc->cwnd_bytes = look->mss;
}

/* The window grows by what was delivered; nothing is to be made up for. */
static void bbr_on_timeout_stands(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    cc->cwnd_bytes = max32(cc->cwnd_bytes, look->mss);
}

static void bbr_on_recovered(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    tcp_bbr_restore_cwnd(cc);
}

static void bbr_on_repaired(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    cc->bbr.rate.lost += look->mss;
    tcp_bbr_note_loss(&cc->bbr);
}

static struct tcp_cc_told bbr_tell(const struct tcp_cc *cc)
{
    const struct tcp_bbr *b = &cc->bbr;
    return (struct tcp_cc_told){
        .phase = tcp_bbr_state_name(b->state),
        .bandwidth_bytes_per_s = tcp_bbr_max_bw(b),
        .pacing_bytes_per_s = b->pacing_rate,
        .min_rtt_us = b->min_rtt_us == TCP_BBR_RTT_INFINITE ? 0 : b->min_rtt_us,
    };
}

/* It is always paced, never stopped by its bounds, and Startup is where it has not seen the pipe
 * full. */
static void bbr_check(const struct tcp_cc *cc, uint32_t mss)
{
    const struct tcp_bbr *b = &cc->bbr;
    ASSERT_HOT(b->state < TCP_BBR_STATES && b->undo_state <= TCP_BBR_STATES);
    ASSERT_HOT(cc->cwnd_bytes > 0 && cc->cwnd_bytes <= TCP_CWND_BYTES_MAX);
    ASSERT_HOT(cc->ssthresh_bytes == TCP_CWND_BYTES_MAX);
    ASSERT_HOT(b->pacing_rate > 0);
    ASSERT_HOT((b->state == TCP_BBR_DRAIN || tcp_bbr_is_probe_bw(b)) <= b->full_bw_reached);
    ASSERT_HOT(b->state != TCP_BBR_STARTUP || !b->full_bw_reached);
    ASSERT_HOT(tcp_bbr_bw(b) <= tcp_bbr_max_bw(b));
}

const struct tcp_cc_ops tcp_bbr_ops = {
    .name = "bbr",
    .has_marks = true,
    .init = bbr_init,
    .before_send = bbr_before_send,
    .on_sent = bbr_on_sent,
    .on_app_limited = bbr_on_app_limited,
    .on_delivered = bbr_on_delivered,
    .on_lost = bbr_on_lost,
    .on_ack = bbr_on_ack,
    .on_recovery = bbr_on_recovery,
    .on_timeout = bbr_on_timeout,
    .on_timeout_stands = bbr_on_timeout_stands,
    .on_recovered = bbr_on_recovered,
    .on_repaired = bbr_on_repaired,
    .on_mark = tcp_bbr_on_mark,
    .undo = tcp_bbr_undo,
    .tell = bbr_tell,
    .check = bbr_check,
};
