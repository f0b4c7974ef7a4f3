/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighbour discovery (RFC 4861): solicitations and advertisements, as a host that is configured
 * and not autoconfigured: router messages are ignored. The same rules against forgery as for ARP.
 * Owner: struct net. Thread: the worker. Station: after icmp6.
 */
#include "base/assert.h"
#include "net/cksum.h"
#include "net/net_priv.h"

#include <string.h>

#define ND_OPTIONS_MAX 16u /* of a message; RFC 4861 defines 5 */

static const struct ip_addr all_nodes = {{0xff, 0x02, [15] = 1}};

struct ip_addr nd_solicited_node(const struct ip_addr *addr)
{
    struct ip_addr group = {{0xff, 0x02, [11] = 1, [12] = 0xff}};
    memcpy(&group.bytes[13], &addr->bytes[13], 3);
    return group;
}

struct ether_mac nd_group_mac(const struct ip_addr *group)
{
    struct ether_mac mac = {{0x33, 0x33}};
    ASSERT_HOT(group->bytes[0] == 0xff);
    memcpy(&mac.bytes[2], &group->bytes[12], 4);
    return mac;
}

bool nd_is_group_of_ours(const struct net *n, const struct net_iface *iface,
                         const struct ip_addr *group)
{
    struct ip_addr mine = nd_solicited_node(&iface->link_local);
    if (ip_addr_eq(group, &all_nodes) || ip_addr_eq(group, &mine))
        return true;
    /* Which address is meant says the target of the message; here the form of the group is enough.
     */
    struct ip_addr form = nd_solicited_node(group);
    return ip_addr_eq(group, &form);
}

/* One message with one link-layer address option, ready for the port. */
struct nd_message {
    const struct net_iface *iface;
    struct ip_addr src;
    struct ip_addr dst;
    struct ether_mac dst_mac;
    struct ip_addr target;
    uint32_t flags;
    uint8_t type;
    uint8_t option;
};

static bool send_nd(struct net *n, const struct nd_message *msg)
{
    struct {
        struct wire_nd nd;
        struct wire_nd_lladdr_option option;
    } * body;
    void *start;
    ASSERT_HOT(msg->target.bytes[0] != 0xff && !ip_addr_is_v4(&msg->target));
    ASSERT_HOT(!ip_addr_is_zero(&msg->dst));
    bool has_sender = !ip_addr_is_zero(&msg->src); /* who has no address says no MAC either */
    uint32_t bytes = has_sender ? sizeof(*body) : sizeof(body->nd);
    struct rte_mbuf *m = output_new(n, bytes, &start);
    if (m == NULL)
        return false;
    body = start;
    body->nd = (struct wire_nd){.type = msg->type, .flags = be32(msg->flags)};
    memcpy(body->nd.target, msg->target.bytes, 16);
    if (has_sender)
        body->option = (struct wire_nd_lladdr_option){
            .type = msg->option, .length = 1, .mac = msg->iface->mac};
    uint32_t sum = cksum_add_pseudo(0, &msg->src, &msg->dst, IPPROTO_NUM_ICMP6, bytes);
    body->nd.cksum = cksum_close(cksum_add(sum, body, bytes));
    struct output_header h = {
        .src = &msg->src, .dst = &msg->dst, .proto = IPPROTO_NUM_ICMP6, .hop_limit = ND_HOP_LIMIT};
    bool has_room = output_ip_header(m, &h);
    ASSERT(has_room);
    stat_inc(n->core, STAT_net_tx_nd);
    eth_output(n, msg->iface, &msg->dst_mac, ETHERTYPE_IP6, m);
    return true;
}

/* Who asks on the interface for `target`: an address of its prefix (RFC 4861, section 7.2.2), else
 * the interface's own, else any that is in use. Zero: there is none. */
static struct ip_addr asker(const struct net *n, const struct net_iface *iface,
                            const struct ip_addr *target)
{
    const struct path_entry *e = path_find_on_link(&n->now->paths, iface->index, target);
    if (e != NULL && net_is_local(n, &e->source))
        return e->source;
    if (!iface->is_held)
        return iface->link_local;
    for (uint32_t i = 0; i < n->now->local.n; i++) { /* rare: the own address is a duplicate */
        const struct net_address *a = &n->now->local.entries[i];
        if (a->interface == iface->index && !ip_addr_is_v4(&a->addr) && !n->now->local.is_held[i])
            return a->addr;
    }
    return (struct ip_addr){0};
}

