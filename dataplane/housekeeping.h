/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The housekeeping core: takes images and endpoints from mgmtd, checks them, publishes them to the
 * workers, keeps them on disk, hands out telemetry, and frees what the workers have let go. It may
 * block on the disk; the workers never wait for it.
 *
 * Owner: the composer. Thread: housekeeping's.
 */
#pragma once

#include "abi/stats.h"
#include "core/core.h"

#include <stdbool.h>
#include <stdint.h>

struct endpoint_table;
struct generation_set;
struct housekeeping;
struct masters;
struct links;
struct mirror;
struct obs_hub;
struct port_setup;
struct tls_tickets;

/* The access log, if there is to be one. */
struct housekeeping_access {
    const char *file; /* NULL: none */
    unsigned one_in;  /* of so many requests one is written, by chance; 0: none but errors */
    bool has_errors;  /* and all those that were answered 500 and above, or not wholly */
    uint64_t fields;  /* access/access_line.h: which, as bits */
};

struct housekeeping_config {
    const char *run_dir;
    const char *state_dir;
    unsigned workers;
    unsigned n_ports;
    const char *port_names[16];     /* in the order of their indices */
    const struct port_setup *ports; /* their devices, likewise, which outlive it; NULL: none */
    struct endpoint_table *endpoints;
    struct rcu *rcu;
    struct stats_worker *stats; /* housekeeping's own block */
    struct rte_mempool *mbufs;  /* whose use is told; NULL: none */
    int telemetry_fd;
    struct tls_tickets *tickets; /* the workers', whose keys mgmtd sends; NULL: none */
    struct masters *masters;     /* what keepalived tells goes there; NULL: nobody tells */
    struct links *links;         /* which members ports use; NULL: no port has any */
    bool (*has_carrier)(const char *iface); /* with links */
    struct mirror *mirror;    /* the kernel's side of the exception path; NULL: there is none */
    struct obs_hub *obs;      /* by which to look at the workers; NULL: not at all */
    uint64_t (*now_us)(void); /* the time that the workers are given */
    struct housekeeping_access access; /* with obs */
};

/* What went wrong, for a person. */
struct housekeeping_fault {
    char text[200];
};

/* Makes housekeeping and the generations that workers follow, and takes from disk what the last
 * process served: the last good image and the endpoints. What is damaged is counted, reported and
 * moved aside, and is no reason not to start. Then listens. NULL: *ret_fault says why not. */
struct housekeeping *housekeeping_new(const struct housekeeping_config *config,
                                      struct housekeeping_fault *ret_fault);

/* Where workers find their image. */
struct generation_set *housekeeping_generations(struct housekeeping *h);

/* Waits for messages at most `timeout_ms` and does all that is due. Returns messages handled. */
unsigned housekeeping_poll(struct housekeeping *h, int timeout_ms);

/* Ends it: no socket stays behind, images and files are given back. The workers have ended. NULL:
 * nothing. */
void housekeeping_free(struct housekeeping *h);
