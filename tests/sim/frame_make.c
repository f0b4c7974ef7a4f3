/* SPDX-License-Identifier: Apache-2.0 */
/* Frames put together from the outside in. */
#include "frame_make.h"

#include "base/assert.h"
#include "frame.h"
#include "net/net_wire.h"

#include <string.h>

#define TCP_BYTES 20u
#define TCP_OPTIONS_MAX 40u
#define OPTION_NOP 1u

/* Ethernet and IP headers for `bytes` behind them; returns their length. */
static size_t put_headers(uint8_t *ret, const struct frame_ends *ends, uint16_t type)
{
    size_t at = 12;
    memcpy(ret, ends->dst_mac.bytes, 6);
    memcpy(ret + 6, ends->src_mac.bytes, 6);
    if (ends->vlan != 0) {
        frame_put16(ret + at, ETHERTYPE_VLAN);
        frame_put16(ret + at + 2, ends->vlan);
        at += 4;
    }
    frame_put16(ret + at, type);
    return at + 2;
}

static size_t put_ip4(uint8_t *ret, const struct frame_ends *ends, uint8_t proto, size_t bytes,
                      uint32_t id, uint16_t fragment)
{
    struct wire_ip4 ip = {.version_ihl = 0x45,
                          .total_bytes = be16((uint16_t)(sizeof(ip) + bytes)),
                          .id = be16((uint16_t)id),
                          .fragment = be16(fragment),
                          .ttl = 64,
                          .proto = proto};
    memcpy(ip.src, &ends->src.bytes[12], 4);
    memcpy(ip.dst, &ends->dst.bytes[12], 4);
    memcpy(ret, &ip, sizeof(ip));
    return sizeof(ip);
}

static size_t put_ip6(uint8_t *ret, const struct frame_ends *ends, uint8_t proto, size_t bytes,
                      uint8_t hop_limit)
{
    struct wire_ip6 ip = {.version_class_flow = be32(6u << 28),
                          .payload_bytes = be16((uint16_t)bytes),
                          .next = proto,
                          .hop_limit = hop_limit};
    memcpy(ip.src, ends->src.bytes, 16);
    memcpy(ip.dst, ends->dst.bytes, 16);
    memcpy(ret, &ip, sizeof(ip));
    return sizeof(ip);
}

static size_t fitting(size_t used, size_t bytes)
{
    return bytes < FRAME_BYTES_MAX - used ? bytes : FRAME_BYTES_MAX - used;
}

static void put_payload(uint8_t *at, const void *payload, size_t bytes)
{
    if (payload != NULL)
        memcpy(at, payload, bytes);
    else
        memset(at, 0, bytes);
}

