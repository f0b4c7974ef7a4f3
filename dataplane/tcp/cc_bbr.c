/* SPDX-License-Identifier: Apache-2.0 */
/* BBR's answers to what happens, in the order of the draft's steps (5.2). */
#include "tcp/cc_bbr.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/minmax.h"
#include "base/names.h"
#include "tcp/cc.h"
#include "tcp/tcp_limits.h"

const char *tcp_bbr_state_name(enum tcp_bbr_state state)
{
    static const char *const names[] = {TCP_BBR_STATE_LIST(X_TEXT)};
    ASSERT((unsigned)state < array_len(names));
    return names[state];
}

static void bbr_init(struct tcp_cc *cc, const struct tcp_cc_look *look, uint32_t seed)
{
    uint32_t now_ms = tcp_cc_now_ms(look);
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
    tcp_bbr_init_pacing_rate(&cc->bbr, look);
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
    return (struct tcp_cc_pace){b->pacing_rate, tcp_bbr_quantum(b, look->mss)};
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
        tcp_bbr_init_pacing_rate(b, look);
    struct tcp_bbr_step s = {.cc = cc, .look = look, .acked_bytes = ack->delivered_bytes};
    uint32_t min_rtt_us = b->min_rtt_us == TCP_BBR_RTT_INFINITE ? 0 : b->min_rtt_us;
    if (tcp_bw_take(&b->rate, &ack->newest, look->now_us, min_rtt_us, &s.rs))
        update_model(&s);
    tcp_bbr_set_pacing_rate(b, look->mss);
    tcp_bbr_set_cwnd(cc, look, ack->is_marked ? 0 : ack->delivered_bytes);
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
