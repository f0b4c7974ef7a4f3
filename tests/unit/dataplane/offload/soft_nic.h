/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A NIC in software, for tests: it does to frames what a device does that has a port's abilities,
 * by its own arithmetic, and it is strict: a frame that asks for what the port did not promise, or
 * that DPDK's rules forbid, ends the test. It stands between a mem port and the wire.
 */
#pragma once

#include "core/port.h"

struct rte_mbuf;
struct rte_mempool;

struct soft_nic {
    struct port_info can; /* its abilities and limits */
    struct rte_mempool *mbufs;
    unsigned turn;     /* so that what has several right answers gets each of them */
    uint64_t runs;     /* long segments cut (TSO) */
    uint64_t merged;   /* segments put behind another (LRO) */
    uint64_t summed;   /* checksums filled in */
    uint64_t tagged;   /* tags put in */
    uint64_t untagged; /* tags taken out */
};

/* Frames that one frame may become: 64 KB in the smallest segments. */
#define SOFT_NIC_FRAMES_MAX 130u

/* What the frame is on the wire: one mbuf a frame, without flags. Takes `m`; returns how many. */
unsigned soft_nic_send(struct soft_nic *nic, struct rte_mbuf *m,
                       struct rte_mbuf *ret[SOFT_NIC_FRAMES_MAX]);

/* What the port gets of frames[0..n) from the wire: flags set, tags out, segments merged, in place.
 * Returns how many frames are left. */
unsigned soft_nic_receive(struct soft_nic *nic, struct rte_mbuf **frames, unsigned n);
