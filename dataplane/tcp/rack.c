/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8985, section 6.2, step by step, and the probe timeout of 7.2. */
#include "tcp/rack.h"

#include "base/assert.h"
#include "base/container.h"
#include "tcp/tcp_limits.h"

#define DUPLICATE_THRESHOLD 3u /* RFC 5681: before reordering was seen, three SACKed suffice */
#define PERSIST_RECOVERIES 16u

/* Was (a_us, a_end) sent after (b_us, b_end)? */
static bool sent_after(uint64_t a_us, seq_t a_end, uint64_t b_us, seq_t b_end)
{
    return a_us > b_us || (a_us == b_us && seq_gt(a_end, b_end));
}

void tcp_rack_init(struct tcp_rack *r)
{
    *r = (struct tcp_rack){.window_quarters = 1};
}

void tcp_rack_on_delivery(struct tcp_rack *r, const struct tcp_delivery *d)
{
    if (d->saw_reordering)
        r->saw_reordering = true;
    if (!d->has_newest)
        return;
    ASSERT_HOT(d->now_us >= d->newest_sent_us);
    r->rtt_us = (uint32_t)(d->now_us - d->newest_sent_us);
    if (!r->has_segment || sent_after(d->newest_sent_us, d->newest_end, r->sent_us, r->end)) {
        r->sent_us = d->newest_sent_us;
        r->end = d->newest_end;
        r->has_segment = true;
    }
}

void tcp_rack_on_dsack(struct tcp_rack *r, seq_t una, seq_t nxt)
{
    if (r->persist == PERSIST_RECOVERIES && seq_lt(una, r->dsack_round))
        return; /* this round trip was counted */
    r->dsack_round = nxt;
    r->persist = PERSIST_RECOVERIES;
    if (r->window_quarters < UINT8_MAX)
        r->window_quarters++;
}

void tcp_rack_on_recovered(struct tcp_rack *r)
{
    if (r->persist > 0 && --r->persist == 0)
        r->window_quarters = 1;
    ASSERT_HOT(r->window_quarters >= 1);
}

uint32_t tcp_rack_window_us(const struct tcp_rack *r, const struct tcp_board *b,
                            const struct tcp_rack_input *in)
{
    if (!r->saw_reordering && (in->in_recovery || b->sacked_count >= DUPLICATE_THRESHOLD))
        return 0;
    uint64_t window_us = (uint64_t)in->min_rtt_us * r->window_quarters / 4;
    return window_us < in->srtt_us ? (uint32_t)window_us : in->srtt_us;
}

uint32_t tcp_rack_detect(struct tcp_rack *r, struct tcp_board *b, const struct tcp_rack_input *in,
                         uint32_t *ret_lost_bytes)
{
    uint32_t lost_before = b->lost_bytes;
    uint64_t wait_us = 0;
    uint32_t window_us = tcp_rack_window_us(r, b, in);
    LIST_EACH_SAFE (node, next, &b->in_flight) {
        struct tcp_sent *s = container_of(node, struct tcp_sent, by_place);
        if (!r->has_segment || !sent_after(r->sent_us, r->end, s->sent_us, tcp_sent_end(s)))
            break; /* in the order of transmission: all that follow were sent later too */
        uint64_t due_us = s->sent_us + r->rtt_us + window_us;
        if (due_us <= in->now_us)
            tcp_board_lose(b, s);
        else if (due_us - in->now_us > wait_us)
            wait_us = due_us - in->now_us;
    }
    ASSERT_HOT(b->lost_bytes >= lost_before);
    *ret_lost_bytes = b->lost_bytes - lost_before;
    return wait_us > TCP_RTO_US_MAX ? TCP_RTO_US_MAX : (uint32_t)wait_us;
}

uint32_t tcp_tlp_timeout_us(uint32_t srtt_us, bool is_single)
{
    if (srtt_us == 0)
        return TCP_RTO_INITIAL_US;
    uint64_t timeout_us = 2ULL * srtt_us + (is_single ? TCP_PEER_DELACK_US_MAX : 0);
    /* A floor: on a LAN with 50 us of RTT it is the peer's scheduler that we wait for. */
    if (timeout_us < 2000)
        timeout_us = 2000;
    return timeout_us > TCP_RTO_US_MAX ? TCP_RTO_US_MAX : (uint32_t)timeout_us;
}
