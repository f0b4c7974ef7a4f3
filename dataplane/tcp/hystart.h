/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HyStart++ (RFC 9406): the first slow start ends when round trips become longer, before the queue
 * on the way overflows. What looks like that is tried for some rounds of slower growth first
 * (conservative slow start), and taken back when the delay was a passing one. Pure.
 */
#pragma once

#include "base/seq.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_hystart {
    seq_t round_end;          /* the round ends when this is acknowledged */
    uint32_t last_min_us;     /* least RTT of the round before; 0: none */
    uint32_t round_min_us;    /* of this round; 0: none yet */
    uint32_t baseline_min_us; /* in conservative slow start: RTT below which it was an error */
    uint8_t samples;          /* in this round */
    uint8_t css_rounds;       /* in conservative slow start; 0: in the usual one */
    bool is_done;             /* slow start is over */
};

/* A connection begins to send. */
void tcp_hystart_init(struct tcp_hystart *h, seq_t nxt);

/* An ACK in slow start; `rtt_us` 0: without a sample. Returns by what to divide the growth of the
 * window; is_done may be set. */
uint32_t tcp_hystart_on_ack(struct tcp_hystart *h, uint32_t rtt_us, seq_t una, seq_t nxt);
