/* SPDX-License-Identifier: Apache-2.0 */
/* The port facade's own structures; see core/port.h. Owner, thread: as said at each. */
#pragma once

#include "core/core.h"
#include "core/links.h"
#include "core/port_setup.h"

#include <rte_mbuf.h>
#include <rte_ring.h>

/* Frames on their way to one place: a device's send queue or another worker's ring. */
struct frame_batch {
    struct rte_mbuf *frames[PORT_BURST];
    unsigned n;
};

/* Process-wide, read-only after port_hub_new() but for the insides of the rings. */
struct port_hub {
    unsigned workers;
    unsigned n_ports;
    uint64_t learn_only_flag; /* in ol_flags: a copy to learn from, not to answer */
    struct port_setup ports[PORTS_MAX];
    struct rte_ring *rx[WORKERS_MAX][WORKERS_MAX]; /* received frames, [from][to] */
    struct rte_ring *tx[WORKERS_MAX][WORKERS_MAX]; /* frames to send, [from][to] */
};

/* One worker's view. Owner and thread: the worker. */
struct ports {
    struct port_hub *hub;
    unsigned next_port;   /* which port is asked first in the next round: no port starves */
    unsigned next_worker; /* which worker's ring is emptied first */
    unsigned rss_looks;   /* frames that a device marked as hashed: every so many is hashed here */
    struct frame_batch to_port[PORTS_MAX];
    struct frame_batch to_tap[PORTS_MAX]; /* of PORT_TAP_WORKER */
    struct frame_batch rx_to_worker[WORKERS_MAX];
    struct frame_batch tx_to_worker[WORKERS_MAX];
};

/* The device that the port uses now. */
static inline uint16_t port_device(const struct core *c, const struct port_setup *port)
{
    return port->n_members == 0 ? port->info.dpdk_port
                                : port->members[links_active(c->links, port->info.index)].dpdk_port;
}

/* Added to the port's index in m->port: a frame in a ring of `tx` is for the TAP beside it. */
#define PORT_TAP_MARK PORTS_MAX

/* Puts `m` on PORT_TAP_WORKER's batch for the TAP beside the port. */
void port_tap_own(struct core *c, unsigned index, struct rte_mbuf *m);

/* Gives all batches to the kernel. Returns how many frames. */
unsigned port_tap_flush(struct core *c);

/* The flag above; the same for all hubs of the process. */
uint64_t port_learn_only_flag(void);

/* What is passed between workers, and how it is counted. */
enum handoff {
    HANDOFF_RX, /* received frames, to the owner of their flow */
    HANDOFF_TX, /* frames to send, to the owner of the port's send queue */
};

/* Puts `m` on the batch for worker `to`, and the batch on its ring when it is full. */
void handoff_add(struct core *c, struct frame_batch *batch, struct rte_ring *ring,
                 enum handoff kind, struct rte_mbuf *m);

/* Puts the batch on the ring; what does not fit is dropped and counted. Returns frames passed on.
 */
unsigned handoff_flush(struct core *c, struct frame_batch *batch, struct rte_ring *ring,
                       enum handoff kind);
