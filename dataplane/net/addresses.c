/* SPDX-License-Identifier: Apache-2.0 */
/* See addresses.h. */
#include "net/addresses.h"

#include "base/assert.h"
#include "net/net_priv.h"

#include <string.h>

#define NEVER UINT64_MAX

/* The gauges are worker 0's alone: all workers have the same addresses. */
static void set_gauges(struct net *n)
{
    if (n->core->worker != 0)
        return;
    n->core->stats->counters[STAT_net_addresses_tentative_now] = n->n_tentative;
    n->core->stats->counters[STAT_net_addresses_conflict_now] = n->n_conflict;
}

/* The address at `i` moves to `state`; its next step is due `in_us` from now. */
static void enter(struct net *n, uint32_t i, enum address_state state, uint64_t in_us)
{
    struct address_life *life = &n->now->lives[i];
    ASSERT_HOT(i < n->now->local.n);
    n->n_tentative -= life->state == ADDRESS_TENTATIVE;
    n->n_conflict -= life->state == ADDRESS_CONFLICT;
    life->state = (uint8_t)state;
    life->due_us = n->core->now_us + in_us;
    life->left = state == ADDRESS_TENTATIVE ? NET_PROBE_TIMES
                 : state == ADDRESS_USED    ? NET_ANNOUNCE_TIMES
                                            : 0;
    if (state == ADDRESS_TENTATIVE && n->n_tentative++ == 0)
        n->unsettled_us = n->core->now_us;
    n->n_conflict += state == ADDRESS_CONFLICT;
    n->now->local.is_held[i] = state != ADDRESS_USED;
    n->address_next = 0; /* the walk finds out when the next is due */
    set_gauges(n);
}

static bool is_probed(const struct net *n, const struct net_address *a)
{
    return n->probe == NET_PROBE_ALL || (n->probe == NET_PROBE_OWN && !a->is_vip);
}

void addresses_configure(struct net *n, const struct net_tables *then, bool is_resumed)
{
    struct net_tables *now = n->now;
    uint64_t unsettled_us = n->n_tentative > 0 ? n->unsettled_us : n->core->now_us;
    n->n_tentative = 0;
    n->n_conflict = 0;
    memset(now->local.is_held, 0, sizeof(now->local.is_held));
    for (uint32_t i = 0; i < now->local.n; i++) {
        const struct net_address *a = &now->local.entries[i];
        const struct net_address *old = local_find_any(&then->local, &a->addr);
        const struct address_life *was =
            old == NULL ? NULL : &then->lives[old - then->local.entries];
        bool is_ours =
            is_resumed || !is_probed(n, a) || (was != NULL && was->state == ADDRESS_USED);
        now->lives[i] = (struct address_life){.state = ADDRESS_USED};
        if (was != NULL && old->interface == a->interface) {
            now->lives[i] = *was;
            now->local.is_held[i] = was->state != ADDRESS_USED;
            n->n_tentative += was->state == ADDRESS_TENTATIVE;
            n->n_conflict += was->state == ADDRESS_CONFLICT;
        } else {
            enter(n, i, is_ours ? ADDRESS_USED : ADDRESS_TENTATIVE, 0);
        }
    }
    n->address_next = 0;
    n->address_due_us = NEVER;
    n->unsettled_us = unsettled_us;
    set_gauges(n);
}

bool addresses_are_settled(const struct net *n)
{
    return n->n_tentative == 0 || n->core->now_us - n->unsettled_us > NET_SETTLE_US_MAX;
}

static bool send_probe(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    bool is_sent = ip_addr_is_v4(addr) ? arp_probe(n, iface, addr) : nd_probe(n, iface, addr);
    if (is_sent)
        stat_inc(n->core, STAT_net_address_probes);
    return is_sent;
}

static bool announce(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    bool is_sent = ip_addr_is_v4(addr) ? arp_announce(n, iface, addr) : nd_announce(n, iface, addr);
    if (is_sent)
        stat_inc(n->core, STAT_net_announcements);
    return is_sent;
}

