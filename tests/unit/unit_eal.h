/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK for unit tests: no hugepages, no devices, nothing left on disk; many can run at once. */
#pragma once

struct rte_mempool;

/* Starts DPDK's EAL once in the process with 256 MB. Ends the process if that fails. */
void unit_eal_init(void);

/* A new pool of `n` packet buffers of MBUF_DATA_BYTES. Free by rte_mempool_free(). */
struct rte_mempool *unit_mbufs_new(unsigned n);
