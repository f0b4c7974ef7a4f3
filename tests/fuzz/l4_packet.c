/* SPDX-License-Identifier: Apache-2.0 */
/* See l4_packet.h. */
#include "l4_packet.h"

#include "base/assert.h"
#include "base/cksum.h"
#include "frame.h"
#include "l4_book.h"
#include "l4_check.h"
#include "l4_world.h"
#include "net/net_wire.h"
#include "stack_env.h"

#include <string.h>

#define ETHER_BYTES 14u
#define FRAME_ROOM (ETHER_BYTES + 40 + 8 + L4_UPPER_BYTES_MAX + 64)
#define PIECE_FRAME_BYTES 1514u
#define PIECES_MAX 6u

/* A frame that is being made. */
struct draft {
    const struct l4_shape *shape;
    struct l4_given *given;
    bool is_v4;
    uint32_t ip_bytes; /* of the header */
    uint32_t len;
    uint8_t bytes[FRAME_ROOM];
};

bool l4_packet_is_kind(const struct l4_shape *s, enum l4_shape_kind kind)
{
    return (s->bits & L4_SHAPE_MORE) != 0 && s->kind % L4_SHAPE_KINDS == kind;
}

/* Header and payload of the transport, but for the checksum. */
static void put_upper(struct l4_given *g, const struct flow_tuple *ends, const struct l4_shape *s)
{
    bool is_tcp = s->proto == IPPROTO_NUM_TCP;
    uint32_t header = is_tcp ? 20 : 8;
    g->bytes = (uint16_t)(header + s->payload_bytes);
    ASSERT(g->bytes <= sizeof(g->upper));
    for (uint32_t i = header; i < g->bytes; i++)
        g->upper[i] = (uint8_t)(i * 7 + s->bits + g->serial);
    frame_put16(g->upper, ends->local_port);
    frame_put16(g->upper + 2, ends->remote_port);
    if (is_tcp) {
        frame_put32(g->upper + 4, s->has_seq ? s->seq : g->serial);
        frame_put32(g->upper + 8, s->has_ack ? s->ack : 0x12340000u | s->bits);
        g->upper[12] = 0x50;
        g->upper[13] = s->flags;
        frame_put16(g->upper + 14, 1000);
        return;
    }
    frame_put16(g->upper + 4, g->bytes);
    if (s->payload_bytes >= 4)
        frame_put32(g->upper + 8, g->serial);
}

