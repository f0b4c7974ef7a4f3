/* SPDX-License-Identifier: Apache-2.0 */
/* The scoreboard's bookkeeping; see the header for what is where. */
#include "tcp/sack.h"

#include "base/assert.h"
#include "base/container.h"
#include "tcp/tcp_limits.h"

static struct tcp_sent *of_seq(struct list_node *node)
{
    return container_of(node, struct tcp_sent, by_seq);
}

/* The sum that goes with a place. */
static uint32_t *sum_of(struct tcp_board *b, uint8_t place)
{
    if (place == TCP_SENT_IN_FLIGHT)
        return &b->in_flight_bytes;
    return place == TCP_SENT_LOST ? &b->lost_bytes : &b->sacked_bytes;
}

/* Takes `s` out of its place; it stays on by_seq. */
static void leave(struct tcp_board *b, struct tcp_sent *s)
{
    uint32_t *sum = sum_of(b, s->place);
    ASSERT_HOT(*sum >= tcp_sent_len(s));
    *sum -= tcp_sent_len(s);
    if (s->place == TCP_SENT_SACKED) {
        ASSERT_HOT(b->sacked_count > 0);
        if (--b->sacked_count == 0)
            tcp_sack_forget(&b->seen);
    } else {
        list_remove(&s->by_place);
    }
}

/* Puts `s`, which is in no place, at the end of one. */
static void enter(struct tcp_board *b, struct tcp_sent *s, enum tcp_sent_place place)
{
    ASSERT_HOT(!list_is_linked(&s->by_place));
    s->place = (uint8_t)place;
    *sum_of(b, s->place) += tcp_sent_len(s);
    if (place == TCP_SENT_SACKED)
        b->sacked_count++;
    else
        list_push_back(place == TCP_SENT_LOST ? &b->lost : &b->in_flight, &s->by_place);
}

void tcp_board_init(struct tcp_board *b, seq_t una)
{
    *b = (struct tcp_board){.sacked_end = una};
    list_init(&b->by_seq);
    list_init(&b->in_flight);
    list_init(&b->lost);
}

struct tcp_sent *tcp_board_first(const struct tcp_board *b)
{
    struct list_node *node = list_peek_front(&b->by_seq);
    return node == NULL ? NULL : of_seq(node);
}

struct tcp_sent *tcp_board_last(const struct tcp_board *b)
{
    return tcp_board_is_empty(b) ? NULL : of_seq(b->by_seq.prev);
}

struct tcp_sent *tcp_board_next_lost(const struct tcp_board *b)
{
    struct list_node *node = list_peek_front(&b->lost);
    return node == NULL ? NULL : container_of(node, struct tcp_sent, by_place);
}

void tcp_board_sent(struct tcp_board *b, struct tcp_sent *s, uint64_t now_us)
{
    ASSERT_HOT(tcp_sent_len(s) > 0);
    ASSERT_HOT(tcp_board_is_empty(b) || seq_eq(tcp_sent_end(tcp_board_last(b)), s->seq));
    s->sent_us = now_us;
    s->was_resent = false;
    list_push_back(&b->by_seq, &s->by_seq);
    enter(b, s, TCP_SENT_IN_FLIGHT);
}

void tcp_board_resent(struct tcp_board *b, struct tcp_sent *s, uint64_t now_us)
{
    ASSERT_HOT(s->place != TCP_SENT_SACKED);
    leave(b, s);
    s->sent_us = now_us;
    s->was_resent = true;
    enter(b, s, TCP_SENT_IN_FLIGHT);
}

void tcp_board_lose(struct tcp_board *b, struct tcp_sent *s)
{
    ASSERT_HOT(s->place != TCP_SENT_LOST);
    if (s->place == TCP_SENT_SACKED)
        tcp_sack_forget(&b->seen);
    leave(b, s);
    enter(b, s, TCP_SENT_LOST);
}

