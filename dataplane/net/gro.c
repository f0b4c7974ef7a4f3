/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See gro.h. DPDK's rte_gro was looked at and left: it merges whatever has the same acknowledgement
 * and leaves windows, options, timestamps and ECN unlooked at, checks no checksum, and knows IPv6
 * not at all in 22.11. Frames are compared with the first of their merge byte by byte instead.
 */
#include "net/gro.h"

#include "base/assert.h"
#include "base/cksum.h"
#include "core/core.h"
#include "net/net_wire.h"
#include "net/plain.h"
#include "net/punt.h"

#include <rte_mbuf.h>
#include <string.h>

/* A shorter frame begins no merge: nothing comes behind it, or it is a talk of small messages. */
#define FRAME_BYTES_MIN 600u

#define TCP_FLAG_PSH 0x08u
#define TCP_FLAG_ACK 0x10u
#define VLAN_FLAGS (RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED)

/* A TCP segment in its frame. */
struct segment {
    struct rte_mbuf *m;
    struct plain at;
    uint16_t data_at; /* offset in the frame */
    uint16_t bytes;   /* payload */
    uint32_t seq;
    bool is_plain; /* nothing but data and an acknowledgement */
};

/* A merge under way: its first segment, and where it stands. */
struct merge {
    struct segment first;
    struct rte_mbuf *last;
    uint32_t next_seq;
    uint32_t packet_bytes; /* of the IP packet so far */
    bool is_checked;       /* the first one's checksums are right */
};

static uint16_t read16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t read32(const uint8_t *p)
{
    return (uint32_t)read16(p) << 16 | read16(p + 2);
}

/* BGP's may be the kernel's, whose TAP takes no more than the MTU (punt.h). */
static bool is_bgp(const uint8_t *l4)
{
    return read16(l4) == PUNT_BGP_PORT || read16(l4 + 2) == PUNT_BGP_PORT;
}

/* Finds the segment in the frame and cuts off its padding. False: there is none that we could
 * compare. */
static bool parse(struct rte_mbuf *m, struct segment *s)
{
    s->m = m;
    if (m->nb_segs != 1 || !plain_find_tcp(m, &s->at) || is_bgp(s->at.l4))
        return false;
    uint32_t end = s->at.l3_at + s->at.packet_bytes;
    s->data_at = (uint16_t)(s->at.l4_at + (s->at.l4[12] >> 4) * 4);
    if (s->data_at < s->at.l4_at + PLAIN_TCP_HEADER_BYTES || s->data_at > end)
        return false;
    rte_pktmbuf_trim(m, (uint16_t)(m->data_len - end));
    s->bytes = (uint16_t)(end - s->data_at);
    s->seq = read32(s->at.l4 + 4);
    s->is_plain = s->bytes > 0 && (s->at.l4[13] & ~TCP_FLAG_PSH) == TCP_FLAG_ACK;
    return true;
}

/* Do both belong to one flow? */
static bool is_same_flow(const struct segment *a, const struct segment *b)
{
    unsigned addresses = a->at.is_ip4 ? 12 : 8;
    return a->at.is_ip4 == b->at.is_ip4 && memcmp(a->at.l4, b->at.l4, 4) == 0 &&
           memcmp(a->at.l3 + addresses, b->at.l3 + addresses, a->at.is_ip4 ? 8 : 32) == 0;
}

/* Are the headers the same but for what tells one segment of a row from the next: length,
 * identification, checksums, number, PSH? */
static bool has_same_headers(const struct segment *a, const struct segment *b)
{
    if (a->at.l3_at != b->at.l3_at || a->at.l4_at != b->at.l4_at || a->data_at != b->data_at ||
        memcmp(a->at.l3 - a->at.l3_at, b->at.l3 - b->at.l3_at, a->at.l3_at) != 0)
        return false;
    if (a->at.is_ip4
            ? memcmp(a->at.l3, b->at.l3, 2) != 0 || memcmp(a->at.l3 + 6, b->at.l3 + 6, 4) != 0
            : memcmp(a->at.l3, b->at.l3, 4) != 0 || memcmp(a->at.l3 + 6, b->at.l3 + 6, 2) != 0)
        return false;
    return memcmp(a->at.l4 + 8, b->at.l4 + 8, 5) == 0 &&   /* acknowledgement, header length */
           memcmp(a->at.l4 + 14, b->at.l4 + 14, 2) == 0 && /* window */
           memcmp(a->at.l4 + 18, b->at.l4 + 18, (size_t)(a->data_at - a->at.l4_at) - 18) == 0;
}

static bool is_next(const struct merge *g, const struct segment *s)
{
    const struct rte_mbuf *first = g->first.m;
    return s->seq == g->next_seq && s->bytes <= g->first.bytes &&
           g->packet_bytes + s->bytes <= UINT16_MAX && s->m->port == first->port &&
           ((s->m->ol_flags ^ first->ol_flags) & VLAN_FLAGS) == 0 &&
           ((first->ol_flags & VLAN_FLAGS) == 0 || s->m->vlan_tci == first->vlan_tci) &&
           has_same_headers(&g->first, s);
}

