/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving: station 1 of the path. Own queues first; each frame stays, goes to the worker that
 * owns its flow (an ICMP error: the flow that it quotes), or is copied to all (ARP, ND). Then what
 * the others passed on. Order within a flow is kept: its frames come by one queue and one ring.
 * Owner, thread: the worker.
 */
#include "core/port_priv.h"

#include "base/assert.h"
#include "obs/capture.h"

#include <rte_ethdev.h>

#define RX_MAX 128u

/* Of the frames that a device marks as spread by its hash, one in so many is hashed here too. */
#define RSS_SAMPLE 64u

bool mbuf_may_answer(const struct rte_mbuf *m)
{
    static uint64_t learn_only; /* the same value whoever writes it */
    if (__builtin_expect(learn_only == 0, 0))
        learn_only = port_learn_only_flag();
    return (m->ol_flags & learn_only) == 0;
}

unsigned handoff_flush(struct core *c, struct frame_batch *batch, struct rte_ring *ring,
                       enum handoff kind)
{
    static const struct {
        enum stat_id passed;
        enum stat_id dropped;
    } stats[] = {
        [HANDOFF_RX] = {STAT_core_handoff_rx_out, STAT_core_handoff_drop_rx_full},
        [HANDOFF_TX] = {STAT_core_handoff_tx_out, STAT_core_handoff_drop_tx_full},
    };
    if (batch->n == 0)
        return 0;
    unsigned passed = rte_ring_sp_enqueue_burst(ring, (void **)batch->frames, batch->n, NULL);
    stat_add(c, stats[kind].passed, passed);
    stat_add(c, stats[kind].dropped, batch->n - passed);
    rte_pktmbuf_free_bulk(batch->frames + passed, batch->n - passed);
    batch->n = 0;
    return passed;
}

void handoff_add(struct core *c, struct frame_batch *batch, struct rte_ring *ring,
                 enum handoff kind, struct rte_mbuf *m)
{
    ASSERT_HOT(ring != NULL && batch->n < PORT_BURST);
    batch->frames[batch->n++] = m;
    if (batch->n == PORT_BURST)
        handoff_flush(c, batch, ring, kind);
}

/* Passes a received frame to its owner. */
static void pass_on(struct core *c, unsigned to, struct rte_mbuf *m)
{
    struct ports *p = c->ports;
    ASSERT_HOT(to != c->worker && to < p->hub->workers);
    handoff_add(c, &p->rx_to_worker[to], p->hub->rx[c->worker][to], HANDOFF_RX, m);
}

/* A copy for each other worker, to learn from only. */
static void copy_to_all(struct core *c, struct rte_mbuf *m)
{
    const struct port_hub *hub = c->ports->hub;
    for (unsigned to = 0; to < hub->workers; to++) {
        if (to == c->worker)
            continue;
        struct rte_mbuf *copy = rte_pktmbuf_copy(m, c->mbufs, 0, UINT32_MAX);
        if (copy == NULL) {
            stat_inc(c, STAT_core_mbuf_exhausted);
            stat_inc(c, STAT_core_rx_copies_missed);
            continue;
        }
        copy->ol_flags |= hub->learn_only_flag;
        stat_inc(c, STAT_core_rx_copies);
        pass_on(c, to, copy);
    }
}

/* Has the device hashed the frame as spread.h does? Fragments, which each device treats in its own
 * way, and what it could not parse, it has not. */
static bool is_hashed_by_device(const struct port_setup *port, const struct rte_mbuf *m,
                                const struct spread_tuple *tuple)
{
    bool has_ports = tuple->n % 2 != 0;
    bool is_marked = !port->has_rss_mark || (m->ol_flags & RTE_MBUF_F_RX_RSS_HASH) != 0;
    return port->info.has_rss && has_ports && is_marked;
}

/* Does a flow's frame stay with this worker? If not, it is passed on. The device's word is taken
 * for frames that it marks, but for a sample: it might err. */
static bool stays_by_hash(struct core *c, const struct port_setup *port, struct rte_mbuf *m,
                          const struct spread_tuple *tuple, bool is_hashed)
{
    if (is_hashed && port->has_rss_mark && ++c->ports->rss_looks % RSS_SAMPLE != 0)
        return true;
    unsigned owner = spread_worker(&port->spread, tuple);
    if (owner == c->worker)
        return true;
    stat_add(c, STAT_core_rx_misplaced, is_hashed);
    pass_on(c, owner, m);
    return false;
}

/* Does the frame stay with this worker? If not, it is passed on. */
static bool stays(struct core *c, const struct port_setup *port, struct rte_mbuf *m)
{
    struct spread_tuple tuple;
    switch (spread_classify(rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_data_len(m), &tuple)) {
    case SPREAD_LEARN:
        copy_to_all(c, m);
        return true;
    case SPREAD_FLOW:
        return stays_by_hash(c, port, m, &tuple, is_hashed_by_device(port, m, &tuple));
    case SPREAD_QUOTE:
        return stays_by_hash(c, port, m, &tuple, false);
    case SPREAD_STAY:
        break;
    }
    return true;
}