static size_t put_ip(uint8_t *ret, const struct frame_ends *ends, uint8_t proto, size_t bytes)
{
    bool is_v4 = ip_addr_is_v4(&ends->dst);
    ASSERT(ip_addr_is_v4(&ends->src) == is_v4);
    size_t at = put_headers(ret, ends, is_v4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
    uint8_t hops = proto == IPPROTO_NUM_ICMP6 ? ND_HOP_LIMIT : 64;
    return at + (is_v4 ? put_ip4(ret + at, ends, proto, bytes, 0, IP4_DONT_FRAGMENT)
                       : put_ip6(ret + at, ends, proto, bytes, hops));
}

size_t frame_make_ip(uint8_t *ret, const struct frame_ends *ends, uint8_t proto,
                     const void *payload, size_t bytes)
{
    bytes = fitting(58, bytes);
    size_t at = put_ip(ret, ends, proto, bytes);
    put_payload(ret + at, payload, bytes);
    frame_close(ret, at + bytes);
    return at + bytes;
}

size_t frame_make_tcp(uint8_t *ret, const struct frame_ends *ends, const struct frame_tcp *tcp)
{
    uint8_t segment[FRAME_BYTES_MAX];
    size_t options = tcp->options_bytes < TCP_OPTIONS_MAX ? tcp->options_bytes : TCP_OPTIONS_MAX;
    size_t header = TCP_BYTES + (options + 3) / 4 * 4;
    size_t payload = fitting(58 + header, tcp->payload_bytes);
    memset(segment, OPTION_NOP, header);
    frame_put16(segment, tcp->src_port);
    frame_put16(segment + 2, tcp->dst_port);
    frame_put32(segment + 4, tcp->seq);
    frame_put32(segment + 8, tcp->ack);
    segment[12] = (uint8_t)(header / 4 << 4);
    segment[13] = tcp->flags;
    frame_put16(segment + 14, tcp->window);
    frame_put32(segment + 16, 0);
    if (options > 0)
        memcpy(segment + TCP_BYTES, tcp->options, options);
    put_payload(segment + header, tcp->payload, payload);
    return frame_make_ip(ret, ends, IPPROTO_NUM_TCP, segment, header + payload);
}

size_t frame_make_icmp(uint8_t *ret, const struct frame_ends *ends, uint8_t type, uint8_t code,
                       uint32_t rest, const void *payload, size_t bytes)
{
    uint8_t message[FRAME_BYTES_MAX] = {type, code};
    bytes = fitting(58 + 8, bytes);
    frame_put32(message + 4, rest);
    put_payload(message + 8, payload, bytes);
    uint8_t proto = ip_addr_is_v4(&ends->dst) ? IPPROTO_NUM_ICMP4 : IPPROTO_NUM_ICMP6;
    return frame_make_ip(ret, ends, proto, message, 8 + bytes);
}

size_t frame_make_fragment(uint8_t *ret, const struct frame_ends *ends, uint8_t proto, uint32_t id,
                           uint32_t offset, bool has_more, const void *payload, size_t bytes)
{
    bool is_v4 = ip_addr_is_v4(&ends->dst);
    ASSERT(offset % 8 == 0 && offset < 65536);
    bytes = fitting(66, bytes);
    size_t at = put_headers(ret, ends, is_v4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
    if (is_v4) {
        uint16_t field = (uint16_t)(offset / 8 | (has_more ? 0x2000u : 0));
        at += put_ip4(ret + at, ends, proto, bytes, id, field);
    } else {
        struct wire_ip6_fragment f = {
            .next = proto, .offset_more = be16((uint16_t)(offset | has_more)), .id = be32(id)};
        at += put_ip6(ret + at, ends, IPPROTO_NUM_FRAGMENT, sizeof(f) + bytes, 64);
        memcpy(ret + at, &f, sizeof(f));
        at += sizeof(f);
    }
    put_payload(ret + at, payload, bytes);
    frame_close(ret, at + bytes);
    return at + bytes;
}

size_t frame_make_arp(uint8_t *ret, const struct frame_ends *ends, uint16_t operation)
{
    struct wire_arp arp = {.hardware = be16(ARP_HARDWARE_ETHERNET),
                           .protocol = be16(ETHERTYPE_IP4),
                           .hardware_bytes = 6,
                           .protocol_bytes = 4,
                           .operation = be16(operation),
                           .sender_mac = ends->src_mac};
    memcpy(arp.sender_ip, &ends->src.bytes[12], 4);
    memcpy(arp.target_ip, &ends->dst.bytes[12], 4);
    if (operation == ARP_REPLY)
        arp.target_mac = ends->dst_mac;
    size_t at = put_headers(ret, ends, ETHERTYPE_ARP);
    memcpy(ret + at, &arp, sizeof(arp));
    return at + sizeof(arp);
}

size_t frame_make_nd(uint8_t *ret, const struct frame_ends *ends, uint8_t type, uint32_t flags,
                     const struct ip_addr *target)
{
    struct {
        uint8_t target[16];
        struct wire_nd_lladdr_option option;
    } __attribute__((packed))
    rest = {.option = {.type = type == ICMP6_SOLICIT ? ND_OPTION_SOURCE_LLADDR
                                                     : ND_OPTION_TARGET_LLADDR,
                       .length = 1,
                       .mac = ends->src_mac}};
    memcpy(rest.target, target->bytes, 16);
    return frame_make_icmp(ret, ends, type, 0, flags, &rest, sizeof(rest));
}
