/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends that get packets within others (IPIP, GUE) and answer clients themselves, as Linux does
 * with the VIP on an interface of its own. Here a backend has no VIP: what was in the packet is
 * made the backend's own on its way to the host, and what the host says to a client comes from the
 * VIP when it is on the wire, which leads it from the one LAN to the other as a router would.
 *
 * Packets that come in pieces are put together here: the hosts' own net does not know what is in
 * them. Owner: the simulator.
 */
#pragma once

#include "base/ip_addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rte_mbuf;
struct sim;
struct sim_host;

#define SIM_DSR_WHOLE_BYTES 4096u
#define SIM_DSR_WHOLES_MAX 16u /* packets in pieces at the same time; the oldest goes */

/* A packet of which pieces came. */
struct sim_dsr_whole {
    struct ip_addr src;
    uint32_t id;
    uint32_t end; /* where it ends; 0: not known yet */
    uint8_t proto;
    bool is_used;
    uint8_t got[SIM_DSR_WHOLE_BYTES / 64]; /* a bit for eight bytes */
    uint8_t bytes[SIM_DSR_WHOLE_BYTES];
};

/* Of a host. */
struct sim_dsr {
    unsigned next; /* the place that is taken next */
    struct sim_dsr_whole wholes[SIM_DSR_WHOLES_MAX];
};

/* Unwraps what of `frames` is wrapped; what is damaged, or a piece, is taken out. Returns how many
 * are left. */
unsigned sim_dsr_unwrap(struct sim_host *h, struct rte_mbuf **frames, unsigned n);

/* Is the frame, of a backend, for a client? Then *ret has what comes of it on the clients' LAN, and
 * *ret_host is the client's number. */
bool sim_dsr_return(const struct sim *s, const uint8_t *frame, uint16_t len, uint8_t *ret,
                    unsigned *ret_host);
