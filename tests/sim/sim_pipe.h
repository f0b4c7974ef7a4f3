/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream in memory, of two ends with little room between them: what is HTTP/1 here and HTTP/2 on
 * the wire goes through one (sim_gate.h). Events come by sim_pipes_poll() only, as core/stream.h
 * has it. Owner: each end's its owner, until its release.
 */
#pragma once

#include "base/list.h"
#include "core/stream.h"

#define SIM_PIPE_BYTES 16384u

/* All pipes of a host. */
struct sim_pipes {
    struct list_node all;
    unsigned n;
    bool is_due; /* there is an event to be told */
};

void sim_pipes_init(struct sim_pipes *all);

/* The two ends of a new pipe; `*ret_active` hears STREAM_WRITABLE first, as who has opened it. What
 * that one has not read when the other breaks the pipe is still there to be read: no stream of
 * HTTP/2 takes the answers of others with it. */
void sim_pipe_new(struct sim_pipes *all, struct stream **ret_active, struct stream **ret_passive);

/* Tells what is to be told. True: there was something. */
bool sim_pipes_poll(struct sim_pipes *all);

/* Frees all, released or not: the run is over. */
void sim_pipes_free(struct sim_pipes *all);
