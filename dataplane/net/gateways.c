/* SPDX-License-Identifier: Apache-2.0 */
/* See gateways.h. */
#include "net/gateways.h"

#include "base/assert.h"
#include "net/net_priv.h"

/* Asks all that are down; nobody else would, for nothing is sent by them. */
static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct net *n = container_of(timer, struct net, gateway_timer);
    const struct path_table *t = &n->now->paths;
    bool is_any_down = false;
    for (uint32_t i = 0; i < t->n; i++) {
        const struct path_entry *e = &t->entries[i];
        if (!e->is_down)
            continue;
        ASSERT(e->interface < n->now->n_ifaces);
        neighbour_ask(n, &n->now->ifaces[e->interface], &e->gateway);
        is_any_down = true;
    }
    if (is_any_down)
        wheel_arm(&n->core->wheel, timer, now_us + NET_GATEWAY_RETRY_US);
}

void gateways_init(struct net *n)
{
    n->gateway_timer.on_expire = on_timer;
}

void gateway_is_down(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    ASSERT(iface != NULL);
    if (!path_gateway_set(&n->now->paths, iface->index, addr, true))
        return;
    n->hops_version++;
    stat_inc(n->core, STAT_net_gateway_failures);
    if (!wheel_timer_is_armed(&n->gateway_timer))
        wheel_arm(&n->core->wheel, &n->gateway_timer, n->core->now_us + NET_GATEWAY_RETRY_US);
}

void gateway_is_up(struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    if (!wheel_timer_is_armed(&n->gateway_timer))
        return; /* none is down: the usual case costs no search */
    n->hops_version += path_gateway_set(&n->now->paths, iface->index, addr, false);
}