bool nd_request(struct net *n, const struct net_iface *iface, const struct ip_addr *target,
                const struct ether_mac *to)
{
    struct nd_message msg = {.iface = iface,
                             .src = asker(n, iface, target),
                             .target = *target,
                             .type = ICMP6_SOLICIT,
                             .option = ND_OPTION_SOURCE_LLADDR};
    if (ip_addr_is_zero(&msg.src)) /* from nobody it would ask whether an address is free */
        return false;
    msg.dst = to != NULL ? *target : nd_solicited_node(target);
    msg.dst_mac = to != NULL ? *to : nd_group_mac(&msg.dst);
    return send_nd(n, &msg);
}

bool nd_probe(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    struct nd_message msg = {
        .iface = iface, .dst = nd_solicited_node(addr), .target = *addr, .type = ICMP6_SOLICIT};
    msg.dst_mac = nd_group_mac(&msg.dst);
    return send_nd(n, &msg);
}

bool nd_announce(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    struct nd_message msg = {.iface = iface,
                             .src = *addr,
                             .dst = all_nodes,
                             .dst_mac = nd_group_mac(&all_nodes),
                             .target = *addr,
                             .flags = ND_FLAG_OVERRIDE,
                             .type = ICMP6_ADVERT,
                             .option = ND_OPTION_TARGET_LLADDR};
    return send_nd(n, &msg);
}

/* Walks the options behind the header; *ret_mac is that of `wanted`, *ret_has whether it was there.
 * False: they are broken. */
static bool read_options(const uint8_t *p, uint32_t len, uint8_t wanted, struct ether_mac *ret_mac,
                         bool *ret_has)
{
    *ret_has = false;
    for (unsigned i = 0; len > 0; i++) {
        if (i == ND_OPTIONS_MAX || len < 8 || p[1] == 0 || p[1] * 8u > len)
            return false;
        if (p[0] == wanted && !*ret_has) {
            memcpy(ret_mac, p + 2, sizeof(*ret_mac));
            *ret_has = true;
        }
        len -= p[1] * 8u;
        p += p[1] * 8u;
    }
    return true;
}

/* What was read of a message before the mbuf was freed. */
struct nd_heard {
    struct wire_nd nd;
    struct ip_addr target;
    struct ether_mac mac;
    bool has_mac;
};

/* RFC 4861, sections 7.1.1 and 7.1.2 (the checksum is icmp6's). */
static bool read_message(const struct net_packet *p, const struct rte_mbuf *m, struct nd_heard *ret)
{
    if (p->has_fragment) /* RFC 6980, section 5 */
        return false;
    if (p->hop_limit != ND_HOP_LIMIT || m->data_len != m->pkt_len || m->data_len < sizeof(ret->nd))
        return false;
    memcpy(&ret->nd, rte_pktmbuf_mtod(m, const void *), sizeof(ret->nd));
    ret->target = ip_addr_from_v6(ret->nd.target);
    bool is_solicit = ret->nd.type == ICMP6_SOLICIT;
    uint8_t wanted = is_solicit ? ND_OPTION_SOURCE_LLADDR : ND_OPTION_TARGET_LLADDR;
    const uint8_t *options = rte_pktmbuf_mtod_offset(m, const uint8_t *, sizeof(ret->nd));
    if (ret->nd.code != 0 || ret->target.bytes[0] == 0xff ||
        !read_options(options, m->data_len - (uint32_t)sizeof(ret->nd), wanted, &ret->mac,
                      &ret->has_mac))
        return false;
    bool is_group = p->dst.bytes[0] == 0xff;
    if (!is_solicit)
        return !is_group || (be32_host(ret->nd.flags) & ND_FLAG_SOLICITED) == 0;
    struct ip_addr group = nd_solicited_node(&ret->target);
    return !ip_addr_is_zero(&p->src) || (ip_addr_eq(&p->dst, &group) && !ret->has_mac);
}

