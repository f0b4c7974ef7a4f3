/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers to tuple to worker. Reads at most the bytes it is given: a frame whose headers do not lie
 * in them stays where it arrived, and net counts what is wrong with it. RFC 8200 section 4.1 (order
 * of extension headers), RFC 4861 (types 133-137), RFC 792 and 4443 (what an error quotes).
 */
#include "core/spread.h"

#include "base/assert.h"

#include <string.h>

#define ETHER_BYTES 14u
#define ETHER_IP4 0x0800u
#define ETHER_ARP 0x0806u
#define ETHER_VLAN 0x8100u
#define ETHER_QINQ 0x88a8u
#define ETHER_IP6 0x86ddu
#define PROTO_HOP_BY_HOP 0u
#define PROTO_ICMP4 1u
#define PROTO_IP4 4u
#define PROTO_TCP 6u
#define PROTO_UDP 17u
#define PROTO_IP6 41u
#define PROTO_ROUTING 43u
#define PROTO_FRAGMENT 44u
#define GUE_PORT 6080u /* draft-ietf-intarea-gue */
#define GUE_BYTES 12u  /* with UDP's header */
#define PROTO_ICMP6 58u
#define PROTO_DESTINATION 60u
#define ICMP4_UNREACHABLE 3u
#define ICMP4_TIME 11u
#define ICMP4_PARAMETER 12u
#define ICMP6_ERROR_LAST 4u
#define MLD_QUERY 130u
#define ND_FIRST 133u
#define ND_LAST 137u

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
    ASSERT_HOT(t->n + n_words <= SPREAD_TUPLE_WORDS_MAX);
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

/* The quoted packet, of `proto` at `at`, carries another (IPIP, GUE): the tuple of that one's flow,
 * as it came to us. SPREAD_STAY: it carries none, or of that is not enough there. */
static enum spread_class carried(const uint8_t *frame, size_t len, size_t at, uint8_t proto,
                                 struct spread_tuple *t)
{
    bool is_gue = proto == PROTO_UDP && at + GUE_BYTES <= len &&
                  read16(frame + at + 2) == GUE_PORT && frame[at + 8] == 0 &&
                  read16(frame + at + 10) == 0;
    if (!is_gue && proto != PROTO_IP4 && proto != PROTO_IP6)
        return SPREAD_STAY;
    at += is_gue ? GUE_BYTES : 0;
    if (at + 20 > len)
        return SPREAD_STAY;
    bool is_ip4 = frame[at] >> 4 == 4;
    size_t header_bytes = is_ip4 ? (size_t)(frame[at] & 0x0f) * 4 : 40;
    size_t ports = at + header_bytes;
    if (ports + 4 > len)
        return SPREAD_STAY;
    t->n = 0;
    tuple_add(t, frame + at + (is_ip4 ? 12 : 8), is_ip4 ? 2 : 8);
    tuple_add(t, frame + ports, 1);
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
    if (!is_error || ip[0] >> 4 != 4 || header_bytes < 20 || (read16(ip + 6) & 0x1fff) != 0)
        return SPREAD_STAY;
    if (carried(frame, len, at + 8 + header_bytes, ip[9], t) == SPREAD_QUOTE)
        return SPREAD_QUOTE;
    if (ip[9] != PROTO_TCP && ip[9] != PROTO_UDP)
        return SPREAD_STAY;
    return quoted(frame, len, at + 8 + 12, 1, at + 8 + header_bytes, t);
}

