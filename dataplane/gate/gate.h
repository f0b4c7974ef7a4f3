/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may send packets at all: lists of client addresses (AccessPolicies of a Gateway or listener,
 * SourceLists) before all else that a worker does with a frame. What they do not let through is
 * dropped without a word. Connections and flows of clients that a new image denies are cut off.
 *
 *   port_rx() -- gate_input() -- l4_input() -- net_input() -- fragments put together: gate_denies()
 *
 * What is asked about: packets to a bind (address and port that somebody listens on), and to a VIP
 * whatever they are. What comes to an address of the box's own and to no bind (answers of backends,
 * routing daemons) is not, nor is neighbour discovery. An ICMP error is a router's word about what
 * we sent to a client, so a list of those who may says nothing of it.
 *
 * Owner: the worker. Thread: the worker. Memory: none but itself. Station on the path: the first
 * after the port.
 */
#pragma once

#include <stdbool.h>

struct core;
struct gate;
struct image_view;
struct l4_fwd;
struct rte_mbuf;
struct tcp;

/* Connections and flows looked at in a round after a new image: a cache miss or two each. */
#define GATE_LOOKS_PER_POLL_MAX 64u

/* Who works with it. */
struct gate_around {
    struct core *core;
    struct tcp *tcp;
    struct l4_fwd *l4;
};

/* Makes it; memory comes from core_memory(). Lets all through before gate_set_image(). */
struct gate *gate_new(const struct gate_around *around);

/* A new image: its lists hold from the next packet on, and gate_poll() goes through what is there.
 * `view` outlives the next call. */
void gate_set_image(struct gate *g, const struct image_view *view);

/* Drops the frames of the burst that may not come in, and leaves the others in `frames`, in their
 * order. Returns how many it left. Cost: nothing while the image has no list; else a look-up of the
 * bind and one by halves in each list before it. */
unsigned gate_input(struct gate *g, struct rte_mbuf **frames, unsigned n);

/* Is the frame, put together from fragments, not to come in? Counted. For net_set_denies(); the
 * owner is a struct gate. */
bool gate_denies(void *owner, const struct rte_mbuf *m);

/* Cuts off the next few of those that the image denies. Called once a round. Returns how many it
 * looked at. */
unsigned gate_poll(struct gate *g);
