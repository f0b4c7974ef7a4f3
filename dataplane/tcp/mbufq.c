/* SPDX-License-Identifier: Apache-2.0 */
/* Byte queues of mbufs. */
#include "tcp/mbufq.h"

#include "base/assert.h"
#include "tcp/tcp_limits.h"

#include <rte_mbuf.h>
#include <string.h>

void tcp_mbufq_push(struct tcp_mbufq *q, struct rte_mbuf *m, uint64_t *held)
{
    ASSERT_HOT(m->next == NULL && m->nb_segs == 1);
    ASSERT_HOT(m->data_len > 0);
    if (q->tail == NULL)
        q->head = m;
    else
        q->tail->next = m;
    q->tail = m;
    q->bytes += m->data_len;
    q->mbufs++;
    ++*held;
}

struct rte_mbuf *tcp_mbufq_take(struct tcp_mbufq *q, uint64_t *held)
{
    struct rte_mbuf *m = q->head;
    if (m == NULL)
        return NULL;
    ASSERT_HOT(q->mbufs > 0 && q->bytes >= m->data_len);
    q->head = m->next;
    if (q->head == NULL)
        q->tail = NULL;
    m->next = NULL;
    q->bytes -= m->data_len;
    q->mbufs--;
    ASSERT_HOT(*held > 0);
    --*held;
    return m;
}

void tcp_mbufq_drop(struct tcp_mbufq *q, uint32_t bytes, uint64_t *held)
{
    ASSERT_HOT(bytes <= q->bytes);
    while (bytes > 0) {
        struct rte_mbuf *m = q->head;
        if (bytes < m->data_len) {
            m->data_off = (uint16_t)(m->data_off + bytes);
            m->data_len = (uint16_t)(m->data_len - bytes);
            m->pkt_len = m->data_len;
            q->bytes -= bytes;
            return;
        }
        bytes -= m->data_len;
        rte_pktmbuf_free_seg(tcp_mbufq_take(q, held));
    }
}

void tcp_mbufq_clear(struct tcp_mbufq *q, uint64_t *held)
{
    struct rte_mbuf *m;
    while ((m = tcp_mbufq_take(q, held)) != NULL)
        rte_pktmbuf_free_seg(m);
    ASSERT_HOT(q->bytes == 0 && q->mbufs == 0);
}

uint32_t tcp_mbufq_append_tail(struct tcp_mbufq *q, struct slice bytes)
{
    struct rte_mbuf *m = q->tail;
    /* Shared or foreign buffers end where their data ends: another mbuf may own what follows. */
    if (m == NULL || !RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) != 1)
        return 0;
    uint32_t n = rte_pktmbuf_tailroom(m);
    if (n > bytes.len)
        n = (uint32_t)bytes.len;
    if (n == 0)
        return 0;
    memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len), bytes.ptr, n);
    m->data_len = (uint16_t)(m->data_len + n);
    m->pkt_len = m->data_len;
    q->bytes += n;
    ASSERT_HOT((uint32_t)m->data_off + m->data_len <= m->buf_len);
    return n;
}

bool tcp_mbufq_has_small_tail(const struct tcp_mbufq *q)
{
    return q->tail != NULL && q->tail->data_len <= TCP_COALESCE_BYTES_MAX;
}

unsigned tcp_mbufq_peek(const struct tcp_mbufq *q, struct slice *ret, unsigned n_max)
{
    unsigned n = 0;
    for (const struct rte_mbuf *m = q->head; m != NULL && n < n_max; m = m->next)
        ret[n++] = slice_of(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
    return n;
}

void check_tcp_mbufq(const struct tcp_mbufq *q)
{
    uint32_t bytes = 0;
    uint32_t mbufs = 0;
    const struct rte_mbuf *last = NULL;
    for (const struct rte_mbuf *m = q->head; m != NULL; m = m->next) {
        ASSERT(m->data_len > 0 && m->nb_segs == 1);
        bytes += m->data_len;
        mbufs++;
        last = m;
    }
    ASSERT(bytes == q->bytes);
    ASSERT(mbufs == q->mbufs);
    ASSERT(last == q->tail);
}
