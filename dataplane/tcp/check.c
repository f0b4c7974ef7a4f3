/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants of a connection, each as one assertion. */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

/* Sequence numbers and windows of a synchronized connection. */
static void check_numbers(const struct tcp_conn *c)
{
    uint32_t fin = (c->flags & TCP_F_FIN_SENT) != 0;
    ASSERT_HOT(seq_le(c->snd_una, c->snd_nxt));
    ASSERT_HOT(seq_le(c->snd_nxt, seq_add(c->snd_end, fin)));
    ASSERT_HOT(seq_le(c->rcv_nxt, c->rcv_adv));
    bool is_fin_acked = fin && seq_eq(c->snd_una, c->snd_nxt);
    ASSERT_HOT(c->sndq.bytes == (uint32_t)seq_diff(c->snd_end, c->snd_una) + is_fin_acked);
    ASSERT_HOT(c->mss > 0);
}

/* A sender is there when something is in flight, and says the same about it. */
static void check_sender(const struct tcp_conn *c)
{
    uint32_t unacked = (uint32_t)seq_diff(c->snd_nxt, c->snd_una);
    const struct tcp_sender *x = c->tx;
    if (x == NULL) {
        ASSERT_HOT(unacked == 0);
        return;
    }
    const struct tcp_board *b = &x->board;
    ASSERT_HOT(x->conn == c);
    ASSERT_HOT(b->in_flight_bytes + b->lost_bytes + b->sacked_bytes == unacked);
    ASSERT_HOT((x->next_data == NULL) == (c->sndq.head == NULL));
    x->cc.ops->check(&x->cc, c->mss);
}

void check_tcp_conn(const struct tcp_conn *c)
{
    ASSERT_HOT(c->state <= TCP_LAST_ACK);
    ASSERT_HOT(list_is_linked(&c->ready) == (c->events != 0));
    ASSERT_HOT((c->end == STREAM_END_OPEN) == (c->state > TCP_CLOSED));
    ASSERT_HOT((c->flags & (TCP_F_RECOVERY | TCP_F_LOSS)) != (TCP_F_RECOVERY | TCP_F_LOSS));
    if (c->state <= TCP_CLOSED) {
        ASSERT_HOT(!wheel_timer_is_armed(&c->timer));
        ASSERT_HOT(!list_is_linked(&c->output));
        ASSERT_HOT(c->sndq.head == NULL && c->oooq.head == NULL && c->tx == NULL);
        return;
    }
    if (c->state >= TCP_ESTABLISHED) {
        check_numbers(c);
        check_sender(c);
    }
    bool has_fin_state =
        c->state == TCP_CLOSE_WAIT || c->state == TCP_CLOSING || c->state == TCP_LAST_ACK;
    ASSERT_HOT(((c->flags & TCP_F_FIN_RCVD) != 0) == has_fin_state);
}

void check_tcp_conn_deep(const struct tcp_conn *c)
{
    check_tcp_conn(c);
    if (c->state == TCP_FREE)
        return;
    check_tcp_mbufq(&c->rcvq);
    check_tcp_mbufq(&c->sndq);
    check_tcp_mbufq(&c->oooq);
    check_tcp_reasm(c);
    if (c->tx != NULL)
        check_tcp_board(&c->tx->board, c->snd_una, c->snd_nxt);
}
