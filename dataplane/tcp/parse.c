/* SPDX-License-Identifier: Apache-2.0 */
/* What a received segment says: its header, its checksum, its options. */
#include "base/be.h"
#include "net/cksum.h"
#include "tcp/tcp_priv.h"
#include "tcp/wire.h"

#include <netinet/in.h>
#include <rte_mbuf.h>

#define HEADER_BYTES_MAX 60u /* with all options that there can be */

/* The header lies in the first mbuf; what follows may lie in others: segments that were merged, or
 * a packet that came in fragments. The first may be so short only in the latter. */
static bool has_whole_header(struct tcp *t, struct rte_mbuf *m)
{
    if (m->nb_segs == 1 || m->data_len >= HEADER_BYTES_MAX || rte_pktmbuf_linearize(m) == 0)
        return true;
    stat_inc(t->core, STAT_tcp_drop_chained);
    return false;
}

bool tcp_parse(struct tcp *t, struct tcp_segment *seg, const struct ip_addr *src,
               const struct ip_addr *dst)
{
    struct rte_mbuf *m = seg->m;
    if (!has_whole_header(t, m))
        return false;
    const struct tcp_wire *h = rte_pktmbuf_mtod(m, const struct tcp_wire *);
    unsigned header_bytes = m->data_len < sizeof(*h) ? 0 : (unsigned)(h->offset >> 4) * 4;
    if (header_bytes < sizeof(*h) || header_bytes > m->data_len) {
        stat_inc(t->core, STAT_tcp_drop_short);
        return false;
    }
    if (!cksum_l4_is_good(m, src, dst, IPPROTO_TCP)) {
        stat_inc(t->core, STAT_tcp_drop_cksum);
        return false;
    }
    if (!tcp_options_parse((const uint8_t *)(h + 1), header_bytes - (unsigned)sizeof(*h),
                           &seg->options)) {
        stat_inc(t->core, STAT_tcp_drop_options);
        return false;
    }
    seg->tuple = (struct flow_tuple){*dst, *src, be16_host(h->dst_port), be16_host(h->src_port)};
    seg->seq = (seq_t){be32_host(h->seq)};
    seg->ack = (seq_t){be32_host(h->ack)};
    seg->window = be16_host(h->window);
    seg->urgent = be16_host(h->urgent);
    seg->flags = h->flags;
    rte_pktmbuf_adj(m, (uint16_t)header_bytes);
    seg->len = m->pkt_len;
    return true;
}
