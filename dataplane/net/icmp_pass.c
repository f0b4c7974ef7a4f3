/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP errors about packets that were passed on under other addresses: whoever sent them hears of
 * it in his own (RFC 5508, section 4.2; RFC 792). What is quoted is made anew: header and the eight
 * bytes behind it, which is what he needs to find whose it was. Owner: struct net. Thread: the
 * worker.
 */
#include "net/cksum.h"
#include "net/forward.h"
#include "net/net_priv.h"

#include <string.h>

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

/* The quoted IP header at `at`. Returns its length. */
static uint32_t put_ip_header(uint8_t *at, const struct net_icmp_error *e, uint8_t proto)
{
    if (ip_addr_is_v4(&e->remote)) {
        struct wire_ip4 *ip = (void *)at;
        *ip = (struct wire_ip4){.version_ihl = 0x45,
                                .total_bytes = be16(sizeof(*ip) + sizeof(struct wire_udp)),
                                .fragment = be16(IP4_DONT_FRAGMENT),
                                .ttl = 1,
                                .proto = proto};
        memcpy(ip->src, &e->remote.bytes[12], 4);
        memcpy(ip->dst, &e->local.bytes[12], 4);
        ip->cksum = cksum_close(cksum_add(0, ip, sizeof(*ip)));
        return sizeof(*ip);
    }
    struct wire_ip6 *ip = (void *)at;
    *ip = (struct wire_ip6){.version_class_flow = be32(6u << 28),
                            .payload_bytes = be16(sizeof(struct wire_udp)),
                            .next = proto,
                            .hop_limit = 1};
    memcpy(ip->src, e->remote.bytes, 16);
    memcpy(ip->dst, e->local.bytes, 16);
    return sizeof(*ip);
}

/* Header and quote. Returns their length. */
static uint32_t put_error(uint8_t *at, const struct words *w, const struct net_icmp_error *e,
                          uint8_t proto)
{
    bool is_ip4 = ip_addr_is_v4(&e->remote);
    struct wire_icmp *icmp = (void *)at;
    *icmp = (struct wire_icmp){.type = w->type, .code = w->code};
    if (is_ip4 && e->kind == NET_ICMP_TOO_BIG)
        icmp->mtu = be16(e->mtu);
    else if (e->kind == NET_ICMP_TOO_BIG)
        icmp->mtu6 = be32(e->mtu);
    uint32_t n = sizeof(*icmp);
    n += put_ip_header(at + n, e, proto);
    struct wire_tcp_quote quote = {be16(e->remote_port), be16(e->local_port), be32(e->seq)};
    memcpy(at + n, &quote, sizeof(quote));
    return n + (uint32_t)sizeof(quote);
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
    uint8_t bytes[sizeof(struct wire_icmp) + sizeof(struct wire_ip6) + sizeof(struct wire_udp)];
    uint32_t len = put_error(bytes, &words, e, proto);
    uint32_t sum = is_ip4 ? 0 : cksum_add_pseudo(0, &e->local, &e->remote, icmp_proto, len);
    ((struct wire_icmp *)bytes)->cksum = cksum_close(cksum_add(sum, bytes, len));
    void *body;
    struct rte_mbuf *m = output_new(n, len, &body);
    if (m == NULL) {
        stat_inc(n->core, STAT_net_answer_no_mbuf);
        return;
    }
    memcpy(body, bytes, len);
    stat_inc(n->core, words.count);
    net_output(n, m, &e->local, &e->remote, icmp_proto, 0, 0);
}
