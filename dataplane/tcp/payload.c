/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payload behind a segment's header, without copying: an indirect mbuf for each piece of the send
 * queue, which keeps that piece's buffer alive until the device has sent it, whatever is
 * acknowledged meanwhile. Copying is for ports that send no chains, for a few bytes, and for what
 * lies in too many pieces.
 */
#include "base/assert.h"
#include "core/port.h"
#include "tcp/tcp_priv.h"

#include <rte_mbuf.h>

/* The end of a segment that is copied: where the next byte goes. */
struct copy {
    struct core *core;
    struct rte_mbuf *head;
    struct rte_mbuf *last;
};

/* Room for at most `bytes` more, in a new mbuf if there is none in the last; how much: *ret_bytes.
 * NULL: no mbuf. */
static uint8_t *room(struct copy *to, uint32_t bytes, uint32_t *ret_bytes)
{
    uint16_t left = rte_pktmbuf_tailroom(to->last);
    if (left == 0) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(to->core->mbufs);
        if (m == NULL)
            return NULL;
        to->last->next = m;
        to->last = m;
        to->head->nb_segs++;
        left = rte_pktmbuf_tailroom(m);
    }
    uint16_t n = bytes < left ? (uint16_t)bytes : left;
    uint8_t *at = rte_pktmbuf_mtod_offset(to->last, uint8_t *, to->last->data_len);
    to->last->data_len = (uint16_t)(to->last->data_len + n);
    to->head->pkt_len += n;
    *ret_bytes = n;
    return at;
}

/* `bytes` in one piece. False: no mbuf. */
static bool copy_piece(struct copy *to, const uint8_t *from, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t n;
        uint8_t *at = room(to, bytes, &n);
        if (at == NULL)
            return false;
        memcpy(at, from, n);
        from += n;
        bytes -= n;
    }
    return true;
}

bool tcp_payload_copy(struct tcp *t, struct rte_mbuf *head, const struct tcp_outgoing *o)
{
    struct copy to = {t->core, head, head};
    const struct rte_mbuf *m = o->data;
    uint32_t offset = o->offset;
    for (uint32_t left = o->bytes; left > 0;) {
        uint32_t here = (uint32_t)m->data_off + m->data_len - offset;
        uint32_t n = left < here ? left : here;
        if (!copy_piece(&to, (const uint8_t *)m->buf_addr + offset, n)) {
            stat_inc(t->core, STAT_tcp_tx_no_mbuf);
            return false;
        }
        left -= n;
        m = m->next;
        offset = m == NULL ? 0 : m->data_off;
    }
    stat_add(t->core, STAT_tcp_tx_copied_bytes, o->bytes);
    return true;
}

/* A piece of the send queue: bytes of one mbuf. */
struct piece {
    struct rte_mbuf *m;
    uint16_t offset;
    uint16_t bytes;
};

/* The payload as pieces, none empty. Returns how many; more than `n_max`: n_max + 1. */
static unsigned cut(const struct tcp_outgoing *o, struct piece *ret, unsigned n_max)
{
    struct rte_mbuf *m = o->data;
    uint32_t offset = o->offset;
    unsigned n = 0;
    for (uint32_t left = o->bytes; left > 0; m = m->next, offset = m == NULL ? 0 : m->data_off) {
        uint32_t here = (uint32_t)m->data_off + m->data_len - offset;
        uint32_t bytes = left < here ? left : here;
        if (bytes == 0)
            continue;
        if (n == n_max)
            return n_max + 1;
        ret[n++] = (struct piece){m, (uint16_t)offset, (uint16_t)bytes};
        left -= bytes;
    }
    return n;
}

/* Does the piece lie right behind what the chain's last mbuf refers to? */
static bool continues(const struct tcp_chain *chain, const struct piece *p)
{
    const struct rte_mbuf *last = chain->last;
    return chain->source == p->m && p->offset == last->data_off + last->data_len;
}

/* Adds a reference to the piece. */
static void link_piece(struct tcp_chain *chain, struct rte_mbuf *ref, const struct piece *p)
{
    rte_pktmbuf_attach(ref, p->m);
    ref->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
    ref->data_off = p->offset;
    ref->data_len = p->bytes;
    chain->last->next = ref;
    chain->last = ref;
    chain->source = p->m;
    chain->head->nb_segs++;
    chain->head->pkt_len += p->bytes;
}

/* How many mbufs one more segment may take. */
static unsigned mbufs_left(const struct tcp_chain *chain)
{
    unsigned left = chain->mbufs_max > chain->head->nb_segs
                        ? (unsigned)chain->mbufs_max - chain->head->nb_segs
                        : 0;
    unsigned a_segment = chain->segment_mbufs_max > 0 ? chain->segment_mbufs_max - 1u : 0;
    left = a_segment < left ? a_segment : left;
    return left < PORT_TX_MBUFS_MAX ? left : PORT_TX_MBUFS_MAX;
}

bool tcp_payload_chain(struct tcp *t, struct tcp_chain *chain, const struct tcp_outgoing *o)
{
    struct piece pieces[PORT_TX_MBUFS_MAX];
    struct rte_mbuf *refs[PORT_TX_MBUFS_MAX];
    unsigned n_max = mbufs_left(chain);
    unsigned n = cut(o, pieces, n_max);
    if (n == 0 || n > n_max)
        return false;
    bool grows = continues(chain, &pieces[0]);
    if (n > grows && rte_pktmbuf_alloc_bulk(t->core->mbufs, refs, n - grows) != 0)
        return false;
    if (grows) {
        chain->last->data_len = (uint16_t)(chain->last->data_len + pieces[0].bytes);
        chain->head->pkt_len += pieces[0].bytes;
    }
    for (unsigned i = grows; i < n; i++)
        link_piece(chain, refs[i - grows], &pieces[i]);
    stat_inc(t->core, STAT_tcp_tx_zero_copy);
    return true;
}
