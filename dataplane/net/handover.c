/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A box that is drained has connections whose packets come to other boxes now, for the router has
 * taken its routes out. These hand over what is no connection of theirs, in another packet
 * (l4/l4_handover.c), and here it is taken out: a frame again, which is spread by its own ends and
 * goes the way of every frame. Answers go straight to the client.
 *
 * Taken only from neighbours on the link, while this box is drained, and only TCP segments: who can
 * send them under a neighbour's address could as well send what is in them.
 *
 * Owner: struct net. Thread: the worker. Station: beside ip4_in.
 */
#include "base/assert.h"
#include "net/net_priv.h"
#include "net/plain.h"

bool handover_is(const struct net *n, const struct net_packet *p, uint8_t proto)
{
    const struct net_iface *iface = p->frame.iface;
    return (proto == IPPROTO_NUM_IPIP || proto == IPPROTO_NUM_IP6) &&
           ip_addr_eq(&p->dst, &iface->drained) &&
           path_find_on_link(&n->now->paths, iface->index, &p->src) != NULL;
}

void handover_input(struct net *n, const struct net_packet *p, uint8_t proto, struct rte_mbuf *m)
{
    const struct net_iface *iface = p->frame.iface;
    bool is_ip4 = proto == IPPROTO_NUM_IPIP;
    struct plain at;
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT; /* that was of the other packet */
    struct wire_eth *eth = (void *)rte_pktmbuf_prepend(m, sizeof(*eth));
    ASSERT(eth != NULL); /* more was taken off */
    *eth = (struct wire_eth){.dst = iface->mac,
                             .src = p->frame.src_mac,
                             .type = be16(is_ip4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6)};
    if (!plain_find_tcp(m, &at)) {
        net_drop(n, m, STAT_net_drop_rx_handover);
        return;
    }
    m->ol_flags |= RTE_MBUF_F_RX_VLAN_STRIPPED;
    m->vlan_tci = iface->vlan;
    m->port = iface->port;
    stat_inc(n->core, STAT_net_rx_handover);
    ASSERT(n->whole == NULL);
    n->whole = m;
}
