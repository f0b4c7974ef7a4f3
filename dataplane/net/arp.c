/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARP (RFC 826, RFC 5227). A sender must be an address of the interface's own prefixes, never one
 * of ours, never from a group MAC; what passes is learned by every worker, but only the worker that
 * received the frame answers it. Owner: struct net. Thread: the worker. Station: after eth.
 */
#include "base/assert.h"
#include "net/net_priv.h"

#include <string.h>

static const struct ether_mac everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static bool send_arp(struct net *n, const struct net_iface *iface, const struct ether_mac *to,
                     const struct wire_arp *content)
{
    void *body;
    ASSERT_HOT(!ether_mac_is_nobody(&iface->mac));
    struct rte_mbuf *m = output_new(n, sizeof(struct wire_arp), &body);
    if (m == NULL)
        return false;
    struct wire_arp *arp = body;
    *arp = *content;
    arp->hardware = be16(ARP_HARDWARE_ETHERNET);
    arp->protocol = be16(ETHERTYPE_IP4);
    arp->hardware_bytes = sizeof(struct ether_mac);
    arp->protocol_bytes = 4;
    arp->sender_mac = iface->mac;
    stat_inc(n->core, STAT_net_tx_arp);
    eth_output(n, iface, to, ETHERTYPE_ARP, m);
    return true;
}

bool arp_request(struct net *n, const struct net_iface *iface, const struct ip_addr *target,
                 const struct ether_mac *to)
{
    ASSERT_HOT(ip_addr_is_v4(target));
    struct wire_arp arp = {.operation = be16(ARP_REQUEST)};
    /* Without an address there the sender stays 0: a probe, which is answered as well. */
    const struct path_entry *e = path_find_on_link(&n->now->paths, iface->index, target);
    if (e != NULL && net_is_local(n, &e->source))
        memcpy(arp.sender_ip, &e->source.bytes[12], 4);
    memcpy(arp.target_ip, &target->bytes[12], 4);
    return send_arp(n, iface, to != NULL ? to : &everybody, &arp);
}

bool arp_probe(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    ASSERT_HOT(ip_addr_is_v4(addr));
    struct wire_arp arp = {.operation = be16(ARP_REQUEST)};
    memcpy(arp.target_ip, &addr->bytes[12], 4);
    return send_arp(n, iface, &everybody, &arp);
}

bool arp_announce(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    ASSERT_HOT(ip_addr_is_v4(addr));
    struct wire_arp arp = {.operation = be16(ARP_REQUEST)};
    memcpy(arp.sender_ip, &addr->bytes[12], 4);
    memcpy(arp.target_ip, &addr->bytes[12], 4);
    return send_arp(n, iface, &everybody, &arp);
}

static void reply(struct net *n, const struct net_iface *iface, const struct wire_arp *request)
{
    struct wire_arp arp = {.operation = be16(ARP_REPLY), .target_mac = request->sender_mac};
    ASSERT_HOT(be16_host(request->operation) == ARP_REQUEST);
    ASSERT_HOT(!ether_mac_is_nobody(&request->sender_mac)); /* judge() */
    memcpy(arp.sender_ip, request->target_ip, 4);
    memcpy(arp.target_ip, request->sender_ip, 4);
    stat_inc(n->core, send_arp(n, iface, &request->sender_mac, &arp) ? STAT_net_arp_replies
                                                                     : STAT_net_answer_no_mbuf);
}

static bool is_ethernet_ip4(const struct wire_arp *arp)
{
    uint16_t operation = be16_host(arp->operation);
    return be16_host(arp->hardware) == ARP_HARDWARE_ETHERNET &&
           be16_host(arp->protocol) == ETHERTYPE_IP4 && arp->hardware_bytes == 6 &&
           arp->protocol_bytes == 4 && (operation == ARP_REQUEST || operation == ARP_REPLY);
}

/* May the sender say what it says? Returns the counter against it; STAT_net_rx_arp: it may. */
static enum stat_id judge(struct net *n, const struct net_frame *f, const struct wire_arp *arp,
                          bool may_answer)
{
    struct ip_addr sender = ip_addr_from_v4(arp->sender_ip);
    if (!is_ethernet_ip4(arp))
        return STAT_net_drop_rx_arp_invalid;
    if (ether_mac_is_nobody(&arp->sender_mac))
        return STAT_net_drop_rx_arp_spoof;
    if (addresses_claimed(n, f, &sender, &arp->sender_mac, false, may_answer))
        return STAT_net_drop_rx_arp_spoof;
    static const uint8_t unspecified[4];
    bool is_probe = memcmp(arp->sender_ip, unspecified, 4) == 0 &&
                    be16_host(arp->operation) == ARP_REQUEST; /* RFC 5227, section 1.1 */
    struct ip_addr target = ip_addr_from_v4(arp->target_ip);
    if (is_probe && addresses_claimed(n, f, &target, &arp->sender_mac, true, may_answer))
        return STAT_net_drop_rx_arp_spoof;
    if (!is_probe && !net_is_neighbour(n, f->iface, &sender))
        return STAT_net_drop_rx_arp_off_link;
    return STAT_net_rx_arp;
}

/* `may_create`: the sender is worth a place of its own, not only news of one that has it. */
static void learn(struct net *n, const struct net_frame *f, const struct wire_arp *arp,
                  bool may_create)
{
    bool is_request = be16_host(arp->operation) == ARP_REQUEST;
    ASSERT_HOT(is_request || be16_host(arp->operation) == ARP_REPLY);
    struct neighbour_news news = {.addr = ip_addr_from_v4(arp->sender_ip),
                                  .mac = arp->sender_mac,
                                  .is_answer = !is_request && !f->is_multicast,
                                  .may_create = may_create};
    neighbour_learn(n, f->iface, &news);
}

void arp_input(struct net *n, const struct net_frame *f, struct rte_mbuf *m)
{
    if (m->data_len < sizeof(struct wire_arp)) {
        net_drop(n, m, STAT_net_drop_rx_arp_invalid);
        return;
    }
    struct wire_arp arp;
    memcpy(&arp, rte_pktmbuf_mtod(m, const void *), sizeof(arp));
    bool may_answer = mbuf_may_answer(m);
    enum stat_id verdict = judge(n, f, &arp, may_answer);
    if (verdict == STAT_net_rx_arp && be16_host(arp.operation) == ARP_REPLY)
        punt_copy_arp(n, f, m);
    net_drop(n, m, verdict); /* counts and frees; what matters was copied */
    if (verdict != STAT_net_rx_arp)
        return;
    struct ip_addr sender = ip_addr_from_v4(arp.sender_ip);
    struct ip_addr target = ip_addr_from_v4(arp.target_ip);
    bool for_us = net_is_on_iface(n, f->iface, &target);
    bool is_request = be16_host(arp.operation) == ARP_REQUEST;
    if (net_is_neighbour(n, f->iface, &sender))
        learn(n, f, &arp, for_us && is_request); /* who asks for us will be spoken to */
    if (for_us && may_answer && is_request)
        reply(n, f->iface, &arp);
}
