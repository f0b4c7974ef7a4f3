/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two LANs under a virtual clock. What a port has sent is copied out of its packet buffer, meets
 * the impairments of its LAN, and is put into the receiver's port when it is due, in a buffer of
 * the receiver's pool: as on a real wire, nobody's buffers are held by frames under way.
 *
 * Corruption changes one byte of an IP packet: what a frame check sequence lets through and the
 * checksums above it must see. ARP has none, so its frames are dropped instead.
 */
#pragma once

#include "base/rng.h"
#include "base/siphash.h"
#include "core/port.h"
#include "sim_liar.h"
#include "sim_limits.h"
#include "sim_plan.h"

#define SIM_PORTS_MAX (SIM_HOSTS_MAX + 3u) /* the appliance has two, a stranger one */
#define SIM_QUEUES_MAX 2u

struct rte_mempool;
struct rte_ring;
struct sim;

/* One end of a wire. */
struct sim_port {
    const char *name;
    unsigned lan;
    struct ether_mac mac;
    unsigned queues;
    struct rte_mempool *mbufs;
    struct rte_ring *in[SIM_QUEUES_MAX]; /* to the port */
    struct rte_ring *out[SIM_QUEUES_MAX];
    uint64_t last_due_us;               /* of the frames on their way to the port */
    bool *is_awake;                     /* of whoever polls it: set when a frame arrives */
    struct sim_lies lies;               /* about what comes to the port */
    bool is_stalled;                    /* nothing is taken from it */
    bool has_ecn;                       /* whoever has the port does */
    uint32_t n_on_way;                  /* frames to the port */
    uint64_t n_marked_in;               /* frames with CE that the port was given */
    uint64_t n_marked_out;              /* frames from the port that somebody was given with CE */
    unsigned n_fillers[SIM_QUEUES_MAX]; /* frames of nobody at the head of each send queue */
};

struct sim_frame {
    uint64_t due_us;
    uint64_t serial; /* the order of equals */
    uint32_t next_free;
    uint16_t len;
    uint8_t port; /* where it goes */
    uint8_t from; /* and from where it comes */
    uint8_t bytes[SIM_FRAME_BYTES_MAX];
};

struct sim_wires {
    const struct sim *sim;
    const struct sim_plan *plan;
    struct rng rng;
    bool is_perfect; /* the impairments are over: the run is being wound up */
    unsigned n_ports;
    struct sim_port ports[SIM_PORTS_MAX];
    uint64_t serial;
    uint64_t digest; /* of every frame delivered, in its order, with its time */
    uint64_t n_sent;
    uint64_t n_delivered;
    uint64_t n_lost; /* by the wire's will */
    uint64_t n_full; /* no room on the wire, in the port, or no packet buffer */
    uint64_t n_marked;
    const char *ecn_fault; /* the first: sim_mark_fault() */
    uint32_t first_free;
    uint32_t n_heap;
    uint32_t heap[SIM_FRAMES_MAX]; /* positions in frames, the one due first on top */
    struct sim_frame *frames;      /* SIM_FRAMES_MAX of them, kept from run to run */
};

/* Empty wires with no ports. `frames` is kept. */
void sim_wires_init(struct sim_wires *w, const struct sim *sim);

/* Takes everything that the ports have sent and puts it on the wires. */
void sim_wires_collect(struct sim_wires *w, uint64_t now_us);

/* Delivers what is due. Returns how many frames. */
unsigned sim_wires_deliver(struct sim_wires *w, uint64_t now_us);

/* When the next frame is due; UINT64_MAX: none under way. */
uint64_t sim_wires_next_us(const struct sim_wires *w);
