/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending: the last station of the path. Frames gather in a batch for each port, or for the worker
 * that owns the port's send queue, and leave when the batch is full or the round ends. Owner,
 * thread: the worker.
 */
#include "core/port_priv.h"

#include "base/assert.h"
#include "obs/capture.h"

#include <rte_ethdev.h>
#include <string.h>

/* Attempts to hand a batch to a device whose queue is full: more would only burn the time in which
 * it drains. */
#define TX_TRIES_MAX 3u

/* Frames taken over from other workers in one round, so that a neighbour's load cannot hold up this
 * worker's own. */
#define TX_PASSED_MAX 256u

/* Lets the device's driver bring what is asked of the device into the form that it wants (DPDK has
 * rte_eth_tx_prepare() for that). What it refuses would stay in front of all others: dropped. */
static void prepare(struct core *c, const struct port_setup *port, struct frame_batch *batch)
{
    const struct port_info *info = &port->info;
    unsigned ready = 0;
    if (!info->has_tx_ip4_cksum && !info->has_tx_tcp_cksum && !info->has_tx_vlan)
        return;
    while (ready < batch->n) {
        ready += rte_eth_tx_prepare(port_device(c, port), c->worker, batch->frames + ready,
                                    (uint16_t)(batch->n - ready));
        if (ready == batch->n)
            return;
        rte_pktmbuf_free(batch->frames[ready]);
        stat_inc(c, STAT_core_tx_drop_refused);
        batch->n--;
        memmove(&batch->frames[ready], &batch->frames[ready + 1],
                (batch->n - ready) * sizeof(batch->frames[0]));
    }
}

/* Hands the batch to the device; what it does not take is dropped and counted. */
static unsigned tx_device(struct core *c, const struct port_setup *port, struct frame_batch *batch)
{
    prepare(c, port, batch);
    if (batch->n == 0) {
        if (port->wants_calls && c->worker < port->n_tx_queues)
            rte_eth_tx_burst(port_device(c, port), c->worker, batch->frames, 0);
        return 0;
    }
    uint64_t bytes = 0;
    unsigned sent = 0;
    uint64_t start = c->cycles != NULL ? c->cycles() : 0;
    uint32_t length[PORT_BURST]; /* the frame is the device's once it is sent */
    for (unsigned i = 0; i < batch->n; i++)
        length[i] = rte_pktmbuf_pkt_len(batch->frames[i]);
    for (unsigned try = 0; try < TX_TRIES_MAX && sent < batch->n; try++)
        sent += rte_eth_tx_burst(port_device(c, port), c->worker, batch->frames + sent,
                                 (uint16_t)(batch->n - sent));
    if (c->cycles != NULL)
        stat_add(c, STAT_core_cycles_io, c->cycles() - start);
    for (unsigned i = 0; i < sent; i++)
        bytes += length[i];
    stat_add(c, STAT_core_tx_packets, sent);
    stat_add(c, STAT_core_tx_bytes, bytes);
    stat_add(c, STAT_core_tx_drop_full, batch->n - sent);
    rte_pktmbuf_free_bulk(batch->frames + sent, batch->n - sent);
    batch->n = 0;
    return sent;
}

/* One segment out of many, for devices that send no chains. NULL: dropped and counted. */
static struct rte_mbuf *linearized(struct core *c, struct rte_mbuf *m)
{
    struct rte_mbuf *flat = NULL;
    if (rte_pktmbuf_pkt_len(m) <= MBUF_DATA_BYTES)
        flat = rte_pktmbuf_copy(m, c->mbufs, 0, UINT32_MAX);
    rte_pktmbuf_free(m);
    if (flat == NULL)
        stat_inc(c, STAT_core_tx_drop_linearize);
    ASSERT_HOT(flat == NULL || flat->nb_segs == 1);
    return flat;
}

/* Puts `m` on this worker's batch for the port. */
static void tx_own(struct core *c, unsigned index, struct rte_mbuf *m)
{
    const struct port_setup *port = &c->ports->hub->ports[index];
    struct frame_batch *batch = &c->ports->to_port[index];
    batch->frames[batch->n++] = m;
    if (batch->n == PORT_BURST)
        tx_device(c, port, batch);
}

void port_tx(struct core *c, unsigned index, struct rte_mbuf *m)
{
    struct ports *p = c->ports;
    ASSERT_HOT(index < p->hub->n_ports);
    ASSERT_HOT(rte_pktmbuf_pkt_len(m) > 0);
    const struct port_setup *port = &p->hub->ports[index];
    stat_inc(c, STAT_core_tx_frames);
    if (obs_watches(&c->obs, OBSERVE_CAPTURE))
        obs_capture(&c->obs, m, index, true, c->now_us);
    if (m->nb_segs > 1 && !port->info.has_multi_seg_tx) {
        m = linearized(c, m);
        if (m == NULL)
            return;
    }
    if (c->worker < port->n_tx_queues) {
        tx_own(c, index, m);
        return;
    }
    unsigned to = c->worker % port->n_tx_queues;
    m->port = (uint16_t)index;
    handoff_add(c, &p->tx_to_worker[to], p->hub->tx[c->worker][to], HANDOFF_TX, m);
}

/* Queues what other workers passed to this one. Each neighbour gets an equal share of the round. */
static void take_passed(struct core *c)
{
    struct ports *p = c->ports;
    struct rte_mbuf *burst[PORT_BURST];
    for (unsigned round = 0; round < TX_PASSED_MAX / PORT_BURST; round++) {
        unsigned n_all = 0;
        for (unsigned from = 0; from < c->workers; from++) {
            struct rte_ring *ring = p->hub->tx[from][c->worker];
            if (ring == NULL)
                continue;
            unsigned n = rte_ring_sc_dequeue_burst(ring, (void **)burst, PORT_BURST, NULL);
            for (unsigned i = 0; i < n; i++) {
                if (burst[i]->port >= PORT_TAP_MARK)
                    port_tap_own(c, burst[i]->port - PORT_TAP_MARK, burst[i]);
                else
                    tx_own(c, burst[i]->port, burst[i]);
            }
            n_all += n;
        }
        stat_add(c, STAT_core_handoff_tx_in, n_all);
        if (n_all == 0)
            return;
    }
}

unsigned port_tx_flush(struct core *c)
{
    struct ports *p = c->ports;
    uint64_t sent_before = c->stats->counters[STAT_core_tx_packets];
    unsigned passed = 0;
    if (c->workers > 1)
        take_passed(c);
    for (unsigned i = 0; i < p->hub->n_ports; i++)
        tx_device(c, &p->hub->ports[i], &p->to_port[i]);
    if (c->worker == PORT_TAP_WORKER)
        passed += port_tap_flush(c);
    for (unsigned to = 0; to < c->workers && c->workers > 1; to++)
        passed += handoff_flush(c, &p->tx_to_worker[to], p->hub->tx[c->worker][to], HANDOFF_TX);
    return passed + (unsigned)(c->stats->counters[STAT_core_tx_packets] - sent_before);
}
