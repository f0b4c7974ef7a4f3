/* SPDX-License-Identifier: Apache-2.0 */
/* The frame builder of net's tests. Checksums by DPDK, so that ours are tested against them. */
#include "packet.h"

#include "base/assert.h"

#include <rte_ip.h>
#include <rte_tcp.h>
#include <stdio.h>
#include <string.h>

struct ether_mac mac_of(const char *text)
{
    struct ether_mac mac;
    unsigned b[6];
    int n = sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]);
    ASSERT(n == 6);
    for (unsigned i = 0; i < 6; i++)
        mac.bytes[i] = (uint8_t)b[i];
    return mac;
}

struct ip_addr addr_of(const char *text)
{
    struct ip_addr a;
    bool is_good = ip_addr_parse(text, &a);
    ASSERT(is_good);
    return a;
}

static uint8_t *grow(struct packet *p, unsigned len)
{
    ASSERT(p->len + len <= PACKET_BYTES_MAX);
    uint8_t *at = &p->bytes[p->len];
    memset(at, 0, len);
    p->len += len;
    return at;
}

static void put16(uint8_t *at, unsigned v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
    put16(at, v >> 16);
    put16(at + 2, v & 0xffff);
}

static void put_mac(uint8_t *at, const char *text)
{
    struct ether_mac mac = mac_of(text);
    memcpy(at, mac.bytes, 6);
}

static void put_ip4(uint8_t *at, const char *text)
{
    struct ip_addr a = addr_of(text);
    ASSERT(ip_addr_is_v4(&a));
    memcpy(at, &a.bytes[12], 4);
}

struct packet packet_eth(const char *dst, const char *src)
{
    struct packet p = {0};
    uint8_t *at = grow(&p, 14);
    put_mac(at, dst);
    put_mac(at + 6, src);
    p.type_at = 12;
    return p;
}

void packet_vlan(struct packet *p, uint16_t id)
{
    put16(&p->bytes[p->type_at], 0x8100);
    put16(grow(p, 4), id);
    p->type_at = p->len - 2;
}

void packet_arp(struct packet *p, uint16_t operation, const char *sender_mac, const char *sender,
                const char *target)
{
    put16(&p->bytes[p->type_at], 0x0806);
    p->l4_at = p->len;
    uint8_t *at = grow(p, 28);
    put16(at, 1);
    put16(at + 2, 0x0800);
    at[4] = 6;
    at[5] = 4;
    put16(at + 6, operation);
    put_mac(at + 8, sender_mac);
    put_ip4(at + 14, sender);
    put_ip4(at + 24, target);
}

void packet_ip4(struct packet *p, const char *src, const char *dst, uint8_t proto)
{
    put16(&p->bytes[p->type_at], 0x0800);
    p->ip_at = p->len;
    p->proto = proto;
    uint8_t *at = grow(p, 20);
    at[0] = 0x45;
    at[8] = 64;
    at[9] = proto;
    put_ip4(at + 12, src);
    put_ip4(at + 16, dst);
    p->l4_at = p->len;
}

void packet_ip6(struct packet *p, const char *src, const char *dst, uint8_t hop_limit)
{
    put16(&p->bytes[p->type_at], 0x86dd);
    p->ip_at = p->len;
    p->next_at = p->len + 6;
    uint8_t *at = grow(p, 40);
    at[0] = 0x60;
    at[6] = 59; /* nothing follows, unless something is added */
    at[7] = hop_limit;
    struct ip_addr a = addr_of(src);
    memcpy(at + 8, a.bytes, 16);
    a = addr_of(dst);
    memcpy(at + 24, a.bytes, 16);
    p->l4_at = p->len;
}

static void set_proto(struct packet *p, uint8_t proto)
{
    p->proto = proto;
    if (p->next_at != 0)
        p->bytes[p->next_at] = proto;
}

unsigned packet_ext(struct packet *p, uint8_t proto, unsigned bytes)
{
    set_proto(p, proto);
    unsigned place = p->len;
    uint8_t *at = grow(p, bytes);
    at[0] = 59;
    at[1] = (uint8_t)(bytes / 8 - 1);
    p->next_at = place;
    p->l4_at = p->len;
    return place;
}

