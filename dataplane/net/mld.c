/* SPDX-License-Identifier: Apache-2.0 */
/* See mld.h. */
#include "net/mld.h"

#include "base/assert.h"
#include "net/cksum.h"
#include "net/net_priv.h"

#include <string.h>

static_assert(NET_INTERFACES_MAX <= 64, "a bit for each interface");

static const struct ip_addr all_routers_v2 = {{0xff, 0x02, [15] = 0x16}}; /* RFC 3810, 5.2.14 */

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct mld *d = &container_of(timer, struct net, mld.timer)->mld;
    d->next = d->resume;
}

void mld_init(struct net *n)
{
    n->mld.timer.on_expire = on_timer;
}

void mld_done(struct net *n)
{
    n->mld.interfaces = 0;
    wheel_disarm(&n->core->wheel, &n->mld.timer);
}

/* All places of the walk: an interface's own address each, then the configured ones. */
static uint32_t n_places(const struct net *n)
{
    return n->now->n_ifaces + n->now->local.n;
}

/* The interface and the group at `place`. False: an IPv4 address, or an interface that is not
 * reported on. */
static bool group_at(const struct net *n, uint32_t place, const struct net_iface **ret_iface,
                     struct ip_addr *ret_group)
{
    bool is_own = place < n->now->n_ifaces;
    const struct net_address *a = is_own ? NULL : &n->now->local.entries[place - n->now->n_ifaces];
    uint32_t index = is_own ? place : a->interface;
    if ((n->mld.interfaces >> index & 1) == 0 || (!is_own && ip_addr_is_v4(&a->addr)))
        return false;
    *ret_iface = &n->now->ifaces[index];
    *ret_group = nd_solicited_node(is_own ? &(*ret_iface)->link_local : &a->addr);
    return true;
}

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

/* One group, as RFC 2710 has it. False: no mbuf. */
static bool report_v1(struct net *n, const struct net_iface *iface, const struct ip_addr *group)
{
    void *body;
    struct rte_mbuf *m = output_new(n, sizeof(struct wire_mld), &body);
    if (m == NULL)
        return false;
    struct wire_mld *report = body;
    *report = (struct wire_mld){.type = ICMP6_MLD_REPORT_V1};
    memcpy(report->group, group->bytes, 16);
    send_mld(n, iface, group, m);
    return true;
}

bool mld_report(struct net *n, const struct net_iface *iface, const struct wire_mld_record *records,
                uint32_t n_records)
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

/* The groups from *place on that are on the same interface, as many as fit. False: no mbuf. */
static bool report_v2(struct net *n, const struct net_iface *iface, uint32_t *place)
{
    struct wire_mld_record records[NET_MLD_RECORDS_MAX];
    uint32_t n_records = 0;
    uint32_t at = *place;
    for (; at < n_places(n) && n_records < NET_MLD_RECORDS_MAX; at++) {
        const struct net_iface *other;
        struct ip_addr group;
        if (!group_at(n, at, &other, &group))
            continue;
        if (other != iface)
            break;
        records[n_records] = (struct wire_mld_record){
            .type = n->mld.is_answer ? MLD_MODE_IS_EXCLUDE : MLD_CHANGE_TO_EXCLUDE};
        memcpy(records[n_records++].group, group.bytes, 16);
    }
    if (!mld_report(n, iface, records, n_records))
        return false;
    *place = at;
    return true;
}

/* The walk goes on at `place` after `delay_us`. */
static void rest(struct net *n, uint32_t place, uint64_t delay_us)
{
    struct mld *d = &n->mld;
    d->resume = place;
    d->next = UINT32_MAX; /* until the timer */
    wheel_disarm(&n->core->wheel, &d->timer);
    wheel_arm(&n->core->wheel, &d->timer, n->core->now_us + delay_us);
}

/* The walk is over; another one follows, or none. */
static void finish(struct net *n)
{
    struct mld *d = &n->mld;
    if (--d->times_left == 0) {
        d->interfaces = 0;
        return;
    }
    rest(n, 0, NET_MLD_INTERVAL_US);
}

