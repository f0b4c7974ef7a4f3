/* SPDX-License-Identifier: Apache-2.0 */
/* See mld_send.h. */
#include "net/mld_send.h"

#include "base/assert.h"
#include "net/cksum.h"
#include "net/net_priv.h"

#include <string.h>

static const struct ip_addr all_routers = {{0xff, 0x02, [15] = 0x02}};    /* RFC 2710, section 5 */
static const struct ip_addr all_routers_v2 = {{0xff, 0x02, [15] = 0x16}}; /* RFC 3810, 5.2.14 */

/* Header with router alert (RFC 2711), hop limit 1, and the checksum; `m` is the message. While the
 * interface's own address is not in use nobody sends it (RFC 3590; RFC 3810, section 5.2.13): for
 * switches, so that they let through what answers the questions for it. */
static void send_mld(struct net *n, const struct net_iface *iface, const struct ip_addr *dst,
                     struct rte_mbuf *m)
{
    static const uint8_t router_alert[] = {IPPROTO_NUM_ICMP6, 0, 5, 2, 0, 0, 1, 0};
    struct ip_addr src = iface->is_held ? (struct ip_addr){0} : iface->link_local;
    struct wire_icmp *icmp = rte_pktmbuf_mtod(m, struct wire_icmp *);
    uint32_t sum = cksum_add_pseudo(0, &src, dst, IPPROTO_NUM_ICMP6, m->pkt_len);
    icmp->cksum = cksum_close(cksum_add_mbuf(sum, m, 0));
    void *hop_by_hop = rte_pktmbuf_prepend(m, sizeof(router_alert));
    ASSERT(hop_by_hop != NULL);
    memcpy(hop_by_hop, router_alert, sizeof(router_alert));
    struct output_header h = {
        .src = &src, .dst = dst, .proto = IPPROTO_NUM_HOP_BY_HOP, .hop_limit = MLD_HOP_LIMIT};
    bool has_room = output_ip_header(m, &h);
    ASSERT(has_room);
    struct ether_mac mac = nd_group_mac(dst);
    stat_inc(n->core, STAT_net_mld_reports);
    eth_output(n, iface, &mac, ETHERTYPE_IP6, m);
}

bool mld_send_v1(struct net *n, const struct net_iface *iface, uint8_t type,
                 const struct ip_addr *group)
{
    ASSERT_HOT(type == ICMP6_MLD_REPORT_V1 || type == ICMP6_MLD_DONE);
    void *body;
    struct rte_mbuf *m = output_new(n, sizeof(struct wire_mld), &body);
    if (m == NULL)
        return false;
    struct wire_mld *message = body;
    *message = (struct wire_mld){.type = type};
    memcpy(message->group, group->bytes, 16);
    send_mld(n, iface, type == ICMP6_MLD_DONE ? &all_routers : group, m);
    return true;
}

bool mld_send_records(struct net *n, const struct net_iface *iface,
                      const struct wire_mld_record *records, uint32_t n_records)
{
    ASSERT(n_records > 0 && n_records <= NET_MLD_RECORDS_MAX);
    void *body;
    uint32_t bytes = n_records * (uint32_t)sizeof(records[0]);
    struct rte_mbuf *m = output_new(n, (uint32_t)sizeof(struct wire_icmp) + bytes, &body);
    if (m == NULL)
        return false;
    struct wire_icmp *report = body;
    *report = (struct wire_icmp){.type = ICMP6_MLD_REPORT_V2};
    report->mtu6 = be32(n_records); /* the low 16 bits; the others are reserved */
    memcpy(report + 1, records, bytes);
    send_mld(n, iface, &all_routers_v2, m);
    return true;
}
