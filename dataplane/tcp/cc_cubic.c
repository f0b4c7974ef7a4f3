/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUBIC (RFC 9438) in integers: bytes and milliseconds. C = 0.4 segments/s^3, beta = 0.7.
 *
 *   W_cubic(t) = C (t - K)^3 + W_max,   K = cbrt((W_max - cwnd_epoch) / C)
 *
 * Bounds: |t - K| <= 100 s, mss <= 64 KiB: mss * 2/5 * (10^5 ms)^3 / 10^9 stays below 2^63.
 */
#include "base/assert.h"
#include "tcp/cc.h"
#include "tcp/tcp_limits.h"

#define DISTANCE_MS_MAX 100000

/* The cube root, rounded down. */
static uint32_t cube_root(uint64_t x)
{
    uint64_t root = 0;
    for (int bit = 20; bit >= 0; bit--) {
        uint64_t next = root | 1ULL << bit;
        if (next * next * next <= x)
            root = next;
    }
    ASSERT_HOT(root * root * root <= x);
    return (uint32_t)root;
}

/* A stage of congestion avoidance begins with the present window (4.2). */
static void begin_epoch(struct tcp_cc *cc, uint32_t mss, uint64_t now_us)
{
    struct tcp_cubic *q = &cc->window.cubic;
    q->epoch_ms = (uint32_t)(now_us / 1000);
    q->has_epoch = true;
    q->w_est = cc->cwnd_bytes;
    q->est_bytes = 0;
    cc->window.grow_bytes = 0;
    if (q->w_max <= cc->cwnd_bytes) {
        q->w_max = cc->cwnd_bytes;
        q->k_ms = 0;
        return;
    }
    uint64_t missing = q->w_max - cc->cwnd_bytes;
    q->k_ms = cube_root(missing * 5 / 2 * 1000000000ULL / mss); /* (x / mss / 0.4) s^3 in ms^3 */
    if (q->k_ms > DISTANCE_MS_MAX)
        q->k_ms = DISTANCE_MS_MAX;
}

/* W_cubic at `t_ms` after the epoch. */
static uint32_t w_cubic(const struct tcp_cubic *q, uint64_t t_ms, uint32_t mss)
{
    int64_t distance = (int64_t)t_ms - q->k_ms;
    if (distance > DISTANCE_MS_MAX)
        distance = DISTANCE_MS_MAX;
    int64_t grown = distance * distance * distance / 1000 * mss / 1000 * 2 / 5 / 1000;
    int64_t w = (int64_t)q->w_max + grown;
    if (w < (int64_t)mss)
        return mss;
    return w > (int64_t)TCP_CWND_BYTES_MAX ? TCP_CWND_BYTES_MAX : (uint32_t)w;
}

/* W_est grows as Reno with alpha = 3 (1 - beta) / (1 + beta) = 9/17 until it has w_max, then
 * with 1 (4.3). */
static void grow_reno_estimate(struct tcp_cc *cc, uint32_t acked, uint32_t mss)
{
    struct tcp_cubic *q = &cc->window.cubic;
    q->est_bytes += acked;
    uint32_t window = cc->cwnd_bytes;
    if (q->est_bytes < window)
        return;
    uint32_t rounds = q->est_bytes / window;
    q->est_bytes -= rounds * window;
    uint64_t grow = (uint64_t)rounds * mss;
    if (q->w_est < q->w_max)
        grow = grow * 9 / 17;
    uint64_t w = q->w_est + grow;
    q->w_est = w > TCP_CWND_BYTES_MAX ? TCP_CWND_BYTES_MAX : (uint32_t)w;
}

/* Congestion avoidance (4.4, 4.5): (target - cwnd) / cwnd segments for each one acknowledged. */
void tcp_cubic_on_ack(struct tcp_cc *cc, uint32_t acked, uint32_t mss, uint32_t srtt_us,
                      uint64_t now_us)
{
    struct tcp_cubic *q = &cc->window.cubic;
    if (!q->has_epoch)
        begin_epoch(cc, mss, now_us);
    grow_reno_estimate(cc, acked, mss);
    /* where we shall be in one RTT */
    uint64_t t_ms = (uint32_t)(now_us / 1000) - q->epoch_ms + srtt_us / 1000;
    uint32_t target = w_cubic(q, t_ms, mss);
    uint32_t cwnd = cc->cwnd_bytes;
    if (target > cwnd + cwnd / 2)
        target = cwnd + cwnd / 2;
    if (target < q->w_est)
        target = q->w_est; /* the Reno-friendly region */
    if (target <= cwnd)
        return;
    uint64_t grow = (uint64_t)(target - cwnd) * acked + cc->window.grow_bytes;
    cc->window.grow_bytes = (uint32_t)(grow % cwnd);
    uint64_t w = cwnd + grow / cwnd;
    cc->cwnd_bytes = w > TCP_CWND_BYTES_MAX ? TCP_CWND_BYTES_MAX : (uint32_t)w;
    ASSERT_HOT(cc->cwnd_bytes >= cwnd);
}

/* Multiplicative decrease by 0.7 with fast convergence (4.6, 4.7). */
void tcp_cubic_on_congestion(struct tcp_cc *cc, uint32_t mss)
{
    struct tcp_cubic *q = &cc->window.cubic;
    uint32_t cwnd = cc->cwnd_bytes;
    q->w_max = cwnd < q->w_max ? (uint32_t)((uint64_t)cwnd * 17 / 20) : cwnd;
    q->has_epoch = false;
    uint32_t reduced = (uint32_t)((uint64_t)cwnd * 7 / 10);
    cc->ssthresh_bytes = reduced > 2 * mss ? reduced : 2 * mss;
    ASSERT_HOT(cc->ssthresh_bytes <= TCP_CWND_BYTES_MAX);
}

void tcp_cubic_on_idle(struct tcp_cc *cc)
{
    cc->window.cubic.has_epoch = false;
    ASSERT_HOT(cc->cwnd_bytes > 0);
}