void tcp_board_split(struct tcp_board *b, struct tcp_sent *s, struct tcp_sent *rest, uint16_t bytes)
{
    ASSERT_HOT(bytes > 0 && bytes < s->bytes);
    *rest = (struct tcp_sent){
        .sent_us = s->sent_us,
        .seq = seq_add(s->seq, bytes),
        .bytes = (uint16_t)(s->bytes - bytes),
        .place = s->place,
        .has_fin = s->has_fin,
        .was_resent = s->was_resent,
    };
    s->bytes = bytes;
    s->has_fin = false;
    list_insert_after(&s->by_seq, &rest->by_seq);
    if (s->place == TCP_SENT_SACKED)
        b->sacked_count++;
    else
        list_insert_after(&s->by_place, &rest->by_place);
}

/* One record is known to be delivered: what RTT and RACK learn from it. */
static void deliver(struct tcp_board *b, const struct tcp_sent *s, struct tcp_delivery *d)
{
    seq_t end = tcp_sent_end(s);
    if (seq_lt(end, b->sacked_end) && !s->was_resent)
        d->saw_reordering = true;
    b->sacked_end = seq_max(b->sacked_end, end);
    if (!s->was_resent) {
        d->saw_original |= s->place == TCP_SENT_LOST;
        d->saw_later |= s->place == TCP_SENT_IN_FLIGHT;
    }
    uint64_t rtt_us = d->now_us - s->sent_us;
    if (!s->was_resent) {
        if (!d->has_rtt || rtt_us > d->rtt_us)
            d->rtt_us = rtt_us;
        d->has_rtt = true;
    } else if (rtt_us < d->min_rtt_us ||
               (d->has_echo && (int32_t)(d->echo_ms - (uint32_t)(s->sent_us / 1000)) < 0)) {
        return; /* RFC 8985, 6.2 step 2: the first transmission may have been delivered */
    }
    if (!d->has_newest || s->sent_us > d->newest_sent_us ||
        (s->sent_us == d->newest_sent_us && seq_gt(end, d->newest_end))) {
        d->has_newest = true;
        d->newest_sent_us = s->sent_us;
        d->newest_end = end;
        d->newest = s;
        d->newest_was_resent = s->was_resent;
    }
}

/* `una` lies within `s`: its first bytes are delivered. Their transmission time tells nothing. */
static void shorten(struct tcp_board *b, struct tcp_sent *s, seq_t una, struct tcp_delivery *d)
{
    uint32_t cut = (uint32_t)seq_diff(una, s->seq);
    ASSERT_HOT(cut > 0 && cut < tcp_sent_len(s));
    *sum_of(b, s->place) -= cut;
    s->seq = una;
    s->bytes = (uint16_t)(s->bytes - cut);
    if (s->place != TCP_SENT_SACKED)
        d->acked_bytes += cut;
}

struct tcp_sent *tcp_board_ack(struct tcp_board *b, seq_t una, struct tcp_delivery *d)
{
    struct tcp_sent *s = tcp_board_first(b);
    if (s == NULL || seq_le(una, s->seq))
        return NULL;
    if (seq_lt(una, tcp_sent_end(s))) {
        shorten(b, s, una, d);
        return NULL;
    }
    if (s->place != TCP_SENT_SACKED) {
        d->acked_bytes += tcp_sent_len(s);
        deliver(b, s, d);
    }
    leave(b, s);
    if (b->mark == s)
        b->mark = NULL;
    list_remove(&s->by_seq);
    b->sacked_end = seq_max(b->sacked_end, una);
    return s;
}

/* Moves b->mark to the first record at or behind `seq`, `*hops` steps at most; false: they did not
 * suffice, or there is none. */
static bool find(struct tcp_board *b, seq_t seq, unsigned *hops)
{
    struct list_node *node = b->mark == NULL ? b->by_seq.next : &b->mark->by_seq;
    while (*hops > 0 && node->prev != &b->by_seq && seq_ge(of_seq(node->prev)->seq, seq)) {
        node = node->prev;
        --*hops;
    }
    while (*hops > 0 && node->next != &b->by_seq && seq_lt(of_seq(node)->seq, seq)) {
        node = node->next;
        --*hops;
    }
    b->mark = of_seq(node);
    bool is_first = node->prev == &b->by_seq || seq_lt(of_seq(node->prev)->seq, seq);
    return is_first && seq_ge(b->mark->seq, seq);
}

