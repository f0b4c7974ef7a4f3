/* SPDX-License-Identifier: Apache-2.0 */
/* Resets: when one is sent (RFC 9293, 3.5.2), when one is believed (3.5.3, RFC 5961). */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

/* One more reset in this second? */
static bool may_reset(struct tcp *t)
{
    uint64_t now_us = t->core->now_us;
    if (now_us - t->rst_window_us >= 1000000) {
        t->rst_window_us = now_us;
        t->rst_count = 0;
    }
    if (t->rst_count >= TCP_RST_PER_SECOND_MAX) {
        stat_inc(t->core, STAT_tcp_tx_rst_limited);
        return false;
    }
    t->rst_count++;
    return true;
}

void tcp_rst_reply(struct tcp *t, const struct tcp_segment *seg)
{
    if ((seg->flags & TCP_RST) != 0 || !may_reset(t))
        return;
    stat_inc(t->core, STAT_tcp_tx_rst);
    static const struct tcp_options none;
    if (seg->flags & TCP_ACK) {
        tcp_bare_send(t, &seg->tuple, seg->ack, (seq_t){0}, TCP_RST, 0, &none);
        return;
    }
    uint32_t len = seg->len + ((seg->flags & TCP_SYN) != 0) + ((seg->flags & TCP_FIN) != 0);
    tcp_bare_send(t, &seg->tuple, (seq_t){0}, seq_add(seg->seq, len), TCP_RST | TCP_ACK, 0, &none);
}

void tcp_rst_send(struct tcp_conn *c)
{
    ASSERT_HOT(c->state > TCP_CLOSED);
    static const struct tcp_options none;
    stat_inc(c->tcp->core, STAT_tcp_tx_rst);
    tcp_bare_send(c->tcp, &c->tuple, tcp_acceptable_seq(c), c->rcv_nxt, TCP_RST | TCP_ACK, 0,
                  &none);
}

void tcp_challenge_ack(struct tcp_conn *c)
{
    uint32_t now_ms = tcp_now_ms(c->tcp);
    if (now_ms - c->challenge_ms < TCP_CHALLENGE_INTERVAL_MS) {
        stat_inc(c->tcp->core, STAT_tcp_tx_challenge_limited);
        return;
    }
    c->challenge_ms = now_ms;
    stat_inc(c->tcp->core, STAT_tcp_tx_challenge);
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
