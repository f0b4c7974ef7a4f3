/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that are passed on (TCPRoute, TLSRoute): a client and a backend that tell each other
 * bodies of which every byte is known, both at once. The client begins with the number of its plan,
 * by which the backend knows the rest; in some runs a backend speaks first. Each direction ends by
 * itself, one may wait for the other, and either side may reset. Owner: the simulator.
 */
#pragma once

#include "base/wheel.h"
#include "sim_plan.h"

#include <stdbool.h>
#include <stddef.h>

#define SIM_PASS_HEAD_BYTES 8u /* of a backend's greeting, and of a client's number */

struct sim;
struct sim_host;
struct sim_pass;

/* One end of one connection. */
struct sim_talk {
    struct sim *sim;
    struct stream *stream; /* NULL: not open, or over */
    struct sim_pass *pass; /* NULL: a backend's, and whose is not known yet */
    bool is_back;
    bool is_ready;       /* hands are shaken, or it was accepted */
    bool is_shut;        /* our direction has ended */
    bool is_ended;       /* and the other's */
    uint32_t head_sent;  /* of what comes before the body */
    uint32_t head_got;   /* of the other's */
    uint64_t sent;       /* bytes of the body that goes out */
    uint64_t got;        /* and of the one that comes */
    size_t budget_bytes; /* that it may read until its clock says more */
    uint8_t head[SIM_PASS_HEAD_BYTES];
};

struct sim_pass {
    struct sim *sim;
    struct sim_pass_plan *plan;
    struct sim_host *host;
    struct wheel_timer timer; /* its begin, and the clock of a slow reader */
    struct sim_talk front;
    uint64_t progress_us;
    bool is_over;
    bool is_complete;  /* all came, and both sides ended in good order */
    unsigned n_seen;   /* backends that got its number */
    bool is_back_done; /* one of them got all, and ended in good order */
};

/* Makes the connection ready to be opened at its time. */
void sim_pass_init(struct sim_pass *p, struct sim *sim, struct sim_pass_plan *plan);

/* A connection came to a backend; TLS ends below. False: there is no room. */
bool sim_pass_accept(struct sim_host *host, struct stream *s);

/* Ends one that is still open when the run gives up. */
void sim_pass_stop(struct sim_pass *p);

/* How each ended, against how it may end, and the appliance's books of them. */
void sim_pass_check(struct sim *s);
