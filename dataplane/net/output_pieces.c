/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets in fragments (RFC 791, section 3.2; RFC 8200, section 4.5): of what is passed on and is
 * longer than its way, because it came in fragments, too. Nothing of our own is ever cut. Copied,
 * piece by piece: it is rare, and the pieces need headers in front. Owner: struct net. Thread: the
 * worker. Bound: a packet has 64 KB, and a piece NET_PIECE_BYTES_MIN.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "net/cksum.h"
#include "net/forward.h"
#include "net/net_priv.h"

#include <string.h>

/* Of what packet the pieces are. */
struct whole {
    const struct rte_mbuf *m;
    const struct ip_addr *src;
    const struct ip_addr *dst;
    uint32_t id;
    uint8_t proto;
    uint8_t tos;
};

/* Where a piece lies in it. */
struct piece {
    uint32_t at;
    uint32_t bytes;
    bool has_more;
};

/* What tells the pieces of a packet apart, in the header of IPv4 that `m` begins with. */
static void mark_ip4(struct rte_mbuf *m, const struct whole *w, const struct piece *p)
{
    struct wire_ip4 *ip = rte_pktmbuf_mtod(m, struct wire_ip4 *);
    uint32_t more = p->has_more ? IP4_MORE_FRAGMENTS : 0;
    ip->id = be16((uint16_t)w->id);
    ip->fragment = be16((uint16_t)(more | p->at / 8));
    ip->cksum = (be16_t){0};
    ip->cksum = cksum_close(cksum_ip4_header(ip));
}

/* The same for IPv6, in a header of its own in front of the piece. */
static void put_ip6_fragment(struct rte_mbuf *m, const struct whole *w, const struct piece *p)
{
    struct wire_ip6_fragment *fragment = (void *)rte_pktmbuf_prepend(m, sizeof(*fragment));
    uint32_t more = p->has_more ? IP6_FRAGMENT_MORE : 0;
    ASSERT(fragment != NULL); /* NET_HEADER_BYTES */
    *fragment = (struct wire_ip6_fragment){
        .next = w->proto, .offset_more = be16((uint16_t)(p->at | more)), .id = be32(w->id)};
}

static uint32_t header_bytes(const struct whole *w)
{
    return ip_addr_is_v4(w->dst)
               ? (uint32_t)sizeof(struct wire_ip4)
               : (uint32_t)(sizeof(struct wire_ip6) + sizeof(struct wire_ip6_fragment));
}

/* False: no mbuf, counted. */
static bool send_piece(struct net *n, const struct whole *w, const struct piece *p)
{
    bool is_ip4 = ip_addr_is_v4(w->dst);
    void *body;
    struct rte_mbuf *m = output_new(n, p->bytes, &body);
    if (m == NULL)
        return false;
    const void *from = rte_pktmbuf_read(w->m, p->at, p->bytes, body);
    ASSERT(from != NULL);
    if (from != body)
        memcpy(body, from, p->bytes);
    if (!is_ip4)
        put_ip6_fragment(m, w, p);
    struct output_header h = {.src = w->src,
                              .dst = w->dst,
                              .proto = is_ip4 ? w->proto : IPPROTO_NUM_FRAGMENT,
                              .tos = w->tos,
                              .hop_limit = n->hop_limit};
    bool has_room = output_ip_header(m, &h);
    ASSERT(has_room);
    if (is_ip4)
        mark_ip4(m, w, p);
    stat_inc(n->core, STAT_net_tx_pieces);
    net_forward(n, w->dst, m);
    return true;
}

void net_output_pieces(struct net *n, struct rte_mbuf *m, const struct ip_addr *src,
                       const struct ip_addr *dst, uint8_t proto, uint8_t tos, uint16_t mtu)
{
    struct net_path path;
    struct whole w = {m, src, dst, (uint32_t)rng_next(&n->core->rng), proto, tos};
    if (!net_path_find(n, dst, &path) || ip_addr_is_v4(src) != ip_addr_is_v4(dst)) {
        net_drop(n, m, STAT_net_drop_tx_no_route);
        return;
    }
    uint32_t room = (uint32_t)min64(min64(path.mtu, mtu), MBUF_DATA_BYTES);
    uint32_t step = room > header_bytes(&w) ? (room - header_bytes(&w)) & ~7u : 0;
    uint32_t longest = ip_addr_is_v4(dst) ? UINT16_MAX - sizeof(struct wire_ip4) : UINT16_MAX;
    if (step < NET_PIECE_BYTES_MIN || m->pkt_len > longest) {
        net_drop(n, m, STAT_net_drop_tx_too_big);
        return;
    }
    for (uint32_t at = 0; at < m->pkt_len; at += step) {
        uint32_t left = m->pkt_len - at;
        struct piece p = {at, left < step ? left : step, left > step};
        if (!send_piece(n, &w, &p))
            break; /* without one the others are good for nothing */
    }
    stat_inc(n->core, STAT_net_tx_cut);
    rte_pktmbuf_free(m);
}
