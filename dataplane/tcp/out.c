/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to send now: lost segments first, then new data as far as both windows go, then the FIN, and
 * an acknowledgement if none of these carried it. One call a connection and round, bounded.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/tcp_priv.h"

#include <rte_mbuf.h>

uint32_t tcp_ts_now(const struct tcp_conn *c)
{
    return tcp_now_ms(c->tcp) + c->ts_offset;
}

/* SYN, or SYN-ACK, and the timer for its answer. */
static void send_syn(struct tcp_conn *c)
{
    ASSERT(c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD);
    struct tcp_outgoing o = {
        .seq = c->snd_una,
        .flags = c->state == TCP_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK,
    };
    o.flags |= tcp_ecn_syn_flags(c);
    bool is_sent = tcp_segment_send(c, &o);
    c->flags &= ~(uint32_t)TCP_F_SEND_SYN;
    c->snd_nxt = seq_add(c->snd_una, 1);
    c->retransmit_kind = TCP_RETRANSMIT_SYN;
    /* Not sent for want of an mbuf: the timer tries again, as if the network had lost it. */
    if (!is_sent || c->deadline_us[TCP_DEADLINE_RETRANSMIT] == 0)
        tcp_deadline_set(c, TCP_DEADLINE_RETRANSMIT,
                         c->tcp->core->now_us + tcp_rtt_timeout_us(&c->rtt, c->probes));
}

seq_t tcp_acceptable_seq(const struct tcp_conn *c)
{
    if (c->state < TCP_ESTABLISHED)
        return c->snd_nxt; /* a SYN takes a number whatever the window is */
    seq_t edge = seq_add(c->snd_una, c->snd_wnd);
    return seq_lt(edge, c->snd_nxt) ? edge : c->snd_nxt;
}

void tcp_output_ack(struct tcp_conn *c, const struct tcp_sack_block *duplicate)
{
    struct tcp_outgoing o = {
        .seq = tcp_acceptable_seq(c), .flags = TCP_ACK, .duplicate = duplicate};
    stat_inc(c->tcp->core, STAT_tcp_tx_acks);
    if (tcp_segment_send(c, &o))
        return;
    c->flags |= TCP_F_ACK_NOW; /* owed until there are mbufs again */
    tcp_program_starved(c);
}

void tcp_output_keepalive(struct tcp_conn *c)
{
    struct tcp_outgoing o = {.seq = seq_add(c->snd_una, UINT32_MAX), .flags = TCP_ACK};
    tcp_segment_send(c, &o); /* no mbuf: the next probe tries again */
}

bool tcp_has_unsent(const struct tcp_conn *c)
{
    return seq_lt(c->snd_nxt, c->snd_end) ||
           (c->flags & (TCP_F_SHUTDOWN | TCP_F_FIN_SENT)) == TCP_F_SHUTDOWN;
}

/* Is the FIN what comes after `sent` new bytes? */
static bool fin_follows(const struct tcp_conn *c, uint32_t sent)
{
    return (c->flags & (TCP_F_SHUTDOWN | TCP_F_FIN_SENT)) == TCP_F_SHUTDOWN &&
           seq_eq(seq_add(c->snd_nxt, sent), c->snd_end);
}

/* What the record covers goes out. */
static bool send_record(struct tcp_conn *c, const struct tcp_sent *s, bool is_new)
{
    bool is_last = seq_eq(seq_add(s->seq, s->bytes), c->snd_end);
    struct tcp_outgoing o = {
        .seq = s->seq,
        .flags = (uint8_t)(TCP_ACK | (s->has_fin ? TCP_FIN : 0) | (is_last ? TCP_PSH : 0)),
        .bytes = s->bytes,
        .data = s->data,
        .offset = s->offset,
        .is_new = is_new && s->bytes > 0,
    };
    if (s->bytes == 0)
        o.flags &= (uint8_t)~TCP_PSH;
    return tcp_run_send(c, &o);
}

/* The position of snd_nxt, moved off the end of an mbuf. */
static void settle_next(struct tcp_conn *c)
{
    struct rte_mbuf *m = c->tx->next_data;
    while (m->next != NULL && c->tx->next_offset == m->data_off + m->data_len) {
        m = m->next;
        c->tx->next_data = m;
        c->tx->next_offset = m->data_off;
    }
}

