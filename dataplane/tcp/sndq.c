/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The send queue: the bytes from snd_una to snd_end, in mbufs that were written into here or moved
 * from a receive queue. They stay where they are until they are acknowledged; segments refer to
 * them or copy from them. `next_data`, `next_offset` is where the byte at snd_nxt lies.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "tcp/tcp_priv.h"

#include <rte_mbuf.h>

uint32_t tcp_sndq_room(const struct tcp_conn *c)
{
    uint32_t limit = c->tcp->config.tx_buffer_bytes;
    uint32_t most = tcp_sndq_mbufs_max(c);
    if (c->sndq.bytes >= limit || c->sndq.mbufs >= most)
        return 0;
    return min32((most - c->sndq.mbufs) * MBUF_DATA_BYTES, limit - c->sndq.bytes);
}

/* Room that is worth telling a writer of. */
static uint32_t room_worth(const struct tcp_conn *c)
{
    uint32_t by_mbufs = tcp_sndq_mbufs_max(c) * MBUF_DATA_BYTES;
    return min32(by_mbufs, c->tcp->config.tx_buffer_bytes) / 4;
}

/* snd_nxt's place when the queue was empty is the new mbuf. */
static void push(struct tcp_conn *c, struct rte_mbuf *m)
{
    if (c->tx != NULL && c->tx->next_data == NULL) {
        c->tx->next_data = m;
        c->tx->next_offset = m->data_off;
    }
    tcp_mbufq_push(&c->sndq, m, tcp_held(c, STAT_tcp_sndq_mbufs_now));
}

/* An empty mbuf with all its room for payload; half of the reserve is kept for what is owed:
 * acknowledgements and retransmissions. */
static struct rte_mbuf *new_mbuf(struct tcp *t)
{
    struct rte_mbuf *m = NULL;
    if (!tcp_mbufs_are_short(t, t->config.mbufs_low / 2))
        m = rte_pktmbuf_alloc(t->core->mbufs);
    if (m == NULL) {
        stat_inc(t->core, STAT_tcp_write_no_mbuf);
        return NULL;
    }
    if (t->mbufs_free > 0)
        t->mbufs_free--; /* until the pool is asked again */
    m->data_off = 0;     /* headers go into an mbuf of their own */
    return m;
}

uint32_t tcp_sndq_write(struct tcp_conn *c, struct slice bytes)
{
    uint32_t room = tcp_sndq_room(c);
    if (bytes.len > room)
        bytes.len = room;
    uint32_t taken = tcp_mbufq_append_tail(&c->sndq, bytes);
    while (taken < bytes.len) {
        struct rte_mbuf *m = new_mbuf(c->tcp);
        if (m == NULL) {
            tcp_program_starved(c);
            break;
        }
        uint32_t n = rte_pktmbuf_tailroom(m);
        if (n > bytes.len - taken)
            n = (uint32_t)bytes.len - taken;
        memcpy(rte_pktmbuf_append(m, (uint16_t)n), bytes.ptr + taken, n);
        push(c, m);
        taken += n;
    }
    c->snd_end = seq_add(c->snd_end, taken);
    ASSERT_HOT(c->sndq.bytes <= c->tcp->config.tx_buffer_bytes);
    return taken;
}

void tcp_sndq_push(struct tcp_conn *c, struct rte_mbuf *m)
{
    ASSERT_HOT(m->data_len <= tcp_sndq_room(c));
    c->snd_end = seq_add(c->snd_end, m->data_len);
    push(c, m);
}

bool tcp_sndq_push_part(struct tcp_conn *c, struct rte_mbuf *m, uint32_t bytes)
{
    ASSERT_HOT(bytes > 0 && bytes < m->data_len && bytes <= tcp_sndq_room(c));
    struct rte_mbuf *ref = new_mbuf(c->tcp); /* takes of the share */
    if (ref == NULL) {
        tcp_program_starved(c);
        return false;
    }
    rte_pktmbuf_attach(ref, m);
    ref->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
    ref->data_len = (uint16_t)bytes;
    ref->pkt_len = bytes;
    c->snd_end = seq_add(c->snd_end, bytes);
    push(c, ref);
    return true;
}

void tcp_sndq_drop(struct tcp_conn *c, uint32_t bytes)
{
    struct tcp_mbufq *q = &c->sndq;
    uint64_t *held = tcp_held(c, STAT_tcp_sndq_mbufs_now);
    ASSERT_HOT(bytes <= q->bytes);
    while (bytes > 0 && q->head->data_len <= bytes) {
        struct rte_mbuf *m = tcp_mbufq_take(q, held);
        bytes -= m->data_len;
        if (m == c->tx->next_data) {
            c->tx->next_data = q->head;
            c->tx->next_offset = q->head == NULL ? 0 : q->head->data_off;
        }
        rte_pktmbuf_free_seg(m);
    }
    if (bytes > 0)
        tcp_mbufq_drop(q, bytes, held);
}

void tcp_sndq_wake(struct tcp_conn *c)
{
    if ((c->flags & TCP_F_WANT_WRITE) == 0)
        return;
    struct tcp *t = c->tcp;
    if (tcp_sndq_room(c) < room_worth(c)) /* not for every few bytes */
        return;
    if (tcp_mbufs_are_short(t, t->config.mbufs_low / 2)) {
        tcp_program_starved(c);
        return;
    }
    c->flags &= ~(uint32_t)TCP_F_WANT_WRITE;
    tcp_program_events(c, STREAM_WRITABLE);
}

void tcp_sndq_advance(struct rte_mbuf **m, uint16_t *offset, uint32_t bytes)
{
    while (bytes > 0) {
        ASSERT_HOT(*m != NULL);
        uint32_t left = (uint32_t)(*m)->data_off + (*m)->data_len - *offset;
        if (left == 0) { /* at the end of one is at the beginning of the next */
            *m = (*m)->next;
            *offset = (*m)->data_off;
            continue;
        }
        uint32_t n = bytes < left ? bytes : left;
        *offset = (uint16_t)(*offset + n);
        bytes -= n;
    }
}
