/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting DPDK for this process: which CPUs, which memory, which devices and no others. Thread:
 * the composer's.
 */
#pragma once

#include "drivers/net/driver.h"
#include "options.h"

#include <stdbool.h>

#define EAL_ARGS_MAX 64u
#define EAL_ARG_BYTES 160u

/* An argument list for rte_eal_init(). */
struct eal_args {
    int argc;
    char *argv[EAL_ARGS_MAX + 1];
    char text[EAL_ARGS_MAX][EAL_ARG_BYTES];
};

/*
 * lcore 0 is housekeeping, lcore 1+i is worker i. Housekeeping has the first CPU to itself when
 * there are more CPUs than workers; else all share. Hugepages are used if `has_hugepages`.
 */
void eal_args_make(const struct options *options, const struct net_device *devices,
                   bool has_hugepages, struct eal_args *ret);

/* Are `mem_mb` of free hugepages there? */
bool eal_has_hugepages(unsigned mem_mb);

/* Removes what the EAL leaves in its runtime directory. After rte_eal_cleanup(). */
void eal_clean_up(const char *runtime_dir);
