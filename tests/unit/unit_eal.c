/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the EAL for a test. --no-huge and --in-memory exclude each other in DPDK 22.11; with
 * --no-shconf nothing is written to disk either. */
#include "unit_eal.h"

#include "base/container.h"
#include "core/core.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>

void unit_eal_init(void)
{
    static bool is_up;
    char args[][32] = {"test",     "--no-huge",      "-m", "256", "--no-shconf",
                       "--no-pci", "--no-telemetry", "-l", "0",   "--log-level=lib.*:warning"};
    char *argv[array_len(args) + 1] = {NULL};
    if (is_up)
        return;
    for (unsigned i = 0; i < array_len(args); i++)
        argv[i] = args[i];
    if (rte_eal_init(array_len(args), argv) < 0) {
        fprintf(stderr, "EAL does not start: %s\n", rte_strerror(rte_errno));
        exit(1);
    }
    is_up = true;
}

struct rte_mempool *unit_mbufs_new(unsigned n)
{
    static unsigned serial;
    char name[32];
    snprintf(name, sizeof(name), "unit_mbufs_%u", serial++);
    struct rte_mempool *pool = rte_pktmbuf_pool_create(
        name, n, 0, 0, MBUF_DATA_BYTES + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
    if (pool == NULL) {
        fprintf(stderr, "no memory for %u mbufs: %s\n", n, rte_strerror(rte_errno));
        exit(1);
    }
    return pool;
}
