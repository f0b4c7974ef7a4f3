/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pacing: a window's segments go out over the round trip instead of at once, so that queues on the
 * way stay short and what was kept through silence makes no burst (RFC 7661, 4.4.2). A leaky bucket
 * in time: each segment moves the moment before which the next one must wait. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tcp_pace {
    uint64_t next_ns; /* of the worker's clock; 0: now */
};

/* Bytes a second that send `cwnd_bytes` somewhat faster than once a round trip: twice as fast while
 * the window is to double in the next one, else 1.2 times. 0: no RTT is known, nothing is paced. */
uint64_t tcp_pace_rate(uint32_t cwnd_bytes, uint32_t srtt_us, bool is_slow_start);

/* May a segment go? A wheel tick early is in time: the wheel cannot tell less. */
bool tcp_pace_allows(const struct tcp_pace *p, uint64_t now_us);

/* When the next may go; later than now_us. Only while tcp_pace_allows() says no. */
uint64_t tcp_pace_next_us(const struct tcp_pace *p, uint64_t now_us);

/* `bytes` went at `now_us`. After silence `burst_bytes` may follow at once. Rate 0: nothing. */
void tcp_pace_on_sent(struct tcp_pace *p, uint64_t now_us, uint32_t bytes, uint64_t bytes_per_s,
                      uint32_t burst_bytes);

/* Nothing goes before `until_us` (RFC 3168, 6.1.2: the window cannot shrink below a segment). */
void tcp_pace_hold(struct tcp_pace *p, uint64_t until_us);
