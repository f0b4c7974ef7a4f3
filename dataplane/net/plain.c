/* SPDX-License-Identifier: Apache-2.0 */
/* See plain.h. */
#include "net/plain.h"

#include <rte_mbuf.h>

#define NO_PACKET 0x10000u /* no packet has room for so much behind its header of IP */

/* What there is of the header above IP at least; of other protocols more than there can be. */
static inline uint32_t upper_bytes(uint8_t proto)
{
    if (proto == IPPROTO_NUM_TCP)
        return PLAIN_TCP_HEADER_BYTES;
    return proto == IPPROTO_NUM_UDP ? sizeof(struct wire_udp) : NO_PACKET;
}

/* The rest, where the header of IP has `header` bytes and the packet `bytes`. */
static inline bool find_upper(const struct rte_mbuf *m, uint32_t header, uint32_t bytes,
                              struct plain *ret)
{
    uint32_t least = header + upper_bytes(ret->proto);
    ret->l4 = ret->l3 + header;
    ret->l4_at = (uint16_t)(ret->l3_at + header);
    ret->packet_bytes = bytes;
    return bytes >= least && m->data_len >= ret->l3_at + least && bytes <= m->pkt_len - ret->l3_at;
}

static inline bool find_ip4(const struct rte_mbuf *m, struct plain *ret)
{
    const struct wire_ip4 *ip = (const void *)ret->l3;
    if (m->data_len < ret->l3_at + sizeof(*ip) || ip->version_ihl != 0x45 ||
        (be16_host(ip->fragment) & IP4_FRAGMENT_MASK) != 0)
        return false;
    ret->is_ip4 = true;
    ret->proto = ip->proto;
    return find_upper(m, sizeof(*ip), be16_host(ip->total_bytes), ret);
}

static inline bool find_ip6(const struct rte_mbuf *m, struct plain *ret)
{
    const struct wire_ip6 *ip = (const void *)ret->l3;
    if (m->data_len < ret->l3_at + sizeof(*ip) || be32_host(ip->version_class_flow) >> 28 != 6)
        return false;
    ret->is_ip4 = false;
    ret->proto = ip->next;
    return find_upper(m, sizeof(*ip), be16_host(ip->payload_bytes) + (uint32_t)sizeof(*ip), ret);
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
    ret->l3 = frame + at;
    ret->l3_at = (uint16_t)at;
    if (be16_host(type) == ETHERTYPE_IP4)
        return find_ip4(m, ret);
    return be16_host(type) == ETHERTYPE_IP6 && find_ip6(m, ret);
}
