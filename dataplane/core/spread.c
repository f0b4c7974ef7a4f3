/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers to tuple to worker. Reads at most the bytes it is given: a frame whose headers do not lie
 * in them stays where it arrived, and net counts what is wrong with it. RFC 8200 section 4.1 (order
 * of extension headers), RFC 4861 (types 133-137), RFC 792 and 4443 (what an error quotes).
 */
#include "core/spread.h"

#include "base/assert.h"

#include <rte_thash.h>
#include <string.h>

#define ETHER_BYTES 14u
#define ETHER_IP4 0x0800u
#define ETHER_ARP 0x0806u
#define ETHER_VLAN 0x8100u
#define ETHER_QINQ 0x88a8u
#define ETHER_IP6 0x86ddu
#define PROTO_HOP_BY_HOP 0u
#define PROTO_ICMP4 1u
#define PROTO_TCP 6u
#define PROTO_UDP 17u
#define PROTO_ROUTING 43u
#define PROTO_FRAGMENT 44u
#define PROTO_ICMP6 58u
#define PROTO_DESTINATION 60u
#define ICMP4_UNREACHABLE 3u
#define ICMP4_TIME 11u
#define ICMP4_PARAMETER 12u
#define ICMP6_ERROR_LAST 4u
#define ND_FIRST 133u
#define ND_LAST 137u

const uint8_t spread_default_key[SPREAD_KEY_BYTES] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static uint16_t read16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t read32(const uint8_t *p)
{
    return (uint32_t)read16(p) << 16 | read16(p + 2);
}

static void tuple_add(struct spread_tuple *t, const uint8_t *bytes, unsigned n_words)
{
    ASSERT_HOT(t->n + n_words <= 9);
    for (unsigned i = 0; i < n_words; i++)
        t->words[t->n++] = read32(bytes + 4 * i);
}

/* Adds the ports if the transport header begins at `at`; they are its first four bytes. */
static enum spread_class with_ports(const uint8_t *frame, size_t len, size_t at,
                                    struct spread_tuple *t)
{
    if (at + 4 > len)
        return SPREAD_STAY;
    tuple_add(t, frame + at, 1);
    return SPREAD_FLOW;
}

/* The tuple of a quoted packet's flow in the other direction. `at`: its addresses, source first;
 * `ports`: its transport header, of which an ICMP error quotes 8 bytes at least. */
static enum spread_class quoted(const uint8_t *frame, size_t len, size_t at, unsigned words,
                                size_t ports, struct spread_tuple *t)
{
    if (ports + 4 > len)
        return SPREAD_STAY;
    t->n = 0;
    tuple_add(t, frame + at + 4 * words, words);
    tuple_add(t, frame + at, words);
    t->words[t->n++] = (uint32_t)read16(frame + ports + 2) << 16 | read16(frame + ports);
    return SPREAD_QUOTE;
}

/* An ICMP message at `at`: an error quotes the packet that it is about (RFC 792). */
static enum spread_class classify_icmp4(const uint8_t *frame, size_t len, size_t at,
                                        struct spread_tuple *t)
{
    if (at + 8 + 20 > len)
        return SPREAD_STAY;
    uint8_t type = frame[at];
    const uint8_t *ip = frame + at + 8;
    size_t header_bytes = (size_t)(ip[0] & 0x0f) * 4;
    bool is_error = type == ICMP4_UNREACHABLE || type == ICMP4_TIME || type == ICMP4_PARAMETER;
    if (!is_error || ip[0] >> 4 != 4 || header_bytes < 20 || (read16(ip + 6) & 0x1fff) != 0 ||
        (ip[9] != PROTO_TCP && ip[9] != PROTO_UDP))
        return SPREAD_STAY;
    return quoted(frame, len, at + 8 + 12, 1, at + 8 + header_bytes, t);
}

/* The same for ICMPv6 (RFC 4443); a quote with extension headers is nothing that we sent. */
static enum spread_class classify_icmp6(const uint8_t *frame, size_t len, size_t at,
                                        struct spread_tuple *t)
{
    uint8_t type = frame[at];
    if (type >= ND_FIRST && type <= ND_LAST)
        return SPREAD_LEARN;
    if (type == 0 || type > ICMP6_ERROR_LAST || at + 8 + 40 > len)
        return SPREAD_STAY;
    const uint8_t *ip = frame + at + 8;
    if (ip[0] >> 4 != 6 || (ip[6] != PROTO_TCP && ip[6] != PROTO_UDP))
        return SPREAD_STAY;
    return quoted(frame, len, at + 8 + 8, 4, at + 8 + 40, t);
}