bool tcp_output_new(struct tcp_conn *c, uint32_t bytes_max, bool is_forced)
{
    struct tcp *t = c->tcp;
    if (c->flags & TCP_F_FIN_SENT)
        return false;
    uint32_t bytes = (uint32_t)seq_diff(c->snd_end, c->snd_nxt);
    int32_t open = seq_diff(seq_add(c->snd_una, c->snd_wnd), c->snd_nxt);
    if (bytes > bytes_max)
        bytes = bytes_max;
    if (!is_forced && (int32_t)bytes > open)
        bytes = open > 0 ? (uint32_t)open : 0;
    bool has_fin = fin_follows(c, bytes) && (is_forced || (int32_t)bytes < open);
    if (bytes == 0 && !has_fin)
        return false;
    struct tcp_sent *s = pool_get(&t->records);
    if (s == NULL) {
        stat_inc(t->core, STAT_tcp_tx_no_record);
        tcp_program_starved(c);
        return false;
    }
    *s = (struct tcp_sent){.seq = c->snd_nxt, .bytes = (uint16_t)bytes, .has_fin = has_fin};
    if (bytes > 0) {
        settle_next(c);
        s->data = c->tx->next_data;
        s->offset = c->tx->next_offset;
    }
    if (!send_record(c, s, (int32_t)bytes <= open)) {
        pool_put(&t->records, s);
        tcp_program_starved(c);
        return false;
    }
    if (tcp_board_is_empty(&c->tx->board)) {
        c->progress_ms = tcp_now_ms(t);
        tcp_sndq_mark_drained(c);
    }
    tcp_board_sent(&c->tx->board, s, t->core->now_us);
    tcp_congestion_on_sent(c, s, false);
    if (bytes > 0)
        tcp_sndq_advance(&c->tx->next_data, &c->tx->next_offset, bytes);
    c->snd_nxt = tcp_sent_end(s);
    c->flags |= has_fin ? TCP_F_FIN_SENT : 0;
    stat_add(t->core, STAT_tcp_tx_bytes, bytes);
    return true;
}

/* The path became narrower since it was sent: cuts the record to a segment. */
static bool cut_to_mss(struct tcp_conn *c, struct tcp_sent *s)
{
    if (s->bytes <= c->mss)
        return true;
    if (c->flags & TCP_F_MTU_PROBE)
        tcp_plpmtud_on_cut(c, s);
    struct tcp_sent *rest = pool_get(&c->tcp->records);
    if (rest == NULL) {
        stat_inc(c->tcp->core, STAT_tcp_tx_no_record);
        return false;
    }
    tcp_board_split(&c->tx->board, s, rest, c->mss);
    rest->data = s->data;
    rest->offset = s->offset;
    *tcp_mark_of(c, rest) = *tcp_mark_of(c, s);
    tcp_sndq_advance(&rest->data, &rest->offset, s->bytes);
    return true;
}

bool tcp_output_again(struct tcp_conn *c, struct tcp_sent *s)
{
    struct core *core = c->tcp->core;
    ASSERT_HOT(s->place != TCP_SENT_SACKED);
    if (!cut_to_mss(c, s) || !send_record(c, s, false)) {
        tcp_program_starved(c);
        return false;
    }
    tcp_board_resent(&c->tx->board, s, core->now_us);
    tcp_undo_on_resent(&c->tx->undo, tcp_now_ms(c->tcp));
    tcp_congestion_on_sent(c, s, true);
    stat_inc(core, STAT_tcp_retransmits);
    c->retransmits++;
    return true;
}

/* May `bytes` more be in flight? One segment always may when nothing is. */
static bool cwnd_allows(struct tcp_conn *c, uint32_t bytes)
{
    uint32_t pipe = tcp_pipe_bytes(c);
    if (pipe == 0 || pipe + bytes <= c->tx->cc.cwnd_bytes)
        return true;
    c->flags |= TCP_F_CWND_LIMITED;
    return false;
}

/* Sender's silly window avoidance (RFC 9293, 3.8.6.2.1) without Nagle: a full segment, or all there
 * is, or half of the largest window that the peer ever told. */
static bool is_worth_sending(const struct tcp_conn *c, uint32_t bytes, uint32_t unsent)
{
    return bytes >= c->mss || bytes == unsent || bytes >= c->snd_wnd_max / 2;
}

bool tcp_is_sender_due(const struct tcp_conn *c)
{
    uint32_t unsent = (uint32_t)seq_diff(c->snd_end, c->snd_nxt);
    uint32_t bytes = min32(min32(unsent, c->mss), c->snd_wnd);
    ASSERT_HOT(seq_eq(c->snd_una, c->snd_nxt));
    return tcp_has_unsent(c) && c->snd_wnd > 0 && is_worth_sending(c, bytes, unsent);
}

