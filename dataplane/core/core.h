/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one worker shares among its modules: who it is, what time it is, where packets and memory
 * come from, where counters go. Every module context (net, tcp, upstream, proxy) holds a pointer to
 * its worker's struct core and to nothing of another worker.
 *
 * A worker is a pure function of the packets, the time and the image that it is given: `now_us` and
 * `rng` are the only time and chance below worker_poll(). Owner: the worker. Thread: that worker
 * only, but for the telemetry block, which others may read.
 */
#pragma once

#include "abi/stats.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/siphash.h"
#include "base/wheel.h"
#include "core/route_table.h"
#include "obs/obs.h"

#include <stdint.h>

struct census;
struct links;
struct masters;
struct obs_hub;
struct rte_mempool;
struct ports;
struct tls_crypto;

#define WORKERS_MAX 64u

struct core {
    uint64_t now_us; /* of this poll: monotonic, any origin; the same for the whole poll */
    uint8_t worker;  /* 0..workers-1 */
    uint8_t workers;
    int socket;                 /* NUMA node, as rte_socket_id() says; -1: any */
    struct rte_mempool *mbufs;  /* packets of MBUF_DATA_BYTES, single segment each */
    struct ports *ports;        /* this worker's view of the ports; see core/port.h */
    struct stats_worker *stats; /* this worker's counters in the telemetry segment; single writer */
    struct stats_route *routes; /* places for what routes had, likewise; NULL: not counted */
    uint32_t n_routes;          /* of them, with the first, for what finds none */
    struct route_table route_table; /* which of them is whose; core/route_stats.h */
    struct obs obs;                 /* who looks at this worker's flows and frames, if anybody */
    struct wheel wheel;             /* all timers of this worker */
    struct rng rng;                 /* choices; seeded from outside */
    struct siphash_key
        hash_key; /* tables keyed by strangers; seeded from outside, same on all workers */
    struct list_node memory;       /* what core_memory() gave, for core_done() */
    uint64_t (*cycles)(void);      /* the TSC, for core_cycles_io; NULL: not measured (simulator) */
    const struct masters *masters; /* virtual routers that are ours; NULL: none is */
    const struct links *links;     /* devices that are in use; NULL: of each port the first */
    struct census *census;         /* connections of all workers, by limit; NULL: not counted */
    struct tls_crypto *crypto; /* where handshakes take turns (tls knows it); NULL: they do not */
};

/* Room for data in an mbuf: a frame of 1,514 bytes with headroom to spare, and the 3,072 bytes of
 * an AF_XDP frame less its headers. */
#define MBUF_DATA_BYTES 2048u

/* Exit status of a process that ran out of memory while it started. */
#define CORE_EXIT_NO_MEMORY 3

/* What whoever composes a worker gives it; pointers must outlive the worker. */
struct core_config {
    uint64_t now_us;
    uint8_t worker;
    uint8_t workers;
    int socket;
    struct rte_mempool *mbufs;
    struct stats_worker *stats;
    struct stats_route *routes; /* n_routes zeroed ones; NULL: routes are not counted */
    uint32_t n_routes;
    uint64_t rng_seed;
    struct siphash_key hash_key;
    uint64_t (*cycles)(void);
    struct obs_hub *obs;           /* NULL: nobody can look */
    const struct masters *masters; /* NULL: we are master of no virtual router */
    const struct links *links;     /* NULL: no port has several devices */
    struct census *census;         /* shared by all workers; NULL: limits are not kept */
};

/* Makes the worker's core; `ports` is set by ports_join() afterwards (core/ports.h). */
void core_init(struct core *c, const struct core_config *config);

/* Frees everything that core_memory() gave. The mbuf pool and the counters are the composer's. */
void core_done(struct core *c);

/* Adds to a counter of this worker. Plain store: one writer, readers tolerate any age. */
static inline void stat_add(struct core *c, enum stat_id id, uint64_t n)
{
    c->stats->counters[id] += n;
}

/* Counts one. */
static inline void stat_inc(struct core *c, enum stat_id id)
{
    c->stats->counters[id] += 1;
}

/* Memory for a module's tables, zeroed, 64-byte aligned, on the worker's NUMA node. Only while a
 * worker is being made: there is no allocation afterwards. Never NULL: a box that is too small
 * fails at start, with `what` in the message
 * (exit status CORE_EXIT_NO_MEMORY). Freed by core_done(). */
void *core_memory(struct core *c, size_t bytes, const char *what);

/* A pool of `n` objects, at least one, in such memory. */
void core_pool(struct core *c, struct pool *p, size_t object_bytes, uint32_t n, const char *what);

/* The chains of a hash table for about `n` objects, all empty: *ret_mask + 1 of them, a power of
 * two of at least 64 and at most a million, in such memory. */
struct list_node *core_buckets(struct core *c, uint32_t n, const char *what, uint32_t *ret_mask);
