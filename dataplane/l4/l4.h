/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forwarding of one worker: packets of TCPRoutes and UDPRoutes that need no connection of ours go
 * on to an endpoint under an address and port of ours, and its answers come back the same way (full
 * NAT, RFC 2663 section 4.4's "twice NAT"). A flow is between two pairs of ends:
 *
 *   client --- VIP:port   ours:port --- endpoint
 *
 * The endpoint is chosen once, with the first packet, by a hash of the client's side that has no
 * secret, so every worker and every box chooses the same (Maglev, base/maglev.h). From then on the
 * flow is found by either pair, and nothing that is configured meanwhile concerns it, but that an
 * address of ours goes.
 *
 *                  +-- l4_input(): frames whose flow is known, straight to the wire
 *   port_rx() -----+
 *                  +-- net_input() -- l4_net_ops, l4_udp_ops: what begins a flow, what is unusual
 *                                   -- else tcp
 *
 * Owner: the worker. Thread: the worker. Memory: pools sized at start. Station on the path: before
 * net's input, and between net and tcp.
 */
#pragma once

#include "net/net.h"
#include "net/udp.h"
#include "route/route.h"

#include <stdint.h>

struct core;
struct flow_tuple;
struct l4_fwd;
struct rte_mbuf;
struct tcp;
struct upstream;

/* Sizes and times. */
struct l4_config {
    uint32_t flows_max;       /* TCP and UDP, at most L4_FLOWS_MAX */
    uint32_t opens_per_s;     /* new flows, on average; beyond: dropped */
    uint32_t opens_per_src_s; /* of one source (an address, of IPv6 a /64) */
    /* TCP: clients that have not answered their endpoint's answer. Beyond these their SYNs get
     * cookies: in all, and of one listener; 0: all SYNs do. */
    uint32_t half_open_max;
    uint32_t half_open_listener_max;
    uint32_t tcp_open_ms;   /* a connection that is not answered is forgotten after */
    uint32_t tcp_idle_ms;   /* one without packets */
    uint32_t tcp_half_ms;   /* one that one side has ended */
    uint32_t tcp_closed_ms; /* one that both have ended, or one has reset */
    uint32_t udp_single_ms; /* a flow of UDP of one question and one answer */
    uint32_t udp_idle_ms;   /* one with more */
};

#define L4_FLOWS_MAX (1u << 23) /* so that an entry of the flow table names it */

/* Defaults for a worker that can have so many client connections. */
void l4_config_default(struct l4_config *config, uint32_t conns_max);

/* Who works with it. */
struct l4_around {
    struct core *core;
    struct net *net;
    struct tcp *tcp; /* gets what is not forwarded */
    struct upstream *upstream;
};

/* Makes it; memory comes from core_memory(). Forwards nothing before l4_set_image(). */
struct l4_fwd *l4_new(const struct l4_around *around, const struct l4_config *config);

/* Forgets all flows. */
void l4_done(struct l4_fwd *f);

/* A new image: new flows go by it, the others stay. `view` outlives the next call. */
void l4_set_image(struct l4_fwd *f, const struct image_view *view,
                  const struct route_reader *reader);

/* Takes the frames of the burst whose flows are known, and leaves the others in `frames`, in their
 * order. Returns how many it left. Cost: nothing while there is no flow. */
unsigned l4_input(struct l4_fwd *f, struct rte_mbuf **frames, unsigned n);

/* Is the flow to be cut off? `ends` are the client's side. */
typedef bool (*l4_cut_fn)(void *owner, const struct flow_tuple *ends, bool is_udp);

/* Asks about the flows in the next `n` buckets of the tables from *cursor on, which it moves, and
 * ends those that are to be cut off. False: those were the last. */
bool l4_cut_flows(struct l4_fwd *f, uint32_t *cursor, uint32_t n, l4_cut_fn cuts, void *owner);

/* What net gives TCP's segments to; the owner is a struct l4_fwd. */
extern const struct net_tcp_ops l4_net_ops;

/* And its datagrams. */
extern const struct net_udp_ops l4_udp_ops;

/* Tells the next few flows to each observer who asked for flows and was told those of tcp, whose
 * places are before `first`; with the last one it is over. Bounds: as tcp_tell_flows(). Returns how
 * many places it looked at. */
unsigned l4_tell_flows(struct l4_fwd *f, uint64_t first);

/* Is it the pair of ends of a flow of TCP of the struct l4_fwd? For tcp_set_is_taken(). */
bool l4_has_flow(void *f, const struct flow_tuple *ends);