/* Are the checksums right? Says so in the mbuf, so that nobody adds them up again. As in
 * cksum_l4_is_good() the device is believed where it says that the data are fine. */
static bool is_intact(const struct segment *s)
{
    uint64_t ip = s->m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
    uint64_t l4 = s->m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    if (s->at.is_ip4 && ip != RTE_MBUF_F_RX_IP_CKSUM_GOOD && ip != RTE_MBUF_F_RX_IP_CKSUM_NONE &&
        !cksum_is_good(cksum_ip4_header(s->at.l3)))
        return false;
    if (l4 != RTE_MBUF_F_RX_L4_CKSUM_GOOD && l4 != RTE_MBUF_F_RX_L4_CKSUM_NONE) {
        uint32_t bytes = (uint32_t)(s->data_at - s->at.l4_at) + s->bytes;
        be32_t tail[2] = {be32(bytes), be32(IPPROTO_NUM_TCP)};
        uint32_t sum = cksum_add(0, tail, sizeof(tail));
        sum = cksum_add(sum, s->at.l3 + (s->at.is_ip4 ? 12 : 8), s->at.is_ip4 ? 8 : 32);
        if (!cksum_is_good(cksum_add(sum, s->at.l4, bytes)))
            return false;
    }
    s->m->ol_flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
    s->m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    return true;
}

static void begin(struct merge *g, const struct segment *s)
{
    *g = (struct merge){.first = *s,
                        .last = s->m,
                        .next_seq = s->seq + s->bytes,
                        .packet_bytes = (uint32_t)(s->data_at - s->at.l3_at) + s->bytes};
}

/* Puts the segment behind the merge; its header is gone then. */
static void append(struct merge *g, const struct segment *s)
{
    struct rte_mbuf *head = g->first.m;
    uint8_t *l3 = rte_pktmbuf_mtod_offset(head, uint8_t *, g->first.at.l3_at);
    uint8_t *l4 = rte_pktmbuf_mtod_offset(head, uint8_t *, g->first.at.l4_at);
    l4[13] |= s->at.l4[13] & TCP_FLAG_PSH;
    rte_pktmbuf_adj(s->m, s->data_at);
    g->last->next = s->m;
    g->last = s->m;
    head->nb_segs++;
    head->pkt_len += s->bytes;
    head->ol_flags |= RTE_MBUF_F_RX_LRO;
    head->tso_segsz = g->first.bytes;
    g->next_seq += s->bytes;
    g->packet_bytes += s->bytes;
    be16_t length =
        be16((uint16_t)(g->packet_bytes - (g->first.at.is_ip4 ? 0 : sizeof(struct wire_ip6))));
    memcpy(l3 + (g->first.at.is_ip4 ? 2 : 4), &length, sizeof(length));
    ASSERT_HOT(head->pkt_len == g->first.at.l3_at + g->packet_bytes);
}

/* All merges of a burst. */
struct merges {
    struct merge open[GRO_FLOWS_MAX];
    unsigned n;
};

static struct merge *find(struct merges *all, const struct segment *s)
{
    for (unsigned i = 0; i < all->n; i++) {
        if (is_same_flow(&all->open[i].first, s))
            return &all->open[i];
    }
    return NULL;
}

static void end(struct merges *all, struct merge *g)
{
    size_t behind = (size_t)(&all->open[all->n] - (g + 1));
    memmove(g, g + 1, behind * sizeof(*g));
    all->n--;
}

/* Does the frame vanish behind an earlier one? */
static bool take(struct merges *all, struct rte_mbuf *m)
{
    struct segment s;
    if (!parse(m, &s)) {
        all->n = 0; /* whose it is, is not known: nothing may overtake it */
        return false;
    }
    struct merge *g = find(all, &s);
    if (g != NULL && s.is_plain && is_next(g, &s) && (g->is_checked || is_intact(&g->first)) &&
        is_intact(&s)) {
        g->is_checked = true;
        append(g, &s);
        if (s.bytes < g->first.bytes || (s.at.l4[13] & TCP_FLAG_PSH) != 0)
            end(all, g);
        return true;
    }
    if (g != NULL)
        end(all, g);
    if (!s.is_plain || (s.at.l4[13] & TCP_FLAG_PSH) != 0 || m->pkt_len < FRAME_BYTES_MIN)
        return false;
    if (all->n == GRO_FLOWS_MAX)
        end(all, &all->open[0]);
    begin(&all->open[all->n++], &s);
    return false;
}

unsigned gro_merge(struct core *c, struct rte_mbuf **frames, unsigned n)
{
    struct merges all;
    unsigned kept = 0;
    all.n = 0;
    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *m = frames[i];
        bool is_idle = all.n == 0 && m->pkt_len < FRAME_BYTES_MIN;
        if (is_idle || !take(&all, m))
            frames[kept++] = m;
    }
    stat_add(c, STAT_net_rx_merged, n - kept);
    return kept;
}
