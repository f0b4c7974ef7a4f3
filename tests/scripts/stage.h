/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage on which packets are played: one worker's core, ports, net and tcp on a memory port,
 * under a virtual clock. What goes in and comes out are IP packets; the stage plays the link below
 * them (it answers ARP and neighbour solicitations, so the script never sees any).
 *
 * Rounds are those of dataplane/worker.c without a proxy: receive, timers, net, tcp, send. Time
 * moves from timer to timer, so what a timer sends carries the very time at which it was due.
 *
 * Owner: who made it. Thread: one.
 */
#pragma once

#include "core/core.h"
#include "tcp/tcp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAGE_PACKET_BYTES_MAX 2048u                      /* an IP packet: one mbuf's room */
#define STAGE_PACKET_IN_BYTES_MAX (MBUF_DATA_BYTES - 14u) /* one that arrives: with its header */
#define STAGE_OUT_MAX 1024u /* packets sent and not yet taken: what a memory port holds */

struct stage;

struct stage_config {
    uint64_t start_us; /* the clock at first; STAGE_SETTLE_US before the first packet may come */
    uint32_t mbufs;    /* of the pool */
    uint16_t mtu;
    struct ip_addr local4;
    struct ip_addr local6; /* on-link: /24 and /64 */
    struct tcp_config tcp;
    struct tcp_upcalls upcalls;
};

/* Addresses are announced, and probed for duplicates, in the first seconds: nothing is played
 * before they are over. */
#define STAGE_SETTLE_US 8000000u

/* A packet that the stack sent. */
struct stage_packet {
    uint64_t at_us;
    uint32_t bytes;
    uint8_t data[STAGE_PACKET_BYTES_MAX];
};

/* Starts DPDK when first called; makes the worker and lets it settle. Ends the process, with the
 * reason, where there is no memory. */
struct stage *stage_new(const struct stage_config *config);

/* Ends it. False: mbufs or timers were left over, said on stderr. */
bool stage_free(struct stage *s);

/* The clock. */
uint64_t stage_now_us(const struct stage *s);

/* The worker's TCP and core. */
struct tcp *stage_tcp(struct stage *s);
struct core *stage_core(struct stage *s);

/* An IP packet arrives now; it is taken in the next round. */
void stage_receive(struct stage *s, const void *packet, size_t bytes);

/* Rounds at the present time until one has nothing to do. */
void stage_run(struct stage *s);

/* Time goes on to the next moment at which a timer may be due, at most to `until_us`; rounds. */
void stage_step(struct stage *s, uint64_t until_us);

/* Lets time pass until `until_us`, or, with `stops_at_packet`, until something is sent. */
void stage_run_until(struct stage *s, uint64_t until_us, bool stops_at_packet);

/* The oldest packet sent and not yet taken; NULL: none. Valid until stage_drop(). */
const struct stage_packet *stage_peek(const struct stage *s);

/* Takes it away. */
void stage_drop(struct stage *s);