/* After silence of an RTO what we knew of the path is old. */
static void restart_after_idle(struct tcp_conn *c)
{
    struct tcp_sender *x = c->tx;
    uint32_t idle_ms = tcp_now_ms(c->tcp) - c->progress_ms;
    bool is_idle = tcp_board_is_empty(&x->board) && idle_ms > c->rtt.rto_us / 1000;
    struct tcp_cc_look look = tcp_congestion_look(c);
    x->cc.ops->before_send(&x->cc, &look, is_idle);
}

/* Is it time for the next? If not, the timer calls again. */
static bool pace_allows(struct tcp_conn *c)
{
    uint64_t now_us = c->tcp->core->now_us;
    if (tcp_pace_allows(&c->tx->pace, now_us))
        return true;
    tcp_deadline_set(c, TCP_DEADLINE_PACE, tcp_pace_next_us(&c->tx->pace, now_us));
    return false;
}

/* RFC 5682, 2.1 step 2b: two new segments, and then the next acknowledgement decides. Where there
 * are none the conventional way goes on. */
static bool send_frto(struct tcp_conn *c)
{
    struct tcp_undo *u = &c->tx->undo;
    ASSERT_HOT(u->frto == TCP_FRTO_NEW);
    if (u->frto_left == 0)
        return false;
    bool is_sent = tcp_output_new(c, c->mss, false);
    if (is_sent)
        u->frto_left--;
    else
        u->frto = TCP_FRTO_OFF;
    return is_sent || (c->flags & TCP_F_STARVED) == 0;
}

/* One segment, if any may go. False: nothing more in this round. */
static bool send_next(struct tcp_conn *c)
{
    if (c->tx->undo.frto == TCP_FRTO_NEW)
        return send_frto(c);
    struct tcp_sent *lost = tcp_board_next_lost(&c->tx->board);
    if (lost != NULL) {
        uint32_t bytes = lost->bytes < c->mss ? lost->bytes : c->mss;
        return cwnd_allows(c, bytes) && pace_allows(c) && tcp_output_again(c, lost);
    }
    if ((c->flags & TCP_F_MTU_SEARCH) != 0 && tcp_plpmtud_send(c))
        return true;
    uint32_t unsent = (uint32_t)seq_diff(c->snd_end, c->snd_nxt);
    if ((c->flags & TCP_F_FIN_SENT) != 0 || (unsent == 0 && !fin_follows(c, 0)))
        return false;
    int32_t open = seq_diff(seq_add(c->snd_una, c->snd_wnd), c->snd_nxt);
    if (open <= 0)
        return false;
    uint32_t bytes = unsent < c->mss ? unsent : c->mss;
    if (bytes > (uint32_t)open)
        bytes = (uint32_t)open;
    if (!is_worth_sending(c, bytes, unsent))
        return false;
    restart_after_idle(c);
    return cwnd_allows(c, bytes) && pace_allows(c) && tcp_output_new(c, bytes, false);
}

/* Lost and new segments, as many as windows and a round allow. */
static void send_data(struct tcp_conn *c)
{
    bool is_due = c->tx != NULL || tcp_is_sender_due(c);
    if (!is_due || !tcp_sender_get(c))
        return;
    unsigned sent = 0;
    c->flags &= ~(uint32_t)TCP_F_CWND_LIMITED;
    tcp_run_begin(c);
    while (sent < TCP_BURST_SEGMENTS_MAX && send_next(c))
        sent++;
    tcp_run_end(c);
    tcp_congestion_on_output(c);
    if (sent == TCP_BURST_SEGMENTS_MAX) {
        c->flags |= TCP_F_CWND_LIMITED; /* what is left over would have grown the flight */
        tcp_program_output(c);
    }
}

void tcp_output(struct tcp_conn *c)
{
    ASSERT_HOT(c->state > TCP_CLOSED);
    if (c->flags & TCP_F_SEND_SYN)
        send_syn(c);
    if (c->state < TCP_ESTABLISHED) {
        if (c->state == TCP_SYN_RCVD && (c->flags & TCP_F_ACK_NOW) != 0)
            tcp_output_ack(c, NULL); /* what is out of its window is answered there too */
        return;
    }
    tcp_sndq_wake(c);
    send_data(c);
    if (c->flags & TCP_F_ACK_NOW)
        tcp_output_ack(c, NULL);
    if (c->flags & TCP_F_WINDOW_SHORT)
        tcp_program_starved(c);
    tcp_sender_settle(c);
    tcp_recovery_arm(c);
}
