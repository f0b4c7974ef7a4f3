/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shortcut that nearly every packet takes: IPv4 at both sides, NAT, an open flow whose way is
 * known and whose numbers stay, and nothing unusual about the frame. All of that about the flow is
 * judged when it changes and kept in the lane, with the ends as headers have them and what their
 * checksums gain. Headers are changed where they lie. Whatever is not so goes the long way
 * (l4_send.c), which gives the same bytes. Owner: struct l4_fwd. Thread: the worker.
 */
#include "base/cksum.h"
#include "l4/l4_priv.h"

#include <string.h>

static_assert(offsetof(struct wire_ip4, dst) == offsetof(struct wire_ip4, src) + 4, "one word");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "whose lower half is the source");

/* Of a segment that says nothing about the connection's beginning or end none of these is set. */
#define TCP_FLAGS_OF_NOTE (TCP_FIN | TCP_SYN | TCP_RST)

/* Source and destination, as a header of IPv4 has them, of packets from `src` to `dst`. */
static uint64_t addresses_of(const struct ip_addr *src, const struct ip_addr *dst)
{
    uint32_t halves[2];
    uint64_t both;
    memcpy(&halves[0], &src->bytes[12], 4);
    memcpy(&halves[1], &dst->bytes[12], 4);
    memcpy(&both, halves, sizeof(both));
    return both;
}

static uint32_t ports_of(uint16_t src, uint16_t dst)
{
    be16_t halves[2] = {be16(src), be16(dst)};
    uint32_t both;
    memcpy(&both, halves, sizeof(both));
    return both;
}

void l4_fast_set(struct l4_flow *flow, enum l4_side_index from)
{
    struct l4_lane *lane = &flow->lanes[from];
    const struct flow_tuple *in = &flow->sides[from].in, *out = &flow->sides[!from].in;
    bool is_usual = l4_state_of(flow) == L4_OPEN && !l4_is_carried(flow) && !l4_is_spliced(flow) &&
                    lane->has_hop && ip_addr_is_v4(&in->remote) && ip_addr_is_v4(&out->remote);
    lane->usual_max = is_usual ? net_hop_plain_mtu(flow->fwd->net, &lane->hop) : 0;
    if (lane->usual_max == 0)
        return;
    lane->in_addresses = addresses_of(&in->remote, &in->local);
    lane->out_addresses = addresses_of(&out->local, &out->remote);
    lane->in_ports = ports_of(in->remote_port, in->local_port);
    lane->out_ports = ports_of(out->local_port, out->remote_port);
    uint64_t lost = ~lane->in_addresses; /* RFC 1624, equation 3 */
    lane->ip_delta = (uint16_t)cksum_fold(
        (lost & UINT32_MAX) + (lost >> 32) + (lane->out_addresses & UINT32_MAX) +
        (lane->out_addresses >> 32) + (uint16_t)~be16(0x0100).wire); /* a hop */
}

/* Is the frame of the lane, and are both of the usual kind? */
static bool is_usual(const struct l4_fwd *f, const struct l4_lane *lane, const struct rte_mbuf *m,
                     const struct plain *at)
{
    const struct wire_ip4 *ip = (const void *)at->l3;
    uint64_t addresses;
    uint32_t ports;
    memcpy(&addresses, ip->src, sizeof(addresses));
    memcpy(&ports, at->l4, sizeof(ports));
    bool is_its = lane->in_addresses == addresses && lane->in_ports == ports &&
                  lane->proto == at->proto && at->packet_bytes <= lane->usual_max;
    bool is_frame = at->is_ip4 && at->l3_at == sizeof(struct wire_eth) && m->nb_segs == 1 &&
                    ip->ttl > 1 && (be16_host(ip->fragment) & ~IP4_DONT_FRAGMENT) == 0 &&
                    (l4_flags_of(m, at) & TCP_FLAGS_OF_NOTE) == 0;
    uint64_t cksum = m->ol_flags & (RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_VLAN_STRIPPED);
    return is_its && l4_lane_is_usual(f, lane) && is_frame &&
           cksum != RTE_MBUF_F_RX_L4_CKSUM_NONE && (cksum & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0;
}

/* Other addresses and one hop less. */
static void rewrite_ip(struct wire_ip4 *ip, const struct l4_lane *lane)
{
    memcpy(ip->src, &lane->out_addresses, sizeof(lane->out_addresses));
    ip->ttl--;
    ip->cksum = l4_cksum_update(ip->cksum, lane->ip_delta);
}

bool l4_fast(struct l4_fwd *f, struct l4_lane *lane, struct rte_mbuf *m, const struct plain *at)
{
    if (__builtin_expect(!is_usual(f, lane, m, at), 0))
        return false;
    uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
    rewrite_ip((void *)(frame + at->l3_at), lane);
    memcpy(frame + at->l4_at, &lane->out_ports, sizeof(lane->out_ports));
    l4_rewrite_cksum(frame + at->l4_at, lane->cksum_delta, at->proto == IPPROTO_NUM_UDP);
    m->data_len = (uint16_t)(sizeof(struct wire_eth) + at->packet_bytes);
    m->pkt_len = m->data_len; /* padding stays behind */
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
    lane->seen_ms = f->now_ms;
    lane->counted += L4_COUNTED_PACKET + at->packet_bytes;
    net_hop_output_frame(f->net, &lane->hop, m);
    return true;
}
