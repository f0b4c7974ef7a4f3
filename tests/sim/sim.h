/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run: a plan, wires, the appliance between two LANs, hosts, and the clock that moves from one
 * event to the next. Single-threaded; all chance comes from the seed. See README.md.
 */
#pragma once

#include "sim_ask.h"
#include "sim_box.h"
#include "sim_client.h"
#include "sim_crowd.h"
#include "sim_host.h"
#include "sim_pass.h"
#include "sim_plan.h"
#include "sim_server.h"
#include "sim_tls.h"
#include "sim_trouble.h"
#include "sim_visit.h"
#include "sim_wire.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mempool;

#define SIM_PORT 80u                                /* where the appliance listens */
#define SIM_BACKEND_PORT 8000u                      /* where backends listen */
#define SIM_BACKEND_H2_PORT (SIM_BACKEND_PORT + 2)  /* likewise, and speak HTTP/2 */
#define SIM_BACKEND_TLS_PORT (SIM_BACKEND_PORT + 4) /* likewise, by TLS; ALPN says which */
#define SIM_RAW_PORT (SIM_BACKEND_PORT + 6)         /* backends of what is passed on, */
#define SIM_RAW_TLS_PORT (SIM_BACKEND_PORT + 8)     /* by a connection that is secured, */
#define SIM_PASSED_PORT (SIM_BACKEND_PORT + 10)     /* or whose TLS is the client's */
#define SIM_LIAR_PORT (SIM_BACKEND_PORT + 12)       /* who cannot prove by TLS who he is */
#define SIM_UDP_PORT 9001u  /* of datagrams, at the appliance and at backends */
#define SIM_ASK_PORT 20000u /* of who asks by them, and behind it */
#define SIM_TLS_PORT 443u
#define SIM_MIX_PORT 8443u /* TLS ends there for some names, and is passed on for others */
#define SIM_TCP_PORT 9000u
#define SIM_NAME "www.sim.test"       /* that clients ask for */
#define SIM_PASS_NAME "pass.sim.test" /* whose connections are passed on, */
#define SIM_ENDED_NAME "end.sim.test" /* and what was in them */
#define SIM_BACKEND_NAME "backend.sim.test"
#define SIM_CHECK_PATH "/healthz"
#define SIM_START_US 1000000u /* the clock does not begin at 0 */

/* Somebody on the clients' LAN who is in no plan: an attacker (attack.h). */
struct sim_stranger {
    unsigned host_port;    /* the port that he uses; beyond the plan's hosts */
    struct sim_port *port; /* his end of the wire, once the run has begun */
    bool is_awake;         /* something came */
    void (*begin)(struct sim_stranger *x, struct sim *s);
    bool (*poll)(struct sim_stranger *x, uint64_t now_us); /* true if he did anything */
    uint64_t (*next_us)(const struct sim_stranger *x);     /* when he wants to be polled */
    void (*look)(struct sim_stranger *x); /* after each step: for figures; sees all */
};

struct sim {
    struct sim_plan plan;
    struct sim_stranger *stranger; /* NULL: there is none */
    bool is_verbose;
    uint64_t now_us;
    struct rng rng; /* the order in which things are polled */
    struct sim_wires wires;
    struct sim_box box;
    unsigned n_hosts;
    struct sim_host hosts[SIM_HOSTS_MAX];
    struct ip_addr vip4;
    struct ip_addr vip6;
    struct sim_client clients[SIM_SESSIONS_MAX];
    struct sim_tls_env tls;
    struct sim_visit visits[SIM_VISITS_MAX];
    struct sim_pass passes[SIM_PASSES_MAX];
    struct sim_ask asks[SIM_ASKS_MAX];
    struct sim_talk pass_backs[2 * SIM_PASSES_MAX];
    struct sim_crowd crowd;
    struct sim_troubles troubles;
    unsigned n_open; /* of all that a plan has to end: sessions, visitors, and so on */
    struct sim_server servers[SIM_SERVER_CONNS_MAX];
    uint64_t steps;
    char failure[512]; /* "": none; the first one stays */
};

/* What a run came to. */
struct sim_result {
    bool is_good;
    uint64_t digest; /* of all frames, with their times */
    uint64_t virtual_us;
    uint64_t steps;
    uint64_t frames;
    uint32_t outcomes[SIM_OUTCOME_COUNT];
    enum sim_world world;
    char failure[512];
};

/* Starts DPDK, makes the ports and pools that all runs use. Once in the process. */
void sim_env_init(void);

/* Runs a plan that the caller has made, with a stranger or without one (NULL). */
void sim_run_plan(const struct sim_plan *plan, struct sim_stranger *stranger,
                  struct sim_result *ret);

/* The requests of the last run, with what became of them. */
const struct sim_plan *sim_last_plan(void);

/* A counter of the last run's appliance, as it was at its end. */
uint64_t sim_last_stat(enum stat_id id);

/* CPU time that the workers of the last run took: for figures, as it is different each time. */
uint64_t sim_last_box_cpu_ns(void);

/* Runs `seed`. `world` SIM_WORLD_COUNT: the one that the seed picks. */
void sim_run(uint64_t seed, enum sim_world world, bool is_verbose, struct sim_result *ret);

/* The world of the run under way, or of the last one. */
enum sim_world sim_world_now(void);

/* The run has failed: says why, the first time. It ends at the next step. */
void sim_fail(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Has it? */
static inline bool sim_has_failed(const struct sim *s)
{
    return s->failure[0] != '\0';
}

/* A line of the story, with --verbose. */
void sim_note(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The invariants of a run whose sessions are over and whose appliance is empty (sim_check.c). */
void sim_check(struct sim *s);

/* The invariants of every connection of everybody, in the middle of a run (sim_check.c). */
void sim_check_deep(struct sim *s);

/* A session is over. */
void sim_session_ended(struct sim *s);

/* The pools: of all hosts, and of the appliance (many or few buffers). */
struct rte_mempool *sim_host_mbufs(void);
struct rte_mempool *sim_box_mbufs(bool few);

/* How many buffers a pool has when none is out. */
unsigned sim_pool_size(const struct rte_mempool *pool);

/* The started port of host `number`, and of the appliance's LAN. */
const struct port_setup *sim_host_port(unsigned number);
const struct port_setup *sim_box_port(unsigned lan);

/* The wire's end of a port, with no wire on it yet. Frames of an earlier run are thrown away. */
void sim_port_attach(const char *name, unsigned queues, struct sim_port *ret);
const char *sim_port_name(bool is_box, unsigned number);
