/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 6298, section 2, with a 200 ms floor, and the least RTT of the last seconds for RACK. */
#include "tcp/rtt.h"

#include "base/assert.h"
#include "tcp/tcp_limits.h"

/* Within the bounds of an RTO. */
static uint32_t clamp_rto(uint64_t rto_us)
{
    if (rto_us < TCP_RTO_MIN_US)
        return TCP_RTO_MIN_US;
    return rto_us > TCP_RTO_US_MAX ? TCP_RTO_US_MAX : (uint32_t)rto_us;
}

/* The floor lies under the variance, not under the sum (as Linux has it): a path with a steady RTT
 * keeps 200 ms of distance to it. */
static void set_rto(struct tcp_rtt *r)
{
    uint64_t variance = 4ULL * r->rttvar_us;
    if (variance < TCP_RTO_MIN_US)
        variance = TCP_RTO_MIN_US;
    r->rto_us = clamp_rto(r->srtt_us + variance);
}

void tcp_rtt_init(struct tcp_rtt *r)
{
    *r = (struct tcp_rtt){.rto_us = TCP_RTO_INITIAL_US};
}

void tcp_rtt_sample(struct tcp_rtt *r, uint64_t rtt_us, uint64_t now_us)
{
    if (rtt_us == 0)
        rtt_us = 1;
    if (rtt_us > TCP_RTO_US_MAX)
        rtt_us = TCP_RTO_US_MAX;
    uint32_t sample = (uint32_t)rtt_us;
    uint32_t now_ms = (uint32_t)(now_us / 1000);
    if (r->min_us == 0 || sample <= r->min_us || now_ms - r->min_at_ms > TCP_MIN_RTT_WINDOW_MS) {
        r->min_us = sample;
        r->min_at_ms = now_ms;
    }
    if (r->srtt_us == 0) { /* (2.2) */
        r->srtt_us = sample;
        r->rttvar_us = sample / 2;
    } else { /* (2.3): alpha 1/8, beta 1/4 */
        uint32_t error = sample > r->srtt_us ? sample - r->srtt_us : r->srtt_us - sample;
        r->rttvar_us = r->rttvar_us - r->rttvar_us / 4 + error / 4;
        r->srtt_us = r->srtt_us - r->srtt_us / 8 + sample / 8;
        if (r->srtt_us == 0)
            r->srtt_us = 1;
    }
    set_rto(r);
    ASSERT_HOT(r->srtt_us > 0 && r->min_us > 0);
}

void tcp_rtt_on_spurious(struct tcp_rtt *r, uint64_t rtt_us)
{
    uint32_t sample = rtt_us > TCP_RTO_US_MAX ? TCP_RTO_US_MAX : (uint32_t)rtt_us;
    if (sample > r->srtt_us)
        r->srtt_us = sample;
    if (sample / 2 > r->rttvar_us)
        r->rttvar_us = sample / 2;
    set_rto(r);
}

uint32_t tcp_rtt_timeout_us(const struct tcp_rtt *r, unsigned backoff)
{
    ASSERT_HOT(r->rto_us >= TCP_RTO_MIN_US);
    if (backoff > TCP_BACKOFF_MAX)
        backoff = TCP_BACKOFF_MAX;
    return clamp_rto((uint64_t)r->rto_us << backoff);
}
