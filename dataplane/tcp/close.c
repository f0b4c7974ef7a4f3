/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends, in every order (RFC 9293, 3.6):
 *
 *   we first       ESTABLISHED -> FIN_WAIT_1 -> FIN_WAIT_2 -> TIME_WAIT
 *   both at once   FIN_WAIT_1 -> CLOSING -> TIME_WAIT
 *   the peer first ESTABLISHED -> CLOSE_WAIT -> LAST_ACK -> gone
 *
 * The state changes when our direction is shut; the FIN itself follows what is queued.
 */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

void tcp_shutdown(struct tcp_conn *c)
{
    ASSERT_HOT(c->state > TCP_CLOSED);
    if (c->flags & TCP_F_SHUTDOWN)
        return;
    c->flags |= TCP_F_SHUTDOWN;
    c->flags &= ~(uint32_t)(TCP_F_WANT_WRITE | TCP_F_RESTING);
    if (c->state == TCP_ESTABLISHED)
        tcp_conn_set_state(c, TCP_FIN_WAIT_1);
    else if (c->state == TCP_CLOSE_WAIT)
        tcp_conn_set_state(c, TCP_LAST_ACK);
    tcp_program_output(c); /* an open under way: tcp_establish() goes on */
}

void tcp_abort(struct tcp_conn *c, enum stream_end end)
{
    ASSERT(c->state > TCP_CLOSED);
    ASSERT(end != STREAM_END_ORDERLY);
    if (c->state != TCP_SYN_SENT) /* 3.10.5: there the peer knows of nothing */
        tcp_rst_send(c);
    tcp_conn_end(c, end);
}

/* Both FINs are through and the last acknowledgement is on its way. */
static void enter_timewait(struct tcp_conn *c)
{
    if (c->flags & TCP_F_ACK_NOW) {
        struct tcp_outgoing o = {.seq = tcp_acceptable_seq(c), .flags = TCP_ACK};
        tcp_segment_send(c, &o); /* lost for want of an mbuf: the record answers the next FIN */
    }
    tcp_conn_end_in_timewait(c);
}

void tcp_on_fin_acked(struct tcp_conn *c)
{
    ASSERT_HOT(seq_eq(c->snd_una, c->snd_nxt));
    ASSERT_HOT(c->flags & TCP_F_FIN_SENT);
    if (c->state == TCP_FIN_WAIT_1) {
        tcp_conn_set_state(c, TCP_FIN_WAIT_2);
        tcp_arm_wait(c);
    } else if (c->state == TCP_CLOSING) {
        enter_timewait(c);
    } else if (c->state == TCP_LAST_ACK) {
        tcp_conn_end(c, STREAM_END_ORDERLY);
    }
}

void tcp_on_fin_received(struct tcp_conn *c)
{
    ASSERT_HOT((c->flags & TCP_F_FIN_RCVD) == 0);
    c->flags |= TCP_F_FIN_RCVD;
    c->rcv_nxt = seq_add(c->rcv_nxt, 1);
    c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt);
    tcp_reasm_clear(c); /* nothing can lie behind a FIN */
    tcp_program_ack(c);
    if (c->flags & TCP_F_OWNED || c->events & TCP_EVENT_ACCEPT)
        tcp_program_events(c, STREAM_READABLE);
    if (c->state == TCP_ESTABLISHED)
        tcp_conn_set_state(c, TCP_CLOSE_WAIT);
    else if (c->state == TCP_FIN_WAIT_1)
        tcp_conn_set_state(c, TCP_CLOSING);
    else if (c->state == TCP_FIN_WAIT_2)
        enter_timewait(c);
}
