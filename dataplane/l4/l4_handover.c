/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another box is drained: the router has taken its routes out, so its connections' packets come
 * here. A segment to a port that somebody listens on, of no connection or flow of ours, and no SYN:
 * it goes to that box as it came, within another packet (RFC 2003, RFC 2473); see net/handover.c
 * for what happens there. What is not one of that box's either is reset there.
 *
 * So nobody keeps or exchanges state: it is enough that both know which box is drained (GitHub's
 * GLB and Cloudflare's Unimog do likewise; Beamer, NSDI 2018). Not for what is carried (IPIP, GUE),
 * which any box goes on with, nor for UDP. Only one box at a time: with two a segment's owner would
 * have to be guessed.
 *
 * Owner: struct l4_fwd. Thread: the worker. Station: in l4_input(), before segments are merged.
 */
#include "abi/image.h"
#include "l4/l4_priv.h"
#include "tcp/stand_in.h"
#include "tcp/tcp.h"

void l4_handover_set(struct l4_fwd *f)
{
    f->has_drained = false;
    for (uint32_t i = 0; i < f->view->n_interfaces && !f->has_drained; i++) {
        f->drained = f->view->interfaces[i].drained;
        f->has_drained = !ip_addr_is_zero(&f->drained) && !image_is_drained(f->view);
    }
}

/* May it be a connection of the other box's? */
static bool may_be_theirs(struct l4_fwd *f, const struct flow_tuple *ends, uint8_t flags)
{
    if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN || tcp_has_flow(f->tcp, ends))
        return false;
    if (tcp_may_be_cookie(f->tcp, flags))
        return false; /* it may begin one of ours */
    uint32_t bind = image_bind_find(f->view, &ends->local, ends->local_port, false);
    if (bind != IMAGE_NONE)
        bind = image_bind_for(f->view, bind, &ends->remote);
    bool is_tcp = bind != IMAGE_NONE && f->view->binds[bind].kind == IMAGE_BIND_TCP;
    return bind != IMAGE_NONE && !(is_tcp && l4_bind_is_carried(f, bind));
}

bool l4_handover(struct l4_fwd *f, struct rte_mbuf *m, const struct plain *at,
                 const struct flow_tuple *ends)
{
    struct net_path path;
    const uint32_t header = sizeof(struct wire_ip4);
    if (at->proto != IPPROTO_NUM_TCP || !may_be_theirs(f, ends, l4_flags_of(m, at)) ||
        !net_path_find(f->net, &f->drained, &path) || ip_addr_is_zero(&path.source))
        return false;
    uint32_t seq = be32_host(rte_pktmbuf_mtod_offset(m, const struct tcp_wire *, at->l4_at)->seq);
    stat_inc(f->core, STAT_l4_rx_fast);
    net_plain_strip(m, at);
    if (m->pkt_len + header > path.mtu) {
        l4_tell(f, ends, IPPROTO_NUM_TCP,
                (struct net_icmp_error){
                    .kind = NET_ICMP_TOO_BIG, .mtu = (uint16_t)(path.mtu - header), .seq = seq});
        l4_drop(f, m, STAT_l4_drop_too_big);
        return true;
    }
    if (!l4_take_hop(m, at->is_ip4)) {
        l4_tell(f, ends, IPPROTO_NUM_TCP,
                (struct net_icmp_error){.kind = NET_ICMP_TIME, .seq = seq});
        l4_drop(f, m, STAT_l4_drop_hop_limit);
        return true;
    }
    uint8_t tos = l4_tos_of(rte_pktmbuf_mtod(m, const void *), at->is_ip4) & 0xfcu;
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT; /* what the port said is over */
    stat_inc(f->core, STAT_l4_tx);
    stat_inc(f->core, STAT_l4_handed_over);
    net_output(f->net, m, &path.source, &f->drained,
               at->is_ip4 ? IPPROTO_NUM_IPIP : IPPROTO_NUM_IP6, tos, 0);
    return true;
}
