/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMPv6 (RFC 4443): answers echo, bounded; takes errors about what we sent; hands neighbour
 * discovery on; ignores the rest, routers' messages and redirects too: we are configured and not
 * autoconfigured. Owner: struct net. Thread: the worker. Station: after ip6_in.
 */
#include "base/assert.h"
#include "net/cksum.h"
#include "net/net_priv.h"

static void echo(struct net *n, const struct net_packet *p, struct rte_mbuf *m)
{
    if (p->dst.bytes[0] == 0xff || ip_addr_is_zero(&p->src)) {
        net_drop(n, m, STAT_net_icmp_ignored); /* a group is no target of ours for echo */
        return;
    }
    if (!bucket_take(&n->echo, n->core->now_us, NET_ECHO_PER_S_MAX, NET_ECHO_BURST_MAX)) {
        net_drop(n, m, STAT_net_echo_limited);
        return;
    }
    struct wire_icmp *icmp = rte_pktmbuf_mtod(m, struct wire_icmp *);
    ASSERT_HOT(icmp->type == ICMP6_ECHO);
    icmp->type = ICMP6_ECHO_REPLY;
    icmp->cksum = (be16_t){0};
    uint32_t sum = cksum_add_pseudo(0, &p->dst, &p->src, IPPROTO_NUM_ICMP6, m->pkt_len);
    icmp->cksum = cksum_close(cksum_add_mbuf(sum, m, 0));
    stat_inc(n->core, STAT_net_echo_replies);
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT; /* what the port said is over */
    output_answer(n, p, m, &p->dst, IPPROTO_NUM_ICMP6);
}

bool icmp6_is_discovery(uint8_t type)
{
    return type >= ICMP6_ROUTER_SOLICIT && type <= ICMP6_REDIRECT;
}

void icmp6_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m)
{
    uint32_t sum = cksum_add_pseudo(0, &p->src, &p->dst, IPPROTO_NUM_ICMP6, m->pkt_len);
    if (m->data_len < sizeof(struct wire_icmp) || !cksum_is_good(cksum_add_mbuf(sum, m, 0))) {
        net_drop(n, m, STAT_net_drop_rx_icmp_invalid);
        return;
    }
    const struct wire_icmp *icmp = rte_pktmbuf_mtod(m, const struct wire_icmp *);
    if (icmp->type == ICMP6_SOLICIT || icmp->type == ICMP6_ADVERT) {
        nd_input(n, p, m);
        return;
    }
    stat_inc(n->core, STAT_net_rx_icmp6);
    if (icmp->type == ICMP6_ECHO)
        echo(n, p, m);
    else if (icmp->type == ICMP6_TOO_BIG)
        icmp_error_input(n, p, m, sizeof(*icmp), NET_ICMP_TOO_BIG, be32_host(icmp->mtu6));
    else if (icmp->type == ICMP6_UNREACHABLE)
        icmp_unreachable_input(n, p, m, sizeof(*icmp), icmp->code == ICMP6_CODE_PORT);
    else if (icmp->type == ICMP6_TIME_EXCEEDED)
        icmp_error_input(n, p, m, sizeof(*icmp), NET_ICMP_TIME, 0);
    else if (icmp->type < ICMP6_ECHO) /* also of types to come (RFC 4443, section 2.4 (a)) */
        icmp_error_input(n, p, m, sizeof(*icmp), NET_ICMP_OTHER, 0);
    else if (icmp->type == ICMP6_MLD_QUERY) {
        punt_copy(n, p, PUNT_group, m);
        mld_input(n, p, m);
    } else if (icmp->type == ICMP6_ECHO_REPLY && punt_echo_reply(n, p, m))
        stat_inc(n->core, STAT_net_echo_punted);
    else if (icmp->type == ICMP6_REDIRECT)
        net_drop(n, m, STAT_net_redirects_ignored);
    else if (icmp->type == ICMP6_ROUTER_SOLICIT || icmp->type == ICMP6_ROUTER_ADVERT)
        net_drop(n, m, STAT_net_routers_ignored);
    else
        net_drop(n, m, STAT_net_icmp_ignored);
}
