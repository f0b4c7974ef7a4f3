/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of packets that all workers and ports share. Owner: the composer. Thread: one, before
 * the workers start.
 */
#pragma once

#include "options.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mempool;

/*
 * Makes the pool out of three quarters of the memory; the rest is for devices and fragmentation.
 *
 * net_af_xdp tells the kernel that the pool is (number of packets) times (bytes of one) long, and
 * the kernel drops in silence what lies behind that. So where a port is of that kind no gap may be
 * left at the end of a page, as DPDK does for devices that read memory by physical addresses; and
 * the two kinds cannot share a pool. False: *ret_fault says why not.
 */
bool packets_make(const struct options *o, struct rte_mempool **ret_pool, uint32_t *ret_n,
                  struct net_fault *ret_fault);

/* Do all packets lie in one piece without gaps? What net_af_xdp takes for granted. */
bool packets_are_packed(const struct rte_mempool *pool);
