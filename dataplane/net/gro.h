/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generic receive offload: TCP segments of a flow that follow one another in a burst become one
 * frame, a chain, so that the flow is looked up, its acknowledgement read and its reader woken once
 * for all of them. The same as a device with LRO gives (RTE_MBUF_F_RX_LRO, tso_segsz), but
 * stricter:
 *
 *   - in order and without a gap, each as long as the first, but the last, which may be shorter;
 *   - MACs, tag, addresses, TTL, traffic class with ECN, flags, acknowledgement, window and options
 *     with their timestamps are the same to the bit; only PSH may come, and ends the merge;
 *   - checksums were checked, by the device or here: what is damaged stays what it is.
 *
 * So nothing is lost that tcp would see, but how many segments there were: they still lie in as
 * many mbufs, and tcp counts these. No byte is copied.
 *
 * Owner, thread: the worker. Station on the path: between port_rx() and net_input().
 */
#pragma once

struct core;
struct rte_mbuf;

/* Flows with a merge under way in a burst; of more, the one that began first is left as it is. */
#define GRO_FLOWS_MAX 8u

/* Merges what may be merged among frames[0..n), which port_rx() gave; the rest keeps its order.
 * Returns how many frames are left. Cost: nothing for bursts of short frames; else a look at each
 * frame's headers. */
unsigned gro_merge(struct core *c, struct rte_mbuf **frames, unsigned n);
