/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's or a backend's machine: net and tcp of the product on a memory port, with a small
 * application on top that sees struct stream only. Owner: the simulator.
 */
#pragma once

#include "core/core.h"
#include "core/port_setup.h"
#include "net/net.h"
#include "sim_dsr.h"
#include "sim_h2.h"
#include "sim_plan.h"
#include "tcp/tcp.h"

struct sim;

struct sim_host {
    struct sim *sim;
    unsigned number; /* among all hosts */
    struct core core;
    struct stats_worker stats;
    struct port_hub *hub;
    struct net *net;
    struct tcp *tcp;
    struct sim_h2 *h2; /* NULL: nobody speaks HTTP/2 here */
    struct sim_dsr dsr;
    struct ip_addr addr4;
    struct ip_addr addr6;
    bool is_awake; /* something may be there to do at once */
};

/* Makes the host `number` (clients first) with its port on the LAN that it belongs to. */
void sim_host_new(struct sim_host *h, struct sim *sim, unsigned number,
                  const struct port_setup *port, const struct tcp_upcalls *upcalls);

/* One round. Returns true if it did anything. */
bool sim_host_poll(struct sim_host *h, uint64_t now_us);

/* When its next timer may be due. */
uint64_t sim_host_next_us(const struct sim_host *h);

/* Ends it. Every packet is given back. */
void sim_host_free(struct sim_host *h);
