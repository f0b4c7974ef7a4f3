/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both ICMPs share: an error quotes the packet that it is about. If that is a TCP segment from
 * an address of ours, tcp hears of it; whether it believes it, it decides by the sequence number.
 * A quote with IPv6 extension headers is not one of ours: we send none. Owner: struct net. Thread:
 * the worker. Station: after icmp4 and icmp6.
 */
#include "base/assert.h"
#include "net/net_priv.h"

#include <string.h>

/* Less is no MTU at all (RFC 791, section 3.2). */
#define MTU_MIN 68u

/* Reads addresses out of the quoted IP header at `at` < data_len. Returns where the TCP header
 * begins; 0: there is none. */
static uint32_t read_quoted_ip(const struct rte_mbuf *m, uint32_t at, struct net_icmp_error *e)
{
    const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, at);
    uint32_t left = m->data_len - at;
    if (left >= sizeof(struct wire_ip4) && p[0] >> 4 == 4) {
        const struct wire_ip4 *ip = (const void *)p;
        bool is_first = (be16_host(ip->fragment) & 0x1fff) == 0;
        e->local = ip_addr_from_v4(ip->src);
        e->remote = ip_addr_from_v4(ip->dst);
        return ip->proto == IPPROTO_NUM_TCP && is_first ? at + (p[0] & 0xfu) * 4 : 0;
    }
    if (left >= sizeof(struct wire_ip6) && p[0] >> 4 == 6) {
        const struct wire_ip6 *ip = (const void *)p;
        e->local = ip_addr_from_v6(ip->src);
        e->remote = ip_addr_from_v6(ip->dst);
        return ip->next == IPPROTO_NUM_TCP ? at + (uint32_t)sizeof(*ip) : 0;
    }
    return 0;
}

static bool read_quote(const struct net *n, const struct rte_mbuf *m, uint32_t at,
                       struct net_icmp_error *e)
{
    if (at >= m->data_len)
        return false;
    uint32_t tcp_at = read_quoted_ip(m, at, e);
    struct wire_tcp_quote quote;
    if (tcp_at == 0 || tcp_at + sizeof(quote) > m->data_len || !net_is_local(n, &e->local))
        return false;
    memcpy(&quote, rte_pktmbuf_mtod_offset(m, const void *, tcp_at), sizeof(quote));
    e->local_port = be16_host(quote.src_port);
    e->remote_port = be16_host(quote.dst_port);
    e->seq = be32_host(quote.seq);
    return true;
}

void icmp_error_input(struct net *n, struct rte_mbuf *m, uint32_t quote, enum net_icmp_kind kind,
                      uint32_t mtu)
{
    ASSERT_HOT(kind == NET_ICMP_TOO_BIG || mtu == 0);
    struct net_icmp_error e = {.kind = kind};
    if (mtu >= MTU_MIN)
        e.mtu = mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)mtu;
    bool is_ours = read_quote(n, m, quote, &e);
    net_drop(n, m, is_ours ? STAT_net_icmp_errors : STAT_net_icmp_errors_foreign);
    if (is_ours && n->tcp_ops != NULL && n->tcp_ops->icmp_error != NULL)
        n->tcp_ops->icmp_error(n->tcp, &e);
}
