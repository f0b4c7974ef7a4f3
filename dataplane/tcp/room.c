/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many mbufs the two queues of a connection may hold. Both begin small and grow with what is
 * drained, so that memory is held by those who move data, and a crowd that never takes or never
 * reads anything is given little:
 *
 *   receive   four times what the owner consumed in a round trip: the window is ahead of a sender
 *             that doubles each round trip (the idea is dynamic right-sizing, Fisk and Feng, 2001)
 *   send      four times what the peer has acknowledged, up to three times what may be in flight:
 *             one that is, one to replace it in recovery, one that waits
 *   either    at least what a connection begins with, at most its share, at most the configured
 *
 * The share is Choudhury's and Hahne's ("Dynamic queue length thresholds for shared-memory packet
 * switches", 1998): a part of what is free above mbufs_low. A few busy connections get all that
 * they can use, many get less each, and what is left never reaches zero, whoever they are. Windows
 * that were told while much was free cannot be taken back; that is why below mbufs_low data is
 * dropped on arrival for who does not read what he has.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/tcp_priv.h"

/* Twice the bytes may be held in mbufs: a full segment fills a good half of its. */
#define TRUE_SIZE_FACTOR 2u
#define KIB 1024u
/* How far what may be held is ahead of what was drained: a window that doubles each round trip
 * needs twice the last one, and as much again that is not acknowledged yet. */
#define EARNED_FACTOR 4u

static uint32_t mbufs_for(const struct tcp *t, uint32_t bytes)
{
    return (uint32_t)((uint64_t)bytes * TRUE_SIZE_FACTOR / t->mbuf_bytes) + 1;
}

/* One part of `parts` of what is free above mbufs_low. */
static uint32_t part_of_free(struct tcp *t, uint32_t parts)
{
    uint32_t low = t->config.mbufs_low;
    tcp_mbufs_are_short(t, low); /* looks, if it is time */
    uint32_t part = t->mbufs_free > low ? (t->mbufs_free - low) / parts : 0;
    return max32(part, TCP_SHARE_MBUFS_MIN);
}

static struct tcp_queue_limits limits_for(const struct tcp *t, uint32_t bytes_max)
{
    uint32_t first = t->config.first_bytes;
    return (struct tcp_queue_limits){
        .mbufs_max = mbufs_for(t, bytes_max),
        .first_mbufs = first == 0 ? UINT32_MAX : mbufs_for(t, first),
    };
}

void tcp_room_init(struct tcp *t)
{
    t->rcvq_limits = limits_for(t, t->config.rx_window_bytes);
    t->sndq_limits = limits_for(t, t->config.tx_buffer_bytes);
}

/* What a queue may hold of which nothing has been drained yet. */
static uint32_t first_mbufs(struct tcp *t, const struct tcp_queue_limits *limits)
{
    if (limits->first_mbufs == UINT32_MAX)
        return limits->mbufs_max;
    return min32(limits->first_mbufs, part_of_free(t, TCP_FIRST_SHARE_OF_FREE));
}

/* What a queue may hold that has earned so many bytes. */
static uint32_t mbufs_max(struct tcp *t, const struct tcp_queue_limits *limits,
                          uint32_t earned_bytes)
{
    uint32_t earned = first_mbufs(t, limits);
    if (earned_bytes > 0)
        earned = max32(earned, mbufs_for(t, earned_bytes));
    return min32(min32(earned, limits->mbufs_max), part_of_free(t, TCP_SHARE_OF_FREE));
}

uint32_t tcp_window_of_mbufs(const struct tcp *t, uint32_t mbufs)
{
    return (uint32_t)((uint64_t)mbufs * t->mbuf_bytes / TRUE_SIZE_FACTOR);
}

uint32_t tcp_rcvq_mbufs_max(struct tcp_conn *c)
{
    return mbufs_max(c->tcp, &c->tcp->rcvq_limits, c->rcv_earned_kib * KIB);
}

uint32_t tcp_sndq_mbufs_max(const struct tcp_conn *c)
{
    uint32_t earned_bytes = c->tx == NULL ? 0 : c->tx->earned_bytes;
    return mbufs_max(c->tcp, &c->tcp->sndq_limits, earned_bytes);
}

uint32_t tcp_first_window(struct tcp *t)
{
    return min32(t->config.rx_window_bytes,
                 tcp_window_of_mbufs(t, first_mbufs(t, &t->rcvq_limits)));
}

void tcp_rcvq_earn(struct tcp_conn *c)
{
    if (c->tcp->config.first_bytes == 0)
        return; /* it has all from the beginning */
    uint32_t now_ms = tcp_now_ms(c->tcp);
    uint16_t elapsed_ms = (uint16_t)(now_ms - c->rcv_mark_ms);
    if (elapsed_ms * 1000u < max32(c->rtt.srtt_us, 1000))
        return;
    seq_t consumed = seq_add(c->rcv_nxt, -c->rcvq.bytes);
    uint64_t bytes = (uint64_t)EARNED_FACTOR * (uint32_t)seq_diff(consumed, c->rcv_mark);
    uint64_t earned = min64(bytes, c->tcp->config.rx_window_bytes);
    uint16_t kib = (uint16_t)((earned + KIB - 1) / KIB);
    if (kib > c->rcv_earned_kib)
        c->rcv_earned_kib = kib;
    c->rcv_mark = consumed;
    c->rcv_mark_ms = (uint16_t)now_ms;
}

void tcp_sndq_mark_drained(struct tcp_conn *c)
{
    struct tcp_sender *x = c->tx;
    if (seq_lt(c->snd_una, x->drain_end))
        return;
    x->drain_end = c->snd_end;
    x->drain_ms = tcp_now_ms(c->tcp);
    x->is_overacked = false;
}

void tcp_sndq_earn(struct tcp_conn *c, uint32_t acked_bytes)
{
    struct tcp_sender *x = c->tx;
    uint32_t most = 3 * min32(x->cc.cwnd_bytes, c->snd_wnd_max); /* neither is over 2^30 */
    if (x->earned_bytes < most)
        x->earned_bytes = min32(x->earned_bytes + EARNED_FACTOR * acked_bytes, most);
    tcp_sndq_mark_drained(c);
}
