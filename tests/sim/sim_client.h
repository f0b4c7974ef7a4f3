/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's session: one connection to the appliance (a new one when the appliance has said that
 * it closes), requests as planned, answers checked byte by byte. Every request ends in one outcome.
 */
#pragma once

#include "base/wheel.h"
#include "sim_body.h"
#include "sim_plan.h"

struct sim;
struct sim_host;

struct sim_client {
    struct sim *sim;
    struct sim_host *host;
    const struct sim_session *plan;
    struct sim_request *requests; /* of this session */
    struct wheel_timer timer;     /* start, pace, think, patience with 100-continue */
    struct stream *stream;        /* NULL: not open */
    bool is_over;
    bool is_established;
    bool has_shut;    /* our direction is ended */
    bool must_reopen; /* an answer said "Connection: close" */
    bool may_reopen;  /* an answer came before its request was whole: the appliance may close */
    bool is_refused;  /* the last one that was asked was never looked at: it may be asked again */
    uint32_t reopens;
    uint32_t next_send;   /* the request that is being sent, or will be */
    uint32_t next_answer; /* the request whose answer comes next */
    bool is_sending;
    bool is_in_body;
    bool is_in_tunnel;       /* and the body is a tunnel's */
    bool is_close_announced; /* by the answer that is coming */
    uint64_t think_until_us;
    uint64_t hold_until_us; /* for 100 (Continue) */
    uint64_t paced_us;      /* pace budgets were filled up then */
    size_t read_budget;
    size_t write_budget;
    uint64_t answer_bytes;
    uint64_t progress_us; /* something moved then */
    struct sim_out out;
    struct sim_head head;
    struct sim_in in;
};

/* Makes the session ready to start at its time. */
void sim_client_init(struct sim_client *c, struct sim *sim, const struct sim_session *plan);

/* Ends a session that is still open when the run gives up. */
void sim_client_stop(struct sim_client *c);

/* A request that the session will not hear of any more. For sim_client*.c. */
void sim_client_end_request(struct sim_client *c, uint32_t i, enum sim_outcome outcome);

/* The request under way was never looked at, and the stream is about to break. */
void sim_client_refused(struct sim_client *c);

/* Where it asks. */
uint16_t sim_client_port(const struct sim_client *c);

/* TLS as the session wants it, over a connection that is opening. */
struct stream *sim_client_secure(const struct sim_client *c, struct stream *lower);

/* Takes what is there of answers, as far as the client's pace allows. Returns true if anything
 * moved. For sim_client.c. */
bool sim_client_read(struct sim_client *c);

/* The appliance has ended its direction: so ends a body that nothing else ends. For
 * sim_client.c. */
void sim_client_end_body(struct sim_client *c);
