/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ICMP errors that we send (RFC 792, RFC 1122 section 3.2.2, RFC 4443): about a packet to us
 * that we cannot use. Never about an ICMP error, a packet to a group, or a fragment that is not the
 * first; never more than a worker's and a destination's rate. Owner: struct net. Thread: the
 * worker. Bound: NET_ICMP_ERRORS_*.
 *
 * What the rate lets out can be seen by strangers that are not its destination: whoever counts the
 * errors that are left for him learns how many went to another (Man et al., "DNS Cache Poisoning
 * Attack Reloaded", 2020). So one in two takes a second token, by chance.
 */
#include "base/assert.h"
#include "net/cksum.h"
#include "net/ip6_ext.h"
#include "net/net_priv.h"

#include <string.h>

/* Bytes of a packet with an error: RFC 1812, section 4.3.2.3; RFC 4443, section 2.4 (c). */
#define ERROR4_BYTES 576u
#define ERROR6_BYTES 1280u

/* How each error is told; type 0: there is no such error in that family. */
static const struct {
    uint8_t type4;
    uint8_t code4;
    uint8_t type6;
    uint8_t code6;
    enum stat_id count;
} faults[] = {
    [ICMP_FAULT_PORT] = {ICMP4_UNREACHABLE, ICMP4_CODE_PORT, ICMP6_UNREACHABLE, ICMP6_CODE_PORT,
                         STAT_net_tx_icmp_unreachable},
    [ICMP_FAULT_PROTOCOL] = {ICMP4_UNREACHABLE, ICMP4_CODE_PROTOCOL, ICMP6_PARAMETER,
                             ICMP6_CODE_NEXT, STAT_net_tx_icmp_unreachable},
    [ICMP_FAULT_FIELD] = {ICMP4_PARAMETER, 0, ICMP6_PARAMETER, ICMP6_CODE_FIELD,
                          STAT_net_tx_icmp_parameter},
    [ICMP_FAULT_OPTION] = {0, 0, ICMP6_PARAMETER, ICMP6_CODE_OPTION, STAT_net_tx_icmp_parameter},
    [ICMP_FAULT_OPTION_IN_GROUP] = {0, 0, ICMP6_PARAMETER, ICMP6_CODE_OPTION,
                                    STAT_net_tx_icmp_parameter},
    [ICMP_FAULT_CHAIN] = {0, 0, ICMP6_PARAMETER, ICMP6_CODE_CHAIN, STAT_net_tx_icmp_parameter},
    [ICMP_FAULT_REASSEMBLY] = {ICMP4_TIME_EXCEEDED, ICMP4_CODE_REASSEMBLY, ICMP6_TIME_EXCEEDED,
                               ICMP6_CODE_REASSEMBLY, STAT_net_tx_icmp_time},
};

/* Is the IPv4 packet one that an error may be about? Of ICMP only what asks (RFC 1122, 3.2.2). */
static bool may_be_told4(const uint8_t *bytes, uint32_t len)
{
    const struct wire_ip4 *ip = (const void *)bytes;
    uint32_t header = (ip->version_ihl & 0xfu) * 4;
    if ((be16_host(ip->fragment) & IP4_FRAGMENT_OFFSET) != 0)
        return false;
    if (ip->proto != IPPROTO_NUM_ICMP4)
        return true;
    if (header >= len)
        return false; /* cannot be seen */
    uint8_t type = bytes[header];
    return type == ICMP4_ECHO || type == ICMP4_ECHO_REPLY || type == ICMP4_TIMESTAMP ||
           type == ICMP4_TIMESTAMP_REPLY;
}

/* The same for IPv6 (RFC 4443, section 2.4 (e)). Over options that we do not know it looks on: what
 * lies behind them may be an error. */
static bool may_be_told6(const uint8_t *bytes, uint32_t len)
{
    uint8_t proto = bytes[IP6_NEXT_AT];
    uint32_t at = sizeof(struct wire_ip6);
    for (unsigned i = 0; i < NET_IP6_EXTENSIONS_MAX && at + 8 <= len; i++) {
        if (proto != IPPROTO_NUM_HOP_BY_HOP && proto != IPPROTO_NUM_ROUTING &&
            proto != IPPROTO_NUM_DEST_OPTIONS && proto != IPPROTO_NUM_FRAGMENT)
            break;
        uint32_t bytes_here = proto == IPPROTO_NUM_FRAGMENT ? 8 : (bytes[at + 1] + 1u) * 8;
        proto = bytes[at];
        at += bytes_here;
    }
    if (proto != IPPROTO_NUM_ICMP6)
        return true;
    return at < len && bytes[at] >= ICMP6_ECHO && bytes[at] != ICMP6_REDIRECT;
}

static bool may_be_told(const struct net_packet *p, const struct rte_mbuf *m, enum icmp_fault fault)
{
    const uint8_t *bytes = rte_pktmbuf_mtod(m, const uint8_t *);
    bool is_group = p->dst.bytes[0] == 0xff || p->frame.is_multicast;
    if (ip_addr_is_zero(&p->src) || (is_group && fault != ICMP_FAULT_OPTION_IN_GROUP))
        return false;
    return ip_addr_is_v4(&p->src) ? may_be_told4(bytes, m->data_len)
                                  : may_be_told6(bytes, m->data_len);
}

/* A token of the destination's share and one, or two, of the worker's. */
bool icmp_has_tokens(struct net *n, const struct ip_addr *dst)
{
    uint64_t now_us = n->core->now_us;
    uint64_t hash = siphash(&n->core->hash_key, dst->bytes, ip_addr_is_v4(dst) ? 16 : 8);
    struct bucket *share = &n->error_shares[hash % NET_ICMP_ERROR_SHARES_MAX];
    if (!bucket_take(share, now_us, NET_ICMP_ERRORS_PER_SHARE_PER_S_MAX,
                     NET_ICMP_ERRORS_PER_SHARE_BURST_MAX))
        return false;
    if (!bucket_take(&n->errors, now_us, NET_ICMP_ERRORS_PER_S_MAX, NET_ICMP_ERRORS_BURST_MAX))
        return false;
    if ((rng_next(&n->core->rng) & 1) != 0)
        bucket_take(&n->errors, now_us, NET_ICMP_ERRORS_PER_S_MAX, NET_ICMP_ERRORS_BURST_MAX);
    return true;
}

/* Who speaks: the address that was spoken to; of a group, an address of the interface. Zero: it has
 * none that is in use. */
static struct ip_addr speaker(struct net *n, const struct net_packet *p)
{
    struct net_path path;
    if (p->dst.bytes[0] != 0xff)
        return p->dst;
    if (!ip6_is_link_local(&p->src) && net_path_find(n, &p->src, &path) &&
        !ip_addr_is_zero(&path.source))
        return path.source;
    return p->frame.iface->is_held ? (struct ip_addr){0} : p->frame.iface->link_local;
}

/* The message about `m`, without IP header. NULL: no mbuf, counted. */
static struct rte_mbuf *make_error(struct net *n, const struct net_packet *p,
                                   const struct rte_mbuf *m, enum icmp_fault fault,
                                   uint32_t pointer, const struct ip_addr *src)
{
    bool is_v4 = ip_addr_is_v4(&p->src);
    uint32_t room = is_v4 ? ERROR4_BYTES - (uint32_t)sizeof(struct wire_ip4)
                          : ERROR6_BYTES - (uint32_t)sizeof(struct wire_ip6);
    uint32_t quote = RTE_MIN(m->pkt_len, room - (uint32_t)sizeof(struct wire_icmp));
    uint32_t bytes = quote + (uint32_t)sizeof(struct wire_icmp);
    void *body;
    struct rte_mbuf *error = output_new(n, bytes, &body);
    if (error == NULL)
        return NULL;
    struct wire_icmp *icmp = body;
    *icmp = (struct wire_icmp){.type = is_v4 ? faults[fault].type4 : faults[fault].type6,
                               .code = is_v4 ? faults[fault].code4 : faults[fault].code6};
    icmp->mtu6 = be32(is_v4 ? pointer << 24 : pointer);
    const void *quoted = rte_pktmbuf_read(m, 0, quote, icmp + 1);
    ASSERT(quoted != NULL);
    if (quoted != icmp + 1)
        memcpy(icmp + 1, quoted, quote);
    uint32_t sum = is_v4 ? 0 : cksum_add_pseudo(0, src, &p->src, IPPROTO_NUM_ICMP6, bytes);
    icmp->cksum = cksum_close(cksum_add(sum, body, bytes));
    return error;
}

void icmp_tell(struct net *n, const struct net_packet *p, const struct rte_mbuf *m,
               enum icmp_fault fault, uint32_t pointer)
{
    bool is_v4 = ip_addr_is_v4(&p->src);
    ASSERT_HOT((is_v4 ? faults[fault].type4 : faults[fault].type6) != 0);
    ASSERT_HOT(m->data_len >= (is_v4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6)));
    struct ip_addr src = speaker(n, p);
    if (!may_be_told(p, m, fault) || ip_addr_is_zero(&src)) {
        stat_inc(n->core, STAT_net_icmp_withheld);
        return;
    }
    if (!icmp_has_tokens(n, &p->src)) {
        stat_inc(n->core, STAT_net_icmp_limited);
        return;
    }
    struct rte_mbuf *error = make_error(n, p, m, fault, pointer, &src);
    if (error == NULL) {
        stat_inc(n->core, STAT_net_answer_no_mbuf);
        return;
    }
    stat_inc(n->core, faults[fault].count);
    output_answer(n, p, error, &src, is_v4 ? IPPROTO_NUM_ICMP4 : IPPROTO_NUM_ICMP6);
}

void icmp_tell_and_drop(struct net *n, const struct net_packet *p, struct rte_mbuf *m,
                        enum icmp_fault fault, uint32_t pointer, enum stat_id why)
{
    /* What was taken off lies still in front. */
    void *header = rte_pktmbuf_prepend(m, p->header_bytes);
    ASSERT(header != NULL);
    icmp_tell(n, p, m, fault, pointer);
    net_drop(n, m, why);
}
