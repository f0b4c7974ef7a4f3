/* SPDX-License-Identifier: Apache-2.0 */
/* See mld.h. */
#include "net/mld.h"

#include "base/assert.h"
#include "net/mld_send.h"
#include "net/net_priv.h"

#include <string.h>

static_assert(NET_INTERFACES_MAX <= 64, "a bit for each interface");

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
    if ((n->mld.interfaces >> index & 1) == 0 || (!is_own && !mld_has_group(a)))
        return false;
    *ret_iface = &n->now->ifaces[index];
    *ret_group = nd_solicited_node(is_own ? &(*ret_iface)->link_local : &a->addr);
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
    if (!mld_send_records(n, iface, records, n_records))
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
        if (sent == NET_MLD_REPORTS_MAX) {
            rest(n, d->next, NET_ANNOUNCE_PAUSE_US);
            return sent;
        }
        bool is_v1 = mld_speaks_v1(n, iface);
        if (!(is_v1 ? mld_send_v1(n, iface, ICMP6_MLD_REPORT_V1, &group)
                    : report_v2(n, iface, &d->next))) {
            rest(n, d->next, NET_NO_MBUF_RETRY_US);
            return sent;
        }
        d->next += is_v1;
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

bool mld_speaks_v1(const struct net *n, const struct net_iface *iface)
{
    return n->core->now_us < n->mld.v1_until_us[iface->index];
}

void mld_announce(struct net *n)
{
    uint64_t all = n->now->n_ifaces == 64 ? UINT64_MAX : (1ULL << n->now->n_ifaces) - 1;
    if (n->core->worker != 0 || all == 0)
        return;
    n->mld.is_answer = false; /* if one waited, this one names as much */
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
        if (of_a->interface != of_b->interface || !ip_addr_eq(&of_a->addr, &of_b->addr) ||
            mld_has_group(of_a) != mld_has_group(of_b))
            return false;
    }
    return true;
}

/* Each interface keeps its version, wherever it lies now. */
static void carry_versions(struct net *n, const struct net_tables *then)
{
    uint64_t was[NET_INTERFACES_MAX];
    memcpy(was, n->mld.v1_until_us, sizeof(was));
    for (uint32_t i = 0; i < n->now->n_ifaces; i++) {
        const struct net_iface *iface = &n->now->ifaces[i];
        uint8_t index = then->iface_of[iface->port][iface->vlan];
        n->mld.v1_until_us[i] = index == IFACE_NONE ? 0 : was[index];
    }
}

void mld_configure(struct net *n, const struct net_tables *then)
{
    if (is_same(then, n->now))
        return;
    mld_done(n);
    carry_versions(n, then);
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

/* The groups of the interface are reported within `delay_us`. */
static void plan_answer(struct net *n, const struct net_iface *iface, uint64_t delay_us)
{
    struct mld *d = &n->mld;
    uint64_t interface = 1ULL << iface->index;
    if (d->interfaces != 0) { /* an answer that waits takes it along; a report names all anyway */
        if (d->is_answer && d->next == UINT32_MAX && d->resume == 0)
            d->interfaces |= interface;
        return;
    }
    if (delay_us > NET_MLD_DELAY_US_MAX)
        delay_us = NET_MLD_DELAY_US_MAX;
    d->is_answer = true;
    begin(n, interface, 1, rng_below(&n->core->rng, (uint32_t)delay_us + 1));
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
    bool may_answer = mbuf_may_answer(m);
    net_drop(n, m, STAT_net_mld_queries);
    if (is_v1)
        n->mld.v1_until_us[p->frame.iface->index] = n->core->now_us + NET_MLD_V1_US;
    uint16_t code = be16_host(query.delay_ms);
    if (may_answer)
        plan_answer(n, p->frame.iface, is_v1 ? code * 1000ull : max_delay_us(code));
}
