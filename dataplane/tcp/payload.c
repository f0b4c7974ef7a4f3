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

void tcp_payload_copy(struct tcp *t, struct rte_mbuf *head, const struct tcp_outgoing *o)
{
    uint8_t *to = (uint8_t *)rte_pktmbuf_append(head, o->bytes);
    const struct rte_mbuf *m = o->data;
    uint32_t offset = o->offset;
    ASSERT(to != NULL); /* TCP_PACKET_BYTES_MAX sees to it */
    for (uint32_t left = o->bytes; left > 0;) {
        uint32_t here = (uint32_t)m->data_off + m->data_len - offset;
        uint32_t n = left < here ? left : here;
        memcpy(to, (const uint8_t *)m->buf_addr + offset, n);
        to += n;
        left -= n;
        m = m->next;
        offset = m == NULL ? 0 : m->data_off;
    }
    stat_add(t->core, STAT_tcp_tx_copied_bytes, o->bytes);
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
