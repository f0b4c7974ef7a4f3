/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shortcut that nearly every packet takes: IPv4 at both sides, NAT, an open flow whose way is
 * known and whose numbers stay, and nothing unusual about the frame. Its headers are changed where
 * they lie. Whatever is not so goes the long way (l4_send.c), which gives the same bytes. Owner:
 * struct l4_fwd. Thread: the worker.
 */
#include "l4/l4_priv.h"

#include <string.h>

static_assert(offsetof(struct wire_ip4, dst) == offsetof(struct wire_ip4, src) + 4, "one word");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "whose lower half is the source");

/* Of a segment that says nothing about the connection's beginning or end none of these is set. */
#define TCP_FLAGS_OF_NOTE (TCP_FIN | TCP_SYN | TCP_RST)

/* Flow and frame are of the usual kind? Their way is asked for last. */
static bool is_usual(struct l4_fwd *f, const struct l4_flow *flow, const struct l4_side *to,
                     const struct rte_mbuf *m, const struct plain *at)
{
    const struct wire_ip4 *ip = (const void *)at->l3;
    bool is_frame = at->is_ip4 && at->l3_at == sizeof(struct wire_eth) && m->nb_segs == 1 &&
                    ip->ttl > 1 && (be16_host(ip->fragment) & ~IP4_DONT_FRAGMENT) == 0 &&
                    (l4_flags_of(m, at) & TCP_FLAGS_OF_NOTE) == 0;
    bool is_flow = l4_state_of(flow) == L4_OPEN && !l4_is_carried(flow) && !l4_is_spliced(flow) &&
                   (to->flags & L4_F_HAS_HOP) != 0 && (int32_t)(to->hop_until_ms - f->now_ms) > 0 &&
                   ip_addr_is_v4(&to->in.remote);
    uint64_t cksum = m->ol_flags & (RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_VLAN_STRIPPED);
    return is_frame && is_flow && cksum != RTE_MBUF_F_RX_L4_CKSUM_NONE &&
           (cksum & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0 &&
           net_hop_is_plain(f->net, &to->hop, to->hop_version, at->packet_bytes);
}

/* Other addresses and one hop less; the checksum is updated (RFC 1624, equation 3) from what is
 * read before anything is written: a load behind stores of another width would wait for them. */
static void rewrite_ip(struct wire_ip4 *ip, const struct flow_tuple *out)
{
    uint64_t old;
    uint32_t local, remote;
    memcpy(&old, ip->src, sizeof(old));
    memcpy(&local, &out->local.bytes[12], sizeof(local));
    memcpy(&remote, &out->remote.bytes[12], sizeof(remote));
    uint64_t sum = (uint64_t)(uint16_t)~ip->cksum.wire + (uint32_t)~old + (uint32_t)(~old >> 32) +
                   local + remote + (uint16_t)~be16(0x0100).wire;
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    ip->cksum.wire = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
    old = (uint64_t)remote << 32 | local;
    memcpy(ip->src, &old, sizeof(old));
    ip->ttl--;
}

bool l4_fast(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index from, struct rte_mbuf *m,
             const struct plain *at)
{
    struct l4_side *s = &flow->sides[from], *to = &flow->sides[!from];
    if (__builtin_expect(!is_usual(f, flow, to, m, at), 0))
        return false;
    bool is_udp = at->proto == IPPROTO_NUM_UDP;
    rewrite_ip((void *)rte_pktmbuf_mtod_offset(m, uint8_t *, at->l3_at), &to->in);
    l4_rewrite_ports(rte_pktmbuf_mtod_offset(m, uint8_t *, at->l4_at), &to->in, s->cksum_delta,
                     is_udp);
    m->data_len = (uint16_t)(sizeof(struct wire_eth) + at->packet_bytes);
    m->pkt_len = m->data_len; /* padding stays behind */
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
    s->seen_ms = f->now_ms;
    s->counted += L4_COUNTED_PACKET + at->packet_bytes;
    stat_add(f->core, from == L4_CLIENT ? STAT_l4_bytes_up : STAT_l4_bytes_down, at->packet_bytes);
    stat_inc(f->core, STAT_l4_tx);
    net_hop_output_frame(f->net, &to->hop, m);
    return true;
}
