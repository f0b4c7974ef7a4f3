/* SPDX-License-Identifier: Apache-2.0 */
/* See addresses.h. */
#include "net/addresses.h"

#include "base/assert.h"
#include "core/links.h"
#include "core/masters.h"
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

/* All places of the walk: the configured addresses, then an interface's own each. */
static uint32_t n_places(const struct net_tables *t)
{
    return t->local.n + t->n_ifaces;
}

static bool is_own(const struct net_tables *t, uint32_t i)
{
    ASSERT_HOT(i < n_places(t));
    return i >= t->local.n;
}

static struct net_iface *iface_at(struct net_tables *t, uint32_t i)
{
    return &t->ifaces[is_own(t, i) ? i - t->local.n : t->local.entries[i].interface];
}

static const struct ip_addr *addr_at(struct net_tables *t, uint32_t i)
{
    return is_own(t, i) ? &iface_at(t, i)->link_local : &t->local.entries[i].addr;
}

/* Does it come by a route, so that it is nothing to neighbours? */
static bool is_routed(const struct net_tables *t, uint32_t i)
{
    return !is_own(t, i) && t->local.entries[i].is_vip == NET_VIP_ROUTED;
}

/* Whether the address at `i` is kept from use. */
static void hold(struct net_tables *t, uint32_t i, bool is_held)
{
    if (is_own(t, i))
        iface_at(t, i)->is_held = is_held;
    else
        t->local.is_held[i] = is_held;
}

/* How often a frame is sent in a state. An interface's own address has its MAC in it: nobody has to
 * hear where it is now. */
static uint8_t times_in(const struct net_tables *t, uint32_t i, enum address_state state)
{
    if (state == ADDRESS_TENTATIVE)
        return NET_PROBE_TIMES;
    bool is_told = !is_own(t, i) && !is_routed(t, i);
    return state == ADDRESS_USED && is_told ? NET_ANNOUNCE_TIMES : 0;
}

/* The address at `i` moves to `state`; its next step is due `in_us` from now. */
static void enter(struct net *n, uint32_t i, enum address_state state, uint64_t in_us)
{
    struct address_life *life = &n->now->lives[i];
    n->n_tentative -= life->state == ADDRESS_TENTATIVE;
    n->n_conflict -= life->state == ADDRESS_CONFLICT;
    life->state = (uint8_t)state;
    life->due_us = n->core->now_us + in_us;
    life->left = times_in(n->now, i, state);
    if (state == ADDRESS_TENTATIVE && n->n_tentative++ == 0)
        n->unsettled_us = n->core->now_us;
    n->n_conflict += state == ADDRESS_CONFLICT;
    hold(n->now, i, state != ADDRESS_USED);
    n->address_next = 0; /* the walk finds out when the next is due */
    set_gauges(n);
}

static bool is_probed(const struct net *n, uint32_t i)
{
    bool is_vip = !is_own(n->now, i) && n->now->local.entries[i].is_vip;
    if (is_routed(n->now, i))
        return false;
    return n->probe == NET_PROBE_ALL || (n->probe == NET_PROBE_OWN && !is_vip);
}

/* A VIP of a virtual router, so that VRRP alone decides who has it? */
static bool is_routers(const struct net *n, uint32_t i)
{
    return !is_own(n->now, i) && n->now->local.entries[i].is_vip &&
           n->now->ifaces[n->now->local.entries[i].interface].virtual_router != 0;
}

/* One that another box has? */
static bool is_standby(const struct net *n, uint32_t i)
{
    if (!is_routers(n, i))
        return false;
    const struct net_address *a = &n->now->local.entries[i];
    uint8_t router = n->now->ifaces[a->interface].virtual_router;
    return !masters_has(n->core->masters, router, ip_addr_is_v4(&a->addr));
}

static void stand_by(struct net *n, uint32_t i)
{
    enter(n, i, ADDRESS_STANDBY, 0);
    n->now->lives[i].due_us = NEVER;
}

