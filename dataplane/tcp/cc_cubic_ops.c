/* SPDX-License-Identifier: Apache-2.0 */
/* CUBIC's answers to what happens: growth, PRR, validation (RFC 7661) and HyStart++ together. */
#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/cc.h"
#include "tcp/pace.h"
#include "tcp/tcp_limits.h"

static void cubic_init(struct tcp_cc *cc, const struct tcp_cc_look *look, uint32_t seed)
{
    ASSERT_HOT(cc->cwnd_bytes > 0);
    tcp_cwv_init(&cc->window.cwv, tcp_cc_now_ms(look));
    tcp_hystart_init(&cc->window.hystart, look->nxt);
}

/* Paced, the window makes no burst, and is kept as long as RFC 7661 (4.4) allows; else it falls to
 * the restart window (RFC 5681, 4.1). */
static void cubic_before_send(struct tcp_cc *cc, const struct tcp_cc_look *look, bool is_idle)
{
    if (look->is_paced)
        tcp_cwv_before_send(&cc->window.cwv, cc, look->mss, tcp_cc_now_ms(look));
    else if (is_idle)
        tcp_cc_on_idle(cc, look->mss);
    if (is_idle)
        tcp_cubic_on_idle(cc);
}

/* In recovery the window is what is in flight and little more: the rate is that of all that is
 * unacknowledged. */
static struct tcp_cc_pace pace(const struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    if (!look->is_paced)
        return (struct tcp_cc_pace){0};
    uint32_t window = max32(cc->cwnd_bytes, tcp_cc_flight(look));
    bool is_slow_start = cc->cwnd_bytes < cc->ssthresh_bytes / 2;
    return (struct tcp_cc_pace){tcp_pace_rate(window, look->srtt_us, is_slow_start),
                                TCP_PACE_BURST_SEGMENTS * look->mss};
}

static struct tcp_cc_pace cubic_on_sent(struct tcp_cc *cc, const struct tcp_cc_look *look,
                                        struct tcp_bw_mark *mark, uint32_t bytes, bool was_resent)
{
    if (was_resent)
        tcp_cwv_on_resent(&cc->window.cwv, bytes);
    tcp_cc_on_recovery_sent(cc, bytes);
    return pace(cc, look);
}

/* Is the window one that was used lately (RFC 7661, 4.3)? pipeACK is up to two round trips old, in
 * which slow start has doubled a window twice that was full all the time. */
static bool is_validated(const struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    const struct tcp_cwv *v = &cc->window.cwv;
    uint32_t cwnd = cc->cwnd_bytes;
    if (tcp_cwv_is_validated(v, cwnd))
        return true;
    return cwnd < cc->ssthresh_bytes && tcp_cc_flight(look) >= cwnd / 2 &&
           tcp_cwv_is_validated(v, cwnd / 4);
}

/* May the window grow? If it was full, which a paced one rarely is. */
static bool was_used(const struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    return look->is_cwnd_limited || look->in_loss || (look->is_paced && is_validated(cc, look));
}

/* The first slow start ends when delay grows: HyStart++. Returns how much the window may grow. */
static uint32_t guard_slow_start(struct tcp_cc *cc, const struct tcp_cc_look *look, uint32_t rtt_us,
                                 uint32_t bytes)
{
    struct tcp_hystart *h = &cc->window.hystart;
    if (cc->ssthresh_bytes < TCP_CWND_BYTES_MAX || h->is_done || !look->is_paced)
        return bytes;
    bytes /= tcp_hystart_on_ack(h, rtt_us, look->una, look->nxt);
    if (h->is_done)
        cc->ssthresh_bytes = cc->cwnd_bytes;
    return bytes;
}

static void on_recovery_ack(struct tcp_cc *cc, const struct tcp_cc_look *look,
                            const struct tcp_cc_ack *ack)
{
    uint32_t delivered = ack->delivered_bytes;
    if (!look->has_sack && ack->is_dupack)
        delivered += look->mss;
    bool is_safe = ack->una_bytes > 0 && ack->lost_bytes == 0;
    tcp_cc_on_recovery_ack(cc, delivered, look->pipe_bytes, is_safe, look->mss);
    if (!look->has_sack && ack->lost_bytes > 0 && cc->cwnd_bytes < look->pipe_bytes + look->mss)
        cc->cwnd_bytes = look->pipe_bytes + look->mss; /* RFC 6582, 3.2: the next hole at once */
}

