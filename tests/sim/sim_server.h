/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend's connection: reads requests, checks their bodies byte by byte, and does with each what
 * the plan orders. Which request it is says its field X-Sim-Id; the rest is looked up in the plan.
 */
#pragma once

#include "base/wheel.h"
#include "sim_body.h"
#include "sim_plan.h"

#define SIM_SERVER_CONNS_MAX 512u

/* What backends speak at a port. */
enum sim_bind {
    SIM_BIND_H1,
    SIM_BIND_H2,
    SIM_BIND_TLS,
    SIM_BIND_RAW,
    SIM_BIND_RAW_TLS,
    SIM_BIND_PASSED,
    SIM_BIND_LIAR
};

struct sim;
struct sim_host;

struct sim_server {
    struct sim *sim;
    struct sim_host *host;
    struct stream *stream;       /* NULL: free */
    struct wheel_timer timer;    /* the delay before an answer, or the end of a long rest */
    struct sim_request *request; /* NULL: none under way */
    bool is_reading;             /* the request's body is not whole yet */
    bool is_answering;           /* `out` is the answer */
    bool is_ready;               /* the answer may begin */
    bool is_hanging;
    bool has_shut; /* of a tunnel: all of the answer is with tcp */
    bool closes;   /* after the answer */
    bool is_h2;    /* the other end of the stream is a gate (sim_gate.h) */
    struct sim_out out;
    struct sim_head head;
    struct sim_in in;
};

/* A connection to a backend, or a pipe behind which HTTP/2 is spoken. False: there is no room. */
bool sim_server_accept(struct sim_host *host, struct stream *s, bool is_h2);
