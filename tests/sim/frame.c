/* SPDX-License-Identifier: Apache-2.0 */
/* Headers found, checksums made right. */
#include "frame.h"

#include "base/cksum.h"
#include "net/net_wire.h"

#include <string.h>

#define IP6_BYTES 40u
#define EXTENSIONS_MAX 16u /* more are not looked behind */
#define TCP_CKSUM_AT 16u
#define UDP_CKSUM_AT 6u
#define ICMP_CKSUM_AT 2u

uint8_t *frame_find_ip(uint8_t *frame, size_t len, bool *ret_is_v4)
{
    size_t type_at = 12;
    if (len >= 18 && frame_get16(frame + type_at) == ETHERTYPE_VLAN)
        type_at += 4;
    if (len < type_at + 2)
        return NULL;
    uint16_t type = frame_get16(frame + type_at);
    *ret_is_v4 = type == ETHERTYPE_IP4;
    return type == ETHERTYPE_IP4 || type == ETHERTYPE_IP6 ? frame + type_at + 2 : NULL;
}

static bool look4(uint8_t *ip, size_t len, struct frame_view *v)
{
    size_t header = len < 20 ? 0 : (ip[0] & 15u) * 4u;
    size_t total = header < 20 ? 0 : frame_get16(ip + 2);
    if (header < 20 || total < header || total > len ||
        (frame_get16(ip + 6) & IP4_FRAGMENT_MASK) != 0)
        return false;
    *v = (struct frame_view){true, ip[9], ip, ip + header, (uint16_t)(total - header)};
    return true;
}

static bool look6(uint8_t *ip, size_t len, struct frame_view *v)
{
    size_t total = len < IP6_BYTES ? 0 : IP6_BYTES + frame_get16(ip + 4);
    if (total == 0 || total > len)
        return false;
    size_t at = IP6_BYTES;
    uint8_t next = ip[6];
    for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
        bool is_extension = next == IPPROTO_NUM_HOP_BY_HOP || next == IPPROTO_NUM_ROUTING ||
                            next == IPPROTO_NUM_DEST_OPTIONS;
        if (!is_extension || at + 8 > total)
            break;
        next = ip[at];
        at += 8 + ip[at + 1] * 8u;
    }
    if (at > total || next == IPPROTO_NUM_FRAGMENT)
        return false;
    *v = (struct frame_view){false, next, ip, ip + at, (uint16_t)(total - at)};
    return true;
}

bool frame_look(uint8_t *frame, size_t len, struct frame_view *ret)
{
    bool is_v4 = false;
    uint8_t *ip = frame_find_ip(frame, len, &is_v4);
    if (ip == NULL)
        return false;
    size_t rest = len - (size_t)(ip - frame);
    return is_v4 ? look4(ip, rest, ret) : look6(ip, rest, ret);
}

/* Where the checksum lies; 0: none that we know, or it does not lie within. */
static unsigned cksum_at(const struct frame_view *v)
{
    unsigned at = v->proto == IPPROTO_NUM_TCP                                      ? TCP_CKSUM_AT
                  : v->proto == IPPROTO_NUM_UDP                                    ? UDP_CKSUM_AT
                  : v->proto == IPPROTO_NUM_ICMP6 || v->proto == IPPROTO_NUM_ICMP4 ? ICMP_CKSUM_AT
                                                                                   : 0;
    return at + 2 <= v->l4_bytes ? at : 0;
}

void frame_close_l4(const struct frame_view *v)
{
    unsigned at = cksum_at(v);
    uint32_t sum = 0;
    if (at == 0)
        return;
    if (v->proto != IPPROTO_NUM_ICMP4) {
        be32_t tail[2] = {be32(v->l4_bytes), be32(v->proto)};
        sum = cksum_add(sum, tail, sizeof(tail));
        sum = v->is_v4 ? cksum_add(sum, v->ip + 12, 8) : cksum_add(sum, v->ip + 8, 32);
    }
    memset(v->l4 + at, 0, 2);
    be16_t closed = cksum_close(cksum_add(sum, v->l4, v->l4_bytes));
    memcpy(v->l4 + at, &closed, 2);
}

void frame_close_ip(uint8_t *frame, size_t len)
{
    bool is_v4 = false;
    uint8_t *ip = frame_find_ip(frame, len, &is_v4);
    size_t rest = ip == NULL ? 0 : len - (size_t)(ip - frame);
    size_t header = is_v4 && rest >= 20 ? (ip[0] & 15u) * 4u : 0;
    if (header >= 20 && header <= rest) {
        memset(ip + 10, 0, 2);
        be16_t closed = cksum_close(cksum_add(0, ip, header));
        memcpy(ip + 10, &closed, 2);
    }
}

void frame_close(uint8_t *frame, size_t len)
{
    struct frame_view v;
    frame_close_ip(frame, len);
    if (frame_look(frame, len, &v))
        frame_close_l4(&v);
}
