/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_dsr.h. */
#include "sim_dsr.h"

#include "base/assert.h"
#include "base/cksum.h"
#include "frame.h"
#include "net/net_wire.h"
#include "sim.h"

#include <rte_mbuf.h>
#include <string.h>

#define ETHER_BYTES 14u
#define GUE_PORT 6080u
#define GUE_BYTES 12u /* with UDP's header */
#define PROTO_IP4 4u
#define PROTO_IP6 41u

/* An IP packet, or a piece of one. */
struct packet {
    bool is_v4;
    uint8_t proto;
    struct ip_addr src;
    struct ip_addr dst;
    uint32_t offset;
    bool has_more;
    uint32_t id;
    uint8_t *upper;
    uint32_t bytes; /* of it */
};

static bool look4(uint8_t *ip, size_t len, struct packet *ret)
{
    if (len < 20 || ip[0] != 0x45 || !cksum_is_good(cksum_add(0, ip, 20)))
        return false;
    uint32_t field = frame_get16(ip + 6), total = frame_get16(ip + 2);
    *ret = (struct packet){.is_v4 = true,
                           .proto = ip[9],
                           .src = ip_addr_from_v4(ip + 12),
                           .dst = ip_addr_from_v4(ip + 16),
                           .offset = (field & IP4_FRAGMENT_OFFSET) * 8,
                           .has_more = (field & IP4_MORE_FRAGMENTS) != 0,
                           .id = frame_get16(ip + 4),
                           .upper = ip + 20,
                           .bytes = total - 20};
    return total >= 20 && total <= len;
}

static bool look6(uint8_t *ip, size_t len, struct packet *ret)
{
    if (len < 40 || ip[0] >> 4 != 6 || frame_get16(ip + 4) + 40u > len)
        return false;
    *ret = (struct packet){.proto = ip[6],
                           .src = ip_addr_from_v6(ip + 8),
                           .dst = ip_addr_from_v6(ip + 24),
                           .upper = ip + 40,
                           .bytes = frame_get16(ip + 4)};
    if (ret->proto != IPPROTO_NUM_FRAGMENT)
        return true;
    if (ret->bytes < 8)
        return false;
    uint32_t field = frame_get16(ret->upper + 2);
    ret->proto = ret->upper[0];
    ret->offset = field & IP6_FRAGMENT_OFFSET;
    ret->has_more = (field & 1) != 0;
    ret->id = frame_get32(ret->upper + 4);
    ret->upper += 8;
    ret->bytes -= 8;
    return true;
}

/* At `ip`, whichever it is. False: none, or a damaged one. */
static bool look(uint8_t *ip, size_t len, struct packet *ret)
{
    return len > 0 && (ip[0] >> 4 == 4 ? look4(ip, len, ret) : look6(ip, len, ret));
}

static bool is_piece(const struct packet *p)
{
    return p->offset > 0 || p->has_more;
}

/* --- pieces --- */

static struct sim_dsr_whole *whole_of(struct sim_dsr *d, const struct packet *p)
{
    for (unsigned i = 0; i < SIM_DSR_WHOLES_MAX; i++) {
        struct sim_dsr_whole *w = &d->wholes[i];
        if (w->is_used && w->id == p->id && w->proto == p->proto && ip_addr_eq(&w->src, &p->src))
            return w;
    }
    struct sim_dsr_whole *w = &d->wholes[d->next++ % SIM_DSR_WHOLES_MAX];
    *w = (struct sim_dsr_whole){.is_used = true, .src = p->src, .id = p->id, .proto = p->proto};
    return w;
}

/* Adds the piece; false: it is not whole yet. True: *p is all of it. */
static bool join(struct sim_dsr *d, struct packet *p)
{
    struct sim_dsr_whole *w = whole_of(d, p);
    if (p->offset + p->bytes > SIM_DSR_WHOLE_BYTES)
        return false;
    memcpy(w->bytes + p->offset, p->upper, p->bytes);
    for (uint32_t at = p->offset / 8; at < (p->offset + p->bytes + 7) / 8; at++)
        w->got[at / 8] |= (uint8_t)(1u << at % 8);
    if (!p->has_more)
        w->end = p->offset + p->bytes;
    for (uint32_t at = 0; at < (w->end + 7) / 8; at++) {
        if ((w->got[at / 8] >> at % 8 & 1) == 0)
            return false;
    }
    if (w->end == 0)
        return false;
    w->is_used = false;
    p->upper = w->bytes;
    p->bytes = w->end;
    return true;
}

/* --- in --- */

static bool has_good_cksum(const struct packet *p)
{
    be32_t tail[2] = {be32(p->bytes), be32(p->proto)};
    size_t from = p->is_v4 ? 12 : 0;
    uint32_t sum = cksum_add(0, p->src.bytes + from, 16 - from);
    sum = cksum_add(sum, p->dst.bytes + from, 16 - from);
    sum = cksum_add(sum, tail, sizeof(tail));
    return cksum_is_good(cksum_add(sum, p->upper, p->bytes));
}

/* Takes GUE away. False: it is damaged. */
static bool take_gue(struct packet *p)
{
    if (p->bytes <= GUE_BYTES || frame_get16(p->upper + 2) != GUE_PORT || !has_good_cksum(p) ||
        p->upper[8] != 0 || frame_get16(p->upper + 10) != 0)
        return false;
    p->proto = p->upper[9];
    p->upper += GUE_BYTES;
    p->bytes -= GUE_BYTES;
    return true;
}

