/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gate needs to know of a frame: who sent it, to which end of ours. Nothing is checked but
 * what keeps reads within the frame's first segment: net, which comes later, judges it. So what is
 * broken may be taken for something else here, and is dropped there.
 */
#include "gate/gate_priv.h"
#include "net/ip6_ext.h"
#include "net/net_wire.h"

#include <rte_mbuf.h>
#include <string.h>

/* Bytes of a frame, and where the reader stands. */
struct bytes {
    const uint8_t *at;
    uint32_t left;
};

/* Steps over a header; NULL: it is not all there. */
static const void *take(struct bytes *b, uint32_t n)
{
    const uint8_t *header = b->at;
    if (b->left < n)
        return NULL;
    b->at += n;
    b->left -= n;
    return header;
}

static enum gate_kind kind_of_icmp4(uint8_t type)
{
    return type == ICMP4_ECHO ? GATE_PACKET : GATE_ERROR;
}

static enum gate_kind kind_of_icmp6(uint8_t type)
{
    bool is_of_link =
        (type >= ICMP6_MLD_QUERY && type <= ICMP6_REDIRECT) || type == ICMP6_MLD_REPORT_V2;
    if (is_of_link)
        return GATE_NEIGHBOR;
    return type == ICMP6_ECHO ? GATE_PACKET : GATE_ERROR;
}

/* The first bytes above IP. */
static void read_upper(struct bytes b, struct gate_look *ret)
{
    be16_t ports[2];
    if (b.left < sizeof(ports))
        return;
    if (ret->proto == IPPROTO_NUM_TCP || ret->proto == IPPROTO_NUM_UDP) {
        memcpy(ports, b.at, sizeof(ports));
        ret->port = be16_host(ports[1]);
        ret->has_port = true;
    } else if (ret->proto == IPPROTO_NUM_ICMP4 && ip_addr_is_v4(&ret->src)) {
        ret->kind = kind_of_icmp4(b.at[0]);
    } else if (ret->proto == IPPROTO_NUM_ICMP6) {
        ret->kind = kind_of_icmp6(b.at[0]);
    }
}

static bool read_ip4(struct bytes b, struct gate_look *ret)
{
    const struct wire_ip4 *ip = take(&b, sizeof(*ip));
    if (ip == NULL)
        return false;
    uint32_t header_bytes = (ip->version_ihl & 0xfu) * 4;
    *ret = (struct gate_look){
        .src = ip_addr_from_v4(ip->src), .dst = ip_addr_from_v4(ip->dst), .proto = ip->proto};
    bool is_whole = (be16_host(ip->fragment) & IP4_FRAGMENT_MASK) == 0;
    if (is_whole && header_bytes >= sizeof(*ip) &&
        take(&b, header_bytes - (uint32_t)sizeof(*ip)) != NULL)
        read_upper(b, ret);
    return true;
}

static bool read_ip6(struct bytes b, struct gate_look *ret)
{
    struct bytes packet = b;
    const struct wire_ip6 *ip = take(&b, sizeof(*ip));
    if (ip == NULL)
        return false;
    struct ip6_walk w = {.bytes = packet.at,
                         .len = packet.left,
                         .offset = sizeof(*ip),
                         .next_at = IP6_NEXT_AT,
                         .proto = ip->next};
    bool is_whole = ip6_walk(&w) == IP6_WALK_UPPER;
    *ret = (struct gate_look){
        .src = ip_addr_from_v6(ip->src), .dst = ip_addr_from_v6(ip->dst), .proto = w.proto};
    if (is_whole && take(&packet, w.offset) != NULL)
        read_upper(packet, ret);
    return true;
}

bool gate_read(const struct rte_mbuf *m, struct gate_look *ret)
{
    struct bytes b = {rte_pktmbuf_mtod(m, const uint8_t *), m->data_len};
    const struct wire_eth *eth = take(&b, sizeof(*eth));
    if (eth == NULL)
        return false;
    uint16_t type = be16_host(eth->type);
    bool has_tag = type == ETHERTYPE_VLAN && (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0;
    const struct wire_vlan_tag *tag = has_tag ? take(&b, sizeof(*tag)) : NULL;
    if (has_tag && tag == NULL)
        return false;
    if (has_tag)
        type = be16_host(tag->type);
    if (type == ETHERTYPE_IP4)
        return read_ip4(b, ret);
    return type == ETHERTYPE_IP6 && read_ip6(b, ret);
}