void port_rx_respread(struct core *c, struct rte_mbuf **m)
{
    struct ports *p = c->ports;
    struct spread_tuple tuple;
    ASSERT_HOT((*m)->port < p->hub->n_ports);
    if (p->hub->workers == 1)
        return;
    if (spread_classify(rte_pktmbuf_mtod(*m, uint8_t *), rte_pktmbuf_data_len(*m), &tuple) !=
        SPREAD_FLOW)
        return;
    unsigned owner = spread_worker(&p->hub->ports[(*m)->port].spread, &tuple);
    if (owner == c->worker)
        return;
    pass_on(c, owner, *m);
    *m = NULL;
}

/* One burst from one queue; at most `max` frames stay. */
static unsigned rx_queue(struct core *c, const struct port_setup *port, uint16_t queue,
                         struct rte_mbuf **ret, unsigned max)
{
    struct rte_mbuf *burst[PORT_BURST];
    uint64_t start = c->cycles != NULL ? c->cycles() : 0;
    unsigned n = rte_eth_rx_burst(port_device(c, port), queue, burst,
                                  (uint16_t)(max < PORT_BURST ? max : PORT_BURST));
    if (c->cycles != NULL)
        stat_add(c, STAT_core_cycles_io, c->cycles() - start);
    unsigned kept = 0;
    for (unsigned i = 0; i < n; i++) {
        burst[i]->port = port->info.index;
        stat_add(c, STAT_core_rx_bytes, rte_pktmbuf_pkt_len(burst[i]));
        if (c->workers == 1 || stays(c, port, burst[i]))
            ret[kept++] = burst[i];
    }
    stat_add(c, STAT_core_rx_packets, n);
    return kept;
}

/* What comes by a device that is not in use is a copy of what comes by the other one, or lost on
 * its way there: nobody may see it twice, or late. */
static void rx_unused(struct core *c, const struct port_setup *port, uint16_t queue)
{
    struct rte_mbuf *burst[PORT_BURST];
    for (unsigned i = 0; i < port->n_members; i++) {
        uint16_t device = port->members[i].dpdk_port;
        if (device == port_device(c, port))
            continue;
        unsigned n = rte_eth_rx_burst(device, queue, burst, PORT_BURST);
        rte_pktmbuf_free_bulk(burst, n);
        stat_add(c, STAT_core_rx_unused, n);
    }
}

/* The queues of all ports that belong to this worker. */
static unsigned rx_own(struct core *c, struct rte_mbuf **ret, unsigned max)
{
    struct ports *p = c->ports;
    unsigned n = 0;
    if (p->hub->n_ports == 0)
        return 0;
    p->next_port = (p->next_port + 1) % p->hub->n_ports;
    for (unsigned i = 0; i < p->hub->n_ports; i++) {
        const struct port_setup *port = &p->hub->ports[(p->next_port + i) % p->hub->n_ports];
        for (unsigned queue = c->worker; queue < port->n_rx_queues; queue += c->workers) {
            if (n < max)
                n += rx_queue(c, port, (uint16_t)queue, ret + n, max - n);
            rx_unused(c, port, (uint16_t)queue);
        }
    }
    return n;
}

/* What other workers passed to this one. */
static unsigned rx_passed(struct core *c, struct rte_mbuf **ret, unsigned max)
{
    struct ports *p = c->ports;
    unsigned n = 0;
    p->next_worker = (p->next_worker + 1) % c->workers;
    for (unsigned i = 0; i < c->workers && n < max; i++) {
        struct rte_ring *ring = p->hub->rx[(p->next_worker + i) % c->workers][c->worker];
        if (ring != NULL)
            n += rte_ring_sc_dequeue_burst(ring, (void **)(ret + n), max - n, NULL);
    }
    stat_add(c, STAT_core_handoff_rx_in, n);
    return n;
}

/* Own queues, then what was passed on. */
static unsigned rx_all(struct core *c, struct rte_mbuf **ret, unsigned max)
{
    struct ports *p = c->ports;
    if (c->workers == 1)
        return rx_own(c, ret, max);
    /* A quarter is kept for the rings, or a busy queue would starve them. */
    unsigned n = rx_own(c, ret, max - max / 4);
    for (unsigned to = 0; to < c->workers; to++)
        handoff_flush(c, &p->rx_to_worker[to], p->hub->rx[c->worker][to], HANDOFF_RX);
    return n + rx_passed(c, ret + n, max - n);
}

/* For those who capture: each frame once, at the worker that handles it. */
static void capture(struct core *c, struct rte_mbuf *const *frames, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (mbuf_may_answer(frames[i]))
            obs_capture(&c->obs, frames[i], frames[i]->port, false, c->now_us);
    }
}

unsigned port_rx(struct core *c, struct rte_mbuf **ret, unsigned max)
{
    ASSERT_HOT(max > 0 && max <= RX_MAX);
    unsigned n = rx_all(c, ret, max);
    if (obs_watches(&c->obs, OBSERVE_CAPTURE))
        capture(c, ret, n);
    return n;
}