static enum spread_class classify_ip4(const uint8_t *frame, size_t len, size_t at,
                                      struct spread_tuple *t)
{
    if (at + 20 > len)
        return SPREAD_STAY;
    const uint8_t *ip = frame + at;
    size_t header_bytes = (size_t)(ip[0] & 0x0f) * 4;
    if (ip[0] >> 4 != 4 || header_bytes < 20)
        return SPREAD_STAY;
    bool is_fragment = (read16(ip + 6) & 0x3fff) != 0; /* more fragments, or an offset */
    if (ip[9] == PROTO_ICMP4 && !is_fragment)
        return classify_icmp4(frame, len, at + header_bytes, t);
    if (ip[9] != PROTO_TCP && ip[9] != PROTO_UDP)
        return SPREAD_STAY;
    tuple_add(t, ip + 12, 2);
    return is_fragment ? SPREAD_FLOW : with_ports(frame, len, at + header_bytes, t);
}

static enum spread_class classify_ip6(const uint8_t *frame, size_t len, size_t at,
                                      struct spread_tuple *t)
{
    if (at + 40 > len || frame[at] >> 4 != 6)
        return SPREAD_STAY;
    tuple_add(t, frame + at + 8, 8);
    uint8_t next = frame[at + 6];
    at += 40;
    for (unsigned i = 0; i <= SPREAD_IP6_HEADERS_MAX; i++) {
        if (next == PROTO_TCP || next == PROTO_UDP)
            return with_ports(frame, len, at, t);
        if (at + 8 > len)
            return SPREAD_STAY;
        if (next == PROTO_FRAGMENT)
            return frame[at] == PROTO_TCP || frame[at] == PROTO_UDP ? SPREAD_FLOW : SPREAD_STAY;
        if (next == PROTO_ICMP6)
            return classify_icmp6(frame, len, at, t);
        if (next != PROTO_HOP_BY_HOP && next != PROTO_ROUTING && next != PROTO_DESTINATION)
            return SPREAD_STAY;
        next = frame[at];
        at += ((size_t)frame[at + 1] + 1) * 8;
    }
    return SPREAD_STAY;
}

enum spread_class spread_classify(const uint8_t *frame, size_t len, struct spread_tuple *ret)
{
    ret->n = 0;
    if (len < ETHER_BYTES)
        return SPREAD_STAY;
    size_t at = ETHER_BYTES;
    uint16_t type = read16(frame + 12);
    for (unsigned tag = 0; tag < SPREAD_VLAN_TAGS_MAX; tag++) {
        if ((type != ETHER_VLAN && type != ETHER_QINQ) || at + 4 > len)
            break;
        type = read16(frame + at + 2);
        at += 4;
    }
    switch (type) {
    case ETHER_IP4:
        return classify_ip4(frame, len, at, ret);
    case ETHER_IP6:
        return classify_ip6(frame, len, at, ret);
    case ETHER_ARP:
        return SPREAD_LEARN;
    default:
        return SPREAD_STAY;
    }
}

void spread_tuple_of(const struct ip_addr *src, const struct ip_addr *dst, uint16_t src_port,
                     uint16_t dst_port, struct spread_tuple *ret)
{
    bool is_v4 = ip_addr_is_v4(src);
    ASSERT_HOT(is_v4 == ip_addr_is_v4(dst));
    ret->n = 0;
    tuple_add(ret, src->bytes + (is_v4 ? 12 : 0), is_v4 ? 1 : 4);
    tuple_add(ret, dst->bytes + (is_v4 ? 12 : 0), is_v4 ? 1 : 4);
    ret->words[ret->n++] = (uint32_t)src_port << 16 | dst_port;
}

void spread_init_device(struct spread *s, const uint8_t key[SPREAD_KEY_BYTES],
                        const uint8_t *worker_of, unsigned n_buckets)
{
    ASSERT(n_buckets > 0 && n_buckets <= SPREAD_BUCKETS_MAX);
    ASSERT((n_buckets & (n_buckets - 1)) == 0);
    uint32_t raw[SPREAD_KEY_BYTES / 4];
    memcpy(raw, key, sizeof(raw));
    rte_convert_rss_key(raw, s->key, SPREAD_KEY_BYTES);
    s->bucket_mask = n_buckets - 1;
    memcpy(s->worker_of, worker_of, n_buckets);
}

void spread_init(struct spread *s, unsigned workers)
{
    ASSERT(workers > 0 && workers <= UINT8_MAX);
    uint8_t worker_of[SPREAD_BUCKETS_MAX];
    for (unsigned i = 0; i < SPREAD_BUCKETS_MAX; i++)
        worker_of[i] = (uint8_t)(i % workers);
    spread_init_device(s, spread_default_key, worker_of, SPREAD_BUCKETS_MAX);
}

unsigned spread_worker(const struct spread *s, const struct spread_tuple *tuple)
{
    uint32_t words[9];
    memcpy(words, tuple->words, sizeof(words)); /* DPDK's argument is not const */
    ASSERT_HOT(tuple->n >= 2 && tuple->n <= 9);
    return s->worker_of[rte_softrss_be(words, tuple->n, (const uint8_t *)s->key) & s->bucket_mask];
}
