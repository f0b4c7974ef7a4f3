/* SPDX-License-Identifier: Apache-2.0 */
/* Initial window, slow start, PRR, timeout, idleness, undo. */
#include "tcp/cc.h"

#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/tcp_limits.h"

uint32_t tcp_cc_initial_window(uint32_t mss)
{
    return min32(TCP_INITIAL_WINDOW_SEGMENTS * mss, max32(2 * mss, 14600)); /* RFC 6928 */
}

void tcp_cc_init(struct tcp_cc *cc, const struct tcp_cc_ops *ops, uint32_t mss)
{
    ASSERT(mss > 0);
    *cc = (struct tcp_cc){
        .ops = ops,
        .cwnd_bytes = tcp_cc_initial_window(mss),
        .ssthresh_bytes = TCP_CWND_BYTES_MAX,
    };
}

void tcp_cc_on_ack(struct tcp_cc *cc, uint32_t acked, uint32_t mss, uint32_t srtt_us,
                   uint64_t now_us, bool was_limited)
{
    if (!was_limited || acked == 0)
        return;
    /* Slow start (RFC 5681, 3.1) by all that one ACK covers, without RFC 3465's limit of two
     * segments: as RFC 9002 and Linux do it, and RFC 9406 where segments are paced. */
    if (cc->cwnd_bytes < cc->ssthresh_bytes) {
        uint32_t grow = min32(acked, cc->ssthresh_bytes - cc->cwnd_bytes);
        cc->cwnd_bytes = min32(cc->cwnd_bytes + grow, TCP_CWND_BYTES_MAX);
        acked -= grow;
    }
    if (acked > 0)
        tcp_cubic_on_ack(cc, acked, mss, srtt_us, now_us);
    ASSERT_HOT(cc->cwnd_bytes >= mss && cc->cwnd_bytes <= TCP_CWND_BYTES_MAX);
}

void tcp_cc_on_recovery(struct tcp_cc *cc, uint32_t flight, uint32_t mss)
{
    tcp_cubic_on_congestion(cc, mss);
    ASSERT_HOT(cc->ssthresh_bytes >= 2 * mss);
    cc->window.prr_delivered = 0;
    cc->window.prr_out = 0;
    cc->window.prr_flight = max32(flight, 1);
}

void tcp_cc_on_recovery_ack(struct tcp_cc *cc, uint32_t delivered, uint32_t pipe, bool is_safe,
                            uint32_t mss)
{
    struct tcp_window *w = &cc->window;
    w->prr_delivered += delivered;
    uint32_t send;
    if (pipe > cc->ssthresh_bytes) { /* proportional rate reduction */
        uint64_t due =
            ((uint64_t)w->prr_delivered * cc->ssthresh_bytes + w->prr_flight - 1) / w->prr_flight;
        send = due > w->prr_out ? (uint32_t)(due - w->prr_out) : 0;
    } else { /* slow start reduction bound, or conservative where more was lost */
        uint32_t surplus = w->prr_delivered > w->prr_out ? w->prr_delivered - w->prr_out : 0;
        uint32_t limit = max32(surplus, delivered) + (is_safe ? mss : 0);
        send = min32(cc->ssthresh_bytes - pipe, limit);
    }
    if (w->prr_out == 0)
        send = max32(send, mss); /* the first retransmission is always allowed */
    cc->cwnd_bytes = max32(pipe + send, mss);
}

void tcp_cc_on_recovery_sent(struct tcp_cc *cc, uint32_t bytes)
{
    cc->window.prr_out += bytes;
}

void tcp_cc_on_recovered(struct tcp_cc *cc, uint32_t mss)
{
    cc->cwnd_bytes = max32(cc->ssthresh_bytes, mss);
    cc->window.grow_bytes = 0;
    ASSERT_HOT(cc->cwnd_bytes <= TCP_CWND_BYTES_MAX);
}

void tcp_cc_on_timeout(struct tcp_cc *cc, bool is_first, uint32_t mss)
{
    if (is_first)
        tcp_cubic_on_congestion(cc, mss);
    cc->cwnd_bytes = mss;
    cc->window.grow_bytes = 0;
}

void tcp_cc_on_idle(struct tcp_cc *cc, uint32_t mss)
{
    cc->cwnd_bytes = min32(cc->cwnd_bytes, tcp_cc_initial_window(mss));
    ASSERT_HOT(cc->cwnd_bytes > 0);
}

void tcp_cc_remember(struct tcp_cc *cc)
{
    ASSERT_HOT(cc->cwnd_bytes > 0);
    cc->window.prior = (struct tcp_window_prior){
        .cwnd_bytes = cc->cwnd_bytes,
        .ssthresh_bytes = cc->ssthresh_bytes,
        .grow_bytes = cc->window.grow_bytes,
        .cubic = cc->window.cubic,
    };
}

void tcp_cc_undo(struct tcp_cc *cc, uint32_t flight, uint32_t mss)
{
    const struct tcp_window_prior *prior = &cc->window.prior;
    uint32_t limit = flight + tcp_cc_initial_window(mss);
    if (prior->cwnd_bytes > cc->cwnd_bytes) {
        cc->cwnd_bytes = prior->cwnd_bytes;
        cc->ssthresh_bytes = prior->ssthresh_bytes;
        cc->window.grow_bytes = prior->grow_bytes;
        cc->window.cubic = prior->cubic;
    }
    if (cc->cwnd_bytes > limit) {
        /* slow start brings it back to where it was */
        if (cc->ssthresh_bytes < cc->cwnd_bytes)
            cc->ssthresh_bytes = cc->cwnd_bytes;
        cc->cwnd_bytes = limit;
    }
    ASSERT_HOT(cc->cwnd_bytes >= mss);
}
