/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions by datagrams through a UDPRoute: a client asks from a port of its own, one question
 * after the other, and an endpoint answers each at once. Of every datagram each byte is known.
 * Whoever is told that one was too long asks for less. Owner: the simulator.
 */
#pragma once

#include "base/wheel.h"
#include "net/udp.h"
#include "sim_plan.h"

struct sim;
struct sim_host;

struct sim_question {
    uint64_t at_us; /* when it was sent; 0: not yet */
    uint32_t bytes; /* as it was sent */
    uint32_t limit; /* what its sender had been told by then; 0: nothing */
    uint32_t seen;  /* times at an endpoint */
    uint32_t answers;
};

/* All questions of one port. */
struct sim_ask {
    struct sim *sim;
    struct sim_ask_plan *plan;
    struct sim_host *host;
    struct wheel_timer timer;
    unsigned n_asked;
    uint32_t limit;   /* longest packet, as the last who told said; 0: nobody has */
    uint64_t seen_us; /* when an endpoint last got one, */
    unsigned seen_by; /* and which */
    bool is_over;
    struct sim_question questions[SIM_QUESTIONS_MAX];
};

/* Makes it ready to ask the first one at its time. */
void sim_ask_init(struct sim_ask *a, struct sim *sim, struct sim_ask_plan *plan);

/* Ends one that is still open when the run gives up. */
void sim_ask_stop(struct sim_ask *a);

/* What hosts do with datagrams; the owner is a struct sim_host. */
extern const struct net_udp_ops sim_ask_ops;

/* What became of the questions, against what may, and the appliance's books of them. */
void sim_ask_check(struct sim *s);