/* Whose MAC does the message tell? */
static const struct ip_addr *speaker(const struct net_packet *p, const struct nd_heard *h)
{
    return h->nd.type == ICMP6_SOLICIT ? &p->src : &h->target;
}

/* May the sender say what it says? Returns the counter against it; STAT_net_rx_nd: it may. */
static enum stat_id judge(struct net *n, const struct net_packet *p, const struct nd_heard *h,
                          bool may_answer)
{
    const struct ip_addr *who = speaker(p, h);
    const struct ether_mac *mac = h->has_mac ? &h->mac : &p->frame.src_mac;
    if (h->has_mac && ether_mac_is_nobody(&h->mac))
        return STAT_net_drop_rx_nd_spoof;
    if (addresses_claimed(n, &p->frame, who, mac, false, may_answer))
        return STAT_net_drop_rx_nd_spoof;
    if (ip_addr_is_zero(who) && addresses_claimed(n, &p->frame, &h->target, mac, true, may_answer))
        return STAT_net_drop_rx_nd_spoof;
    if (!ip_addr_is_zero(who) && !net_is_neighbour(n, p->frame.iface, who))
        return STAT_net_drop_rx_nd_off_link;
    return STAT_net_rx_nd;
}

/* RFC 4861, section 7.2.4. */
static void advertise(struct net *n, const struct net_packet *p, const struct nd_heard *h)
{
    bool is_probe = ip_addr_is_zero(&p->src); /* somebody wants our address: defend it */
    ASSERT_HOT(net_is_on_iface(n, p->frame.iface, &h->target));
    ASSERT_HOT(!is_probe || !h->has_mac); /* read_message() */
    struct nd_message msg = {.iface = p->frame.iface,
                             .src = h->target,
                             .dst = is_probe ? all_nodes : p->src,
                             .target = h->target,
                             .flags = ND_FLAG_OVERRIDE | (is_probe ? 0 : ND_FLAG_SOLICITED),
                             .type = ICMP6_ADVERT,
                             .option = ND_OPTION_TARGET_LLADDR};
    if (is_probe)
        msg.dst_mac = nd_group_mac(&all_nodes);
    else
        msg.dst_mac = h->has_mac ? h->mac : p->frame.src_mac;
    stat_inc(n->core, send_nd(n, &msg) ? STAT_net_nd_adverts : STAT_net_answer_no_mbuf);
}

/* `may_create`: the speaker is worth a place of its own, not only news of one that has it. */
static void learn(struct net *n, const struct net_packet *p, const struct nd_heard *h,
                  bool may_create)
{
    bool is_solicit = h->nd.type == ICMP6_SOLICIT;
    uint32_t flags = is_solicit ? 0 : be32_host(h->nd.flags);
    struct neighbour_news news = {.addr = *speaker(p, h),
                                  .mac = h->mac,
                                  .is_answer = (flags & ND_FLAG_SOLICITED) != 0,
                                  .may_create = may_create};
    neighbour_learn(n, p->frame.iface, &news);
}

void nd_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m)
{
    struct nd_heard h;
    bool may_answer = mbuf_may_answer(m);
    enum stat_id verdict =
        read_message(p, m, &h) ? judge(n, p, &h, may_answer) : STAT_net_drop_rx_nd_invalid;
    if (verdict == STAT_net_rx_nd && h.nd.type == ICMP6_ADVERT)
        punt_copy(n, p, PUNT_neighbour, m);
    net_drop(n, m, verdict); /* counts and frees; what matters was copied */
    if (verdict != STAT_net_rx_nd)
        return;
    bool for_us = net_is_on_iface(n, p->frame.iface, &h.target);
    if (!h.has_mac && h.nd.type == ICMP6_ADVERT) {
        /* An answer to a question that went to one MAC may leave it out (section 4.4). */
        h.mac = p->frame.src_mac;
        h.has_mac = (be32_host(h.nd.flags) & ND_FLAG_SOLICITED) != 0;
    }
    bool is_solicit = h.nd.type == ICMP6_SOLICIT;
    if (h.has_mac && !ip_addr_is_zero(speaker(p, &h)))
        learn(n, p, &h, is_solicit && for_us); /* who asks for us will be spoken to */
    if (for_us && may_answer && is_solicit)
        advertise(n, p, &h);
}
