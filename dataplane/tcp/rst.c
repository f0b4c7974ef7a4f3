/* SPDX-License-Identifier: Apache-2.0 */
/* Resets: when one is sent (RFC 9293, 3.5.2), when one is believed (3.5.3, RFC 5961). And how often
 * a stranger can make us answer: no two confused peers, and nobody who forges, gets more. */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

/* One more of these in this second? Else it is counted. */
static bool may_send(struct tcp *t, struct tcp_rate *rate, uint32_t mean, enum stat_id limited)
{
    if (tcp_rate_take(rate, t->core->now_us, &t->core->rng, mean))
        return true;
    stat_inc(t->core, limited);
    return false;
}

bool tcp_may_answer_stray(struct tcp *t)
{
    return may_send(t, &t->strays, TCP_STRAY_ACKS_PER_SECOND_MAX, STAT_tcp_tx_stray_limited);
}

void tcp_rst_reply(struct tcp *t, const struct tcp_segment *seg)
{
    if ((seg->flags & TCP_RST) != 0 ||
        !may_send(t, &t->rsts, t->config.rst_per_second_max, STAT_tcp_tx_rst_limited))
        return;
    stat_inc(t->core, STAT_tcp_tx_rst);
    struct tcp_options o = {
        /* RFC 7323, 5.2: what it answers is told; a clock of our own there is not */
        .has_timestamps = seg->options.has_timestamps,
        .ts_echo = seg->options.ts_value,
    };
    if (seg->flags & TCP_ACK) {
        tcp_bare_send(t, &seg->tuple, seg->ack, (seq_t){0}, TCP_RST, 0, &o);
        return;
    }
    uint32_t len = tcp_segment_len(seg);
    tcp_bare_send(t, &seg->tuple, (seq_t){0}, seq_add(seg->seq, len), TCP_RST | TCP_ACK, 0, &o);
}

void tcp_rst_send(struct tcp_conn *c)
{
    ASSERT_HOT(c->state > TCP_CLOSED);
    struct tcp_options o = {
        .has_timestamps = (c->flags & TCP_F_TIMESTAMPS) != 0, /* SHOULD (RFC 7323, 3.2) */
        .ts_value = tcp_ts_now(c),
        .ts_echo = c->ts_recent,
    };
    stat_inc(c->tcp->core, STAT_tcp_tx_rst);
    tcp_bare_send(c->tcp, &c->tuple, tcp_acceptable_seq(c), c->rcv_nxt, TCP_RST | TCP_ACK, 0, &o);
}

/* Was the connection made to answer just now? */
static bool is_challenged(const struct tcp_conn *c)
{
    bool is_again = tcp_now_ms(c->tcp) - c->challenge_ms < TCP_CHALLENGE_INTERVAL_MS;
    if (is_again)
        stat_inc(c->tcp->core, STAT_tcp_tx_challenge_limited);
    return is_again;
}

void tcp_challenge_ack(struct tcp_conn *c)
{
    struct tcp *t = c->tcp;
    if (is_challenged(c) || !may_send(t, &t->challenges, t->config.challenge_per_second_max,
                                      STAT_tcp_tx_challenge_limited))
        return;
    c->challenge_ms = tcp_now_ms(t);
    stat_inc(t->core, STAT_tcp_tx_challenge);
    tcp_program_ack(c);
}

void tcp_keepalive_ack(struct tcp_conn *c)
{
    if (is_challenged(c) || !tcp_may_answer_stray(c->tcp))
        return;
    c->challenge_ms = tcp_now_ms(c->tcp);
    tcp_program_ack(c);
}

void tcp_rst_input(struct tcp_conn *c, const struct tcp_segment *seg)
{
    ASSERT_HOT(seg->flags & TCP_RST);
    if (!seq_eq(seg->seq, c->rcv_nxt)) { /* RFC 5961, 3.2: in the window but not exact */
        stat_inc(c->tcp->core, STAT_tcp_drop_rst_invalid);
        tcp_challenge_ack(c);
        return;
    }
    stat_inc(c->tcp->core, STAT_tcp_rx_slow);
    bool is_refused = c->state == TCP_SYN_RCVD && (c->flags & TCP_F_ACTIVE) != 0;
    tcp_conn_end(c, is_refused ? STREAM_END_REFUSED : STREAM_END_RESET);
}
