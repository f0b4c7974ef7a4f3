/* SPDX-License-Identifier: Apache-2.0 */
/* See plain_tcp.h. */
#include "net/plain_tcp.h"

#include "net/net_wire.h"

#include <rte_mbuf.h>

/* The length of the IPv4 packet; 0: not of the plain kind. */
static uint32_t ip4_bytes(const struct wire_ip4 *ip)
{
    bool is_plain = ip->version_ihl == 0x45 && ip->proto == IPPROTO_NUM_TCP &&
                    (be16_host(ip->fragment) & IP4_FRAGMENT_MASK) == 0;
    return is_plain ? be16_host(ip->total_bytes) : 0;
}

/* Likewise of the IPv6 packet. */
static uint32_t ip6_bytes(const struct wire_ip6 *ip)
{
    bool is_plain = ip->next == IPPROTO_NUM_TCP && be32_host(ip->version_class_flow) >> 28 == 6;
    return is_plain ? be16_host(ip->payload_bytes) + (uint32_t)sizeof(*ip) : 0;
}

bool plain_tcp_find(const struct rte_mbuf *m, struct plain_tcp *ret)
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
    if ((!is_ip4 && be16_host(type) != ETHERTYPE_IP6) ||
        m->data_len < at + header + PLAIN_TCP_HEADER_BYTES)
        return false;
    uint32_t bytes =
        is_ip4 ? ip4_bytes((const void *)(frame + at)) : ip6_bytes((const void *)(frame + at));
    *ret = (struct plain_tcp){.l3 = frame + at,
                              .l4 = frame + at + header,
                              .packet_bytes = bytes,
                              .l3_at = (uint16_t)at,
                              .l4_at = (uint16_t)(at + header),
                              .is_ip4 = is_ip4};
    return bytes >= header + PLAIN_TCP_HEADER_BYTES && bytes <= m->pkt_len - at;
}
