/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of flows go on. The way to either end is kept in the flow and asked for again every
 * NET_HOP_MS, and when net says that ways have changed. Owner: struct l4_fwd. Thread: the worker.
 */
#include "base/assert.h"
#include "l4/l4_priv.h"

#include <string.h>

#define IP6_MTU_MIN 1280u /* every link takes so much (RFC 8200, section 5) */

/* Is the way known and fresh? */
static bool has_hop(struct l4_fwd *f, const struct l4_lane *lane)
{
    return lane->has_hop && lane->hop_version == net_hops_version(f->net) &&
           (int32_t)(lane->hop_until_ms - f->now_ms) > 0;
}

/* Asks for it, which there may not be, or the neighbour has to be asked first. That is when what
 * moved meanwhile is given away, too: nothing is done for that with each packet. */
static void find_hop(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index from)
{
    struct l4_lane *lane = &flow->lanes[from];
    l4_count_give(flow);
    l4_flow_wake(flow);
    lane->hop_version = net_hops_version(f->net);
    lane->hop_until_ms = f->now_ms + NET_HOP_MS;
    lane->has_hop = net_hop_find(f->net, &flow->sides[!from].in.remote, &lane->hop);
    l4_fast_set(flow, from);
}

bool l4_is_still_ours(const struct l4_fwd *f, const struct l4_flow *flow)
{
    return net_is_local(f->net, &flow->sides[L4_CLIENT].in.local) &&
           net_is_local(f->net, &flow->sides[L4_SERVER].in.local);
}

/* An address of ours is gone, and with it the flow and its packet. */
static void drop_gone(struct l4_fwd *f, struct l4_flow *flow, struct rte_mbuf *m)
{
    l4_flow_end(flow, STAT_l4_end_gone);
    l4_drop(f, m, STAT_l4_drop_no_way);
}

/* The longest packet on the way from a side, as far as it is ours. */
static uint16_t mtu_from(struct l4_fwd *f, const struct l4_flow *flow, enum l4_side_index from)
{
    const struct l4_lane *lane = &flow->lanes[from];
    struct net_path path;
    if (lane->has_hop)
        return net_hop_mtu(f->net, lane->hop.interface);
    return net_path_find(f->net, &flow->sides[!from].in.remote, &path) ? path.mtu : UINT16_MAX;
}

/* The same, where a router may have told of a narrower way to the endpoint. */
static uint16_t mtu_of(struct l4_fwd *f, const struct l4_flow *flow, enum l4_side_index from)
{
    uint16_t mtu = mtu_from(f, flow, from);
    bool is_narrower = l4_is_carried(flow) && flow->carry_mtu != 0 && flow->carry_mtu < mtu;
    return is_narrower ? flow->carry_mtu : mtu;
}

/* The header of IP at that side. */
static uint32_t header_bytes(const struct l4_side *s)
{
    return l4_ip_header_bytes(&s->in.remote);
}

/* What to tell of a way that takes `mtu` where its sender's packets are shorter by the difference
 * of headers. A router may not say how much it takes, or lie: never less than each link carries. */
static uint16_t mtu_told(uint16_t mtu, uint32_t there, uint32_t here)
{
    uint32_t least = here == sizeof(struct wire_ip4) ? 68 : IP6_MTU_MIN; /* RFC 791 */
    uint32_t told = mtu + here > there ? mtu + here - there : 0;
    return (uint16_t)(told < least ? least : told);
}

void l4_tell(struct l4_fwd *f, const struct flow_tuple *ends, uint8_t proto,
             struct net_icmp_error what)
{
    what.local = ends->local;
    what.remote = ends->remote;
    what.local_port = ends->local_port;
    what.remote_port = ends->remote_port;
    net_icmp_error_output(f->net, &what, proto);
}

void l4_tell_too_big(struct l4_fwd *f, const struct l4_flow *flow, enum l4_side_index from,
                     uint16_t mtu, uint32_t seq)
{
    const struct l4_side *s = &flow->sides[from];
    uint32_t here = header_bytes(s);
    uint32_t there =
        l4_is_carried(flow) ? l4_carry_bytes(flow) + here : header_bytes(&flow->sides[!from]);
    l4_tell(f, &s->in, l4_proto_of(flow),
            (struct net_icmp_error){.kind = NET_ICMP_TOO_BIG,
                                    .mtu = mtu_told(mtu, there, here),
                                    .seq = l4_splice_seq(flow, from, seq)});
}