/* The headers below. */
static void put_ip(struct draft *d, const struct l4_shape *s)
{
    struct l4_given *g = d->given;
    uint8_t *ip = d->bytes + ETHER_BYTES;
    bool has_options = l4_packet_is_kind(s, L4_SHAPE_OPTIONS);
    d->ip_bytes = d->is_v4 ? (has_options ? 24 : 20) : (has_options ? 48 : 40);
    memset(d->bytes, 0, ETHER_BYTES + d->ip_bytes);
    memcpy(d->bytes, (const uint8_t[]){2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, g->src.bytes[15]}, 12);
    frame_put16(d->bytes + 12, d->is_v4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
    if (d->is_v4) {
        ip[0] = (uint8_t)(0x40 | d->ip_bytes / 4);
        ip[1] = g->tos;
        frame_put16(ip + 2, d->ip_bytes + g->bytes);
        frame_put16(ip + 4, g->serial);
        frame_put16(ip + 6, (s->bits & L4_SHAPE_CUTTABLE) != 0 ? 0 : IP4_DONT_FRAGMENT);
        ip[8] = g->hops;
        ip[9] = g->proto;
        memcpy(ip + 12, &g->src.bytes[12], 4);
        memcpy(ip + 16, &g->dst.bytes[12], 4);
        if (has_options)
            memcpy(ip + 20, (const uint8_t[]){1, 1, 1, 0}, 4); /* three of nothing, and the end */
    } else {
        frame_put32(ip, 6u << 28 | (uint32_t)g->tos << 20);
        frame_put16(ip + 4, d->ip_bytes - 40 + g->bytes);
        ip[6] = has_options ? IPPROTO_NUM_DEST_OPTIONS : g->proto;
        ip[7] = g->hops;
        memcpy(ip + 8, g->src.bytes, 16);
        memcpy(ip + 24, g->dst.bytes, 16);
        if (has_options)
            memcpy(ip + 40, (const uint8_t[]){g->proto, 0, 1, 4, 0, 0, 0, 0}, 8);
    }
    d->len = ETHER_BYTES + d->ip_bytes + g->bytes;
}

/* What is wrong with it above IP. */
static void damage_upper(struct l4_given *g, const struct l4_shape *s)
{
    bool is_tcp = g->proto == IPPROTO_NUM_TCP;
    uint8_t *cksum = g->upper + (is_tcp ? 16 : 6);
    if (l4_packet_is_kind(s, L4_SHAPE_BAD_CKSUM)) {
        frame_put16(cksum, frame_get16(cksum) ^ (1 + s->amount % 255u));
        g->is_cksum_bad = true;
        g->is_odd |= !is_tcp && frame_get16(cksum) == 0; /* which says that there is none */
    }
    if (l4_packet_is_kind(s, L4_SHAPE_NO_CKSUM) && !is_tcp) {
        frame_put16(cksum, 0);
        g->is_odd |= !ip_addr_is_v4(&g->src); /* it has to have one: that may be computed */
    }
}

/* What is wrong with it below: nobody may take it. */
static void damage_frame(struct draft *d, const struct l4_shape *s)
{
    uint8_t *ip = d->bytes + ETHER_BYTES;
    if (!l4_packet_is_kind(s, L4_SHAPE_BAD_IP))
        return;
    d->given->may_not_leave = true;
    if (s->amount % 4 == 0) {
        d->bytes[5] ^= 0x10; /* another's MAC */
    } else if (s->amount % 4 == 1) {
        ip[0] ^= 0x30;
    } else if (d->is_v4 && s->amount % 4 == 2) {
        ip[10] ^= 0x5a;
    } else {
        frame_put16(ip + (d->is_v4 ? 2 : 4), d->len); /* more than there is */
        frame_close_ip(d->bytes, d->len);
    }
}

/* The given one, closed. */
static void make(struct draft *d, const struct flow_tuple *ends, const struct l4_shape *s)
{
    struct l4_given *g = d->given;
    struct frame_view v;
    g->src = ends->local;
    g->dst = ends->remote;
    g->proto = s->proto;
    g->tos = (s->bits & L4_SHAPE_TOS) != 0 ? 0x2e : 0;
    g->hops = l4_packet_is_kind(s, L4_SHAPE_HOPS) ? s->amount : 64;
    d->is_v4 = ip_addr_is_v4(&g->src);
    g->may_be_cut = d->is_v4 && (s->bits & L4_SHAPE_CUTTABLE) != 0;
    put_upper(g, ends, s);
    put_ip(d, s);
    if (l4_packet_is_kind(s, L4_SHAPE_LENGTHS)) {
        g->is_odd = true;
        if (s->proto == IPPROTO_NUM_TCP)
            g->upper[12] = s->amount;
        else
            frame_put16(g->upper + 4, s->amount * 8u);
    }
    uint8_t *upper = d->bytes + ETHER_BYTES + d->ip_bytes;
    memcpy(upper, g->upper, g->bytes);
    frame_close(d->bytes, d->len);
    bool is_there = frame_look(d->bytes, d->len, &v);
    ASSERT(is_there && v.l4 == upper && v.l4_bytes == g->bytes);
    memcpy(g->upper, upper, g->bytes);
    if (s->proto == IPPROTO_NUM_UDP && frame_get16(g->upper + 6) == 0)
        frame_put16(g->upper + 6, 0xffff);
    damage_upper(g, s);
    memcpy(upper, g->upper, g->bytes);
    damage_frame(d, s);
}

/* In pieces of the size that fits, or in more: in their order or from behind, one missing or none.
 */
static void give_pieces(const struct draft *d)
{
    const struct l4_given *g = d->given;
    uint8_t frame[FRAME_BYTES_MAX];
    struct frame_ends ends = {.src_mac = {{2, 0, 0, 0, 1, g->src.bytes[15]}},
                              .dst_mac = {{2, 0, 0, 0, 0, 1}},
                              .src = g->src,
                              .dst = g->dst};
    uint8_t amount = l4_packet_is_kind(d->shape, L4_SHAPE_PIECES) ? d->shape->amount : 0;
    uint32_t n = 2 + amount % (PIECES_MAX - 1);
    uint32_t step = ((g->bytes + n - 1) / n + 7) / 8 * 8;
    step = step > 1400 ? 1400 : step;
    n = (g->bytes + step - 1) / step;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = (amount & 32) != 0 ? n - 1 - i : i;
        uint32_t at = k * step, left = g->bytes - at;
        if ((amount & 64) != 0 && k == n / 2)
            continue;
        size_t len = frame_make_fragment(frame, &ends, g->proto, g->serial & 0xffff, at,
                                         left > step, g->upper + at, left < step ? left : step);
        stack_queue(frame, len);
    }
}

void l4_packet_give(const struct flow_tuple *ends, const struct l4_shape *shape)
{
    static struct draft d;
    l4_book_packet(shape->goes_on);
    d.shape = shape;
    d.given = l4_oracle_give();
    make(&d, ends, shape);
    if (l4_packet_is_kind(shape, L4_SHAPE_PADDED)) {
        memset(d.bytes + d.len, 0xa5, shape->amount % 64);
        d.len += shape->amount % 64;
    }
    if (d.len > PIECE_FRAME_BYTES || l4_packet_is_kind(shape, L4_SHAPE_PIECES)) {
        d.given->tos = 0; /* pieces have no such trouble */
        d.given->hops = 64;
        d.given->may_not_leave = false;
        d.given->may_be_cut = true;
        give_pieces(&d);
    } else if (l4_packet_is_kind(shape, L4_SHAPE_CHAINED)) {
        stack_env_send_chained(d.bytes, d.len, 1 + shape->amount % (d.len - 1));
    } else {
        stack_queue(d.bytes, d.len);
    }
    if (!shape->goes_on)
        stack_pass(1);
}
