/* SPDX-License-Identifier: Apache-2.0 */
/* Marks, counts, and the sample between two of them. */
#include "tcp/delivery_rate.h"

#include "base/assert.h"
#include "base/minmax.h"

#include <stddef.h>

#define US_PER_S 1000000u

void tcp_bw_on_sent(struct tcp_bw_state *r, struct tcp_bw_mark *mark, uint64_t now_us,
                    uint32_t pipe_bytes, uint32_t bytes)
{
    if (pipe_bytes <= bytes) { /* the flight begins: what comes now was sent from now on */
        r->first_sent_us = now_us;
        r->delivered_us = now_us;
    }
    *mark = (struct tcp_bw_mark){
        .delivered = r->delivered,
        .lost = r->lost,
        .delivered_us = (uint32_t)r->delivered_us,
        .first_sent_us = (uint32_t)r->first_sent_us,
        .pipe_bytes = pipe_bytes,
        .is_app_limited = r->is_app_limited,
    };
}

void tcp_bw_on_delivered(struct tcp_bw_state *r, uint32_t bytes, uint64_t now_us)
{
    if (bytes == 0)
        return;
    r->delivered += bytes;
    r->delivered_us = now_us;
    if (r->is_app_limited && (int32_t)(r->delivered - r->app_limited_end) > 0)
        r->is_app_limited = false; /* what was sent in want of data has arrived */
}

bool tcp_bw_take(struct tcp_bw_state *r, const struct tcp_bw_newest *newest, uint64_t now_us,
                 uint32_t min_rtt_us, struct tcp_bw_sample *ret)
{
    const struct tcp_bw_mark *mark = newest->mark;
    *ret = (struct tcp_bw_sample){0};
    if (mark == NULL)
        return false;
    ASSERT_HOT(now_us >= newest->sent_us);
    uint32_t send_us = (uint32_t)newest->sent_us - mark->first_sent_us;
    uint32_t ack_us = (uint32_t)now_us - mark->delivered_us;
    uint32_t interval_us = max32(send_us, ack_us);
    r->first_sent_us = newest->sent_us;
    *ret = (struct tcp_bw_sample){
        .prior_delivered = mark->delivered,
        .delivered_bytes = r->delivered - mark->delivered,
        .lost_bytes = r->lost - mark->lost,
        .pipe_bytes = mark->pipe_bytes,
        .rtt_us = newest->was_resent ? 0 : max32((uint32_t)(now_us - newest->sent_us), 1),
        .is_app_limited = mark->is_app_limited,
    };
    /* Shorter than any round trip: of a retransmission whose original arrived. */
    if (interval_us >= min_rtt_us && interval_us > 0)
        ret->bytes_per_s = (uint64_t)ret->delivered_bytes * US_PER_S / interval_us;
    return true;
}

void tcp_bw_on_app_limited(struct tcp_bw_state *r, uint32_t pipe_bytes)
{
    r->app_limited_end = r->delivered + pipe_bytes;
    r->is_app_limited = true;
}