/* The sequence number; of a datagram 0. */
static uint32_t seq_of(const struct rte_mbuf *m, const struct plain *at)
{
    be32_t word;
    memcpy(&word, rte_pktmbuf_mtod_offset(m, const uint8_t *, at->l4_at + 4), sizeof(word));
    return at->proto == IPPROTO_NUM_TCP ? be32_host(word) : 0;
}

/* Counts a packet that came in, and its bytes. */
static void note(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index from, uint32_t bytes,
                 uint8_t tcp_flags)
{
    flow->lanes[from].counted += L4_COUNTED_PACKET + bytes;
    stat_add(f->core, from == L4_CLIENT ? STAT_l4_bytes_up : STAT_l4_bytes_down, bytes);
    l4_flow_note(f, flow, from, tcp_flags);
}

/* It has its new headers, from IP on. */
static void send(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index from,
                 struct rte_mbuf *m)
{
    const struct l4_lane *lane = &flow->lanes[from];
    const struct ip_addr *to = &flow->sides[!from].in.remote;
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT; /* what the port said is over */
    stat_inc(f->core, STAT_l4_tx);
    if (lane->has_hop)
        net_hop_output(f->net, &lane->hop, ip_addr_is_v4(to), m);
    else
        net_forward(f->net, to, m);
}

/* May the packet be cut to fit? What was cut before may; else of IPv6 only the packet around it,
 * and only where its sender cannot be told to send less (RFC 2473, section 7.1 (b)). */
static bool may_be_cut(const struct rte_mbuf *m, const struct plain *at, bool is_carried)
{
    const struct wire_ip4 *ip = (const void *)at->l3;
    if ((m->ol_flags & NET_MBUF_JOINED) != 0)
        return true;
    if (!at->is_ip4)
        return is_carried && at->packet_bytes <= IP6_MTU_MIN;
    return (be16_host(ip->fragment) & IP4_DONT_FRAGMENT) == 0;
}

/* A segment of a spliced flow gets the other side's numbers. The endpoint could not tell the client
 * what it takes, so we do. False: it goes no further, which is counted. */
static bool splice(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index from,
                   struct rte_mbuf *m, const struct plain *at)
{
    uint32_t bytes = at->packet_bytes - (uint32_t)(at->l4_at - at->l3_at);
    uint32_t bytes_max = flow->splice.mss + (uint32_t)sizeof(struct tcp_wire);
    if (from == L4_CLIENT && bytes > bytes_max && !may_be_cut(m, at, false)) {
        uint16_t mtu = (uint16_t)(bytes_max + header_bytes(&flow->sides[L4_SERVER]));
        l4_tell_too_big(f, flow, from, mtu, seq_of(m, at));
        l4_drop(f, m, STAT_l4_drop_too_big);
        return false;
    }
    if (l4_splice_shift(flow, from, m, at->l4_at))
        return true;
    l4_drop(f, m, STAT_l4_drop_header);
    return false;
}

/* The client's packet goes on as it came. */
static void carry(struct l4_fwd *f, struct l4_flow *flow, struct rte_mbuf *m,
                  const struct plain *at, uint16_t mtu)
{
    uint8_t flags = l4_flags_of(m, at);
    net_plain_strip(m, at);
    uint8_t tos = l4_tos_of(rte_pktmbuf_mtod(m, const void *), at->is_ip4);
    bool has_hop_left = l4_take_hop(m, at->is_ip4);
    ASSERT(has_hop_left);
    note(f, flow, L4_CLIENT, at->packet_bytes, flags);
    stat_inc(f->core, STAT_l4_tx);
    l4_carry(f, flow, m, tos, mtu);
}

/* The packet goes on in a header of IP that is made anew, and in pieces if it has to. */
static void send_anew(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index from,
                      struct rte_mbuf *m, const struct plain *at, uint16_t mtu)
{
    const struct flow_tuple *out = &flow->sides[!from].in;
    uint8_t proto = l4_proto_of(flow), flags = l4_flags_of(m, at);
    uint8_t tos = l4_tos_of(at->l3, at->is_ip4);
    net_plain_strip(m, at);
    rte_pktmbuf_adj(m, (uint16_t)(at->l4_at - at->l3_at));
    note(f, flow, from, m->pkt_len + header_bytes(&flow->sides[from]), flags);
    stat_inc(f->core, STAT_l4_tx);
    if (l4_is_carried(flow)) {
        l4_put_client_header(flow, m, tos);
        l4_carry(f, flow, m, tos, mtu);
        return;
    }
    l4_rewrite_upper(flow, from, m);
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
    if (m->pkt_len + header_bytes(&flow->sides[!from]) > mtu)
        net_output_pieces(f->net, m, &out->local, &out->remote, proto, tos, mtu);
    else
        net_output(f->net, m, &out->local, &out->remote, proto, tos, 0);
}