static enum tcp_cc_news cubic_on_ack(struct tcp_cc *cc, const struct tcp_cc_look *look,
                                     const struct tcp_cc_ack *ack)
{
    if (look->in_recovery) {
        on_recovery_ack(cc, look, ack);
        return TCP_CC_NEWS_NONE;
    }
    uint32_t delivered = ack->delivered_bytes;
    if (!look->in_loss)
        tcp_cwv_on_ack(&cc->window.cwv, delivered, look->una, look->nxt, look->srtt_us,
                       tcp_cc_now_ms(look));
    if (ack->una_bytes == 0 || ack->is_marked)
        return TCP_CC_NEWS_NONE; /* RFC 5681, 3.1; RFC 3042, 2: duplicates open no window */
    if (!look->has_sack && look->in_loss && delivered > look->mss)
        delivered = look->mss; /* RFC 3465, 2.3: most may have arrived before the timeout */
    bool was_done = cc->window.hystart.is_done;
    delivered = guard_slow_start(cc, look, ack->rtt_us, delivered);
    tcp_cc_on_ack(cc, delivered, look->mss, look->srtt_us, look->now_us, was_used(cc, look));
    return cc->window.hystart.is_done && !was_done ? TCP_CC_NEWS_HYSTART : TCP_CC_NEWS_NONE;
}

static void cubic_on_recovery(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    bool was_validated = is_validated(cc, look);
    tcp_cc_remember(cc);
    tcp_cc_on_recovery(cc, tcp_cc_flight(look), look->mss);
    tcp_cwv_on_loss(&cc->window.cwv, cc, was_validated, tcp_cc_flight(look), look->mss);
}

static void cubic_on_timeout(struct tcp_cc *cc, const struct tcp_cc_look *look, bool is_first)
{
    if (is_first)
        tcp_cc_remember(cc);
    tcp_cc_on_timeout(cc, is_first, look->mss);
}

/* Two round trips have passed since the timeout. */
static void cubic_on_timeout_stands(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    cc->cwnd_bytes = 3 * look->mss;
}

static void cubic_on_recovered(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    if (look->in_recovery) {
        tcp_cc_on_recovered(cc, look->mss);
        tcp_cwv_on_recovered(&cc->window.cwv, cc, look->mss, tcp_cc_now_ms(look));
    } else {
        tcp_cwv_init(&cc->window.cwv, tcp_cc_now_ms(look));
    }
}

static void cubic_on_repaired(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    tcp_cc_on_recovery(cc, tcp_cc_flight(look), look->mss);
    tcp_cc_on_recovered(cc, look->mss);
}

static void cubic_on_mark(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    tcp_cubic_on_congestion(cc, look->mss);
    cc->cwnd_bytes = min32(cc->cwnd_bytes, cc->ssthresh_bytes);
}

static void cubic_undo(struct tcp_cc *cc, const struct tcp_cc_look *look)
{
    tcp_cc_undo(cc, look->pipe_bytes, look->mss);
    tcp_cwv_init(&cc->window.cwv, tcp_cc_now_ms(look));
}

static struct tcp_cc_told cubic_tell(const struct tcp_cc *cc)
{
    return (struct tcp_cc_told){.phase = ""};
}

static void cubic_check(const struct tcp_cc *cc, uint32_t mss)
{
    ASSERT_HOT(cc->cwnd_bytes > 0 && cc->cwnd_bytes <= TCP_CWND_BYTES_MAX);
}

const struct tcp_cc_ops tcp_cubic_ops = {
    .name = "cubic",
    .init = cubic_init,
    .before_send = cubic_before_send,
    .on_sent = cubic_on_sent,
    .on_ack = cubic_on_ack,
    .on_recovery = cubic_on_recovery,
    .on_timeout = cubic_on_timeout,
    .on_timeout_stands = cubic_on_timeout_stands,
    .on_recovered = cubic_on_recovered,
    .on_repaired = cubic_on_repaired,
    .on_mark = cubic_on_mark,
    .undo = cubic_undo,
    .tell = cubic_tell,
    .check = cubic_check,
};
