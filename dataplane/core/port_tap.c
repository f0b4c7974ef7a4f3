/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TAPs of the kernel's daemons, one beside each port that has one. A frame to or from a TAP is
 * a system call of a microsecond or two, so what may go there is bounded by who calls (net/punt.h),
 * and one worker pays for it; an empty TAP costs it a load a round, as the driver is told by a
 * signal that there is something. Owner: the worker. Thread: the worker.
 */
#include "core/port_priv.h"

#include "base/assert.h"

#include <rte_ethdev.h>

/* What may lie in front of an IP packet: ethernet and a VLAN tag. */
#define FRAME_HEADER_BYTES 18u

static unsigned give(struct core *c, const struct port_setup *port, struct frame_batch *batch)
{
    unsigned n = batch->n;
    unsigned sent = rte_eth_tx_burst(port->dpdk_tap, 0, batch->frames, (uint16_t)n);
    stat_add(c, STAT_core_tap_tx_packets, sent);
    stat_add(c, STAT_core_tap_drop_full, n - sent);
    rte_pktmbuf_free_bulk(batch->frames + sent, n - sent);
    batch->n = 0;
    return sent;
}

void port_tap_own(struct core *c, unsigned index, struct rte_mbuf *m)
{
    const struct port_setup *port = &c->ports->hub->ports[index];
    struct frame_batch *batch = &c->ports->to_tap[index];
    ASSERT_HOT(c->worker == PORT_TAP_WORKER && port->info.has_tap);
    batch->frames[batch->n++] = m;
    if (batch->n == PORT_BURST)
        give(c, port, batch);
}

unsigned port_tap_flush(struct core *c)
{
    struct ports *p = c->ports;
    unsigned sent = 0;
    ASSERT_HOT(c->worker == PORT_TAP_WORKER);
    for (unsigned i = 0; i < p->hub->n_ports; i++) {
        if (p->to_tap[i].n > 0)
            sent += give(c, &p->hub->ports[i], &p->to_tap[i]);
    }
    return sent;
}

void port_tap_tx(struct core *c, unsigned index, struct rte_mbuf *m)
{
    struct ports *p = c->ports;
    ASSERT_HOT(index < p->hub->n_ports && p->hub->ports[index].info.has_tap);
    stat_inc(c, STAT_core_tap_tx_frames);
    if (rte_pktmbuf_pkt_len(m) > PORT_TAP_MTU_MAX + FRAME_HEADER_BYTES) {
        stat_inc(c, STAT_core_tap_drop_long); /* the driver would stop at it */
        rte_pktmbuf_free(m);
        return;
    }
    if (c->worker == PORT_TAP_WORKER) {
        port_tap_own(c, index, m);
        return;
    }
    m->port = (uint16_t)(PORT_TAP_MARK + index);
    handoff_add(c, &p->tx_to_worker[PORT_TAP_WORKER], p->hub->tx[c->worker][PORT_TAP_WORKER],
                HANDOFF_TX, m);
}

unsigned port_tap_rx(struct core *c, unsigned index, struct rte_mbuf **ret, unsigned max)
{
    const struct port_setup *port = &c->ports->hub->ports[index];
    ASSERT_HOT(c->worker == PORT_TAP_WORKER && port->info.has_tap && max <= PORT_BURST);
    unsigned n = rte_eth_rx_burst(port->dpdk_tap, 0, ret, (uint16_t)max);
    stat_add(c, STAT_core_tap_rx_packets, n);
    return n;
}
