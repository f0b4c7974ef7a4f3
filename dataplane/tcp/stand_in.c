/* SPDX-License-Identifier: Apache-2.0 */
/* Cookies in the place of endpoints whose connections are forwarded. See stand_in.h. */
#include "tcp/stand_in.h"

#include "net/cksum.h"
#include "net/net.h"
#include "tcp/tcp_priv.h"
#include "tcp/wire.h"

#include <netinet/in.h>
#include <rte_mbuf.h>

/* A SYN with its header read. */
static void answer(struct tcp *t, const struct tcp_segment *seg, const struct tcp_stand_in *as)
{
    struct net_path path;
    enum stat_id refusal = tcp_refuses_peer(t, &seg->tuple.remote, &path);
    if (refusal != STAT_COUNT) {
        stat_inc(t->core, refusal);
        return;
    }
    bool is_v4 = ip_addr_is_v4(&seg->tuple.remote);
    tcp_cookie_send(t, seg,
                    &(struct tcp_cookie_offer){
                        .mss = tcp_mss_of_mtu(path.mtu < as->mtu ? path.mtu : as->mtu, is_v4),
                        .wscale = as->wscale,
                    });
}

void tcp_cookie_answer(struct tcp *t, struct rte_mbuf *m, const struct ip_addr *src,
                       const struct ip_addr *dst, const struct tcp_stand_in *as)
{
    struct tcp_segment seg = {.m = m};
    if (tcp_parse(t, &seg, src, dst))
        answer(t, &seg, as);
    rte_pktmbuf_free(m);
}

bool tcp_may_be_cookie(const struct tcp *t, uint8_t flags)
{
    return (flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_ACK && tcp_expects_cookies(t);
}

/* The length of its header, which lies in the first mbuf; 0: it does not. */
static unsigned header_bytes(const struct rte_mbuf *m)
{
    const struct tcp_wire *h = rte_pktmbuf_mtod(m, const struct tcp_wire *);
    unsigned bytes = m->data_len < sizeof(*h) ? 0 : (unsigned)(h->offset >> 4) * 4;
    return bytes < sizeof(*h) || bytes > m->data_len ? 0 : bytes;
}

/* Is it one, if the peer's first number was that? */
static bool is_cookie(struct tcp *t, const struct flow_tuple *tuple, const uint32_t *echo,
                      struct tcp_proof *p)
{
    return tcp_cookie_read(&t->cookies, tuple, p->peer_iss, p->number, echo, t->core->now_us,
                           &p->terms) == TCP_COOKIE_GOOD;
}

bool tcp_cookie_find(struct tcp *t, const struct rte_mbuf *m, const struct ip_addr *src,
                     const struct ip_addr *dst, struct tcp_proof *ret)
{
    struct tcp_options o;
    unsigned bytes = header_bytes(m);
    const struct tcp_wire *h = rte_pktmbuf_mtod(m, const struct tcp_wire *);
    if (bytes == 0 || !tcp_may_be_cookie(t, h->flags) ||
        !tcp_options_parse((const uint8_t *)(h + 1), bytes - (unsigned)sizeof(*h), &o))
        return false;
    struct flow_tuple tuple = {*dst, *src, be16_host(h->dst_port), be16_host(h->src_port)};
    const uint32_t *echo = o.has_timestamps ? &o.ts_echo : NULL;
    struct tcp_proof p = {.peer_iss = {be32_host(h->seq) - 1},
                          .number = {be32_host(h->ack) - 1},
                          .ts_value = o.ts_value,
                          .ts_echo = o.ts_echo,
                          .window = be16_host(h->window)};
    if (!is_cookie(t, &tuple, echo, &p)) {
        p.peer_iss = seq_add(p.peer_iss, 1); /* a probe has the number before the next */
        if (m->pkt_len > bytes || !is_cookie(t, &tuple, echo, &p))
            return false;
    }
    if (!cksum_l4_is_good(m, src, dst, IPPROTO_TCP))
        return false;
    *ret = p;
    return true;
}
