/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both ICMPs share: an error quotes the packet that it is about. If that is a TCP segment or a
 * UDP datagram from an address of ours, tcp or udp's listener hears of it; whether they believe it,
 * they decide by their flows. A quote with IPv6 extension headers is not one of ours: we send none.
 * Owner: struct net. Thread: the worker. Station: after icmp4 and icmp6.
 */
#include "base/assert.h"
#include "net/net_priv.h"
#include "net/udp.h"

#include <string.h>

/* Less is no MTU at all (RFC 791, section 3.2). */
#define MTU_MIN 68u

/* What the quote is about. */
struct quote {
    struct net_icmp_error *e;
    uint32_t l4_at; /* where the quoted TCP or UDP header begins */
    uint8_t proto;
};

/* Reads addresses out of the quoted IP header at `at` < data_len. False: there is none, or nothing
 * of ports behind it. */
static bool read_quoted_ip(const struct rte_mbuf *m, uint32_t at, struct quote *q)
{
    const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, at);
    uint32_t left = m->data_len - at;
    if (left >= sizeof(struct wire_ip4) && p[0] >> 4 == 4) {
        const struct wire_ip4 *ip = (const void *)p;
        q->e->local = ip_addr_from_v4(ip->src);
        q->e->remote = ip_addr_from_v4(ip->dst);
        q->proto = ip->proto;
        q->l4_at = at + (p[0] & 0xfu) * 4;
        return (be16_host(ip->fragment) & IP4_FRAGMENT_OFFSET) == 0;
    }
    if (left >= sizeof(struct wire_ip6) && p[0] >> 4 == 6) {
        const struct wire_ip6 *ip = (const void *)p;
        q->e->local = ip_addr_from_v6(ip->src);
        q->e->remote = ip_addr_from_v6(ip->dst);
        q->proto = ip->next;
        q->l4_at = at + (uint32_t)sizeof(*ip);
        return true;
    }
    return false;
}

static bool read_quote(const struct net *n, const struct rte_mbuf *m, uint32_t at, struct quote *q)
{
    if (at >= m->data_len || !read_quoted_ip(m, at, q))
        return false;
    struct wire_tcp_quote quote; /* of UDP the ports lie at the same place */
    if ((q->proto != IPPROTO_NUM_TCP && q->proto != IPPROTO_NUM_UDP) ||
        q->l4_at + sizeof(quote) > m->data_len || !net_is_local(n, &q->e->local))
        return false;
    memcpy(&quote, rte_pktmbuf_mtod_offset(m, const void *, q->l4_at), sizeof(quote));
    q->e->local_port = be16_host(quote.src_port);
    q->e->remote_port = be16_host(quote.dst_port);
    if (q->proto == IPPROTO_NUM_TCP)
        q->e->seq = be32_host(quote.seq);
    return true;
}

/* To whom it may concern. */
static void hand_on(struct net *n, const struct quote *q)
{
    if (q->proto == IPPROTO_NUM_TCP && n->tcp_ops != NULL && n->tcp_ops->icmp_error != NULL)
        n->tcp_ops->icmp_error(n->tcp, q->e);
    if (q->proto == IPPROTO_NUM_UDP && n->udp_ops != NULL && n->udp_ops->icmp_error != NULL)
        n->udp_ops->icmp_error(n->udp, q->e);
}

void icmp_error_own(struct net *n, const struct rte_mbuf *m)
{
    struct net_icmp_error e = {.kind = NET_ICMP_UNREACHABLE};
    struct quote q = {.e = &e};
    if (read_quote(n, m, 0, &q))
        hand_on(n, &q);
}

/* An error of which `e` says what its message did. */
static void input(struct net *n, const struct net_packet *p, struct rte_mbuf *m, uint32_t quote,
                  struct net_icmp_error *e)
{
    struct quote q = {.e = e};
    e->sender = p->src;
    bool is_ours = read_quote(n, m, quote, &q);
    if (is_ours && punt_is_daemon(q.proto, e->local_port, e->remote_port))
        punt_copy(n, p, PUNT_icmp, m);
    net_drop(n, m, is_ours ? STAT_net_icmp_errors : STAT_net_icmp_errors_foreign);
    if (is_ours)
        hand_on(n, &q);
}

void icmp_error_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m, uint32_t quote,
                      enum net_icmp_kind kind, uint32_t mtu)
{
    ASSERT_HOT(kind == NET_ICMP_TOO_BIG || mtu == 0);
    struct net_icmp_error e = {.kind = kind};
    if (mtu >= MTU_MIN)
        e.mtu = mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)mtu;
    input(n, p, m, quote, &e);
}

void icmp_unreachable_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m,
                            uint32_t quote, bool is_port)
{
    struct net_icmp_error e = {.kind = NET_ICMP_UNREACHABLE, .is_port = is_port};
    input(n, p, m, quote, &e);
}
