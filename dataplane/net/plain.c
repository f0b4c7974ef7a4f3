/* SPDX-License-Identifier: Apache-2.0 */
/* See plain.h. */
#include "net/plain.h"

#include <rte_mbuf.h>

/* The length of the IPv4 packet; 0: not of the plain kind. */
static uint32_t ip4_bytes(const struct wire_ip4 *ip)
{
    bool is_plain = ip->version_ihl == 0x45 && (be16_host(ip->fragment) & IP4_FRAGMENT_MASK) == 0;
    return is_plain ? be16_host(ip->total_bytes) : 0;
}

/* Likewise of the IPv6 packet. */
static uint32_t ip6_bytes(const struct wire_ip6 *ip)
{
    bool is_plain = be32_host(ip->version_class_flow) >> 28 == 6;
    return is_plain ? be16_host(ip->payload_bytes) + (uint32_t)sizeof(*ip) : 0;
}

/* What there is of the header above IP at least; 0: it is another protocol's. */
static uint32_t upper_bytes(uint8_t proto)
{
    if (proto == IPPROTO_NUM_TCP)
        return PLAIN_TCP_HEADER_BYTES;
    return proto == IPPROTO_NUM_UDP ? sizeof(struct wire_udp) : 0;
}

bool plain_find(const struct rte_mbuf *m, struct plain *ret)
{
    const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
    const struct wire_eth *eth = (const void *)frame;
    uint32_t at = sizeof(*eth);
    if (m->data_len < at + sizeof(struct wire_vlan_tag))
        return false;
    be16_t type = eth->type;
    if (be16_host(type) == ETHERTYPE_VLAN) {
        type = ((const struct wire_vlan_tag *)(frame + at))->type;
        at += (uint32_t)sizeof(struct wire_vlan_tag);
    }
    bool is_ip4 = be16_host(type) == ETHERTYPE_IP4;
    uint32_t header = is_ip4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
    if ((!is_ip4 && be16_host(type) != ETHERTYPE_IP6) || m->data_len < at + header)
        return false;
    const struct wire_ip4 *ip4 = (const void *)(frame + at);
    const struct wire_ip6 *ip6 = (const void *)(frame + at);
    uint8_t proto = is_ip4 ? ip4->proto : ip6->next;
    uint32_t bytes = is_ip4 ? ip4_bytes(ip4) : ip6_bytes(ip6);
    uint32_t upper = upper_bytes(proto);
    *ret = (struct plain){.l3 = frame + at,
                          .l4 = frame + at + header,
                          .packet_bytes = bytes,
                          .l3_at = (uint16_t)at,
                          .l4_at = (uint16_t)(at + header),
                          .proto = proto,
                          .is_ip4 = is_ip4};
    return upper > 0 && m->data_len >= at + header + upper && bytes >= header + upper &&
           bytes <= m->pkt_len - at;
}
