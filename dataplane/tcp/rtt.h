/* SPDX-License-Identifier: Apache-2.0 */
/* Round-trip time and retransmission timeout (RFC 6298), in microseconds. Pure. */
#pragma once

#include <stdint.h>

struct tcp_rtt {
    uint32_t srtt_us; /* 0: no sample yet */
    uint32_t rttvar_us;
    uint32_t rto_us;    /* without backoff; TCP_RTO_MIN_US .. TCP_RTO_US_MAX */
    uint32_t min_us;    /* of the last TCP_MIN_RTT_WINDOW_MS; 0: no sample yet */
    uint32_t min_at_ms; /* when min_us was seen */
};

/* No sample yet: the initial RTO. */
void tcp_rtt_init(struct tcp_rtt *r);

/* One measurement of a segment that was sent once (Karn). Zero counts as 1 us. */
void tcp_rtt_sample(struct tcp_rtt *r, uint64_t rtt_us, uint64_t now_us);

/* A timeout was spurious: `rtt_us` is what the segment really took (RFC 4015, 3.4, step 8). */
void tcp_rtt_on_spurious(struct tcp_rtt *r, uint64_t rtt_us);

/* The RTO after `backoff` timeouts in a row, bounded. */
uint32_t tcp_rtt_timeout_us(const struct tcp_rtt *r, unsigned backoff);
