/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's packets go on as they came, within another packet to the endpoint, which has the VIP
 * on an interface of its own and answers the client itself (direct server return): in IP (RFC 2003,
 * RFC 2473) or in UDP (Generic UDP Encapsulation, draft-ietf-intarea-gue, variant 0), as Linux'
 * ipip, sit, ip6tnl and fou take them. So endpoints see who the client is, answers cost the box
 * nothing, and a box that takes a flow over needs to know nothing of it: it chooses the same
 * endpoint.
 *
 * The other packet's sender is our address; of GUE the source port tells flows apart for routers on
 * the way (RFC 6438's reason). Its TTL is ours, its DSCP and ECN the client's (RFC 6040, 4.1).
 */
#include "base/assert.h"
#include "l4/l4_priv.h"
#include "net/cksum.h"

/* What GUE puts in front of a packet. */
struct wrapping {
    struct wire_udp udp;
    struct wire_gue gue;
} __attribute__((packed));

static bool is_gue(const struct l4_flow *flow)
{
    return flow->sides[L4_CLIENT].way == IMAGE_FORWARDING_GUE;
}

static uint8_t inner_proto(const struct l4_flow *flow)
{
    return ip_addr_is_v4(&flow->sides[L4_CLIENT].in.remote) ? IPPROTO_NUM_IPIP : IPPROTO_NUM_IP6;
}

uint32_t l4_carry_bytes(const struct l4_flow *flow)
{
    bool is_ip4 = ip_addr_is_v4(&flow->sides[L4_SERVER].in.remote);
    uint32_t ip = is_ip4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
    return ip + (is_gue(flow) ? sizeof(struct wrapping) : 0);
}

/* One of the dynamic ports (RFC 6335), the same for all packets of a flow. */
static uint16_t entropy_of(const struct l4_flow *flow)
{
    const struct flow_tuple *in = &flow->sides[L4_CLIENT].in;
    uint32_t mixed = ((uint32_t)in->remote_port << 16 | in->remote.bytes[15]) * 0x9e3779b1u;
    return (uint16_t)(49152u | mixed >> 18);
}

/* Headers of GUE and of UDP in front of `m`. `is_cut`: the packet goes in pieces, so its checksum
 * is added up here; else it is net's to fill in. */
static void put_gue(const struct l4_flow *flow, struct rte_mbuf *m, bool is_cut)
{
    const struct flow_tuple *out = &flow->sides[L4_SERVER].in;
    struct wrapping *to = (void *)rte_pktmbuf_prepend(m, sizeof(*to));
    ASSERT(to != NULL); /* what was received has room for more than this in front */
    *to = (struct wrapping){.udp = {.src_port = be16(entropy_of(flow)),
                                    .dst_port = be16(UDP_PORT_GUE),
                                    .bytes = be16((uint16_t)m->pkt_len)},
                            .gue = {.proto = inner_proto(flow)}};
    if (!is_cut) {
        m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
        m->l4_len = sizeof(to->udp);
        return;
    }
    uint32_t sum = cksum_add_pseudo(0, &out->local, &out->remote, IPPROTO_NUM_UDP, m->pkt_len);
    to->udp.cksum = cksum_close(cksum_add_mbuf(sum, m, 0));
    if (to->udp.cksum.wire == 0)
        to->udp.cksum.wire = 0xffff; /* 0 would mean that there is none (RFC 768) */
}

void l4_carry(struct l4_fwd *f, struct l4_flow *flow, struct rte_mbuf *m, uint8_t tos, uint16_t mtu)
{
    const struct flow_tuple *out = &flow->sides[L4_SERVER].in;
    bool is_too_big = m->pkt_len + l4_carry_bytes(flow) > mtu;
    uint8_t proto = is_gue(flow) ? IPPROTO_NUM_UDP : inner_proto(flow);
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT; /* what the port said is over */
    if (is_gue(flow))
        put_gue(flow, m, is_too_big);
    if (is_too_big)
        net_output_pieces(f->net, m, &out->local, &out->remote, proto, tos, mtu);
    else
        net_output(f->net, m, &out->local, &out->remote, proto, tos, 0);
}
