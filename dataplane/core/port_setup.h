/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port contract from below and from the side: what a driver hands over for each port it has
 * started (drivers/net), and how the composer turns ports and workers into each worker's view.
 *
 * Queues: receive queue q belongs to worker q % workers, send queue q to worker q. A port with one
 * queue a worker and has_rss delivers frames to their owners; on any other port the workers spread
 * in software. A worker without a send queue passes its frames to worker (own number % n_tx).
 *
 * Owner: the composer. Thread: before the workers start and after they ended.
 */
#pragma once

#include "core/port.h"
#include "core/spread.h"

struct port_hub;

#define PORT_MEMBERS_MAX 4u /* what a switch's port group usually has at most */

/* One of a port's devices. */
struct port_member {
    uint16_t dpdk_port;
    char name[16]; /* the kernel's interface, whose carrier is looked at */
};

/* A started ethdev, or several of which one at a time is in use (core/links.h). */
struct port_setup {
    struct port_info info; /* of several what all can do; dpdk_port is the first's */
    uint8_t n_members;     /* 0: it is one */
    struct port_member members[PORT_MEMBERS_MAX];
    uint16_t n_rx_queues; /* 1..PORT_QUEUES_MAX */
    uint16_t n_tx_queues; /* 1..workers */
    bool wants_calls;     /* its send queues are called in each round, also without frames */
    bool has_rss_mark; /* with info.has_rss: frames that it hashed carry RTE_MBUF_F_RX_RSS_HASH */
    struct spread spread; /* the device's if info.has_rss, else spread_init()'s */
    uint16_t dpdk_tap;    /* with info.has_tap: the TAP, a started ethdev with one queue pair */
};

#define PORT_QUEUES_MAX 64u

/* Frames that wait between two workers, one direction. Reason: what a worker receives in one round
 * (128) times the rounds that its neighbour may be late (16). Full: dropped and counted. */
#define HANDOFF_FRAMES_MAX 2048u

/* The rings between all workers. NULL: no memory. */
struct port_hub *port_hub_new(const struct port_setup *ports, unsigned n_ports, unsigned workers);

/* Frees the hub and every frame that still lies in its rings. Workers have ended. NULL: nothing. */
void port_hub_free(struct port_hub *hub);

/* Makes the worker's view and sets c->ports. The hub outlives the worker. */
void ports_join(struct port_hub *hub, struct core *c);

/* Frees the frames that this worker had not sent. */
void ports_leave(struct core *c);