/* The same for ICMPv6 (RFC 4443); a quote with extension headers is nothing that we sent. */
static enum spread_class classify_icmp6(const uint8_t *frame, size_t len, size_t at,
                                        struct spread_tuple *t)
{
    uint8_t type = frame[at];
    if (type == MLD_QUERY || (type >= ND_FIRST && type <= ND_LAST))
        return SPREAD_LEARN;
    if (type == 0 || type > ICMP6_ERROR_LAST || at + 8 + 40 > len)
        return SPREAD_STAY;
    const uint8_t *ip = frame + at + 8;
    if (ip[0] >> 4 != 6)
        return SPREAD_STAY;
    if (carried(frame, len, at + 8 + 40, ip[6], t) == SPREAD_QUOTE)
        return SPREAD_QUOTE;
    if (ip[6] != PROTO_TCP && ip[6] != PROTO_UDP)
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

/* The key's 32 bits from bit `at` on: what a set bit of the tuple there adds to the hash. */
static uint32_t key_window(const uint8_t key[SPREAD_KEY_BYTES], unsigned at)
{
    ASSERT_HOT(at / 8 + 5 <= SPREAD_KEY_BYTES);
    const uint8_t *p = key + at / 8;
    uint64_t bits = (uint64_t)read32(p) << 8 | p[4];
    return (uint32_t)(bits >> (8 - at % 8));
}

/* The sums of windows for all values of each half byte. */
static void fill_parts(struct spread *s, const uint8_t key[SPREAD_KEY_BYTES])
{
    for (unsigned half = 0; half < SPREAD_TUPLE_WORDS_MAX * 8; half++) {
        for (unsigned value = 0; value < 16; value++) {
            uint32_t sum = 0;
            for (unsigned bit = 0; bit < 4; bit++)
                sum ^= (value & (8u >> bit)) != 0 ? key_window(key, half * 4 + bit) : 0;
            s->parts[half][value] = sum;
        }
    }
}

/* The buckets again, by worker: counted, then dealt out. */
static void sort_buckets(struct spread *s)
{
    uint16_t next[UINT8_MAX + 2u] = {0};
    for (unsigned i = 0; i < SPREAD_BUCKETS_MAX; i++)
        next[s->worker_of[i] + 1]++;
    for (unsigned worker = 0; worker <= UINT8_MAX; worker++)
        next[worker + 1] = (uint16_t)(next[worker + 1] + next[worker]);
    ASSERT(next[UINT8_MAX + 1] == SPREAD_BUCKETS_MAX);
    memcpy(s->first_bucket, next, sizeof(next));
    for (unsigned i = 0; i < SPREAD_BUCKETS_MAX; i++)
        s->bucket[next[s->worker_of[i]]++] = (uint16_t)i;
}

void spread_init_device(struct spread *s, const uint8_t key[SPREAD_KEY_BYTES],
                        const uint8_t *worker_of, unsigned n_buckets)
{
    ASSERT(n_buckets > 0 && n_buckets <= SPREAD_BUCKETS_MAX);
    ASSERT((n_buckets & (n_buckets - 1)) == 0);
    const struct spread_key *ours = spread_key();
    s->key = memcmp(key, ours->bytes, SPREAD_KEY_BYTES) == 0 ? ours : NULL;
    for (unsigned i = 0; i < SPREAD_BUCKETS_MAX; i++)
        s->worker_of[i] = worker_of[i % n_buckets];
    fill_parts(s, key);
    sort_buckets(s);
}

void spread_init(struct spread *s, unsigned workers)
{
    ASSERT(workers > 0 && workers <= UINT8_MAX);
    uint8_t worker_of[SPREAD_BUCKETS_MAX];
    for (unsigned i = 0; i < SPREAD_BUCKETS_MAX; i++)
        worker_of[i] = (uint8_t)(i % workers);
    spread_init_device(s, spread_key()->bytes, worker_of, SPREAD_BUCKETS_MAX);
}

uint32_t spread_hash(const struct spread *s, const struct spread_tuple *tuple)
{
    uint32_t hash = 0;
    ASSERT_HOT(tuple->n >= 2 && tuple->n <= SPREAD_TUPLE_WORDS_MAX);
    for (unsigned i = 0; i < tuple->n; i++) {
        const uint32_t(*part)[16] = &s->parts[i * 8];
        uint32_t word = tuple->words[i];
        hash ^= part[0][word >> 28] ^ part[1][word >> 24 & 15] ^ part[2][word >> 20 & 15] ^
                part[3][word >> 16 & 15] ^ part[4][word >> 12 & 15] ^ part[5][word >> 8 & 15] ^
                part[6][word >> 4 & 15] ^ part[7][word & 15];
    }
    return hash;
}

unsigned spread_worker(const struct spread *s, const struct spread_tuple *tuple)
{
    return s->worker_of[spread_hash(s, tuple) % SPREAD_BUCKETS_MAX];
}