/* We became the master of a virtual router, or are it no longer. */
static void follow_masters(struct net *n)
{
    bool is_any_gone = false;
    n->masters_seen = masters_version(n->core->masters);
    for (uint32_t i = 0; i < n->now->local.n; i++) {
        bool was_standby = n->now->lives[i].state == ADDRESS_STANDBY;
        if (is_standby(n, i) == was_standby)
            continue;
        if (was_standby) {
            enter(n, i, ADDRESS_USED, 0);
            continue;
        }
        stand_by(n, i);
        is_any_gone = true;
    }
    if (is_any_gone)
        net_tell_gone(n);
}

/* A port uses another device: switches have to hear that our MAC is behind another wire now, and
 * which groups are wanted there. */
static void follow_links(struct net *n)
{
    n->links_seen = links_version(n->core->links);
    for (uint32_t i = 0; i < n_places(n->now); i++) {
        unsigned port = iface_at(n->now, i)->port;
        if (links_active(n->core->links, port) != n->links[port] &&
            n->now->lives[i].state == ADDRESS_USED)
            enter(n, i, ADDRESS_USED, 0);
    }
    for (unsigned port = 0; port < PORTS_MAX; port++)
        n->links[port] = (uint8_t)links_active(n->core->links, port);
    mld_announce(n);
}

/* What lived before the address at `i` of `now`; NULL: it is new. *ret_has_moved: it did so on
 * another interface. */
static const struct address_life *life_before(const struct net_tables *then, struct net_tables *now,
                                              uint32_t i, bool *ret_has_moved)
{
    const struct net_iface *iface = iface_at(now, i);
    *ret_has_moved = false;
    if (is_own(now, i)) {
        uint8_t index = then->iface_of[iface->port][iface->vlan];
        bool is_same =
            index != IFACE_NONE && ip_addr_eq(&then->ifaces[index].link_local, &iface->link_local);
        return is_same ? &then->lives[then->local.n + index] : NULL;
    }
    const struct net_address *old = local_find_any(&then->local, addr_at(now, i));
    if (old == NULL)
        return NULL;
    *ret_has_moved = old->interface != iface->index;
    return &then->lives[old - then->local.entries];
}

