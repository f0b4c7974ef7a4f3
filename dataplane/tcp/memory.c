/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker does when memory or connections run out, in this order, each step counted:
 *
 *   mbufs left         always           no queue holds more than a share of what is left (room.c)
 *   mbufs left below   mbufs_low        windows are small, of new connections too (never shut),
 *                                       who has unread data gets no more of it, window or not
 *                      three quarters   SYNs are refused; opens, which a peer who is in waits for,
 *                                       below five eighths
 *                                       and with each refusal the longest resting holders are ended
 *                      half             likewise without one; writes are cut short
 *   connections        passive_max      the longest idle ones are ended, then SYNs are dropped
 *
 * Whom to end. Known ways: a list in the order of last use (two pointers a connection, written with
 * every segment), samples by chance, or a hand that goes round the pool. Chosen: the hand, a
 * bounded number of slots a look; of those it passes, the ones that rest longest go. So work is
 * bounded, a connection pays nothing for it while there is enough, and in a pool of no more slots
 * than one look the order is exact. What would change our mind: pools so large and so full of idle
 * connections that the order within one look is too far from the order of all.
 *
 * Never one that is in the middle of something: for its slot goes only who said so
 * (stream_rest()), or whom nobody owns and whose last word is acknowledged; for its memory, who has
 * moved nothing for patience_ms(). Time in which the worker was not there does not count: what a
 * peer said meanwhile lies in the NIC's ring, and may take several rounds to read.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/tcp_priv.h"

#include <rte_mempool.h>
#include <string.h>

bool tcp_mbufs_are_short(struct tcp *t, uint32_t reserve)
{
    if (t->core->now_us >= t->mbufs_look_us) {
        t->mbufs_look_us = t->core->now_us + TCP_MBUFS_LOOK_US;
        t->mbufs_free = rte_mempool_avail_count(t->core->mbufs);
    }
    return t->mbufs_free < reserve;
}

bool tcp_may_hold_more(struct tcp_conn *c)
{
    return c->rcvq.mbufs + c->oooq.mbufs < TCP_SHARE_MBUFS_MIN ||
           !tcp_mbufs_are_short(c->tcp, c->tcp->config.mbufs_low);
}

void tcp_note_presence(struct tcp *t)
{
    if (t->core->now_us - t->polled_us > TCP_ABSENCE_US)
        t->present_ms = tcp_now_ms(t);
    t->polled_us = t->core->now_us;
}

/* Has the worker been there for so long? No: who said nothing may have been overheard. */
static bool has_listened(const struct tcp *t, uint32_t ms)
{
    return t->core->now_us - t->polled_us <= TCP_ABSENCE_US && tcp_now_ms(t) - t->present_ms >= ms;
}

/* Since when neither side moved anything. */
static uint32_t silent_ms(const struct tcp_conn *c)
{
    uint32_t now_ms = tcp_now_ms(c->tcp);
    uint32_t received = now_ms - c->last_rx_ms;
    uint32_t acknowledged = now_ms - c->progress_ms;
    return received < acknowledged ? received : acknowledged;
}

/* How long has what is at the front of the send queue waited to be acknowledged, at least? Who
 * takes a few bytes at a time holds as much for as long as who takes none. */
static uint32_t undrained_ms(const struct tcp_conn *c)
{
    return tcp_now_ms(c->tcp) - (c->tx != NULL ? c->tx->drain_ms : c->progress_ms);
}

/* How long may a peer leave what was sent to him? A full send queue drains in three round trips
 * (room.c), in four when something was lost; and nobody goes who may be waiting for a timeout, but
 * for a peer who has acknowledged what was never sent: what he waits for will not come. */
static uint32_t patience_ms(const struct tcp_conn *c)
{
    bool is_lying = c->tx != NULL && c->tx->is_overacked;
    uint32_t least_us = is_lying ? TCP_SHED_LIAR_MS * 1000 : c->rtt.rto_us;
    return min32(max32(4 * c->rtt.srtt_us, least_us) / 1000, TCP_SHED_HOLDER_MS_MAX);
}

