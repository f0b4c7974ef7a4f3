/* SPDX-License-Identifier: Apache-2.0 */
/* What the stage's two files share. */
#pragma once

#include "stage.h"

#define STAGE_PORT "stage"
#define STAGE_WORLD_MBUFS 2047u /* of the world's side: frames under way to the stack */

struct stage {
    struct core core;
    struct stats_worker stats;
    struct port_hub *hub;
    struct net *net;
    struct tcp *tcp;
    struct rte_mempool *pool;       /* the worker's */
    struct rte_mempool *world_pool; /* the world's */
    unsigned first;                 /* of the packets not yet taken */
    unsigned n;
    struct stage_packet out[STAGE_OUT_MAX];
};

/* Takes what the port sent: answers what is the link's, keeps the rest. Returns how many frames. */
unsigned stage_collect(struct stage *s);