void addresses_configure(struct net *n, const struct net_tables *then, bool is_resumed)
{
    struct net_tables *now = n->now;
    uint64_t unsettled_us = n->n_tentative > 0 ? n->unsettled_us : n->core->now_us;
    n->masters_seen = masters_version(n->core->masters);
    n->n_tentative = 0;
    n->n_conflict = 0;
    memset(now->local.is_held, 0, sizeof(now->local.is_held));
    for (uint32_t i = 0; i < n_places(now); i++) {
        bool has_moved;
        const struct address_life *was = life_before(then, now, i, &has_moved);
        bool is_ours =
            is_resumed || !is_probed(n, i) || (was != NULL && was->state == ADDRESS_USED);
        now->lives[i] = (struct address_life){.state = ADDRESS_USED};
        bool was_standby = was != NULL && was->state == ADDRESS_STANDBY;
        if (is_standby(n, i)) {
            stand_by(n, i);
        } else if (was != NULL && !has_moved && !was_standby && !is_routed(now, i)) {
            now->lives[i] = *was;
            hold(now, i, was->state != ADDRESS_USED);
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

/* Nobody answered: it is ours. An interface's own address is the one that its groups are reported
 * from; routers did not look at what was reported without (RFC 3590, section 4). */
static void use(struct net *n, uint32_t i)
{
    enter(n, i, ADDRESS_USED, 0);
    if (is_own(n->now, i))
        mld_announce(n);
}

/* The step that is due of the address at `i`. False: no mbuf, so the same again later. */
static bool step(struct net *n, uint32_t i, unsigned *sent)
{
    struct address_life *life = &n->now->lives[i];
    const struct ip_addr *addr = addr_at(n->now, i);
    const struct net_iface *iface = iface_at(n->now, i);
    bool is_speaker = n->core->worker == 0;
    if (life->state == ADDRESS_CONFLICT)
        enter(n, i, ADDRESS_TENTATIVE, 0);
    if (life->state == ADDRESS_TENTATIVE && life->left > 0) {
        if (is_speaker && !send_probe(n, iface, addr))
            return false;
        *sent += is_speaker;
        life->left--;
        life->due_us = n->core->now_us + NET_PROBE_INTERVAL_US;
        return true;
    }
    if (life->state == ADDRESS_TENTATIVE)
        use(n, i);
    ASSERT_HOT(life->state == ADDRESS_USED);
    if (is_speaker && life->left > 0) {
        if (!announce(n, iface, addr))
            return false;
        *sent += 1;
        life->left--;
    }
    bool is_done = !is_speaker || life->left == 0;
    life->due_us = is_done ? NEVER : n->core->now_us + NET_ANNOUNCE_INTERVAL_US;
    return true;
}

/* The walk rests until `at_us`, and goes on at `place`. */
static void rest_until(struct net *n, uint32_t place, uint64_t at_us)
{
    n->address_next = n_places(n->now);
    n->address_resume = place;
    wheel_disarm(&n->core->wheel, &n->address_timer);
    if (at_us != NEVER)
        wheel_arm(&n->core->wheel, &n->address_timer, at_us);
}

unsigned addresses_poll(struct net *n)
{
    unsigned sent = 0, steps = 0;
    if (n->masters_seen != masters_version(n->core->masters))
        follow_masters(n);
    if (n->links_seen != links_version(n->core->links))
        follow_links(n);
    if (n->address_next >= n_places(n->now))
        return 0;
    if (n->address_next == 0)
        n->address_due_us = NEVER;
    for (uint32_t i = n->address_next; i < n_places(n->now); i++) {
        struct address_life *life = &n->now->lives[i];
        bool is_due = life->due_us <= n->core->now_us;
        n->address_next = i;
        if (is_due && steps++ == NET_ANNOUNCE_BURST_MAX) {
            rest_until(n, i, n->core->now_us + NET_ANNOUNCE_PAUSE_US);
            return sent;
        }
        if (is_due && !step(n, i, &sent)) {
            rest_until(n, i, n->core->now_us + NET_NO_MBUF_RETRY_US);
            return sent;
        }
        if (life->due_us < n->address_due_us)
            n->address_due_us = life->due_us;
    }
    rest_until(n, 0, n->address_due_us);
    return sent;
}

/* RFC 5227, section 2.4: one announcement, so that caches come right again; not more, or two that
 * think so would shout at each other. */
static void defend(struct net *n, uint32_t i)
{
    struct address_life *life = &n->now->lives[i];
    if (life->defended_us != 0 && n->core->now_us - life->defended_us < NET_DEFEND_INTERVAL_US)
        return;
    life->defended_us = n->core->now_us;
    if (announce(n, iface_at(n->now, i), addr_at(n->now, i)))
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

/* The place of `addr`, if it is one of ours or the interface's own. */
static bool find_place(struct net *n, const struct net_iface *iface, const struct ip_addr *addr,
                       uint32_t *ret)
{
    const struct net_address *a = local_find_any(&n->now->local, addr);
    if (a == NULL && !ip_addr_eq(addr, &iface->link_local))
        return false;
    *ret = a != NULL ? (uint32_t)(a - n->now->local.entries) : n->now->local.n + iface->index;
    return true;
}

bool addresses_claimed(struct net *n, const struct net_frame *f, const struct ip_addr *addr,
                       const struct ether_mac *mac, bool is_question, bool may_answer)
{
    uint32_t i;
    if (!find_place(n, f->iface, addr, &i) || is_routed(n->now, i))
        return false;
    enum address_state state = n->now->lives[i].state;
    if ((is_question && state == ADDRESS_USED) || state == ADDRESS_STANDBY)
        return false; /* it is answered, as every question is; or the master's */
    if (is_our_mac(n, mac))
        return true;
    stat_inc(n->core, STAT_net_address_conflicts);
    if (state == ADDRESS_TENTATIVE)
        enter(n, i, ADDRESS_CONFLICT, NET_CONFLICT_US);
    else if (state == ADDRESS_USED && may_answer && iface_at(n->now, i)->index == f->iface->index &&
             !is_routers(n, i))
        defend(n, i);
    return true;
}