/* The step that is due of the address at `i`. False: no mbuf, so the same again later. */
static bool step(struct net *n, uint32_t i, unsigned *sent)
{
    struct address_life *life = &n->now->lives[i];
    const struct net_address *a = &n->now->local.entries[i];
    const struct net_iface *iface = &n->now->ifaces[a->interface];
    bool is_speaker = n->core->worker == 0;
    if (life->state == ADDRESS_CONFLICT)
        enter(n, i, ADDRESS_TENTATIVE, 0);
    if (life->state == ADDRESS_TENTATIVE && life->left > 0) {
        if (is_speaker && !send_probe(n, iface, &a->addr))
            return false;
        *sent += is_speaker;
        life->left--;
        life->due_us = n->core->now_us + NET_PROBE_INTERVAL_US;
        return true;
    }
    if (life->state == ADDRESS_TENTATIVE)
        enter(n, i, ADDRESS_USED, 0);
    ASSERT_HOT(life->state == ADDRESS_USED);
    if (is_speaker && life->left > 0) {
        if (!announce(n, iface, &a->addr))
            return false;
        *sent += 1;
        life->left--;
    }
    bool is_done = !is_speaker || life->left == 0;
    life->due_us = is_done ? NEVER : n->core->now_us + NET_ANNOUNCE_INTERVAL_US;
    return true;
}

/* The walk begins again at `at_us`, and rests until then. */
static void rest_until(struct net *n, uint64_t at_us)
{
    n->address_next = n->now->local.n;
    wheel_disarm(&n->core->wheel, &n->address_timer);
    if (at_us != NEVER)
        wheel_arm(&n->core->wheel, &n->address_timer, at_us);
}

unsigned addresses_poll(struct net *n)
{
    unsigned sent = 0;
    if (n->address_next >= n->now->local.n)
        return 0;
    if (n->address_next == 0)
        n->address_due_us = NEVER;
    for (uint32_t i = n->address_next; i < n->now->local.n; i++) {
        struct address_life *life = &n->now->lives[i];
        bool is_due = life->due_us <= n->core->now_us;
        n->address_next = i;
        if (is_due && sent == NET_ANNOUNCE_BURST_MAX)
            return sent; /* on from here in the next round */
        if (is_due && !step(n, i, &sent)) {
            rest_until(n, n->core->now_us + NET_NO_MBUF_RETRY_US);
            return sent;
        }
        if (life->due_us < n->address_due_us)
            n->address_due_us = life->due_us;
    }
    rest_until(n, n->address_due_us);
    return sent;
}

/* RFC 5227, section 2.4: one announcement, so that caches come right again; not more, or two that
 * think so would shout at each other. */
static void defend(struct net *n, uint32_t i)
{
    struct address_life *life = &n->now->lives[i];
    const struct net_address *a = &n->now->local.entries[i];
    if (life->defended_us != 0 && n->core->now_us - life->defended_us < NET_DEFEND_INTERVAL_US)
        return;
    life->defended_us = n->core->now_us;
    if (announce(n, &n->now->ifaces[a->interface], &a->addr))
        stat_inc(n->core, STAT_net_address_defences);
}

/* Our own frame, which somebody sent back, or which another port of ours sent? */
static bool is_our_mac(const struct net *n, const struct ether_mac *mac)
{
    for (unsigned i = 0; i < port_count(n->core); i++) {
        if (memcmp(&port_info(n->core, i)->mac, mac, sizeof(*mac)) == 0)
            return true;
    }
    return false;
}

bool addresses_claimed(struct net *n, const struct net_frame *f, const struct ip_addr *addr,
                       const struct ether_mac *mac, bool is_question, bool may_answer)
{
    const struct net_address *a = local_find_any(&n->now->local, addr);
    if (a == NULL)
        return false;
    uint32_t i = (uint32_t)(a - n->now->local.entries);
    enum address_state state = n->now->lives[i].state;
    if (is_question && state == ADDRESS_USED)
        return false; /* it is answered, as every question is */
    if (is_our_mac(n, mac))
        return true;
    stat_inc(n->core, STAT_net_address_conflicts);
    if (state == ADDRESS_TENTATIVE)
        enter(n, i, ADDRESS_CONFLICT, NET_CONFLICT_US);
    else if (state == ADDRESS_USED && may_answer && a->interface == f->iface->index)
        defend(n, i);
    return true;
}
