/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMPv4 (RFC 792, RFC 1122 section 3.2.2): answers echo, bounded; takes errors about what we sent;
 * ignores the rest, redirects too: our routes are configured. Owner: struct net. Thread: the
 * worker. Station: after ip4_in.
 */
#include "base/assert.h"
#include "net/cksum.h"
#include "net/net_priv.h"

static void echo(struct net *n, const struct net_packet *p, struct rte_mbuf *m)
{
    if (!bucket_take(&n->echo, n->core->now_us, NET_ECHO_PER_S_MAX, NET_ECHO_BURST_MAX)) {
        net_drop(n, m, STAT_net_echo_limited);
        return;
    }
    /* We never fragment; what is too long for one packet is cut (RFC 1122, section 3.2.2.6). */
    uint32_t room = p->frame.iface->mtu - (uint32_t)sizeof(struct wire_ip4);
    if (m->pkt_len > room)
        net_mbuf_cut(m, room);
    struct wire_icmp *icmp = rte_pktmbuf_mtod(m, struct wire_icmp *);
    ASSERT_HOT(icmp->type == ICMP4_ECHO && net_is_local(n, &p->dst));
    icmp->type = ICMP4_ECHO_REPLY;
    icmp->cksum = (be16_t){0};
    icmp->cksum = cksum_close(cksum_add_mbuf(0, m, 0));
    stat_inc(n->core, STAT_net_echo_replies);
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT; /* what the port said is over */
    net_output(n, m, &p->dst, &p->src, IPPROTO_NUM_ICMP4, 0, 0);
}

void icmp4_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m)
{
    if (m->data_len < sizeof(struct wire_icmp) || !cksum_is_good(cksum_add_mbuf(0, m, 0))) {
        net_drop(n, m, STAT_net_drop_rx_icmp_invalid);
        return;
    }
    stat_inc(n->core, STAT_net_rx_icmp4);
    const struct wire_icmp *icmp = rte_pktmbuf_mtod(m, const struct wire_icmp *);
    uint16_t mtu = be16_host(icmp->mtu);
    if (icmp->type == ICMP4_ECHO)
        echo(n, p, m);
    else if (icmp->type == ICMP4_UNREACHABLE && icmp->code == ICMP4_CODE_FRAGMENTATION_NEEDED)
        icmp_error_input(n, p, m, sizeof(*icmp), NET_ICMP_TOO_BIG, mtu);
    else if (icmp->type == ICMP4_UNREACHABLE)
        icmp_unreachable_input(n, p, m, sizeof(*icmp), icmp->code == ICMP4_CODE_PORT);
    else if (icmp->type == ICMP4_TIME_EXCEEDED)
        icmp_error_input(n, p, m, sizeof(*icmp), NET_ICMP_TIME, 0);
    else if (icmp->type == ICMP4_PARAMETER)
        icmp_error_input(n, p, m, sizeof(*icmp), NET_ICMP_OTHER, 0);
    else if (icmp->type == ICMP4_ECHO_REPLY && punt_echo_reply(n, p, m))
        stat_inc(n->core, STAT_net_echo_punted);
    else if (icmp->type == ICMP4_REDIRECT)
        net_drop(n, m, STAT_net_redirects_ignored);
    else
        net_drop(n, m, STAT_net_icmp_ignored);
}