void tcp_board_sack(struct tcp_board *b, const struct tcp_sack_block *block, struct tcp_delivery *d)
{
    unsigned hops = TCP_SACK_HOPS_MAX;
    if (tcp_board_is_empty(b))
        return;
    tcp_sack_forget_below(&b->seen, tcp_board_first(b)->seq);
    struct tcp_sack_block r = tcp_sack_unseen(&b->seen, *block);
    if (seq_ge(r.start, r.end) || !find(b, r.start, &hops))
        return;
    struct tcp_sack_block known = {b->mark->seq, b->mark->seq};
    for (struct list_node *node = &b->mark->by_seq; node != &b->by_seq; node = node->next) {
        struct tcp_sent *s = of_seq(node);
        if (seq_gt(tcp_sent_end(s), r.end) || hops == 0)
            break;
        b->mark = s;
        known.end = tcp_sent_end(s);
        if (s->place == TCP_SENT_SACKED) {
            hops--;
            continue;
        }
        d->sacked_bytes += tcp_sent_len(s);
        deliver(b, s, d);
        leave(b, s);
        enter(b, s, TCP_SENT_SACKED);
    }
    if (!seq_eq(known.start, known.end))
        tcp_sack_remember(&b->seen, known);
}

void tcp_board_unlose_all(struct tcp_board *b)
{
    while (!list_is_empty(&b->lost)) {
        struct tcp_sent *s = container_of(b->lost.prev, struct tcp_sent, by_place);
        leave(b, s);
        s->place = TCP_SENT_IN_FLIGHT;
        b->in_flight_bytes += tcp_sent_len(s);
        list_push_front(&b->in_flight, &s->by_place); /* they were sent before */
    }
    ASSERT_HOT(b->lost_bytes == 0);
}

void tcp_board_lose_all(struct tcp_board *b)
{
    struct tcp_sent *first = tcp_board_first(b);
    bool reneged = first != NULL && first->place == TCP_SENT_SACKED;
    if (reneged)
        tcp_sack_forget(&b->seen);
    LIST_EACH (node, &b->by_seq) {
        struct tcp_sent *s = of_seq(node);
        if (s->place == TCP_SENT_SACKED && !reneged)
            continue;
        leave(b, s); /* those LOST before too: the list is in order of sequence again */
        enter(b, s, TCP_SENT_LOST);
    }
    ASSERT_HOT(b->in_flight_bytes == 0);
}

void check_tcp_board(const struct tcp_board *b, seq_t una, seq_t nxt)
{
    uint32_t sums[3] = {0};
    uint32_t sacked_count = 0;
    seq_t at = una;
    bool is_mark_there = b->mark == NULL;
    LIST_EACH (node, &b->by_seq) {
        const struct tcp_sent *s = of_seq(node);
        ASSERT(seq_eq(s->seq, at));
        ASSERT(s->place <= TCP_SENT_SACKED);
        ASSERT(s->place == TCP_SENT_SACKED ||
               !tcp_sack_is_seen(&b->seen, &(struct tcp_sack_block){s->seq, tcp_sent_end(s)}));
        is_mark_there |= s == b->mark;
        ASSERT(list_is_linked(&s->by_place) == (s->place != TCP_SENT_SACKED));
        sums[s->place] += tcp_sent_len(s);
        sacked_count += s->place == TCP_SENT_SACKED;
        at = tcp_sent_end(s);
    }
    ASSERT(seq_eq(at, nxt));
    ASSERT(sums[TCP_SENT_IN_FLIGHT] == b->in_flight_bytes);
    ASSERT(sums[TCP_SENT_LOST] == b->lost_bytes);
    ASSERT(sums[TCP_SENT_SACKED] == b->sacked_bytes);
    ASSERT(sacked_count == b->sacked_count);
    ASSERT(is_mark_there);
}
