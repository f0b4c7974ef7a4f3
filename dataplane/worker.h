/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one core's whole data path, as a pure function of packets, time, chance and image. The
 * process runs it on NICs in a loop (loop.h); the simulator runs the same one on memory ports under
 * a virtual clock.
 *
 * Owner: whoever made it. Thread: the one that polls it; the counters may be read by others.
 */
#pragma once

#include "core/core.h"
#include "gate/gate.h"
#include "health/health.h"
#include "l4/l4.h"
#include "net/net.h"
#include "obs/rounds.h"
#include "proxy/proxy.h"
#include "tcp/tcp.h"

#include <stdbool.h>
#include <stdint.h>

struct endpoint_table;
struct generation_set;
struct job_lane;
struct port_hub;
struct rcu;
struct worker;

#define WORKER_RX_FRAMES_MAX 128u /* frames taken in one round: longer rounds would delay timers */
#define WORKER_TIMERS_MAX 512u    /* timers called in one round: a storm must not stall receiving */

/* Everything outside of the worker that it uses; all of it outlives the worker. */
struct worker_config {
    struct core_config core;
    struct port_hub *ports;
    struct generation_set *generations;
    struct endpoint_table *endpoints;
    struct rcu *rcu;
    uint8_t hop_limit;    /* of what we send (TTL) */
    enum net_probe probe; /* which new addresses are asked for before they are used */
    struct tcp_config tcp;
    struct health_config health;
    struct proxy_config proxy;
    struct l4_config l4;
    struct job_lane *const *lanes; /* to crypto cores */
    unsigned n_lanes;              /* at most TLS_LANES_MAX; 0: handshakes are the worker's work */
};

/* Sizes for `conns_max` client connections a worker, on a pool of `mbufs` packets in all. */
void worker_config_default(struct worker_config *config, uint32_t conns_max, uint32_t mbufs,
                           unsigned workers);

/* Makes a worker that serves nothing yet. Ends the process if memory is short (see core_memory()).
 */
struct worker *worker_new(const struct worker_config *config);

/* What the last round did, part by part. */
const struct obs_round *worker_round(const struct worker *w);

/* One round: moves to a new image if there is one, receives, runs timers, serves, sends. Returns
 * true if it did anything, so that the caller may idle when not. Never blocks. */
bool worker_poll(struct worker *w, uint64_t now_us);

/* A time before which no timer is due: how long the caller may idle when nothing arrives. */
uint64_t worker_next_us(const struct worker *w);

/* Wall-clock time for the Date of own answers; about once a second. */
void worker_set_unix_time(struct worker *w, uint64_t unix_s);

/* Ends the worker: connections vanish without a word, every packet and all memory is given back. */
void worker_free(struct worker *w);

/* Its core, for tests and dumps. */
struct core *worker_core(struct worker *w);

/* Its TCP, for tests and dumps. */
struct tcp *worker_tcp(struct worker *w);

/* Its proxy, for tests and dumps. */
struct proxy *worker_proxy(struct worker *w);