unsigned mld_poll(struct net *n)
{
    struct mld *d = &n->mld;
    unsigned sent = 0;
    if (d->interfaces == 0 || d->next == UINT32_MAX)
        return 0;
    while (d->next < n_places(n)) {
        const struct net_iface *iface;
        struct ip_addr group;
        if (!group_at(n, d->next, &iface, &group)) {
            d->next++;
            continue;
        }
        if (sent == NET_MLD_REPORTS_MAX)
            return sent;
        if (!(d->is_v1 ? report_v1(n, iface, &group) : report_v2(n, iface, &d->next))) {
            rest(n, d->next, NET_NO_MBUF_RETRY_US);
            return sent;
        }
        d->next += d->is_v1;
        sent++;
    }
    finish(n);
    return sent;
}

static void begin(struct net *n, uint64_t interfaces, unsigned times, uint64_t delay_us)
{
    struct mld *d = &n->mld;
    d->interfaces |= interfaces;
    d->times_left = (uint8_t)times;
    rest(n, 0, delay_us);
}

void mld_announce(struct net *n)
{
    uint64_t all = n->now->n_ifaces == 64 ? UINT64_MAX : (1ULL << n->now->n_ifaces) - 1;
    mld_done(n);
    if (n->core->worker != 0 || all == 0)
        return;
    n->mld.is_answer = false;
    n->mld.is_v1 = false;
    begin(n, all, NET_MLD_TIMES, 0);
}

/* The same groups on the same interfaces? */
static bool is_same(const struct net_tables *a, const struct net_tables *b)
{
    if (a->n_ifaces != b->n_ifaces || a->local.n != b->local.n)
        return false;
    for (uint32_t i = 0; i < a->n_ifaces; i++) {
        if (a->ifaces[i].port != b->ifaces[i].port || a->ifaces[i].vlan != b->ifaces[i].vlan)
            return false;
    }
    for (uint32_t i = 0; i < a->local.n; i++) {
        const struct net_address *of_a = &a->local.entries[i];
        const struct net_address *of_b = &b->local.entries[i];
        if (of_a->interface != of_b->interface || !ip_addr_eq(&of_a->addr, &of_b->addr))
            return false;
    }
    return true;
}

void mld_configure(struct net *n, const struct net_tables *then)
{
    if (is_same(then, n->now))
        return;
    mld_leave_note(n, then);
    mld_announce(n);
}

/* RFC 3810, section 5.1.3: milliseconds, above 32,767 with an exponent. */
static uint64_t max_delay_us(uint16_t code)
{
    if (code < 32768)
        return code * 1000ull;
    return ((code & 0xfffull) | 0x1000) * 1000 << ((code >> 12 & 7) + 3);
}

void mld_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m)
{
    struct wire_mld query;
    /* RFC 3810, sections 6.2 and 8.1, and RFC 2710, section 4. */
    bool has_length = m->pkt_len == sizeof(query) || m->pkt_len >= MLD_QUERY_V2_BYTES;
    if (m->data_len < sizeof(query) || !has_length || p->hop_limit != MLD_HOP_LIMIT ||
        !ip6_is_link_local(&p->src)) {
        net_drop(n, m, STAT_net_mld_ignored);
        return;
    }
    memcpy(&query, rte_pktmbuf_mtod(m, const void *), sizeof(query));
    bool is_v1 = m->pkt_len == sizeof(query); /* RFC 3810, section 8.1 */
    net_drop(n, m, STAT_net_mld_queries);
    struct mld *d = &n->mld;
    uint64_t interface = 1ULL << p->frame.iface->index;
    if (d->interfaces != 0) { /* an answer that waits takes it along; a report names all anyway */
        if (d->is_answer && d->next == UINT32_MAX)
            d->interfaces |= interface;
        return;
    }
    uint64_t delay_us =
        is_v1 ? be16_host(query.delay_ms) * 1000ull : max_delay_us(be16_host(query.delay_ms));
    if (delay_us > NET_MLD_DELAY_US_MAX)
        delay_us = NET_MLD_DELAY_US_MAX;
    d->is_answer = true;
    d->is_v1 = is_v1;
    begin(n, interface, 1, rng_below(&n->core->rng, (uint32_t)delay_us + 1));
}