void packet_tcp(struct packet *p, uint16_t src_port, uint16_t dst_port, const char *payload)
{
    set_proto(p, 6);
    p->l4_at = p->len;
    uint8_t *at = grow(p, 20);
    put16(at, src_port);
    put16(at + 2, dst_port);
    put32(at + 4, 0x01020304);
    at[12] = 0x50;
    at[13] = 0x02;
    p->cksum_at = p->l4_at + 16;
    packet_bytes(p, payload, (unsigned)strlen(payload));
}

void packet_udp(struct packet *p, uint16_t src_port, uint16_t dst_port, const void *payload,
                unsigned len)
{
    set_proto(p, 17);
    p->l4_at = p->len;
    uint8_t *at = grow(p, 8);
    put16(at, src_port);
    put16(at + 2, dst_port);
    put16(at + 4, 8 + len);
    p->cksum_at = p->l4_at + 6;
    packet_bytes(p, payload, len);
}

struct packet packet_fragment(const struct packet *whole, uint32_t id, unsigned first, unsigned end,
                              bool has_more)
{
    struct packet p = *whole;
    bool is_v4 = whole->next_at == 0;
    p.len = whole->ip_at + (is_v4 ? 20 : 40);
    ASSERT(first % 8 == 0 && p.len == whole->l4_at && p.len + end <= whole->len);
    if (is_v4) {
        put16(&p.bytes[p.ip_at + 4], id);
        put16(&p.bytes[p.ip_at + 6], first / 8 | (has_more ? 0x2000u : 0));
    } else {
        unsigned at = packet_ext(&p, 44, 8);
        p.bytes[at] = whole->proto;
        p.bytes[at + 1] = 0;
        put16(&p.bytes[at + 2], first | has_more);
        put32(&p.bytes[at + 4], id);
    }
    p.cksum_at = 0; /* it was closed as a whole */
    packet_bytes(&p, &whole->bytes[whole->l4_at + first], end - first);
    packet_close(&p);
    return p;
}

void packet_icmp(struct packet *p, uint8_t type, uint8_t code, uint32_t rest)
{
    if (p->next_at != 0)
        set_proto(p, 58);
    p->l4_at = p->len;
    uint8_t *at = grow(p, 8);
    at[0] = type;
    at[1] = code;
    put32(at + 4, rest);
    p->cksum_at = p->l4_at + 2;
}

void packet_nd(struct packet *p, uint8_t type, uint32_t flags, const char *target, const char *mac)
{
    packet_icmp(p, type, 0, flags);
    struct ip_addr a = addr_of(target);
    packet_bytes(p, a.bytes, 16);
    if (mac == NULL)
        return;
    uint8_t *at = grow(p, 8);
    at[0] = type == 135 ? 1 : 2;
    at[1] = 1;
    put_mac(at + 2, mac);
}

void packet_bytes(struct packet *p, const void *data, unsigned len)
{
    memcpy(grow(p, len), data, len);
}

static void close_ip4(struct packet *p)
{
    struct rte_ipv4_hdr *ip = (void *)&p->bytes[p->ip_at];
    put16((uint8_t *)&ip->total_length, p->len - p->ip_at);
    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    if (p->cksum_at == 0)
        return;
    uint16_t cksum = 0;
    memcpy(&p->bytes[p->cksum_at], &cksum, 2);
    if (p->proto == 6 || p->proto == 17)
        cksum = rte_ipv4_udptcp_cksum(ip, &p->bytes[p->l4_at]);
    else
        cksum = (uint16_t)~rte_raw_cksum(&p->bytes[p->l4_at], p->len - p->l4_at);
    memcpy(&p->bytes[p->cksum_at], &cksum, 2);
}

static void close_ip6(struct packet *p)
{
    struct rte_ipv6_hdr *ip = (void *)&p->bytes[p->ip_at];
    put16((uint8_t *)&ip->payload_len, p->len - p->ip_at - 40);
    if (p->cksum_at == 0)
        return;
    uint16_t cksum = 0;
    memcpy(&p->bytes[p->cksum_at], &cksum, 2);
    /* As if there were no extension headers: their bytes are not covered. */
    struct rte_ipv6_hdr bare = *ip;
    put16((uint8_t *)&bare.payload_len, p->len - p->l4_at);
    bare.proto = p->proto;
    cksum = rte_ipv6_udptcp_cksum(&bare, &p->bytes[p->l4_at]);
    memcpy(&p->bytes[p->cksum_at], &cksum, 2);
}

void packet_close(struct packet *p)
{
    if (p->ip_at == 0)
        return;
    if (p->next_at == 0)
        close_ip4(p);
    else
        close_ip6(p);
}
