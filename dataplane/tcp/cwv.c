/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 7661, section 4. */
#include "tcp/cwv.h"

#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/cc.h"
#include "tcp/tcp_limits.h"

/* The greatest sample of the period; UNDEFINED while there is none. */
static uint32_t pipe_ack(const struct tcp_cwv *v)
{
    if (v->pipe_ack[0] == TCP_CWV_UNDEFINED)
        return v->pipe_ack[1];
    if (v->pipe_ack[1] == TCP_CWV_UNDEFINED)
        return v->pipe_ack[0];
    return max32(v->pipe_ack[0], v->pipe_ack[1]);
}

void tcp_cwv_init(struct tcp_cwv *v, uint32_t now_ms)
{
    *v = (struct tcp_cwv){
        .pipe_ack = {TCP_CWV_UNDEFINED, TCP_CWV_UNDEFINED},
        .half_ms = now_ms,
        .used_ms = now_ms,
    };
}

/* Lets samples go that are older than the period. */
static void age(struct tcp_cwv *v, uint32_t srtt_us, uint32_t now_ms)
{
    uint32_t half_ms = max32(3 * (srtt_us / 1000), TCP_PIPE_ACK_PERIOD_MS_MIN) / 2;
    if (now_ms - v->half_ms < half_ms)
        return;
    v->pipe_ack[1] = v->pipe_ack[0];
    v->pipe_ack[0] = v->pipe_ack[1] == TCP_CWV_UNDEFINED ? TCP_CWV_UNDEFINED : 0;
    v->half_ms = now_ms;
}

void tcp_cwv_on_ack(struct tcp_cwv *v, uint32_t bytes, seq_t una, seq_t nxt, uint32_t srtt_us,
                    uint32_t now_ms)
{
    bool is_over = v->in_round && seq_ge(una, v->round_end);
    v->round_bytes += bytes;
    if (v->in_round && !is_over)
        return;
    v->in_round = seq_lt(una, nxt);
    v->round_end = nxt;
    age(v, srtt_us, now_ms);
    if (!is_over) {
        v->round_bytes = 0;
        return;
    }
    if (v->pipe_ack[0] == TCP_CWV_UNDEFINED || v->round_bytes > v->pipe_ack[0])
        v->pipe_ack[0] = v->round_bytes;
    v->round_bytes = 0;
    ASSERT_HOT(pipe_ack(v) != TCP_CWV_UNDEFINED);
}

bool tcp_cwv_is_validated(const struct tcp_cwv *v, uint32_t cwnd_bytes)
{
    uint32_t used = pipe_ack(v);
    return used == TCP_CWV_UNDEFINED || used >= cwnd_bytes / 2;
}

void tcp_cwv_before_send(struct tcp_cwv *v, struct tcp_cc *cc, uint32_t mss, uint32_t now_ms)
{
    uint32_t initial = tcp_cc_initial_window(mss);
    if (tcp_cwv_is_validated(v, cc->cwnd_bytes) && now_ms - v->used_ms < TCP_NON_VALIDATED_MS_MAX) {
        v->used_ms = now_ms;
        return;
    }
    while (now_ms - v->used_ms >= TCP_NON_VALIDATED_MS_MAX) {
        v->used_ms += TCP_NON_VALIDATED_MS_MAX;
        if (cc->cwnd_bytes <= initial)
            continue;
        cc->ssthresh_bytes = max32(cc->ssthresh_bytes, cc->cwnd_bytes - cc->cwnd_bytes / 4);
        cc->cwnd_bytes = max32(cc->cwnd_bytes / 2, initial);
    }
}

void tcp_cwv_on_loss(struct tcp_cwv *v, struct tcp_cc *cc, bool was_validated, uint32_t flight,
                     uint32_t mss)
{
    v->resent_bytes = 0;
    v->loss_bytes = 0;
    if (was_validated)
        return;
    v->loss_bytes = max32(pipe_ack(v), flight);
    cc->ssthresh_bytes = max32(v->loss_bytes / 2, 2 * mss);
    ASSERT_HOT(cc->ssthresh_bytes <= TCP_CWND_BYTES_MAX);
}

void tcp_cwv_on_resent(struct tcp_cwv *v, uint32_t bytes)
{
    v->resent_bytes += bytes;
}

void tcp_cwv_on_recovered(struct tcp_cwv *v, struct tcp_cc *cc, uint32_t mss, uint32_t now_ms)
{
    if (v->loss_bytes > 0) {
        uint32_t left = v->loss_bytes > v->resent_bytes ? v->loss_bytes - v->resent_bytes : 0;
        cc->cwnd_bytes = max32(left / 2, mss);
        cc->ssthresh_bytes = max32(cc->cwnd_bytes, 2 * mss);
    }
    tcp_cwv_init(v, now_ms);
}
