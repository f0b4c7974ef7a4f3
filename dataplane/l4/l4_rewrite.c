/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers of a packet that goes on under other addresses and ports. Transport checksums are
 * updated, not computed (RFC 1624, equation 3), so what was damaged before us stays damaged and the
 * end that it is for sees it. Both families, and from one to the other: lengths and protocols of
 * the pseudo headers are the same, only addresses differ (RFC 7915, section 4.5).
 *
 * Pure; thread: the worker's.
 */
#include "base/assert.h"
#include "l4/l4_priv.h"
#include "net/cksum.h"

#include <string.h>

/* What both ends add to a checksum, in the pseudo header and in ports. */
static uint32_t add_ends(const struct flow_tuple *ends)
{
    be16_t ports[2] = {be16(ends->local_port), be16(ends->remote_port)};
    return cksum_add(cksum_add_pseudo(0, &ends->local, &ends->remote, 0, 0), ports, sizeof(ports));
}

uint16_t l4_cksum_delta(const struct flow_tuple *from, const struct flow_tuple *to)
{
    return (uint16_t)cksum_fold((uint64_t)add_ends(to) + (uint16_t)~add_ends(from));
}

/* The whole checksum, where there was none to update. */
static void compute(struct rte_mbuf *m, be16_t *field, const struct flow_tuple *out, uint8_t proto)
{
    uint32_t sum = cksum_add_pseudo(0, &out->local, &out->remote, proto, m->pkt_len);
    *field = (be16_t){0};
    *field = cksum_close(cksum_add_mbuf(sum, m, 0));
}

/* Ports and checksum of the transport header that `m` begins with. */
void l4_rewrite_upper(const struct l4_flow *flow, enum l4_side_index from, struct rte_mbuf *m)
{
    const struct flow_tuple *out = &flow->sides[!from].in;
    bool is_udp = l4_proto_of(flow) == IPPROTO_NUM_UDP;
    uint8_t *upper = rte_pktmbuf_mtod(m, uint8_t *);
    be16_t *field = (void *)(upper + (is_udp ? offsetof(struct wire_udp, cksum)
                                             : offsetof(struct tcp_wire, cksum)));
    bool has_none = is_udp && field->wire == 0;
    bool is_virtual = (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;
    be16_t ports[2] = {be16(out->local_port), be16(out->remote_port)};
    memcpy(upper, ports, sizeof(ports));
    l4_rewrite_cksum(upper, flow->lanes[from].cksum_delta, is_udp);
    if (has_none ? ip_addr_is_v4(&out->remote) : !is_virtual)
        return;
    compute(m, field, out, l4_proto_of(flow));
    if (is_udp && field->wire == 0)
        field->wire = 0xffff;
}

/* What of an IP header goes on. */
struct kept {
    uint8_t tos;
    uint8_t hop_limit;
    be16_t id;
    be16_t fragment; /* the DF bit */
    uint32_t upper_bytes;
};

static void put_ip4(uint8_t *at, const struct kept *k, const struct flow_tuple *out, uint8_t proto)
{
    struct wire_ip4 *ip = (void *)at;
    *ip = (struct wire_ip4){.version_ihl = 0x45,
                            .tos = k->tos,
                            .total_bytes = be16((uint16_t)(k->upper_bytes + sizeof(*ip))),
                            .id = k->id,
                            .fragment = k->fragment,
                            .ttl = k->hop_limit,
                            .proto = proto};
    memcpy(ip->src, &out->local.bytes[12], 4);
    memcpy(ip->dst, &out->remote.bytes[12], 4);
    ip->cksum = cksum_close(cksum_ip4_header(ip));
}

static void put_ip6(uint8_t *at, const struct kept *k, const struct flow_tuple *out, uint8_t proto)
{
    struct wire_ip6 *ip = (void *)at;
    *ip = (struct wire_ip6){.version_class_flow = be32(6u << 28 | (uint32_t)k->tos << 20),
                            .payload_bytes = be16((uint16_t)k->upper_bytes),
                            .next = proto,
                            .hop_limit = k->hop_limit};
    memcpy(ip->src, out->local.bytes, 16);
    memcpy(ip->dst, out->remote.bytes, 16);
}

static struct kept keep_of_ip4(const struct wire_ip4 *ip)
{
    return (struct kept){.tos = ip->tos,
                         .hop_limit = ip->ttl,
                         .id = ip->id,
                         .fragment = be16(be16_host(ip->fragment) & IP4_DONT_FRAGMENT),
                         .upper_bytes = be16_host(ip->total_bytes) - (uint32_t)sizeof(*ip)};
}

static struct kept keep_of_ip6(const struct wire_ip6 *ip)
{
    return (struct kept){.tos = l4_tos_of(ip, false),
                         .hop_limit = ip->hop_limit,
                         .fragment = be16(IP4_DONT_FRAGMENT), /* routers do not cut IPv6 */
                         .upper_bytes = be16_host(ip->payload_bytes)};
}

bool l4_take_hop(struct rte_mbuf *m, bool is_ip4)
{
    struct wire_ip4 *ip = rte_pktmbuf_mtod(m, struct wire_ip4 *);
    uint8_t *hops = is_ip4 ? &ip->ttl : &rte_pktmbuf_mtod(m, struct wire_ip6 *)->hop_limit;
    if (*hops <= 1)
        return false;
    --*hops;
    if (!is_ip4)
        return true;
    ip->cksum = (be16_t){0};
    ip->cksum = cksum_close(cksum_ip4_header(ip));
    return true;
}

void l4_put_client_header(const struct l4_flow *flow, struct rte_mbuf *m, uint8_t tos)
{
    const struct flow_tuple *in = &flow->sides[L4_CLIENT].in;
    struct flow_tuple ends = {in->remote, in->local, in->remote_port, in->local_port};
    struct kept k = {.tos = tos, .hop_limit = NET_HOP_LIMIT, .upper_bytes = m->pkt_len};
    bool is_ip4 = ip_addr_is_v4(&in->remote);
    uint16_t header = is_ip4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
    uint8_t *to = (void *)rte_pktmbuf_prepend(m, header);
    ASSERT(to != NULL); /* where it was taken off */
    if (is_ip4)
        put_ip4(to, &k, &ends, l4_proto_of(flow));
    else
        put_ip6(to, &k, &ends, l4_proto_of(flow));
}

enum stat_id l4_rewrite(const struct l4_flow *flow, enum l4_side_index from, struct rte_mbuf *m,
                        const struct plain *at)
{
    const struct flow_tuple *out = &flow->sides[!from].in;
    bool is_ip4 = ip_addr_is_v4(&out->remote);
    const void *ip = rte_pktmbuf_mtod(m, const void *);
    struct kept k = at->is_ip4 ? keep_of_ip4(ip) : keep_of_ip6(ip);
    ASSERT_HOT(k.hop_limit > 1);
    k.hop_limit--;
    rte_pktmbuf_adj(m, (uint16_t)(at->l4_at - at->l3_at));
    l4_rewrite_upper(flow, from, m);
    uint16_t header = is_ip4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
    uint8_t *to = (void *)rte_pktmbuf_prepend(m, header);
    if (to == NULL)
        return STAT_net_drop_tx_headroom;
    if (is_ip4)
        put_ip4(to, &k, out, l4_proto_of(flow));
    else
        put_ip6(to, &k, out, l4_proto_of(flow));
    return STAT_COUNT;
}
