/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of gate. Private. Thread: the worker. */
#pragma once

#include "abi/image.h"
#include "core/core.h"
#include "gate/gate.h"

#include <stdint.h>

struct gate {
    struct core *core;
    struct tcp *tcp;
    struct l4_fwd *l4;
    const struct image_view *view; /* NULL: it has no list */
    uint32_t next_conn;            /* where gate_poll() goes on, in the places of tcp */
    uint32_t next_flow;            /* likewise of l4 */
    bool has_conns;                /* it is not through with them */
    bool has_flows;
};

/* What kind of packet it is, by which lists that matters. */
enum gate_kind {
    GATE_PACKET,   /* all hold */
    GATE_ERROR,    /* ICMP that asks for nothing: those who are denied are */
    GATE_NEIGHBOR, /* neighbour discovery: of the link, not of clients */
};

/* Of a frame. */
struct gate_look {
    struct ip_addr src;
    struct ip_addr dst;
    uint16_t port; /* at our side; with has_port */
    uint8_t proto; /* above IP; of a fragment what its first header says */
    bool has_port; /* TCP or UDP, and no fragment */
    enum gate_kind kind;
};

/* gate_read.c: reads a whole ethernet frame. False: it is none of IP, or too short, and net says
 * what becomes of it. */
bool gate_read(const struct rte_mbuf *m, struct gate_look *ret);

/* gate.c: the counter against a client's packets to our end of TCP or UDP; STAT_COUNT: none. */
enum stat_id gate_judge_end(const struct gate *g, const struct ip_addr *local, uint16_t port,
                            bool is_udp, const struct ip_addr *client);
