/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP errors about packets that were passed on under other addresses: whoever sent them hears of
 * it in his own (RFC 5508, section 4.2; RFC 792). What is quoted is made anew: header and the eight
 * bytes behind it, which is what he needs to find whose it was. Owner: struct net. Thread: the
 * worker.
 */
#include "base/assert.h"
#include "net/cksum.h"
#include "net/forward.h"
#include "net/net_priv.h"

/* How it is told in a family. */
struct words {
    uint8_t type;
    uint8_t code;
    enum stat_id count;
};

/* False: it is not told. */
static bool find_words(const struct net_icmp_error *e, bool is_ip4, struct words *ret)
{
    switch (e->kind) {
    case NET_ICMP_TOO_BIG:
        *ret = is_ip4 ? (struct words){ICMP4_UNREACHABLE, ICMP4_CODE_FRAGMENTATION_NEEDED,
                                       STAT_net_tx_icmp_too_big}
                      : (struct words){ICMP6_TOO_BIG, 0, STAT_net_tx_icmp_too_big};
        return true;
    case NET_ICMP_UNREACHABLE:
        if (is_ip4)
            *ret = (struct words){ICMP4_UNREACHABLE, e->is_port ? ICMP4_CODE_PORT : ICMP4_CODE_HOST,
                                  STAT_net_tx_icmp_unreachable};
        else
            *ret =
                (struct words){ICMP6_UNREACHABLE, e->is_port ? ICMP6_CODE_PORT : ICMP6_CODE_ADDRESS,
                               STAT_net_tx_icmp_unreachable};
        return true;
    case NET_ICMP_TIME:
        *ret = (struct words){is_ip4 ? ICMP4_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED, 0,
                              STAT_net_tx_icmp_time};
        return true;
    default:
        return false;
    }
}

/* The packet as far as it is quoted: its header, ports and sequence number. NULL: no mbuf. */
static struct rte_mbuf *make_quote(struct net *n, const struct net_icmp_error *e, uint8_t proto)
{
    void *body;
    struct rte_mbuf *m = output_new(n, sizeof(struct wire_tcp_quote), &body);
    if (m == NULL)
        return NULL;
    *(struct wire_tcp_quote *)body =
        (struct wire_tcp_quote){be16(e->remote_port), be16(e->local_port), be32(e->seq)};
    struct output_header h = {.src = &e->remote, .dst = &e->local, .proto = proto, .hop_limit = 1};
    bool has_room = output_ip_header(m, &h);
    ASSERT(has_room); /* NET_HEADER_BYTES, and again as much for net_output() */
    return m;
}

/* The message's header in front of its quote. */
static void put_icmp(struct rte_mbuf *m, const struct words *w, const struct net_icmp_error *e,
                     uint8_t icmp_proto)
{
    bool is_ip4 = ip_addr_is_v4(&e->remote);
    struct wire_icmp *icmp = (void *)rte_pktmbuf_prepend(m, sizeof(*icmp));
    ASSERT(icmp != NULL);
    *icmp = (struct wire_icmp){.type = w->type, .code = w->code};
    if (is_ip4 && e->kind == NET_ICMP_TOO_BIG)
        icmp->mtu = be16(e->mtu);
    else if (e->kind == NET_ICMP_TOO_BIG)
        icmp->mtu6 = be32(e->mtu);
    uint32_t sum = is_ip4 ? 0 : cksum_add_pseudo(0, &e->local, &e->remote, icmp_proto, m->pkt_len);
    icmp->cksum = cksum_close(cksum_add_mbuf(sum, m, 0));
}

void net_icmp_error_output(struct net *n, const struct net_icmp_error *e, uint8_t proto)
{
    bool is_ip4 = ip_addr_is_v4(&e->remote);
    uint8_t icmp_proto = is_ip4 ? IPPROTO_NUM_ICMP4 : IPPROTO_NUM_ICMP6;
    struct words words;
    if (!find_words(e, is_ip4, &words)) {
        stat_inc(n->core, STAT_net_icmp_withheld);
        return;
    }
    if (!icmp_has_tokens(n, &e->remote)) {
        stat_inc(n->core, STAT_net_icmp_limited);
        return;
    }
    struct rte_mbuf *m = make_quote(n, e, proto);
    if (m == NULL) {
        stat_inc(n->core, STAT_net_answer_no_mbuf);
        return;
    }
    put_icmp(m, &words, e, icmp_proto);
    stat_inc(n->core, words.count);
    net_output(n, m, &e->local, &e->remote, icmp_proto, 0, 0);
}
