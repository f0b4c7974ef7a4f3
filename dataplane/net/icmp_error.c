/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both ICMPs share: an error quotes the packet that it is about. If that is a TCP segment or a
 * UDP datagram from an address of ours, tcp or udp's listener hears of it; whether they believe it,
 * they decide by their flows. So does l4 if what is quoted carried a packet of a client's, as far
 * as the quote reaches into that. A quote with IPv6 extension headers is not one of ours: we send
 * none.
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

/* Reads the ports, behind the addresses. False: they are of no transport that we know, or are not
 * quoted. */
static bool read_quoted_ports(const struct rte_mbuf *m, struct quote *q)
{
    struct wire_tcp_quote quote; /* of UDP the ports lie at the same place */
    if ((q->proto != IPPROTO_NUM_TCP && q->proto != IPPROTO_NUM_UDP) ||
        q->l4_at + sizeof(quote) > m->data_len)
        return false;
    memcpy(&quote, rte_pktmbuf_mtod_offset(m, const void *, q->l4_at), sizeof(quote));
    q->e->local_port = be16_host(quote.src_port);
    q->e->remote_port = be16_host(quote.dst_port);
    if (q->proto == IPPROTO_NUM_TCP)
        q->e->seq = be32_host(quote.seq);
    return true;
}

/* Reads the quoted IP header. False: there is none, or nothing of ports behind it, or it is of no
 * packet of ours. */
static bool read_own_ip(const struct net *n, const struct rte_mbuf *m, uint32_t at, struct quote *q)
{
    return at < m->data_len && read_quoted_ip(m, at, q) && net_is_local(n, &q->e->local);
}

/* Where the packet begins that the quoted one carries; 0: it carries none. */
static uint32_t carried_at(const struct rte_mbuf *m, const struct quote *q)
{
    struct wire_udp udp;
    struct wire_gue gue;
    uint32_t gue_at = q->l4_at + (uint32_t)sizeof(udp);
    if (q->proto == IPPROTO_NUM_IPIP || q->proto == IPPROTO_NUM_IP6)
        return q->l4_at;
    if (q->proto != IPPROTO_NUM_UDP || gue_at + sizeof(gue) > m->data_len)
        return 0;
    memcpy(&udp, rte_pktmbuf_mtod_offset(m, const void *, q->l4_at), sizeof(udp));
    memcpy(&gue, rte_pktmbuf_mtod_offset(m, const void *, gue_at), sizeof(gue));
    bool is_gue =
        be16_host(udp.dst_port) == UDP_PORT_GUE && gue.version_length == 0 && gue.flags.wire == 0;
    return is_gue ? gue_at + (uint32_t)sizeof(gue) : 0;
}

/* Reads the ends of the packet that the quoted one carries, as it came to us. */
static bool read_carried(const struct rte_mbuf *m, struct quote *q)
{
    uint32_t inner = carried_at(m, q);
    struct ip_addr carrier = q->e->remote;
    if (inner == 0 || inner >= m->data_len || !read_quoted_ip(m, inner, q) ||
        !read_quoted_ports(m, q))
        return false;
    struct net_icmp_error *e = q->e;
    struct ip_addr sender = e->local;
    uint16_t sender_port = e->local_port;
    e->local = e->remote;
    e->local_port = e->remote_port;
    e->remote = sender;
    e->remote_port = sender_port;
    e->carrier = carrier;
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
    if (read_own_ip(n, m, 0, &q) && read_quoted_ports(m, &q))
        hand_on(n, &q);
}

/* The same of what is carried. */
static void hand_carried_on(struct net *n, const struct quote *q)
{
    if (n->tcp_ops != NULL && n->tcp_ops->carried_error != NULL)
        n->tcp_ops->carried_error(n->tcp, q->e, q->proto);
}

/* An error of which `e` says what its message did. */
static void input(struct net *n, const struct net_packet *p, struct rte_mbuf *m, uint32_t quote,
                  struct net_icmp_error *e)
{
    e->sender = p->src;
    struct quote q = {.e = e};
    bool is_own = read_own_ip(n, m, quote, &q);
    struct net_icmp_error inner = *e;
    struct quote carried = {.e = &inner, .l4_at = q.l4_at, .proto = q.proto};
    bool is_carried = is_own && read_carried(m, &carried);
    bool is_ours = is_own && read_quoted_ports(m, &q);
    if (is_ours && punt_is_daemon(q.proto, e->local_port, e->remote_port))
        punt_copy(n, p, PUNT_icmp, m);
    net_drop(n, m, is_ours || is_carried ? STAT_net_icmp_errors : STAT_net_icmp_errors_foreign);
    if (is_ours)
        hand_on(n, &q);
    if (is_carried)
        hand_carried_on(n, &carried);
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
