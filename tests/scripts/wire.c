/* SPDX-License-Identifier: Apache-2.0 */
/* Headers written and read. IPv4 and IPv6 differ in the IP header and in ICMP only. */
#include "wire.h"

#include "base/assert.h"
#include "base/container.h"
#include "net/cksum.h"
#include "net/net_wire.h"
#include "tcp/tcp_types.h"
#include "tcp/wire.h"

#include <string.h>

#define HOP_LIMIT 64u

/* Writes the IP header. Returns its length. */
static size_t put_ip(uint8_t *at, const struct ip_addr *src, const struct ip_addr *dst,
                     uint8_t proto, uint8_t ecn, size_t bytes)
{
    if (!ip_addr_is_v4(src)) {
        struct wire_ip6 *ip = (void *)at;
        *ip = (struct wire_ip6){.version_class_flow = be32(6u << 28 | (uint32_t)ecn << 20),
                                .payload_bytes = be16((uint16_t)bytes),
                                .next = proto,
                                .hop_limit = HOP_LIMIT};
        memcpy(ip->src, src->bytes, 16);
        memcpy(ip->dst, dst->bytes, 16);
        return sizeof(*ip);
    }
    struct wire_ip4 *ip = (void *)at;
    *ip = (struct wire_ip4){.version_ihl = 0x45,
                            .tos = ecn,
                            .total_bytes = be16((uint16_t)(sizeof(*ip) + bytes)),
                            .fragment = be16(IP4_DONT_FRAGMENT),
                            .ttl = HOP_LIMIT,
                            .proto = proto};
    memcpy(ip->src, src->bytes + 12, 4);
    memcpy(ip->dst, dst->bytes + 12, 4);
    ip->cksum = cksum_close(cksum_add(0, ip, sizeof(*ip)));
    return sizeof(*ip);
}

static size_t ip_bytes(const struct ip_addr *addr)
{
    return ip_addr_is_v4(addr) ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
}

/* The options, and an unknown one in front of them: kind, length 4, two bytes. */
static unsigned put_options(uint8_t *at, const struct script_segment *s)
{
    unsigned bytes = 0;
    if (s->unknown_option != 0) {
        at[0] = (uint8_t)s->unknown_option;
        at[1] = 4;
        at[2] = at[3] = 0;
        bytes = 4;
    }
    ASSERT(bytes + tcp_options_bytes(&s->options) <= TCP_OPTIONS_BYTES_MAX);
    return bytes + tcp_options_build(at + bytes, &s->options);
}

size_t wire_build(const struct wire_ends *ends, const struct script_segment *s,
                  const uint8_t *payload, uint8_t *ret)
{
    ASSERT(s->len <= WIRE_SEGMENT_BYTES_MAX);
    struct tcp_wire *tcp = (void *)(ret + ip_bytes(&ends->src));
    size_t bytes = sizeof(*tcp) + put_options((uint8_t *)(tcp + 1), s);
    *tcp = (struct tcp_wire){.src_port = be16(ends->src_port),
                             .dst_port = be16(ends->dst_port),
                             .seq = be32(s->seq),
                             .ack = be32(s->ack),
                             .offset = (uint8_t)(bytes / 4 << 4),
                             .flags = s->flags,
                             .window = be16((uint16_t)s->window),
                             .urgent = be16(s->urgent)};
    if (s->len > 0)
        memcpy((uint8_t *)tcp + bytes, payload, s->len);
    bytes += s->len;
    uint32_t sum = cksum_add_pseudo(0, &ends->src, &ends->dst, IPPROTO_NUM_TCP, (uint32_t)bytes);
    tcp->cksum = cksum_close(cksum_add(sum, tcp, bytes));
    if (s->is_checksum_bad)
        tcp->cksum.wire ^= 0x0100;
    uint8_t ecn = s->ecn == SCRIPT_ECN_ANY ? 0 : s->ecn;
    return bytes + put_ip(ret, &ends->src, &ends->dst, IPPROTO_NUM_TCP, ecn, bytes);
}

/* Type and code of each error. */
static struct wire_icmp icmp_head(bool is_v6, enum script_icmp icmp, uint16_t mtu)
{
    static const uint8_t v4[][2] = {{ICMP4_UNREACHABLE, 0},
                                    {ICMP4_UNREACHABLE, 1},
                                    {ICMP4_UNREACHABLE, 3},
                                    {ICMP4_UNREACHABLE, ICMP4_CODE_FRAGMENTATION_NEEDED},
                                    {ICMP4_TIME_EXCEEDED, 0}};
    static const uint8_t v6[][2] = {{ICMP6_UNREACHABLE, 0},
                                    {ICMP6_UNREACHABLE, 3},
                                    {ICMP6_UNREACHABLE, 4},
                                    {ICMP6_TOO_BIG, 0},
                                    {ICMP6_TIME_EXCEEDED, 0}};
    ASSERT(icmp < array_len(v4));
    struct wire_icmp head = {.type = is_v6 ? v6[icmp][0] : v4[icmp][0],
                             .code = is_v6 ? v6[icmp][1] : v4[icmp][1]};
    if (is_v6)
        head.mtu6 = be32(mtu);
    else
        head.mtu = be16(mtu);
    return head;
}

