/* SPDX-License-Identifier: Apache-2.0 */
/* Who has a sender, and who gives it up. */
#include "tcp/sender.h"

#include "base/assert.h"
#include "tcp/tcp_priv.h"

#include <rte_mbuf.h>

/* The connection has no sender any more, and keeps the size of its window. */
static void part(struct tcp_conn *c)
{
    struct tcp_sender *x = c->tx;
    ASSERT(x->conn == c && tcp_board_is_empty(&x->board));
    c->kept_cwnd_bytes = x->cc.cwnd_bytes;
    c->kept_ssthresh_bytes = x->cc.ssthresh_bytes;
    c->flags &= ~(uint32_t)(TCP_F_TLP | TCP_F_TLP_RESENT | TCP_F_CWND_LIMITED);
    c->tx = NULL;
    stat_inc(c->tcp->core, STAT_tcp_sender_taken);
}

/* The one that rests longest. NULL: none rests. */
static struct tcp_sender *take_resting(struct tcp *t)
{
    struct list_node *node = list_take_front(&t->resting);
    if (node == NULL)
        return NULL;
    struct tcp_sender *x = container_of(node, struct tcp_sender, resting);
    part(x->conn);
    return x;
}

/* Nobody takes it from its connection now. */
static void stop_resting(struct tcp_sender *x)
{
    if (list_is_linked(&x->resting))
        list_remove(&x->resting);
}

/* One is free: for who waits longest. */
static void give_back(struct tcp *t, struct tcp_sender *x)
{
    pool_put(&t->senders, x);
    if (!list_is_empty(&t->waiting))
        tcp_program_output(container_of(list_peek_front(&t->waiting), struct tcp_conn, output));
}

bool tcp_sender_take(struct tcp_conn *c)
{
    struct tcp *t = c->tcp;
    ASSERT_HOT(c->state >= TCP_ESTABLISHED);
    if (c->tx != NULL) {
        stop_resting(c->tx);
        return true;
    }
    ASSERT_HOT(seq_eq(c->snd_una, c->snd_nxt));
    struct tcp_sender *x = pool_get(&t->senders);
    if (x == NULL)
        x = take_resting(t);
    if (x == NULL) {
        stat_inc(t->core, STAT_tcp_tx_no_sender);
        return false;
    }
    *x = (struct tcp_sender){.conn = c,
                             .drain_ms = c->progress_ms,
                             .drain_end = c->snd_una,
                             .recovery_end = seq_add(c->snd_una, UINT32_MAX),
                             .cwr_end = seq_add(c->snd_una, UINT32_MAX)};
    if (c->sndq.head != NULL) {
        x->next_data = c->sndq.head;
        x->next_offset = c->sndq.head->data_off;
    }
    tcp_board_init(&x->board, c->snd_una);
    tcp_rack_init(&x->rack);
    tcp_cc_init(&x->cc, tcp_congestion_ops(tcp_congestion_of(c)), c->mss);
    x->cc.ssthresh_bytes = c->kept_ssthresh_bytes;
    if (c->kept_cwnd_bytes < x->cc.cwnd_bytes)
        x->cc.cwnd_bytes = c->kept_cwnd_bytes > c->mss ? c->kept_cwnd_bytes : c->mss;
    c->tx = x;
    struct tcp_cc_look look = tcp_congestion_look(c);
    x->cc.ops->init(&x->cc, &look, c->ts_offset);
    return true;
}

bool tcp_sender_get(struct tcp_conn *c)
{
    if (tcp_sender_take(c))
        return true;
    tcp_program_waiting(c);
    return false;
}

void tcp_sender_settle(struct tcp_conn *c)
{
    struct tcp *t = c->tcp;
    struct tcp_sender *x = c->tx;
    if (x == NULL)
        return;
    bool may_rest = tcp_board_is_empty(&x->board) && !tcp_is_sender_due(c);
    stop_resting(x);
    if (!may_rest)
        return;
    if (list_is_empty(&t->waiting)) {
        list_push_back(&t->resting, &x->resting);
        return;
    }
    part(c);
    give_back(t, x);
}

void tcp_sender_put(struct tcp_conn *c)
{
    struct tcp_sender *x = c->tx;
    if (x == NULL)
        return;
    struct list_node *node;
    while ((node = list_take_front(&x->board.by_seq)) != NULL)
        pool_put(&c->tcp->records, container_of(node, struct tcp_sent, by_seq));
    stop_resting(x);
    c->tx = NULL;
    give_back(c->tcp, x);
}
