/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setting up the port facade: rings between workers and each worker's view. Thread: the composer's,
 * before workers start and after they ended.
 */
#include "core/port_priv.h"

#include "base/assert.h"
#include "core/spread_aim.h"

#include <rte_mbuf_dyn.h>
#include <stdlib.h>
#include <string.h>

uint64_t port_learn_only_flag(void)
{
    static const struct rte_mbuf_dynflag wanted = {.name = "sluice_learn_only"};
    int bit = rte_mbuf_dynflag_register(&wanted); /* the same bit each time */
    ASSERT(bit >= 0);
    return 1ULL << bit;
}

static struct rte_ring *ring_new(const char *name)
{
    size_t bytes = (size_t)rte_ring_get_memsize(HANDOFF_FRAMES_MAX);
    struct rte_ring *ring = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_CACHE_LINE_ROUNDUP(bytes));
    if (ring == NULL)
        return NULL;
    memset(ring, 0, bytes);
    int fault = rte_ring_init(ring, name, HANDOFF_FRAMES_MAX, RING_F_SP_ENQ | RING_F_SC_DEQ);
    ASSERT(fault == 0);
    return ring;
}

static void ring_free(struct rte_ring *ring)
{
    void *m;
    if (ring == NULL)
        return;
    while (rte_ring_sc_dequeue(ring, &m) == 0)
        rte_pktmbuf_free(m);
    free(ring);
}

static bool rings_new(struct port_hub *hub)
{
    for (unsigned from = 0; from < hub->workers; from++) {
        for (unsigned to = 0; to < hub->workers; to++) {
            if (from == to)
                continue;
            hub->rx[from][to] = ring_new("handoff_rx");
            hub->tx[from][to] = ring_new("handoff_tx");
            if (hub->rx[from][to] == NULL || hub->tx[from][to] == NULL)
                return false;
        }
    }
    return true;
}

struct port_hub *port_hub_new(const struct port_setup *ports, unsigned n_ports, unsigned workers)
{
    ASSERT(n_ports <= PORTS_MAX);
    ASSERT(workers >= 1 && workers <= WORKERS_MAX);
    struct port_hub *hub = calloc(1, sizeof(*hub));
    if (hub == NULL)
        return NULL;
    hub->workers = workers;
    hub->n_ports = n_ports;
    hub->learn_only_flag = port_learn_only_flag();
    for (unsigned i = 0; i < n_ports; i++) {
        ASSERT(ports[i].n_rx_queues >= 1 && ports[i].n_rx_queues <= PORT_QUEUES_MAX);
        ASSERT(ports[i].n_tx_queues >= 1 && ports[i].n_tx_queues <= workers);
        ASSERT(ports[i].info.index == i);
        hub->ports[i] = ports[i];
    }
    if (!rings_new(hub)) {
        port_hub_free(hub);
        return NULL;
    }
    return hub;
}

void port_hub_free(struct port_hub *hub)
{
    if (hub == NULL)
        return;
    for (unsigned from = 0; from < hub->workers; from++) {
        for (unsigned to = 0; to < hub->workers; to++) {
            ring_free(hub->rx[from][to]);
            ring_free(hub->tx[from][to]);
        }
    }
    free(hub);
}

void ports_join(struct port_hub *hub, struct core *c)
{
    ASSERT(c->worker < hub->workers && c->workers == hub->workers);
    ASSERT(c->ports == NULL);
    c->ports = core_memory(c, sizeof(*c->ports), "ports");
    c->ports->hub = hub;
}

static void batch_drop(struct frame_batch *batch)
{
    rte_pktmbuf_free_bulk(batch->frames, batch->n);
    batch->n = 0;
}

void ports_leave(struct core *c)
{
    struct ports *p = c->ports;
    ASSERT(p != NULL);
    for (unsigned i = 0; i < PORTS_MAX; i++) {
        batch_drop(&p->to_port[i]);
        batch_drop(&p->to_tap[i]);
    }
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        batch_drop(&p->rx_to_worker[i]);
        batch_drop(&p->tx_to_worker[i]);
    }
    c->ports = NULL;
}

unsigned port_count(const struct core *c)
{
    return c->ports->hub->n_ports;
}

const struct port_info *port_info(const struct core *c, unsigned index)
{
    ASSERT_HOT(index < c->ports->hub->n_ports);
    return &c->ports->hub->ports[index].info;
}

unsigned port_flow_worker(const struct core *c, unsigned index, const struct ip_addr *src,
                          const struct ip_addr *dst, uint16_t src_port, uint16_t dst_port)
{
    const struct port_hub *hub = c->ports->hub;
    ASSERT_HOT(index < hub->n_ports);
    if (hub->workers == 1)
        return 0;
    struct spread_tuple tuple;
    spread_tuple_of(src, dst, src_port, dst_port, &tuple);
    return spread_worker(&hub->ports[index].spread, &tuple);
}

void port_aim(const struct core *c, unsigned index, const struct ip_addr *src,
              const struct ip_addr *dst, uint16_t src_port, struct spread_aim *ret)
{
    const struct port_hub *hub = c->ports->hub;
    ASSERT_HOT(index < hub->n_ports);
    spread_aim_init(ret, &hub->ports[index].spread, c->worker, src, dst, src_port);
}
