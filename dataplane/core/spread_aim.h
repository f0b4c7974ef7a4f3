/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other way round: which destination ports make a flow come to a worker. For source ports of
 * what we open, as the replies see them: remote -> local, and the local port is what is looked for.
 *
 * Where the port hashes by the key of this process, rte_thash says at once which port of a block of
 * 2,048 leads to a bucket: every candidate fits. Where a device insists on a key of its own,
 * candidates are tried with its hash; 1 in the number of workers fits.
 *
 * Pure values; thread: the worker's.
 */
#pragma once

#include "core/spread.h"

#include <stdbool.h>

/* Candidate ports: whole blocks, so that a port stays in range whatever bits are changed. Above
 * what the kernel's administrators think of as services. */
#define SPREAD_AIM_PORT_FIRST 10240u
#define SPREAD_AIM_PORT_LAST 65535u

struct spread_aim {
    const struct spread *spread;
    struct rte_thash_subtuple_helper *solver; /* NULL: trial */
    uint32_t hash;                            /* of the tuple with port 0 */
    uint32_t n;                               /* candidates; 0: no port leads to the worker */
    uint8_t worker;
    uint8_t port_word; /* which word of the tuple has the port */
};

/* Aims flows (src, src_port) -> dst at `worker`. Both addresses are of one family. */
void spread_aim_init(struct spread_aim *a, const struct spread *s, unsigned worker,
                     const struct ip_addr *src, const struct ip_addr *dst, uint16_t src_port);

/* The candidate number `i` < a->n; no two are alike. False: tried, and it leads elsewhere. Cost: 8
 * looks into a table, and one into rte_thash's. */
bool spread_aim_port(const struct spread_aim *a, uint32_t i, uint16_t *ret_port);
