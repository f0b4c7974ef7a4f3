/* SPDX-License-Identifier: Apache-2.0 */
/* See udp.h. */
#include "net/udp.h"

#include "base/assert.h"
#include "net/cksum.h"
#include "net/net_priv.h"

#include <string.h>

void net_set_udp(struct net *n, void *owner, const struct net_udp_ops *ops)
{
    ASSERT(n->udp_ops == NULL && ops->input != NULL);
    n->udp = owner;
    n->udp_ops = ops;
}

static bool has_good_cksum(const struct net_packet *p, const struct rte_mbuf *m,
                           const struct wire_udp *udp)
{
    uint64_t device = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    if (udp->cksum.wire == 0) /* IPv6 demands one (RFC 8200, section 8.1) */
        return ip_addr_is_v4(&p->src);
    if (device == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
        return true;
    uint32_t sum = cksum_add_pseudo(0, &p->src, &p->dst, IPPROTO_NUM_UDP, m->pkt_len);
    return cksum_is_good(cksum_add_mbuf(sum, m, 0));
}

/* Header and length; the counter against the datagram, STAT_net_rx_udp: none. */
static enum stat_id judge(const struct net_packet *p, struct rte_mbuf *m)
{
    const struct wire_udp *udp = rte_pktmbuf_mtod(m, const struct wire_udp *);
    if (m->data_len < sizeof(*udp))
        return STAT_net_drop_rx_udp_invalid;
    uint32_t bytes = be16_host(udp->bytes);
    if (bytes < sizeof(*udp) || bytes > m->pkt_len || udp->dst_port.wire == 0)
        return STAT_net_drop_rx_udp_invalid;
    net_mbuf_cut(m, bytes);
    return has_good_cksum(p, m, udp) ? STAT_net_rx_udp : STAT_net_drop_rx_udp_cksum;
}

void udp_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m)
{
    enum stat_id verdict = judge(p, m);
    if (verdict != STAT_net_rx_udp) {
        net_drop(n, m, verdict);
        return;
    }
    struct wire_udp udp;
    memcpy(&udp, rte_pktmbuf_mtod(m, const void *), sizeof(udp));
    struct net_udp_header h = {.src = p->src,
                               .dst = p->dst,
                               .src_port = be16_host(udp.src_port),
                               .dst_port = be16_host(udp.dst_port),
                               .tos = p->tos,
                               .ip_bytes = (uint16_t)p->header_bytes};
    rte_pktmbuf_adj(m, sizeof(udp));
    if (n->udp_ops != NULL && n->udp_ops->input(n->udp, m, &h)) {
        stat_inc(n->core, STAT_net_rx_udp);
        return;
    }
    void *header = rte_pktmbuf_prepend(m, sizeof(udp)); /* where it was taken off */
    ASSERT(header != NULL);
    icmp_tell_and_drop(n, p, m, ICMP_FAULT_PORT, 0, STAT_net_drop_rx_udp_no_listener);
}

void net_udp_output(struct net *n, struct rte_mbuf *m, const struct net_udp_header *h)
{
    struct wire_udp *udp = NULL;
    stat_inc(n->core, STAT_net_tx_udp);
    ASSERT_HOT(h->dst_port != 0 && ip_addr_is_v4(&h->src) == ip_addr_is_v4(&h->dst));
    if (m->pkt_len + sizeof(*udp) + sizeof(struct wire_ip6) > UINT16_MAX) {
        net_drop(n, m, STAT_net_drop_tx_too_big);
        return;
    }
    udp = (void *)rte_pktmbuf_prepend(m, sizeof(*udp));
    if (udp == NULL) {
        net_drop(n, m, STAT_net_drop_tx_headroom);
        return;
    }
    *udp = (struct wire_udp){.src_port = be16(h->src_port),
                             .dst_port = be16(h->dst_port),
                             .bytes = be16((uint16_t)m->pkt_len)};
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
    m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
    m->l4_len = sizeof(*udp);
    net_output(n, m, &h->src, &h->dst, IPPROTO_NUM_UDP, h->tos, 0);
}
