/* SPDX-License-Identifier: Apache-2.0 */
/* When the retransmission timer expires, and what it is for then. */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

#define RETRY_US 10000u /* a deadline that lies behind: not in this round again */

/* Is a probe the right thing to wait for? RFC 8985, 7.2, and in fast recovery too: see rescue().
 * 7.3: no second one before an RTT was measured: else a path that became slower is probed for
 * ever. */
static bool may_probe_tail(const struct tcp_conn *c)
{
    return (c->flags & (TCP_F_SACK | TCP_F_LOSS | TCP_F_TLP)) == TCP_F_SACK && c->backoff == 0 &&
           c->snd_wnd != 0 && !c->tx->is_probed && c->tx->board.in_flight_bytes > 0;
}

/* When the one sent last was sent. */
static uint64_t last_sent_us(const struct tcp_conn *c)
{
    if (list_is_empty(&c->tx->board.in_flight))
        return 0;
    return container_of(c->tx->board.in_flight.prev, struct tcp_sent, by_place)->sent_us;
}

/* Arms kind and time, never in the past. */
static void arm(struct tcp_conn *c, enum tcp_retransmit_kind kind, uint64_t at_us)
{
    uint64_t now_us = c->tcp->core->now_us;
    c->retransmit_kind = (uint8_t)kind;
    tcp_deadline_set(c, TCP_DEADLINE_RETRANSMIT, at_us > now_us ? at_us : now_us + RETRY_US);
}

/* Something is in flight: timeout since the last progress (RFC 6298, 5), or the probe before it. */
static void arm_in_flight(struct tcp_conn *c)
{
    uint64_t now_us = c->tcp->core->now_us;
    const struct tcp_sent *first = tcp_board_first(&c->tx->board);
    uint64_t progress_us = now_us - (uint64_t)(tcp_now_ms(c->tcp) - c->progress_ms) * 1000;
    uint64_t base_us = first->sent_us > progress_us ? first->sent_us : progress_us;
    if (c->tx->timeout_us > base_us)
        base_us = c->tx->timeout_us; /* nothing went out for want of memory: as if it had */
    uint64_t last_us = last_sent_us(c);
    if ((c->flags & TCP_F_TLP) != 0 && last_us > base_us)
        base_us = last_us; /* 7.3: the timeout waits for the probe's answer */
    uint64_t rto_us = base_us + tcp_rtt_timeout_us(&c->rtt, c->backoff);
    if (may_probe_tail(c)) {
        /* What fills a gap is acknowledged at once (RFC 5681, 4.2). */
        bool is_single =
            c->tx->board.in_flight.next->next == &c->tx->board.in_flight && !tcp_is_recovering(c);
        uint64_t tlp_us = last_us + tcp_tlp_timeout_us(c->rtt.srtt_us, is_single);
        /* 7.2: the probe goes first, and the timeout waits for its answer. */
        arm(c, TCP_RETRANSMIT_TLP, tlp_us < rto_us ? tlp_us : rto_us);
        return;
    }
    arm(c, TCP_RETRANSMIT_RTO, rto_us);
}

void tcp_recovery_arm(struct tcp_conn *c)
{
    if (c->state < TCP_ESTABLISHED || c->retransmit_kind == TCP_RETRANSMIT_REORDER)
        return;
    if (!seq_eq(c->snd_una, c->snd_nxt)) {
        arm_in_flight(c);
        return;
    }
    if (!tcp_has_unsent(c) || (c->flags & TCP_F_STARVED) != 0) {
        c->retransmit_kind = TCP_RETRANSMIT_NONE;
        tcp_deadline_set(c, TCP_DEADLINE_RETRANSMIT, 0);
    } else if (c->retransmit_kind != TCP_RETRANSMIT_PERSIST) {
        arm(c, TCP_RETRANSMIT_PERSIST,
            c->tcp->core->now_us + tcp_rtt_timeout_us(&c->rtt, c->backoff));
    }
}
