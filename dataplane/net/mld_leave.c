/* SPDX-License-Identifier: Apache-2.0 */
/* See mld_leave.h. */
#include "net/mld_leave.h"

#include "base/assert.h"
#include "net/mld_send.h"
#include "net/net_priv.h"

#include <string.h>

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct mld_leave *l = &container_of(timer, struct net, mld_leave.timer)->mld_leave;
    l->next = l->resume;
}

void mld_leave_init(struct net *n)
{
    n->mld_leave.timer.on_expire = on_timer;
    n->mld_leave.next = UINT32_MAX;
}

void mld_leave_done(struct net *n)
{
    n->mld_leave.n = 0;
    n->mld_leave.next = UINT32_MAX;
    wheel_disarm(&n->core->wheel, &n->mld_leave.timer);
}

/* Interface and suffix in one word that is not 0. */
static uint32_t key_of(uint32_t interface, const uint8_t *suffix)
{
    ASSERT_HOT(interface < NET_INTERFACES_MAX);
    uint32_t low = (uint32_t)suffix[0] << 16 | (uint32_t)suffix[1] << 8 | suffix[2];
    return (interface << 24 | low) + 1;
}

/* Where the key lies, or may be put: at most half of the places are taken. */
static uint32_t *place_of(struct mld_leave *l, uint32_t key)
{
    uint32_t slot = (key * 0x9e3779b1u >> 8) % MLD_JOINED_SLOTS;
    while (l->joined[slot] != 0 && l->joined[slot] != key)
        slot = (slot + 1) % MLD_JOINED_SLOTS;
    return &l->joined[slot];
}

/* The groups of the tables in use. */
static void build_joined(struct net *n)
{
    struct mld_leave *l = &n->mld_leave;
    const struct net_tables *now = n->now;
    memset(l->joined, 0, sizeof(l->joined));
    for (uint32_t i = 0; i < now->n_ifaces; i++) {
        uint32_t key = key_of(i, &now->ifaces[i].link_local.bytes[13]);
        *place_of(l, key) = key;
    }
    for (uint32_t i = 0; i < now->local.n; i++) {
        const struct net_address *a = &now->local.entries[i];
        uint32_t key = key_of(a->interface, &a->addr.bytes[13]);
        if (mld_has_group(a))
            *place_of(l, key) = key;
    }
}

/* The interface that tells; NULL: it is gone. */
static const struct net_iface *iface_of(const struct net *n, const struct mld_left *g)
{
    uint8_t index = n->now->iface_of[g->port][g->vlan];
    return index == IFACE_NONE ? NULL : &n->now->ifaces[index];
}

/* Is it still to be told? */
static bool is_left(struct net *n, const struct mld_left *g)
{
    const struct net_iface *iface = iface_of(n, g);
    return g->times_left > 0 && iface != NULL &&
           *place_of(&n->mld_leave, key_of(iface->index, g->suffix)) == 0;
}

/* `addr` was ours on the interface: its group is put on the list if no other address has it. */
static void note(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    struct mld_leave *l = &n->mld_leave;
    struct mld_left g = {.port = iface->port, .vlan = iface->vlan, .times_left = NET_MLD_TIMES};
    memcpy(g.suffix, &addr->bytes[13], sizeof(g.suffix));
    if (!is_left(n, &g))
        return;
    if (l->n == NET_MLD_LEFT_MAX) {
        stat_inc(n->core, STAT_net_mld_leaves_untold);
        return;
    }
    l->left[l->n++] = g;
}

/* The walk goes on at `place` after `delay_us`. */
static void rest(struct net *n, uint32_t place, uint64_t delay_us)
{
    struct mld_leave *l = &n->mld_leave;
    l->resume = place;
    l->next = UINT32_MAX;
    wheel_disarm(&n->core->wheel, &l->timer);
    wheel_arm(&n->core->wheel, &l->timer, n->core->now_us + delay_us);
}

/* Takes out what is told. What is left is told again, after a while. */
static void finish(struct net *n)
{
    struct mld_leave *l = &n->mld_leave;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        if (is_left(n, &l->left[i]))
            l->left[kept++] = l->left[i];
    }
    l->n = kept;
    l->next = UINT32_MAX;
    if (kept > 0)
        rest(n, 0, NET_MLD_INTERVAL_US);
}

void mld_leave_note(struct net *n, const struct net_tables *then)
{
    struct mld_leave *l = &n->mld_leave;
    if (n->core->worker != 0)
        return;
    build_joined(n);
    for (uint32_t i = 0; i < then->n_ifaces; i++)
        note(n, &then->ifaces[i], &then->ifaces[i].link_local);
    for (uint32_t i = 0; i < then->local.n; i++) {
        const struct net_address *a = &then->local.entries[i];
        if (mld_has_group(a))
            note(n, &then->ifaces[a->interface], &a->addr);
    }
    if (l->n > 0)
        rest(n, 0, 0);
}

static struct ip_addr group_of(const struct mld_left *g)
{
    struct ip_addr addr = {0}; /* one that had it */
    memcpy(&addr.bytes[13], g->suffix, sizeof(g->suffix));
    return nd_solicited_node(&addr);
}

/* The groups from l->next on that are of one interface, as many as fit. False: no mbuf. */
static bool tell_v2(struct net *n, const struct net_iface *iface)
{
    struct mld_leave *l = &n->mld_leave;
    struct wire_mld_record records[NET_MLD_RECORDS_MAX];
    uint32_t n_records = 0;
    uint32_t at = l->next;
    for (; at < l->n && n_records < NET_MLD_RECORDS_MAX; at++) {
        struct mld_left *g = &l->left[at];
        if (!is_left(n, g))
            continue;
        if (iface_of(n, g) != iface)
            break;
        struct ip_addr group = group_of(g);
        records[n_records] = (struct wire_mld_record){.type = MLD_CHANGE_TO_INCLUDE};
        memcpy(records[n_records++].group, group.bytes, 16);
    }
    if (!mld_send_records(n, iface, records, n_records))
        return false;
    for (; l->next < at; l->next++)
        l->left[l->next].times_left -= l->left[l->next].times_left > 0;
    return true;
}

/* The group at l->next, once (RFC 2710, section 4). False: no mbuf. */
static bool tell_v1(struct net *n, const struct net_iface *iface)
{
    struct mld_left *g = &n->mld_leave.left[n->mld_leave.next];
    struct ip_addr group = group_of(g);
    if (!mld_send_v1(n, iface, ICMP6_MLD_DONE, &group))
        return false;
    g->times_left = 0;
    n->mld_leave.next++;
    return true;
}

unsigned mld_leave_poll(struct net *n)
{
    struct mld_leave *l = &n->mld_leave;
    unsigned sent = 0;
    if (l->next == UINT32_MAX)
        return 0;
    while (l->next < l->n) {
        const struct mld_left *g = &l->left[l->next];
        if (!is_left(n, g)) {
            l->next++;
            continue;
        }
        if (sent == NET_MLD_REPORTS_MAX) {
            rest(n, l->next, NET_ANNOUNCE_PAUSE_US);
            return sent;
        }
        const struct net_iface *iface = iface_of(n, g);
        if (!(mld_speaks_v1(n, iface) ? tell_v1(n, iface) : tell_v2(n, iface))) {
            rest(n, l->next, NET_NO_MBUF_RETRY_US);
            return sent;
        }
        sent++;
    }
    finish(n);
    return sent;
}
