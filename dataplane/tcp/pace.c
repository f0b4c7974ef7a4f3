/* SPDX-License-Identifier: Apache-2.0 */
/* A rate, a bucket, a moment. */
#include "tcp/pace.h"

#include "base/assert.h"
#include "base/wheel.h"

#define NS_PER_US 1000u
#define NS_PER_S 1000000000u
#define SLACK_NS (WHEEL_TICK_US * NS_PER_US)

uint64_t tcp_pace_rate(uint32_t cwnd_bytes, uint32_t srtt_us, bool is_slow_start)
{
    if (srtt_us == 0)
        return 0;
    uint64_t per_s = (uint64_t)cwnd_bytes * 1000000 / srtt_us;
    return is_slow_start ? per_s * 2 : per_s * 6 / 5;
}

bool tcp_pace_allows(const struct tcp_pace *p, uint64_t now_us)
{
    return p->next_ns <= now_us * NS_PER_US + SLACK_NS;
}

uint64_t tcp_pace_next_us(const struct tcp_pace *p, uint64_t now_us)
{
    uint64_t at_us = (p->next_ns - SLACK_NS) / NS_PER_US + 1;
    ASSERT_HOT(!tcp_pace_allows(p, now_us));
    ASSERT_HOT(at_us > now_us);
    return at_us;
}

void tcp_pace_on_sent(struct tcp_pace *p, uint64_t now_us, uint32_t bytes, uint64_t bytes_per_s,
                      uint32_t burst_bytes)
{
    if (bytes_per_s == 0)
        return;
    uint64_t now_ns = now_us * NS_PER_US;
    uint64_t burst_ns = (uint64_t)burst_bytes * NS_PER_S / bytes_per_s;
    uint64_t earliest_ns = now_ns > burst_ns ? now_ns - burst_ns : 0;
    if (p->next_ns < earliest_ns)
        p->next_ns = earliest_ns;
    p->next_ns += (uint64_t)bytes * NS_PER_S / bytes_per_s;
}

void tcp_pace_hold(struct tcp_pace *p, uint64_t until_us)
{
    if (p->next_ns < until_us * NS_PER_US)
        p->next_ns = until_us * NS_PER_US;
}