/* The packet goes on in its own header. */
static void send_changed(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index from,
                         struct rte_mbuf *m, const struct plain *at)
{
    uint8_t flags = l4_flags_of(m, at);
    net_plain_strip(m, at);
    enum stat_id fault = l4_rewrite(flow, from, m, at);
    if (fault != STAT_COUNT) {
        l4_drop(f, m, fault);
        return;
    }
    note(f, flow, from, at->packet_bytes, flags);
    send(f, flow, from, m);
}

/* Its sender hears that it may go no further (RFC 792, RFC 4443). */
static void drop_spent(struct l4_fwd *f, const struct l4_flow *flow, enum l4_side_index from,
                       struct rte_mbuf *m, const struct plain *at)
{
    l4_tell(f, &flow->sides[from].in, at->proto,
            (struct net_icmp_error){.kind = NET_ICMP_TIME, .seq = seq_of(m, at)});
    l4_drop(f, m, STAT_l4_drop_hop_limit);
}

static bool has_hop_left(const struct plain *at)
{
    const struct wire_ip4 *ip4 = (const void *)at->l3;
    const struct wire_ip6 *ip6 = (const void *)at->l3;
    return (at->is_ip4 ? ip4->ttl : ip6->hop_limit) > 1;
}

/* `is_odd`: its header of IP cannot go on as it is. */
static void forward(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index from,
                    struct rte_mbuf *m, const struct plain *at, bool is_odd)
{
    const struct l4_side *to = &flow->sides[!from];
    if (__builtin_expect(!has_hop(f, &flow->lanes[from]), 0)) {
        if (!l4_is_still_ours(f, flow)) {
            drop_gone(f, flow, m);
            return;
        }
        find_hop(f, flow, from);
    }
    if (__builtin_expect(!has_hop_left(at), 0)) {
        drop_spent(f, flow, from, m, at);
        return;
    }
    if (__builtin_expect((flow->sides[from].flags & L4_F_SPLICED) != 0, 0) &&
        !splice(f, flow, from, m, at))
        return;
    bool is_carried = l4_is_carried(flow);
    uint32_t more =
        is_carried ? l4_carry_bytes(flow) : header_bytes(to) - (uint32_t)(at->l4_at - at->l3_at);
    uint16_t mtu = mtu_of(f, flow, from);
    bool is_too_big = at->packet_bytes + more > mtu;
    if (__builtin_expect(is_too_big && !may_be_cut(m, at, is_carried), 0)) {
        l4_tell_too_big(f, flow, from, mtu, seq_of(m, at));
        l4_drop(f, m, STAT_l4_drop_too_big);
        return;
    }
    if (__builtin_expect(is_too_big || is_odd, 0))
        send_anew(f, flow, from, m, at, mtu);
    else if (__builtin_expect(is_carried, 0))
        carry(f, flow, m, at, mtu);
    else
        send_changed(f, flow, from, m, at);
}

void l4_forward(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index from, struct rte_mbuf *m,
                const struct plain *at)
{
    forward(f, flow, from, m, at, false);
}

void l4_forward_upper(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index from,
                      struct rte_mbuf *m, uint16_t ip_bytes)
{
    ASSERT_HOT(ip_bytes >= sizeof(struct wire_ip4));
    const uint8_t *l3 = (const void *)rte_pktmbuf_prepend(m, ip_bytes); /* where it was taken off */
    ASSERT(l3 != NULL);
    const struct wire_ip4 *ip4 = (const void *)l3;
    const struct wire_ip6 *ip6 = (const void *)l3;
    struct plain at = {.l3 = l3,
                       .l4 = l3 + ip_bytes,
                       .packet_bytes = m->pkt_len,
                       .l4_at = ip_bytes,
                       .proto = l4_proto_of(flow),
                       .is_ip4 = l3[0] >> 4 == 4};
    uint32_t usual = at.is_ip4 ? sizeof(*ip4) : sizeof(*ip6);
    uint32_t told = at.is_ip4 ? be16_host(ip4->total_bytes)
                              : be16_host(ip6->payload_bytes) + (uint32_t)sizeof(*ip6);
    forward(f, flow, from, m, &at, ip_bytes != usual || told != m->pkt_len);
}
