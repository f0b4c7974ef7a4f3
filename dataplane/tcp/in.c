/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment arrives: whose is it? Then, for a connection, RFC 9293, 3.10.7.4 as it stands there:
 * one call a numbered step, one counter at each exit.
 *
 * Station on the path: after net, before http. Owner: the worker.
 */
#include "base/assert.h"
#include "tcp/tcp_priv.h"
#include "tcp/trace.h"

#include <rte_mbuf.h>

/* A timestamp that came longer ago says nothing: the peer's clock may have gone round (RFC 7323,
 * 5.5). */
#define TS_RECENT_MS_MAX (24u * 24 * 3600 * 1000)

/* Both opened at once (3.5, figure 8): the peer's SYN again, now with the acknowledgement of ours.
 * Answered by a SYN-ACK it would be answered likewise, without end. */
static bool ends_simultaneous_open(struct tcp_conn *c, struct tcp_segment *seg)
{
    if (c->state != TCP_SYN_RCVD || (c->flags & TCP_F_ACTIVE) == 0 ||
        (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != (TCP_SYN | TCP_ACK) ||
        !seq_eq(seq_add(seg->seq, 1), c->rcv_nxt) || !seq_eq(seg->ack, c->snd_nxt))
        return false;
    seg->flags &= (uint8_t)~TCP_SYN;
    seg->seq = c->rcv_nxt;
    seg->window = (uint16_t)(seg->window >> c->snd_wscale); /* in a SYN it is not scaled */
    tcp_program_ack(c);
    return true;
}

/* Is any of it in the window? RFC 9293, table 6. */
static bool is_in_window(const struct tcp_conn *c, const struct tcp_segment *seg)
{
    uint32_t len = tcp_segment_len(seg);
    int32_t window = seq_diff(c->rcv_adv, c->rcv_nxt);
    int32_t first = seq_diff(seg->seq, c->rcv_nxt);
    int32_t last = seq_diff(seq_add(seg->seq, len - 1), c->rcv_nxt); /* wraps as numbers do */
    ASSERT_HOT(window >= 0);
    if (len == 0)
        return window == 0 ? first == 0 : first >= 0 && first < window;
    return (first >= 0 && first < window) || (first < 0 && last >= 0 && window > 0);
}

/* Does the peer ask whether we are there (3.8.4)? */
static bool is_keepalive(const struct tcp_conn *c, const struct tcp_segment *seg)
{
    return (seg->flags & TCP_ACK) != 0 && tcp_segment_len(seg) == 0 &&
           seq_eq(seq_add(seg->seq, 1), c->rcv_nxt) && seq_eq(seg->ack, c->snd_nxt);
}

/* What is not acceptable is answered by an acknowledgement (3.10.7.4). At once if it tells of data
 * that came twice; limited where two confused peers could talk forever, or a stranger listens (RFC
 * 5961, 4.2 and 7). */
static void answer_unacceptable(struct tcp_conn *c, const struct tcp_segment *seg)
{
    bool is_syn_again =
        (seg->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && seq_eq(seq_add(seg->seq, 1), c->rcv_nxt);
    if (seg->flags & TCP_RST)
        return;
    if (c->state == TCP_SYN_RCVD && is_syn_again) {
        c->flags |= TCP_F_SEND_SYN; /* the peer did not get our SYN */
        tcp_program_output(c);
    } else if (is_keepalive(c, seg)) {
        tcp_keepalive_ack(c);
    } else if ((seg->flags & TCP_SYN) != 0 || tcp_segment_len(seg) == 0) {
        tcp_challenge_ack(c);
    } else if (!tcp_may_answer_stray(c->tcp)) {
        return;
    } else if (seg->len > 0 && seq_le(seq_add(seg->seq, seg->len), c->rcv_nxt) &&
               c->state >= TCP_ESTABLISHED) {
        struct tcp_sack_block again = {seg->seq, seq_add(seg->seq, seg->len)};
        stat_add(c->tcp->core, STAT_tcp_rx_duplicate_bytes, seg->len);
        tcp_output_ack(c, &again);
    } else {
        tcp_program_ack(c);
    }
}

/* First, for connections with timestamps: is it older than what came before? RFC 7323, 5.3, R1;
 * resets are never judged so. */
static bool step_one_paws(struct tcp_conn *c, const struct tcp_segment *seg)
{
    if ((c->flags & TCP_F_TIMESTAMPS) == 0 || (seg->flags & TCP_RST) != 0)
        return true;
    int32_t ahead = (int32_t)(seg->options.ts_value - c->ts_recent);
    bool is_known = tcp_now_ms(c->tcp) - c->ts_recent_ms < TS_RECENT_MS_MAX;
    if (seg->options.has_timestamps && (ahead >= 0 || !is_known))
        return true;
    stat_inc(c->tcp->core, STAT_tcp_drop_paws);
    if (seg->options.has_timestamps) /* 3.2: once agreed upon, without is dropped silently */
        answer_unacceptable(c, seg);
    return false;
}

/* First, for all: is any of it in the window? Else an acknowledgement, and no more. */
static bool step_one_sequence(struct tcp_conn *c, struct tcp_segment *seg)
{
    if (ends_simultaneous_open(c, seg) || is_in_window(c, seg))
        return true;
    /* A full window still takes ACK, RST and URG of a segment in sequence (3.10.7.4). */
    if (seq_eq(c->rcv_adv, c->rcv_nxt) && seq_eq(seg->seq, c->rcv_nxt) &&
        (seg->flags & TCP_SYN) == 0) {
        if ((seg->flags & TCP_RST) == 0)
            tcp_program_ack(c);
        return true;
    }
    stat_inc(c->tcp->core, STAT_tcp_drop_sequence);
    answer_unacceptable(c, seg);
    return false;
}

/* RFC 7323, 5.3, R3 and 4.3: the timestamp to echo is that of the segment that the last
 * acknowledgement waited for. After step five: else a stranger who guesses a number in the window
 * could set it far ahead, and all that the peer sends would be old. */
static void note_timestamp(struct tcp_conn *c, const struct tcp_segment *seg)
{
    if ((c->flags & TCP_F_TIMESTAMPS) == 0 || seq_gt(seg->seq, c->last_ack_sent))
        return;
    c->ts_recent = seg->options.ts_value;
    c->ts_recent_ms = tcp_now_ms(c->tcp);
}

/* Fifth: what the acknowledgement means in each state. */
static bool step_five_ack(struct tcp_conn *c, const struct tcp_segment *seg)
{
    if ((seg->flags & TCP_ACK) == 0) {
        stat_inc(c->tcp->core, STAT_tcp_drop_no_ack);
        return false;
    }
    if (c->state == TCP_SYN_RCVD) {
        bool is_sent = !seq_eq(c->snd_nxt, c->snd_una); /* our SYN may wait for this round's end */
        if (!is_sent || !seq_eq(seg->ack, c->snd_nxt)) {
            stat_inc(c->tcp->core, STAT_tcp_drop_handshake);
            tcp_rst_reply(c->tcp, seg);
            return false;
        }
        tcp_establish(c, seg);
    }
    return tcp_ack_input(c, seg);
}

/* Seventh: text is for those whose peer has not ended; after release it is answered by a reset
 * (RFC 2525, 2.17), for nobody will read it. */
static bool step_seven_text(struct tcp_conn *c, struct tcp_segment *seg)
{
    if (seg->len == 0 || c->state == TCP_CLOSED || (c->flags & TCP_F_FIN_RCVD) != 0)
        return true;
    bool has_reader = (c->flags & TCP_F_OWNED) != 0 || (c->events & TCP_EVENT_ACCEPT) != 0;
    if (!has_reader && seq_gt(seq_add(seg->seq, seg->len), c->rcv_nxt)) {
        stat_inc(c->tcp->core, STAT_tcp_drop_after_close);
        tcp_abort(c, STREAM_END_ABORTED);
        return false;
    }
    tcp_text_input(c, seg);
    return true;
}

/* A FIN that overtook data is kept in mind: else it would have to be sent again, and a lone FIN is
 * sent again late. */
static void remember_fin(struct tcp_conn *c, seq_t fin)
{
    tcp_program_ack(c); /* it tells of the gap */
    if (seq_gt(fin, c->rcv_adv))
        return; /* behind what we take */
    tcp_rare_of(c)->fin_ahead = fin;
    c->flags |= TCP_F_FIN_AHEAD;
}

/* Eighth: the FIN, when all before it is here. */
static void step_eight_fin(struct tcp_conn *c, const struct tcp_segment *seg, seq_t fin)
{
    bool has_fin = (seg->flags & TCP_FIN) != 0;
    if (c->state == TCP_CLOSED)
        return;
    if (has_fin && (c->flags & TCP_F_FIN_RCVD) != 0) {
        tcp_program_ack(c); /* again: ours was lost */
        return;
    }
    if (has_fin && seq_gt(fin, c->rcv_nxt))
        remember_fin(c, fin);
    bool is_due =
        (c->flags & TCP_F_FIN_AHEAD) != 0 && seq_eq(tcp_rare_of(c)->fin_ahead, c->rcv_nxt);
    if (!is_due && !(has_fin && seq_eq(fin, c->rcv_nxt)))
        return;
    c->flags &= ~(uint32_t)TCP_F_FIN_AHEAD;
    tcp_on_fin_received(c);
}

/* Text and FIN of a segment share one acknowledgement (RFC 5681, 4.2: never more). */
void tcp_acknowledge(struct tcp_conn *c, struct tcp_segment *seg)
{
    if (!seg->is_ack_due || c->state <= TCP_CLOSED)
        return;
    bool has_again = seq_lt(seg->again.start, seg->again.end);
    tcp_output_ack(c, has_again ? &seg->again : NULL);
    seg->is_ack_due = false;
    seg->again.start = seg->again.end;
}

/* RFC 9293, 3.10.7.4. */
static void input_to_conn(struct tcp_conn *c, struct tcp_segment *seg)
{
    struct core *core = c->tcp->core;
    seq_t fin = seq_add(seg->seq, seg->len);
    if (!step_one_paws(c, seg) || !step_one_sequence(c, seg))
        return;
    c->last_rx_ms = tcp_now_ms(c->tcp);
    if (seg->flags & TCP_RST) { /* second */
        tcp_rst_input(c, seg);
        return;
    }
    /* third, security: nothing to check */
    if (seg->flags & TCP_SYN) { /* fourth; RFC 5961, section 4 */
        stat_inc(core, STAT_tcp_drop_syn_challenged);
        tcp_challenge_ack(c);
        return;
    }
    tcp_ecn_input(c, seg);
    if (!step_five_ack(c, seg))
        return;
    note_timestamp(c, seg);
    if ((seg->flags & TCP_URG) != 0 && (c->flags & TCP_F_FIN_RCVD) == 0) /* sixth */
        tcp_urgent_input(c, seq_add(seg->seq, seg->urgent));
    if (!step_seven_text(c, seg))
        return;
    step_eight_fin(c, seg, fin);
    tcp_acknowledge(c, seg);
    stat_inc(core, STAT_tcp_rx_slow);
}

/* True: it was the acknowledgement of a cookie, or may have overtaken it. */
static bool input_in_cookie_time(struct tcp *t, struct tcp_segment *seg,
                                 const struct tcp_listening *listening)
{
    struct tcp_conn *c;
    if (tcp_accept_cookie(t, seg, listening, &c)) {
        if (c != NULL)
            input_to_conn(c, seg); /* its text and its FIN count */
        return true;
    }
    if (!tcp_may_be_ahead_of_cookie(t, seg))
        return false;
    stat_inc(t->core, STAT_tcp_drop_cookie_ahead);
    return true;
}

/* May the sender of a SYN have a connection? */
static bool admits(const struct tcp *t, const struct tcp_segment *seg,
                   const struct tcp_listening *listening)
{
    const struct tcp_upcalls *up = &t->upcalls;
    return up->admits == NULL || up->admits(up->owner, &seg->tuple, listening->bind);
}

/* No connection, no record: RFC 9293, 3.10.7.1 and 3.10.7.2. `listening` NULL: nobody is. */
static void input_without_conn(struct tcp *t, struct tcp_segment *seg,
                               const struct tcp_listening *listening, const seq_t *iss_after)
{
    bool is_syn = (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
    if (is_syn && listening != NULL && admits(t, seg, listening)) {
        tcp_passive_open(t, seg, listening, iss_after);
        return;
    }
    if (listening != NULL && tcp_may_be_cookie(t, seg->flags) &&
        input_in_cookie_time(t, seg, listening))
        return;
    stat_inc(t->core, !is_syn             ? STAT_tcp_drop_no_conn
                      : listening == NULL ? STAT_tcp_drop_no_listener
                                          : STAT_tcp_drop_not_admitted);
    if ((seg->flags & TCP_RST) == 0)
        tcp_rst_reply(t, seg);
}

/* To whom does it belong? */
static void dispatch(struct tcp *t, struct tcp_segment *seg)
{
    if (seg->flow_hash == 0)
        seg->flow_hash = flow_table_hash(&t->table, &seg->tuple);
    ASSERT_HOT(seg->flow_hash == flow_table_hash(&t->table, &seg->tuple));
    flow_entry_t e = flow_table_find(&t->table, seg->flow_hash, &seg->tuple);
    if (e.v != FLOW_ENTRY_NONE.v && !flow_entry_mark(e)) {
        struct tcp_conn *c = tcp_conn_at(t, e);
        if (c->state == TCP_SYN_SENT)
            tcp_syn_sent_input(c, seg);
        else if (!tcp_fast_path(c, seg))
            input_to_conn(c, seg);
        check_tcp_conn(c);
        return;
    }
    struct tcp_listening listening = {0};
    bool is_listening =
        ((seg->flags & TCP_SYN) != 0 || tcp_may_be_cookie(t, seg->flags)) &&
        t->upcalls.listen(t->upcalls.owner, &seg->tuple.local, seg->tuple.local_port, &listening);
    seq_t iss_after;
    const seq_t *after = NULL;
    if (e.v != FLOW_ENTRY_NONE.v) {
        if (!tcp_timewait_input(t, flow_entry_index(e), seg, is_listening, &iss_after))
            return;
        after = &iss_after;
    }
    input_without_conn(t, seg, is_listening ? &listening : NULL, after);
}

void tcp_input(struct tcp *t, struct rte_mbuf *m, const struct ip_addr *src,
               const struct ip_addr *dst, uint8_t tos, uint64_t flow_hash)
{
    struct tcp_segment seg = {.m = m, .flow_hash = flow_hash, .ecn = tos & TCP_ECN_MASK};
    bool is_traced = tcp_is_traced(t);
    if (is_traced)
        tcp_trace_rx(t, m, src, dst);
    if (tcp_parse(t, &seg, src, dst))
        dispatch(t, &seg);
    if (seg.m != NULL)
        rte_pktmbuf_free(seg.m);
    if (is_traced)
        tcp_trace_end(t);
}