size_t wire_build_icmp(const struct wire_ends *quoted, const struct ip_addr *router,
                       enum script_icmp icmp, uint16_t mtu, uint32_t seq, uint8_t *ret)
{
    bool is_v6 = !ip_addr_is_v4(router);
    struct wire_icmp *head = (void *)(ret + ip_bytes(router));
    uint8_t *quote = (uint8_t *)(head + 1);
    *head = icmp_head(is_v6, icmp, mtu);
    size_t bytes = sizeof(*head);
    bytes += put_ip(quote, &quoted->src, &quoted->dst, IPPROTO_NUM_TCP, 0, 1000);
    struct tcp_wire tcp = {.src_port = be16(quoted->src_port),
                           .dst_port = be16(quoted->dst_port),
                           .seq = be32(seq),
                           .offset = 5 << 4,
                           .flags = TCP_ACK};
    memcpy(ret + ip_bytes(router) + bytes, &tcp, sizeof(tcp));
    bytes += sizeof(tcp);
    uint32_t sum = 0;
    if (is_v6)
        sum = cksum_add_pseudo(0, router, &quoted->src, IPPROTO_NUM_ICMP6, (uint32_t)bytes);
    head->cksum = cksum_close(cksum_add(sum, head, bytes));
    return bytes + put_ip(ret, router, &quoted->src, is_v6 ? IPPROTO_NUM_ICMP6 : IPPROTO_NUM_ICMP4,
                          0, bytes);
}

/* Addresses and ECN out of the IP header; *ret_bytes is what it carries. Returns where that is;
 * NULL: with the reason. */
static const uint8_t *read_ip(const uint8_t *packet, size_t bytes, struct wire_ends *ends,
                              uint8_t *ret_ecn, size_t *ret_bytes, const char **ret_fault)
{
    const struct wire_ip4 *ip4 = (const void *)packet;
    const struct wire_ip6 *ip6 = (const void *)packet;
    if (bytes >= sizeof(*ip4) && packet[0] >> 4 == 4 && ip4->proto == IPPROTO_NUM_TCP) {
        ends->src = ip_addr_from_v4(ip4->src);
        ends->dst = ip_addr_from_v4(ip4->dst);
        *ret_ecn = ip4->tos & 3;
        *ret_bytes = be16_host(ip4->total_bytes) - sizeof(*ip4);
        if (!cksum_is_good(cksum_add(0, ip4, sizeof(*ip4))))
            *ret_fault = "an IPv4 header with a wrong checksum";
        if (bytes != be16_host(ip4->total_bytes))
            *ret_fault = "an IPv4 header with a wrong length";
        return packet + sizeof(*ip4);
    }
    if (bytes >= sizeof(*ip6) && packet[0] >> 4 == 6 && ip6->next == IPPROTO_NUM_TCP) {
        ends->src = ip_addr_from_v6(ip6->src);
        ends->dst = ip_addr_from_v6(ip6->dst);
        *ret_ecn = (uint8_t)(be32_host(ip6->version_class_flow) >> 20 & 3);
        *ret_bytes = be16_host(ip6->payload_bytes);
        if (bytes != sizeof(*ip6) + *ret_bytes)
            *ret_fault = "an IPv6 header with a wrong length";
        return packet + sizeof(*ip6);
    }
    *ret_fault = "a packet that is no TCP segment";
    return NULL;
}

const char *wire_parse(const uint8_t *packet, size_t bytes, struct wire_ends *ret_ends,
                       struct script_segment *ret, const uint8_t **ret_payload)
{
    const char *fault = NULL;
    size_t l4_bytes = 0;
    *ret = (struct script_segment){.has_window = true, .has_options = true};
    const uint8_t *at = read_ip(packet, bytes, ret_ends, &ret->ecn, &l4_bytes, &fault);
    if (fault != NULL)
        return fault;
    const struct tcp_wire *tcp = (const void *)at;
    size_t header = l4_bytes < sizeof(*tcp) ? 0 : (size_t)(tcp->offset >> 4) * 4;
    if (header < sizeof(*tcp) || header > l4_bytes)
        return "a TCP header with a wrong length";
    uint32_t sum =
        cksum_add_pseudo(0, &ret_ends->src, &ret_ends->dst, IPPROTO_NUM_TCP, (uint32_t)l4_bytes);
    if (!cksum_is_good(cksum_add(sum, at, l4_bytes)))
        return "a segment with a wrong checksum";
    if (!tcp_options_parse(at + sizeof(*tcp), (unsigned)(header - sizeof(*tcp)), &ret->options))
        return "a segment with malformed options";
    ret_ends->src_port = be16_host(tcp->src_port);
    ret_ends->dst_port = be16_host(tcp->dst_port);
    ret->flags = tcp->flags;
    ret->seq = be32_host(tcp->seq);
    ret->ack = be32_host(tcp->ack);
    ret->len = (uint32_t)(l4_bytes - header);
    ret->window = be16_host(tcp->window);
    ret->urgent = be16_host(tcp->urgent);
    *ret_payload = at + header;
    return NULL;
}