/* How long has it rested with mbufs, or a sender, that others need? 0: it is not to be touched. */
static uint32_t rests_with_memory(const struct tcp_conn *c)
{
    bool has_sent = !seq_eq(c->snd_una, c->snd_nxt);
    bool is_sending = c->sndq.mbufs > 0 || has_sent;
    if (c->state < TCP_ESTABLISHED || (c->rcvq.mbufs + c->oooq.mbufs == 0 && !is_sending))
        return 0;
    if (is_sending && !has_sent && c->snd_wnd > 0)
        return 0; /* it is we who have yet to send */
    /* A peer that takes nothing is not alive for saying so: it may be an attack. */
    uint32_t ms = is_sending ? undrained_ms(c) : silent_ms(c);
    uint32_t patience = is_sending ? patience_ms(c) : TCP_SHED_HOLDER_MS_MAX;
    return ms < patience || !has_listened(c->tcp, patience) ? 0 : ms;
}

/* How long has it rested in its slot, with nothing under way? 0: it is not to be touched. */
static uint32_t rests_in_slot(const struct tcp_conn *c)
{
    bool is_orphan = c->state == TCP_FIN_WAIT_2 && (c->flags & TCP_F_OWNED) == 0;
    bool is_idle = (c->flags & (TCP_F_RESTING | TCP_F_ACTIVE)) == TCP_F_RESTING;
    if (!is_idle && !is_orphan) /* whoever opened connections limits his idle ones himself */
        return 0;
    if (c->sndq.mbufs > 0 || c->rcvq.mbufs > 0 || !seq_eq(c->snd_una, c->snd_nxt))
        return 0;
    uint32_t ms = silent_ms(c);
    return ms < TCP_SHED_IDLE_MS || !has_listened(c->tcp, TCP_SHED_IDLE_MS) ? 0 : ms;
}

/* One that was passed, and how long it rests. */
struct resting {
    struct tcp_conn *conn;
    uint32_t ms;
};

/* Keeps the longest resting of those seen, the longest first. Returns how many there are now. */
static unsigned note(struct resting *all, unsigned n, struct resting seen)
{
    unsigned at = n;
    while (at > 0 && all[at - 1].ms < seen.ms)
        at--;
    if (at == TCP_SHED_CONNS_MAX)
        return n;
    n = n < TCP_SHED_CONNS_MAX ? n + 1 : n;
    memmove(&all[at + 1], &all[at], (n - at - 1) * sizeof(all[0]));
    all[at] = seen;
    return n;
}

/* One look: ends those that rest longest. Returns how many. */
static unsigned shed(struct tcp *t, uint32_t (*rest_ms)(const struct tcp_conn *c), enum stat_id why)
{
    struct resting all[TCP_SHED_CONNS_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < TCP_SHED_LOOKS_MAX && i < t->conns.capacity; i++) {
        struct tcp_conn *c = pool_at(&t->conns, t->hand);
        t->hand = t->hand + 1 == t->conns.capacity ? 0 : t->hand + 1;
        uint32_t ms = c->state > TCP_CLOSED ? rest_ms(c) : 0;
        if (ms > 0)
            n = note(all, n, (struct resting){c, ms});
    }
    ASSERT_HOT(n <= TCP_SHED_CONNS_MAX);
    for (unsigned i = 0; i < n; i++) {
        stat_inc(t->core, why);
        tcp_abort(all[i].conn, STREAM_END_NO_RESOURCES);
    }
    return n;
}

bool tcp_refuses_for_memory(struct tcp *t, bool is_open)
{
    bool is_short = tcp_mbufs_are_short(t, t->config.mbufs_low / 8 * (is_open ? 5 : 6));
    t->is_memory_wanted |= is_short;
    return is_short;
}

unsigned tcp_memory_poll(struct tcp *t)
{
    bool is_short = tcp_mbufs_are_short(t, t->config.mbufs_low / 2);
    if (!is_short && !t->is_memory_wanted && list_is_empty(&t->waiting))
        return 0;
    if (t->core->now_us < t->shed_memory_us)
        return 0; /* what the last look freed is not counted yet */
    t->is_memory_wanted = false;
    t->shed_memory_us = t->core->now_us + TCP_MBUFS_LOOK_US;
    return shed(t, rests_with_memory, STAT_tcp_shed_memory);
}

bool tcp_shed_slots(struct tcp *t)
{
    if (t->shed_slots_us != t->core->now_us) { /* the first time in this round */
        t->shed_slots_us = t->core->now_us;
        t->has_shed_slots = shed(t, rests_in_slot, STAT_tcp_shed_idle) > 0;
    }
    return t->has_shed_slots;
}
