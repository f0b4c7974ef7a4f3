/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world's side of `mem` ports: for tests and the simulator. A queue pair of the port is two
 * rings; whoever plays the network puts frames into one and takes them from the other. Nothing
 * moves by itself, so time can be virtual.
 *
 * Thread: one on the world's side of each queue.
 */
#pragma once

#include "drivers/net/driver.h"

struct rte_mbuf;
struct rte_ring;

/* Frames that a queue holds in each direction; what the port sends beyond it is dropped there. */
#define MEM_QUEUE_FRAMES_MAX 1024u

/* Sends `m` to the port's receive queue. False: the queue is full, the caller keeps `m`. */
bool mem_world_send(const char *port_name, unsigned queue, struct rte_mbuf *m);

/* Takes what the port has sent by `queue`, at most `max` frames. Returns how many. */
unsigned mem_world_receive(const char *port_name, unsigned queue, struct rte_mbuf **ret,
                           unsigned max);

/* The rings behind a queue, for a world that moves many frames: *ret_in leads into the port,
 * *ret_out out of it. Valid until the port is closed. */
void mem_world_rings(const char *port_name, unsigned queue, struct rte_ring **ret_in,
                     struct rte_ring **ret_out);

/* Opens a mem port without an option text: `queues` pairs, MTU 1500. For tests. */
bool mem_port_open(const char *name, unsigned index, unsigned queues, unsigned workers,
                   struct rte_mempool *mbufs, struct port_setup *ret, struct net_fault *ret_fault);

/* Closes what mem_port_open() opened, with the frames that lie in its queues. */
void mem_port_close(const char *name, const struct port_setup *port);