/* Another address in a packet whose checksum may be wrong, and stays so (RFC 1624). */
static void change_dst(struct packet *p, uint8_t *ip, const struct ip_addr *to)
{
    uint32_t at = p->proto == IPPROTO_NUM_TCP ? 16 : 6;
    size_t bytes = p->is_v4 ? 4 : 16;
    uint8_t *old = ip + (p->is_v4 ? 16 : 24);
    const uint8_t *fresh = &to->bytes[16 - bytes];
    if (p->bytes >= at + 2) {
        be16_t field;
        memcpy(&field, p->upper + at, sizeof(field));
        uint64_t sum = (uint16_t)~field.wire;
        sum += (uint16_t)~cksum_add(0, old, bytes);
        sum += cksum_add(0, fresh, bytes);
        field = cksum_close(cksum_fold(sum));
        memcpy(p->upper + at, &field, sizeof(field));
    }
    memcpy(old, fresh, bytes);
}

/* The inner packet in `m`, as if it had been for the host. False: it is damaged, or not for it. */
static bool put_inner(struct sim_host *h, struct rte_mbuf *m, const struct packet *outer)
{
    struct packet inner;
    uint8_t copy[SIM_DSR_WHOLE_BYTES];
    memcpy(copy, outer->upper, outer->bytes);
    const struct sim *s = h->sim;
    bool is_good = look(copy, outer->bytes, &inner) && (outer->proto == PROTO_IP4) == inner.is_v4 &&
                   !is_piece(&inner) &&
                   (inner.proto == IPPROTO_NUM_TCP || inner.proto == IPPROTO_NUM_UDP);
    if (!is_good || !ip_addr_eq(&inner.dst, inner.is_v4 ? &s->vip4 : &s->vip6))
        return false;
    change_dst(&inner, copy, inner.is_v4 ? &h->addr4 : &h->addr6);
    if (inner.is_v4) {
        memset(copy + 10, 0, 2);
        be16_t cksum = cksum_close(cksum_add(0, copy, 20));
        memcpy(copy + 10, &cksum, sizeof(cksum));
    }
    uint8_t eth[ETHER_BYTES];
    memcpy(eth, rte_pktmbuf_mtod(m, const void *), sizeof(eth));
    frame_put16(eth + 12, inner.is_v4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
    rte_pktmbuf_trim(m, m->data_len);
    uint8_t *at = (void *)rte_pktmbuf_append(m, (uint16_t)(sizeof(eth) + outer->bytes));
    if (at == NULL)
        return false;
    memcpy(at, eth, sizeof(eth));
    memcpy(at + sizeof(eth), copy, outer->bytes);
    return true;
}

/* False: the frame is no more. */
static bool unwrap(struct sim_host *h, struct rte_mbuf *m)
{
    bool is_v4;
    struct packet p;
    uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
    const struct sim *s = h->sim;
    uint8_t *ip = frame_find_ip(frame, m->data_len, &is_v4);
    if (ip == NULL || !look(ip, m->data_len - (size_t)(ip - frame), &p))
        return true;
    bool is_gue = s->plan.way == SIM_WAY_GUE && p.proto == IPPROTO_NUM_UDP;
    bool is_ip = s->plan.way == SIM_WAY_IPIP && (p.proto == PROTO_IP4 || p.proto == PROTO_IP6);
    if ((!is_gue && !is_ip) || !ip_addr_eq(&p.dst, p.is_v4 ? &h->addr4 : &h->addr6))
        return true;
    if (is_piece(&p) && !join(&h->dsr, &p))
        return false;
    bool is_good = (!is_gue || take_gue(&p)) && put_inner(h, m, &p);
    bool may_be_damaged = s->plan.wires[0].corrupt > 0 || s->plan.wires[1].corrupt > 0;
    if (!is_good && !may_be_damaged)
        sim_fail(h->sim, "host %u got a packet within another that it cannot read", h->number);
    return is_good;
}

unsigned sim_dsr_unwrap(struct sim_host *h, struct rte_mbuf **frames, unsigned n)
{
    unsigned left = 0;
    for (unsigned i = 0; i < n; i++) {
        if (unwrap(h, frames[i]))
            frames[left++] = frames[i];
        else
            rte_pktmbuf_free(frames[i]);
    }
    return left;
}

/* --- out --- */

/* The client that has the address; false: none. */
static bool find_client(const struct sim *s, const struct ip_addr *a, unsigned *ret)
{
    for (unsigned i = 0; i < s->plan.n_clients; i++) {
        if (ip_addr_eq(a, &s->hosts[i].addr4) || ip_addr_eq(a, &s->hosts[i].addr6)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

bool sim_dsr_return(const struct sim *s, const uint8_t *frame, uint16_t len, uint8_t *ret,
                    unsigned *ret_host)
{
    struct frame_view v;
    if (!frame_look((uint8_t *)(uintptr_t)frame, len, &v))
        return false;
    struct ip_addr dst = v.is_v4 ? ip_addr_from_v4(v.ip + 16) : ip_addr_from_v6(v.ip + 24);
    if (!find_client(s, &dst, ret_host))
        return false;
    const struct ip_addr *vip = v.is_v4 ? &s->vip4 : &s->vip6;
    uint8_t *ip = ret + (v.ip - frame);
    memcpy(ret, frame, len);
    memcpy(ret, s->wires.ports[*ret_host].mac.bytes, 6);
    if (v.is_v4)
        memcpy(ip + 12, &vip->bytes[12], 4);
    else
        memcpy(ip + 8, vip->bytes, 16);
    ip[v.is_v4 ? 8 : 7]--;
    frame_close(ret, len);
    return true;
}
