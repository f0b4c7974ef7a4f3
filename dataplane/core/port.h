/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port facade: what a worker sees of the NICs. It hides which worker owns which queue: where
 * the port has a queue pair for each worker, frames go straight to it; where it has fewer (af_xdp
 * on veth, tap), the worker that owns the queue passes received frames to the owner of their flow
 * (software spreading by the Toeplitz hash of the tuple) and sends for the others, over rings.
 * Modules above see neither.
 *
 * Owner: the worker. Thread: the worker, but for the rings inside.
 */
#pragma once

#include "base/ip_addr.h"

#include <stdbool.h>
#include <stdint.h>

struct core;
struct rte_mbuf;
struct spread_aim;

#define PORTS_MAX 16u
#define PORT_BURST 32u

struct ether_mac {
    uint8_t bytes[6];
};

/*
 * What a port may be able to do for us. Whatever it cannot is done in software, and the bytes on
 * the wire are the same. One list: enum, members of struct port_info, the words of the port option.
 */
#define PORT_ABILITY_LIST(X)                                                                       \
    X(rss, "spreads frames over a queue a worker, as foretold")                                    \
    X(multi_seg_tx, "sends chained mbufs; else the facade makes them one")                         \
    X(tx_ip4_cksum, "fills in the checksums of IPv4 headers")                                      \
    X(tx_tcp_cksum, "fills in the checksums of TCP and UDP, IPv4 and IPv6")                        \
    X(rx_cksum, "checks checksums: ol_flags carry RTE_MBUF_F_RX_*_CKSUM_*")                        \
    X(tx_vlan, "puts tags in: RTE_MBUF_F_TX_VLAN")                                                 \
    X(rx_vlan, "takes tags out: RTE_MBUF_F_RX_VLAN_STRIPPED")                                      \
    X(tso, "cuts long TCP segments: RTE_MBUF_F_TX_TCP_SEG")                                        \
    X(lro, "puts TCP segments together: RTE_MBUF_F_RX_LRO")

enum port_ability {
#define X(name, help) PORT_CAN_##name,
    PORT_ABILITY_LIST(X)
#undef X
        PORT_ABILITIES
};

/* Mbufs of a frame, and of each MSS of a long one: what Intel's NICs gather for one frame. In so
 * many pieces copying is cheaper anyway. */
#define PORT_TX_MBUFS_MAX 8u

/* Mbufs of a long segment in all: 45 full segments have 64 KB, each in an mbuf of its own, and the
 * header. */
#define PORT_TSO_MBUFS_MAX 48u

/* What a port is and can do, read back from the device at start. Same content on every worker. */
struct port_info {
    uint16_t
        index; /* 0..n-1, in the order of the configuration: the route image's interfaces name it */
    uint16_t dpdk_port;
    uint16_t mtu; /* bytes of the IP packet */
    struct ether_mac mac;
#define X(name, help) bool has_##name;
    PORT_ABILITY_LIST(X)
#undef X
    bool has_tap;           /* the kernel's daemons speak by it: port_tap_rx(), port_tap_tx() */
    uint16_t tx_mbufs_max;  /* with has_multi_seg_tx: of a frame, or of each MSS of a long one */
    uint16_t tso_mbufs_max; /* with has_tso: of a long segment */
    char name[32];          /* as configured */
};

/* How many ports there are; the same during the life of the process. */
unsigned port_count(const struct core *c);

/* The port at `index` < port_count(). */
const struct port_info *port_info(const struct core *c, unsigned index);

/*
 * Takes what there is for this worker: own queues first, then what others passed on. At most `max`
 * <= 128 frames into `ret`; m->port is the port's INDEX (not DPDK's id). Frames of flows that
 * another worker owns are handed off inside. Neighbour discovery (ARP, ND) and MLD queries are
 * copied to every worker, so that each learns; only the receiving worker's frame is to be answered
 * (see mbuf_may_answer()).
 */
unsigned port_rx(struct core *c, struct rte_mbuf **ret, unsigned max);

/*
 * For a packet put together from fragments, which met at the worker of their addresses: passes it
 * (a whole ethernet frame) to the owner of its flow. *m is NULL then; unchanged if it is ours.
 */
void port_rx_respread(struct core *c, struct rte_mbuf **m);

/* True if this worker is the one to answer the frame; false: a copy, to learn from only. */
bool mbuf_may_answer(const struct rte_mbuf *m);

/* Queues `m` (whole ethernet frame, possibly chained) for port `index`; takes ownership, always.
 * Sent at port_tx_flush() or when a burst is full; a drop is counted. */
void port_tx(struct core *c, unsigned index, struct rte_mbuf *m);

/* Sends what is queued. Called once at the end of a poll. Returns frames handed to devices or
 * workers. */
unsigned port_tx_flush(struct core *c);

/* What a TAP takes: DPDK's driver for it has no longer frames. */
#define PORT_TAP_MTU_MAX 1500u

/* The worker that alone speaks to the TAPs; what others have for them goes there by the rings. */
#define PORT_TAP_WORKER 0u

/* Takes what the kernel sends by the TAP beside port `index` (whole ethernet frames), at most `max`
 * <= PORT_BURST frames. PORT_TAP_WORKER only. */
unsigned port_tap_rx(struct core *c, unsigned index, struct rte_mbuf **ret, unsigned max);

/* Queues `m` (a whole ethernet frame, possibly chained) for the TAP beside port `index`, which has
 * one; takes ownership, always. Given to the kernel at port_tx_flush(); a drop is counted. */
void port_tap_tx(struct core *c, unsigned index, struct rte_mbuf *m);

/* The worker that receives frames of this flow: (remote -> local) as seen on the wire. Pure; the
 * same function that port_rx() spreads by. */
unsigned port_flow_worker(const struct core *c, unsigned index, const struct ip_addr *src,
                          const struct ip_addr *dst, uint16_t src_port, uint16_t dst_port);

/* Which ports `dst` may use so that frames of flows (src, src_port) -> dst come to this worker: see
 * core/spread_aim.h. */
void port_aim(const struct core *c, unsigned index, const struct ip_addr *src,
              const struct ip_addr *dst, uint16_t src_port, struct spread_aim *ret);
