/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exception path outwards: frames that the kernel's daemons send by a TAP go out of its port as
 * they are. Only what an interface is configured for: with the port's own MAC, untagged or with the
 * VLAN of one. Owner: struct net. Thread: the worker that has the TAPs.
 */
#include "base/assert.h"
#include "net/net_priv.h"

#include <string.h>

/* The VLAN of a frame that is `len` >= an ethernet header long; VLAN_IDS: its tag is cut off. */
static uint16_t vlan_of(const struct rte_mbuf *m)
{
    const struct wire_eth *eth = rte_pktmbuf_mtod(m, const struct wire_eth *);
    if (be16_host(eth->type) != ETHERTYPE_VLAN)
        return 0;
    if (m->data_len < sizeof(*eth) + sizeof(struct wire_vlan_tag))
        return VLAN_IDS;
    struct wire_vlan_tag tag;
    memcpy(&tag, eth + 1, sizeof(tag));
    return be16_host(tag.tci) % VLAN_IDS;
}

/* The counter against the frame; STAT_net_injected: none. */
static enum stat_id judge(const struct net *n, const struct port_info *port,
                          const struct rte_mbuf *m)
{
    const struct wire_eth *eth = rte_pktmbuf_mtod(m, const struct wire_eth *);
    uint32_t header = sizeof(struct wire_eth) + sizeof(struct wire_vlan_tag);
    if (m->data_len < sizeof(*eth) || m->pkt_len > port->mtu + header)
        return STAT_net_inject_drop_short;
    if (memcmp(&eth->src, &port->mac, sizeof(eth->src)) != 0)
        return STAT_net_inject_drop_source;
    uint16_t vlan = vlan_of(m);
    if (vlan == VLAN_IDS || n->now->iface_of[port->index][vlan] == IFACE_NONE)
        return STAT_net_inject_drop_vlan;
    return STAT_net_injected;
}

static void inject(struct net *n, const struct port_info *port, struct rte_mbuf *m)
{
    enum stat_id verdict = judge(n, port, m);
    if (verdict != STAT_net_injected) {
        net_drop(n, m, verdict);
        return;
    }
    stat_inc(n->core, STAT_net_injected);
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT; /* the kernel has done all of it */
    port_tx(n->core, port->index, m);
}

unsigned net_inject(struct net *n)
{
    unsigned sum = 0;
    if (n->core->worker != PORT_TAP_WORKER)
        return 0;
    for (unsigned i = 0; i < port_count(n->core); i++) {
        const struct port_info *port = port_info(n->core, i);
        struct rte_mbuf *frames[NET_INJECT_FRAMES_MAX];
        if (!port->has_tap)
            continue;
        unsigned count = port_tap_rx(n->core, i, frames, NET_INJECT_FRAMES_MAX);
        ASSERT_HOT(count <= NET_INJECT_FRAMES_MAX);
        for (unsigned k = 0; k < count; k++)
            inject(n, port, frames[k]);
        sum += count;
    }
    return sum;
}
